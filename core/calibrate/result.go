package calibrate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/genai-bench/genai-bench/core/metrics"
)

// Calibration is how well this tool measures on a machine, at some loads.
type Calibration struct {
	At        string `json:"at,omitempty"`         // RFC 3339
	Clock     string `json:"clock"`                // that the plugin chose
	ClockNote string `json:"clock_note,omitempty"` // how to get a better one
	Backend   string `json:"backend"`
	Workers   int    `json:"workers"`       // plugin processes
	Spread    bool   `json:"tokens_spread"` // else all tokens of a step leave at once
	// Levels are in the order in which they were measured.
	Levels []Level `json:"levels"`
	// Passage is where the error passes a limit; nil: it was not looked for.
	Passage *Passage `json:"passage,omitempty"`
	// Interrupted: the user ended it; what is here was measured.
	Interrupted bool `json:"interrupted,omitempty"`
}

// Level is one load.
type Level struct {
	Scenario    string  `json:"scenario"`
	Concurrency int     `json:"num_concurrency,omitempty"` // of closed loops
	Rate        float64 `json:"request_rate,omitempty"`    // of the open loop, per second
	StepMS      float64 `json:"step_ms"`                   // between two tokens of a stream
	Searched    bool    `json:"searched,omitempty"`        // not asked for: a load of the search for Passage
	Client      string  `json:"client,omitempty"`          // another one than this tool, for comparison

	Requests  int   `json:"requests"` // joined with the server's records
	Failed    int   `json:"failed"`
	Cancelled int   `json:"cancelled"`
	Unknown   int   `json:"unknown,omitempty"` // of which the server has no record, or more than one
	Vague     int   `json:"vague,omitempty"`   // whose record holds no exact moments (HTTP/2)
	Unlike    int   `json:"unlike,omitempty"`  // whose events are others than those sent; their TTFT, TPOT and ITL are left out
	Tokens    int64 `json:"output_tokens"`

	// Groups are the requests by clock and connection.
	Groups       []Group       `json:"groups"`
	BundledShare metrics.Value `json:"bundled_event_share"` // of the output events
	CPU          CPU           `json:"cpu"`
	Server       Server        `json:"server"`
	LateMS       Quantiles     `json:"sent_late_ms"`
	// ClientLimits say where the client was the bottleneck.
	ClientLimits []string `json:"client_bottleneck,omitempty"`
}

// Group is the requests of one clock over kept or over new connections.
type Group struct {
	Clock    string `json:"clock"`
	New      bool   `json:"new_connections"`
	Requests int    `json:"requests"`

	TTFT Errors `json:"ttft"`
	TPOT Errors `json:"tpot"`
	ITL  Errors `json:"itl"`
	E2E  Errors `json:"e2e"`

	// What they are made of. Send is when a request began to leave. Arrivals are
	// those of single output events: Exact of those whose stamp claims to be exact,
	// Flagged of those that say themselves that they may not be, bundled ones
	// above all.
	Send    Errors `json:"send"`
	Exact   Errors `json:"arrivals_exact"`
	Flagged Errors `json:"arrivals_flagged"`
}

// Errors are distances of reported times from the truth.
type Errors struct {
	Quantiles
	N     int `json:"n"`
	Early int `json:"early"` // reported before, or shorter than, what can be true
	Late  int `json:"late"`  // after, or longer
}

// Quantiles of something in milliseconds; null where there is nothing.
type Quantiles struct {
	P50 metrics.Value `json:"p50_ms"`
	P99 metrics.Value `json:"p99_ms"`
	Max metrics.Value `json:"max_ms"`
}

// CPU is what a level cost. Null is not known on this system.
type CPU struct {
	CPUs             int           `json:"cpus"`
	CoreSeconds      metrics.Value `json:"core_seconds"`
	PluginSeconds    metrics.Value `json:"plugin_seconds"`
	SimulatorSeconds metrics.Value `json:"simulator_seconds"`
	// Of core and plugins together, everything that they did divided by the
	// requests, and by the output tokens.
	RequestMS    metrics.Value `json:"per_request_ms"`
	TokenUS      metrics.Value `json:"per_token_us"`
	MachineShare metrics.Value `json:"machine_share"` // by every program
}

// Server is how well the simulator did: what it did late is not the client's
// fault, and what it does not know is not held against the client.
type Server struct {
	// Late is how long after they were due tokens were written: the first and the
	// last of each answer.
	Late Quantiles `json:"late"`
	// Width is how long a write of a token took: what is not known about its
	// arrival.
	Width Quantiles `json:"interval_width"`
	// SendKnown is the share of requests that the server's kernel stamped.
	SendKnown metrics.Value `json:"send_known_share"`
}

// Passage is where the error passes a limit as the load grows: TTFT, ITL or E2E
// of a hundredth of the requests over kept connections.
type Passage struct {
	LimitMS float64 `json:"limit_ms"`
	// Within is the largest load with an error within the limit, Beyond the
	// smallest one above it: requests in flight, or a second. 0: there was none.
	Within float64 `json:"within"`
	Beyond float64 `json:"beyond"`
	Ended  string  `json:"ended"` // why no larger or smaller load was tried
}

// Load is what the level is about: requests in flight or, in an open loop, a
// second.
func (l *Level) Load() float64 {
	if l.Rate > 0 {
		return l.Rate
	}
	return float64(l.Concurrency)
}

