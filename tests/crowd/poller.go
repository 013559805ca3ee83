package crowd

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// poller is a client that can do no more than GET, again and again over one
// connection as long as that lasts.
type poller struct {
	line   *line
	addr   string
	cursor string
}

const pollWait = 20 * time.Second

func (*poller) String() string { return "poll" }

func (*poller) pause(failures int) time.Duration {
	return time.Duration(min(failures, 5)) * (500*time.Millisecond + rand.N(500*time.Millisecond))
}

// attend makes one request.
func (p *poller) attend(ctx context.Context, addr string, c *client) error {
	kept := p.line != nil && p.addr == addr
	err := p.ask(ctx, addr, c)
	if err == nil {
		return nil
	}
	if p.line != nil {
		p.line.close()
		p.line = nil
	}
	if kept && errors.Is(err, errUnanswered) {
		return p.attend(ctx, addr, c) // the connection had been closed while nothing was asked
	}
	return err
}

func (p *poller) ask(ctx context.Context, addr string, c *client) error {
	if p.line == nil || p.addr != addr {
		if p.line != nil {
			p.line.close()
		}
		var err error
		if p.line, err = dial(ctx, addr); err != nil {
			p.line = nil
			return err
		}
		p.addr = addr
	}
	path := "/v1/poll?wait=" + pollWait.String() + "&" + c.query(false)
	if p.cursor != "" {
		path += "&since=" + url.QueryEscape(p.cursor)
	}
	res, err := p.line.get(c.host(addr), path, "", http.StatusOK, pollWait+answerTimeout)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Frames []json.RawMessage `json:"frames"`
		Cursor string            `json:"cursor"`
	}
	// An answer that is cut off is none: the cursor must not move.
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return endOf(err)
	}
	c.crowd.handshakes.Add(1)
	var farewell error
	for _, text := range answer.Frames {
		if err := c.take(text); err != nil {
			farewell = err
		}
	}
	p.cursor = answer.Cursor
	return farewell
}
