package load

import (
	"errors"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// StopReason says why a run stopped sending.
type StopReason string

// The reasons that the package has itself; Run.Stop may bring others.
const (
	StopRequests    StopReason = "requests"    // Limits.MaxRequests were sent
	StopTime        StopReason = "time"        // Limits.MaxTime was over
	StopSchedule    StopReason = "schedule"    // the last arrival of a Replay was sent
	StopSender      StopReason = "sender"      // nothing could be sent any more
	StopCancelled   StopReason = "cancelled"   // the context ended
	StopInterrupted StopReason = "interrupted" // for Run.Stop: the user wants an end
)

// ErrDrained is the cause of the requests' end where they outlasted the drain.
var ErrDrained = errors.New("the run ended before the answer did")

// Result is what a run was, in time and number.
type Result struct {
	Start     stamp.Nanos // the schedule's zero
	RampEnd   stamp.Nanos // when the load was to be whole; 0 where there was no ramp
	FirstSend stamp.Nanos // when the first request was due or, if later, handed over; 0 where none was
	LastSend  stamp.Nanos // the same of the last
	// StopAt is the end of the sending: the time limit, the last send of a run
	// limited by number, or when it was stopped; later, where requests had been
	// handed over ahead of their time then.
	StopAt     stamp.Nanos
	StopReason StopReason
	// End is when the last answer had ended or was given up. It may lie before
	// StopAt, where the time limit came after all arrivals and answers.
	End stamp.Nanos

	Sent      uint64
	Finished  uint64 // reported by Done, however they ended
	Cancelled uint64 // were in flight when the drain was over
	Abandoned uint64 // of those, never reported
	// Missed arrivals of the open loop were due before the time limit and not
	// sent before it: the client could not keep up.
	Missed uint64

	// Waited arrivals of the open loop found Open.MaxInFlight requests in flight;
	// they were sent after a wait of WaitMean on average and WaitMax at most.
	// Unsent ones still stood in line when the run stopped; they are not Missed.
	Waited            uint64
	WaitMean, WaitMax time.Duration
	Unsent            uint64

	// SessionWaited requests of a Replay were due before the request of their
	// session before them had ended, and were sent when it had: so much later than
	// the recording has it. SessionUnsent ones were still held back when the run
	// stopped.
	SessionWaited                   uint64
	SessionWaitMean, SessionWaitMax time.Duration
	SessionUnsent                   uint64

	// FollowUps are the requests of Open with Sessions that went on with a
	// session; Asked and Achieved leave them out.
	FollowUps uint64

	Asked    float64 // requests per second, on average of that time; 0 for the closed loops
	Achieved float64 // requests per second sent, from Start to StopAt

	// Lateness is from intended to handed over, waits in line left out. Late
	// counts those of more than a millisecond.
	Late              uint64
	LateMean, LateMax time.Duration
}
