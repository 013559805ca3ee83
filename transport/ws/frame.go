package ws

import (
	"encoding/binary"

	"relay/hub"
	"relay/transport/native"
)

// What RFC 6455, section 5.2, puts before a payload. The library writes frames
// for one connection at a time; an event's frame is the same for all, so it is
// made here, once.
const (
	finBit        = 0x80
	deflatedBit   = 0x40 // RSV1, by RFC 7692
	maskBit       = 0x80
	opText        = 0x1
	opClose       = 0x8
	opPing        = 0x9
	maxHeader     = 10 // of a frame without a mask
	maskBytes     = 4
	maxControl    = 125
	length16      = 126 // two bytes follow with the length
	length64      = 127 // eight do
	maxShortFrame = 125
)

// pingFrame is a ping without a payload.
var pingFrame = []byte{finBit | opPing, 0}

// closeFrame is a close frame; text has at most 123 bytes.
func closeFrame(code int, text string) []byte {
	b := []byte{finBit | opClose, byte(2 + len(text))}
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, text...)
}

// sealFrame puts the header before a payload that was written behind maxHeader
// free bytes, and returns the frame.
func sealFrame(b []byte, first byte) []byte {
	var header [maxHeader]byte
	h := append(header[:0], first)
	switch n := len(b) - maxHeader; {
	case n <= maxShortFrame:
		h = append(h, byte(n))
	case n < 1<<16:
		h = binary.BigEndian.AppendUint16(append(h, length16), uint16(n))
	default:
		h = binary.BigEndian.AppendUint64(append(h, length64), uint64(n))
	}
	b = b[maxHeader-len(h):]
	copy(b, h)
	return b
}

// textFormat writes frames of text, compressed where that helps if the client
// understands it.
type textFormat struct{ deflate bool }

func (textFormat) Transport() string { return "ws" }

func (t textFormat) Encode(f *hub.Frame) []byte {
	if f.Type == hub.FrameLive {
		return nil
	}
	b := make([]byte, maxHeader, maxHeader+native.SizeHint(f))
	b = native.AppendFrame(b, f)
	if t.deflate && f.Type == hub.FrameEvent {
		if small := deflated(b[maxHeader:]); small != nil {
			return sealFrame(small, finBit|deflatedBit|opText)
		}
	}
	return sealFrame(b, finBit|opText)
}

func (textFormat) Joins() bool { return true }

func (textFormat) HasCursor() bool { return false }

func (textFormat) Cursor([]byte) []byte { return nil }
