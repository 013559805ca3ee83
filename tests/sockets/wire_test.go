package sockets

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Opcodes and bits of RFC 6455, section 5.2, and RFC 7692.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
	fin            = 0x80
	deflated       = 0x40
)

// clientFrame is a frame as a client sends it; the mask is zero, which masks nothing.
func clientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func closeFrame(code int, text string) []byte {
	return clientFrame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+text)
}

// deflate compresses a message as RFC 7692 has it, section 7.2.1.
func deflate(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

func inflate(b []byte) ([]byte, error) {
	// The empty last block is there so that the reader comes to an end.
	r := flate.NewReader(io.MultiReader(bytes.NewReader(b), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")))
	return io.ReadAll(r)
}

// wsFrame is a frame of the relay.
type wsFrame struct {
	opcode  byte
	payload []byte
}

var errStrange = errors.New("a frame that is none")

// cutFrame takes a frame off b, and judges it by the letter. size is 0 if not
// all of it is there.
func cutFrame(b []byte, mayDeflate bool) (f wsFrame, size int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	f.opcode = b[0] & 0xF
	small := b[0]&deflated != 0
	control := f.opcode == opClose || f.opcode == opPing || f.opcode == opPong
	switch {
	case b[0]&fin == 0 || b[0]&0x30 != 0 || b[1]&0x80 != 0 || f.opcode != opText && !control || control && (small || b[1] > 125):
		return f, 0, fmt.Errorf("%w: it begins with %x", errStrange, b[:2])
	case small && !mayDeflate:
		return f, 0, fmt.Errorf("%w: it is compressed, which was not agreed", errStrange)
	}
	head, length := 2, int(b[1])
	switch {
	case b[1] == 126 && len(b) >= 4:
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
	case b[1] == 127 && len(b) >= 10:
		head, length = 10, int(binary.BigEndian.Uint64(b[2:]))
	case b[1] >= 126:
		return f, 0, nil
	}
	if head == 4 && length < 126 || head == 10 && length < 1<<16 {
		return f, 0, fmt.Errorf("%w: %d bytes with a length of %d", errStrange, length, head-2)
	}
	if len(b) < head+length {
		return f, 0, nil
	}
	f.payload = b[head : head+length]
	if small {
		if f.payload, err = inflate(f.payload); err != nil {
			return f, 0, fmt.Errorf("%w: %w", errStrange, err)
		}
	}
	if f.opcode == opText && !utf8.Valid(f.payload) {
		return f, 0, fmt.Errorf("%w: its text is no UTF-8", errStrange)
	}
	return f, head + length, nil
}

// message is one of an event stream (HTML standard, section 9.2).
type message struct {
	id, data string
	hasID    bool
	comment  bool
}

// cutMessage takes a message off b, and judges it more strictly than a browser.
func cutMessage(b []byte) (m message, size int, err error) {
	end := bytes.Index(b, []byte("\n\n"))
	if end < 0 {
		return m, 0, nil
	}
	for line := range strings.SplitSeq(string(b[:end]), "\n") {
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == ":":
			m.comment = true
		case field == "retry":
		case field == "id" && !m.hasID && m.data == "":
			m.id, m.hasID = value, true
		case field == "data" && m.data == "" && value != "":
			m.data = value
		default:
			return m, 0, fmt.Errorf("%w: the line %.60q", errStrange, line)
		}
	}
	return m, end + 2, nil
}
