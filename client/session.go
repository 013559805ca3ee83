package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"relay/event"
)

const (
	// patience bounds the handshake, the wait for the welcome, and a write.
	patience = 15 * time.Second
	// maxFrameBytes bounds a frame from the relay. It is beyond what a relay
	// can be configured to send.
	maxFrameBytes = 32 << 20
)

// session is one connection.
type session struct {
	*subscriber
	conn *websocket.Conn

	// Owned by the goroutine of Subscribe.
	framed []string // channels that are asked for by frames
	last   Frame    // the last frame before a goodbye
	bye    Frame    // the goodbye, if one came

	// silence is how long the relay may say nothing, in nanoseconds. Pings
	// are noticed by whoever reads, which at the end is the closing goroutine.
	silence  atomic.Int64
	watchdog *time.Timer
	silent   atomic.Bool
}

// session makes one connection, reads it to its end, and says how it ended.
func (s *subscriber) session(ctx context.Context) ending {
	token, err := s.nextToken(ctx)
	if err != nil {
		return ending{err: err}
	}
	begin := time.Now()
	end := s.connect(ctx, token)
	end.calm = time.Since(begin) >= calmAfter
	if end.verdict == freshToken && !s.fetchAnother(ctx, token) {
		end.verdict = stayAway
	}
	return end
}

func (s *subscriber) connect(ctx context.Context, token string) ending {
	c := &session{subscriber: s}
	c.silence.Store(int64(patience))
	header := s.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	dialCtx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, answer, err := websocket.Dial(dialCtx, s.address+"?"+c.query().Encode(), &websocket.DialOptions{
		HTTPClient:     s.HTTPClient,
		HTTPHeader:     header,
		OnPingReceived: func(context.Context, []byte) bool { c.heard(); return true },
	})
	if err != nil {
		return refused(err, answer)
	}
	conn.SetReadLimit(maxFrameBytes)
	c.conn = conn
	return c.run(ctx)
}

// query asks for the channels, from where each was left. Positions go with
// channels in pairs, so once there are some, a channel without one (it was
// refused, or the connection broke too early) is asked for by a frame.
func (c *session) query() url.Values {
	q := make(url.Values)
	for _, channel := range c.Channels {
		switch position := c.positions[channel]; {
		case position != "":
			q.Add("channel", channel)
			q.Add("since", position)
		case len(c.positions) > 0:
			c.framed = append(c.framed, channel)
		default:
			q.Add("channel", channel)
		}
	}
	if c.connection != "" {
		q.Set("resumes", c.connection)
	}
	return q
}

// run reads until the connection ends, and leaves nothing behind.
func (c *session) run(ctx context.Context) ending {
	// A connection whose other end vanished without a word (a pulled plug, a
	// NAT that forgot) is only noticed by its silence.
	c.watchdog = time.AfterFunc(patience, func() {
		c.silent.Store(true)
		_ = c.conn.CloseNow()
	})
	defer c.watchdog.Stop()

	// Reading with ctx would tear the connection down without a close frame.
	left := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(left)
		_ = c.conn.Close(websocket.StatusNormalClosure, "")
	})
	end := c.read()
	if stop() {
		_ = c.conn.CloseNow()
	} else {
		<-left
	}
	if c.silent.Load() {
		end.err = errors.New("the relay has fallen silent")
	}
	end.told = millis(c.bye.ReconnectInMS, mostTold)
	return end
}

func (c *session) read() ending {
	for {
		kind, text, err := c.conn.Read(context.Background())
		if err != nil {
			return c.lost(err)
		}
		if kind != websocket.MessageText {
			return ending{verdict: stayAway, err: errors.New("the server is no relay: it sent a binary frame")}
		}
		f, err := ParseFrame(text)
		if err != nil {
			return ending{verdict: stayAway, err: fmt.Errorf("the server is no relay: it sent %w", err)}
		}
		c.hear(f)
		// What OnFrame takes is not the relay's silence.
		c.watchdog.Stop()
		c.OnFrame(f)
		if f.Type == FrameError && f.Code == event.CodeUnavailable {
			// One channel cannot be had now; a new connection asks for all again.
			return ending{verdict: comeBackLater, err: fmt.Errorf("the relay cannot serve %q now", f.Channel)}
		}
		c.heard()
	}
}

// heard starts the wait for the relay's next sign of life.
func (c *session) heard() {
	c.watchdog.Reset(time.Duration(c.silence.Load()))
}

// hear acts on a frame before the caller sees it.
func (c *session) hear(f Frame) {
	switch f.Type {
	case FrameWelcome:
		c.connection = f.Connection
		if interval := millis(f.PingIntervalMS, time.Hour); interval > 0 {
			c.silence.Store(int64(2*interval + patience))
		}
		c.subscribe()
	case FrameSubscribed, FrameReset, FrameEvent:
		if f.ID != "" {
			c.positions[f.Channel] = f.ID
		}
	case FrameGoodbye:
		c.bye = f
		return
	}
	c.last = f
}

// subscribe asks for the channels that the query could not.
func (c *session) subscribe() {
	for _, channel := range c.framed {
		// A map of strings always marshals.
		text, _ := json.Marshal(map[string]string{"type": "subscribe", "channel": channel})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := c.conn.Write(ctx, websocket.MessageText, text)
		cancel()
		if err != nil {
			return // reading fails as well, and says why
		}
	}
}

// lost makes the ending of a connection that broke or was closed.
func (c *session) lost(err error) ending {
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		return ending{err: fmt.Errorf("the connection was lost: %w", err)}
	}
	refusal := &Refusal{CloseCode: int(closed.Code), Message: closed.Reason}
	switch {
	case c.last.Type == FrameError:
		// A refusal is an error frame and then the close.
		refusal.Code, refusal.Message = c.last.Code, c.last.Message
	case c.bye.Message != "":
		refusal.Message = c.bye.Message
	}
	return ending{verdict: closeVerdict(closed.Code), err: refusal}
}
