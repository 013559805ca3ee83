package load

import (
	"bytes"
	"errors"
)

var errBadChunk = errors.New("the chunks of the stream are not well formed")

// chunks takes HTTP's chunked coding (RFC 9112, section 7.1) off a stream.
// Its zero value is at the beginning of a chunk.
type chunks struct {
	left  int  // bytes of data to come in this chunk
	size  int  // read so far of a size line
	state byte // one of inSize, …
	ended bool // the last chunk has come
}

const (
	inSize     byte = iota // in the digits of the size
	inSizeLine             // behind them, until the line ends
	inData
	inDataEnd // in the line break behind the data
)

// maxChunk is more than any server puts into one.
const maxChunk = 64 << 20

// strip removes the coding from b, in place, and returns the data.
func (c *chunks) strip(b []byte) ([]byte, error) {
	out := b[:0]
	for i := 0; i < len(b) && !c.ended; {
		if c.state == inData {
			n := min(c.left, len(b)-i)
			out = append(out, b[i:i+n]...)
			i += n
			if c.left -= n; c.left == 0 {
				c.state = inDataEnd
			}
			continue
		}
		if err := c.step(b[i]); err != nil {
			return out, err
		}
		i++
	}
	return out, nil
}

// step takes one byte that is not data.
func (c *chunks) step(b byte) error {
	switch {
	case b == '\n' && c.state == inDataEnd:
		c.state, c.size = inSize, 0
	case b == '\n':
		c.left, c.state = c.size, inData
		c.ended = c.size == 0
	case c.state == inDataEnd:
		if b != '\r' {
			return errBadChunk
		}
	case c.state == inSize:
		digit, ok := hexDigit(b)
		switch {
		case ok:
			if c.size = c.size<<4 | digit; c.size > maxChunk {
				return errBadChunk
			}
		case b == '\r' || b == ';':
			c.state = inSizeLine
		default:
			return errBadChunk
		}
	}
	return nil
}

func hexDigit(b byte) (int, bool) {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0'), true
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10, true
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10, true
	}
	return 0, false
}

// cutMessage takes the first message of an event stream off b and returns its
// data line; data is empty for a message without one, such as a comment.
// Without a whole message ok is false.
func cutMessage(b []byte) (data, rest []byte, ok bool) {
	message, rest, ok := bytes.Cut(b, []byte("\n\n"))
	if !ok {
		return nil, b, false
	}
	for len(message) > 0 {
		var line []byte
		line, message, _ = bytes.Cut(message, []byte("\n"))
		if text, isData := bytes.CutPrefix(line, []byte("data: ")); isData {
			data = text
		}
	}
	return data, rest, true
}
