package bench

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/stoprule"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// loop is the kind of a plan's engine.
type loop string

// The loops, as results name them.
const (
	usersLoop  loop = "users"
	closedLoop loop = "closed"
	openLoop   loop = "open"
)

func (p *Plan) loop() loop {
	switch {
	case p.Settings.Trace != "":
		return replayLoop
	case len(p.Settings.QPSLevels) > 0:
		return openLoop
	case p.Settings.ExecutionEngine == "async":
		return closedLoop
	}
	return usersLoop
}

// engine makes the load of a level.
func (p *Plan) engine(l Level) load.Engine {
	s := p.Settings
	switch p.loop() {
	case replayLoop:
		return p.replay(l)
	case openLoop:
		return load.Open{
			Rate: l.Rate, Distribution: load.Distribution(s.Distribution), Burstiness: p.burstiness(), Seed: s.Seed,
			Ramp: s.RateRamp, MaxInFlight: s.MaxConcurrency, Sessions: p.conversing(),
		}
	case closedLoop:
		return load.Closed{Concurrency: l.Concurrency, Ramp: s.ConcurrencyRamp, Think: s.ThinkTime, Seed: s.Seed}
	}
	return load.Users{Count: l.Concurrency, SpawnRate: float64(s.SpawnRate), Ramp: s.ConcurrencyRamp, Think: s.ThinkTime, Seed: s.Seed}
}

// burstiness is the shape of gamma arrivals; 1, a Poisson process, where none is
// given.
func (p *Plan) burstiness() float64 {
	if p.Settings.Burstiness == 0 || p.Settings.Distribution != string(load.Gamma) {
		return 1
	}
	return p.Settings.Burstiness
}

// aborts chooses the requests of a run that are given up on purpose.
func (p *Plan) aborts(run string) load.Aborts {
	return load.NewAborts(p.Settings.AbortRate, p.Settings.Seed, run)
}

// abort is how they are given up.
func (p *Plan) abort() backend.Abort {
	at := p.Settings.AbortAfter
	return backend.Abort{After: at.After, AfterEvents: uint32(at.Events)}
}

// levels makes the rows of the matrix.
func (c *checker) levels() {
	p, s := c.plan, c.plan.Settings
	p.Iteration = scenario.IterationOf(p.Task)
	switch {
	case !c.said.Given("iteration-type") || s.IterationType == string(p.Iteration):
	case p.Iteration == scenario.BatchSize: // a batch of one size, by several users
		p.Iteration = scenario.NumConcurrency
	default:
		c.warn("--iteration-type %s does not fit task %s; levels are %s", s.IterationType, p.Task, p.Iteration)
	}
	if len(s.QPSLevels) > 0 {
		if s.ExecutionEngine != "async" {
			c.wrong("qps-level", "add --execution-engine async", "is of the async engine")
			return
		}
		if c.said.Given("num-concurrency") {
			c.warn("--num-concurrency is ignored: with --qps-level the rate decides how many requests are in flight")
		}
		batch := c.oneBatch()
		p.Iteration = scenario.NumConcurrency // whose place the rates take in files
		for _, q := range unique(s.QPSLevels) {
			p.Levels = append(p.Levels, Level{Concurrency: 1, BatchSize: batch, Rate: q, Sessions: p.conversing()})
		}
		return
	}
	if p.Iteration == scenario.BatchSize {
		inFlight := c.oneConcurrency()
		for _, b := range unique(s.BatchSize) {
			p.Levels = append(p.Levels, Level{Concurrency: inFlight, BatchSize: b})
		}
		return
	}
	batch := c.oneBatch()
	for _, n := range unique(s.NumConcurrency) {
		p.Levels = append(p.Levels, Level{Concurrency: n, BatchSize: batch})
	}
}

// oneBatch is the batch size where levels are something else: 0 where the task
// has no batches.
func (c *checker) oneBatch() int {
	p, sizes := c.plan, unique(c.plan.Settings.BatchSize)
	switch {
	case scenario.IterationOf(p.Task) != scenario.BatchSize:
		if c.said.Given("batch-size") {
			c.warn("--batch-size is ignored by task %s", p.Task)
		}
		return 0
	case !c.said.Given("batch-size"):
		return 1
	case len(sizes) > 1:
		levels := "--num-concurrency"
		if len(c.plan.Settings.QPSLevels) > 0 {
			levels = "--qps-level"
		}
		c.wrong("batch-size", "give one batch size, and an experiment for each", "has several values, and the levels of this experiment are %s", levels)
	}
	return sizes[0]
}

