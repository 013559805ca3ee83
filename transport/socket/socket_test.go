package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"relay/transport/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner notes what it is told.
type owner struct {
	take    func(b []byte) int // what Received answers; nil: all is used
	mu      sync.Mutex
	got     []byte
	drained int
	slow    int
	ended   chan socket.Ending
}

func newOwner() *owner { return &owner{ended: make(chan socket.Ending, 1)} }

func (o *owner) Received(b []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(b)
	if o.take != nil {
		n = o.take(b)
	}
	o.got = append(o.got, b[:n]...)
	return n
}

func (o *owner) Drained() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drained++
}

func (o *owner) TooSlow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slow++
}

func (o *owner) Ended(how socket.Ending) { o.ended <- how }

func (o *owner) received() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.got)
}

// The two devices: what the system's own connection gets, and any other.
var devices = map[string]func(net.Conn) net.Conn{
	"tcp":   func(c net.Conn) net.Conn { return c },
	"plain": func(c net.Conn) net.Conn { return other{c} },
}

// other is a connection that is not one of the system's, as under TLS.
type other struct{ net.Conn }

func (o other) CloseWrite() error { return o.Conn.(*net.TCPConn).CloseWrite() }

func onEach(t *testing.T, test func(t *testing.T, wrap func(net.Conn) net.Conn)) {
	for name, wrap := range devices {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, wrap)
		})
	}
}

var usual = socket.Options{Limit: 64 << 10, Ping: []byte("ping\n")}

func newLoop(t testing.TB, interval time.Duration) *socket.Loop {
	t.Helper()
	l, err := socket.NewLoop(interval)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// pair connects a client with a socket.
func pair(t testing.TB, l *socket.Loop, wrap func(net.Conn) net.Conn, options *socket.Options, o socket.Owner) (*socket.Socket, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Take(wrap(server), options, o)
	if err != nil {
		t.Fatal(err)
	}
	return s, client.(*net.TCPConn)
}

func awaitEnd(t testing.TB, o *owner) socket.Ending {
	t.Helper()
	select {
	case how := <-o.ended:
		return how
	case <-time.After(time.Minute):
		t.Fatal("the socket has not ended after a minute")
		return 0
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

func TestBothWays(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		o := newOwner()
		s, client := pair(t, newLoop(t, time.Hour), wrap, &usual, o)
		s.Send([]byte("he"), []byte("llo "))
		s.Start([]byte("early "))
		s.Send(nil, []byte("world"))
		if _, err := client.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what the client sent", func() bool { return o.received() == "early late" })
		s.Finish([]byte("!"), false, time.Minute)
		if text, err := io.ReadAll(client); string(text) != "hello world!" || err != nil {
			t.Errorf("the client got %q, %v", text, err)
		}
		_ = client.Close()
		if how := awaitEnd(t, o); how != socket.Finished {
			t.Errorf("ended as %v", how)
		}
	})
}

// Words of a length and as many bytes come as they please, and are used only
// when they are whole.
func TestUnusedBytesComeAgain(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		o := newOwner()
		var words []string
		o.take = func(b []byte) (used int) {
			for len(b) > used && len(b) > used+int(b[used]) {
				n := 1 + int(b[used])
				words = append(words, string(b[used+1:used+n]))
				used += n
			}
			return used
		}
		s, client := pair(t, newLoop(t, time.Hour), wrap, &usual, o)
		s.Start([]byte("\x03o"))
		for _, part := range []string{"n", "e\x00\x05th", "ree\x01", "4"} {
			if _, err := client.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // that they come apart is likely, and not needed
		}
		_ = client.Close()
		if how := awaitEnd(t, o); how != socket.Left {
			t.Errorf("ended as %v", how)
		}
		if got := fmt.Sprintf("%q", words); got != `["one" "" "three" "4"]` {
			t.Errorf("got %s", got)
		}
	})
}

