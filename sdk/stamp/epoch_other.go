//go:build !(linux || darwin || freebsd)

package stamp

import "time"

// tieEpoch counts from the wall clock at the start of the process: moments of
// two processes agree as well as the wall clock was steady between their starts.
func tieEpoch() epochTie {
	at := time.Now()
	return epochTie{at: at, mono: Nanos(at.UnixNano())}
}
