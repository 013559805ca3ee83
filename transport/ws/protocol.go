package ws

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// protocol is the library's view of a client: it reads what came, answers
// pings and close frames, and refuses what RFC 6455 forbids.
//
// An idle client must not cost the two kilobytes that the library keeps for
// each connection. So units (see nextUnit) are handed to it whole: between two
// of them it holds nothing of the client any more, and the same protocol can
// read for the next one. It is lent to one session for the time of one unit.
type protocol struct {
	ws     *websocket.Conn
	in     *bufio.Reader // the library's, from lent
	client client        // for whom it reads
	unit   []byte        // what is left of the unit
	over   bool          // the library has closed
	text   bytes.Buffer
}

// client is what the library tells of the one who sent a unit.
type client interface {
	// answer sends what the library writes: pongs and close frames.
	answer(frame []byte)
	// pinged says whether a ping is to be answered.
	pinged() bool
}

// errUnitEnd is what the library reads behind a unit.
var errUnitEnd = errors.New("the unit is over")

// protocols are lent by whether the client may compress.
type protocols [2]sync.Pool

func (p *protocols) of(deflate bool) *sync.Pool {
	if deflate {
		return &p[1]
	}
	return &p[0]
}

// read reads one unit for a client. The text, of at most limit bytes, is only
// valid during the call of use, which is not called for a control frame. A
// message that is larger once it is decompressed is errTooBig.
func (p *protocols) read(c client, deflate bool, limit int, unit []byte, use func(kind websocket.MessageType, text []byte)) error {
	pool := p.of(deflate)
	one, ok := pool.Get().(*protocol)
	if !ok {
		var err error
		if one, err = newProtocol(deflate); err != nil {
			return err
		}
	}
	one.client, one.unit = c, unit
	kind, err := one.next(limit)
	if err == nil && kind != 0 {
		use(kind, one.text.Bytes())
	}
	if err == nil && one.clean() && unit[0]&deflatedBit == 0 {
		one.client = nil
		pool.Put(one)
	}
	return err
}

// clean reports whether nothing of the unit is left. (After a compressed
// message that cannot be told: the library's decompressor reads ahead.)
func (p *protocol) clean() bool {
	return !p.over && len(p.unit) == 0 && p.in.Buffered() == 0
}

func (p *protocol) next(limit int) (websocket.MessageType, error) {
	kind, r, err := p.ws.Reader(context.Background())
	if errors.Is(err, errUnitEnd) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	p.text.Reset()
	_, err = p.text.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if err == nil && p.text.Len() > limit {
		err = errTooBig
	}
	return kind, err
}

// newProtocol makes one, by a handshake with itself.
func newProtocol(deflate bool) (*protocol, error) {
	p := &protocol{}
	r := &http.Request{Method: http.MethodGet, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="},
	}}
	if deflate {
		r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover; server_no_context_takeover")
	}
	ws, err := websocket.Accept(&mirror{p}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionNoContextTakeover,
		OnPingReceived:     func(context.Context, []byte) bool { return p.client.pinged() },
	})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(-1) // next has a limit, and the session a word for it
	p.ws = ws
	return p, nil
}

// mirror is the other side of that handshake.
type mirror struct{ p *protocol }

func (m *mirror) Header() http.Header { return make(http.Header) }

func (m *mirror) Write(b []byte) (int, error) { return len(b), nil }

func (m *mirror) WriteHeader(int) {}

func (m *mirror) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c := lent{m.p}
	m.p.in = bufio.NewReaderSize(c, 512)
	return c, bufio.NewReadWriter(m.p.in, bufio.NewWriterSize(c, 512)), nil
}

// lent is the library's connection: it reads the unit, and what it writes goes
// to the client.
type lent struct{ p *protocol }

func (l lent) Read(b []byte) (int, error) {
	if len(l.p.unit) == 0 {
		return 0, errUnitEnd
	}
	n := copy(b, l.p.unit)
	l.p.unit = l.p.unit[n:]
	return n, nil
}

func (l lent) Write(b []byte) (int, error) {
	if l.p.client != nil { // else the library shakes hands
		l.p.client.answer(bytes.Clone(b))
	}
	return len(b), nil
}

func (l lent) Close() error {
	l.p.over = true
	return nil
}

func (lent) LocalAddr() net.Addr              { return nil }
func (lent) RemoteAddr() net.Addr             { return nil }
func (lent) SetDeadline(time.Time) error      { return nil }
func (lent) SetReadDeadline(time.Time) error  { return nil }
func (lent) SetWriteDeadline(time.Time) error { return nil }
