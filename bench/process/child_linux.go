package process

import "syscall"

// attributes put a child into a process group of its own, so that an
// interrupt at the terminal comes to the load tester alone, which then ends
// its children in order; and should it be killed, they end too.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
