package bench_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

func async(s *settings.Benchmark) { s.ExecutionEngine = "async" }

func open(s *settings.Benchmark) {
	s.ExecutionEngine, s.QPSLevels, s.Distribution = "async", []float64{100}, "exponential"
}

func TestMistakesInALoad(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings.Benchmark)
		want   string
	}{
		"two ways to come": {func(s *settings.Benchmark) { s.SpawnRate, s.ConcurrencyRamp = 5, time.Second }, "--concurrency-ramp: --spawn-rate says already when users come (give one of them)"},
		"aborts, no when":  {func(s *settings.Benchmark) { s.AbortRate = 0.1 }, "--abort-rate: does not say when requests are given up (add --abort-after 500ms or --abort-after events:20)"},
		"events of no stream": {func(s *settings.Benchmark) {
			s.Stream, s.AbortRate, s.AbortAfter = false, 0.1, settings.AbortPoint{Events: 3}
		}, "--abort-after: counts the events of a stream"},
		"a rule that is none":            {func(s *settings.Benchmark) { s.StopOn = []string{"eror-rate>1"} }, `--stop-on: there is no figure "eror-rate"`},
		"two warm-ups":                   {func(s *settings.Benchmark) { s.WarmupRatio, s.WarmupTime = 0.1, time.Second }, "--warmup-time: --warmup-ratio says already what is left out (give one of them)"},
		"two cool-downs":                 {func(s *settings.Benchmark) { s.CooldownRequests, s.CooldownTime = 1, time.Second }, "--cooldown-time: --cooldown-requests says already"},
		"shares of all":                  {func(s *settings.Benchmark) { s.WarmupRatio, s.CooldownRatio = 0.6, 0.4 }, "--warmup-ratio: 0.6 and --cooldown-ratio 0.4 together leave nothing to measure"},
		"all the time":                   {func(s *settings.Benchmark) { s.WarmupTime, s.CooldownTime = 40*time.Second, 20*time.Second }, "--warmup-time: warm-up and cool-down take 1m0s, and a run 1m0s"},
		"cool-down longer than the run":  {func(s *settings.Benchmark) { s.CooldownTime = time.Hour }, "--cooldown-time: warm-up and cool-down take 1h0m0s"},
		"all requests":                   {func(s *settings.Benchmark) { s.WarmupRequests, s.CooldownRequests, s.MaxRequestsPerRun = 50, 50, 100 }, "--warmup-requests: warm-up and cool-down at concurrency 1 are about 100 requests, and a run has 100"},
		"numbers and shares":             {func(s *settings.Benchmark) { s.WarmupRatio, s.CooldownRequests, s.MaxRequestsPerRun = 0.5, 50, 100 }, "--warmup-ratio: warm-up and cool-down"},
		"a ramp as long as the run":      {func(s *settings.Benchmark) { s.ConcurrencyRamp = time.Minute }, "--concurrency-ramp: warm-up and cool-down take 1m0s, and a run 1m0s: nothing is left to measure (a longer --max-time-per-run; or --warmup-time 0, which measures the ramp too)"},
		"a ramp with all arrivals":       {func(s *settings.Benchmark) { open(s); s.RateRamp.Over, s.MaxRequestsPerRun = 10*time.Second, 400 }, "--rate-ramp: warm-up and cool-down at 100 req/s are about 500 requests, and a run has 400"},
		"a warm-up with all arrivals":    {func(s *settings.Benchmark) { open(s); s.WarmupTime, s.MaxRequestsPerRun = 10*time.Second, 400 }, "--warmup-time: warm-up and cool-down at 100 req/s are about 1000 requests"},
		"qps without the engine for it":  {func(s *settings.Benchmark) { s.QPSLevels = []float64{1} }, "--qps-level: is of the async engine (add --execution-engine async)"},
		"several rules, one of them bad": {func(s *settings.Benchmark) { s.StopOn = []string{"errors>3", "ttft>3"} }, `--stop-on: "ttft" lacks a statistic`},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			plan, problems := bench.NewPlan(s, chatty(), nil, given())
			if plan != nil || len(problems) != 1 || !strings.Contains(problems.Error(), c.want) || strings.Contains(problems.Error(), "\n") {
				t.Errorf("problems %v, want one with %q", problems, c.want)
			}
		})
	}
}

func TestFlagsWithoutEffectAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings.Benchmark)
		given  []string
		want   []string // flags that are warned of
	}{
		"users": {func(s *settings.Benchmark) { s.Distribution = "uniform" },
			[]string{"distribution", "burstiness", "rate-ramp", "max-concurrency", "spawn-rate", "concurrency-ramp", "think-time", "abort-after"},
			[]string{"distribution", "burstiness", "rate-ramp", "max-concurrency", "abort-after"}},
		"closed": {async, []string{"rate-ramp", "max-concurrency", "spawn-rate", "concurrency-ramp", "think-time"}, []string{"rate-ramp", "max-concurrency", "spawn-rate"}},
		"open": {open, []string{"distribution", "rate-ramp", "max-concurrency", "spawn-rate", "concurrency-ramp", "think-time", "num-concurrency"},
			[]string{"num-concurrency", "spawn-rate", "concurrency-ramp", "think-time"}},
		"a shape that is not gamma's": {func(s *settings.Benchmark) { open(s); s.Distribution, s.Burstiness = "constant", 2 }, []string{"distribution", "burstiness"}, []string{"burstiness"}},
		"a stored default":            {func(s *settings.Benchmark) { s.Distribution = "exponential" }, []string{"distribution"}, nil},
		"an end of no rule":           {func(s *settings.Benchmark) { s.StopOnEnds = "experiment" }, []string{"stop-on-ends"}, []string{"stop-on-ends"}},
		"the master's port":           {func(s *settings.Benchmark) {}, []string{"master-port"}, []string{"master-port"}},
		"very many workers":           {func(s *settings.Benchmark) { s.NumWorkers = 100_000 }, []string{"num-workers"}, []string{"num-workers"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			plan, problems := bench.NewPlan(s, chatty(), nil, given(c.given...))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var got []string
			for _, w := range plan.Warnings {
				flag, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), " ")
				got = append(got, flag)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("warned of (-want +got):\n%s%s", diff, strings.Join(plan.Warnings, "\n"))
			}
		})
	}
}

func TestBurstinessImpliesGamma(t *testing.T) {
	s := sound()
	open(s)
	s.Burstiness = 0.5
	plan, problems := bench.NewPlan(s, chatty(), nil, given("burstiness"))
	if len(problems) > 0 || plan.Settings.Distribution != string(load.Gamma) || len(plan.Warnings) > 0 {
		t.Errorf("distribution %q, %v", s.Distribution, problems)
	}
}

func TestTheRampIsWarmUpUnlessThatIsSet(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*settings.Benchmark)
		given  []string
		want   metrics.Cut
	}{
		"of users":             {func(s *settings.Benchmark) { s.ConcurrencyRamp = 10 * time.Second }, nil, metrics.Cut{Time: 10 * time.Second}},
		"of the rate":          {func(s *settings.Benchmark) { open(s); s.RateRamp.Over = 10 * time.Second }, nil, metrics.Cut{Time: 10 * time.Second}},
		"another warm-up":      {func(s *settings.Benchmark) { s.ConcurrencyRamp, s.WarmupRequests = 10*time.Second, 5 }, []string{"warmup-requests"}, metrics.Cut{Requests: 5}},
		"no warm-up":           {func(s *settings.Benchmark) { s.ConcurrencyRamp = 10 * time.Second }, []string{"warmup-time"}, metrics.Cut{}},
		"of another engine":    {func(s *settings.Benchmark) { s.RateRamp.Over = 10 * time.Second }, nil, metrics.Cut{}},
		"spawning is measured": {func(s *settings.Benchmark) { s.SpawnRate = 1 }, nil, metrics.Cut{}},
	} {
		s := sound()
		c.change(s)
		plan, problems := bench.NewPlan(s, chatty(), nil, given(c.given...))
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		if diff := cmp.Diff(c.want, plan.Warmup); diff != "" {
			t.Errorf("%s: warm-up (-want +got):\n%s", name, diff)
		}
	}
}

