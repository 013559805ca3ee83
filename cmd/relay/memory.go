package main

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// Where a container sees the limit of its control group: version 2, then 1.
var memoryLimitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// noMemoryLimit is beyond any machine: version 1 says "none" by a number that
// depends on the size of a page.
const noMemoryLimit = 1 << 60

// memoryLimit is what the container of this process may use, in bytes; +Inf if
// nobody says. It is read each time, because a limit can be changed in place.
func memoryLimit() float64 { return memoryLimitIn(memoryLimitFiles) }

func memoryLimitIn(files []string) float64 {
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && limit < noMemoryLimit {
			return float64(limit)
		}
		return math.Inf(1) // "max", or as good as none
	}
	return math.Inf(1)
}
