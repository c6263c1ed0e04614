package bench

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
)

// TestWhereTheClientIsTheBottleneck: each sign alone is enough, and none is
// taken where there is none.
func TestWhereTheClientIsTheBottleneck(t *testing.T) {
	seconds := func(p50, p99 float64) metrics.Stats {
		s := metrics.NoStats()
		s.P50, s.P99 = metrics.Value(p50), metrics.Value(p99)
		return s
	}
	sound := func() (*metrics.Aggregate, load.Result, machine.Usage) {
		a := metrics.PythonTool(nil, 0, 0, 0)
		a.Stats.TTFT, a.Stats.E2ELatency, a.AddedStats.Lateness = seconds(0.05, 0.1), seconds(1, 2), seconds(0.0001, 0.002)
		a.RequestRate, a.Distribution = 100, "exponential"
		r := load.Result{Asked: 100, Achieved: 98, Sent: 1000, StopReason: load.StopTime}
		return &a, r, machine.Usage{Elapsed: 10 * time.Second, CPUs: 2, Core: 1, Plugins: 2, Machine: 4, Busiest: 0.95, BusyShare: 0.1, Throttled: math.NaN()}
	}
	cases := map[string]struct {
		change func(*metrics.Aggregate, *load.Result, *machine.Usage)
		says   string
	}{
		"a sound run": {func(*metrics.Aggregate, *load.Result, *machine.Usage) {}, ""},
		"late in the middle": {func(a *metrics.Aggregate, _ *load.Result, _ *machine.Usage) {
			a.AddedStats.Lateness = seconds(0.0012, 0.002)
		},
			"half of the requests left 1.2 ms"},
		"late in the tail, against what the open loop measures": {func(a *metrics.Aggregate, _ *load.Result, _ *machine.Usage) {
			a.AddedStats.Lateness = seconds(0, 0.006)
		},
			"1 % of the requests left 6 ms or more after they were due, where the TTFT measured is 50 ms"},
		"the same is little in a closed loop": {func(a *metrics.Aggregate, _ *load.Result, _ *machine.Usage) {
			a.AddedStats.Lateness, a.RequestRate = seconds(0, 0.006), 0
		}, ""},
		"lateness is not known": {func(a *metrics.Aggregate, _ *load.Result, _ *machine.Usage) {
			a.AddedStats.Lateness = metrics.NoStats()
		}, ""},
		"arrivals never sent":          {func(_ *metrics.Aggregate, r *load.Result, _ *machine.Usage) { r.Missed = 7 }, "7 arrivals of the open loop were never sent"},
		"fewer than chance explains":   {func(_ *metrics.Aggregate, r *load.Result, _ *machine.Usage) { r.Achieved = 88 }, "88 requests/s were sent where 100 were asked for"},
		"fewer by a constant schedule": {func(a *metrics.Aggregate, _ *load.Result, _ *machine.Usage) { a.Distribution = "constant" }, "98 requests/s were sent"},
		"fewer because it was interrupted": {func(_ *metrics.Aggregate, r *load.Result, _ *machine.Usage) {
			r.Achieved, r.StopReason = 50, load.StopInterrupted
		}, ""},
		"CPUs in use for much of the run": {func(_ *metrics.Aggregate, _ *load.Result, u *machine.Usage) { u.BusyShare = 0.5 }, "of 2 CPUs core 0.1, plugins 0.2, other programs 0.1 were in use"},
		"CPUs in use on average":          {func(_ *metrics.Aggregate, _ *load.Result, u *machine.Usage) { u.Machine = 19 }, "CPU usage above 90 %: of 2 CPUs"},
		"a limit of CPU time":             {func(_ *metrics.Aggregate, _ *load.Result, u *machine.Usage) { u.Throttled = 1.5 }, "held the client up for 1.5 s"},
		"nothing is known of the machine": {func(_ *metrics.Aggregate, _ *load.Result, u *machine.Usage) {
			*u = machine.Usage{Machine: math.NaN(), BusyShare: math.NaN()}
		}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, result, usage := sound()
			c.change(a, &result, &usage)
			v := &verdict{}
			v.lateness(a)
			v.rate(result, a, 1)
			v.cpu(usage)
			got := strings.Join(v.client, "; ")
			if c.says == "" && got != "" || !strings.Contains(got, c.says) {
				t.Errorf("%q, want %q", got, c.says)
			}
			if busy := strings.Contains(strings.Join(v.warnings, "; "), live.BusyWarning); busy != strings.Contains(got, "CPU usage") {
				t.Errorf("the sentence of the user guide: %v, in %q", busy, v.warnings)
			}
			if len(v.client) != len(v.untrusted) || len(v.client) != len(v.warnings) {
				t.Errorf("%d limits, %d reasons not to trust, %d warnings", len(v.client), len(v.untrusted), len(v.warnings))
			}
		})
	}
}
