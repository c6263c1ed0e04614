package plot

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/metrics"
)

func TestLabels(t *testing.T) {
	for field, want := range map[string]string{
		"stats.ttft.mean":                     "Ttft (MEAN)",
		"stats.e2e_latency.p99":               "E2E Latency (P99)",
		"stats.num_input_tokens.stddev":       "Num Input Tokens (STDDEV)",
		"stats.tpot":                          "Tpot",
		"requests_per_second":                 "Requests Per Second",
		"mean_output_throughput_tokens_per_s": "Mean Output Throughput Tokens Per S",
	} {
		if got := label(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	for text, want := range map[string]string{"TTFT (s)": "TTFT (ms)", "Latency (seconds)": "Latency (ms)", "Speed (tokens/s)": "Speed (tokens/s)"} {
		if got := relabel(text, metrics.InMilliseconds); got != want {
			t.Errorf("%q in ms is %q, want %q", text, got, want)
		}
	}
	if got := relabel("TTFT (ms)", metrics.InSeconds); got != "TTFT (s)" {
		t.Errorf("in s: %q", got)
	}
}

func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		axis   Axis
		values []float64
		want   []string
	}{
		"from zero":         {Axis{}, []float64{3, 10}, []string{"0", "2", "4", "6", "8", "10"}},
		"thousands":         {Axis{}, []float64{12500}, []string{"0", "2,500", "5,000", "7,500", "10,000", "12,500"}},
		"small":             {Axis{}, []float64{0.0072}, []string{"0.000", "0.002", "0.004", "0.006"}},
		"nothing":           {Axis{}, nil, []string{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
		"below zero":        {Axis{}, []float64{-1, 1}, []string{"-1.0", "-0.5", "0.0", "0.5", "1.0"}},
		"decades":           {Axis{Scale: Log10}, []float64{0.01, 20}, []string{"0.01", "0.1", "1", "10"}},
		"half a decade":     {Axis{Scale: Log10}, []float64{0.03, 0.08}, []string{"0.03", "0.04", "0.05", "0.06", "0.08"}},
		"levels":            {Axis{Scale: Log2, Ticks: []float64{1, 4, 16}}, nil, []string{"1", "4", "16"}},
		"levels at 0":       {Axis{Scale: Log2, Ticks: []float64{0, 4}}, []float64{4}, []string{"0", "1", "2", "3", "4"}},
		"zero on log scale": {Axis{Scale: Log10}, []float64{0, 4}, []string{"0", "1", "2", "3", "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, ticks := layOut(c.axis, c.values, 0, 1000)
			var got []string
			for _, tick := range ticks {
				got = append(got, tick.text)
				if p := s.pixel(tick.at); p < 0 || p > 1000 {
					t.Errorf("tick %s lies at pixel %d", tick.text, p)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, v := range c.values {
				if p := s.pixel(v); p < 0 || p > 1000 {
					t.Errorf("value %v lies at pixel %d", v, p)
				}
			}
		})
	}
}

func TestEqualRatiosAreEqualDistances(t *testing.T) {
	s, _ := layOut(Axis{Scale: Log2, Ticks: []float64{1, 4, 16, 64}}, nil, 0, 900)
	at := []int{s.pixel(1), s.pixel(4), s.pixel(16), s.pixel(64)}
	if !slices.IsSorted(at) || at[1]-at[0] < at[3]-at[2]-1 || at[1]-at[0] > at[3]-at[2]+1 {
		t.Errorf("levels lie at %v", at)
	}
}

// FuzzAxes: whatever a run file says, there are bounds and a sane number of
// ticks.
func FuzzAxes(f *testing.F) {
	for scale := Linear; scale <= Even; scale++ {
		f.Add(uint8(scale), 0.0, 1.0)
		f.Add(uint8(scale), -1e308, 1e308)
		f.Add(uint8(scale), 5e-324, 5e-324)
		f.Add(uint8(scale), 0.03, 0.08)
	}
	f.Fuzz(func(t *testing.T, scale uint8, a, b float64) {
		if math.IsNaN(a) || math.IsNaN(b) || math.IsInf(a, 0) || math.IsInf(b, 0) {
			return // not in JSON
		}
		values := []float64{min(a, b), max(a, b)}
		s, ticks := layOut(Axis{Scale: Scale(scale % 4), Ticks: values}, values, 0, 1000)
		if len(ticks) > 100 {
			t.Errorf("%d ticks for %v", len(ticks), values)
		}
		for _, v := range values {
			if p := s.pixel(v); p < 0 || p > 1000 {
				t.Errorf("%v lies at pixel %d", v, p)
			}
		}
	})
}
