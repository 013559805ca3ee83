package load

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newDriver chooses readiness by epoll where it is possible: a goroutine for
// each client costs the load tester as much as it costs the relay, and then
// the load tester is what is measured.
func newDriver(c *Crowd, e endpoint) driver {
	addr, err := netip.ParseAddrPort(e.addr)
	if e.tls != nil || err != nil {
		return newPlain(c)
	}
	d := new(pollers)
	for i, g := range c.groups {
		d.all = append(d.all, &poller{group: g, to: sockaddr(addr), family: family(addr.Addr()), first: i, step: len(c.groups)})
	}
	return d
}

// pollers is a poller for each group of clients.
type pollers struct{ all []*poller }

func (d *pollers) start() error {
	for _, p := range d.all {
		var err error
		if p.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return err
		}
		p.sockets = make([]int, len(p.group.clients))
		for i := range p.sockets {
			p.sockets[i] = -1
		}
		p.wg.Go(p.run)
	}
	return nil
}

func (d *pollers) busy() []time.Duration {
	busy := make([]time.Duration, len(d.all))
	for i, p := range d.all {
		if thread := p.thread.Load(); thread != 0 {
			busy[i] = threadCPU(int(thread)) - time.Duration(p.before.Load())
		}
	}
	return busy
}

func (d *pollers) close() {
	for _, p := range d.all {
		p.stopping.Store(true)
	}
	for _, p := range d.all {
		p.wg.Wait()
	}
}

// threadCPU is the CPU time of a thread of this process, 0 if there is none.
// The clock of a thread is made of its ID as clock_getcpuclockid(3) does it.
func threadCPU(thread int) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(int32(^thread)<<3|6, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// poller is one thread that connects and reads for a group of clients. All
// but the atomic fields belong to its goroutine.
type poller struct {
	group       *group
	to          unix.Sockaddr
	family      int
	first, step int // client i of the group is client first + i*step of the crowd

	epoll    int
	sockets  []int // of each client; -1: none
	begun    int   // how many clients have begun to connect
	underway int   // of those, how many are not live yet

	buffer   [maxFrame + 64<<10]byte // what is read, behind what a client kept
	thread   atomic.Int32
	before   atomic.Int64 // CPU time of the thread when it was taken
	stopping atomic.Bool
	wg       sync.WaitGroup
}

// wakeEvery bounds how long a poller sleeps before it looks whether to stop.
const wakeEvery = 50 // milliseconds

func (p *poller) run() {
	runtime.LockOSThread() // its CPU time is that of the thread
	p.before.Store(int64(threadCPU(unix.Gettid())))
	p.thread.Store(int32(unix.Gettid()))
	defer p.closeAll()
	events := make([]unix.EpollEvent, 512)
	for !p.stopping.Load() {
		p.connectMore()
		n, err := unix.EpollWait(p.epoll, events, wakeEvery)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		p.serve(events[:max(n, 0)])
	}
}

func (p *poller) closeAll() {
	for _, fd := range p.sockets {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	_ = unix.Close(p.epoll)
}

// connectMore begins as many connections as may be under way.
func (p *poller) connectMore() {
	limit := max(p.group.crowd.options.AtOnce/p.step, 1)
	for p.begun < len(p.sockets) && p.underway < limit {
		i := p.begun
		p.begun++
		p.underway++
		if err := p.connect(i); err != nil {
			p.group.mu.Lock()
			p.end(i, err)
			p.group.mu.Unlock()
		}
	}
}

func (p *poller) connect(i int) error {
	p.group.clients[i].began = now()
	fd, err := unix.Socket(p.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("no more sockets: %w", err)
	}
	p.sockets[i] = fd
	if err := p.bind(fd, i); err != nil {
		return err
	}
	if err := unix.Connect(fd, p.to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("cannot connect: %w", err)
	}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT, Fd: int32(i)})
}

// bind chooses the source address, and leaves the port to connect, which
// knows what is free for this destination.
func (p *poller) bind(fd, i int) error {
	source := sourceOf(p.group.endpoint.addr, p.first+i*p.step)
	if !source.IsValid() {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()})
}

func (p *poller) serve(events []unix.EpollEvent) {
	p.group.mu.Lock()
	defer p.group.mu.Unlock()
	for _, e := range events {
		i := int(e.Fd)
		if p.sockets[i] < 0 {
			continue
		}
		c := p.group.clients[i]
		wasLive := c.live
		var err error
		if e.Events&unix.EPOLLOUT != 0 {
			err = p.handshake(i)
		} else {
			err = p.read(i, c)
		}
		switch {
		case err != nil:
			p.end(i, err)
		case c.live && !wasLive:
			p.underway--
		}
	}
}

// handshake sends the request once the connection stands.
func (p *poller) handshake(i int) error {
	fd := p.sockets[i]
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	request := p.group.clients[i].channel.request
	n, err := unix.Write(fd, request)
	if err == nil && n < len(request) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("cannot send the handshake: %w", err)
	}
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

// readSize is how much one read takes at most. More would let one client that
// is far behind delay the time stamps of the others.
const readSize = 64 << 10

func (p *poller) read(i int, c *client) error {
	old := copy(p.buffer[:], c.partial)
	n, err := rawRead(p.sockets[i], p.buffer[old:old+readSize])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return err
	case n == 0:
		return io.EOF
	}
	reply, err := p.group.receive(c, p.buffer[:old+n], n)
	if len(reply) > 0 {
		// A pong that finds the socket full is left out; the next ping brings
		// another.
		_, _ = unix.Write(p.sockets[i], reply)
	}
	return err
}

// rawRead reads without telling Go's scheduler, which would make a thread ready
// to take over, for a call that never waits.
func rawRead(fd int, b []byte) (int, error) {
	n, _, code := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if code != 0 {
		return 0, code
	}
	return int(n), nil
}

// end gives up a client.
func (p *poller) end(i int, why error) {
	c := p.group.clients[i]
	if !c.live {
		p.underway--
	}
	p.group.end(c, why)
	if fd := p.sockets[i]; fd >= 0 {
		_ = unix.Close(fd)
		p.sockets[i] = -1
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
