package hub

import "sync"

// pool runs functions on at most a fixed number of goroutines, which end when
// there is nothing to do. What waits for one costs no stack: after a lost
// connection every channel wants its history read.
type pool struct {
	most  int
	tasks *sync.WaitGroup

	mu      sync.Mutex
	running int
	waiting []func()
}

// do runs f soon. It does not block.
func (p *pool) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, f)
	if p.running < p.most {
		p.running++
		p.tasks.Go(p.run)
	}
}

func (p *pool) run() {
	for f := p.next(); f != nil; f = p.next() {
		f()
	}
}

// next returns what to run next; nil ends the goroutine.
func (p *pool) next() func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.running--
		p.waiting = nil
		return nil
	}
	f := p.waiting[0]
	p.waiting[0] = nil
	p.waiting = p.waiting[1:]
	return f
}