// oneConcurrency is how many requests of batches are in flight: one, unless the
// user gives one other number.
func (c *checker) oneConcurrency() int {
	numbers := unique(c.plan.Settings.NumConcurrency)
	if !c.said.Given("num-concurrency") {
		return 1
	}
	if len(numbers) > 1 {
		c.wrong("num-concurrency", "give one number, and an experiment for each", "has several values, and task %s varies --batch-size", c.plan.Task)
	}
	return numbers[0]
}

// unique drops repetitions and keeps the order: a second run of a level would
// overwrite the first one's file.
func unique[T comparable](numbers []T) []T {
	var out []T
	for _, n := range numbers {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// needs are the loops in which flags have an effect, and what the user is told
// where they have none.
var needs = []struct {
	flag  string
	loops []loop
	hint  string
}{
	{"distribution", []loop{openLoop}, "it is of the open loop, which --execution-engine async --qps-level makes"},
	{"burstiness", []loop{openLoop}, "it is of the open loop, which --execution-engine async --qps-level makes"},
	{"rate-ramp", []loop{openLoop}, "it is of the open loop; --concurrency-ramp lets users come one by one"},
	{"max-concurrency", []loop{openLoop, replayLoop}, "it caps the open loop; --num-concurrency says how many requests are in flight here"},
	{"spawn-rate", []loop{usersLoop}, "it is of the locust engine; --concurrency-ramp spreads the start of --execution-engine async"},
	{"concurrency-ramp", []loop{usersLoop, closedLoop}, "the open loop has no users; --rate-ramp lets its rate grow"},
	{"think-time", []loop{usersLoop, closedLoop}, "the open loop has no users who could think; its rate says how often requests are sent"},
}

// load checks the flags of the engines against the engine.
func (c *checker) load() {
	p, s := c.plan, c.plan.Settings
	for _, n := range needs {
		if c.said.Given(n.flag) && !slices.Contains(n.loops, p.loop()) && !(n.flag == "distribution" && s.Distribution == string(load.Exponential)) {
			c.warn("--%s is ignored: %s", n.flag, n.hint)
		}
	}
	if p.loop() == openLoop && s.Burstiness != 0 && s.Distribution != string(load.Gamma) {
		if c.said.Given("distribution") {
			c.warn("--burstiness is ignored: it is the shape of --distribution gamma, and %s was given", s.Distribution)
		} else {
			s.Distribution = string(load.Gamma)
		}
	}
	if s.SpawnRate > 0 && s.ConcurrencyRamp > 0 && p.loop() == usersLoop {
		c.wrong("concurrency-ramp", "give one of them", "--spawn-rate says already when users come")
	}
	switch {
	case s.AbortRate > 0 && s.AbortAfter.After == 0 && s.AbortAfter.Events == 0:
		c.wrong("abort-rate", "add --abort-after 500ms or --abort-after events:20", "does not say when requests are given up")
	case s.AbortRate == 0 && c.said.Given("abort-after"):
		c.warn("--abort-after is ignored: --abort-rate, the share of requests to give up, is not given")
	case s.AbortRate > 0 && s.AbortAfter.Events > 0 && !p.Stream:
		c.wrong("abort-after", "give a time, as 500ms", "counts the events of a stream, and answers come whole here")
	}
	if c.said.Given("master-port") {
		c.warn("--master-port is accepted and means nothing: workers are processes of their own that are reached without a port")
	}
	if cpus := runtime.NumCPU(); s.NumWorkers > 4*cpus {
		c.warn("--num-workers %d is more than four for each of the %d CPUs; one process is enough for almost everyone", s.NumWorkers, cpus)
	}
	c.stopRules()
}

func (c *checker) stopRules() {
	p, s := c.plan, c.plan.Settings
	for _, text := range s.StopOn {
		rule, err := stoprule.Parse(text)
		if err != nil {
			c.wrong("stop-on", "", "%v", err)
			continue
		}
		p.StopRules = append(p.StopRules, rule)
	}
	if len(s.StopOn) == 0 && c.said.Given("stop-on-ends") && s.StopOnEnds != "run" {
		c.warn("--stop-on-ends is ignored: there is no --stop-on")
	}
}

// limits checks what ends runs, and what is left out at their ends.
func (c *checker) limits() {
	p, s := c.plan, c.plan.Settings
	if s.MaxTimePerRun == 0 && s.MaxRequestsPerRun == 0 && s.Trace == "" {
		c.wrong("max-time-per-run", "as 90s, or --max-requests-per-run 300", "a run needs an end: give one of --max-time-per-run and --max-requests-per-run")
	}
	p.Warmup = metrics.Cut{Ratio: s.WarmupRatio, Requests: s.WarmupRequests, Time: s.WarmupTime}
	p.Cooldown = metrics.Cut{Ratio: s.CooldownRatio, Requests: s.CooldownRequests, Time: s.CooldownTime}
	sound := c.oneWay("warmup", p.Warmup)
	sound = c.oneWay("cooldown", p.Cooldown) && sound
	if ramp, flag := c.ramp(); ramp > 0 && p.Warmup == (metrics.Cut{}) && !c.said.Given("warmup-time") && !c.said.Given("warmup-ratio") && !c.said.Given("warmup-requests") {
		p.Warmup.Time = ramp
		c.fits(flag, "; or --warmup-time 0, which measures the ramp too")
		return
	}
	if sound {
		c.fits("", "")
	}
}

// ramp is the time in which the load grows, and the flag that says so. Users
// that are spawned at a rate are no ramp here: the reference measures them.
func (c *checker) ramp() (time.Duration, string) {
	s := c.plan.Settings
	switch c.plan.loop() {
	case openLoop:
		return s.RateRamp.Over, "rate-ramp"
	case replayLoop:
		return 0, ""
	}
	return s.ConcurrencyRamp, "concurrency-ramp"
}

// oneWay checks that one end of runs is cut in one way at most.
func (c *checker) oneWay(end string, cut metrics.Cut) bool {
	var flags []string
	for flag, set := range map[string]bool{"-ratio": cut.Ratio > 0, "-requests": cut.Requests > 0, "-time": cut.Time > 0} {
		if set {
			flags = append(flags, end+flag)
		}
	}
	if len(flags) < 2 {
		return true
	}
	slices.Sort(flags)
	c.wrong(flags[1], "give one of them", "--%s says already what is left out", strings.Join(flags[:1], ""))
	return false
}

// fits checks that warm-up and cool-down leave something to measure. Where the
// warm-up is a ramp its flag is given, and what else could be done.
func (c *checker) fits(flag, otherwise string) {
	p, s := c.plan, c.plan.Settings
	if flag == "" {
		flag = cutFlag("warmup", p.Warmup)
		if p.Warmup == (metrics.Cut{}) {
			flag = cutFlag("cooldown", p.Cooldown)
		}
	}
	if p.Warmup.Ratio+p.Cooldown.Ratio >= 1 {
		c.wrong(flag, "", "%g and --cooldown-ratio %g together leave nothing to measure", p.Warmup.Ratio, p.Cooldown.Ratio)
		return
	}
	if all := p.Warmup.Time + p.Cooldown.Time; s.MaxTimePerRun > 0 && all >= s.MaxTimePerRun {
		c.wrong(flag, "a longer --max-time-per-run"+otherwise, "warm-up and cool-down take %s, and a run %s: nothing is left to measure", all, s.MaxTimePerRun)
		return
	}
	all, hint := s.MaxRequestsPerRun, "a larger --max-requests-per-run"+otherwise
	if p.Trace != nil {
		all, hint = len(p.Trace.Requests), ""
	}
	if all == 0 || s.Trace != "" && p.Trace == nil {
		return
	}
	for _, l := range p.Levels {
		if n := c.cutRequests(p.Warmup, l, all) + c.cutRequests(p.Cooldown, l, all); n >= float64(all) {
			c.wrong(flag, hint, "warm-up and cool-down at %s are about %.0f requests, and a run has %d: nothing is left to measure", l, n, all)
			return
		}
	}
}

// cutFlag is the flag that made a cut.
func cutFlag(end string, cut metrics.Cut) string {
	switch {
	case cut.Time > 0:
		return end + "-time"
	case cut.Requests > 0:
		return end + "-requests"
	}
	return end + "-ratio"
}

// cutRequests is how many of all requests of a run limited by number a cut
// leaves out, as far as is known before.
func (c *checker) cutRequests(cut metrics.Cut, l Level, all int) float64 {
	switch {
	case cut.Requests > 0:
		return float64(cut.Requests)
	case cut.Ratio > 0:
		return math.Floor(cut.Ratio * float64(all))
	case cut.Time > 0:
		switch engine := c.plan.engine(l).(type) {
		case load.Open:
			return engine.Expected(cut.Time)
		case load.Replay:
			return float64(arrivalsIn(engine, cut.Time.Seconds()))
		}
	}
	return 0
}
