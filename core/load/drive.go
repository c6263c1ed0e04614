package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// drive is what Drive's goroutine needs.
type drive struct {
	*Run
	ctx       context.Context // ends the run at once
	requests  context.Context // ends the requests
	cancel    context.CancelCauseFunc
	sender    Sender
	timer     *time.Timer
	cancels   sync.Once
	cancelled uint64 // were in flight then; set by cancels
	result    Result
	err       error
	lateness  time.Duration // summed
	inLine    time.Duration // summed waits for Open.MaxInFlight
	inSession time.Duration // summed waits for a session's request before
}

// expect says which ends are to wake the driver.
func (r *Run) expect(turns, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turns, r.draining = turns, draining
}

func (d *drive) deadline() stamp.Nanos { return d.result.Start.Add(d.limits.MaxTime) }

// takeFreed returns the turns that ends have brought since the last call.
func (r *Run) takeFreed() []turn {
	r.mu.Lock()
	defer r.mu.Unlock()
	freed := r.freed
	r.freed = nil
	return freed
}

// send hands one request over. It returns false where it was the last.
func (d *drive) send(turn turn) bool {
	if d.isStopped() {
		return false
	}
	ticket := Ticket{N: d.result.Sent, User: turn.user, Arrival: turn.arrival, Intended: turn.at, Waited: turn.waited, Dispatched: d.now()}
	if ticket.Intended > ticket.Dispatched {
		ticket.StartAt = ticket.Intended
	}
	if d.limits.MaxTime > 0 && ticket.sendAt() > d.deadline() {
		d.stopped(StopTime, d.deadline())
		return false
	}
	d.mu.Lock()
	d.inFlight[ticket.N] = owner{turn.user, turn.arrival}
	d.mu.Unlock()
	if err := d.sender.Send(d.requests, ticket); err != nil {
		d.mu.Lock()
		delete(d.inFlight, ticket.N)
		d.mu.Unlock()
		if d.isStopped() {
			return false // the end of the context is no fault of the sender
		}
		d.err = fmt.Errorf("sending request %d: %w", ticket.N, err)
		d.stopped(StopSender, d.now())
		return false
	}
	d.record(ticket)
	if turn.follows {
		d.result.FollowUps++
	}
	if d.limits.MaxRequests > 0 && d.result.Sent == d.limits.MaxRequests {
		d.stopped(StopRequests, d.result.LastSend)
		return false
	}
	return true
}

func (d *drive) record(ticket Ticket) {
	r := &d.result
	if r.Sent == 0 {
		r.FirstSend = ticket.sendAt()
	}
	r.LastSend = max(r.LastSend, ticket.sendAt())
	r.Sent++
	late := ticket.Late()
	d.lateness += late
	r.LateMax = max(r.LateMax, late)
	if late > lateTolerance {
		r.Late++
	}
	if ticket.Waited > 0 {
		r.Waited++
		d.inLine += ticket.Waited
		r.WaitMax = max(r.WaitMax, ticket.Waited)
	}
	d.mu.Lock()
	d.counts.Sent, d.counts.Late, d.counts.Waited = r.Sent, r.Late, r.Waited
	d.mu.Unlock()
}

// isStopped tells whether the run has stopped, noting why where that is new.
func (d *drive) isStopped() bool {
	if d.result.StopReason != "" {
		return true
	}
	d.mu.Lock()
	reason := d.stop
	d.mu.Unlock()
	at := max(d.now(), d.result.LastSend) // what was handed over ahead still goes out
	if d.ctx.Err() != nil {
		reason, at = StopCancelled, d.now()
	}
	if reason != "" {
		d.stopped(reason, at)
	}
	return reason != ""
}

func (d *drive) stopped(reason StopReason, at stamp.Nanos) {
	d.result.StopReason, d.result.StopAt = reason, at
}

// wait returns at a time (0 is never), when a request has ended, or when the
// run is to stop.
func (d *drive) wait(until stamp.Nanos) {
	d.timer.Reset(d.untilThen(until))
	select {
	case <-d.timer.C:
	case <-d.wake:
	case <-d.ctx.Done():
	}
}

func (d *drive) untilThen(until stamp.Nanos) time.Duration {
	if until == 0 {
		return forever
	}
	return max(0, until.Sub(d.now()))
}

// drain waits for the requests in flight, cancels them where they take too
// long, and sums the run up.
func (d *drive) drain() {
	r := &d.result
	d.expect(false, true)
	ended := d.waitForEnds(d.ctx, r.StopAt.Add(d.limits.DrainTimeout))
	if !ended {
		cause := context.Cause(d.ctx)
		if cause == nil {
			cause = ErrDrained
		}
		d.cancelAll(cause)
		r.Cancelled = d.cancelled
		if !d.waitForEnds(context.WithoutCancel(d.ctx), d.now().Add(cancelGrace)) {
			r.Abandoned = d.Counts().InFlight
		}
	}
	r.End = d.now()
	r.Finished = d.Counts().Finished
	if r.Sent > 0 {
		r.LateMean = d.lateness / time.Duration(r.Sent)
	}
	if r.Waited > 0 {
		r.WaitMean = d.inLine / time.Duration(r.Waited)
	}
	if r.SessionWaited > 0 {
		r.SessionWaitMean = d.inSession / time.Duration(r.SessionWaited)
	}
	window := r.StopAt.Sub(r.Start)
	r.Asked = d.engine.asked(window)
	if window > 0 {
		r.Achieved = float64(r.Sent-r.FollowUps) / window.Seconds()
	}
}

// cancelAll ends the requests' context, once, having counted them.
func (d *drive) cancelAll(cause error) {
	d.cancels.Do(func() {
		d.cancelled = d.Counts().InFlight
		d.cancel(cause)
	})
}

// waitForEnds waits until nothing is in flight; false says that the time came
// or ctx ended before.
func (d *drive) waitForEnds(ctx context.Context, until stamp.Nanos) bool {
	for {
		if d.Counts().InFlight == 0 {
			return true
		}
		if ctx.Err() != nil || d.now() >= until {
			return false
		}
		d.timer.Reset(d.untilThen(until))
		select {
		case <-d.timer.C:
		case <-d.wake:
		case <-ctx.Done():
		}
	}
}
