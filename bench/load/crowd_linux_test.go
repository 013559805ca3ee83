package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"relay/bench/floor"
	"relay/bench/measure"
)

// startFloor runs the floor beside the test and returns its URL.
func startFloor(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- floor.Run(ctx, w) }()
	var said struct{ Public string }
	if err := json.NewDecoder(r).Decode(&said); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + said.Public
}

// Every way to read counts every event, once.
func TestCrowd(t *testing.T) {
	url := startFloor(t)
	for _, transport := range []Transport{WebSocket, EventStream} {
		for _, loops := range []int{0, 1, 3} { // 0: the plain driver
			t.Run(fmt.Sprintf("%s, %d loops", transport, loops), func(t *testing.T) {
				testCrowd(t, url, transport, loops)
			})
		}
	}
}

func testCrowd(t *testing.T, url string, transport Transport, loops int) {
	const clients, lanes, events = 60, 2, 50
	channels := ChannelNames(fmt.Sprintf("%s%d", transport, loops), 3)
	crowd, err := NewCrowd(CrowdOptions{
		URL: url, Transport: transport, Clients: clients, Channels: channels, Lanes: lanes, Loops: loops, AtOnce: 7,
	})
	if err != nil {
		t.Fatal(err)
	}
	if loops == 0 {
		crowd.driver = newPlain(crowd)
	}
	defer crowd.Close()
	if err := crowd.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if crowd.Live() != clients {
		t.Fatalf("%d clients are live", crowd.Live())
	}
	connected := crowd.Tally()
	if connected.Connect.Count() != clients {
		t.Errorf("%d clients have connected", connected.Connect.Count())
	}
	crowd.Begin()
	p, err := NewPublisher(t.Context(), PublisherOptions{URL: url, Size: 128})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	sent := make([]uint64, len(channels)*lanes)
	for n := range uint64(events) {
		var batch []Event
		for lane := range lanes {
			batch = append(batch, Event{channels[0], lane, n}, Event{channels[2], lane, n})
			sent[0*lanes+lane]++
			sent[2*lanes+lane]++
		}
		if _, err := p.Post(batch...); err != nil {
			t.Fatal(err)
		}
	}
	const want = clients / 3 * 2 * lanes * events
	if err := crowd.Wait(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got := crowd.Tally()
	if got.Deliveries != want || got.Latency.Count() != want || got.Order != (measure.Order{}) || got.Strangers != 0 || got.Gone() != 0 {
		t.Errorf("%+v", got)
	}
	if missing := crowd.Missing(sent); missing != (measure.Order{}) {
		t.Errorf("missing: %+v", missing)
	}
	// What was never sent is missed.
	sent[0]++
	if missing := crowd.Missing(sent); missing.Lost != clients/3 {
		t.Errorf("%d of %d are missed", missing.Lost, clients/3)
	}
}

// Nobody listens: every client says so, and none is waited for.
func TestCrowdWithoutRelay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	crowd, err := NewCrowd(CrowdOptions{URL: url, Transport: WebSocket, Clients: 10, Channels: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	if err := crowd.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "10 of 10 clients could not connect") || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		to     string
		client int
		want   string
	}{
		{"127.0.0.1:80", 0, "127.0.0.1"},
		{"127.0.0.1:80", perSource, "127.0.0.2"},
		{"127.0.0.1:80", 300 * perSource, "127.0.1.45"},
		{"10.0.0.1:80", 0, "invalid IP"},
		{"[::1]:80", 0, "invalid IP"},
	} {
		if got := sourceOf(c.to, c.client).String(); got != c.want {
			t.Errorf("client %d of %s from %s, want %s", c.client, c.to, got, c.want)
		}
	}
}
