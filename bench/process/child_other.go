//go:build !linux

package process

import "syscall"

// attributes are the system's own.
func attributes() *syscall.SysProcAttr { return nil }
