package socket

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// verdicts is a queue with its lock, and a judge that only counts.
type verdicts struct {
	mu   sync.Mutex
	q    *queue
	slow int
}

func (v *verdicts) judge() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.q.tooSlow() {
		v.slow++
	}
}

func (v *verdicts) add(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.q.add(frame{body: make([]byte, n)})
}

func (v *verdicts) drop(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.q.drop(n)
}

func TestSlowness(t *testing.T) {
	for name, c := range map[string]struct {
		story func(v *verdicts)
		slow  int
	}{
		"under the limit for ever": {func(v *verdicts) { v.add(100); time.Sleep(time.Hour) }, 0},
		"over it, for a moment":    {func(v *verdicts) { v.add(300); time.Sleep(grace / 2); v.drop(250) }, 0},
		"over it, and frozen":      {func(v *verdicts) { v.add(300) }, 1},
		"catching up": {func(v *verdicts) {
			v.add(1000)
			for range 15 {
				time.Sleep(time.Second)
				v.drop(65) // enough before the judge, whichever is first in the fifth second
			}
		}, 0},
		"catching up with a burst that comes in pieces": {func(v *verdicts) {
			for range 100 {
				v.add(100)
			}
			for range 16 { // longer than grace, and a quarter well before it is over
				time.Sleep(time.Second / 2)
				v.drop(625)
			}
		}, 0},
		"as far behind as ever, up and down": {func(v *verdicts) {
			v.add(1000)
			for range 5 {
				time.Sleep(2 * time.Second)
				v.drop(600)
				time.Sleep(2 * time.Second)
				v.add(600)
				time.Sleep(time.Second / 2)
			}
		}, 1},
		"at the pace of what comes": {func(v *verdicts) {
			v.add(300)
			for range 20 {
				time.Sleep(time.Second)
				v.add(50)
				v.drop(50)
			}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &verdicts{}
				v.q = newQueue(100, v.judge, new(atomic.Int64))
				c.story(v)
				time.Sleep(2 * grace)
				synctest.Wait()
				if v.slow != c.slow {
					t.Errorf("found slow %d times, want %d", v.slow, c.slow)
				}
				v.q.calm()
			})
		})
	}
}

// A judge whom the lock held up may come when the queue he was sent for is
// gone and another has just begun to wait.
func TestJudgeWhoComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(100, func() {}, new(atomic.Int64))
		defer q.calm()
		q.add(frame{body: make([]byte, 300)})
		time.Sleep(grace)
		q.drop(300)
		q.add(frame{body: make([]byte, 300)})
		if q.tooSlow() {
			t.Error("a client that had caught up was found slow at once")
		}
		time.Sleep(grace)
		if !q.tooSlow() {
			t.Error("it is not found slow when its time is over")
		}
	})
}

// However frames are cut into writes, and whatever is given up between, what
// leaves is whole frames in order.
func FuzzQueue(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		dice := rand.New(rand.NewPCG(a, b))
		var total atomic.Int64
		q := newQueue(1<<30, func() {}, &total)
		defer q.calm()
		var left []byte
		number := byte(0)
		for range 200 {
			switch n := dice.IntN(10); {
			case n < 5:
				number++
				size := dice.IntN(2*gatherBytes/100 + 1)
				q.add(frame{bytes.Repeat([]byte{number}, dice.IntN(4)), append(bytes.Repeat([]byte{number}, size), 0)})
			case n < 9 && !q.empty():
				most := 1 + dice.IntN(gatherBytes)
				out := q.gather(nil, most)
				if len(out) != min(most, q.bytes) {
					t.Fatalf("%d bytes to write of %d that wait, with room for %d", len(out), q.bytes, most)
				}
				taken := dice.IntN(len(out) + 1)
				left = append(left, out[:taken]...)
				q.drop(taken)
			case n == 9 && dice.IntN(5) == 0:
				q.flying = 0
				q.giveUp()
			}
			if waiting := q.waiting(); waiting != q.bytes || int64(waiting) != total.Load() {
				t.Fatalf("%d bytes wait, and %d are counted, %d of the loop", waiting, q.bytes, total.Load())
			}
		}
		for !q.empty() {
			out := q.gather(nil, gatherBytes)
			left = append(left, out...)
			q.drop(len(out))
		}
		if q.bytes != 0 {
			t.Errorf("%d bytes are left over", q.bytes)
		}
		checkFrames(t, left)
	})
}

func (q *queue) waiting() int {
	n := -q.sent
	for _, f := range q.frames {
		n += f.size()
	}
	return n
}

// checkFrames: each frame is one number, again and again, and ends with zero.
func checkFrames(t *testing.T, b []byte) {
	t.Helper()
	for len(b) > 0 {
		end := bytes.IndexByte(b, 0)
		if end < 0 {
			t.Fatalf("a part of a frame at the end: %v", b[:min(len(b), 20)])
		}
		for _, c := range b[:end] {
			if c != b[0] {
				t.Fatalf("a frame of %d has %d in it", b[0], c)
			}
		}
		b = b[end+1:]
	}
}
