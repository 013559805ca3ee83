package faultproxy_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"relay/tests/faultproxy"
)

// echo answers each line with itself, until the test ends.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

type client struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, addr string) client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return client{conn, bufio.NewReader(conn)}
}

func (c client) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (c client) hear(t *testing.T, line string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := c.lines.ReadString('\n')
	if err != nil || got != line+"\n" {
		t.Fatalf("heard %q (%v), want %q", got, err, line)
	}
}

// silent checks that nothing comes for a moment. A proxy that passes something
// on although it is frozen may slip through on a slow machine, never the other
// way round.
func (c client) silent(t *testing.T) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := c.lines.Peek(1); err == nil {
		t.Fatalf("heard %q through a frozen proxy", got)
	}
}

func TestPassesOn(t *testing.T) {
	c := dial(t, faultproxy.New(t, echo(t)).Addr)
	c.say(t, "a")
	c.hear(t, "a")
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if _, err := c.lines.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

func TestFreeze(t *testing.T) {
	for name, d := range map[string]faultproxy.Direction{
		"to server": faultproxy.ToServer, "to client": faultproxy.ToClient, "both": faultproxy.Both,
	} {
		t.Run(name, func(t *testing.T) {
			p := faultproxy.New(t, echo(t))
			old := dial(t, p.Addr)
			old.say(t, "a")
			old.hear(t, "a")
			p.Freeze(d)
			fresh := dial(t, p.Addr)
			for _, c := range []client{old, fresh} {
				c.say(t, "b")
				c.silent(t)
			}
			p.Heal()
			old.hear(t, "b")
			fresh.hear(t, "b")
		})
	}
}

func TestCut(t *testing.T) {
	p := faultproxy.New(t, echo(t))
	old := dial(t, p.Addr)
	old.say(t, "a")
	old.hear(t, "a")
	p.Freeze(faultproxy.Both)
	p.Cut()
	lives := func(c net.Conn) bool {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, err := c.Read(make([]byte, 1))
		return err == nil
	}
	if lives(old) {
		t.Error("a connection through a cut network lives")
	}
	// A new one is reset at once, which can be before it is made.
	if c, err := net.Dial("tcp", p.Addr); err == nil {
		defer c.Close()
		if lives(c) {
			t.Error("a new connection through a cut network lives")
		}
	}
	p.Heal()
	fresh := dial(t, p.Addr)
	fresh.say(t, "b")
	fresh.hear(t, "b")
}

func TestDelay(t *testing.T) {
	p := faultproxy.New(t, echo(t))
	c := dial(t, p.Addr)
	const delay = 30 * time.Millisecond
	p.Delay(delay)
	begin := time.Now()
	c.say(t, "a")
	c.hear(t, "a")
	if d := time.Since(begin); d < 2*delay {
		t.Errorf("there and back took %v", d)
	}
}

func TestRetarget(t *testing.T) {
	p := faultproxy.New(t, echo(t))
	old := dial(t, p.Addr)
	old.say(t, "a")
	old.hear(t, "a")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.Retarget(l.Addr().String())
	dial(t, p.Addr)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	old.say(t, "b")
	old.hear(t, "b")
}

// TestTranslates: each connection has a translator of its own, for what flows
// to the client.
func TestTranslates(t *testing.T) {
	p := faultproxy.NewTranslating(t, echo(t), func() func([]byte) []byte {
		seen := 0
		return func(b []byte) []byte {
			seen += len(b)
			return append(bytes.ToUpper(b), strconv.Itoa(seen)+"\n"...)
		}
	})
	for range 2 {
		c := dial(t, p.Addr)
		c.say(t, "a")
		c.hear(t, "A")
		c.hear(t, "2")
	}
}
