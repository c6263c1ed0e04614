package load_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
)

// kolmogorovSmirnov returns the largest distance between the samples'
// distribution and cdf, times the square root of their number. A sample of the
// distribution exceeds 1.63 once in a hundred times.
func kolmogorovSmirnov(samples []float64, cdf func(float64) float64) float64 {
	slices.Sort(samples)
	n := float64(len(samples))
	var worst float64
	for i, x := range samples {
		f := cdf(x)
		worst = max(worst, math.Abs(f-float64(i)/n), math.Abs(float64(i+1)/n-f))
	}
	return worst * math.Sqrt(n)
}

func gaps(open load.Open, n int) []float64 {
	a := open.Arrivals()
	list := make([]float64, n)
	var before time.Duration
	for i := range list {
		at := a.Next()
		list[i] = (at - before).Seconds() * open.Rate
		before = at
	}
	return list
}

func TestArrivalsAreDistributedAsTheySay(t *testing.T) {
	exponential := func(x float64) float64 { return 1 - math.Exp(-x) }
	uniform := func(x float64) float64 { return min(1, x/2) }
	for _, rate := range []float64{0.5, 10, 1000, 10_000} {
		for _, seed := range []uint64{1, 2, 3} {
			const n = 50_000
			exp := gaps(load.Open{Rate: rate, Distribution: load.Exponential, Seed: seed}, n)
			uni := gaps(load.Open{Rate: rate, Distribution: load.Uniform, Seed: seed}, n)
			if ks := kolmogorovSmirnov(slices.Clone(exp), exponential); ks > 1.63 {
				t.Errorf("rate %v, seed %d: exponential gaps are %.2f off", rate, seed, ks)
			}
			if ks := kolmogorovSmirnov(slices.Clone(uni), uniform); ks > 1.63 {
				t.Errorf("rate %v, seed %d: uniform gaps are %.2f off", rate, seed, ks)
			}
			// The test can tell them apart.
			if ks := kolmogorovSmirnov(slices.Clone(uni), exponential); ks < 10 {
				t.Errorf("rate %v, seed %d: uniform gaps pass for exponential ones: %.2f", rate, seed, ks)
			}
			// Neighbours must not depend on each other: their correlation is within
			// four standard errors of none.
			if r := correlation(exp); math.Abs(r) > 4/math.Sqrt(n) {
				t.Errorf("rate %v, seed %d: neighbouring gaps correlate by %.4f", rate, seed, r)
			}
		}
	}
}

func correlation(x []float64) float64 {
	var mean, cov, variance float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		variance += (v - mean) * (v - mean)
		if i > 0 {
			cov += (v - mean) * (x[i-1] - mean)
		}
	}
	return cov / variance
}

// A gamma distribution of whole shape k is the sum of k exponential ones, whose
// cumulative function is elementary (Erlang): 1 − e^(−kx) Σ (kx)^i / i!, for a
// mean of 1. Below 1 the shape ½ has one: erf(√(x/2)).
func TestGammaArrivalsHaveTheirBurstiness(t *testing.T) {
	erlang := func(k int) func(float64) float64 {
		return func(x float64) float64 {
			sum, term := 0.0, 1.0
			for i := range k {
				if i > 0 {
					term *= float64(k) * x / float64(i)
				}
				sum += term
			}
			return 1 - math.Exp(-float64(k)*x)*sum
		}
	}
	const n = 50_000
	for shape, cdf := range map[float64]func(float64) float64{
		0.5: func(x float64) float64 { return math.Erf(math.Sqrt(x / 2)) },
		1:   func(x float64) float64 { return 1 - math.Exp(-x) },
		2:   erlang(2), 5: erlang(5), 16: erlang(16),
	} {
		for _, seed := range []uint64{1, 2, 3} {
			list := gaps(load.Open{Rate: 50, Distribution: load.Gamma, Burstiness: shape, Seed: seed}, n)
			if r := correlation(list); math.Abs(r) > 4/math.Sqrt(n) {
				t.Errorf("shape %v, seed %d: neighbouring gaps correlate by %.4f", shape, seed, r)
			}
			if ks := kolmogorovSmirnov(list, cdf); ks > 1.63 {
				t.Errorf("shape %v, seed %d: gaps are %.2f off", shape, seed, ks)
			}
			other := gaps(load.Open{Rate: 50, Distribution: load.Gamma, Burstiness: shape * 1.2, Seed: seed}, n)
			if ks := kolmogorovSmirnov(other, cdf); ks < 3 {
				t.Errorf("shape %v, seed %d: gaps of shape %v pass: %.2f", shape, seed, shape*1.2, ks)
			}
		}
	}
	constant := load.Open{Rate: 50, Distribution: load.Gamma, Burstiness: math.Inf(1)}.Arrivals()
	for i := range 5 {
		if at := constant.Next(); at != time.Duration(i+1)*20*time.Millisecond {
			t.Errorf("without bursts, arrival %d is at %v", i, at)
		}
	}
}

