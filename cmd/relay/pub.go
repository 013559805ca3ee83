package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"relay/client"
	"relay/cmd/relay/internal/config"
	"relay/cmd/relay/internal/flags"
)

var pubEntry = entry{
	name: "pub", args: "CHANNEL [EVENT] DATA",
	summary: "Publish one event.",
	help: `EVENT is the event's name, "message" if it is left out. DATA is JSON; - reads it
from standard input. The answer is one line of JSON: the channel and the event's
id. The API key is RELAY_API_KEY, or else the first of RELAY_API_KEYS or of the
YAML file that RELAY_CONFIG names.

  relay pub orders.42 order.paid '{"total": 12}'
  relay pub news --text 'We are open.'
  date | relay pub clock tick - --text
`,
	make: func() command { return new(pubCommand) },
}

// defaultEvent is the name of an event that is not given one; EventSource
// calls its plain messages the same.
const defaultEvent = "message"

// maxInputBytes bounds standard input; no relay takes more.
const maxInputBytes = 16 << 20

type pubCommand struct {
	apiURL, apiKey, exclude, key string
	noHistory, text              bool
}

func (c *pubCommand) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.apiURL, "api-url", "", apiURLHelp)
	fs.StringVar(&c.apiKey, "api-key", "", apiKeyHelp)
	fs.BoolVar(&c.noHistory, "no-history", false, "Deliver now, keep nothing.")
	fs.StringVar(&c.exclude, "exclude", "", "`CONNECTIONS` that do not get it: IDs, comma separated.")
	fs.StringVar(&c.key, "key", "", "Idempotency `KEY`: within ten minutes the same key publishes once.")
	fs.BoolVar(&c.text, "text", false, "DATA is text: send it as a JSON string.")
}

func (c *pubCommand) run(ctx context.Context, p *program, args []string) error {
	e, err := c.event(args, p.stdin)
	if err != nil {
		return err
	}
	key, err := apiKey(p, c.apiKey)
	if err != nil {
		return err
	}
	results, err := client.Publish(ctx, client.PublishOptions{URL: apiURL(p, c.apiURL), Key: key, IdempotencyKey: c.key}, e)
	if err != nil {
		return advisePublish(err)
	}
	out := json.NewEncoder(p.stdout)
	for _, r := range results {
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// event makes the event of the arguments.
func (c *pubCommand) event(args []string, stdin io.Reader) (client.Event, error) {
	e := client.Event{Event: defaultEvent, Transient: c.noHistory}
	var data string
	switch len(args) {
	case 2:
		e.Channel, data = args[0], args[1]
	case 3:
		e.Channel, e.Event, data = args[0], args[1], args[2]
	default:
		return e, &flags.Error{
			Text: "it takes a channel, perhaps an event's name, and data",
			Hint: `relay pub orders.42 order.paid '{"total": 12}'`,
		}
	}
	for id := range strings.SplitSeq(c.exclude, ",") {
		if id = strings.TrimSpace(id); id != "" {
			e.Exclude = append(e.Exclude, id)
		}
	}
	var err error
	if data == "-" {
		if data, err = readInput(stdin); err != nil {
			return e, err
		}
	}
	e.Data, err = c.data(data)
	return e, err
}

func readInput(stdin io.Reader) (string, error) {
	input, err := io.ReadAll(io.LimitReader(stdin, maxInputBytes+1))
	if err != nil {
		return "", fmt.Errorf("standard input cannot be read: %w", err)
	}
	if len(input) > maxInputBytes {
		return "", fmt.Errorf("standard input holds more than %d MiB, which no relay takes", maxInputBytes>>20)
	}
	// The line break that `echo` and editors add is not part of a text.
	return strings.TrimSuffix(strings.TrimSuffix(string(input), "\n"), "\r"), nil
}

// data makes JSON of what was given as DATA.
func (c *pubCommand) data(text string) (json.RawMessage, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("DATA is not valid UTF-8")
	}
	if c.text {
		// A string always marshals.
		quoted, _ := json.Marshal(text)
		return quoted, nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return nil, &flags.Error{
		Text: "DATA is not JSON: " + clip(text),
		Hint: `quote it for the shell, as in '{"total": 12}', or send it as text with --text`,
	}
}

// advisePublish adds what to do about a failed publish.
func advisePublish(err error) error {
	if errors.Is(err, client.ErrUnreachable) {
		return hint(err, "is a relay running? --api-url says where its api listener is")
	}
	var p *client.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch {
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden:
		return hint(err, "set "+config.APIKeyVariable+" to one of the relay's keys")
	case p.Status == http.StatusNotFound:
		return hint(err, "--api-url says where the relay's api listener is; clients' addresses do not publish")
	case p.Status == http.StatusServiceUnavailable, p.Status == http.StatusTooManyRequests:
		return hint(err, "try again; with --key a repeat cannot publish twice")
	}
	return err
}

// clip keeps a message on its line.
func clip(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