func TestACapIsKeptAndCounted(t *testing.T) {
	b := &answering{after: 40 * time.Millisecond}
	r := experimentOf(t, b, func(s *settings.Benchmark) {
		open(s)
		s.QPSLevels, s.Distribution, s.MaxConcurrency, s.MaxRequestsPerRun = []float64{200}, "constant", 2, 40
	}, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || f.NumCompletedRequests != 40 || f.Window.CapWaited < 30 || !f.AddedStats.CapWait.Max.Exists() || strings.Contains(strings.Join(f.ClientLimits, " "), "asked for") {
		t.Errorf("%v: %d completed, %+v, cap wait %v, client %q", r.err, f.NumCompletedRequests, f.Window, f.AddedStats.CapWait.Max, f.ClientLimits)
	}
	// 40 requests of 40 ms, two at a time, take 800 ms from the first; they were
	// due within 200. What they waited is in the latency from the intended time.
	if f.AddedStats.E2EFromIntended.Max < 500 || f.Stats.E2ELatency.P50 > f.AddedStats.E2EFromIntended.P50 {
		t.Errorf("E2E at most %v ms from intended, %v from sent", f.AddedStats.E2EFromIntended.Max, f.Stats.E2ELatency.Max)
	}
	if len(f.WarningsOfRun) == 0 || !strings.Contains(strings.Join(f.WarningsOfRun, " "), "arrivals found --max-concurrency requests in flight") {
		t.Errorf("warnings %q", f.WarningsOfRun)
	}
}

func TestDeliberateAbortsAreNeitherCompletedNorErrors(t *testing.T) {
	for name, point := range map[string]settings.AbortPoint{
		"by time":   {After: 20 * time.Millisecond},
		"by events": {Events: 2},
	} {
		t.Run(name, func(t *testing.T) {
			statuses := func(seed uint64) (aborted int, which [40]string) {
				b := &answering{after: 100 * time.Millisecond}
				r := experimentOf(t, b, func(s *settings.Benchmark) {
					s.NumConcurrency, s.MaxRequestsPerRun, s.AbortRate, s.AbortAfter, s.Seed = []int{20}, 40, 0.5, point, seed
				}, nil)
				f := r.loaded.Runs[0].Figures
				if r.err != nil || f.NumCompletedRequests+f.NumAbortedRequests != 40 || f.NumErrorRequests != 0 || f.NumCancelledRequests != 0 || f.ErrorRate != 0 || f.NumRequests != f.NumCompletedRequests {
					t.Errorf("%v: %+v", r.err, f)
				}
				for q, err := range r.loaded.Runs[0].Requests {
					if err != nil {
						t.Fatal(err)
					}
					which[q.Index] = q.Status[:1]
				}
				return f.NumAbortedRequests, which
			}
			n, a := statuses(1)
			_, b := statuses(1)
			_, c := statuses(2)
			if n < 10 || n > 30 || a != b || a == c {
				t.Errorf("%d of 40 aborted; which: %s, again %s, another seed %s", n, a, b, c)
			}
		})
	}
}

func TestARuleEndsARun(t *testing.T) {
	half := func(n int64) *fault.Error {
		if n%2 == 0 {
			return fault.New(fault.Server, "no")
		}
		return nil
	}
	for ends, want := range map[string]int{"run": 4, "scenario": 2, "experiment": 1} {
		t.Run(ends, func(t *testing.T) {
			b := &answering{after: 5 * time.Millisecond, fail: half}
			r := experimentOf(t, b, func(s *settings.Benchmark) {
				s.Scenarios, s.NumConcurrency, s.MaxTimePerRun = []string{"D(10,5)", "D(20,5)"}, []int{2, 3}, time.Minute
				s.StopOn, s.StopOnEnds = []string{"ttft-p99>1h", "error-rate>0.3 after 30"}, ends
			}, nil)
			if r.err != nil || r.result.Runs != want || len(r.loaded.Runs) != want {
				t.Fatalf("%v: %d runs, want %d", r.err, r.result.Runs, want)
			}
			f := r.loaded.Runs[0].Figures
			if f.StopReason != "stop-on error-rate>0.3 after 30" || f.NumRequests < 30 || f.NumRequests > 60 || f.NumCancelledRequests != 0 {
				t.Errorf("stopped by %q after %d requests, %d cancelled", f.StopReason, f.NumRequests, f.NumCancelledRequests)
			}
			if text := strings.Join(f.WarningsOfRun, "\n"); !strings.Contains(text, `the run was ended by --stop-on "error-rate>0.3 after 30": error-rate was 0.`) {
				t.Errorf("warnings %s", text)
			}
		})
	}
}

func TestAPauseBetweenRunsEndsWithAnInterrupt(t *testing.T) {
	interrupt := make(chan struct{})
	b := &answering{fail: func(n int64) *fault.Error {
		if n == 3 { // the last of the first run
			time.AfterFunc(500*time.Millisecond, func() { close(interrupt) })
		}
		return nil
	}}
	began := time.Now()
	r := experimentOf(t, b, func(s *settings.Benchmark) {
		s.MaxRequestsPerRun, s.NumConcurrency, s.PauseBetweenRuns = 3, []int{1, 2}, time.Hour
	}, interrupt)
	if r.err != nil || r.result.Runs != 1 || !r.result.Interrupted || time.Since(began) > time.Minute {
		t.Errorf("%v: %+v", r.err, r.result)
	}
	if !strings.Contains(r.screen, "pausing for 1h0m0s") {
		t.Errorf("screen:\n%s", r.screen)
	}
}

func TestARunOfNothingButWarmUpSaysSo(t *testing.T) {
	r := experimentOf(t, &answering{}, func(s *settings.Benchmark) {
		s.MaxRequestsPerRun, s.MaxTimePerRun, s.WarmupTime = 5, time.Minute, 30*time.Second
	}, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || f.Window.WarmedUp != 5 || len(f.Untrusted) == 0 || !strings.Contains(strings.Join(f.Untrusted, "\n"), "nothing was measured: all 5 requests are warm-up") {
		t.Errorf("%v: %q", r.err, f.Untrusted)
	}
}
