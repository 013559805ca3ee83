package relaytest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"relay/tests/contract"
)

// Frame is a frame from the relay, as any client would decode it.
type Frame struct {
	Type         string          `json:"type"`
	Channel      string          `json:"channel"`
	ID           string          `json:"id"`
	Event        string          `json:"event"`
	Data         json.RawMessage `json:"data"`
	Connection   string          `json:"connection"`
	PingInterval int             `json:"ping_interval_ms"`
	Reason       string          `json:"reason"`
	Message      string          `json:"message"`
	Code         string          `json:"code"`
	ReconnectIn  int             `json:"reconnect_in_ms"`
	Ticket       string          `json:"ticket"`
	Recovered    *bool           `json:"recovered"`
	Ref          json.RawMessage `json:"ref"`

	// Text is the frame as it came.
	Text []byte `json:"-"`
	// SSEID is the id: line that came with it, over SSE.
	SSEID string `json:"-"`
}

// Stream is a client's way in: frames, then an error that says how it ended.
type Stream interface {
	Read(ctx context.Context) (Frame, error)
}

// Next reads one frame, which must be one that openapi.yaml describes.
func Next(tb testing.TB, s Stream) Frame {
	tb.Helper()
	f, err := TryNext(s)
	if err != nil {
		tb.Fatalf("no frame: %v", err)
	}
	contract.CheckFrame(tb, "ServerFrame", f.Text)
	return f
}

// TryNext reads one frame, or says why there is none.
func TryNext(s Stream) (Frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return s.Read(ctx)
}

// Expect reads one frame and fails unless it is of this type.
func Expect(tb testing.TB, s Stream, kind string) Frame {
	tb.Helper()
	f := Next(tb, s)
	if f.Type != kind {
		tb.Fatalf("got %+v (data %s), want a frame of type %s", f, f.Data, kind)
	}
	return f
}

// Welcome reads a welcome and one subscribed frame for each of n channels.
func Welcome(tb testing.TB, s Stream, n int) Frame {
	tb.Helper()
	w := Expect(tb, s, "welcome")
	for range n {
		Expect(tb, s, "subscribed")
	}
	return w
}

// WS is a WebSocket client.
type WS struct{ *websocket.Conn }

// WebSocket connects to /v1/ws?query; headers are "Name: value" texts.
func (r *Relay) WebSocket(tb testing.TB, query string, headers ...string) *WS {
	tb.Helper()
	ws, answer, err := r.TryWebSocket(query, headers...)
	if err != nil {
		tb.Fatalf("WebSocket: %v (%+v)", err, answer)
	}
	tb.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

// TryWebSocket is WebSocket for handshakes that may be refused.
func (r *Relay) TryWebSocket(query string, headers ...string) (*WS, Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	c, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(r.PublicURL, "http")+"/v1/ws?"+query,
		&websocket.DialOptions{HTTPHeader: h})
	if err != nil {
		var a Answer
		if res != nil {
			text, _ := io.ReadAll(res.Body)
			a = Answer{res.StatusCode, res.Header, string(text), res.Close}
		}
		return nil, a, err
	}
	c.SetReadLimit(16 << 20)
	return &WS{c}, Answer{Status: res.StatusCode}, nil
}

// Read implements Stream.
func (w *WS) Read(ctx context.Context) (Frame, error) {
	kind, text, err := w.Conn.Read(ctx)
	if err != nil {
		return Frame{}, err
	}
	if kind != websocket.MessageText {
		return Frame{}, errors.New("a binary frame")
	}
	f := Frame{Text: text}
	err = json.Unmarshal(text, &f)
	return f, err
}

// Send sends a text frame.
func (w *WS) Send(tb testing.TB, text string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := w.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		tb.Fatal(err)
	}
}

// Closed reads until the connection ends and returns the close code and reason.
func (w *WS) Closed(tb testing.TB) (int, string) {
	tb.Helper()
	for {
		_, err := TryNext(w)
		if err == nil {
			continue
		}
		var c websocket.CloseError
		if !errors.As(err, &c) {
			tb.Fatalf("the connection ended without a close frame: %v", err)
		}
		return int(c.Code), c.Reason
	}
}

// SSE is an event stream, read line by line as the HTML standard says.
type SSE struct {
	Status int
	Header http.Header
	// Body is the text of a refused request.
	Body string
	// Retry is the last retry: line.
	Retry string

	body   io.ReadCloser
	frames chan Frame
	ended  chan error
}

// EventStream asks for /v1/sse?query.
func (r *Relay) EventStream(tb testing.TB, query string, headers ...string) *SSE {
	tb.Helper()
	s, err := r.TryEventStream(query, headers...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.body.Close() })
	return s
}

// TryEventStream is EventStream for requests that may fail.
func (r *Relay) TryEventStream(query string, headers ...string) (*SSE, error) {
	return OpenEventStream(context.Background(), &http.Client{}, r.PublicURL+"/v1/sse?"+query, headers...)
}

// OpenEventStream asks for a stream at a URL.
func OpenEventStream(ctx context.Context, client *http.Client, url string, headers ...string) (*SSE, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	s := &SSE{Status: res.StatusCode, Header: res.Header, body: res.Body, frames: make(chan Frame, 1<<16), ended: make(chan error, 1)}
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		s.Body = string(text)
		return s, nil
	}
	go s.run()
	return s, nil
}

func (s *SSE) run() {
	defer close(s.frames)
	scan := bufio.NewScanner(s.body)
	scan.Buffer(nil, 16<<20)
	var id, data, retry string
	for scan.Scan() {
		field, value, _ := strings.Cut(scan.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			data = value
		case "retry":
			retry = value
		case "":
			if scan.Text() == "" && data != "" {
				var f Frame
				if err := json.Unmarshal([]byte(data), &f); err != nil {
					s.ended <- err
					return
				}
				f.SSEID, f.Text = id, []byte(data)
				if retry != "" {
					f.Message += " retry " + retry
				}
				s.frames <- f
				id, data, retry = "", "", ""
			}
		}
	}
	if err := scan.Err(); err != nil {
		s.ended <- err
		return
	}
	s.ended <- io.EOF
}

// Close ends the stream.
func (s *SSE) Close() { _ = s.body.Close() }

// Read implements Stream.
func (s *SSE) Read(ctx context.Context) (Frame, error) {
	select {
	case f, ok := <-s.frames:
		if ok {
			return f, nil
		}
		err := <-s.ended
		s.ended <- err
		return Frame{}, err
	case <-ctx.Done():
		return Frame{}, ctx.Err()
	}
}

// Collect reads the data of events until done says so.
func Collect(s Stream, done func(data []string) bool) ([]string, error) {
	var list []string
	for !done(list) {
		f, err := TryNext(s)
		if err != nil {
			return list, err
		}
		if f.Type == "event" {
			list = append(list, string(f.Data))
		}
	}
	return list, nil
}
