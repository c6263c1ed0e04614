//go:build !linux

package stamp

import "time"

// alarm has nothing more precise than Go's timers here: it rings early by as
// much as these may be late, and the caller spins.
type alarm struct{}

func newAlarm() (*alarm, error) { return &alarm{}, nil }

func (*alarm) wait(at Nanos) {
	if left := at.Sub(Now()) - time.Millisecond; left > 0 {
		time.Sleep(left)
	}
}

func (*alarm) close() {}
