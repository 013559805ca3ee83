package outbox_test

import (
	"testing"

	"relay/event"
	"relay/transport/outbox"
)

func TestBound(t *testing.T) {
	o := outbox.New(10)
	if !o.Send(nil, make([]byte, 100)) {
		t.Fatal("an empty outbox refused a frame for its size")
	}
	if o.Send(nil, []byte("x")) {
		t.Error("a full outbox took a frame")
	}
	frames, end := o.Take()
	if len(frames) != 1 || end != nil {
		t.Errorf("took %d frames, end %v", len(frames), end)
	}
	if o.Send(nil, []byte("x")) {
		t.Error("what is being written no longer counted")
	}
	o.Done(frames)
	for range 5 {
		if !o.Send([]byte("h"), []byte("b")) {
			t.Error("refused a frame within the limit")
		}
	}
	if o.Send(nil, []byte("b")) {
		t.Error("took a frame over the limit")
	}
}

func TestClose(t *testing.T) {
	for _, c := range []struct {
		reason event.Reason
		frames int
	}{{event.ReasonDraining, 2}, {event.ReasonSlow, 1}} {
		o := outbox.New(10)
		o.Send(nil, []byte("event"))
		o.Close(c.reason, "text", []byte("goodbye"))
		<-o.Wake()
		frames, end := o.Take()
		if len(frames) != c.frames || end == nil || end.Reason != c.reason || end.Text != "text" {
			t.Errorf("%s: %d frames, end %+v", c.reason, len(frames), end)
		}
		if last := frames[len(frames)-1]; string(last.Body) != "goodbye" {
			t.Errorf("%s: the last frame is %q", c.reason, last.Body)
		}
	}
}
