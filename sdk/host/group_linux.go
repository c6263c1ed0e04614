package host

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithThread makes the kernel kill the process when this thread ends, at the
// latest with the host. The lease does the same for a plugin that reads it;
// this is for one that is stopped or stuck.
func dieWithThread(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// reap waits for the end of the process, and kills what is left of its group
// before it takes the process out of the table: until then the number cannot be
// another's.
func (c *child) reap() {
	for unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = killGroup(c.cmd.Process)
	c.exit = c.cmd.Wait()
	c.reaped = true
}
