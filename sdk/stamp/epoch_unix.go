//go:build linux || darwin || freebsd

package stamp

import (
	"time"

	"golang.org/x/sys/unix"
)

// tieEpoch reads Go's clock between two readings of the host's and keeps the
// try in which these lay closest together.
func tieEpoch() epochTie {
	var best epochTie
	narrowest := int64(1<<63 - 1)
	for range 25 {
		var before, after unix.Timespec
		err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
		at := time.Now()
		if err == nil {
			err = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
		}
		if err != nil {
			return epochTie{at: at, mono: Nanos(at.UnixNano())}
		}
		if width := after.Nano() - before.Nano(); width < narrowest {
			narrowest = width
			best = epochTie{at: at, mono: Nanos(before.Nano() + width/2)}
		}
	}
	return best
}
