package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns what a process has used since it began, threads that have ended
// included.
//
// The sum comes from the process's CPU clock, in nanoseconds. How it splits is
// only known in ticks of 10 ms, which is too coarse to add up.
func CPU(pid int) (Usage, error) {
	var t unix.Timespec
	// The clock's ID as clock_getcpuclockid(3) makes it.
	if err := unix.ClockGettime(int32(^pid)<<3|2, &t); err != nil {
		return Usage{}, fmt.Errorf("the CPU time of process %d cannot be read: %w", pid, err)
	}
	user, system, err := ticks(pid)
	if err != nil {
		return Usage{}, err
	}
	total := time.Duration(t.Nano())
	if user+system == 0 {
		return Usage{User: total}, nil
	}
	inUser := time.Duration(float64(total) * float64(user) / float64(user+system))
	return Usage{User: inUser, System: total - inUser}, nil
}

// ticks reads utime and stime, see proc_pid_stat(5).
func ticks(pid int) (user, system uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// The command's name may hold spaces and brackets; the fields behind it do not.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat is not understood", pid)
	}
	if user, err = strconv.ParseUint(string(fields[11]), 10, 64); err != nil {
		return 0, 0, err
	}
	system, err = strconv.ParseUint(string(fields[12]), 10, 64)
	return user, system, err
}

// Memory returns the resident memory of a process in bytes.
func Memory(pid int) (int64, error) {
	// statm and status lag behind by up to 64 pages a thread; this one counts.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, fmt.Errorf("the memory of process %d cannot be read: %w", pid, err)
	}
	for line := range bytes.Lines(text) {
		if size, ok := bytes.CutPrefix(line, []byte("Rss:")); ok {
			kib, err := strconv.ParseInt(string(bytes.Fields(size)[0]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/smaps_rollup does not say how much is resident", pid)
}

// Machine returns for how long the machine's cores have worked, and been
// there, since it started; the time that a host took away counts as worked.
func Machine() (worked, all time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	// user nice system idle iowait irq softirq steal; guests are part of user.
	for i, field := range bytes.Fields(line)[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		spent := time.Duration(n) * time.Second / 100
		all += spent
		if i != 3 && i != 4 {
			worked += spent
		}
	}
	return worked, all, nil
}

// Files returns how many descriptors this process may have.
func Files() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}

// Describe says what machine this is.
func Describe() (model, kernel string, memory int64) {
	model = "unknown"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(text) {
			if name, value, ok := bytes.Cut(line, []byte(":")); ok && string(bytes.TrimSpace(name)) == "model name" {
				model = string(bytes.TrimSpace(value))
				break
			}
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		kernel = "Linux " + unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		memory = int64(info.Totalram) * int64(info.Unit)
	}
	return model, kernel, memory
}
