package relaytest

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// Command runs the program with these arguments and variables to its end, and
// returns its exit code and what it wrote.
func Command(tb testing.TB, env []string, args ...string) (code int, output string) {
	tb.Helper()
	cmd := exec.Command(Binary(tb), args...)
	cmd.Env = env
	text, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		tb.Errorf("relay %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}
