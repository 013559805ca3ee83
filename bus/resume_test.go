package bus_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"relay/bus"
)

var update = flag.Bool("update", false, "write what the commands answer into testdata instead of comparing")

// Each file in testdata/resume tells what happens to one channel, and what
// readers are told: a command, "----", and its answer up to an empty line.
// Lines that begin with # are remarks. Events are called by their number in
// the order of publishing, h1, h2 … are heads of histories without events, and
// … says that there are more.
//
//	publish [N] · trim [N] · expire · delete · flush · forget (the head alone)
//	failover lose N · clockback MS · spoil EVENT (its entry cannot be read)
//	resume now|start|from NAME [limit N]
func TestResumeScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/resume/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d scripts, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			content, err := os.ReadFile(path)
			got := rerun(t, string(content))
			if err == nil && *update {
				err = os.WriteFile(path, []byte(got), 0o644)
			} else if got != string(content) {
				t.Errorf("%s would now read:\n%s", path, got)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// rerun returns the script with what its commands answer now.
func rerun(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	a, old := authority{clock: 1000}, false
	for line := range strings.Lines(text) {
		switch words := strings.Fields(line); {
		case len(words) == 0 || words[0][0] == '#':
			old = false
			b.WriteString(line)
		case words[0] == "----":
			old = true // until the empty line: an earlier run's answer
		case !old:
			said, ok := run(&a, words)
			if !ok {
				t.Fatalf("%q cannot be done", line)
			}
			b.WriteString(line + "----\n" + said + "\n")
		}
	}
	return b.String()
}

func run(a *authority, words []string) (said string, ok bool) {
	n, last := 1, words[len(words)-1]
	if len(words) > 1 && words[0] != "resume" {
		n, _ = strconv.Atoi(last)
	}
	ok = n > 0
	switch words[0] {
	case "resume":
		return resume(a, words[1:])
	case "publish":
		for range n {
			*a = a.publish()
		}
	case "trim":
		*a = a.trim(n)
	case "expire":
		*a = a.expire()
	case "delete":
		*a = a.trim(len(a.entries))
	case "flush":
		*a = a.flush()
	case "forget":
		*a = a.forget()
	case "failover":
		*a, ok = a.failOver(n)
	case "clockback":
		*a = a.clockBack(int64(n))
	case "spoil":
		*a, ok = a.spoil(a.named(last)), a.named(last) != nil
	default:
		ok = false
	}
	return a.String(), ok
}

func resume(a *authority, words []string) (said string, ok bool) {
	limit := 100
	if i := slices.Index(words, "limit"); i > 0 {
		limit, _ = strconv.Atoi(words[i+1])
		words = words[:i]
	}
	from, ok := bus.FromNow(), limit > 0
	if words[0] == "start" {
		from = bus.FromStart()
	} else if reader := a.named(words[len(words)-1]); reader != nil {
		from = bus.FromPosition(reader.at)
	} else {
		ok = ok && words[0] == "now"
	}
	var page bus.Page
	*a, page = a.resume(from, limit)
	if page.Recovered {
		said += "recovered, "
	}
	if page.Reset != "" {
		said += "reset " + string(page.Reset) + ", "
	}
	said += "head " + nameOf(page.Head) + ":" + names(ids(page.Events))
	if page.More {
		said += " …"
	}
	return said, ok
}