// Whatever the client's pace, it gets every byte once and in order.
func TestOrderWithSlowReaders(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		options := socket.Options{Limit: 4 << 20, Ping: []byte{}}
		o := newOwner()
		s, client := pair(t, newLoop(t, time.Hour), wrap, &options, o)
		s.Start(nil)
		dice := rand.New(rand.NewPCG(1, 2))
		var want []byte
		for range 3000 {
			head, body := make([]byte, dice.IntN(20)), make([]byte, 1+dice.IntN(4000))
			for i := range head {
				head[i] = byte(dice.Uint32())
			}
			for i := range body {
				body[i] = byte(i)
			}
			want = append(append(want, head...), body...)
			if !s.Send(head, body) {
				t.Fatal("refused")
			}
		}
		if s.Ready(2 << 20) {
			t.Error("there is room for half of the limit besides what waits")
		}
		s.Finish([]byte("the end"), false, time.Minute)
		want = append(want, "the end"...)
		got, err := io.ReadAll(slowly{client})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes of %d, equal %v, %v", len(got), len(want), bytes.Equal(got, want), err)
		}
		_ = client.Close()
		awaitEnd(t, o)
		if o.drained == 0 {
			t.Error("nobody was told that the queue is empty")
		}
	})
}

type slowly struct{ io.Reader }

func (s slowly) Read(b []byte) (int, error) {
	runtime.Gosched()
	return s.Reader.Read(b[:min(len(b), 1000)])
}

// What is given up is whole frames: the client never sees a part of one.
func TestGivingUpKeepsFramesWhole(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		options := socket.Options{Limit: 1 << 30, Ping: []byte{}}
		o := newOwner()
		s, client := pair(t, newLoop(t, time.Hour), wrap, &options, o)
		s.Start(nil)
		body := bytes.Repeat([]byte("0123456789abcde\n"), 1000)
		sent := 0
		for s.Ready(1<<24 - 1) { // until the system takes no more, and 16 MB besides
			if sent++; sent > 4000 {
				break
			}
			s.Send(nil, body)
		}
		s.Finish([]byte("goodbye"), true, time.Minute)
		got, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := bytes.CutSuffix(got, []byte("goodbye"))
		if !ok || len(rest)%len(body) != 0 || len(rest) >= sent*len(body) {
			t.Errorf("%d bytes, goodbye %v, of %d frames of %d bytes", len(rest), ok, sent, len(body))
		}
	})
}

// A client that is given up before its socket has started still gets the answer
// to its request, without which it could not read the rest.
func TestGivingUpKeepsTheAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		o := newOwner()
		s, client := pair(t, newLoop(t, time.Hour), wrap, &usual, o)
		s.Send(nil, []byte("answer "))
		s.Send(nil, []byte("event "))
		s.Finish([]byte("goodbye"), true, time.Minute)
		s.Start(nil)
		if got, err := io.ReadAll(client); string(got) != "answer goodbye" || err != nil {
			t.Errorf("the client got %q, %v", got, err)
		}
		_ = client.Close()
		awaitEnd(t, o)
	})
}

// measured is a connection that notes its longest write.
type measured struct {
	other
	longest atomic.Int64
}

func (m *measured) Write(b []byte) (int, error) {
	m.longest.Store(max(m.longest.Load(), int64(len(b))))
	return m.other.Write(b)
}

// A write that waits returns only when all of it is gone, and until then its
// client seems to be stuck.
func TestWritesThatWaitAreShort(t *testing.T) {
	var conn *measured
	o := newOwner()
	options := socket.Options{Limit: 1 << 30, Ping: []byte{}}
	s, client := pair(t, newLoop(t, time.Hour), func(c net.Conn) net.Conn {
		conn = &measured{other: other{c}}
		return conn
	}, &options, o)
	s.Start(nil)
	s.Send(nil, make([]byte, 1<<20))
	s.Finish(nil, false, time.Minute)
	if all, err := io.ReadAll(client); len(all) != 1<<20 || err != nil {
		t.Errorf("the client got %d bytes, %v", len(all), err)
	}
	_ = client.Close()
	awaitEnd(t, o)
	if n := conn.longest.Load(); n > 16<<10 {
		t.Errorf("a write of %d bytes", n)
	}
}

func TestRefusesWhoIsTooFarBehind(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		options := socket.Options{Limit: 1 << 10, Ping: []byte{}}
		o := newOwner()
		l := newLoop(t, time.Hour)
		s, _ := pair(t, l, wrap, &options, o)
		s.Start(nil)
		body := make([]byte, 1<<10)
		taken := 0
		for ; s.Send(nil, body); taken++ {
			if taken > 100_000 {
				t.Fatal("never refused")
			}
		}
		if taken < 64 {
			t.Errorf("refused after %d frames of the limit's size", taken)
		}
		// What the system took has left; what waits is at most what may.
		if queued := l.QueuedBytes(); queued < 63<<10 || queued > 64<<10 {
			t.Errorf("%d bytes wait in all queues", queued)
		}
		s.Abort(socket.Lost)
		awaitEnd(t, o)
		if queued := l.QueuedBytes(); queued != 0 {
			t.Errorf("%d bytes wait for nobody", queued)
		}
	})
}

