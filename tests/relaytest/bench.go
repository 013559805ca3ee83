package relaytest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"relay/bench"
)

// Bench runs `relay bench` of a program and returns its report. The error has
// what it printed.
func Bench(ctx context.Context, binary string, args ...string) (*bench.Report, error) {
	args = append([]string{"bench", "--json=-"}, args...)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=halt_on_error=1"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("relay %s: %w\n%s\n%s", strings.Join(args, " "), err, stderr.String(), out)
	}
	report := new(bench.Report)
	if err := json.Unmarshal(out, report); err != nil {
		return nil, fmt.Errorf("relay %s: %w in %s", strings.Join(args, " "), err, out)
	}
	return report, nil
}
