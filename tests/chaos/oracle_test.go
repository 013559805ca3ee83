package chaos

import (
	"strings"
	"testing"
	"time"
)

// The histories here are made by hand: one channel, one client, and an oracle
// that must say what is wrong. Ids are named by history and offset: "a3" is
// the third event of history a, which began a second before history b.

const room = "room"

var dawn = time.UnixMilli(1_700_000_000_000)

func id(name string) position {
	offset := uint64(0)
	for _, digit := range name[1:] {
		offset = offset*10 + uint64(digit-'0')
	}
	p := position{ms: dawn.UnixMilli() + int64(name[0]-'a')*1000 + int64(offset), offset: offset}
	copy(p.tag[:], name+"......")
	return p
}

// read makes a log from words: "sub:a1" (told where it begins), "rec:a1"
// (recovered there), "new:a9" (subscribed, not recovered), "reset:trimmed:a9",
// "a2" (an event), "end" (of a connection). Everything is seen at dusk.
func read(t *testing.T, words string) *log {
	t.Helper()
	l := &log{client: "alice", channels: []string{room}}
	dusk := dawn.Add(time.Minute)
	for word := range strings.FieldsFuncSeq(words, func(r rune) bool { return r == ' ' || r == ',' }) {
		n := note{at: dusk, channel: room}
		parts := strings.Split(word, ":")
		name := parts[len(parts)-1]
		yes, no := true, false
		switch parts[0] {
		case "sub":
			n.kind = noteSubscribed
		case "rec":
			n.kind, n.recovered = noteSubscribed, &yes
		case "new":
			n.kind, n.recovered = noteSubscribed, &no
		case "reset":
			n.kind, n.text = noteReset, parts[1]
		case "end":
			l.notes = append(l.notes, note{at: dusk, kind: noteEnded})
			continue
		default:
			n.kind = noteEvent
		}
		n.id = id(name)
		if n.kind == noteEvent {
			n.number = numberOf(name)
		}
		l.notes = append(l.notes, n)
	}
	return l
}

// numberOf gives each event of the histories a and b a number of its own.
func numberOf(name string) int {
	return int(name[0]-'a')*100 + int(id(name).offset)
}

// published makes the truth: these events were acknowledged, in this order.
func published(names string) *truth {
	t := newTruth()
	t.historySize = 3
	for name := range strings.FieldsSeq(names) {
		t.of(room).numbers = max(t.of(room).numbers, numberOf(name))
		t.ack(room, id(name), numberOf(name))
	}
	t.end(room)
	return t
}

// lost puts a loss between the histories a and b.
func lost(t *truth) *truth {
	moment := dawn.Add(500 * time.Millisecond)
	t.losses = append(t.losses, loss{room, moment, moment})
	return t
}

const (
	five = "a1 a2 a3 a4 a5"
	nine = five + " a6 a7 a8 a9"
)

func TestOracle(t *testing.T) {
	for _, c := range []struct {
		name  string
		truth *truth
		log   string
		want  string // part of what the oracle says; empty: nothing is wrong
	}{
		{"all events", published(five), "sub:a1 a2 a3 a4 a5", ""},
		{"from the head", published(five), "sub:a5", ""},
		{"across a reconnect", published(five), "sub:a1 a2 end rec:a2 a3 a4 end,end rec:a4 a5", ""},
		{"an event whose answer was lost", published("a1 a2 a4 a5"), "sub:a1 a2 a3 a4 a5", ""},

		{"gap", published(five), "sub:a1 a2 a4 a5", "gap: 1 events are missing"},
		{"gap at the beginning", published(five), "sub:a1 a3 a4 a5", "gap"},
		{"gap across a reconnect", published(five), "sub:a1 a2 end rec:a2 a4 a5", "gap"},
		{"duplicate", published(five), "sub:a1 a2 a3,a3 a4 a5", "duplicate"},
		{"duplicate across a reconnect", published(five), "sub:a1 a2 a3 end rec:a3,a3 a4 a5", "duplicate"},
		{"reorder", published(five), "sub:a1 a3 a2 a4 a5", "gap"},
		{"an older event", published(five), "sub:a3 a2 a4 a5", "out of order"},
		{"missing end", published(five), "sub:a1 a2 a3 a4", "the end of the channel never came"},
		{"missing end after a reconnect", published(five), "sub:a1 a2 a3 end rec:a3", "the end of the channel never came"},
		{"never subscribed", published(five), "end,end", "never subscribed"},
		{"an event before subscribed", published(five), "a1 sub:a1 a2 a3 a4 a5", "before subscribed"},

		{"recovered elsewhere", published(five), "sub:a1 a2 end rec:a3 a4 a5", "recovered at another position"},
		{"begun afresh", published(five), "sub:a1 a2 end sub:a4 a5", "subscribed afresh"},
		{"begun afresh at the right place", published(five), "sub:a1 a2 end sub:a2 a3 a4 a5", "subscribed afresh"},
		{"not recovered, and no reset", published(five), "sub:a1 a2 end new:a4 a5", "not followed by a reset"},

		{"trimmed", published(nine), "sub:a1 a2 end new:a8 reset:trimmed:a8 a9", ""},
		{"trimmed, the reset cut off", published(nine), "sub:a1 a2 end new:a8 end rec:a8 a9", ""},
		{"trimmed while live", published(nine), "sub:a1 a2 reset:trimmed:a8 a9", ""},
		{"trimmed, but it was all there", published(five), "sub:a1 a2 end new:a5 reset:trimmed:a5", "reset without a cause"},
		{"a reset to where the reader stood", published(nine), "sub:a9 end new:a9 reset:trimmed:a9", "reset without a cause"},
		{"not recovered without a cause", published(five), "sub:a1 a2 end new:a4 end rec:a4 a5", "reset without a cause"},
		{"diverged, and nothing was lost", published(nine), "sub:a1 a2 reset:diverged:a8 a9", "reset without a cause"},
		{"unknown, and nothing was lost", published(nine), "sub:a1 a2 reset:unknown:a8 a9", "reset without a cause"},
		{"a hole after a reset", published(nine), "sub:a1 a2 reset:trimmed:a7 a9", "gap"},
		{"two resets that disagree", published(nine), "sub:a1 a2 end new:a7 reset:trimmed:a8 a9", "another position than subscribed said"},

		{"lost", lost(published("a1 a2 b1 b2")), "sub:a1 a2 reset:unknown:b1 b2", ""},
		{"lost, and the head was new", lost(published("a1 a2 b1 b2")), "sub:a1 a2 reset:unknown:b0 b1 b2", ""},
		{"lost before the reader's position", lost(published("a1 a2 b1 b2 b3")), "sub:b1 b2 reset:diverged:b3", "reset without a cause"},
		{"lost, and nobody said so", lost(published("a1 a2 b1 b2 b3")), "sub:a1 a2 b3", "another history"},
		{"lost, and taken for duplicates", lost(published("a1 a2 b1 b2 b3")), "sub:a2 b3", "another history"},
		{"lost, and stepped back", lost(published("a1 a2 b1 b2")), "sub:a1 a2 b1 b2", "another history"},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, judge(c.truth, []*log{read(t, c.log)}), c.want)
		})
	}
}

