package crowd

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// eventSource is a browser's EventSource: it repeats its first address, sends
// the last id it dispatched, and waits as long as it was last told to.
type eventSource struct {
	lastID string
	retry  time.Duration
}

func (*eventSource) String() string { return "sse" }

func (s *eventSource) pause(int) time.Duration { return s.retry }

func (s *eventSource) attend(ctx context.Context, addr string, c *client) error {
	l, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer l.close()
	headers := "Accept: text/event-stream\r\n"
	if s.lastID != "" {
		headers += "Last-Event-ID: " + s.lastID + "\r\n"
	}
	res, err := l.get(c.host(addr), "/v1/sse?"+c.query(false), headers, http.StatusOK, answerTimeout)
	if err != nil {
		return err
	}
	c.crowd.handshakes.Add(1)
	return endOf(s.read(l, bufio.NewReaderSize(res.Body, 1024), c))
}

// read follows the HTML standard, section 9.2.6: an id counts once its message
// is dispatched, and what the end of the stream cuts off is dropped.
func (s *eventSource) read(l *line, r *bufio.Reader, c *client) error {
	id, text := s.lastID, c.scratch[:0]
	for {
		_ = l.SetDeadline(time.Now().Add(silence))
		row, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		field, value, _ := bytes.Cut(bytes.TrimSuffix(row, []byte("\n")), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(row) == 1:
			s.lastID = id
			if len(text) == 0 {
				continue
			}
			if err := c.take(text); err != nil {
				return err
			}
			text = text[:0]
		case string(field) == "id":
			id = string(value)
		case string(field) == "data":
			text = append(text, value...)
		case string(field) == "retry":
			if millis, err := strconv.Atoi(string(value)); err == nil {
				s.retry = time.Duration(millis) * time.Millisecond
			}
		}
		c.scratch = text
	}
}
