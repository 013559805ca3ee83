package relays

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"relay/tests/relaytest"
)

// A peer that is gone without a word leaves a connection that looks alive.
// The test runs itself again in a network of its own, whose one device it
// takes down under a relay and its clients: nothing is refused, and nothing
// arrives any more.
func TestClientsThatVanishAreFound(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestInNetworkOfItsOwn$", "-test.v")
	cmd.Env = append(os.Environ(), inOwnNetwork+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInNetworkOfItsOwn") {
		t.Fatalf("in a network of its own: %v\n%s", err, out)
	}
}

// inOwnNetwork is the variable by which the test knows where it runs.
const inOwnNetwork = "RELAYTEST_OWN_NETWORK"

// TestInNetworkOfItsOwn is the inner half of TestClientsThatVanishAreFound,
// and nothing without it.
func TestInNetworkOfItsOwn(t *testing.T) {
	if os.Getenv(inOwnNetwork) == "" {
		return
	}
	setLoopback(t, true)
	r := relaytest.Start(t)
	ws, sse := r.WebSocket(t, "channel=a"), r.EventStream(t, "channel=a")
	relaytest.Welcome(t, ws, 1)
	relaytest.Welcome(t, sse, 1)
	setLoopback(t, false)
	for _, what := range []string{`"transport":"ws","reason":"ping_timeout"`, `"transport":"sse","reason":"connection_lost"`} {
		// A ping comes within 25 seconds, and 50 later the client is given up.
		for deadline := time.Now().Add(3 * relaytest.Patience); !strings.Contains(r.Log(), what); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log does not say %s:\n%s", what, r.Log())
			}
		}
	}
}

// setLoopback brings the loopback device up or down.
func setLoopback(t *testing.T, up bool) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	if up {
		request.SetUint16(unix.IFF_UP)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
	}
}
