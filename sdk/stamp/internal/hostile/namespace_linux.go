package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideEnv tells the second run of a test program that it is the inner one.
const insideEnv = "GENAI_BENCH_TEST_NETNS"

// Main runs a package's tests in a network namespace of their own, by running
// the test program again. Where that is refused the tests run outside, and Open
// skips or fails them.
func Main(m *testing.M) int {
	if os.Getenv(insideEnv) != "" {
		return m.Run()
	}
	inner, err := again()
	if err == nil {
		err = inner.Run()
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	}
	fmt.Fprintf(os.Stderr, "no network namespace of its own for the tests: %v\n", err)
	return m.Run()
}

// again is this program, to be started in a new network namespace. Without
// root it is root of a user namespace, which is enough where that is allowed.
func again() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread() // the death signal is tied to the thread that starts the process
	inner := exec.Command(self, os.Args[1:]...)
	inner.Env = append(os.Environ(), insideEnv+"=1")
	inner.Stdin, inner.Stdout, inner.Stderr = os.Stdin, os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		inner.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		inner.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		inner.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return inner, nil
}

// Inside tells whether the tests run in a network namespace of their own.
func Inside() bool { return os.Getenv(insideEnv) != "" }
