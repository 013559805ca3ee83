package process

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestOwnCPU(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for sum := 0; ; sum++ {
		after, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after.Since(before).Total() > 50e6 {
			break // it was seen to work
		}
	}
	if _, err := CPU(1 << 30); err == nil {
		t.Error("a process that does not exist has used CPU time")
	}
}

func TestOwnMemory(t *testing.T) {
	before, err := Memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	held := make([]byte, 64<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	after, err := Memory(os.Getpid())
	if err != nil || after-before < 32<<20 || held[0] != 1 {
		t.Errorf("%d bytes, then %d, %v", before, after, err)
	}
}

func TestChild(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(t.Context(), shell, []string{"-c", `echo hello >&2; echo '{"msg":"listening","public":"127.0.0.1:1"}' >&2; exec sleep 60`}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listening["public"] != "127.0.0.1:1" || c.Ended() || !strings.Contains(c.Log(), "hello") {
		t.Errorf("%v, ended %v, log %s", c.Listening, c.Ended(), c.Log())
	}
	c.Stop()
	if !c.Ended() || syscall.Kill(c.PID, 0) == nil {
		t.Error("it still runs")
	}
	if _, err := Start(t.Context(), shell, []string{"-c", "echo no port left >&2; exit 1"}, nil); err == nil || !strings.Contains(err.Error(), "no port left") {
		t.Errorf("a child that ends at once: %v", err)
	}
	if _, err := Start(t.Context(), "/nowhere/relay", nil, nil); err == nil {
		t.Error("a program that does not exist was started")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, shell, []string{"-c", "exec sleep 60"}, nil); err == nil {
		t.Error("waited for a child although the test was given up")
	}
}
