//go:build unix && !solaris && !illumos && !aix

package hub

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock of an open file, as Python's filelock does. The kernel
// gives it back when the process ends, however it ends, so that no lock is ever
// stale. supported is false where the file system knows no locks.
func tryLock(f *os.File) (locked, supported bool) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return true, true
	case errors.Is(err, unix.EWOULDBLOCK), errors.Is(err, unix.EINTR):
		return false, true
	}
	return false, false
}
