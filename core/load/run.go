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
	N uint64 // counts the requests of the run, from 0
	// User is whose turn it is: for Users and Closed the user, from 0; for Open
	// with Sessions the number of the arrival that began the session, from 0; for
	// Replay the session, or -1; else 0.
	User int
	// Arrival is the number in the schedule, from 0, of the open loops' requests;
	// for one that goes on with a session, of that session's first.
	Arrival uint64
	// Intended is when the schedule wants the request sent: the arrival, the
	// spawning of the user, or the end of the user's answer before and of the
	// thinking that follows it. For a request of a recorded session it is no
	// earlier than the end of the session's request before.
	Intended stamp.Nanos
	// Waited is how long from Intended the arrival stood in line for
	// Open.MaxInFlight: until a request ended whose place it took.
	Waited time.Duration
	// StartAt is when it shall be sent; 0 is at once.
	StartAt stamp.Nanos
	// Dispatched is when it was handed over: before Intended where that was
	// known ahead.
	Dispatched stamp.Nanos
}

// Late returns how late the client handed the request over; 0 where it was in
// time. Waiting in line is none of the client's lateness.
func (t Ticket) Late() time.Duration { return max(0, t.Dispatched.Sub(t.Intended)-t.Waited) }

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
	inFlight map[uint64]owner // by N
	freed    []turn           // while turns is set
	turns    bool             // an end is somebody's turn: a user's, or the next in line's
	draining bool
	stop     StopReason // what Stop was told; "" while it was not called
	counts   Counts
	driven   bool
}

// turn is a user that may send, or an arrival.
type turn struct {
	user    int
	arrival uint64
	at      stamp.Nanos   // since when
	waited  time.Duration // of an arrival: as of Ticket
	order   uint64        // in the agenda
	pause   time.Duration // where paused: in place of thinking
	paused  bool
	follows bool // goes on with a session of an open loop
	// released was held back until its session's request before had ended.
	released bool
}

// owner is whose a request in flight is.
type owner struct {
	user    int
	arrival uint64
}

// Counts are a run's figures at a moment.
type Counts struct {
	Sent     uint64
	Finished uint64
	InFlight uint64
	Late     uint64 // handed over more than a millisecond after their time
	Waited   uint64 // stood in line for Open.MaxInFlight
}

// New checks the settings and returns a run that has not begun.
func New(engine Engine, limits Limits, options Options) (*Run, error) {
	if err := engine.check(); err != nil {
		return nil, err
	}
	if err := limits.check(engine); err != nil {
		return nil, err
	}
	r := &Run{
		engine: engine, limits: limits, now: options.Now, lead: max(0, options.Lead), begin: max(0, options.Begin),
		wake: make(chan struct{}, 1), inFlight: make(map[uint64]owner),
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
func (r *Run) Done(n uint64) bool { return r.done(n, turn{}) }

// DoneAfter is Done where the request's user goes on after a pause of the
// caller's choice in place of the engine's think time: within a conversation,
// say. It is for Users, Closed and Open with Sessions.
func (r *Run) DoneAfter(n uint64, pause time.Duration) bool {
	return r.done(n, turn{pause: pause, paused: true})
}

func (r *Run) done(n uint64, next turn) bool {
	next.at = r.now()
	r.mu.Lock()
	of, ok := r.inFlight[n]
	if ok {
		delete(r.inFlight, n)
		r.counts.Finished++
		if r.turns {
			next.user, next.arrival = of.user, of.arrival
			r.freed = append(r.freed, next)
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

// Stop ends the sending; requests in flight are drained, and so are those that
// were handed over ahead of their time. The first reason counts.
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
	d.result.Start = r.now().Add(r.begin)
	if ramp := r.engine.rampEnd(); ramp > 0 {
		d.result.RampEnd = d.result.Start.Add(ramp)
	}
	switch engine := r.engine.(type) {
	case Open:
		if engine.Sessions {
			d.sessions(engine.Arrivals(), beginsSession, engine.MaxInFlight)
		} else {
			d.open(engine.Arrivals(), engine.MaxInFlight)
		}
	case Replay:
		if engine.Sessions != nil {
			d.sessions(engine.arrivals(), engine.session, engine.MaxInFlight)
		} else {
			d.open(engine.arrivals(), engine.MaxInFlight)
		}
	case Users:
		d.users(engine)
	case Closed:
		d.users(engine.users())
	default:
		return Result{}, fmt.Errorf("unknown engine %T", r.engine)
	}
	d.drain()
	return d.result, d.err
}
