package load

import (
	"errors"
	"fmt"
	"time"
)

// Replay sends at recorded times, once each, whatever the server does: an open
// loop whose schedule is a trace.
type Replay struct {
	Offsets []time.Duration // from the start, in order; it is not changed
	// Sessions are the session that each arrival belongs to, a number from 0, or
	// -1 for none; nil: there are none. The requests of a session keep their
	// order: one is not sent before the one before has ended, however slow the
	// server is. Nobody could ask a question about an answer that is not there.
	Sessions    []int
	MaxInFlight int // as of Open
}

func (r Replay) session(arrival uint64) int { return r.Sessions[arrival] }

func (r Replay) check() error {
	switch {
	case len(r.Offsets) == 0:
		return errors.New("the schedule has no arrival")
	case r.MaxInFlight < 0:
		return fmt.Errorf("the limit of requests in flight is %d and must be at least 1, or 0 for none", r.MaxInFlight)
	}
	if r.Sessions != nil && len(r.Sessions) != len(r.Offsets) {
		return fmt.Errorf("the schedule has %d arrivals and says the session of %d", len(r.Offsets), len(r.Sessions))
	}
	last := time.Duration(0)
	for i, offset := range r.Offsets {
		if offset < last || offset == forever {
			return fmt.Errorf("arrival %d of the schedule is due at %v, after one at %v", i, offset, last)
		}
		last = offset
	}
	return nil
}

// asked is how many arrivals the time has, by its length; what comes after the
// last one was not asked for.
func (r Replay) asked(window time.Duration) float64 {
	if window <= 0 {
		return 0
	}
	n := 0
	for n < len(r.Offsets) && r.Offsets[n] <= window {
		n++
	}
	return float64(n) / window.Seconds()
}

func (r Replay) rampEnd() time.Duration { return 0 }

func (r Replay) arrivals() schedule { return &replaying{offsets: r.Offsets} }

type replaying struct{ offsets []time.Duration }

func (r *replaying) Next() time.Duration {
	if len(r.offsets) == 0 {
		return forever
	}
	next := r.offsets[0]
	r.offsets = r.offsets[1:]
	return next
}
