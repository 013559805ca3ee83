package ws

import (
	"bytes"
	"compress/flate"
	"sync"
)

// An event is compressed once for all clients that understand it (RFC 7692,
// without context takeover: nothing is kept of a connection, and each message
// is read on its own).

// deflateFrom is the size from which on an event is worth the attempt: below,
// the whole frame fits into a packet either way.
const deflateFrom = 512

// deflater is a compressor that is used again: it is half a megabyte.
type deflater struct {
	out    bytes.Buffer
	writer *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.writer, _ = flate.NewWriter(&d.out, flate.BestSpeed) // the level is a valid one
	return d
}}

// deflateTail ends what Flush writes; it is left out on the wire (RFC 7692,
// section 7.2.1).
const deflateTail = "\x00\x00\xff\xff"

// deflated returns payload compressed, behind maxHeader free bytes; nil if it
// is too small to try or does not shrink by a tenth.
func deflated(payload []byte) []byte {
	if len(payload) < deflateFrom {
		return nil
	}
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.writer.Reset(&d.out)
	_, err := d.writer.Write(payload)
	if err == nil {
		err = d.writer.Flush()
	}
	small := bytes.TrimSuffix(d.out.Bytes(), []byte(deflateTail))
	if err != nil || len(small) > len(payload)*9/10 {
		return nil
	}
	return append(make([]byte, maxHeader, maxHeader+len(small)), small...)
}
