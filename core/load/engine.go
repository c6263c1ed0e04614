package load

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/genai-bench/genai-bench/core/seeded"
)

// Engine is one of Users, Closed and Open.
type Engine interface {
	// check tells what is wrong with the engine's settings.
	check() error
	// asked is the rate that the engine asks for, requests per second; 0 where
	// it asks for none.
	asked() float64
}

// Users sends from a number of users.
type Users struct {
	Count     int
	SpawnRate float64 // users a second; 0 is all at once
}

// Closed keeps a number of requests in flight.
type Closed struct{ Concurrency int }

// Open sends at a rate.
type Open struct {
	Rate         float64 // requests a second, on average
	Distribution Distribution
	Seed         uint64
}

// Distribution is how the times between two arrivals of an open loop are
// distributed. Their mean is 1/rate.
type Distribution string

// The distributions, by their names in --distribution.
const (
	Exponential Distribution = "exponential" // a Poisson process: independent clients without number
	Uniform     Distribution = "uniform"     // from 0 to twice the mean
	Constant    Distribution = "constant"    // always the mean
)

func (u Users) check() error {
	switch {
	case u.Count < 1:
		return fmt.Errorf("the number of users is %d and must be at least 1", u.Count)
	case !(u.SpawnRate >= 0) || math.IsInf(u.SpawnRate, 0):
		return fmt.Errorf("the spawn rate is %v and must be a number of users a second, or 0 for all at once", u.SpawnRate)
	}
	return nil
}

func (c Closed) check() error {
	if c.Concurrency < 1 {
		return fmt.Errorf("the concurrency is %d and must be at least 1", c.Concurrency)
	}
	return nil
}

func (o Open) check() error {
	switch {
	case !(o.Rate > 0) || math.IsInf(o.Rate, 0):
		return fmt.Errorf("the rate is %v and must be more than 0 requests a second", o.Rate)
	case o.Distribution != Exponential && o.Distribution != Uniform && o.Distribution != Constant:
		return fmt.Errorf("unknown distribution %q (there are %s, %s, %s)", o.Distribution, Exponential, Uniform, Constant)
	}
	return nil
}

func (u Users) asked() float64  { return 0 }
func (c Closed) asked() float64 { return 0 }
func (o Open) asked() float64   { return o.Rate }

// SpawnOffset returns when user j (from 0) begins, from the start of the run.
// Users come as locust spawns them: floor(rate) at a time, at least one, in
// groups as far apart as keeps the rate; all at once where the rate is their
// number or more.
func (u Users) SpawnOffset(j int) time.Duration {
	if u.SpawnRate == 0 || u.SpawnRate >= float64(u.Count) {
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

// Arrivals walks through an open loop's schedule. Its n-th value is a pure
// function of rate, distribution, seed and n.
type Arrivals struct {
	open   Open
	stream seeded.Stream
	mean   float64 // nanoseconds
	n      uint64
	sum    time.Duration
	carry  float64 // what rounding has left of the times so far, in [0, 1) nanoseconds
}

// Arrivals returns the schedule from its beginning.
func (o Open) Arrivals() *Arrivals {
	return &Arrivals{open: o, stream: seeded.New(o.Seed, "arrivals"), mean: 1e9 / o.Rate}
}

// Gap returns the time before arrival n (from 0) as a multiple of the mean.
func (a *Arrivals) Gap(n uint64) float64 {
	switch a.open.Distribution {
	case Uniform:
		return 2 * a.stream.Float64(n)
	case Exponential:
		return -math.Log1p(-a.stream.Float64(n))
	}
	return 1
}

// Next returns when the next request is due, from the start of the run. The
// first is due after the first gap, so that a time T holds rate·T arrivals on
// average. Times are in whole nanoseconds, rounded down; what is cut off is
// carried into the next gap, so that nothing drifts.
func (a *Arrivals) Next() time.Duration {
	n := a.n
	a.n++
	if a.open.Distribution == Constant {
		return saturate(math.Round(float64(n+1) * 1e9 / a.open.Rate))
	}
	exact := a.Gap(n)*a.mean + a.carry
	whole := math.Floor(exact)
	a.carry = exact - whole
	if step := saturate(whole); step > forever-a.sum {
		a.sum = forever
	} else {
		a.sum += step
	}
	return a.sum
}

// Limits end a run. At least one of MaxTime and MaxRequests is needed.
type Limits struct {
	MaxTime     time.Duration // from the start; 0 is no limit
	MaxRequests uint64        // exactly so many are sent; 0 is no limit
	// DrainTimeout is how long requests in flight may take once the run has
	// stopped; 0 cancels them at once.
	DrainTimeout time.Duration
}

func (l Limits) check() error {
	switch {
	case l.MaxTime < 0 || l.DrainTimeout < 0:
		return errors.New("a time limit is negative")
	case l.MaxTime == 0 && l.MaxRequests == 0:
		return errors.New("a run needs an end: a time limit, a number of requests, or both (--max-time-per-run, --max-requests-per-run)")
	}
	return nil
}
