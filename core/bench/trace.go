package bench

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/trace"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// replayLoop sends what a trace has, when it has it.
const replayLoop loop = "replay"

// LoadTrace reads the trace that --trace names, and leaves of it what is to be
// sent; nil where none is named.
func LoadTrace(s *settings.Benchmark) (*trace.Trace, error) {
	if s.Trace == "" {
		return nil, nil
	}
	said := func(word string) string {
		if word == "auto" {
			return ""
		}
		return word
	}
	t, err := trace.Load(s.Trace, trace.Options{Format: said(s.TraceFormat), Unit: trace.Unit(said(s.TraceTimeUnit)), BlockTokens: s.TraceBlockTokens})
	if err != nil {
		return nil, err
	}
	part, err := t.Part(s.TraceFrom, s.TraceUntil, s.MaxRequestsPerRun)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (--trace-from, --trace-until)", s.Trace, err)
	}
	return part, nil
}

// stem is a file's name without its folder and its suffixes, fit to be part of
// the names of results.
func stem(path string) string {
	name := strings.TrimLeft(filepath.Base(path), ".")
	if cut, _, found := strings.Cut(name, "."); found {
		name = cut
	}
	return strings.NewReplacer(" ", "_", "(", "", ")", "", ",", "_").Replace(name)
}

// conflicts names the flags that do not go with another one. Each is a problem
// of its own.
func (c *checker) conflicts(with string, flags map[string]bool, hints map[string]string) {
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		if flags[flag] {
			c.wrong(flag, "leave it out", "does not go with --%s%s", with, hints[flag])
		}
	}
}

// traced checks what is said of a trace, and makes its place in the matrix: one
// scenario, and a level for each time scale.
func (c *checker) traced() {
	p, s := c.plan, c.plan.Settings
	if s.Trace == "" {
		for flag, set := range map[string]bool{
			"trace-format": s.TraceFormat != "auto" && s.TraceFormat != "", "trace-time-unit": s.TraceTimeUnit != "auto" && s.TraceTimeUnit != "",
			"trace-block-tokens": s.TraceBlockTokens > 0, "trace-from": s.TraceFrom > 0, "trace-until": s.TraceUntil > 0, "time-scale": len(s.TimeScale) > 0,
		} {
			if set {
				c.warn("--%s is ignored: there is no --trace", flag)
			}
		}
		return
	}
	if p.Task != backend.TextToText {
		c.wrong("trace", "", "is replayed with task %s, not with %s", backend.TextToText, p.Task)
	}
	c.conflicts("trace", map[string]bool{
		"traffic-scenario": len(s.Scenarios) > 0, "qps-level": len(s.QPSLevels) > 0, "prefix-len": s.PrefixLen > 0, "prefix-ratio": s.PrefixRatio > 0,
		"count-chat-template": s.CountTemplate, "conversation": s.Conversation != "", "session-turns": s.SessionTurns > 0,
	}, map[string]string{
		"traffic-scenario": ": the trace says how long requests are", "qps-level": ": the trace says when requests come; --time-scale 0.5 doubles its rate",
		"prefix-len": ": the trace says what requests share", "prefix-ratio": ": the trace says what requests share",
		"count-chat-template": ": the trace's sizes are those of bare prompts", "conversation": "", "session-turns": ": the trace says which requests there are",
	})
	if c.said.Given("num-concurrency") {
		c.warn("--num-concurrency is ignored: the trace decides how many requests are in flight")
	}
	if c.said.Given("execution-engine") && s.ExecutionEngine == "locust" {
		c.warn("--execution-engine locust is ignored: a trace is replayed as an open loop, at its own times")
	}
	p.Scenarios = []Scenario{{Written: "trace-" + stem(s.Trace)}}
	p.Iteration = scenario.NumConcurrency // whose place the rates take in files
	p.Trace = c.said.Trace
	if p.Trace == nil { // it could not be read, which has been said
		p.Levels = []Level{{Concurrency: 1, Rate: 1, TimeScale: 1}}
		return
	}
	p.traceSessions = p.Trace.Sessions()
	p.traceTurns = turnsOf(p.traceSessions)
	if p.Trace.Bad > 0 {
		c.warn("--trace %s: %d rows are bad and left out: %s%s", s.Trace, p.Trace.Bad, strings.Join(p.Trace.FirstBad, "; "), more(p.Trace.Bad-len(p.Trace.FirstBad)))
	}
	scales := unique(s.TimeScale)
	if len(scales) == 0 {
		scales = []float64{1}
	}
	taken := map[int]float64{}
	for _, scale := range scales {
		l := Level{Concurrency: 1, Rate: p.Trace.Rate(scale), TimeScale: scale}
		if other, twice := taken[l.Number(p.Iteration)]; twice {
			c.wrong("time-scale", "", "%g and %g are the same rate in the names of files, which have it in thousandths", other, scale)
		}
		taken[l.Number(p.Iteration)] = scale
		p.Levels = append(p.Levels, l)
	}
}