// String names the load, "64 streams" or "20 req/s", and the client where it is
// another's.
func (l *Level) String() string {
	name := LoadName(l.Load(), l.Rate > 0)
	if l.Client != "" {
		name += ", " + l.Client
	}
	return name
}

// LoadName names a load.
func LoadName(load float64, rate bool) string {
	text := strconv.FormatFloat(load, 'g', 6, 64)
	switch {
	case rate:
		return text + " req/s"
	case load == 1:
		return text + " stream"
	}
	return text + " streams"
}

// Metric is a latency that has an error.
type Metric string

// The metrics.
const (
	TTFT Metric = "ttft"
	TPOT Metric = "tpot"
	ITL  Metric = "itl"
	E2E  Metric = "e2e"
)

// Of returns a group's errors of a metric.
func (g *Group) Of(m Metric) *Errors {
	switch m {
	case TTFT:
		return &g.TTFT
	case TPOT:
		return &g.TPOT
	case ITL:
		return &g.ITL
	}
	return &g.E2E
}

// group finds the requests whose error stands for the level's: those of the
// clock over kept connections, else of any clock, else over new ones; the most
// there are.
func (l *Level) group(clock string) *Group {
	var best *Group
	rank := func(g *Group) int {
		r := 0
		if g.Clock == clock {
			r += 2
		}
		if !g.New {
			r++
		}
		return r
	}
	for i := range l.Groups {
		g := &l.Groups[i]
		if best == nil || rank(g) > rank(best) || rank(g) == rank(best) && g.Requests > best.Requests {
			best = g
		}
	}
	return best
}

// Error is the error of a metric at this load, in milliseconds: 99 of 100 are
// within it. clock is the one that the figures in question were timed by; ""
// is any.
func (l *Level) Error(m Metric, clock string) metrics.Value {
	g := l.group(clock)
	if g == nil {
		return metrics.None()
	}
	return g.Of(m).P99
}

// Worst is the largest error of TTFT, ITL and E2E at this load, and whose it is.
func (l *Level) Worst() (Metric, metrics.Value) {
	metric, worst := TTFT, metrics.None()
	for _, m := range []Metric{TTFT, ITL, E2E} {
		if e := l.Error(m, ""); e.Exists() && !(worst >= e) {
			metric, worst = m, e
		}
	}
	return metric, worst
}

// For returns the level that was measured at a load, or nil.
func (c *Calibration) For(concurrency int, rate float64) *Level {
	for i := range c.Levels {
		l := &c.Levels[i]
		if l.Client != "" {
			continue
		}
		if rate > 0 && l.Rate == rate || rate <= 0 && l.Rate <= 0 && l.Concurrency == concurrency {
			return l
		}
	}
	return nil
}

// behindAt is the part of a step by which the simulator's tokens may be late
// before it is said to be behind.
const behindAt = 1.0

// Behind tells that the simulator could not keep its own schedule: the load was
// less than it says, or came in heaps.
func (l *Level) Behind() bool {
	return l.Server.Late.P99.Exists() && float64(l.Server.Late.P99) > behindAt*l.StepMS
}

// Saturated tells that the simulator had no CPU left for its schedule: half of
// its tokens were late by more than a step, and more load would be no more.
func (l *Level) Saturated() bool {
	return l.Server.Late.P50.Exists() && float64(l.Server.Late.P50) > behindAt*l.StepMS
}

// Warnings are what a reader of a level must know, each a sentence.
func (l *Level) Warnings() []string {
	var list []string
	if l.Behind() {
		list = append(list, fmt.Sprintf("the simulator, not the client, was behind: one token in a hundred left %.3g ms or more after it was due, of steps of %.3g ms", float64(l.Server.Late.P99), l.StepMS))
	}
	for _, limit := range l.ClientLimits {
		list = append(list, "the client: "+limit)
	}
	if n := l.Failed; n > 0 {
		list = append(list, fmt.Sprintf("%d requests failed", n))
	}
	if n := l.Unknown; n > 0 {
		list = append(list, fmt.Sprintf("%d requests are not in the simulator's records", n))
	}
	if n := l.Vague; n > 0 {
		list = append(list, fmt.Sprintf("the simulator does not know exactly when it wrote %d answers", n))
	}
	if n := l.Unlike; n > 0 {
		list = append(list, fmt.Sprintf("%d answers were reported with other events than were sent", n))
	}
	if s := l.Server.SendKnown; s.Exists() && s < 1 {
		list = append(list, fmt.Sprintf("of %.3g %% of the requests it is only known that they had been sent by the time the simulator read them", 100*(1-float64(s))))
	}
	return list
}

// Find works out where the error passes a limit, from the levels that there
// are.
func (c *Calibration) Find(limitMS float64, ended string) {
	p := &Passage{LimitMS: limitMS, Ended: ended}
	levels := make([]*Level, 0, len(c.Levels))
	for i := range c.Levels {
		if c.Levels[i].Client == "" {
			levels = append(levels, &c.Levels[i])
		}
	}
	slices.SortStableFunc(levels, func(a, b *Level) int { return cmp.Compare(a.Load(), b.Load()) })
	for _, l := range levels {
		_, e := l.Worst()
		switch {
		case !e.Exists():
		case float64(e) > limitMS:
			p.Beyond = l.Load()
		default:
			p.Within = l.Load()
		}
		if p.Beyond > 0 {
			break
		}
	}
	c.Passage = p
}
