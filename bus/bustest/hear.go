package bustest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"relay/bus"
)

func testOrder(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	for n := 1; n <= 10; n++ {
		Publish(t, b, Number("c", n))
	}
	batch := make([]bus.Publication, 0, 20)
	for n := 11; n <= 30; n++ {
		batch = append(batch, Number("c", n))
	}
	Publish(t, b, batch...)
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 30)), upTo(1, 30))
}

func testChannels(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	for _, c := range []string{"a", "b"} {
		ear.Listen(t, b, c)
	}
	Publish(t, b, Number("a", 1), Number("b", 1), Number("a", 2), Number("nobody", 1), Number("b", 2))
	equal(t, "a", Numbers(t, ear.Heard(t, "a", 2)), upTo(1, 2))
	equal(t, "b", Numbers(t, ear.Heard(t, "b", 2)), upTo(1, 2))
	ear.mu.Lock()
	defer ear.mu.Unlock()
	if len(ear.heard["nobody"]) > 0 {
		t.Error("heard a channel that was not asked for")
	}
}

func testNames(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	for _, c := range []string{"Räume/für alle", "a:b:c", "a?b[c]", "日本語", `quo"te\`, "h", "k:x"} {
		ear.Listen(t, b, c)
		id := Publish(t, b, Number(c, 7))[0].ID
		if d := ear.Heard(t, c, 1)[0]; d.Event.ID != id || d.Event.Channel != c {
			t.Errorf("%q: heard %+v", c, d.Event)
		}
	}
}

func testExclude(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	p := Number("c", 1)
	p.Exclude = []string{"one", "two"}
	Publish(t, b, p)
	if d := ear.Heard(t, "c", 1)[0]; !slices.Equal(d.Event.Exclude, p.Exclude) {
		t.Errorf("heard with exclude %v", d.Event.Exclude)
	}
	if page := Resume(t, b, "c", bus.FromStart(), 1); !slices.Equal(page.Events[0].Event.Exclude, p.Exclude) {
		t.Errorf("in history with exclude %v", page.Events[0].Event.Exclude)
	}
}

// testPosted: who hears an event knows when it was posted, whatever its way.
func testPosted(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	kept, quick := Number("c", 1), Number("c", 2)
	kept.Posted = time.Now().Add(-time.Minute)
	quick.Posted, quick.Transient = kept.Posted, true
	Publish(t, b, kept, quick, Number("c", 3))
	heard := ear.Heard(t, "c", 3)
	heard = append(heard[:2:2], Resume(t, b, "c", bus.FromStart(), 1).Events[0], heard[2])
	for i, d := range heard[:3] {
		// What a bus knows of clocks is as good as its canaries are quick.
		if off := d.Event.Posted.Sub(kept.Posted).Abs(); off > 10*time.Second {
			t.Errorf("event %d was posted at %v and is heard to be from %v", i, kept.Posted, d.Event.Posted)
		}
	}
	if posted := heard[3].Event.Posted; !posted.IsZero() {
		t.Errorf("nobody said when an event was posted, and it is heard to be from %v", posted)
	}
}

func testData(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	texts := []string{
		`null`, `""`, `0.1e-7`, `12345678901234567890`, `{"b":1,"a":[{},[]]}`, `"<>&\u0000 \\ \" é 😀"`, `"a b c"`,
	}
	for i, text := range texts {
		Publish(t, b, bus.Publication{Channel: "c", Name: "é \"x\"", Data: []byte(text)})
		d := ear.Heard(t, "c", i+1)[i]
		var got, want any
		if err := json.Unmarshal(d.Event.Data, &got); err != nil {
			t.Fatalf("%s came as %s: %v", text, d.Event.Data, err)
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || d.Event.Name != "é \"x\"" {
			t.Errorf("%s came as %q %s", text, d.Event.Name, d.Event.Data)
		}
	}
	// Numbers keep their digits: an ID of 20 digits must not become a float.
	if d := ear.Heard(t, "c", 4)[3]; string(d.Event.Data) != texts[3] {
		t.Errorf("%s came as %s", texts[3], d.Event.Data)
	}
}

func testUnlisten(t *testing.T, open Open) {
	b, ear := start(t, open, Keep)
	ear.Listen(t, b, "c")
	Publish(t, b, Number("c", 1))
	ear.Heard(t, "c", 1)
	b.Unlisten("c")
	// A channel listened to afterwards shows that the wish has arrived, if it is
	// on the same node. In a Cluster nobody here knows which is, so it is many.
	for i := range 16 {
		ear.Listen(t, b, fmt.Sprint("d", i))
	}
	ear.Listen(t, b, "d")
	Publish(t, b, Number("c", 2), Number("d", 1))
	ear.Heard(t, "d", 1)
	equal(t, "heard", Numbers(t, ear.Heard(t, "c", 1)), []int{1})
	ear.Listen(t, b, "c")
	Publish(t, b, Number("c", 3))
	equal(t, "heard after listening again", Numbers(t, ear.Heard(t, "c", 2)), []int{1, 3})
}
