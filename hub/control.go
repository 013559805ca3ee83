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
	// One of the three:
	Count      *countOrder      `json:"count,omitempty"`
	Disconnect *disconnectOrder `json:"disconnect,omitempty"`
	Roster     *rosterOrder     `json:"roster,omitempty"`
}

type countOrder struct {
	Channel string `json:"channel"`
}

type disconnectOrder struct {
	User       string `json:"user,omitempty"`
	Connection string `json:"connection,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// rosterOrder asks who is there.
type rosterOrder struct{}

type answer struct {
	ID string `json:"id"`
	N  int    `json:"n"`
	// Relay answers a rosterOrder.
	Relay *peer `json:"relay,omitempty"`
}

// control keeps the questions of this relay that wait for answers.
type control struct {
	mu      sync.Mutex
	pending map[string]*inquiry
}

// inquiry is one question under way. Its channels are buffered and never
// closed: what comes too late is dropped.
type inquiry struct {
	answers chan answer
	// heard receives when this relay has heard its own question.
	heard chan struct{}
}

// start begins to hear questions and answers.
func (c *control) start(h *Hub) {
	c.pending = make(map[string]*inquiry)
	for channel, hear := range map[string]func(*event.Event){
		controlChannel:            h.hearQuestion,
		answerChannelStart + h.id: h.hearAnswer,
	} {
		h.workerOf(channel).post(task{kind: taskControl, channel: channel, control: hear})
	}
}

// Census counts the live subscriptions of a channel on all relays.
func (h *Hub) Census(ctx context.Context, channel string) (Census, error) {
	q := question{Count: &countOrder{Channel: channel}}
	local := h.carryOut(q).N
	census := Census{Local: local, Total: local, Relays: 1}
	var err error
	census.Complete, err = h.ask(ctx, q, answerPatience, func(a answer) {
		census.Total += a.N
		census.Relays++
	})
	if err != nil {
		return Census{}, err
	}
	return census, nil
}

// Disconnect closes connections on all relays. reason is told to the clients.
// Those of this relay are closed even if the others cannot be reached.
func (h *Hub) Disconnect(ctx context.Context, who Target, reason string) (Disconnected, error) {
	q := question{Disconnect: &disconnectOrder{User: who.User, Connection: who.Connection, Reason: reason}}
	done := Disconnected{Connections: h.carryOut(q).N}
	var err error
	done.Complete, err = h.ask(ctx, q, answerPatience, func(a answer) { done.Connections += a.N })
	return done, err
}

// ask puts a question to all other relays and takes their answers. It is
// complete when this relay has heard its own question (else the bus is deaf
// for the moment, and who else heard it cannot be known) and as many others
// have answered as heard it.
func (h *Hub) ask(ctx context.Context, q question, patience time.Duration, take func(answer)) (complete bool, err error) {
	q.ID, q.From = event.RandomText(12), h.id
	i := &inquiry{answers: make(chan answer, 1024), heard: make(chan struct{}, 1)}
	h.control.add(q.ID, i)
	defer h.control.remove(q.ID)

	receivers, err := h.tell(ctx, controlChannel, "question", q)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	heard, relays := false, 0
	for !heard || relays < receivers-1 {
		select {
		case <-i.heard:
			heard = true
		case a := <-i.answers:
			take(a)
			relays++
		case <-ctx.Done():
			return false, nil
		}
	}
	return true, nil
}

func (c *control) add(id string, i *inquiry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[id] = i
}

func (c *control) remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// find returns the inquiry, or an empty one that nobody reads.
func (c *control) find(id string) *inquiry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.pending[id]; i != nil {
		return i
	}
	return &inquiry{}
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
	if q.From == h.id {
		select {
		case h.control.find(q.ID).heard <- struct{}{}:
		default:
		}
		return // carried out before it was asked
	}
	h.tasks.Go(func() {
		a := h.carryOut(q)
		a.ID = q.ID
		ctx, cancel := context.WithTimeout(h.ctx, answerPatience)
		defer cancel()
		if _, err := h.tell(ctx, answerChannelStart+q.From, "answer", a); err != nil {
			h.options.Log.Warn("another relay's question could not be answered", "relay", q.From, "error", err)
		}
	})
}

// carryOut does on this relay what a question asks.
func (h *Hub) carryOut(q question) (a answer) {
	switch {
	case q.Count != nil:
		a.N = h.count(q.Count.Channel)
	case q.Disconnect != nil:
		a.N = h.disconnect(*q.Disconnect)
	case q.Roster != nil:
		a.Relay = h.self()
	}
	return a
}

// hearAnswer runs on a worker's goroutine and must not block it.
func (h *Hub) hearAnswer(e *event.Event) {
	var a answer
	if err := json.Unmarshal(e.Data, &a); err != nil {
		h.options.Metrics.Dropped(event.DropMalformed)
		return
	}
	select {
	case h.control.find(a.ID).answers <- a:
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
