package load_test

import (
	"math"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/load"
)

// rateAt is the rate of a ramp at a time, from its definition.
func rateAt(ramp load.RateRamp, rate, t float64) float64 {
	share := min(t/ramp.Over.Seconds(), 1)
	if ramp.Exponential {
		return ramp.From * math.Pow(rate/ramp.From, share)
	}
	return ramp.From + (rate-ramp.From)*share
}

var ramps = map[string]struct {
	ramp load.RateRamp
	rate float64
}{
	"linear from nothing":      {load.RateRamp{Over: 100 * time.Second}, 200},
	"linear up":                {load.RateRamp{From: 20, Over: 100 * time.Second}, 200},
	"linear down":              {load.RateRamp{From: 200, Over: 100 * time.Second}, 20},
	"exponential up":           {load.RateRamp{From: 2, Over: 100 * time.Second, Exponential: true}, 200},
	"exponential down":         {load.RateRamp{From: 200, Over: 100 * time.Second, Exponential: true}, 2},
	"from the rate to itself":  {load.RateRamp{From: 100, Over: 100 * time.Second}, 100},
	"the same, exponentially":  {load.RateRamp{From: 100, Over: 100 * time.Second, Exponential: true}, 100},
	"nearly itself":            {load.RateRamp{From: 100, Over: 100 * time.Second, Exponential: true}, 100.0000001},
	"shorter than one arrival": {load.RateRamp{Over: time.Millisecond}, 100},
}

// What is expected of a ramp is the integral of its rate.
func TestRampsHaveTheirRate(t *testing.T) {
	for name, c := range ramps {
		open := load.Open{Rate: c.rate, Ramp: c.ramp}
		over := c.ramp.Over.Seconds()
		const steps = 100_000
		sum := 0.0
		for i := range steps { // to twice the ramp, by the midpoint rule
			sum += rateAt(c.ramp, c.rate, (float64(i)+0.5)*2*over/steps) * 2 * over / steps
			if i == steps/4 || i == steps/2 || i == steps-1 {
				at := time.Duration(float64(i+1) * 2 * over / steps * 1e9)
				if got := open.Expected(at); math.Abs(got-sum) > 1e-6*max(sum, 1) {
					t.Errorf("%s: %.6f arrivals expected by %v, want %.6f", name, got, at, sum)
				}
			}
		}
	}
}

// Arrivals of a ramp, put back onto the integral of its rate, are those of a
// process of rate 1: their gaps have the distribution asked for.
func TestArrivalsOfARampAreDistributedAsTheySay(t *testing.T) {
	for name, c := range ramps {
		for distribution, cdf := range map[load.Distribution]func(float64) float64{
			load.Exponential: func(x float64) float64 { return 1 - math.Exp(-x) },
			load.Uniform:     func(x float64) float64 { return min(1, x/2) },
		} {
			for _, seed := range []uint64{1, 2, 3} {
				open := load.Open{Rate: c.rate, Distribution: distribution, Ramp: c.ramp, Seed: seed}
				arrivals := open.Arrivals()
				var list []float64
				before, last := 0.0, time.Duration(0)
				for range 15_000 {
					at := arrivals.Next()
					if at < last {
						t.Fatalf("%s: %v after %v", name, at, last)
					}
					now := open.Expected(at)
					list, before, last = append(list, now-before), now, at
				}
				if ks := kolmogorovSmirnov(list, cdf); ks > 1.63 {
					t.Errorf("%s, %s, seed %d: gaps are %.2f off", name, distribution, seed, ks)
				}
			}
		}
	}
}

// In a ramp from 0 to 200 a second over 100 s, a constant gap brings arrival n
// at √n seconds; after it they come every 5 ms.
func TestConstantArrivalsOfARamp(t *testing.T) {
	a := load.Open{Rate: 200, Distribution: load.Constant, Ramp: load.RateRamp{Over: 100 * time.Second}}.Arrivals()
	for n := 1; n <= 10_400; n++ {
		at, want := a.Next(), math.Sqrt(float64(n))
		if n > 10_000 {
			want = 100 + float64(n-10_000)/200
		}
		if math.Abs(at.Seconds()-want) > 2e-9 {
			t.Fatalf("arrival %d is at %v, want %.9f s", n, at, want)
		}
	}
}

func TestARampIsWrittenAsItIsRead(t *testing.T) {
	for want, ramp := range map[string]load.RateRamp{
		"":                     {},
		"30s":                  {Over: 30 * time.Second},
		"0.5:30s":              {From: 0.5, Over: 30 * time.Second},
		"exponential:2:1m30s":  {From: 2, Over: 90 * time.Second, Exponential: true},
		"10000:500ms":          {From: 10000, Over: 500 * time.Millisecond},
		"exponential:0.001:1s": {From: 0.001, Over: time.Second, Exponential: true},
	} {
		if got := ramp.String(); got != want {
			t.Errorf("%+v is written %q, want %q", ramp, got, want)
		}
	}
}
