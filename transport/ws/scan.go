package ws

import (
	"encoding/binary"
	"errors"
	"math"
)

// errTooBig says that a message is larger than it may be.
var errTooBig = errors.New("the message is too big")

// maxFrames bounds the frames of a unit: those that are there are looked at
// again each time that more comes. Programs send messages of this size in one.
const maxFrames = 128

// nextUnit finds the end of what stands at the beginning of b and makes sense
// on its own: a control frame, or a message from its first frame to its last,
// with the control frames between them. size is 0 if not all of it is there.
// pong says that it is a pong, and a proper one. The error is errTooBig, as soon
// as it is known that the message has more than limit bytes or too many frames.
// Nothing else is judged here: that is the library's work.
func nextUnit(b []byte, limit int) (size int, pong bool, err error) {
	at, payload, within := 0, 0, false
	for frames := 1; ; frames++ {
		h, ok := readHeader(b[at:])
		switch {
		case !ok:
			return 0, false, nil
		case h.control() && h.length > maxControl:
			return at + h.size, false, nil // the library refuses it unseen
		case !h.control():
			payload += h.length
			within = !h.fin
		}
		if payload > limit || frames > maxFrames {
			return 0, false, errTooBig
		}
		if h.length > len(b)-at-h.size {
			return 0, false, nil
		}
		at += h.size + h.length
		if !within {
			return at, b[0] == finBit|opPong && b[1]&maskBit != 0, nil
		}
	}
}

// header is what a frame's first bytes say.
type header struct {
	fin    bool
	opcode byte
	size   int // of the header
	length int // of the payload, cut off at half of what an int holds
}

func (h header) control() bool { return h.opcode&0x8 != 0 }

const opPong = 0xA

// readHeader reads a header, if all of it is there.
func readHeader(b []byte) (h header, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	h = header{fin: b[0]&finBit != 0, opcode: b[0] & 0xF, size: 2, length: int(b[1] &^ maskBit)}
	switch h.length {
	case length16:
		if len(b) < 4 {
			return h, false
		}
		h.length, h.size = int(binary.BigEndian.Uint16(b[2:])), 4
	case length64:
		if len(b) < 10 {
			return h, false
		}
		h.length, h.size = int(min(binary.BigEndian.Uint64(b[2:]), math.MaxInt/2)), 10
	}
	if b[1]&maskBit != 0 {
		h.size += maskBytes
	}
	return h, len(b) >= h.size
}