// The number of arrivals in a window of a Poisson process has a variance equal
// to its mean.
func TestExponentialArrivalsArePoisson(t *testing.T) {
	const rate, seconds = 20, 5000
	a := load.Open{Rate: rate, Distribution: load.Exponential, Seed: 4}.Arrivals()
	counts := make([]float64, seconds)
	for at := a.Next(); at < seconds*time.Second; at = a.Next() {
		counts[int(at/time.Second)]++
	}
	var mean, variance float64
	for _, c := range counts {
		mean += c / seconds
	}
	for _, c := range counts {
		variance += (c - mean) * (c - mean) / seconds
	}
	// Five standard errors: sqrt(mean/n) of the mean, mean·sqrt(2/n) of the variance.
	if math.Abs(mean-rate) > 5*math.Sqrt(rate/float64(seconds)) || math.Abs(variance-rate) > 5*rate*math.Sqrt(2./seconds) {
		t.Errorf("mean %.2f, variance %.2f arrivals a second, want %d of both", mean, variance, rate)
	}
}

func TestConstantArrivals(t *testing.T) {
	for _, c := range []struct {
		rate float64
		n    int
		want time.Duration
	}{
		{10, 1, 100 * time.Millisecond},
		{10, 100, 10 * time.Second},
		{3, 1, 333_333_333},
		{3, 2, 666_666_667},
		{3, 3_000_000, 1_000_000 * time.Second}, // a drift would show
		{0.5, 2, 4 * time.Second},
		{10_000, 7, 700 * time.Microsecond},
		{1e-12, 1, math.MaxInt64}, // overflow
		{1e12, 1, 0},
	} {
		a := load.Open{Rate: c.rate, Distribution: load.Constant}.Arrivals()
		var got time.Duration
		for range c.n {
			got = a.Next()
		}
		if got != c.want {
			t.Errorf("rate %v: arrival %d at %d, want %d", c.rate, c.n, got, c.want)
		}
	}
}

// Rounding to nanoseconds must not change the rate: here a gap is 12.5 ns on
// average.
func TestRoundingDoesNotDrift(t *testing.T) {
	const n = 1_000_000
	for _, d := range []load.Distribution{load.Uniform, load.Exponential} {
		open := load.Open{Rate: 80e6, Distribution: d, Seed: 9}
		exact, a := 0.0, open.Arrivals()
		var got time.Duration
		for i := range uint64(n) {
			exact += a.Gap(i) * 12.5
			got = a.Next()
		}
		if off := math.Abs(float64(got) - exact); off > 1.5 {
			t.Errorf("%s: arrival %d is %.1f ns from its place", d, n, off)
		}
	}
}

