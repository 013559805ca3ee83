package chaos

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// eventSource is a browser's EventSource: it repeats its first address and
// sends the last id it dispatched.
type eventSource struct {
	http   *http.Client
	lastID string
}

func (s *eventSource) resuming() bool { return s.lastID != "" }

func (s *eventSource) attend(ctx context.Context, base string, c *client) error {
	query := url.Values{"channel": c.channels}
	if name := c.connection(); name != "" {
		query.Set("resumes", name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/sse?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if s.lastID != "" {
		req.Header.Set("Last-Event-ID", s.lastID)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	return s.read(res.Body, c)
}

// read follows the HTML standard, section 9.2.6: an id counts once its
// message is dispatched, and what the end of the stream cuts off is dropped.
func (s *eventSource) read(body io.Reader, c *client) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxFrame)
	lines.Split(wholeLines)
	id, text := s.lastID, ""
	var complaint error // a browser hears of an error and reads on: the goodbye has a cursor
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case lines.Text() == "":
			s.lastID = id
			if text == "" {
				continue
			}
			if _, err := c.take([]byte(text)); err != nil {
				complaint = err
			}
			text = ""
		case field == "id":
			id = value
		case field == "data":
			text += value
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if complaint != nil {
		return complaint
	}
	return errors.New("the stream ended")
}

// wholeLines is bufio.ScanLines without the last line if nothing ends it.
func wholeLines(b []byte, _ bool) (advance int, token []byte, err error) {
	return bufio.ScanLines(b, false)
}

// refusal is a response that is no stream.
func refusal(res *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return err
	}
	return &refusedError{res.StatusCode, string(text)}
}
