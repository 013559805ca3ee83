package redisbus

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c clock
	back := time.UnixMilli(1_795_334_400_000)
	if _, known := c.ahead(); known || c.toNode(back) != 0 || !c.toHere(1).IsZero() {
		t.Fatal("something is known before the first canary")
	}
	// A canary that was away for 100 ms: the node may be ahead by 1900 to 2001 ms.
	c.learn(back.UnixMilli()+1900, back, 100*time.Millisecond)
	expectAhead(t, &c, 1950500*time.Microsecond)
	// One that was quicker says more, and a slow one then nothing.
	c.learn(back.UnixMilli()+1980, back, 9*time.Millisecond)
	expectAhead(t, &c, 1985*time.Millisecond)
	c.learn(back.UnixMilli()+1500, back, 500*time.Millisecond)
	expectAhead(t, &c, 1985*time.Millisecond)
	if micros := c.toNode(back); micros != back.UnixMicro()+1_985_000 || !c.toHere(micros).Equal(back) {
		t.Errorf("toNode says %d", micros)
	}
	// The node's clock is set back by a minute.
	c.learn(back.UnixMilli()-58_000, back, 3*time.Millisecond)
	expectAhead(t, &c, -57_998*time.Millisecond)
	if at := c.toHere(c.toNode(time.Time{})); !at.IsZero() {
		t.Errorf("no moment became %v", at)
	}
}

func expectAhead(t *testing.T, c *clock, want time.Duration) {
	t.Helper()
	if got, known := c.ahead(); !known || got != want {
		t.Errorf("ahead by %v, %t; want %v", got, known, want)
	}
}
