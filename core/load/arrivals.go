package load

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/genai-bench/genai-bench/core/seeded"
)

// Distribution is how times are distributed: those between two arrivals of an
// open loop, whose mean is 1/rate, and those that users think.
type Distribution string

// The distributions, by their names in --distribution and --think-time.
const (
	Exponential Distribution = "exponential" // of arrivals: a Poisson process, independent clients without number
	Uniform     Distribution = "uniform"     // of arrivals: from 0 to twice the mean
	Constant    Distribution = "constant"    // always the mean
	// Gamma has a shape k, the burstiness, and the scale mean/k, so that the
	// coefficient of variation is 1/√k: what vLLM's `bench serve` means by
	// --request-rate and --burstiness (vllm/benchmarks/serve.py, get_request).
	// It does not, as vLLM does, stretch the times drawn to hit the mean exactly.
	Gamma Distribution = "gamma"
)

// Arrivals walks through an open loop's schedule. Its n-th value is a pure
// function of the loop's settings, seed and n.
type Arrivals struct {
	open   Open
	stream seeded.Stream
	mean   float64 // nanoseconds
	n      uint64
	sum    time.Duration
	carry  float64 // what rounding has left of the times so far, in [0, 1) nanoseconds
	units  float64 // of a ramp: the gaps so far, in means
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
	case Gamma:
		if k := a.open.Burstiness; !math.IsInf(k, 1) {
			return gamma(a.stream.Rand(n), k) / k
		}
	}
	return 1
}

// Next returns when the next request is due, from the start of the run. The
// first is due after the first gap, so that a time T holds rate·T arrivals on
// average. Times are in whole nanoseconds, rounded down; what is cut off is
// carried into the next gap, so that nothing drifts.
//
// In a ramp the gaps, which have a mean of 1, are laid along the integral of
// the rate instead of along the time: arrival n is due when so many arrivals
// were to be expected as the gaps up to it add up to. For Exponential that is
// the non-homogeneous Poisson process of that rate (Çinlar, Introduction to
// Stochastic Processes, 1975, 4.7).
func (a *Arrivals) Next() time.Duration {
	n := a.n
	a.n++
	if a.open.Ramp.Over > 0 {
		a.units += a.Gap(n)
		return saturate(math.Floor(a.open.Ramp.when(a.open.Rate, a.units) * 1e9))
	}
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

// gamma draws from the gamma distribution of a shape and scale 1, by rejection
// from a normal one (Marsaglia and Tsang, A Simple Method for Generating Gamma
// Variables, ACM TOMS 26, 2000; below shape 1 by its section 6).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(1-r.Float64(), 1/shape)
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := normal(r)
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Float64(); math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// normal draws from the standard normal distribution by Marsaglia's polar
// method. Unlike rand.NormFloat64's, whose algorithm may change, its numbers are
// part of what --seed promises.
func normal(r *rand.Rand) float64 {
	for {
		u, v := 2*r.Float64()-1, 2*r.Float64()-1
		if s := u*u + v*v; s > 0 && s < 1 {
			return u * math.Sqrt(-2*math.Log(s)/s)
		}
	}
}