// turnsOf counts the requests of each session.
func turnsOf(sessions []int) []int {
	turns, had := make([]int, len(sessions)), map[int]int{}
	for i, s := range sessions {
		if s >= 0 {
			had[s]++
			turns[i] = had[s]
		}
	}
	return turns
}

// recordedTurn is the session of a request of the trace and which of its turns it
// is, from 1; 0 for none.
func (p *Plan) recordedTurn(arrival uint64) (session, turn int) {
	if p.traceSessions == nil || p.traceSessions[arrival] < 0 {
		return 0, 0
	}
	return p.traceSessions[arrival] + 1, p.traceTurns[arrival]
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("; and %d more", n)
}

// replay is the engine of a trace at a level.
func (p *Plan) replay(l Level) load.Engine {
	return load.Replay{Offsets: p.Trace.Offsets(l.TimeScale), Sessions: p.traceSessions, MaxInFlight: p.Settings.MaxConcurrency}
}

// arrivalsIn is how many requests a trace has in a time at a level.
func arrivalsIn(r load.Replay, seconds float64) (n int) {
	for n < len(r.Offsets) && r.Offsets[n].Seconds() < seconds {
		n++
	}
	return n
}

// held keeps the requests of a trace that were made before their turn: those of
// sessions that wait for the request before.
type held struct {
	maker prompt.Maker
	next  uint64 // the next one that comes from the store
	items map[uint64]prompt.Item
	bytes int
}

// heldBytesMax is how much of them is kept. What does not fit is made again.
const heldBytesMax = 256 << 20

// take returns request arrival of the trace; from is where they come from in
// order.
func (h *held) take(arrival uint64, from func() (prompt.Item, error)) (prompt.Item, error) {
	if arrival < h.next {
		item, kept := h.items[arrival]
		if !kept {
			return h.maker.Request(arrival)
		}
		delete(h.items, arrival)
		h.bytes -= item.Bytes
		return item, nil
	}
	for {
		item, err := from()
		if err != nil {
			return item, err
		}
		h.next++
		if item.Index == arrival {
			return item, nil
		}
		if h.bytes+item.Bytes <= heldBytesMax {
			h.items[item.Index] = item
			h.bytes += item.Bytes
		}
	}
}

// scaled names a time scale.
func scaled(scale float64) string { return strconv.FormatFloat(scale, 'g', -1, 64) }

func (p *Plan) traceMetadata() *experiment.TraceMetadata {
	t := p.Trace
	if t == nil {
		return nil
	}
	m := &experiment.TraceMetadata{
		File: t.Name, SHA256: t.SHA256, Format: t.Format, Requests: len(t.Requests), SpanSeconds: t.Span().Seconds(), Rate: t.Rate(1),
		BlockTokens: t.BlockTokens, Skipped: t.Skipped, Bad: t.Bad,
	}
	for _, l := range p.Levels {
		m.TimeScale = append(m.TimeScale, l.TimeScale)
	}
	requests := map[int]int{}
	for _, s := range p.traceSessions {
		if s < 0 {
			continue
		}
		if requests[s]++; requests[s] == 2 {
			m.Sessions++
		}
	}
	return m
}
