package scenario_test

import (
	"math"
	"testing"
)

// kolmogorovSmirnov returns the largest distance between the distribution of
// whole numbers and cdf, times the square root of how many they are. A sample of
// the distribution exceeds 1.63 less than once in a hundred times.
func kolmogorovSmirnov(counts map[int]int, cdf func(n int) float64) float64 {
	total, most := 0, 0
	for v, n := range counts {
		total, most = total+n, max(most, v)
	}
	var worst float64
	below := 0
	for v := 0; v <= most; v++ {
		below += counts[v]
		worst = max(worst, math.Abs(float64(below)/float64(total)-cdf(v)))
	}
	return worst * math.Sqrt(float64(total))
}

func TestSizesAreDistributedAsTheySay(t *testing.T) {
	normal := func(mean, sd float64) func(int) float64 {
		below := func(x float64) float64 { return 0.5 * math.Erfc((mean-x)/sd/math.Sqrt2) }
		return func(n int) float64 { // of those from 1 on, rounded
			return max(0, (below(float64(n)+0.5)-below(0.5))/(1-below(0.5)))
		}
	}
	uniform := func(from, to float64) func(int) float64 {
		return func(n int) float64 { return min(1, max(0, (float64(n)-from+1)/(to-from+1))) }
	}
	for text, c := range map[string]struct{ input, output func(int) float64 }{
		"N(480,240)/(300,150)":  {normal(480, 240), normal(300, 150)},
		"N(40,60)/(10,1)":       {normal(40, 60), normal(10, 1)},
		"U(100,900)/(1,64)":     {uniform(100, 900), uniform(1, 64)},
		"U(2000,200)":           {uniform(1, 2000), uniform(1, 200)},
		"N(1000,100)/(500,100)": {normal(1000, 100), normal(500, 100)},
	} {
		for _, seed := range []uint64{1, 2, 3} {
			p := sampler(t, text, seed, 0)
			inputs, outputs := map[int]int{}, map[int]int{}
			for i := range uint64(30_000) {
				size := p.At(i)
				inputs[size.InputTokens]++
				outputs[size.OutputTokens]++
			}
			if ks := kolmogorovSmirnov(inputs, c.input); ks > 1.63 {
				t.Errorf("%s, seed %d: inputs are %.2f off", text, seed, ks)
			}
			if ks := kolmogorovSmirnov(outputs, c.output); ks > 1.63 {
				t.Errorf("%s, seed %d: outputs are %.2f off", text, seed, ks)
			}
			// The test can tell them apart.
			if ks := kolmogorovSmirnov(inputs, c.output); ks < 10 {
				t.Errorf("%s, seed %d: inputs pass for outputs: %.2f", text, seed, ks)
			}
		}
	}
}
