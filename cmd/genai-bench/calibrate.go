package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

const (
	errorLimitMS = 1.0 // whose passing is looked for
	searchRun    = 3 * time.Second
	searchMax    = 4096 // requests in flight; of rates, the most that an open loop takes
	searchFine   = 1.3  // how near the two loads around the passage must be
)

// calibrating is one invocation of `calibrate`.
type calibrating struct {
	*app
	core            *settings.Benchmark
	tokensPerSecond float64
	spread, json    bool
	least           bool
	searchTime      time.Duration

	rehearser *rehearser
	interrupt <-chan struct{}
}

func (a *app) calibrateCommand() *cobra.Command {
	c := &calibrating{app: a}
	cmd := &cobra.Command{
		Use:   "calibrate",
		Short: "how far this tool's times are from the truth on this machine",
		Long: `Run the load that you intend against the simulator on this machine, which knows
when each byte left, and print how far reported TTFT, ITL and E2E latency are from
what happened, what measuring cost, and the load at which the error passes 1 ms.

The simulator is a process of its own, the load goes through the real plugin
process; both share this machine, so that a server elsewhere leaves the client
more room than it has here. docs/truth.md says how to read the figures.`,
		Example: `  genai-bench calibrate
  genai-bench calibrate --num-concurrency 64 --num-concurrency 512 --clock socket
  genai-bench calibrate --execution-engine async --qps-level 100 --search-time 0`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{"sift": "yes", "exit-codes": "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd.Context(), cmd.Flags())
		},
	}
	fs := cmd.Flags()
	c.core = settings.CalibrateFlags(fs)
	fs.Float64Var(&c.tokensPerSecond, "tokens-per-second", 50, "speed of each stream")
	fs.BoolVar(&c.spread, "spread-tokens", false, "let the tokens of an engine's step leave spread over it; by default all streams' leave at once, as servers do")
	fs.DurationVar(&c.searchTime, "search-time", 30*time.Second, "longest time for finding the load at which the error passes 1 ms; 0: it is not looked for")
	fs.BoolVar(&c.least, "least", false, "measure the least client that can be too (net/http, a goroutine a stream, the clock after each read), to hold error and cost against")
	fs.BoolVar(&c.json, "json", false, "print everything as JSON")
	return cmd
}

// check reports every mistake at once.
func (c *calibrating) check(fs *pflag.FlagSet) error {
	problems := slices.Clone(c.problems)
	wrong := func(flag, format string, args ...any) {
		problems = append(problems, settings.Problem{Flag: flag, Message: fmt.Sprintf(format, args...)})
	}
	if !(c.tokensPerSecond >= 0.1 && c.tokensPerSecond <= 1000) {
		wrong("tokens-per-second", "%g is out of range: a stream has 0.1 to 1000", c.tokensPerSecond)
	}
	if c.searchTime < 0 {
		wrong("search-time", "%s is negative (0 leaves the search out)", c.searchTime)
	}
	if c.core.MaxTimePerRun <= 0 {
		wrong("max-time-per-run", "a load must be measured for some time (as 8s)")
	}
	if n := len(c.core.Scenarios); n > 1 {
		wrong("traffic-scenario", "is given %d times; a calibration has one", n)
	}
	parsed, err := scenario.Parse(c.core.Scenarios[0])
	if err == nil {
		err = parsed.Fits(backend.TextToText)
	}
	if err != nil {
		wrong("traffic-scenario", "%v", err)
	}
	if c.least && len(c.core.QPSLevels) > 0 {
		wrong("least", "is a closed loop, which knows no --qps-level")
	}
	if len(c.core.QPSLevels) > 0 && c.core.ExecutionEngine != "async" {
		if fs.Changed("execution-engine") {
			wrong("qps-level", "is of the async engine (add --execution-engine async)")
		}
		c.core.ExecutionEngine = "async"
	}
	return problems.Err()
}

func (c *calibrating) run(ctx context.Context, fs *pflag.FlagSet) error {
	if err := c.check(fs); err != nil {
		return err
	}
	if !c.core.SeedGiven {
		c.core.Seed = randomSeed()
	}
	b := &benchmarking{app: c.app, core: c.core}
	ctx, interrupt, release := b.interrupts(ctx)
	defer release()
	c.interrupt = interrupt
	log := hclog.New(&hclog.LoggerOptions{Name: "genai-bench", Level: hclog.Error, Output: c.stderr})
	r, done, err := c.newRehearser(ctx, *c.core, c.spread, interrupt, log)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	defer done()
	c.rehearser = r
	measureErr := c.levels(ctx)
	r.result.Interrupted = c.stopped(ctx)
	if len(r.result.Levels) > 0 {
		if err := c.print(); err != nil {
			return err
		}
	}
	switch {
	case r.result.Interrupted:
		return withCode(exitInterrupted, "interrupted: %d loads were measured", len(r.result.Levels))
	case measureErr != nil:
		return fmt.Errorf("calibrate: %w", measureErr)
	case !slices.ContainsFunc(r.result.Levels, func(l calibrate.Level) bool { return l.Requests > 0 }):
		return withCode(exitAllFailed, "calibrate: no request was answered")
	}
	return nil
}

