// Package relaytest starts the real program for black-box tests and speaks to
// it as its users do.
package relaytest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that should happen at once.
// It is long so that a slow machine fails no test.
const Patience = time.Minute

// Binary builds the program, once per test binary, with the race detector
// looking on, and returns its path.
func Binary(tb testing.TB) string {
	tb.Helper()
	return built(tb, buildRace)
}

// PlainBinary is Binary without the race detector, as people run it.
func PlainBinary(tb testing.TB) string {
	tb.Helper()
	return built(tb, buildPlain)
}

func built(tb testing.TB, build func() (string, error)) string {
	tb.Helper()
	path, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Main is the TestMain of a package that starts relays.
func Main(m *testing.M) {
	code := m.Run()
	Clean()
	os.Exit(code)
}

// Clean removes the program that Binary built.
func Clean() { _ = os.RemoveAll(buildDir()) }

var buildDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "relaytest")
	if err != nil {
		panic(err) // no folder for temporary files: nothing else will work either
	}
	return dir
})

var (
	buildRace  = sync.OnceValues(func() (string, error) { return build("relay", "-race") })
	buildPlain = sync.OnceValues(func() (string, error) { return build("relay-plain") })
)

func build(name string, flags ...string) (string, error) {
	path := filepath.Join(buildDir(), name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, "relay/cmd/relay")...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return path, cmd.Run()
}

// Relay is one running relay process.
type Relay struct {
	// PublicURL, APIURL and OpsURL are the listeners, "http://127.0.0.1:PORT".
	PublicURL, APIURL, OpsURL string

	tb   testing.TB
	cmd  *exec.Cmd
	exit chan struct{} // closed when the process has ended

	log    Output
	stdout Output
	err    error // of the process; valid when exit is closed
}

// Start runs `relay` with these variables, on free ports, until the test ends.
func Start(tb testing.TB, env ...string) *Relay {
	tb.Helper()
	return Launch(tb, env...).await()
}

// StartPlain is Start for a run that measures: the race detector costs many
// times what the program does.
func StartPlain(tb testing.TB, env ...string) *Relay {
	tb.Helper()
	return launch(tb, PlainBinary(tb), env).await()
}

// await returns the relay once it listens.
func (r Launched) await() *Relay {
	r.tb.Helper()
	for line := range r.lines {
		var l struct{ Msg, Public, API, Ops string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening" {
			r.PublicURL, r.APIURL, r.OpsURL = "http://"+l.Public, "http://"+l.API, "http://"+l.Ops
			go func() {
				for range r.lines { // keep the pipe empty
				}
			}()
			return r.Relay
		}
	}
	<-r.exit
	r.tb.Fatalf("the relay did not start: %v\n%s", r.err, r.Log())
	return nil
}

// Launched is a relay that may or may not come up.
type Launched struct {
	*Relay
	lines chan string
}

// Launch runs `relay` and does not wait for it.
func Launch(tb testing.TB, env ...string) Launched {
	tb.Helper()
	return launch(tb, Binary(tb), env)
}

func launch(tb testing.TB, binary string, env []string) Launched {
	tb.Helper()
	base := []string{
		"RELAY_PUBLIC_ADDR=127.0.0.1:0", "RELAY_API_ADDR=127.0.0.1:0", "RELAY_OPS_ADDR=127.0.0.1:0",
		"RELAY_LOG_FORMAT=json", "RELAY_LOG_LEVEL=debug", "RELAY_DRAIN_WINDOW=5s",
		"GORACE=halt_on_error=1", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}
	cmd := exec.Command(binary)
	cmd.Env = append(slices.Clone(base), env...)
	r := &Relay{tb: tb, cmd: cmd, exit: make(chan struct{})}
	cmd.Stdout = &r.stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := make(chan string, 16)
	go func() {
		scan := bufio.NewScanner(io.TeeReader(stderr, &r.log))
		scan.Buffer(nil, 1<<20)
		for scan.Scan() {
			lines <- scan.Text()
		}
		r.err = cmd.Wait()
		close(r.exit)
		close(lines)
	}()
	tb.Cleanup(func() {
		r.Kill()
		if strings.Contains(r.Log(), "DATA RACE") || strings.Contains(r.Log(), "panic:") {
			tb.Errorf("the relay's log:\n%s", r.Log())
		}
	})
	return Launched{r, lines}
}

// Log is what the relay has written to standard error.
func (r *Relay) Log() string { return r.log.String() }

// Stdout is what the relay has written to standard output.
func (r *Relay) Stdout() string { return r.stdout.String() }

// PID is the process's number.
func (r *Relay) PID() int { return r.cmd.Process.Pid }

// Kill ends the process with SIGKILL, if it still runs.
func (r *Relay) Kill() {
	_ = r.cmd.Process.Kill()
	<-r.exit
}

// Signal sends a signal.
func (r *Relay) Signal(sig syscall.Signal) {
	r.tb.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.tb.Fatal(err)
	}
}

// Wait waits for the end of the process and returns its exit code.
func (r *Relay) Wait() int {
	r.tb.Helper()
	select {
	case <-r.exit:
	case <-time.After(Patience):
		r.tb.Fatalf("the relay still runs after %v\n%s", Patience, r.Log())
	}
	return r.cmd.ProcessState.ExitCode()
}

// Answer is an HTTP response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	// Closed: the relay ends the connection with it.
	Closed bool
}

// Do sends a request. Headers are "Name: value" texts; Host is one of them.
func Do(tb testing.TB, method, url, body string, headers ...string) Answer {
	tb.Helper()
	a, err := TryDo(method, url, body, headers...)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// TryDo is Do for requests that may fail.
func TryDo(method, url, body string, headers ...string) (Answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	client := http.Client{Timeout: Patience}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, string(text), res.Close}, err
}

// Publish posts a body to the API and fails the test unless it is taken. It
// returns the IDs.
func (r *Relay) Publish(tb testing.TB, body string) []string {
	tb.Helper()
	a := Do(tb, "POST", r.APIURL+"/v1/events", body)
	if a.Status != http.StatusOK {
		tb.Fatalf("publish: %d %s", a.Status, a.Body)
	}
	var answer struct {
		Results []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		tb.Fatalf("publish answered %s", a.Body)
	}
	ids := make([]string, len(answer.Results))
	for i := range ids {
		ids[i] = answer.Results[i].ID
	}
	return ids
}

// Eventually waits until ok says so.
func Eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(Patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited %v for: %s", Patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
