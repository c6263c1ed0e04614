//go:build unix

package host

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketDirPrefix = "gbp-" // short, because a socket's path must be
	lockName        = "genai-bench.lock"

	// socketPathMax is the shortest limit of the systems (macOS: 104 bytes with
	// the final zero). go-plugin adds two names of its own to our folder.
	socketPathMax = 103
	socketNames   = len("/" + socketDirPrefix + "0123456789/plugin-dir0123456789/plugin0123456789")

	// A folder younger than this may belong to a host that has not locked it
	// yet.
	sweepAge = time.Minute
)

// socketDir is a folder that only this user can enter, with the plugin's socket
// and a lock that this process holds as long as it lives.
type socketDir struct {
	path string
	lock *os.File
}

// newSocketDir makes a folder below base, and removes those of hosts that died.
// With base "" it is the system's temporary folder, or /tmp where that one's
// path is too long for a socket.
func newSocketDir(base string) (*socketDir, error) {
	given := base != ""
	if !given {
		base = os.TempDir()
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return nil, err
	}
	if len(base)+socketNames > socketPathMax {
		const short = "/tmp"
		if info, err := os.Stat(short); given || err != nil || !info.IsDir() {
			return nil, &tooLongError{base}
		}
		base = short
	}
	sweep(base)
	path, err := os.MkdirTemp(base, socketDirPrefix) // mode 0700
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		_ = os.RemoveAll(path)
		return nil, err
	}
	return &socketDir{path: path, lock: lock}, nil
}

type tooLongError struct{ base string }

func (e *tooLongError) Error() string {
	return "the path " + e.base + " is too long to hold a socket (set TMPDIR to a short path)"
}

func (d *socketDir) remove() {
	_ = os.RemoveAll(d.path)
	_ = d.lock.Close()
}

// sweep removes the folders of hosts that were killed. Their lock is free; a
// process number would not do, because containers share folders but not
// numbers.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), socketDirPrefix) {
			continue
		}
		info, err := entry.Info()
		if err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		path := filepath.Join(base, entry.Name())
		lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
		if err != nil {
			continue // another user's, or not one of ours
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(path)
		}
		_ = lock.Close()
	}
}