func TestEndings(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		for name, c := range map[string]struct {
			interval time.Duration
			options  socket.Options
			do       func(s *socket.Socket, client *net.TCPConn)
			want     socket.Ending
		}{
			"the client closes": {time.Hour, usual, func(_ *socket.Socket, client *net.TCPConn) { _ = client.Close() }, socket.Left},
			"the client resets": {time.Hour, usual, func(_ *socket.Socket, client *net.TCPConn) {
				_ = client.SetLinger(0)
				_ = client.Close()
			}, socket.Lost},
			"the client does not answer": {50 * time.Millisecond, socket.Options{Limit: 1 << 10, Ping: []byte("?"), Answered: true},
				func(*socket.Socket, *net.TCPConn) {}, socket.Unanswered},
			"the client does not read": {200 * time.Millisecond, socket.Options{Limit: 1 << 30, Ping: []byte("?")},
				func(s *socket.Socket, _ *net.TCPConn) {
					for s.Ready(1<<28) && s.Send(nil, make([]byte, 1<<20)) {
					}
				}, socket.Stuck},
			"this side gives it no time":   {time.Hour, usual, func(s *socket.Socket, _ *net.TCPConn) { s.Finish(nil, false, 0) }, socket.Finished},
			"this side's patience is over": {time.Hour, usual, func(s *socket.Socket, _ *net.TCPConn) { s.Finish([]byte("x"), false, time.Millisecond) }, socket.Finished},
			"aborted":                      {time.Hour, usual, func(s *socket.Socket, _ *net.TCPConn) { s.Abort(socket.Lost) }, socket.Lost},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := newOwner()
				s, client := pair(t, newLoop(t, c.interval), wrap, &c.options, o)
				s.Start(nil)
				c.do(s, client)
				if how := awaitEnd(t, o); how != c.want {
					t.Errorf("ended as %v, want %v", how, c.want)
				}
				if !s.Send(nil, []byte("into the void")) {
					t.Error("a frame to nobody is no slowness")
				}
				s.Finish([]byte("x"), false, time.Hour)
			})
		}
	})
}

// A client that answers lives as long as it does.
func TestAnsweredPings(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		options := socket.Options{Limit: 1 << 10, Ping: []byte("?"), Answered: true}
		o := newOwner()
		s, client := pair(t, newLoop(t, 200*time.Millisecond), wrap, &options, o)
		s.Start(nil)
		question := make([]byte, 1)
		for range 20 {
			if _, err := io.ReadFull(client, question); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Write([]byte("!")); err != nil {
				t.Fatal(err)
			}
		}
		_ = client.Close()
		// A slow machine may have let an answer come too late; but not twenty.
		awaitEnd(t, o)
	})
}

// Descriptors come back with the same number. Nobody may get another's bytes.
func TestDescriptorsAreReused(t *testing.T) {
	l := newLoop(t, 10*time.Millisecond)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	options := socket.Options{Limit: 1 << 20, Ping: []byte{}}
	var crowd sync.WaitGroup
	var accept sync.Mutex // so that each knows which connection is its own
	for n := range 8 {
		crowd.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(n), 0))
			for i := range 200 {
				accept.Lock()
				client, err := net.Dial("tcp", listener.Addr().String())
				var server net.Conn
				if err == nil {
					server, err = listener.Accept()
				}
				accept.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				if err := converse(l, server, client, &options, []byte(fmt.Sprintf("%d.%d;", n, i)), dice); err != nil {
					t.Error(err)
				}
			}
		})
	}
	crowd.Wait()
}

