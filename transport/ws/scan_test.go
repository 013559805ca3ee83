package ws

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// clientFrame is a frame as a client sends it, masked with zeros.
func clientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= maxShortFrame:
		b = append(b, maskBit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|length16), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|length64), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

const opContinuation = 0x0

func TestNextUnit(t *testing.T) {
	text, ping := clientFrame(finBit|opText, "hello"), clientFrame(finBit|opPing, "?")
	fragments := join(clientFrame(opText, "he"), clientFrame(opContinuation, "ll"), ping, clientFrame(finBit|opContinuation, "o"))
	huge := binary.BigEndian.AppendUint64([]byte{finBit | opText, maskBit | length64}, 1<<63+5)
	for name, c := range map[string]struct {
		in   []byte
		size int
		pong bool
		err  error
	}{
		"nothing":                          {},
		"a message":                        {in: text, size: len(text)},
		"a message and more":               {in: join(text, ping), size: len(text)},
		"a ping":                           {in: join(ping, text), size: len(ping)},
		"a pong":                           {in: clientFrame(finBit|opPong, ""), size: 6, pong: true},
		"fragments with a ping between":    {in: join(fragments, text), size: len(fragments)},
		"fragments without end":            {in: join(clientFrame(opText, "he"), ping)},
		"as large as it may be":            {in: clientFrame(finBit|opText, string(make([]byte, 1000))), size: 1008},
		"too large":                        {in: clientFrame(finBit|opText, string(make([]byte, 1001))), err: errTooBig},
		"too large by what it says":        {in: join(huge, []byte{0, 0, 0, 0}), err: errTooBig},
		"too large together":               {in: join(clientFrame(opText, string(make([]byte, 600))), clientFrame(finBit|opContinuation, string(make([]byte, 600)))), err: errTooBig},
		"empty fragments without end":      {in: bytes.Repeat(clientFrame(opText, ""), 130), err: errTooBig},
		"a control frame that is too long": {in: clientFrame(finBit|opPing, string(make([]byte, 126))), size: 8},
	} {
		t.Run(name, func(t *testing.T) {
			size, pong, err := nextUnit(c.in, 1000)
			if size != c.size || pong != c.pong || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v, %v; want %d, %v, %v", size, pong, err, c.size, c.pong, c.err)
			}
		})
	}
}

// Wherever the bytes are cut on their way, the units are the same, and no
// client can have more of them kept than a message may need.
func FuzzNextUnit(f *testing.F) {
	f.Add(join(clientFrame(finBit|opText, "hello"), clientFrame(finBit|opPing, "?")), 3)
	f.Add(join(clientFrame(opText, "he"), clientFrame(finBit|opPing, ""), clientFrame(finBit|opContinuation, "llo")), 1)
	f.Add(clientFrame(finBit|opText, string(make([]byte, 70000))), 4096)
	f.Add([]byte{finBit | opPing, maskBit | length64, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		const limit = 1000
		whole := unitsOf(t, stream, limit, len(stream))
		parts := unitsOf(t, stream, limit, max(1, cut%100))
		if len(whole) != len(parts) {
			t.Fatalf("%v at once, %v in parts", whole, parts)
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("%v at once, %v in parts", whole, parts)
			}
		}
	})
}

// unitsOf is the sizes of a stream's units, as it comes in steps; -1 ends it
// with an error.
func unitsOf(t *testing.T, stream []byte, limit, step int) (sizes []int) {
	t.Helper()
	begin, end := 0, 0
	for end < len(stream) {
		end = min(len(stream), end+max(1, step))
		for {
			size, _, err := nextUnit(stream[begin:end], limit)
			if err != nil {
				return append(sizes, -1)
			}
			if size < 0 || size > end-begin {
				t.Fatalf("a unit of %d bytes in %d", size, end-begin)
			}
			if size == 0 {
				break
			}
			sizes = append(sizes, size)
			begin += size
		}
		if kept := end - begin; step <= 100 && kept > limit+maxFrames*(maxHeader+maskBytes+maxControl)+step {
			t.Fatalf("%d bytes are kept of a message of at most %d", kept, limit)
		}
	}
	return sizes
}
