package settings

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/load"
)

// The types of flag values that say how load is made.

// optionalDuration is a duration of which 0 is not the same as nothing.
type optionalDuration struct {
	d     *time.Duration
	given bool
}

func (v *optionalDuration) String() string {
	if v.d == nil || !v.given {
		return ""
	}
	return v.d.String()
}

func (v *optionalDuration) Type() string { return "duration" }

func (v *optionalDuration) Set(text string) error {
	d, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*v.d, v.given = d, true
	return nil
}

// burstiness is the shape of the gamma distribution; inf is allowed.
type burstiness struct{ value *float64 }

func (v burstiness) String() string {
	if v.value == nil || *v.value == 0 {
		return ""
	}
	if math.IsInf(*v.value, 1) {
		return "inf"
	}
	return strconv.FormatFloat(*v.value, 'g', -1, 64)
}

func (v burstiness) Type() string { return "shape" }

func (v burstiness) Set(text string) error {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", text)
	}
	if !(x >= 0.001) {
		return fmt.Errorf("%s is out of range: 1 is a Poisson process, less (at least 0.001) has more bursts, more has fewer, inf has none", text)
	}
	*v.value = x
	return nil
}

// rateRamp is [exponential:][FROM:]DURATION.
type rateRamp struct{ ramp *load.RateRamp }

func (v rateRamp) String() string {
	if v.ramp == nil {
		return ""
	}
	return v.ramp.String()
}

func (v rateRamp) Type() string { return "[FROM:]duration" }

func (v rateRamp) Set(text string) error {
	var r load.RateRamp
	rest := strings.TrimSpace(text)
	switch shape, tail, cut := strings.Cut(rest, ":"); {
	case cut && shape == string(load.Exponential):
		r.Exponential, rest = true, tail
	case cut && shape == "linear":
		rest = tail
	}
	from, over, given := strings.Cut(rest, ":")
	if !given {
		from, over = "0", rest
	}
	var err error
	if r.From, err = strconv.ParseFloat(strings.TrimSpace(from), 64); err != nil || !(r.From >= 0 && r.From <= 10000) {
		return fmt.Errorf("%q does not begin at a rate from 0 to 10000; a ramp is written 30s, 2:30s or exponential:2:30s", text)
	}
	if r.Over, err = ParseDuration(over); err != nil || r.Over == 0 {
		return fmt.Errorf("%q is not a duration such as 30s; a ramp is written 30s, 2:30s or exponential:2:30s", over)
	}
	if r.Exponential && r.From == 0 {
		return errors.New("an exponential ramp cannot begin at 0; write exponential:1:30s for one that begins at 1 request per second")
	}
	*v.ramp = r
	return nil
}

// thinkTime is DURATION, exponential:DURATION or uniform:LEAST,MOST.
type thinkTime struct{ think *load.Think }

func (v thinkTime) String() string {
	if v.think == nil {
		return ""
	}
	return v.think.String()
}

func (v thinkTime) Type() string { return "duration" }

func (v thinkTime) Set(text string) error {
	t := load.Think{Distribution: load.Constant}
	name, rest, cut := strings.Cut(strings.TrimSpace(text), ":")
	if !cut {
		rest = name
	} else {
		t.Distribution = load.Distribution(name)
	}
	var err error
	switch t.Distribution {
	case load.Constant, load.Exponential:
		if t.Mean, err = ParseDuration(rest); err != nil {
			return err
		}
	case load.Uniform:
		least, most, both := strings.Cut(rest, ",")
		a, errA := ParseDuration(least)
		b, errB := ParseDuration(most)
		if !both || errA != nil || errB != nil || a > b {
			return fmt.Errorf("%q does not say the least and the most, as uniform:1s,3s", text)
		}
		t.Mean, t.Spread = a+(b-a)/2, (b-a)/2
	default:
		return fmt.Errorf("%q is neither constant, exponential nor uniform; write 2s, exponential:2s or uniform:1s,3s", name)
	}
	if t.Mean == 0 {
		t = load.Think{}
	}
	*v.think = t
	return nil
}

// AbortPoint is how far a request goes that is given up on purpose. One of the
// two is set, or none.
type AbortPoint struct {
	After  time.Duration // from its sending
	Events int           // so many output events of its answer
}

// abortPoint is DURATION, or events:N. As most servers send a token an event,
// tokens:N is understood too.
type abortPoint struct{ point *AbortPoint }

func (v abortPoint) String() string {
	switch {
	case v.point == nil || *v.point == AbortPoint{}:
		return ""
	case v.point.Events > 0:
		return fmt.Sprintf("events:%d", v.point.Events)
	}
	return v.point.After.String()
}

func (v abortPoint) Type() string { return "duration" }

func (v abortPoint) Set(text string) error {
	unit, number, cut := strings.Cut(strings.TrimSpace(text), ":")
	if cut {
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if unit != "events" && unit != "tokens" || err != nil || n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("%q is neither a duration such as 500ms nor a number of output events such as events:20", text)
		}
		*v.point = AbortPoint{Events: n}
		return nil
	}
	d, err := ParseDuration(unit)
	if err != nil {
		return fmt.Errorf("%q is neither a duration such as 500ms nor a number of output events such as events:20", text)
	}
	if d == 0 {
		return errors.New("a request cannot be given up as it is sent; the least is 1ms")
	}
	*v.point = AbortPoint{After: d}
	return nil
}
