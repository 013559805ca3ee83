package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// PublisherOptions say where and how to publish.
type PublisherOptions struct {
	// URL is the api listener.
	URL string
	Key string
	// Size is the size of each event's data in bytes, at least MinData.
	Size int
}

// Publisher posts events over one connection, one request at a time.
type Publisher struct {
	conn net.Conn
	read *bufio.Reader
	head []byte // of each request, up to its length
	size int

	body, request []byte
}

// Event is an event to be posted.
type Event struct {
	Channel string
	Lane    int
	Number  uint64
}

// NewPublisher connects.
func NewPublisher(ctx context.Context, o PublisherOptions) (*Publisher, error) {
	e, err := parseEndpoint(o.URL)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: connectPatience}
	conn, err := dialer.DialContext(ctx, "tcp", e.addr)
	if err != nil {
		return nil, fmt.Errorf("the relay's api cannot be reached: %w", err)
	}
	if e.tls != nil {
		conn = tls.Client(conn, e.tls)
	}
	p := &Publisher{conn: conn, read: bufio.NewReader(conn), size: max(o.Size, MinData)}
	p.head = fmt.Appendf(nil, "POST %s/v1/events HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n", e.path, e.host)
	if o.Key != "" {
		p.head = fmt.Appendf(p.head, "Authorization: Bearer %s\r\n", o.Key)
	}
	p.head = append(p.head, "Content-Length: "...)
	return p, nil
}

// Close ends the connection.
func (p *Publisher) Close() { _ = p.conn.Close() }

// postPatience is how long one answer may take.
const postPatience = 30 * time.Second

// Post publishes events in one request, as one object or as an array, and
// returns how long the answer took.
func (p *Publisher) Post(events ...Event) (time.Duration, error) {
	sent := now()
	p.encode(events, sent)
	p.request = append(p.request[:0], p.head...)
	p.request = fmt.Appendf(p.request, "%d\r\n\r\n", len(p.body))
	p.request = append(p.request, p.body...)
	if err := p.conn.SetDeadline(time.Now().Add(postPatience)); err != nil {
		return 0, err
	}
	if _, err := p.conn.Write(p.request); err != nil {
		return 0, fmt.Errorf("a POST could not be sent: %w", err)
	}
	if err := p.answer(); err != nil {
		return 0, err
	}
	return time.Duration(now() - sent), nil
}

func (p *Publisher) encode(events []Event, sent int64) {
	p.body = p.body[:0]
	if len(events) == 1 {
		p.body = appendEvent(p.body, events[0].Channel, stamp{events[0].Lane, events[0].Number, sent}, p.size)
		return
	}
	for i, e := range events {
		p.body = append(p.body, "[,"[min(i, 1)])
		p.body = appendEvent(p.body, e.Channel, stamp{e.Lane, e.Number, sent}, p.size)
	}
	p.body = append(p.body, ']')
}

// answer reads the response, which must be 200.
func (p *Publisher) answer() error {
	response, err := http.ReadResponse(p.read, nil)
	if err != nil {
		return fmt.Errorf("a POST got no answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("a POST was answered %s %s", response.Status, text)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
