package socket

import (
	"math/rand/v2"
	"sync"
	"time"
)

// wheel visits every socket once in an interval. A timer for each would cost
// more than the visit. Each has its place by chance: thousands of clients that
// came together should not be pinged together for ever.
type wheel struct {
	tick time.Duration

	mu    sync.Mutex
	spoke [spokes][]*Socket
	next  int
	over  bool // no socket comes any more

	visited []*Socket // scratch of the goroutine that turns it
}

const spokes = 128

// round is a socket's place on the wheel.
type round struct{ spoke, place int32 }

// add gives a socket its place and counts it, in one step as close sees it. It
// returns false after close.
func (w *wheel) add(s *Socket, count *sync.WaitGroup) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return false
	}
	count.Add(1)
	n := rand.IntN(spokes)
	s.round = round{spoke: int32(n), place: int32(len(w.spoke[n]))}
	w.spoke[n] = append(w.spoke[n], s)
	return true
}

func (w *wheel) remove(s *Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.spoke[s.round.spoke]
	end := len(list) - 1
	list[s.round.place] = list[end]
	list[end].round.place = s.round.place
	list[end] = nil
	w.spoke[s.round.spoke] = list[:end]
}

// turn visits the next spoke.
func (w *wheel) turn() {
	w.mu.Lock()
	w.visited = append(w.visited[:0], w.spoke[w.next]...)
	w.next = (w.next + 1) % spokes
	w.mu.Unlock()
	for _, s := range w.visited {
		s.tick()
	}
	clear(w.visited)
}

// close returns the sockets that are there; no other comes.
func (w *wheel) close() (list []*Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, sockets := range w.spoke {
		list = append(list, sockets...)
	}
	return list
}

// run turns the wheel until stop is closed.
func (w *wheel) run(stop <-chan struct{}) {
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.turn()
		case <-stop:
			return
		}
	}
}
