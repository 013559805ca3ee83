package load

import (
	"bytes"
	"compress/flate"
	"errors"
	"hash/maphash"
	"io"
)

// inflater reads compressed messages (RFC 7692, without context takeover).
//
// Clients of a channel get the same bytes. What was inflated lately is
// compared and not inflated again: else the load tester would spend several
// times on a delivery what the relay does, and be what is measured.
type inflater struct {
	source bytes.Reader
	reader io.ReadCloser
	whole  []byte // scratch: a message with the end that is left out on the wire
	seed   maphash.Seed
	lately [256]inflated
}

type inflated struct{ small, text []byte }

// inflateTail is the end that is left out, and a last empty block, so that
// the reader knows it for the end.
const inflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

func newInflater() *inflater {
	f := &inflater{seed: maphash.MakeSeed()}
	f.reader = flate.NewReader(&f.source)
	return f
}

// inflate returns the text of a message. It is valid until the next call.
func (f *inflater) inflate(small []byte) ([]byte, error) {
	known := &f.lately[maphash.Bytes(f.seed, small)%uint64(len(f.lately))]
	if known.text != nil && bytes.Equal(known.small, small) {
		return known.text, nil
	}
	f.whole = append(append(f.whole[:0], small...), inflateTail...)
	f.source.Reset(f.whole)
	if err := f.reader.(flate.Resetter).Reset(&f.source, nil); err != nil {
		return nil, err
	}
	text := bytes.NewBuffer(known.text[:0])
	known.text = nil
	if _, err := text.ReadFrom(io.LimitReader(f.reader, maxFrame+1)); err != nil {
		return nil, errNotInflated
	}
	if text.Len() > maxFrame {
		return nil, errFrameTooLarge
	}
	known.small, known.text = append(known.small[:0], small...), text.Bytes()
	return known.text, nil
}

var errNotInflated = errors.New("a compressed frame cannot be read")
