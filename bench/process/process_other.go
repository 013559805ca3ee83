//go:build !linux

package process

import (
	"runtime"
	"time"
)

// CPU cannot be read on this system.
func CPU(int) (Usage, error) { return Usage{}, ErrUnsupported }

// Memory cannot be read on this system.
func Memory(int) (int64, error) { return 0, ErrUnsupported }

// Machine cannot be read on this system.
func Machine() (worked, all time.Duration, err error) { return 0, 0, ErrUnsupported }

// Files is not known on this system.
func Files() int { return 0 }

// Describe knows only the system's name.
func Describe() (model, kernel string, memory int64) {
	return "unknown", runtime.GOOS + "/" + runtime.GOARCH, 0
}
