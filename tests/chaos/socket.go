package chaos

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// socket is a WebSocket client. It remembers the id of the last frame of each
// channel.
type socket struct {
	http      *http.Client
	positions map[string]string
}

const maxFrame = 16 << 20

func (s *socket) resuming() bool { return len(s.positions) > 0 }

func (s *socket) attend(ctx context.Context, base string, c *client) error {
	query := url.Values{}
	if name := c.connection(); name != "" {
		query.Set("resumes", name)
	}
	// Both ways of asking are in the contract; a client uses either.
	byQuery := c.dice.IntN(2) == 0
	if byQuery {
		for _, channel := range c.channels {
			query.Add("channel", channel)
			query.Add("since", s.positions[channel])
		}
	}
	conn, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/v1/ws?"+query.Encode(),
		&websocket.DialOptions{HTTPClient: s.http})
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
			return &refusedError{res.StatusCode, err.Error()}
		}
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	if !byQuery {
		if err := s.subscribe(ctx, conn, c.channels); err != nil {
			return err
		}
	}
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		f, err := c.take(text)
		if err != nil {
			return err
		}
		if f.Channel != "" && f.ID != "" {
			s.positions[f.Channel] = f.ID
		}
	}
}

func (s *socket) subscribe(ctx context.Context, conn *websocket.Conn, channels []string) error {
	for _, channel := range channels {
		ask := map[string]string{"type": "subscribe", "channel": channel}
		if at, ok := s.positions[channel]; ok {
			ask["since"] = at
		}
		text, err := json.Marshal(ask)
		if err != nil {
			return err
		}
		if err := conn.Write(ctx, websocket.MessageText, text); err != nil {
			return err
		}
	}
	return nil
}
