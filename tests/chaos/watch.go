package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"relay/retry"
	"relay/tests/redistest"
)

// watch looks at each server several times a second, past all networks that
// break. It reads what stands in history, which tells which event follows
// which; and it notes who is master of which channel, because replication is
// asynchronous: when another server is made master, the events that it had not
// heard of are lost, and what the old one takes until it knows that it is old.
//
// Such a span begins when the new master was last seen not to be one, and ends
// when there is one master again. It says when events may have been lost, not
// that any were, nor whose. The lineage says that, as far as it is known.
type watch struct {
	of       *run
	channels []string

	mu      sync.Mutex
	servers map[*redistest.Server]*watched
	suspect map[string]suspicion // by channel
	excused map[*redistest.Server]bool
}

// suspicion is a new master's, who was not yet one when it was last looked at.
type suspicion struct{ since, noticed time.Time }

// watched is what a server said last.
type watched struct {
	at     time.Time // when it was asked
	sure   time.Time // until when it is known to have had no other reign
	reign  string    // empty of a replica; else it names the server's being master
	serves map[string]bool
}

const watchPause = 200 * time.Millisecond

func newWatch(r *run) *watch {
	w := &watch{of: r, channels: r.channels, servers: make(map[*redistest.Server]*watched),
		suspect: make(map[string]suspicion), excused: make(map[*redistest.Server]bool)}
	for _, s := range r.store.data() {
		seen, ok := w.ask(s)
		if !ok {
			r.harness.Fatal("redis ", s.Addr, " does not answer before anything was done to it")
		}
		w.servers[s] = seen
	}
	return w
}

// run looks until ctx is done. A server that does not answer holds up nobody.
func (w *watch) run(ctx context.Context) {
	var eyes sync.WaitGroup
	for _, s := range w.of.store.data() {
		eyes.Go(func() {
			for retry.Sleep(ctx, watchPause) {
				if seen, ok := w.ask(s); ok {
					w.note(s, seen)
					w.read(s, seen)
				}
			}
		})
	}
	eyes.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for channel, doubt := range w.suspect {
		w.of.truth.lost(channel, doubt.since)
	}
}

// harmless says that until the returned function is called, the server may be
// made master without a loss: it is told to take over, and how does not lose.
func (w *watch) harmless(s *redistest.Server) func() {
	set := func(yes bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.excused[s] = yes
	}
	set(true)
	return func() {
		_ = eventually("the watch to see the new master", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.servers[s].reign != ""
		})
		set(false)
	}
}

// ask reports false of a server that does not answer.
func (w *watch) ask(s *redistest.Server) (*watched, bool) {
	now := time.Now()
	seen := &watched{at: now, sure: now, serves: make(map[string]bool)}
	info, err := s.Text("INFO")
	if err != nil || !strings.Contains(info, "role:") {
		return nil, false
	}
	if !strings.Contains(info, "role:master") {
		return seen, true
	}
	for _, field := range []string{"run_id:", "master_replid:"} {
		_, rest, _ := strings.Cut(info, field)
		value, _, _ := strings.Cut(rest, "\r\n")
		seen.reign += value + " "
	}
	slots := w.of.store.shards()
	if slots == nil {
		for _, channel := range w.channels {
			seen.serves[channel] = true
		}
		return seen, true
	}
	nodes, err := s.Text("CLUSTER", "NODES")
	if err != nil {
		return nil, false
	}
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); len(fields) > 8 && strings.Contains(fields[2], "myself") {
			for channel, slot := range slots {
				if holds(fields[8:], slot) {
					seen.serves[channel] = true
				}
			}
		}
	}
	return seen, true
}

// note holds what a server says against what it said before. A master that
// gets a slot from another is not a new master; nothing is lost by that.
func (w *watch) note(s *redistest.Server, now *watched) {
	if len(w.of.store.data()) == 1 {
		return // whoever restarts it knows what is lost
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.servers[s]
	if len(now.serves) == 0 && now.reign != "" {
		// A master without slots reigns over nothing yet. When it gets some, it
		// must be known whether it has just been made one.
		now.reign, now.sure = before.reign, before.sure
	}
	w.servers[s] = now
	if now.reign != "" && now.reign != before.reign && !w.excused[s] {
		for channel := range now.serves {
			doubt, already := w.suspect[channel]
			if !already || before.sure.Before(doubt.since) {
				doubt.since = before.sure
			}
			doubt.noticed = time.Now()
			w.suspect[channel] = doubt
		}
	}
	for channel, doubt := range w.suspect {
		if w.oneMaster(channel, doubt.noticed) {
			w.of.truth.lost(channel, doubt.since)
			delete(w.suspect, channel)
		}
	}
}

// oneMaster reports whether all have been looked at since a moment, and one
// serves a channel. One that is silent may serve what it was given just before.
func (w *watch) oneMaster(channel string, since time.Time) bool {
	masters := 0
	for _, s := range w.servers {
		if s.at.Before(since) {
			return false
		}
		if s.serves[channel] {
			masters++
		}
	}
	return masters == 1
}

// newestEntries answers the newest entries of a stream, a line each.
const newestEntries = `
local text = {}
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 100)) do
	local tag, previous, json = string.match(entry[2][2], '^(%w+) (%w+) (.*)$')
	text[#text + 1] = entry[1] .. '-' .. tag .. ' ' .. previous .. ' ' .. (string.match(json, '"n":(%d+)') or '0')
end
return table.concat(text, '\n')`

// read notes what stands in a server's history.
func (w *watch) read(s *redistest.Server, seen *watched) {
	for _, channel := range w.channels {
		if !seen.serves[channel] {
			continue
		}
		text, err := s.Text("EVAL", newestEntries, "1", "relay:"+channel)
		if err != nil {
			continue // it may be on the move
		}
		for line := range strings.Lines(text) {
			var id, previous string
			var e entry
			if n, _ := fmt.Sscan(line, &id, &previous, &e.number); n != 3 || copy(e.previous[:], previous) != len(previous) {
				continue
			}
			if p, err := parsePosition(id); err == nil {
				w.of.truth.store(channel, p, e)
			}
		}
	}
}
