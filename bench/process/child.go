package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Child is a process that this one has started and will end.
type Child struct {
	// PID is its ID.
	PID int
	// Listening is what it said about its listeners: their names and addresses.
	Listening map[string]string

	kill    func()
	listens chan map[string]string
	ended   chan struct{}

	mu   sync.Mutex
	last bytes.Buffer // the end of its log
}

// startPatience is how long a process may take until it listens.
const startPatience = time.Minute

// Start starts a program that writes JSON lines to standard error, and waits
// for the one with the message "listening". Ending ctx ends it.
func Start(ctx context.Context, program string, args, env []string) (*Child, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = env
	cmd.SysProcAttr = attributes()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	c := &Child{listens: make(chan map[string]string, 1), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(c.ended)
		// The system ends the child when the thread that started it ends, so
		// that thread stays here until the child has gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.PID, c.kill = cmd.Process.Pid, func() { _ = cmd.Process.Kill() }
		started <- nil
		c.follow(stderr)
		_ = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s cannot be started: %w", program, err)
	}
	return c, c.await(ctx)
}

// await waits until the child listens.
func (c *Child) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("a process that was started does not listen"))
	defer cancel()
	select {
	case c.Listening = <-c.listens:
		return nil
	case <-c.ended:
		return fmt.Errorf("a process that was started has ended:\n%s", c.Log())
	case <-ctx.Done():
		c.Stop()
		return context.Cause(ctx)
	}
}

// logKept is how much of a child's log is kept.
const logKept = 8 << 10

// follow reads the child's log, so that the child never waits for a reader.
func (c *Child) follow(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		c.mu.Lock()
		c.last.Write(line)
		if c.last.Len() > logKept {
			c.last.Next(c.last.Len() - logKept)
		}
		c.mu.Unlock()
		c.notice(line)
		if err != nil {
			return
		}
	}
}

// notice looks for the line that says where the child listens.
func (c *Child) notice(line []byte) {
	var said map[string]any
	if json.Unmarshal(line, &said) != nil || said["msg"] != "listening" {
		return
	}
	addresses := make(map[string]string)
	for name, value := range said {
		if text, ok := value.(string); ok {
			addresses[name] = text
		}
	}
	select {
	case c.listens <- addresses:
	default:
	}
}

// Log is the end of what the child has written to standard error.
func (c *Child) Log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.String()
}

// Ended tells whether the child has ended.
func (c *Child) Ended() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Stop ends the child at once and waits until it is gone: its clients have
// gone before it, and there is nothing to save.
func (c *Child) Stop() {
	c.kill()
	<-c.ended
}
