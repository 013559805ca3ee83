package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"relay/bus"
	"relay/bus/bustest"
	"relay/event"
	"relay/hub"
	"relay/membus"
)

// stream is a format as EventSource has it: frames may be joined, and those
// that move the cursor have a line with it before them.
type stream struct{ plain }

func (stream) HasCursor() bool { return true }

func (stream) Cursor(cursor []byte) []byte { return fmt.Appendf(nil, "id %s\n", cursor) }

// pieces is a sink that keeps what it gets, write by write.
type pieces struct {
	mu   sync.Mutex
	list []string
}

func (p *pieces) Send(head, body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, string(head)+string(body))
	return true
}

func (p *pieces) Ready(int) bool { return true }

func (p *pieces) Close(_ event.Reason, _ string, last []byte) { p.Send(nil, last) }

func (p *pieces) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list
	p.list = nil
	return list
}

// What was published at once leaves in one piece, with the cursor that the
// client needs before each event: its position where there is one channel, the
// positions of all where there are several.
func TestBurstsCarryCursors(t *testing.T) {
	inBubble(t, hub.Options{}, func(t *testing.T, h *hub.Hub, b *membus.Bus) {
		one, two := &pieces{}, &pieces{}
		for sink, channels := range map[*pieces][]string{one: {"a"}, two: {"a", "b"}} {
			conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: sink, Format: stream{}})
			if err != nil {
				t.Fatal(err)
			}
			var list []hub.Request
			for _, channel := range channels {
				list = append(list, hub.Request{Channel: channel})
			}
			conn.Subscribe(list...)
		}
		synctest.Wait()
		one.take()
		two.take()
		quick := bustest.Number("a", 2)
		quick.Transient = true
		receipts := b.Publish(context.Background(), []bus.Publication{bustest.Number("a", 1), quick, bustest.Number("a", 3)})
		synctest.Wait()
		want := fmt.Sprintf("id %s\nevent a 1\nevent a 2\nid %s\nevent a 3\n", receipts[0].ID, receipts[2].ID)
		if got := strings.Join(one.take(), ""); got != want {
			t.Errorf("with one channel: %q\nwant %q", got, want)
		}
		var last event.Cursor
		text := strings.Join(two.take(), "")
		for line := range strings.SplitSeq(text, "\n") {
			if cursor, ok := strings.CutPrefix(line, "id "); ok {
				var err error
				if last, err = event.ParseCursor(cursor); err != nil {
					t.Fatal(err)
				}
			}
		}
		if at, ok := last.Find(event.HashChannel("a")); !ok || at != receipts[2].ID || strings.Count(text, "event a") != 3 {
			t.Errorf("with two channels: %q", text)
		}
	})
}

// A client that is sent away because one of its channels cannot be had comes
// back for all of them. What it is told at last must name where it stands in
// that one too, or it would never be told what it missed there.
func TestGoodbyeNamesTheChannelThatFailed(t *testing.T) {
	withFaults(t, func(t *testing.T, h *hub.Hub, b *faultyBus) {
		at := bustest.Publish(t, b, bustest.Number("b", 1))[0].ID
		text := event.AppendCursorEntry(nil, event.HashChannel("b"), at)
		channels := []string{"a", "b"}
		since := hub.ParseSince([]string{string(text)}, channels)
		connect(t, h, everything).subscribe("a") // so that it is live
		synctest.Wait()
		b.set(func() { b.held = true })
		alice := &pieces{}
		conn, err := h.Connect(hub.Newcomer{Grant: everything, Sink: alice, Format: stream{}})
		if err != nil {
			t.Fatal(err)
		}
		conn.Subscribe(hub.Request{Channel: "a", Since: since[0], Named: true}, hub.Request{Channel: "b", Since: since[1], Named: true})
		time.Sleep(15 * time.Second)
		synctest.Wait()
		told := alice.take()
		last := told[len(told)-1]
		id, _, _ := strings.Cut(strings.TrimPrefix(last, "id "), "\n")
		cursor, err := event.ParseCursor(id)
		if err != nil || !strings.Contains(last, "goodbye") {
			t.Fatalf("at last: %q, %v", last, err)
		}
		if got, ok := cursor.Find(event.HashChannel("b")); !ok || got != at {
			t.Errorf("the goodbye's cursor %q does not name the channel that failed", id)
		}
	})
}
