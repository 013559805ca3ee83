package load

import (
	"encoding/binary"
	"errors"
)

// Opcodes of WebSocket frames (RFC 6455, section 5.2).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// RSV1 says that a message is compressed (RFC 7692, section 6).
const (
	deflatedBit  = 0x40
	deflatedText = 0x80 | deflatedBit | opText
)

// maxFrame bounds what a client keeps of a frame that is not whole yet.
const maxFrame = 1 << 20

var (
	errFrameTooLarge = errors.New("a frame is larger than 1 MiB")
	errStrangeFrame  = errors.New("a frame is fragmented, masked or compressed, which was not agreed")
)

// wsFrame is one WebSocket frame of a server.
type wsFrame struct {
	opcode   byte
	deflated bool
	payload  []byte // part of the buffer that was read
}

// cutFrame takes the first frame off b. Without a whole one it returns b
// as the rest, and ok is false. Text may come compressed if that was agreed.
func cutFrame(b []byte, mayDeflate bool) (f wsFrame, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return f, b, false, nil
	}
	first := b[0]
	if mayDeflate && first == deflatedText {
		first &^= deflatedBit
	}
	// FIN alone above the opcode, and a length without a mask.
	if first&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return f, b, false, errStrangeFrame
	}
	size, head := uint64(b[1]), 2
	switch size {
	case 126:
		if head = 4; len(b) < head {
			return f, b, false, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return f, b, false, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxFrame {
		return f, b, false, errFrameTooLarge
	}
	end := head + int(size)
	if len(b) < end {
		return f, b, false, nil
	}
	return wsFrame{b[0] & 0x0f, first != b[0], b[head:end]}, b[end:], true, nil
}

// appendPong appends the answer to a ping. A client masks what it sends; a
// mask of zeros leaves the bytes as they are.
func appendPong(b, payload []byte) []byte {
	b = append(b, 0x80|opPong, 0x80|byte(len(payload)), 0, 0, 0, 0)
	return append(b, payload...)
}
