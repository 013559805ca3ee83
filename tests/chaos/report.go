package chaos

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is what a run did and found. Read it when Run has returned.
type Report struct {
	Config Config
	// Shape is the store and the size of history, as the seed drew them.
	Shape string
	// Machine names the processors and the system.
	Machine string
	// Faulty is how long faults were injected, Settling how long it then took
	// until all was healed and everybody had seen the end, Elapsed all of it.
	Faulty, Settling, Elapsed time.Duration
	// Hushed is how long it took until everybody had seen an event that was
	// never announced; zero if the run was too short to try.
	Hushed time.Duration
	// Repaired: the store did not become whole by itself at the end, and its
	// operator's tool was used.
	Repaired bool
	// Faults counts the injected faults by kind.
	Faults map[string]int
	// Losses is how often the store lost what it held.
	Losses int
	// Published counts events made, Acknowledged distinct ids that publishers
	// were given (an event can have two when the store lost the first), and
	// Refused the requests that had to be repeated.
	Published, Acknowledged, Refused int
	// Passing counts events without history, Excluded those that one connection
	// was excluded from, and Deletions the requests to delete a history.
	Passing, Excluded, Deletions int
	// Clients by transport.
	Clients map[string]int
	// Attempts, Connections and Resumes of all clients: to connect, welcomed,
	// and those of them that went on from a cursor. Events were received.
	Attempts, Connections, Resumes, Events int
	// Resets counts by what the relay said and the cause the oracle found.
	Resets map[string]int
	// Violations are the broken promises; Suppressed counts those that were
	// left out because the same reader had several.
	Violations []Violation
	Suppressed int

	begin time.Time
	mu    sync.Mutex
}

func newReport(c Config) *Report {
	return &Report{
		Config: c, begin: time.Now(), Faults: make(map[string]int), Clients: make(map[string]int),
		Machine: fmt.Sprintf("%d processors, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()),
	}
}

func (r *Report) fault(k faultKind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Faults[string(k)]++
}

// maxStray bounds the violations that are found while the run goes on.
const maxStray = 20

func (r *Report) violate(v Violation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.Violations) >= maxStray {
		r.Suppressed++
		return
	}
	r.Violations = append(r.Violations, v)
}

func (r *Report) addTruth(t *truth) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Elapsed = time.Since(r.begin)
	r.Losses, r.Refused = len(t.losses), t.refusals
	for _, c := range t.channels {
		r.Published += len(c.made)
		r.Passing += len(c.passing)
		r.Excluded += len(c.excluded)
		r.Deletions += len(c.deletions)
		r.Acknowledged += len(c.acked)
	}
}

func (r *Report) addClient(c *client) {
	kind, _, _ := strings.Cut(c.name, "-")
	r.Clients[kind]++
	if c.brake.manner != plain {
		r.Clients["of them "+string(c.brake.manner)]++
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Attempts += c.stats.attempts
	r.Connections += c.stats.connections
	r.Resumes += c.stats.resumes
	r.Events += c.stats.events
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("seed", "%d", r.Config.Seed)
	line("machine", "%s", r.Machine)
	line("shape", "%d relays, %s", r.Config.Relays, r.Shape)
	line("duration", "%v of faults, %v until all had seen the end, %v in all", r.Faulty.Round(time.Second), r.Settling.Round(time.Millisecond), r.Elapsed.Round(time.Second))
	if r.Repaired {
		line("store", "not whole by itself at the end: repaired as its operator would")
	}
	if r.Hushed > 0 {
		line("unannounced", "the last event of a channel was found after %v", r.Hushed.Round(time.Millisecond))
	}
	line("faults", "%d", total(r.Faults))
	list(&b, r.Faults)
	line("data losses", "%d", r.Losses)
	line("events", "%d published, %d acknowledged, %d requests repeated", r.Published, r.Acknowledged, r.Refused)
	line("others", "%d without history; %d of all excluded a connection; %d deletions of history", r.Passing, r.Excluded, r.Deletions)
	line("clients", "%d", r.Config.Clients)
	list(&b, r.Clients)
	line("connections", "%d of %d attempts, %d of them resumes", r.Connections, r.Attempts, r.Resumes)
	line("received", "%d events", r.Events)
	line("resets", "%d", total(r.Resets))
	list(&b, r.Resets)
	line("violations", "%d", len(r.Violations)+r.Suppressed)
	for i, v := range r.Violations {
		fmt.Fprintf(&b, "\n%d. %v", i+1, v)
	}
	if r.Suppressed > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", r.Suppressed)
	}
	return b.String()
}

// String tells the violation's story.
func (v Violation) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, v.What)
	for _, field := range [][2]string{{"client", v.Client}, {"channel", v.Channel}, {"expected", v.Expected}, {"seen", v.Seen}} {
		if field[1] != "" {
			fmt.Fprintf(&b, "   %-9s %s\n", field[0], field[1])
		}
	}
	for _, text := range v.Story {
		fmt.Fprintf(&b, "     %s\n", text)
	}
	return b.String()
}

func list(b *strings.Builder, counts map[string]int) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(b, "  %6d  %s\n", counts[name], name)
	}
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
