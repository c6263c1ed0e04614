package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// DefaultLead is how long before its time a request is handed over, where that
// time is known ahead: enough for a hop between processes and a connection to
// be made, within the second that the contract allows.
const DefaultLead = 250 * time.Millisecond

// slice is how much of the schedule is handed over at a time. It keeps the
// wake-ups of a fast schedule few and its bursts small.
const slice = 10 * time.Millisecond

// cancelGrace is how long cancelled requests may take to be reported.
const cancelGrace = 5 * time.Second

// lateTolerance is what may pass between intended and dispatched before a
// request counts as late.
const lateTolerance = time.Millisecond

// Sender takes requests to whoever sends them.
type Sender interface {
	// Send hands a request over and returns; it never waits for the answer. Run
	// calls it from one goroutine, with N counting up from 0. The sender calls
	// Run.Done(ticket.N) exactly once when the request has ended, however it
	// ended; it may do so before Send returns.
	//
	// ctx is the same for all requests of a run. When it ends, what has not
	// ended is to be cancelled and reported as Done soon.
	//
	// An error means that nothing can be sent any more: the run stops, and Done
	// is not called for this ticket.
	Send(ctx context.Context, ticket Ticket) error
}

// Ticket is the permission to send one request.
type Ticket struct {
	N    uint64 // counts the requests of the run, from 0
	User int    // Users, Closed: whose turn it is, from 0; Open: 0
	// Intended is when the schedule wants the request sent: the arrival, the
	// spawning of the user, or the end of the user's answer before.
	Intended stamp.Nanos
	// StartAt is when it shall be sent; 0 is at once.
	StartAt stamp.Nanos
	// Dispatched is when it was handed over: before Intended where that was
	// known ahead.
	Dispatched stamp.Nanos
}

// Late returns how late the request was handed over; 0 where it was in time.
func (t Ticket) Late() time.Duration { return max(0, t.Dispatched.Sub(t.Intended)) }

// sendAt is when the request is sent if nothing after the dispatch holds it up.
func (t Ticket) sendAt() stamp.Nanos { return max(t.Intended, t.Dispatched) }

// Options are for tests and the unusual.
type Options struct {
	Now  func() stamp.Nanos // nil is stamp.Now
	Lead time.Duration      // 0 is DefaultLead, negative is none
	// Begin is how long after Drive the schedule begins. With a lead's time the
	// first requests, too, are with their workers and have their connections
	// when they are due.
	Begin time.Duration
}

// Run is one engine at work, once. Done, Stop and Counts may be called from any
// goroutine.
type Run struct {
	engine Engine
	limits Limits
	now    func() stamp.Nanos
	lead   time.Duration
	begin  time.Duration

	wake chan struct{} // something below has changed; never blocks

	mu       sync.Mutex
	inFlight map[uint64]int // N to user
	freed    []turn         // while turns is set
	turns    bool           // an end is somebody's turn
	draining bool
	stop     StopReason // what Stop was told; "" while it was not called
	counts   Counts
	driven   bool
}

// turn is a user that may send.
type turn struct {
	user int
	at   stamp.Nanos // since when
}

// Counts are a run's figures at a moment.
type Counts struct {
	Sent     uint64
	Finished uint64
	InFlight uint64
	Late     uint64 // handed over more than a millisecond after their time
}

// New checks the settings and returns a run that has not begun.
func New(engine Engine, limits Limits, options Options) (*Run, error) {
	if err := engine.check(); err != nil {
		return nil, err
	}
	if err := limits.check(); err != nil {
		return nil, err
	}
	r := &Run{
		engine: engine, limits: limits, now: options.Now, lead: max(0, options.Lead), begin: max(0, options.Begin),
		wake: make(chan struct{}, 1), inFlight: make(map[uint64]int),
	}
	if r.now == nil {
		r.now = stamp.Now
	}
	if options.Lead == 0 {
		r.lead = DefaultLead
	}
	return r, nil
}

// Done reports that request n has ended. It returns false where no such
// request is in flight, which is a fault of the sender and changes nothing.
func (r *Run) Done(n uint64) bool {
	at := r.now()
	r.mu.Lock()
	user, ok := r.inFlight[n]
	if ok {
		delete(r.inFlight, n)
		r.counts.Finished++
		if r.turns {
			r.freed = append(r.freed, turn{user, at})
		}
	}
	// An open loop need not be woken by every answer.
	wake := r.turns || r.draining && len(r.inFlight) == 0
	r.mu.Unlock()
	if ok && wake {
		r.signal()
	}
	return ok
}

