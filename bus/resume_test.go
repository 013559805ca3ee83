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
//	scribble (an entry that is not ours)
//	resume now|start|from NAME [limit N]
//	place start|NAME in now|start|NAME [limit N]: where a reader stands in a
//	page that was read for another
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
	if len(words) > 1 && words[0] != "resume" && words[0] != "place" {
		n, _ = strconv.Atoi(last)
	}
	ok = n > 0
	switch words[0] {
	case "resume":
		return resume(a, words[1:])
	case "place":
		return place(a, words[1:])
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
	case "scribble":
		*a = a.scribble()
	case "spoil":
		*a, ok = a.spoil(a.named(last)), a.named(last) != nil
	default:
		ok = false
	}
	return a.String(), ok
}

func resume(a *authority, words []string) (said string, ok bool) {
	words, limit, ok := cutLimit(words)
	from, known := fromNamed(a, words[len(words)-1])
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
	return said, ok && known
}

func place(a *authority, words []string) (said string, ok bool) {
	words, limit, ok := cutLimit(words)
	if len(words) != 3 || words[1] != "in" {
		return "", false
	}
	reader, known := fromNamed(a, words[0])
	from, alsoKnown := fromNamed(a, words[2])
	var page bus.Page
	*a, page = a.resume(from, limit)
	switch p := page.Place(reader); {
	case !p.Known:
		said = "not told"
	case p.Reset != "":
		said = "reset " + string(p.Reset)
	default:
		said = "goes on:" + names(ids(page.Events[p.Next:]))
	}
	return said, ok && known && alsoKnown
}

func cutLimit(words []string) (rest []string, limit int, ok bool) {
	i := slices.Index(words, "limit")
	if i < 1 {
		return words, 100, true
	}
	limit, err := strconv.Atoi(words[i+1])
	return words[:i], limit, err == nil && limit > 0
}

func fromNamed(a *authority, name string) (from bus.From, ok bool) {
	switch name {
	case "now":
		return bus.FromNow(), true
	case "start":
		return bus.FromStart(), true
	}
	if reader := a.named(name); reader != nil {
		return bus.FromPosition(reader.at), true
	}
	return bus.From{}, false
}
