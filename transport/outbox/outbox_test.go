package outbox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"relay/event"
	"relay/transport/outbox"
)

func never() { panic("called slow") }

func TestBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := outbox.New(1000, never)
		for n := range 64 {
			if !o.Send(nil, make([]byte, 1000)) {
				t.Fatalf("refused frame %d of a burst", n)
			}
		}
		if o.Send(nil, []byte("x")) {
			t.Error("took more than a burst")
		}
		time.Sleep(4 * time.Second)
		for {
			frames, _ := o.Take()
			if len(frames) == 0 {
				break
			}
			o.Done(frames)
		}
		// A client that has caught up is given a whole grace anew.
		o.Send(nil, make([]byte, 2000))
		time.Sleep(4 * time.Second)
		frames, _ := o.Take()
		o.Done(frames)
		time.Sleep(time.Minute)
	})
}

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := 0
		o := outbox.New(1000, func() { called++ })
		o.Send(nil, make([]byte, 1000))
		time.Sleep(time.Hour)
		synctest.Wait()
		if called != 0 {
			t.Error("too slow with no more than the limit")
		}
		frames, _ := o.Take()
		o.Send(nil, []byte("x")) // what is being written still counts
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if called != 1 {
			t.Errorf("slow was called %d times", called)
		}
		o.Done(frames)
	})
}

func TestClose(t *testing.T) {
	for _, c := range []struct {
		reason event.Reason
		frames int
	}{{event.ReasonDraining, 2}, {event.ReasonSlow, 1}} {
		synctest.Test(t, func(t *testing.T) {
			o := outbox.New(1, never)
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
			time.Sleep(time.Minute)
		})
	}
}

func TestTakeInParts(t *testing.T) {
	o := outbox.New(1<<20, never)
	for range 10 {
		o.Send([]byte("h"), make([]byte, 30<<10))
	}
	o.Close(event.ReasonDraining, "", nil)
	total := 0
	for {
		<-o.Wake()
		frames, end := o.Take()
		total += len(frames)
		o.Done(frames)
		if len(frames) > 3 {
			t.Errorf("%d frames of 30 KiB at once", len(frames))
		}
		if end != nil {
			break
		}
	}
	if total != 10 {
		t.Errorf("took %d frames of 10", total)
	}
}