// converse sends one text again and again from several sides while the
// connection ends in one of the ways there are.
func converse(l *socket.Loop, server, client net.Conn, options *socket.Options, text []byte, dice *rand.Rand) error {
	o := newOwner()
	s, err := l.Take(server, options, o)
	if err != nil {
		return err
	}
	s.Start(nil)
	var senders sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for range 50 {
				s.Send(nil, text)
			}
		})
	}
	ending := dice.IntN(3)
	if ending == 0 {
		s.Finish(nil, false, time.Minute)
	}
	got := make([]byte, len(text)*dice.IntN(100))
	n, err := io.ReadFull(client, got)
	if err != nil && ending != 0 {
		return err
	}
	if clean := bytes.Repeat(text, n/len(text)+1)[:n]; !bytes.Equal(got[:n], clean) {
		return fmt.Errorf("%q got %q", text, got[:n])
	}
	if ending == 1 {
		s.Abort(socket.Lost)
	}
	_ = client.Close()
	senders.Wait()
	select {
	case <-o.ended:
		return nil
	case <-time.After(time.Minute):
		return errors.New("not ended after a minute")
	}
}

func TestIdleSocketsNeedNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // there are two for each
	}
	l := newLoop(t, time.Hour)
	before := runtime.NumGoroutine()
	for range 100 {
		s, _ := pair(t, l, devices["tcp"], &usual, newOwner())
		s.Start(nil)
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("100 idle sockets have %d goroutines", more)
	}
}

func TestSendingAllocatesNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	s, client := pair(t, newLoop(t, time.Hour), devices["tcp"], &usual, newOwner())
	s.Start(nil)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	head, body := []byte("head"), make([]byte, 128)
	if n := testing.AllocsPerRun(100, func() { s.Send(nil, body) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Send(head, body) }); n > 0 {
		t.Errorf("%v allocations with a head", n)
	}
}

// Handlers come to Take whenever they like: nobody waits for one that has its
// connection from the HTTP server.
func TestCloseAmongTakers(t *testing.T) {
	onEach(t, func(t *testing.T, wrap func(net.Conn) net.Conn) {
		l, err := socket.NewLoop(time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		taken := newOwner()
		s, _ := pair(t, l, wrap, &usual, taken)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			l.Close()
		}()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		for refused := false; !refused; {
			client, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			late, err := l.Take(wrap(server), &usual, newOwner())
			switch {
			case errors.Is(err, socket.ErrClosed):
				refused = true
			case err != nil:
				t.Fatal(err)
			default:
				late.Start(nil)
			}
			if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("a client of a closed loop reads %v", err)
			}
			_ = client.Close()
		}
		s.Start(nil) // by a handler that took its time
		if how := awaitEnd(t, taken); how != socket.Finished {
			t.Errorf("ended as %v", how)
		}
		select {
		case <-closed:
		case <-time.After(time.Minute):
			t.Error("the loop still waits for a socket after a minute")
		}
	})
}

// flood is a client that has sent as much again whenever it has been read.
type flood struct {
	*owner
	client *net.TCPConn
	first  func()
	rounds atomic.Int64
}

const floodRounds = 400

func (f *flood) Received(b []byte) int {
	switch n := f.rounds.Add(1); {
	case n == 1:
		f.first()
	case n > floodRounds:
		return len(b)
	}
	_, _ = f.client.Write(b)
	return len(b)
}

func TestNobodyIsReadForEver(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // each has a goroutine that reads
	}
	wrap := devices["tcp"]
	l := newLoop(t, time.Hour)
	// As many as are surely spread over all that read.
	others := make([]*net.TCPConn, runtime.GOMAXPROCS(0))
	f := &flood{owner: newOwner()}
	heard := make(chan int64, len(others))
	for i := range others {
		o := newOwner()
		o.take = func(b []byte) int {
			heard <- f.rounds.Load()
			return len(b)
		}
		var s *socket.Socket
		s, others[i] = pair(t, l, wrap, &usual, o)
		s.Start(nil)
	}
	var s *socket.Socket
	s, f.client = pair(t, l, func(c net.Conn) net.Conn {
		_ = c.(*net.TCPConn).SetReadBuffer(1 << 20)
		return wrap(c)
	}, &usual, f)
	f.first = func() {
		for _, other := range others {
			_, _ = other.Write([]byte("me too"))
		}
	}
	if _, err := f.client.Write(make([]byte, 192<<10)); err != nil {
		t.Fatal(err)
	}
	s.Start(nil)
	for range others {
		select {
		case rounds := <-heard:
			if rounds >= floodRounds {
				t.Error("others were heard only when the flood was over")
			}
		case <-time.After(time.Minute):
			t.Fatal("not heard for a minute")
		}
	}
}