func expect(t *testing.T, v *verdict, want string) {
	t.Helper()
	switch {
	case want == "" && len(v.violations) > 0:
		t.Errorf("the oracle complains of a good run: %v", v.violations[0])
	case want != "" && len(v.violations) == 0:
		t.Errorf("the oracle sees nothing, want %q", want)
	case want != "" && !strings.Contains(v.violations[0].What, want):
		t.Errorf("the oracle says %q, want %q", v.violations[0].What, want)
	}
}

func TestOracleKnowsEvents(t *testing.T) {
	wrong := read(t, "sub:a1 a2 a3 a4 a5")
	wrong.notes[2].number = 4
	expect(t, judge(published(five), []*log{wrong}), "an id with another event's data")

	invented := read(t, "sub:a1 a2 a3 a4 a5")
	invented.notes[2].number = 77
	expect(t, judge(published("a1 a2 a4 a5"), []*log{invented}), "nobody published")
}

func TestOracleHoldsIDsAgainstEachOther(t *testing.T) {
	twice := published(five)
	twice.channels[room].acked[id("a5")] = numberOf("a4")
	expect(t, judge(twice, nil), "published twice")

	repeated := published("a1 a2 b2 b3")
	expect(t, judge(repeated, nil), "two ids with one offset")
	expect(t, judge(lost(repeated), nil), "")
}

// TestOracleKnowsWhoseLoss: what one channel lost excuses no other.
func TestOracleKnowsWhoseLoss(t *testing.T) {
	elsewhere := lost(published("a1 a2 b1 b2"))
	elsewhere.losses[0].channel = "another room"
	elsewhere.channels[room].acked = map[position]int{id("b1"): 101, id("b2"): 102}
	expect(t, judge(elsewhere, []*log{read(t, "sub:a3 reset:unknown:b1 b2")}), "reset without a cause")
}

// TestOracleTells: a violation can be understood without the run.
func TestOracleTells(t *testing.T) {
	v := judge(published(five), []*log{read(t, "sub:a1 a2 a4 a5")})
	if len(v.violations) != 1 {
		t.Fatalf("%d violations, want 1", len(v.violations))
	}
	text := v.violations[0].String()
	for _, want := range []string{"gap", "alice", room, id("a3").String(), "number 3, acknowledged", "subscribed at " + id("a1").String()} {
		if !strings.Contains(text, want) {
			t.Errorf("the story lacks %q:\n%s", want, text)
		}
	}
}

// TestOracleCountsEchoes: one bug does not bury the others.
func TestOracleCountsEchoes(t *testing.T) {
	v := judge(published(nine), []*log{read(t, "sub:a1,a1,a1,a1,a1,a1,a9")})
	if len(v.violations) != maxPerReader || v.suppressed != 3 {
		t.Errorf("%d violations and %d suppressed, want %d and 3", len(v.violations), v.suppressed, maxPerReader)
	}
}
