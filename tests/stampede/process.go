package stampede

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is what the kernel says about one.
type process struct {
	pid    int
	place  int
	cpu    time.Duration
	memory int64 // most that was in memory, in bytes
}

// clockTick is the kernel's unit of processor time for programs (USER_HZ).
const clockTick = 10 * time.Millisecond

// look reads the process's numbers, and leaves them if it has ended.
func (p *process) look() {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return
	}
	// The name, in brackets, may have spaces: proc(5), fields 14 and 15.
	_, rest, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(rest); len(fields) > 12 {
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		p.cpu = max(p.cpu, time.Duration(user+system)*clockTick)
	}
	p.memory = max(p.memory, peakMemory(p.pid))
}

func peakMemory(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
