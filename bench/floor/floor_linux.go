package floor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported tells whether Run can.
const Supported = true

// Run serves until ctx is done. It says on w where it listens.
func Run(ctx context.Context, w io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &server{topics: make(map[string]*topic), buffer: make([]byte, 1<<20)}
	addr, err := s.listen()
	if err != nil {
		return err
	}
	defer unix.Close(s.listener)
	defer unix.Close(s.epoll)
	if err := announce(w, addr); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 512)
	for ctx.Err() == nil {
		n, err := unix.EpollWait(s.epoll, events, 100)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			s.serve(e)
		}
	}
	return nil
}

type server struct {
	epoll, listener int
	conns           []*conn // by descriptor
	topics          map[string]*topic
	buffer          []byte // what is read
	// What is written, made anew for each event.
	text, frame, message []byte
}

// conn is one connection: of a publisher, or of a client once it has a topic.
type conn struct {
	fd      int
	topic   *topic
	stream  bool
	partial []byte // a request that is not whole
	queue   []byte // what the socket did not take
}

func (s *server) listen() (addr string, err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return "", err
	}
	if s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return "", err
	}
	if err := unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	if err := unix.Listen(s.listener, 4096); err != nil {
		return "", err
	}
	name, err := unix.Getsockname(s.listener)
	if err != nil {
		return "", err
	}
	in, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return "", errors.New("the listener has a strange address")
	}
	return "127.0.0.1:" + strconv.Itoa(in.Port), s.watch(unix.EPOLL_CTL_ADD, s.listener, unix.EPOLLIN)
}

func (s *server) watch(how, fd int, what uint32) error {
	return unix.EpollCtl(s.epoll, how, fd, &unix.EpollEvent{Events: what, Fd: int32(fd)})
}

func (s *server) serve(e unix.EpollEvent) {
	fd := int(e.Fd)
	if fd == s.listener {
		s.accept()
		return
	}
	c := s.conns[fd]
	if c == nil {
		return // closed while its event was on its way
	}
	if e.Events&unix.EPOLLOUT != 0 {
		s.flush(c)
	}
	if e.Events&^unix.EPOLLOUT != 0 && s.conns[fd] == c {
		s.read(c)
	}
}

// acceptAtOnce bounds how long a storm of connections keeps others waiting.
const acceptAtOnce = 64

func (s *server) accept() {
	for range acceptAtOnce {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if s.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN) != nil {
			_ = unix.Close(fd)
			continue
		}
		if fd >= len(s.conns) {
			s.conns = append(s.conns, make([]*conn, fd+1-len(s.conns))...)
		}
		s.conns[fd] = &conn{fd: fd}
	}
}

func (s *server) read(c *conn) {
	old := copy(s.buffer, c.partial)
	if old == len(s.buffer) {
		s.close(c)
		return
	}
	n, err := unix.Read(c.fd, s.buffer[old:])
	if errors.Is(err, unix.EAGAIN) {
		return
	}
	if err != nil || n == 0 {
		s.close(c)
		return
	}
	if c.topic != nil {
		return // a pong
	}
	b := s.buffer[:old+n]
	for {
		r, rest, ok := cutRequest(b)
		if !ok {
			c.partial = append(c.partial[:0], rest...)
			return
		}
		b = rest
		if r.post {
			s.publish(c, r.body)
		} else {
			s.subscribe(c, r)
			c.partial = nil
			return
		}
	}
}

const (
	upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	streaming = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nConnection: close\r\n\r\nretry: 1500\n\n"
	welcome   = `{"type":"welcome","connection":"0123456789abcdef","ping_interval_ms":25000}`
)

func (s *server) subscribe(c *conn, r request) {
	t := s.topics[r.channel]
	if t == nil {
		t = &topic{name: r.channel}
		s.topics[r.channel] = t
	}
	c.topic, c.stream = t, r.stream
	text := t.appendSubscribed(s.text[:0])
	if r.stream {
		t.streams = append(t.streams, c)
		s.message = append(s.message[:0], streaming+"data: "+welcome+"\n\n"...)
		s.write(c, t.appendMessage(s.message, text))
		return
	}
	t.sockets = append(t.sockets, c)
	s.frame = append(s.frame[:0], upgraded...)
	s.frame = appendText(s.frame, []byte(welcome))
	s.write(c, appendText(s.frame, text))
}

// publish delivers the events of a POST and answers it.
func (s *server) publish(c *conn, body []byte) {
	answer := append([]byte(nil), `{"results":[`...)
	for i := 0; ; i++ {
		channel, tail, rest, ok := cutEvent(body)
		if !ok {
			break
		}
		body = rest
		var offset uint64
		if t := s.topics[string(channel)]; t != nil {
			t.offset++
			offset = t.offset
			s.deliver(t, tail)
		}
		if i > 0 {
			answer = append(answer, ',')
		}
		answer = append(append(append(answer, `{"channel":"`...), channel...), `","id":"`...)
		answer = append(appendPosition(answer, offset), `"}`...)
	}
	answer = append(answer, "]}\n"...)
	head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(answer))
	s.write(c, append(head, answer...))
}

// deliver is what the floor is about: one frame, one write for each client.
func (s *server) deliver(t *topic, tail []byte) {
	s.text = t.appendJSON(s.text[:0], tail)
	if len(t.sockets) > 0 {
		s.frame = appendText(s.frame[:0], s.text)
		// From the end: a client that is closed on the way is taken out of the
		// list, and those behind it move up.
		for _, c := range slices.Backward(t.sockets) {
			s.write(c, s.frame)
		}
	}
	if len(t.streams) > 0 {
		s.message = t.appendMessage(s.message[:0], s.text)
		for _, c := range slices.Backward(t.streams) {
			s.write(c, s.message)
		}
	}
}

// maxQueue is how far a client may fall behind.
const maxQueue = 16 << 20

// write writes at once what the socket takes, and queues the rest.
func (s *server) write(c *conn, b []byte) {
	if len(c.queue) == 0 {
		n, err := rawWrite(c.fd, b)
		if n == len(b) {
			return
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			s.close(c)
			return
		}
		b = b[n:]
		if s.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN|unix.EPOLLOUT) != nil {
			s.close(c)
			return
		}
	}
	if c.queue = append(c.queue, b...); len(c.queue) > maxQueue {
		s.close(c)
	}
}

// flush writes what has waited.
func (s *server) flush(c *conn) {
	n, err := rawWrite(c.fd, c.queue)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		s.close(c)
		return
	}
	if c.queue = c.queue[n:]; len(c.queue) > 0 {
		return
	}
	c.queue = nil
	if s.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN) != nil {
		s.close(c)
	}
}

// rawWrite writes without telling Go's scheduler: the call never waits.
func rawWrite(fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, code := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if code != 0 {
		return 0, code
	}
	return int(n), nil
}

func (s *server) close(c *conn) {
	if s.conns[c.fd] != c {
		return
	}
	s.conns[c.fd] = nil
	_ = unix.Close(c.fd)
	if c.topic == nil {
		return
	}
	for _, list := range []*[]*conn{&c.topic.sockets, &c.topic.streams} {
		if i := slices.Index(*list, c); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	}
}
