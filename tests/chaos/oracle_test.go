package chaos

import (
	"slices"
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
	last := ""
	for name := range strings.FieldsSeq(names) {
		c := t.of(room)
		for len(c.made) < numberOf(name) {
			c.made = append(c.made, dawn)
		}
		t.ack(room, id(name), numberOf(name))
		if last != "" && last[0] == name[0] && id(last).offset+1 == id(name).offset {
			t.store(room, id(name), entry{number: numberOf(name), previous: id(last).tag})
		}
		last = name
	}
	t.end(room)
	return t
}

// lost puts a loss between the histories a and b.
func lost(t *truth) *truth {
	moment := dawn.Add(500 * time.Millisecond)
	t.losses = append(t.losses, loss{room, span{moment, moment}})
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
	elsewhere := lost(published("b1 b2"))
	elsewhere.losses[0].channel = "another room"
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

// TestOracleKnowsProof: a loss at the time is no excuse where the history
// itself proves that the reader lost nothing.
func TestOracleKnowsProof(t *testing.T) {
	whole := published(nine)
	whole.losses = append(whole.losses, loss{room, span{dawn, dawn.Add(time.Hour)}})
	expect(t, judge(whole, []*log{read(t, "sub:a8 end new:a9 reset:diverged:a9")}), "reset without a cause")
	expect(t, judge(whole, []*log{read(t, "sub:a8 end new:a9 reset:trimmed:a9")}), "") // the stream went, and its head stayed
	expect(t, judge(whole, []*log{read(t, "sub:a9 end new:a9 reset:trimmed:a9")}), "reset without a cause")
	expect(t, judge(whole, []*log{read(t, "sub:a8 end new:a0 reset:diverged:a0 a1 a2 a3 a4 a5 a6 a7 a8 a9")}), "") // an old master
}

// TestOracleHoldsReadersAgainstEachOther: an event has one predecessor, also
// where nobody read it in the store.
func TestOracleHoldsReadersAgainstEachOther(t *testing.T) {
	forked := lost(published("a1 a2 b2 b3"))
	clear(forked.channels[room].stored)
	one, other := read(t, "sub:a1 a2 b3"), read(t, "sub:b2 b3")
	other.client = "bob"
	expect(t, judge(forked, []*log{other}), "")
	expect(t, judge(forked, []*log{one, other}), "another history without a reset")
}

func TestOracleKnowsExclusion(t *testing.T) {
	welcome := func(l *log, name, resumes string) *log {
		l.notes = append([]note{{kind: noteOpened, identity: resumes}, {kind: noteWelcomed, identity: name}}, l.notes...)
		return l
	}
	for _, c := range []struct{ name, resumes, log, want string }{
		{"me", "", "sub:a1 a3 a5", ""},
		{"next", "me", "sub:a1 a3 a5", ""},
		{"other", "", "sub:a1 a2 a3 a4 a5", ""},
		{"other", "", "sub:a1 a3 a4 a5", "gap"},
		{"me", "", "sub:a1 a2 a3 a5", "excluded from"},
		{"next", "me", "sub:a1 a3 a4 a5", "excluded from"},
		{"me", "", "sub:a1 a5", "gap"},
		{"me", "", "sub:a1 end rec:a2 a3 end rec:a4 a5", ""}, // a cursor moves past them
		{"other", "", "sub:a1 end rec:a2 a3 a4 a5", "recovered at another position"},
	} {
		truth := published(five)
		truth.channels[room].excluded = map[int]string{2: "me", 4: "me"}
		expect(t, judge(truth, []*log{welcome(read(t, c.log), c.name, c.resumes)}), c.want)
	}
}

// TestOracleKnowsCursors: a cursor that has passed an event for others is in no
// history any more once that event is lost. A relay that was there knows better.
func TestOracleKnowsCursors(t *testing.T) {
	const back, stayed = "sub:a1 end new:b2 reset:diverged:b2 b3", "sub:a1 reset:diverged:b2 b3"
	for _, c := range []struct {
		carries   bool
		log, want string
	}{
		{true, back, ""},
		{false, back, "reset without a cause"},
		{true, stayed, "reset without a cause"},
	} {
		truth := lost(published("a1 a2 b2 b3"))
		truth.channels[room].excluded = map[int]string{truth.channels[room].acked[id("a2")]: "me"}
		e := truth.channels[room].stored[id("b2")]
		e.previous = id("a1").tag
		truth.channels[room].stored[id("b2")] = e
		l := read(t, c.log)
		l.carries = c.carries
		l.notes = append([]note{{kind: noteOpened}, {kind: noteWelcomed, identity: "me"}}, l.notes...)
		if i := slices.IndexFunc(l.notes, func(n note) bool { return n.kind == noteEnded }); i >= 0 {
			l.notes = slices.Insert(l.notes, i+1, note{kind: noteOpened, identity: "me"}, note{kind: noteWelcomed, identity: "next"})
		}
		expect(t, judge(truth, []*log{l}), c.want)
	}
}

func TestOracleKnowsDeletion(t *testing.T) {
	deleted := func(after time.Duration) *truth {
		truth := published(five)
		moment := dawn.Add(after)
		truth.deleted(room, moment, moment)
		return truth
	}
	behind, atHead := "sub:a2 end new:a4 reset:trimmed:a4 a5", "sub:a4 end new:a5 reset:trimmed:a5"
	expect(t, judge(deleted(4*time.Millisecond), []*log{read(t, behind)}), "")
	expect(t, judge(deleted(-time.Second), []*log{read(t, behind)}), "reset without a cause")
	late := published(five)
	late.channels[room].made[4] = dawn.Add(time.Second) // a5 came after the deletion
	late.deleted(room, dawn.Add(4*time.Millisecond), dawn.Add(4*time.Millisecond))
	expect(t, judge(late, []*log{read(t, atHead)}), "reset without a cause")
}

func TestOracleKnowsPassingEvents(t *testing.T) {
	truth := func() *truth {
		truth := published(five)
		truth.nextPassing(room)
		truth.channels[room].passing[0] = passing{made: dawn, acked: dawn.Add(time.Second), tries: 1}
		return truth
	}
	with := func(words string, number int) *log {
		l := read(t, words)
		for i := range l.notes {
			if l.notes[i].id == id("a0") {
				l.notes[i] = note{at: l.notes[i].at, kind: notePassing, channel: room, number: number}
			}
		}
		return l
	}
	expect(t, judge(truth(), []*log{with("sub:a1 a2 a0 a3 a4 a5", 1)}), "")
	expect(t, judge(truth(), []*log{with("sub:a1 a2 a0 a3 a0 a4 a5", 1)}), "an event without history twice")
	expect(t, judge(truth(), []*log{with("sub:a1 a2 a0 a3 a4 a5", 2)}), "without history that nobody published")
	late := truth()
	late.channels[room].made[2] = dawn.Add(time.Minute)
	expect(t, judge(late, []*log{with("sub:a1 a2 a3 a0 a4 a5", 1)}), "out of its place")
}

// TestOracleKnowsTheClock: what a stepped clock lets expire is lost lawfully,
// and a step alone is no excuse.
func TestOracleKnowsTheClock(t *testing.T) {
	stepped := func(ahead time.Duration) *truth {
		truth := published(five)
		moment := dawn.Add(time.Second)
		truth.clock.steps = append(truth.clock.steps, step{span{moment, moment}, ahead})
		return truth
	}
	const behind = "sub:a2 end new:a4 reset:trimmed:a4 a5"
	expect(t, judge(stepped(time.Minute), []*log{read(t, behind)}), "reset without a cause")
	expect(t, judge(stepped(-time.Hour), []*log{read(t, behind)}), "reset without a cause")
	expect(t, judge(stepped(time.Hour), []*log{read(t, behind)}), "")
	expect(t, judge(stepped(time.Hour), []*log{read(t, "sub:a5 end new:a5 reset:trimmed:a5")}), "reset without a cause")
	// Written while the clock was behind, and to be kept for ten minutes since.
	back := stepped(-time.Hour)
	moment := dawn.Add(2 * time.Second)
	back.clock.steps = append(back.clock.steps, step{span{moment, moment}, 0})
	expect(t, judge(back, []*log{read(t, behind)}), "")
	for ahead, want := range map[time.Duration]string{time.Hour: "reset without a cause", 25 * time.Hour: ""} {
		truth := published("a2 a3 a4 b1")
		moment := dawn.Add(time.Second)
		truth.clock.steps = append(truth.clock.steps, step{span{moment, moment}, ahead})
		expect(t, judge(truth, []*log{read(t, "sub:a4 reset:unknown:b0 b1")}), want)
	}
}