func (c *calibrating) print() error {
	if !c.json {
		fmt.Fprintln(c.stdout)
		return calibrate.Write(c.stdout, &c.rehearser.result)
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(&c.rehearser.result)
}

func (c *calibrating) stopped(ctx context.Context) bool {
	select {
	case <-c.interrupt:
		return true
	default:
		return ctx.Err() != nil
	}
}

// levels measures what was asked for, and then looks for where the error passes
// its limit.
func (c *calibrating) levels(ctx context.Context) error {
	open := len(c.core.QPSLevels) > 0
	var loads []float64
	for _, n := range c.core.NumConcurrency {
		if !open && !slices.Contains(loads, float64(n)) {
			loads = append(loads, float64(n))
		}
	}
	for _, rate := range c.core.QPSLevels {
		if !slices.Contains(loads, rate) {
			loads = append(loads, rate)
		}
	}
	fmt.Fprintf(c.stderr, "calibrating against a simulator on this machine: %d load(s) of streams of %g tokens/s for %s each", len(loads), c.tokensPerSecond, c.core.MaxTimePerRun)
	if c.searchTime > 0 {
		fmt.Fprintf(c.stderr, ", then up to %s to find where the error passes %g ms", c.searchTime, errorLimitMS)
	}
	fmt.Fprintln(c.stderr)
	for _, load := range loads {
		if c.stopped(ctx) {
			return nil
		}
		if _, err := c.measure(ctx, load, false); err != nil {
			return err
		}
		if c.least && !c.stopped(ctx) {
			if err := c.rehearser.measureLeast(ctx, c.load(load, false)); err != nil {
				return err
			}
		}
	}
	if c.searchTime <= 0 || c.stopped(ctx) {
		return nil
	}
	ended, err := c.search(ctx, time.Now().Add(c.searchTime))
	c.rehearser.result.Find(errorLimitMS, ended)
	return err
}

// measure measures a load: streams or, in an open loop, requests a second.
func (c *calibrating) measure(ctx context.Context, load float64, searched bool) (*calibrate.Level, error) {
	return c.rehearser.measure(ctx, c.load(load, searched))
}

func (c *calibrating) load(load float64, searched bool) rehearsal {
	p := rehearsal{
		scenario: c.core.Scenarios[0], concurrency: int(load), lasting: c.core.MaxTimePerRun, searched: searched,
		step: time.Duration(float64(time.Second) / c.tokensPerSecond),
	}
	if len(c.core.QPSLevels) > 0 {
		p.concurrency, p.rate = 0, load
	}
	if searched {
		p.lasting = min(p.lasting, searchRun)
	}
	return p
}

// search looks for the load at which the error passes its limit: up from the
// largest load that is within it, or down from the smallest that is not, by
// factors of two, and then between the two. It says why it ended.
func (c *calibrating) search(ctx context.Context, until time.Time) (ended string, err error) {
	rate := len(c.core.QPSLevels) > 0
	most := float64(searchMax)
	if rate {
		most = 10_000
	}
	within, beyond := 0.0, 0.0
	note := func(l *calibrate.Level) {
		switch _, e := l.Worst(); {
		case !e.Exists():
		case float64(e) > errorLimitMS:
			if beyond == 0 || l.Load() < beyond {
				beyond = l.Load()
			}
		default:
			within = max(within, l.Load())
		}
	}
	for i := range c.rehearser.result.Levels {
		if l := &c.rehearser.result.Levels[i]; l.Client == "" {
			note(l)
		}
	}
	longest := min(c.core.MaxTimePerRun, searchRun)
	for !c.stopped(ctx) {
		var next float64
		switch {
		case within == 0 && beyond == 0:
			return "no load was measured", nil
		case beyond == 0:
			next = min(2*within, most)
			if next == within {
				return "more is not tried", nil
			}
		case within == 0 || within >= beyond:
			next = beyond / 2
			within = 0
		case beyond/within <= searchFine:
			return "", nil
		default:
			next = math.Sqrt(within * beyond)
		}
		if !rate {
			next = math.Round(next)
		}
		if next == within || next == beyond || next < 1 {
			return "less is not tried", nil
		}
		if time.Now().Add(longest).After(until) {
			return fmt.Sprintf("--search-time %s was over", c.searchTime), nil
		}
		began := time.Now()
		l, err := c.measure(ctx, next, true)
		if err != nil {
			return "it could not be measured", err
		}
		longest = max(longest, time.Since(began))
		if l.Failed > 0 && l.Requests == 0 {
			return fmt.Sprintf("at %s every request failed", l), nil
		}
		if _, e := l.Worst(); !e.Exists() {
			return fmt.Sprintf("at %s no answer was whole", l), nil
		}
		note(l)
		if l.Saturated() && beyond == 0 {
			return fmt.Sprintf("at %s the simulator itself could not keep up", l), nil
		}
	}
	return "interrupted", nil
}
