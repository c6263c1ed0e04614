package settings_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func benchmarkFlags() (*pflag.FlagSet, *settings.Benchmark) {
	fs := pflag.NewFlagSet("benchmark", pflag.ContinueOnError)
	return fs, settings.BenchmarkFlags(fs)
}

func TestFlagsOfTheLoad(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		flag, text string
		got        func(*settings.Benchmark) any
		want       any
	}{
		{"distribution", "Gamma", func(b *settings.Benchmark) any { return b.Distribution }, "gamma"},
		{"burstiness", "0.5", func(b *settings.Benchmark) any { return b.Burstiness }, 0.5},
		{"burstiness", "inf", func(b *settings.Benchmark) any { return math.IsInf(b.Burstiness, 1) }, true},
		{"rate-ramp", "30", func(b *settings.Benchmark) any { return b.RateRamp }, load.RateRamp{Over: 30 * s}},
		{"rate-ramp", "linear:2:1m", func(b *settings.Benchmark) any { return b.RateRamp }, load.RateRamp{From: 2, Over: 60 * s}},
		{"rate-ramp", "0.5:30s", func(b *settings.Benchmark) any { return b.RateRamp }, load.RateRamp{From: 0.5, Over: 30 * s}},
		{"rate-ramp", "exponential:2:90s", func(b *settings.Benchmark) any { return b.RateRamp }, load.RateRamp{From: 2, Over: 90 * s, Exponential: true}},
		{"max-concurrency", "100", func(b *settings.Benchmark) any { return b.MaxConcurrency }, 100},
		{"concurrency-ramp", "10s", func(b *settings.Benchmark) any { return b.ConcurrencyRamp }, 10 * s},
		{"think-time", "2", func(b *settings.Benchmark) any { return b.ThinkTime }, load.Think{Distribution: load.Constant, Mean: 2 * s}},
		{"think-time", "constant:2s", func(b *settings.Benchmark) any { return b.ThinkTime }, load.Think{Distribution: load.Constant, Mean: 2 * s}},
		{"think-time", "exponential:500ms", func(b *settings.Benchmark) any { return b.ThinkTime }, load.Think{Distribution: load.Exponential, Mean: s / 2}},
		{"think-time", "uniform:1s,3s", func(b *settings.Benchmark) any { return b.ThinkTime }, load.Think{Distribution: load.Uniform, Mean: 2 * s, Spread: s}},
		{"think-time", "0", func(b *settings.Benchmark) any { return b.ThinkTime }, load.Think{}},
		{"abort-rate", "1", func(b *settings.Benchmark) any { return b.AbortRate }, 1.0},
		{"abort-after", "500ms", func(b *settings.Benchmark) any { return b.AbortAfter }, settings.AbortPoint{After: s / 2}},
		{"abort-after", "events:20", func(b *settings.Benchmark) any { return b.AbortAfter }, settings.AbortPoint{Events: 20}},
		{"abort-after", "tokens:20", func(b *settings.Benchmark) any { return b.AbortAfter }, settings.AbortPoint{Events: 20}},
		{"warmup-requests", "10", func(b *settings.Benchmark) any { return b.WarmupRequests }, 10},
		{"warmup-time", "10s", func(b *settings.Benchmark) any { return b.WarmupTime }, 10 * s},
		{"cooldown-time", "1m", func(b *settings.Benchmark) any { return b.CooldownTime }, 60 * s},
		{"pause-between-runs", "0", func(b *settings.Benchmark) any { return b.PauseBetweenRuns }, time.Duration(0)},
		{"stop-on", "ttft-p99>2s", func(b *settings.Benchmark) any { return b.StopOn }, []string{"ttft-p99>2s"}},
		{"stop-on-ends", "Scenario", func(b *settings.Benchmark) any { return b.StopOnEnds }, "scenario"},
	} {
		fs, b := benchmarkFlags()
		if err := fs.Set(c.flag, c.text); err != nil {
			t.Errorf("--%s %s: %v", c.flag, c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, c.got(b)); diff != "" {
			t.Errorf("--%s %s (-want +got):\n%s", c.flag, c.text, diff)
		}
		// What is stored can be given back.
		data, err := json.Marshal(settings.Effective(fs))
		if err != nil {
			t.Fatal(err)
		}
		var stored map[string]any
		if err := json.Unmarshal(data, &stored); err != nil {
			t.Fatal(err)
		}
		again, b2 := benchmarkFlags()
		if _, problems := settings.Layer(again, nil, "stored", stored); len(problems) > 0 {
			t.Errorf("--%s %s is stored as %v: %v", c.flag, c.text, stored[c.flag], problems)
		} else if diff := cmp.Diff(b, b2, cmp.Comparer(func(a, b secret.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
			t.Errorf("--%s %s is stored as %v (-given +given back):\n%s", c.flag, c.text, stored[c.flag], diff)
		}
	}
}

func TestAZeroThatWasGivenIsStored(t *testing.T) {
	fs, _ := benchmarkFlags()
	if _, stored := settings.Effective(fs)["warmup-time"]; stored {
		t.Error("a warm-up that was not given is stored")
	}
	if err := fs.Set("warmup-time", "0"); err != nil {
		t.Fatal(err)
	}
	if got := settings.Effective(fs)["warmup-time"]; got != "0s" {
		t.Errorf("stored %v: given back, the ramp would be the warm-up again", got)
	}
}

func TestMistakesInFlagsOfTheLoad(t *testing.T) {
	for _, c := range []struct{ flag, text, want string }{
		{"burstiness", "0", "1 is a Poisson process"},
		{"burstiness", "bursty", "is not a number"},
		{"burstiness", "NaN", "out of range"},
		{"rate-ramp", "soon", `"soon" is not a duration such as 30s; a ramp is written 30s, 2:30s or exponential:2:30s`},
		{"rate-ramp", "fast:30s", "does not begin at a rate from 0 to 10000"},
		{"rate-ramp", "-1:30s", "does not begin at a rate"},
		{"rate-ramp", "0s", "is not a duration"},
		{"rate-ramp", "exponential:30s", "cannot begin at 0; write exponential:1:30s"},
		{"max-concurrency", "0", "below the least, 1"},
		{"think-time", "2 minutes", "is not a duration"},
		{"think-time", "normal:2s", `"normal" is neither constant, exponential nor uniform`},
		{"think-time", "uniform:2s", "does not say the least and the most, as uniform:1s,3s"},
		{"think-time", "uniform:3s,1s", "does not say the least and the most"},
		{"abort-rate", "10%", "is not a number"},
		{"abort-rate", "1.1", "is not a share from 0 to 1"},
		{"abort-after", "bytes:20", "neither a duration such as 500ms nor a number of output events such as events:20"},
		{"abort-after", "events:0", "neither a duration"},
		{"abort-after", "0", "cannot be given up as it is sent"},
		{"warmup-requests", "-1", "below the least"},
		{"warmup-time", "-1s", "is not a duration"},
		{"stop-on-ends", "level", "is not one of run, scenario, experiment"},
	} {
		fs, _ := benchmarkFlags()
		if err := fs.Set(c.flag, c.text); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("--%s %s: error %v, want %q", c.flag, c.text, err, c.want)
		}
	}
}

// Values that are parsed come from outside; none may end the program, and what
// is accepted is written as it is read.
func FuzzLoadValues(f *testing.F) {
	for _, text := range []string{"30s", "exponential:2:30s", "uniform:1s,3s", "events:20", "inf", ":", "1e9", "linear:5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"burstiness", "rate-ramp", "think-time", "abort-after", "warmup-time"} {
			fs, _ := benchmarkFlags()
			if fs.Set(name, text) != nil {
				continue
			}
			written := fs.Lookup(name).Value.String()
			if written == "" {
				continue // nothing
			}
			again, _ := benchmarkFlags()
			if err := again.Set(name, written); err != nil {
				t.Errorf("--%s %q is written %q: %v", name, text, written, err)
			} else if twice := again.Lookup(name).Value.String(); twice != written {
				t.Errorf("--%s %q is written %q, and that %q", name, text, written, twice)
			}
		}
	})
}
