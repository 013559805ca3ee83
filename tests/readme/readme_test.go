// Package readme runs every command of the README, as a newcomer would: from
// the root of the repository, in a shell. Only ports are others, since the
// default ones may be taken.
package readme

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"relay/tests/redistest"
	"relay/tests/relaytest"
)

const root = "../.."

// commands returns the lines of the README's sh blocks.
func commands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		list = append(list, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return list
}

// reader follows the README. It notes what it has run.
type reader struct {
	t       *testing.T
	replace *strings.Replacer
	dir     string // where ./relay is
	env     []string
	done    []string
}

func newReader(t *testing.T, redis *redistest.Server) *reader {
	var ports []string
	for range 3 {
		_, port, _ := net.SplitHostPort(redistest.FreeAddr(t))
		ports = append(ports, port)
	}
	dir := t.TempDir()
	_, redisPort, _ := net.SplitHostPort(redis.Addr)
	return &reader{
		t: t, dir: dir,
		replace: strings.NewReplacer(
			":8080", ":"+ports[0], ":8081", ":"+ports[1], "127.0.0.1:6379", redis.Addr,
			"redis-cli", "redis-cli -p "+redisPort, "-o relay", "-o "+filepath.Join(dir, "relay"), "./relay", filepath.Join(dir, "relay"),
		),
		env: append(os.Environ(), "RELAY_PUBLIC_ADDR=127.0.0.1:"+ports[0], "RELAY_API_ADDR=127.0.0.1:"+ports[1],
			"RELAY_OPS_ADDR=127.0.0.1:"+ports[2], "RELAY_API_URL=http://127.0.0.1:"+ports[1]),
	}
}

// started is a command that goes on.
type started struct {
	cmd    *exec.Cmd
	output relaytest.Output
}

// start runs a command of the README in the background until it says ready.
func (r *reader) start(command, ready string) *started {
	r.t.Helper()
	s := &started{cmd: r.command(command)}
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	// `go run` does not hand signals on; the group reaches its child too.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(s.stop)
	relaytest.Eventually(r.t, command+" to say "+ready, func() bool { return strings.Contains(s.output.String(), ready) })
	return s
}

func (s *started) stop() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}

// run runs a command of the README to its end.
func (r *reader) run(command string) string {
	r.t.Helper()
	out, err := r.command(command).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

func (r *reader) command(command string) *exec.Cmd {
	r.done = append(r.done, command)
	cmd := exec.Command("sh", "-c", r.replace.Replace(command))
	cmd.Dir, cmd.Env = root, r.env
	return cmd
}

func TestEveryCommandOfTheREADME(t *testing.T) {
	redis := redistest.Start(t)
	r := newReader(t, redis)
	want := func(what, output, part string) {
		t.Helper()
		if !strings.Contains(output, part) {
			t.Errorf("%s says\n%s\nand not %q", what, output, part)
		}
	}
	event := `{"channel":"demo","event":"greeting","data":{"hello":"world"}}`
	post := `curl http://127.0.0.1:8081/v1/events -d '` + event + `'`

	alone := r.start(`go run ./cmd/relay`, "listening")
	want("the relay", alone.output.String(), r.replace.Replace(post)) // it prints the README's own line
	want("curl", r.run(post), `"id":"`)
	r.run(`go build -o relay ./cmd/relay`)
	follower := r.start(`./relay sub demo --url `+r.replace.Replace("http://127.0.0.1:8080"), `"subscribed"`)
	r.done[len(r.done)-1] = `./relay sub demo`
	r.run(`./relay pub demo greeting '{"hello":"world"}'`)
	relaytest.Eventually(t, "relay sub to print the event", func() bool { return strings.Contains(follower.output.String(), `"greeting"`) })
	follower.stop()
	alone.stop()

	withRedis := r.start(`RELAY_REDIS_URL=redis://127.0.0.1:6379 go run ./cmd/relay`, "connected to Redis")
	follower = r.start(`./relay sub demo --url `+r.replace.Replace("http://127.0.0.1:8080"), `"subscribed"`)
	r.done = r.done[:len(r.done)-1]
	want("redis-cli", r.run(`redis-cli PUBLISH relay:demo '{"event":"greeting","data":{"hello":"redis"}}'`), "1")
	relaytest.Eventually(t, "relay sub to print the event", func() bool { return strings.Contains(follower.output.String(), `"hello":"redis"`) })
	follower.stop()
	withRedis.stop()

	withTokens := r.start(`RELAY_JWT_SECRET=change-me-change-me-change-me-32 go run ./cmd/relay`, "listening")
	want("curl", r.run(`curl http://127.0.0.1:8081/v1/tokens -d '{"user":"alice","subscribe":["orders.*"],"ttl":"1h"}'`), `"token":"`)
	withTokens.stop()

	if err := os.WriteFile(filepath.Join(r.dir, "secret.txt"), []byte("change-me-change-me-change-me-32\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("relay token", r.run(`cd `+r.dir+` && ./relay token alice 'orders.*' --jwt-secret-file secret.txt`), "ey")
	r.done[len(r.done)-1] = `./relay token alice 'orders.*' --jwt-secret-file secret.txt`
	want("relay config", r.run(`./relay config`), "public_addr")
	want("relay help", r.run(`./relay help`), "serve")

	// This test is part of it.
	ci, err := os.ReadFile(root + "/.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	want(".ci/run", string(ci), "make test")
	r.done = append(r.done, "make test")

	for _, command := range commands(t) {
		if !slices.Contains(r.done, command) {
			t.Errorf("the README has a command that is not run here: %s", command)
		}
	}
	if len(commands(t)) < 10 {
		t.Errorf("only %d commands were found in the README", len(commands(t)))
	}
}

// Every file that the documents point to is there.
func TestLinks(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*.md", "charts/*/*.md"} {
		list, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, list...)
	}
	found := 0
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), link[1])); err != nil {
				t.Errorf("%s points to %s, which is not there", document, link[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links were found", found)
	}
}
