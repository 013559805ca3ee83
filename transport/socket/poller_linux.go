package socket

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pollers wait for the sockets of a loop, each for its share. One serves two
// processors: reading is the lesser part of the work.
type pollers struct {
	list []*poller
	next int
	mu   sync.Mutex // of next
}

func (p *pollers) open(tasks *sync.WaitGroup) error {
	for range (runtime.GOMAXPROCS(0) + 1) / 2 {
		one, err := newPoller()
		if err != nil {
			p.close()
			return err
		}
		p.list = append(p.list, one)
		tasks.Go(one.run)
	}
	return nil
}

func (p *pollers) close() {
	for _, one := range p.list {
		_ = one.file.Close()
	}
}

func (p *pollers) choose() *poller {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = (p.next + 1) % len(p.list)
	return p.list[p.next]
}

// poller is one epoll instance and the goroutine that waits on it. The wait
// itself is left to the runtime, for which the instance is a file like any
// other, so that it takes no thread.
type poller struct {
	file   *os.File // the epoll instance
	epoll  int      // its descriptor; File.Fd would make it blocking
	events [256]unix.EpollEvent
	buffer []byte // what is read, for the time of one call

	mu         sync.Mutex
	sockets    []*Socket // by descriptor
	generation int32
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Else the runtime would not wait for it and block a thread instead.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &poller{file: os.NewFile(uintptr(fd), "epoll"), epoll: fd, buffer: make([]byte, gatherBytes)}, nil
}

// fast is a socket's descriptor, waited for by a poller.
type fast struct {
	fd         int
	generation int32 // tells events of this descriptor from those of its predecessor with the same number
	poller     *poller
}

// attach gives a socket its device: the descriptor of a TCP connection, which
// is taken away from the runtime, or the plain one for anything else.
func (l *Loop) attach(s *Socket, conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		s.device = newPlain(conn)
		return nil
	}
	fd, err := takeDescriptor(tcp)
	if err != nil {
		return err
	}
	s.device = &fast{fd: fd, poller: l.pollers.choose()}
	return nil
}

// takeDescriptor duplicates a connection's descriptor and closes the original,
// which takes it out of the runtime's poller. File() would do so too, but turn
// off non-blocking mode for both.
func takeDescriptor(conn *net.TCPConn) (fd int, err error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if failed != nil {
		return -1, failed
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// start begins to wait for a socket.
func (l *Loop) start(s *Socket) {
	switch d := s.device.(type) {
	case *fast:
		if err := d.poller.add(s, d); err != nil {
			// The system is out of memory, or of watches.
			s.Abort(Lost)
			s.end(false)
		}
	case *plain:
		l.tasks.Go(func() { d.run(s) })
	}
}

func (p *poller) add(s *Socket, d *fast) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.sockets) <= d.fd {
		p.sockets = append(p.sockets, nil)
	}
	p.generation++
	d.generation = p.generation
	p.sockets[d.fd] = s
	event := d.event()
	err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, d.fd, &event)
	if err != nil {
		p.sockets[d.fd] = nil
	}
	return err
}

// event is what a socket is waited for. By edges: each change is told once, in
// either direction, and no call is ever needed to ask for the one or the other.
func (d *fast) event() unix.EpollEvent {
	return unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(d.fd), Pad: d.generation,
	}
}

func (p *poller) forget(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd < len(p.sockets) {
		p.sockets[fd] = nil
	}
}

// find returns the socket that an event is about; nil if it has ended.
func (p *poller) find(e *unix.EpollEvent) (*Socket, *fast) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sockets[e.Fd]
	if s == nil {
		return nil, nil
	}
	d, ok := s.device.(*fast)
	if !ok || d.generation != e.Pad {
		return nil, nil
	}
	return s, d
}

// run is the poller's goroutine.
func (p *poller) run() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var failed error
			n, failed = unix.EpollWait(int(fd), p.events[:], 0)
			if failed != nil {
				n = 0
			}
			return n > 0
		})
		if err != nil {
			return // closed
		}
		for i := range n {
			p.serve(&p.events[i])
		}
	}
}

// serve reads and writes what an event says can be.
func (p *poller) serve(e *unix.EpollEvent) {
	s, d := p.find(e)
	if s == nil {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		s.flush()
	}
	if e.Events&^unix.EPOLLOUT == 0 {
		return
	}
	for range readsInARow {
		n, err := unix.Read(d.fd, p.buffer)
		switch {
		case n > 0:
			s.received(p.buffer[:n])
		case errors.Is(err, unix.EAGAIN):
			return
		case errors.Is(err, unix.EINTR):
		default:
			s.end(n == 0 && err == nil)
			return
		}
		if n == len(p.buffer) || e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			continue
		}
		if n > 0 {
			return // less than there was room for: that was all
		}
	}
	p.comeBack(s, d)
}

// readsInARow bounds what one socket is read before it is the turn of others:
// a client that sends as fast as it is read would else be the only one served.
const readsInARow = 4

// comeBack has a socket that can still be read told of again, behind those
// that are ready now. There would be no edge for what is there already.
func (p *poller) comeBack(s *Socket, d *fast) {
	event := d.event()
	if err := unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, d.fd, &event); err != nil {
		s.end(false)
	}
}

// send implements device. It never waits, so the scheduler need not know of
// it: RawSyscall spares handing the processor over, a tenth of the whole cost.
func (d *fast) send(b []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(d.fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EAGAIN: // nothing else has an edge follow when there is room
			return 0, nil
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// awaitRoom implements device: edges are told anyway.
func (d *fast) awaitRoom() {}

func (d *fast) shutdown(both bool) {
	how := unix.SHUT_WR
	if both {
		how = unix.SHUT_RDWR
	}
	// An error says that the connection is gone, which reading finds too.
	_ = unix.Shutdown(d.fd, how)
}

func (d *fast) close() {
	d.poller.forget(d.fd)
	_ = unix.Close(d.fd)
}