func TestArrivalsArePureAndNeverGoBack(t *testing.T) {
	for _, d := range []load.Distribution{load.Exponential, load.Uniform, load.Constant, load.Gamma} {
		open := load.Open{Rate: 123, Distribution: d, Burstiness: 0.3, Seed: 5}
		a, b := open.Arrivals(), open.Arrivals()
		other := load.Open{Rate: 123, Distribution: d, Burstiness: 0.3, Seed: 6}.Arrivals()
		same, before := 0, time.Duration(0)
		for range 1000 {
			x, y, z := a.Next(), b.Next(), other.Next()
			if x != y || x < before {
				t.Fatalf("%s: %v, again %v, before %v", d, x, y, before)
			}
			if x == z {
				same++
			}
			before = x
		}
		if want := map[load.Distribution]int{load.Constant: 1000}[d]; same != want {
			t.Errorf("%s: %d of 1000 arrivals are the same with another seed, want %d", d, same, want)
		}
	}
	// Part of what --seed promises.
	for name, c := range map[string]struct {
		open load.Open
		want []time.Duration
	}{
		"exponential":   {load.Open{Rate: 10, Distribution: load.Exponential, Seed: 1}, []time.Duration{323_372_397, 657_858_763, 707_456_661}},
		"bursts":        {load.Open{Rate: 10, Distribution: load.Gamma, Burstiness: 0.5, Seed: 1}, []time.Duration{5_610_704, 14_141_543, 135_126_378}},
		"few bursts":    {load.Open{Rate: 10, Distribution: load.Gamma, Burstiness: 4, Seed: 1}, []time.Duration{77_860_597, 187_733_897, 312_505_888}},
		"linear ramp":   {load.Open{Rate: 10, Distribution: load.Exponential, Seed: 1, Ramp: load.RateRamp{From: 1, Over: time.Second}}, []time.Duration{743_845_617, 1_107_858_763, 1_157_456_661}},
		"constant ramp": {load.Open{Rate: 10, Distribution: load.Constant, Ramp: load.RateRamp{Over: 400 * time.Millisecond}}, []time.Duration{282_842_712, 400_000_000, 500_000_000}},
	} {
		var got []time.Duration
		for a := c.open.Arrivals(); len(got) < 3; {
			got = append(got, a.Next())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: first arrivals of seed 1 (-want +got):\n%s", name, diff)
		}
	}
}

func TestVerySlowArrivalsDoNotOverflow(t *testing.T) {
	for _, d := range []load.Distribution{load.Exponential, load.Uniform, load.Constant} {
		a := load.Open{Rate: 1e-11, Distribution: d, Seed: 1}.Arrivals()
		before := time.Duration(0)
		for range 50 {
			at := a.Next()
			if at < before {
				t.Fatalf("%s: %v after %v", d, at, before)
			}
			before = at
		}
		if before != math.MaxInt64 {
			t.Errorf("%s: %v", d, before)
		}
	}
}

func TestSpawnOffsets(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		users load.Users
		want  []time.Duration
	}{
		{load.Users{Count: 3}, []time.Duration{0, 0, 0}},
		{load.Users{Count: 3, SpawnRate: 3}, []time.Duration{0, 0, 0}},
		{load.Users{Count: 3, SpawnRate: 500}, []time.Duration{0, 0, 0}},
		{load.Users{Count: 6, SpawnRate: 2}, []time.Duration{0, 0, s, s, 2 * s, 2 * s}},
		{load.Users{Count: 3, SpawnRate: 1}, []time.Duration{0, s, 2 * s}},
		{load.Users{Count: 3, SpawnRate: 0.5}, []time.Duration{0, 2 * s, 4 * s}},
		{load.Users{Count: 6, SpawnRate: 2.5}, []time.Duration{0, 0, 800 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 1600 * time.Millisecond}},
		{load.Users{Count: 4, Ramp: 2 * s}, []time.Duration{0, s / 2, s, 3 * s / 2}},
		{load.Users{Count: 1, Ramp: 2 * s}, []time.Duration{0}},
		{load.Users{Count: 3, SpawnRate: 1e-12}, []time.Duration{0, math.MaxInt64, math.MaxInt64}},
	} {
		var got []time.Duration
		for j := range c.users.Count {
			got = append(got, c.users.SpawnOffset(j))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.users, diff)
		}
	}
}