// Stop ends the sending; requests in flight are drained. The first reason
// counts.
func (r *Run) Stop(reason StopReason) {
	r.mu.Lock()
	if r.stop == "" {
		r.stop = reason
	}
	r.mu.Unlock()
	r.signal()
}

// Counts returns the figures so far.
func (r *Run) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts
	c.InFlight = uint64(len(r.inFlight))
	return c
}

func (r *Run) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Drive sends the requests, waits for their ends and returns what happened.
// It is called once. When ctx ends, nothing more is sent and what is in flight
// is cancelled.
func (r *Run) Drive(ctx context.Context, sender Sender) (Result, error) {
	r.mu.Lock()
	again := r.driven
	r.driven = true
	r.mu.Unlock()
	if again {
		return Result{}, errors.New("a run is driven once")
	}
	requests, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	d := &drive{Run: r, ctx: ctx, requests: requests, cancel: cancel, sender: sender, timer: time.NewTimer(forever)}
	defer d.timer.Stop()
	// A sender that blocks must hear of the end too, so drain is not enough.
	defer context.AfterFunc(ctx, func() { d.cancelAll(context.Cause(ctx)) })()
	d.result.Asked = r.engine.asked()
	d.result.Start = r.now().Add(r.begin)
	switch engine := r.engine.(type) {
	case Open:
		d.open(engine)
	case Users:
		d.users(engine)
	case Closed:
		d.users(Users{Count: engine.Concurrency})
	default:
		return Result{}, fmt.Errorf("unknown engine %T", r.engine)
	}
	d.drain()
	return d.result, d.err
}

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
}

// open sends arrivals until a limit is reached or the run is stopped.
func (d *drive) open(engine Open) {
	arrivals := engine.Arrivals()
	for next := arrivals.Next(); ; next = arrivals.Next() {
		due := d.result.Start.Add(next)
		if d.limits.MaxTime > 0 && next > d.limits.MaxTime {
			d.stopped(StopTime, d.result.Start.Add(d.limits.MaxTime))
			return
		}
		if !d.waitForTurn(due) || !d.send(turn{0, due}) {
			for d.result.StopReason == StopTime && next <= d.limits.MaxTime {
				d.result.Missed++
				next = arrivals.Next()
			}
			return
		}
	}
}

// waitForTurn waits until a request due at a time is to be handed over. It
// returns false where the run stopped instead.
func (d *drive) waitForTurn(due stamp.Nanos) bool {
	for {
		if d.isStopped() {
			return false
		}
		if due.Sub(d.now()) <= d.lead {
			return true
		}
		d.wait(due.Add(-max(0, d.lead-slice)))
	}
}

// users sends for users, each when it is spawned and when its answer ended.
func (d *drive) users(engine Users) {
	d.expect(true, false)
	spawned := 0
	for !d.isStopped() {
		now := d.now()
		if d.limits.MaxTime > 0 && now >= d.deadline() {
			d.stopped(StopTime, d.deadline())
			return
		}
		for _, turn := range d.takeFreed() {
			if !d.send(turn) {
				return
			}
		}
		until := stamp.Nanos(0)
		for spawned < engine.Count && until == 0 {
			due := d.result.Start.Add(engine.SpawnOffset(spawned))
			switch {
			case d.limits.MaxTime > 0 && due >= d.deadline():
				spawned = engine.Count // those never come
			case due.Sub(now) > d.lead:
				until = due.Add(-d.lead)
			case !d.send(turn{spawned, due}):
				return
			default:
				spawned++
			}
		}
		if d.limits.MaxTime > 0 && (until == 0 || until > d.deadline()) {
			until = d.deadline()
		}
		d.wait(until)
	}
}

// expect says which ends are to wake the driver.
func (r *Run) expect(turns, draining bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turns, r.draining = turns, draining
}

func (d *drive) deadline() stamp.Nanos { return d.result.Start.Add(d.limits.MaxTime) }

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
	ticket := Ticket{N: d.result.Sent, User: turn.user, Intended: turn.at, Dispatched: d.now()}
	if ticket.Intended > ticket.Dispatched {
		ticket.StartAt = ticket.Intended
	}
	if d.limits.MaxTime > 0 && ticket.sendAt() > d.deadline() {
		d.stopped(StopTime, d.deadline())
		return false
	}
	d.mu.Lock()
	d.inFlight[ticket.N] = turn.user
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
	d.mu.Lock()
	d.counts.Sent, d.counts.Late = r.Sent, r.Late
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
	if d.ctx.Err() != nil {
		reason = StopCancelled
	}
	if reason != "" {
		d.stopped(reason, d.now())
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
	if window := r.StopAt.Sub(r.Start); window > 0 {
		r.Achieved = float64(r.Sent) / window.Seconds()
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
