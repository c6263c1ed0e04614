package load

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Engine is one of Users, Closed, Open and Replay.
type Engine interface {
	// check tells what is wrong with the engine's settings.
	check() error
	// asked is the rate that the engine asks for on average of a time from its
	// start, requests per second; 0 where it asks for none.
	asked(window time.Duration) float64
	// rampEnd is when its load is whole, from its start; 0 where it is at once.
	rampEnd() time.Duration
}

// Users sends from a number of users.
type Users struct {
	Count int
	// SpawnRate is how many users come a second, in groups, as locust has it;
	// Ramp is over what time they come one by one. Neither: all at once.
	SpawnRate float64
	Ramp      time.Duration
	Think     Think  // between an answer and the user's next request
	Seed      uint64 // of the think times
}

// Closed keeps a number of requests in flight, or as many users busy.
type Closed struct {
	Concurrency int
	Ramp        time.Duration // as of Users
	Think       Think
	Seed        uint64
}

// Open sends at a rate.
type Open struct {
	Rate         float64 // requests a second, on average; at the end of a ramp
	Distribution Distribution
	// Burstiness is the shape of Gamma: more than 0; 1 is Exponential, less has
	// more bursts, +Inf is Constant.
	Burstiness float64
	Ramp       RateRamp
	// MaxInFlight is how many requests may be in flight. Arrivals that find so
	// many wait in order for one to end. 0 is no limit, as an open loop should
	// have it.
	MaxInFlight int
	// Sessions lets the requests of the schedule begin sessions: a request that is
	// reported by Run.DoneAfter is followed by another of the same session, after
	// the pause. Rate is that of the beginnings.
	Sessions bool
	Seed     uint64
}

func (u Users) check() error {
	switch {
	case u.Count < 1:
		return fmt.Errorf("the number of users is %d and must be at least 1", u.Count)
	case !(u.SpawnRate >= 0) || math.IsInf(u.SpawnRate, 0):
		return fmt.Errorf("the spawn rate is %v and must be a number of users a second, or 0 for all at once", u.SpawnRate)
	case u.Ramp < 0:
		return fmt.Errorf("the ramp of users is %v and must not be negative", u.Ramp)
	case u.Ramp > 0 && u.SpawnRate > 0:
		return errors.New("users come by a spawn rate or over a ramp, not both")
	}
	return u.Think.check()
}

func (c Closed) check() error {
	if c.Concurrency < 1 {
		return fmt.Errorf("the concurrency is %d and must be at least 1", c.Concurrency)
	}
	return c.users().check()
}

// users is the same load as one of users.
func (c Closed) users() Users {
	return Users{Count: c.Concurrency, Ramp: c.Ramp, Think: c.Think, Seed: c.Seed}
}

func (o Open) check() error {
	switch {
	case !(o.Rate > 0) || math.IsInf(o.Rate, 0):
		return fmt.Errorf("the rate is %v and must be more than 0 requests a second", o.Rate)
	case o.Distribution != Exponential && o.Distribution != Uniform && o.Distribution != Constant && o.Distribution != Gamma:
		return fmt.Errorf("unknown distribution %q (there are %s, %s, %s, %s)", o.Distribution, Exponential, Uniform, Constant, Gamma)
	case o.Distribution == Gamma && !(o.Burstiness > 0):
		return fmt.Errorf("the burstiness is %v and must be more than 0", o.Burstiness)
	case o.MaxInFlight < 0:
		return fmt.Errorf("the limit of requests in flight is %d and must be at least 1, or 0 for none", o.MaxInFlight)
	}
	return o.Ramp.check()
}

func (u Users) asked(time.Duration) float64  { return 0 }
func (c Closed) asked(time.Duration) float64 { return 0 }
func (o Open) asked(window time.Duration) float64 {
	if o.Ramp.Over == 0 || window <= 0 {
		return o.Rate
	}
	return o.Expected(window) / window.Seconds()
}

func (u Users) rampEnd() time.Duration {
	if u.Ramp > 0 {
		return u.Ramp
	}
	return u.SpawnOffset(u.Count - 1)
}
func (c Closed) rampEnd() time.Duration { return c.Ramp }
func (o Open) rampEnd() time.Duration   { return o.Ramp.Over }

// SpawnOffset returns when user j (from 0) begins, from the start of the run.
// With a spawn rate users come as locust spawns them: floor(rate) at a time, at
// least one, in groups as far apart as keeps the rate; all at once where the
// rate is their number or more. Over a ramp they come one by one, the first at
// once, as far apart as the ramp divided by their number.
func (u Users) SpawnOffset(j int) time.Duration {
	switch {
	case u.Ramp > 0:
		return saturate(math.Round(float64(u.Ramp) * float64(j) / float64(u.Count)))
	case u.SpawnRate == 0 || u.SpawnRate >= float64(u.Count):
		return 0
	}
	group := max(1, int(u.SpawnRate))
	return saturate(math.Round(float64(j/group*group) / u.SpawnRate * 1e9))
}

// forever is later than any run lasts.
const forever = time.Duration(math.MaxInt64)

// saturate turns nanoseconds into a duration, forever where they are too many.
func saturate(ns float64) time.Duration {
	if ns >= float64(math.MaxInt64) {
		return forever
	}
	return time.Duration(ns)
}

// Limits end a run. At least one of MaxTime and MaxRequests is needed, except
// with Replay, which ends by itself.
type Limits struct {
	MaxTime     time.Duration // from the start; 0 is no limit
	MaxRequests uint64        // exactly so many are sent; 0 is no limit
	// DrainTimeout is how long requests in flight may take once the run has
	// stopped; 0 cancels them at once.
	DrainTimeout time.Duration
}

func (l Limits) check(engine Engine) error {
	_, ends := engine.(Replay)
	switch {
	case l.MaxTime < 0 || l.DrainTimeout < 0:
		return errors.New("a time limit is negative")
	case l.MaxTime == 0 && l.MaxRequests == 0 && !ends:
		return errors.New("a run needs an end: a time limit, a number of requests, or both (--max-time-per-run, --max-requests-per-run)")
	}
	return nil
}
