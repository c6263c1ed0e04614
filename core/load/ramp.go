package load

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// RateRamp is how the rate of an open loop comes to be: from From it changes to
// the loop's own over a time, and stays there. The zero value is no ramp.
type RateRamp struct {
	From float64 // requests a second
	Over time.Duration
	// Exponential changes the rate by the same factor in equal times instead of
	// by the same amount; From must be more than 0 then.
	Exponential bool
}

// String is the ramp as --rate-ramp has it, "" for none.
func (r RateRamp) String() string {
	if r.Over == 0 {
		return ""
	}
	text := r.Over.String()
	if r.From > 0 {
		text = strconv.FormatFloat(r.From, 'g', -1, 64) + ":" + text
	}
	if r.Exponential {
		text = string(Exponential) + ":" + text
	}
	return text
}

func (r RateRamp) check() error {
	switch {
	case r.Over < 0:
		return fmt.Errorf("the ramp of the rate takes %v and must not be negative", r.Over)
	case !(r.From >= 0) || math.IsInf(r.From, 0):
		return fmt.Errorf("the ramp begins at %v and must begin at 0 or more requests a second", r.From)
	case r.Exponential && r.From == 0 && r.Over > 0:
		return fmt.Errorf("an exponential ramp cannot begin at 0 requests a second")
	}
	return nil
}

// Expected is how many arrivals an open loop has on average in a time from its
// start.
func (o Open) Expected(window time.Duration) float64 {
	if o.Ramp.Over == 0 {
		return o.Rate * window.Seconds()
	}
	return o.Ramp.arrivals(o.Rate, window.Seconds())
}

// arrivals is the integral of the rate from the start to a time in seconds.
func (r RateRamp) arrivals(rate, seconds float64) float64 {
	over := r.Over.Seconds()
	t := min(seconds, over)
	rest := max(seconds-over, 0) * rate
	if growth := r.growth(rate); growth != 0 {
		return r.From/growth*math.Expm1(growth*t) + rest
	}
	if r.Exponential { // from the rate to itself
		return rate*t + rest
	}
	return r.From*t + (rate-r.From)*t*t/(2*over) + rest
}

// when is the inverse of arrivals: the time in seconds by which so many
// arrivals are expected.
func (r RateRamp) when(rate, arrivals float64) float64 {
	over := r.Over.Seconds()
	if inRamp := r.arrivals(rate, over); arrivals > inRamp {
		return over + (arrivals-inRamp)/rate
	}
	if growth := r.growth(rate); growth != 0 {
		return math.Log1p(arrivals*growth/r.From) / growth
	}
	if r.Exponential {
		return arrivals / rate
	}
	if arrivals == 0 {
		return 0
	}
	// The quadratic's root in the form that does not cancel.
	return 2 * arrivals / (r.From + math.Sqrt(max(r.From*r.From+2*arrivals*(rate-r.From)/over, 0)))
}

// growth is the exponent of an exponential ramp, per second; 0 for a linear one
// and for one between equal rates.
func (r RateRamp) growth(rate float64) float64 {
	if !r.Exponential {
		return 0
	}
	return math.Log(rate/r.From) / r.Over.Seconds()
}
