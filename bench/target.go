package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"relay/bench/floor"
	"relay/bench/process"
)

// Names of targets.
const (
	relayName = "relay"
	floorName = "floor"
	noopName  = "no-op handler"
	plainName = "uncompressed relay"
)

// FloorCommand is the hidden command of this program that is the floor; its
// argument is one of the kinds.
const FloorCommand = "bench-floor"

// Kinds of floors.
const (
	FloorSockets = "sockets"
	FloorNoop    = "noop"
)

// target is what a load is put on.
type target struct {
	name  string
	at    RelayAddress
	child *process.Child // nil for a relay that ran before
	redis int            // the process ID of its Redis, 0 if it is not known

	compress bool // its clients ask for it
}

func (t *target) stop() {
	if t.child != nil {
		t.child.Stop()
	}
}

// hasFloor: the floor runs on this machine, so it says something only about
// a relay that does too.
func (o *Options) hasFloor() bool {
	return floor.Supported && !o.NoFloor && !o.Compress && (o.Relay.PublicURL == "" || o.Relay.PID != 0)
}

// hasTwin: a relay that compresses is compared with one that does not.
func (o *Options) hasTwin() bool { return o.Compress && !o.NoFloor }

// openOther opens what the relay is compared with, nil if there is nothing.
func (s *session) openOther(floorName, kind string) (*target, error) {
	switch {
	case s.hasTwin():
		t, err := s.openRelay()
		if err == nil {
			t.name, t.compress = plainName, false
		}
		return t, err
	case s.hasFloor():
		return s.openFloor(floorName, kind)
	}
	return nil, nil
}

// openRelay starts a relay, or finds the one that runs.
func (s *session) openRelay() (*target, error) {
	if s.Relay.PublicURL != "" {
		return &target{name: relayName, at: s.Relay, compress: s.Compress}, nil
	}
	args := []string{
		"serve", "--public-addr=127.0.0.1:0", "--api-addr=127.0.0.1:0", "--ops-addr=127.0.0.1:0",
		"--log-format=json", "--log-level=info", "--console=false", "--max-connections=1000000",
	}
	env := s.Env
	if s.RedisURL != "" {
		// Not as a flag: other users of the machine could read its password.
		env = append(slices.Clip(env), "RELAY_REDIS_URL="+s.RedisURL)
	}
	child, err := process.Start(s.ctx, s.Program, args, env)
	if err != nil {
		return nil, err
	}
	s.report.Relay.Bus = child.Listening["bus"]
	t := &target{name: relayName, child: child, compress: s.Compress, at: RelayAddress{
		PublicURL: "http://" + child.Listening["public"], APIURL: "http://" + child.Listening["api"],
		OpsURL: "http://" + child.Listening["ops"], PID: child.PID, Key: s.Relay.Key, Token: s.Relay.Token,
	}}
	if s.RedisURL != "" {
		t.redis = redisProcess(s.ctx, s.RedisURL)
	}
	if err := t.awaitBus(s.ctx); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// busPatience is how long a relay may take to reach its Redis.
const busPatience = 30 * time.Second

// awaitBus waits until the relay takes events: it listens before it has reached
// its Redis.
func (t *target) awaitBus(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, busPatience)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.at.APIURL+"/v1/channels/bench.0", nil)
		if err != nil {
			return err
		}
		request.Close = true
		if t.at.Key != "" {
			request.Header.Set("Authorization", "Bearer "+t.at.Key)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("the relay that was started does not take events: %w", err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable {
			return nil
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return errors.New("the relay that was started does not reach its Redis")
		}
	}
}

func (s *session) openFloor(name, kind string) (*target, error) {
	child, err := process.Start(s.ctx, s.Program, []string{FloorCommand, kind}, s.Env)
	if err != nil {
		return nil, fmt.Errorf("the %s: %w", name, err)
	}
	return &target{name: name, child: child, at: RelayAddress{
		PublicURL: "http://" + child.Listening["public"], APIURL: "http://" + child.Listening["api"], PID: child.PID,
	}}, nil
}

// redisProcess asks a Redis on this machine for its process ID. It returns 0
// if it cannot find out: what Redis uses is good to know, and no more.
func redisProcess(ctx context.Context, redisURL string) int {
	u, err := url.Parse(redisURL)
	if err != nil || u.Scheme != "redis" {
		return 0
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0 // its IDs are those of another machine
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return 0
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if password, ok := u.User.Password(); ok {
		if user := u.User.Username(); user != "" {
			password = user + " " + password
		}
		fmt.Fprintf(conn, "AUTH %s\r\n", password)
	}
	fmt.Fprint(conn, "INFO server\r\nQUIT\r\n")
	var answer strings.Builder
	buffer := make([]byte, 8<<10)
	for {
		n, err := conn.Read(buffer)
		answer.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	_, after, _ := strings.Cut(answer.String(), "process_id:")
	line, _, _ := strings.Cut(after, "\r\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return pid
}
