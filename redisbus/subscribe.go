package redisbus

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// change is a wish to be sent.
type change struct {
	channel string
	want    bool
}

const (
	// maxCommands bounds one pipeline of SUBSCRIBEs.
	maxCommands = 512
	// answerTimeout is how long one such pipeline may wait for its answers. A
	// connection whose way to Redis is dead can still bring events.
	answerTimeout = 10 * time.Second
)

// want notes a wish. It does not block.
func (s *session) want(channel string, want bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted[channel] == want {
		return
	}
	if want {
		s.wanted[channel] = true
	} else {
		delete(s.wanted, channel)
	}
	s.changes = append(s.changes, change{channel, want})
	s.wakeSender()
}

func (s *session) wakeSender() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// send sends the changes that wait, one name a command: of several names in
// one command the driver would wait for the first confirmation only.
func (s *session) send(ctx context.Context, conn rueidis.DedicatedClient) error {
	for {
		batch := s.take()
		if len(batch) == 0 {
			return nil
		}
		commands := make([]rueidis.Completed, len(batch))
		for i, c := range batch {
			commands[i] = s.subscription(conn, s.listener.bus.stream(c.channel), c.want)
		}
		if err := s.sendBatch(ctx, conn, batch, commands); err != nil {
			return err
		}
	}
}

func (s *session) sendBatch(ctx context.Context, conn rueidis.DedicatedClient, batch []change, commands []rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for i, reply := range conn.DoMulti(ctx, commands...) {
		err := reply.Error()
		if err == nil {
			continue
		}
		redisErr, ok := rueidis.IsRedisErr(err)
		switch {
		case ok && elsewhere(redisErr):
			if batch[i].want {
				s.lost(batch[i].channel)
			}
		case ok && forbidden(redisErr):
			if batch[i].want {
				s.refused(batch[i].channel, err)
			}
		default:
			// Busy, loading, gone: it passes. All is asked for again on a
			// new connection.
			return err
		}
	}
	return nil
}

// subscription is the command that begins or ends one, in the form the node takes.
func (s *session) subscription(conn rueidis.DedicatedClient, name string, want bool) rueidis.Completed {
	switch sharded := s.node != ""; {
	case sharded && want:
		return conn.B().Ssubscribe().Channel(name).Build()
	case sharded:
		return conn.B().Sunsubscribe().Channel(name).Build()
	case want:
		return conn.B().Subscribe().Channel(name).Build()
	default:
		return conn.B().Unsubscribe().Channel(name).Build()
	}
}

func (s *session) take() []change {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.changes), maxCommands)
	batch := append([]change(nil), s.changes[:n]...)
	s.changes = append(s.changes[:0], s.changes[n:]...)
	return batch
}

// refused gives a channel up that Redis does not let this relay subscribe to.
func (s *session) refused(channel string, err error) {
	s.mu.Lock()
	delete(s.wanted, channel)
	s.mu.Unlock()
	s.listener.refused(channel, err)
}

// lost hands a channel back that this node does not serve.
func (s *session) lost(channel string) {
	s.mu.Lock()
	delete(s.wanted, channel)
	s.mu.Unlock()
	s.listener.lost(channel, s)
}
