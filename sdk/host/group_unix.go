//go:build unix

package host

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup gives the process a group of its own: signals of the terminal go to
// the host alone, and the group can be killed as a whole. bound ties it to this
// thread's life, where the system can.
func ownGroup(cmd *exec.Cmd, bound bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if bound {
		dieWithThread(cmd.SysProcAttr)
	}
}

func killGroup(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
