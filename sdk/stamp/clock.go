package stamp

import (
	"fmt"
	"time"
)

// epoch ties Go's monotonic clock, which has no zero that other processes
// share, to the host's. It is set once and never changes.
var epoch = tieEpoch()

type epochTie struct {
	at   time.Time // with its monotonic reading
	mono Nanos     // the host's monotonic clock at that moment
}

// Now reads the host's monotonic clock. Processes of one host agree to within
// a fraction of a microsecond on Linux.
func Now() Nanos { return epoch.mono + Nanos(time.Since(epoch.at)) }

// Of converts a time that still has its monotonic reading, as time.Now gives.
func Of(t time.Time) Nanos { return epoch.mono + Nanos(t.Sub(epoch.at)) }

// Time converts a moment to a time.Time with a monotonic reading, for
// deadlines.
func (n Nanos) Time() time.Time { return epoch.at.Add(time.Duration(n - epoch.mono)) }

// Selection is the outcome of Select.
type Selection struct {
	Clock Clock
	Note  string // how to get a better clock; "" where this version has none
}

// Select answers a wish for a clock: "auto" (or "") is the best that works
// here, else the name of one. auto takes packets only where the host has given
// this process a socket for them; a process that may open its own, as root may,
// asks by name. The error is one line that says what to ask for instead.
func Select(wish string) (Selection, error) {
	refused := kernelStamps()
	switch wish {
	case "", "auto":
		if refused != nil {
			return Selection{ClockUser, fmt.Sprintf("arrivals are stamped when they are read: %v", refused)}, nil
		}
		if InheritedPackets() {
			return Selection{Clock: ClockPacket}, nil
		}
		return Selection{Clock: ClockSocket}, nil
	case ClockUser.String():
		s := Selection{Clock: ClockUser}
		if refused == nil {
			s.Note = "the clock auto would use the kernel's receive stamps"
		}
		return s, nil
	case ClockSocket.String():
		if refused != nil {
			return Selection{}, fmt.Errorf("the clock socket does not work here: %w (use auto or user)", refused)
		}
		return Selection{Clock: ClockSocket}, nil
	case ClockPacket.String():
		if refused == nil {
			refused = packetsRefused()
		}
		if refused != nil {
			return Selection{}, fmt.Errorf("the clock packet does not work here: %w (use auto)", refused)
		}
		return Selection{Clock: ClockPacket}, nil
	}
	return Selection{}, fmt.Errorf("unknown clock %q (use auto, packet, socket or user)", wish)
}
