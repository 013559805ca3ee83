package hub

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"relay/bus"
	"relay/event"
)

// Relays ask each other over the bus: a question goes to controlChannel,
// which every relay hears (the asker too), and each answers on the asker's
// own channel. How many answers to wait for is what the bus says about who
// heard the question, so no relay keeps a list of the others.
const (
	controlChannel     = "_control"
	answerChannelStart = "_relay."
	answerPatience     = time.Second
)

// Census is how many live subscriptions a channel has.
type Census struct {
	// Local counts this relay's, Total all relays'.
	Local, Total int
	// Relays is how many relays were counted.
	Relays int
	// Complete is false if a relay that heard the question did not answer in time.
	Complete bool
}

// Target names the connections to disconnect: those of a user, or one by its ID.
type Target struct{ User, Connection string }

// Disconnected is how many connections were closed.
type Disconnected struct {
	Connections int
	// Complete is false if a relay that heard the order did not answer in time.
	Complete bool
}

// question is what one relay asks all.
type question struct {
	ID   string `json:"id"`
	From string `json:"from"`
	// One of the two:
	Count      *countOrder      `json:"count,omitempty"`
	Disconnect *disconnectOrder `json:"disconnect,omitempty"`
}

type countOrder struct {
	Channel string `json:"channel"`
}

type disconnectOrder struct {
	User       string `json:"user,omitempty"`
	Connection string `json:"connection,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

type answer struct {
	ID string `json:"id"`
	N  int    `json:"n"`
}

// control keeps the questions of this relay that wait for answers.
type control struct {
	mu      sync.Mutex
	pending map[string]chan int
}

// start begins to hear questions and answers.
func (c *control) start(h *Hub) {
	c.pending = make(map[string]chan int)
	for channel, hear := range map[string]func(*event.Event){
		controlChannel:            h.hearQuestion,
		answerChannelStart + h.id: h.hearAnswer,
	} {
		h.workerOf(channel).post(task{kind: taskControl, channel: channel, control: hear})
	}
}

// Census counts the live subscriptions of a channel on all relays.
func (h *Hub) Census(ctx context.Context, channel string) (Census, error) {
	local := h.count(channel)
	total, relays, complete, err := h.ask(ctx, question{Count: &countOrder{Channel: channel}})
	if err != nil {
		return Census{}, err
	}
	return Census{Local: local, Total: total, Relays: relays, Complete: complete}, nil
}

// Disconnect closes connections on all relays. reason is told to the clients.
func (h *Hub) Disconnect(ctx context.Context, who Target, reason string) (Disconnected, error) {
	order := disconnectOrder{User: who.User, Connection: who.Connection, Reason: reason}
	n, _, complete, err := h.ask(ctx, question{Disconnect: &order})
	return Disconnected{Connections: n, Complete: complete}, err
}

// ask puts a question to all relays and adds up their answers.
func (h *Hub) ask(ctx context.Context, q question) (sum, relays int, complete bool, err error) {
	q.ID, q.From = event.RandomText(12), h.id
	answers := make(chan int, 1024)
	h.control.mu.Lock()
	h.control.pending[q.ID] = answers
	h.control.mu.Unlock()
	defer func() {
		h.control.mu.Lock()
		delete(h.control.pending, q.ID)
		h.control.mu.Unlock()
	}()

	expected, err := h.tell(ctx, controlChannel, "question", q)
	if err != nil {
		return 0, 0, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	for relays < expected {
		select {
		case n := <-answers:
			sum += n
			relays++
		case <-ctx.Done():
			return sum, relays, false, nil
		}
	}
	return sum, relays, true, nil
}

// tell publishes one of the relay's own messages and returns how many relays heard it.
func (h *Hub) tell(ctx context.Context, channel, name string, message any) (heard int, err error) {
	data, err := json.Marshal(message)
	if err != nil {
		return 0, err
	}
	r := h.bus.Publish(ctx, []bus.Publication{{Channel: channel, Name: name, Data: data, Transient: true}})[0]
	return r.Receivers, r.Err
}

// hearQuestion runs on a worker's goroutine and must not block it.
func (h *Hub) hearQuestion(e *event.Event) {
	var q question
	if err := json.Unmarshal(e.Data, &q); err != nil || q.From == "" {
		h.options.Metrics.Dropped(event.DropMalformed)
		return
	}
	h.tasks.Go(func() {
		n := 0
		switch {
		case q.Count != nil:
			n = h.count(q.Count.Channel)
		case q.Disconnect != nil:
			n = h.disconnect(*q.Disconnect)
		}
		ctx, cancel := context.WithTimeout(h.ctx, answerPatience)
		defer cancel()
		if _, err := h.tell(ctx, answerChannelStart+q.From, "answer", answer{ID: q.ID, N: n}); err != nil {
			h.options.Log.Warn("another relay's question could not be answered", "relay", q.From, "error", err)
		}
	})
}

func (h *Hub) hearAnswer(e *event.Event) {
	var a answer
	if err := json.Unmarshal(e.Data, &a); err != nil {
		h.options.Metrics.Dropped(event.DropMalformed)
		return
	}
	h.control.mu.Lock()
	defer h.control.mu.Unlock()
	select {
	case h.control.pending[a.ID] <- a.N:
	default:
		// The asker has given up, or more answered than heard the question.
	}
}

// count asks the channel's worker for the live subscriptions of this relay.
func (h *Hub) count(channel string) int {
	answer := make(chan int, 1)
	h.workerOf(channel).post(task{kind: taskCount, channel: channel, count: answer})
	select {
	case n := <-answer:
		return n
	case <-h.ctx.Done():
		return 0
	}
}

// disconnect closes this relay's connections that the order names.
func (h *Hub) disconnect(order disconnectOrder) (n int) {
	for _, c := range h.connections() {
		if order.Connection != "" && c.id == order.Connection || order.User != "" && c.userNow() == order.User {
			c.Close(event.ReasonDisconnected, order.Reason)
			n++
		}
	}
	return n
}
