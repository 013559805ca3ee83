package redistest

import (
	_ "embed" // the clock's source
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Clock is the wall clock of one server, which a test steps while the server
// runs. It needs a C compiler and Linux's way to put a library before others.
type Clock struct {
	tb   testing.TB
	file string
}

//go:embed testdata/clock.c
var clockSource []byte

// StartWithClock is Start for a server whose clock the test sets. The clock
// begins with the system's time and outlives restarts.
func StartWithClock(tb testing.TB, args ...string) (*Server, *Clock) {
	tb.Helper()
	c := &Clock{tb: tb, file: filepath.Join(tb.TempDir(), "clock")}
	if err := os.WriteFile(c.file, make([]byte, 8), 0o600); err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: FreeAddr(tb), tb: tb, args: args, env: []string{
		"LD_PRELOAD=" + clockLibrary(tb), "REDISTEST_CLOCK=" + c.file,
	}}
	return s.start(), c
}

// Set steps the clock so that it is ahead of the system's by d, or behind it
// if d is negative. Parts of a millisecond do not count.
func (c *Clock) Set(d time.Duration) {
	c.tb.Helper()
	f, err := os.OpenFile(c.file, os.O_WRONLY, 0)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer f.Close()
	// In place and at once: the server has the file in its memory.
	if _, err := f.Write(binary.NativeEndian.AppendUint64(nil, uint64(d.Milliseconds()))); err != nil {
		c.tb.Fatal(err)
	}
}

// clockLibrary builds the library.
func clockLibrary(tb testing.TB) string {
	tb.Helper()
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	dir := tb.TempDir()
	source, library := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		tb.Fatal(err)
	}
	out, err := exec.Command(compiler, "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", compiler, err, out)
	}
	return library
}
