package crowd

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// socket is a WebSocket client (RFC 6455) that answers pings and the close
// frame and otherwise only reads.
type socket struct {
	farewell error // what the goodbye said
}

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// The opcodes, RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xA
	final   = 0x80
)

func (*socket) String() string { return "ws" }

func (*socket) pause(failures int) time.Duration {
	most := min(500*time.Millisecond<<min(failures-1, 10), 5*time.Second)
	return most/2 + rand.N(most/2)
}

func (s *socket) attend(ctx context.Context, addr string, c *client) error {
	l, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer l.close()
	if _, err := l.get(c.host(addr), "/v1/ws?"+c.query(true), upgrade, http.StatusSwitchingProtocols, answerTimeout); err != nil {
		return err
	}
	c.crowd.handshakes.Add(1)
	s.farewell = nil
	for {
		if err := s.read(l, c); err != nil {
			return endOf(err)
		}
	}
}

// read reads one frame and does what it asks for.
func (s *socket) read(l *line, c *client) error {
	_ = l.SetDeadline(time.Now().Add(silence))
	kind, payload, err := readFrame(l.in, c.scratch)
	if err != nil {
		if s.farewell != nil {
			return s.farewell
		}
		return err
	}
	c.scratch = payload
	switch kind {
	case final | opText:
		if err := c.take(payload); err != nil {
			s.farewell = err // the close frame follows
		}
		return nil
	case final | opPing:
		return writeFrame(l, opPong, payload)
	case final | opPong:
		return nil
	case final | opClose:
		if err := writeFrame(l, opClose, payload); err != nil {
			return err
		}
		if s.farewell != nil {
			return s.farewell
		}
		if len(payload) < 2 {
			return fmt.Errorf("closed without a code")
		}
		return fmt.Errorf("closed with %d %s", binary.BigEndian.Uint16(payload), payload[2:])
	}
	return fmt.Errorf("a frame that begins with %#x", kind)
}

// readFrame reads a frame into buffer, or a larger one.
func readFrame(r io.Reader, buffer []byte) (kind byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	kind, size := head[0], uint64(head[1])
	switch size {
	case 126:
		_, err = io.ReadFull(r, head[:2])
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(r, head[:8])
		size = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return 0, nil, err
	}
	if size > maxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	if uint64(cap(buffer)) < size {
		buffer = make([]byte, size)
	}
	payload = buffer[:size]
	_, err = io.ReadFull(r, payload)
	return kind, payload, err
}

const maxFrame = 1 << 20

// writeFrame writes a control frame. Its mask is zero, which is a mask too.
func writeFrame(w io.Writer, op byte, payload []byte) error {
	frame := append([]byte{final | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := w.Write(frame)
	return err
}
