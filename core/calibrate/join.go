package calibrate

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// span is where a moment, or a time, must lie.
type span struct{ from, to time.Duration }

// unknown is the width of a span whose end nobody knows.
const unknown = time.Hour

// since is where the time between two moments must lie.
func (s span) since(earlier span) span { return span{s.from - earlier.to, s.to - earlier.from} }

// over divides a time among n.
func (s span) over(n int) span { return span{s.from / time.Duration(n), s.to / time.Duration(n)} }

// Joiner holds what requests reported against the server's records. It is not
// safe for concurrent use.
type Joiner struct {
	level  Level
	groups map[groupKey]*samples

	serverLate, serverWidth, sentLate []float64
	outputs, bundled                  int
	sendKnown                         int
}

type groupKey struct {
	clock string
	fresh bool
}

// samples are the errors of a group.
type samples struct {
	requests             int
	ttft, tpot, itl, e2e distances
	send, exact, flagged distances
}

// distances are errors in milliseconds.
type distances struct {
	values      []float64
	early, late int
}

// NewJoiner returns a joiner without requests.
func NewJoiner() *Joiner { return &Joiner{groups: make(map[groupKey]*samples)} }

// add takes the distance of a reported time from where it must lie.
func (d *distances) add(reported time.Duration, truth span) {
	switch {
	case reported < truth.from:
		d.early++
		d.values = append(d.values, milliseconds(truth.from-reported))
	case reported > truth.to:
		d.late++
		d.values = append(d.values, milliseconds(reported-truth.to))
	default:
		d.values = append(d.values, 0)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (d *distances) errors() Errors {
	return Errors{Quantiles: quantiles(d.values), N: len(d.values), Early: d.early, Late: d.late}
}

func quantiles(values []float64) Quantiles {
	s := metrics.Summarize(values)
	return Quantiles{P50: s.P50, P99: s.P99, Max: s.Max}
}

// Add takes a request as it was reported, latencies in seconds, with its events,
// and the records that the server has of its id.
func (j *Joiner) Add(r *metrics.Request, events []backend.Event, records []*simulator.Record) {
	switch {
	case r.Cancelled():
		j.level.Cancelled++
		return
	case !r.OK():
		j.level.Failed++
		return
	case len(records) != 1:
		j.level.Unknown++
		return
	case !records[0].Exact:
		j.level.Vague++
		return
	}
	truth := records[0]
	j.level.Requests++
	if r.OutputTokens.Exists() {
		j.level.Tokens += int64(r.OutputTokens)
	}
	if r.DispatchLateness.Exists() && r.SendLateness.Exists() {
		j.sentLate = append(j.sentLate, 1000*float64(r.DispatchLateness+r.SendLateness))
	}
	g := j.group(r.Clock, !r.ConnReused)
	sent, known := sentSpan(r.SendStartNanos, truth)
	if known {
		j.sendKnown++
		g.send.add(at(r.SendStartNanos), sent)
	}
	if end, ok := truth.Last(simulator.LastByte); ok && r.E2ELatency.Exists() {
		g.e2e.add(seconds(r.E2ELatency), writeOf(truth, end).since(sent))
	}
	j.outputsOf(g, r, events, truth, sent)
}

// Other is a request as another client saw it, one that has no more than three
// moments of it.
type Other struct {
	Sent, First, Last stamp.Nanos // first output, last line; 0: not known
	Failed, Cancelled bool
}

// AddOther takes a request of another client, timed by the user clock.
func (j *Joiner) AddOther(o Other, records []*simulator.Record) {
	switch {
	case o.Cancelled:
		j.level.Cancelled++
		return
	case o.Failed:
		j.level.Failed++
		return
	case len(records) != 1:
		j.level.Unknown++
		return
	case !records[0].Exact:
		j.level.Vague++
		return
	}
	truth := records[0]
	j.level.Requests++
	j.level.Tokens += int64(truth.OutputTokens)
	g := j.group(stamp.ClockUser.String(), truth.ConnectionUse == 1)
	sent, known := sentSpan(o.Sent, truth)
	if known {
		j.sendKnown++
		g.send.add(at(o.Sent), sent)
	}
	writes := outputWrites(truth)
	j.server(truth, writes)
	if o.First != 0 && len(writes) > 0 {
		g.ttft.add(o.First.Sub(o.Sent), writes[0].since(sent))
	}
	// The last line is the mark of the end where there is one, and before the
	// last byte in any case.
	if end, ok := truth.Last(simulator.Done); ok && o.Last != 0 {
		g.e2e.add(o.Last.Sub(o.Sent), writeOf(truth, end).since(sent))
	}
}

// group finds the samples of a clock and kind of connection, and counts one
// more request of them.
func (j *Joiner) group(clock string, fresh bool) *samples {
	key := groupKey{clock, fresh}
	g := j.groups[key]
	if g == nil {
		g = &samples{}
		j.groups[key] = g
	}
	g.requests++
	return g
}

func outputWrites(truth *simulator.Record) []span {
	var writes []span
	for _, e := range truth.Events {
		if e.Kinds&simulator.Output != 0 {
			writes = append(writes, writeOf(truth, e))
		}
	}
	return writes
}

// outputsOf compares an answer's output events.
func (j *Joiner) outputsOf(g *samples, r *metrics.Request, events []backend.Event, truth *simulator.Record, sent span) {
	writes := outputWrites(truth)
	j.server(truth, writes)
	reported := make([]backend.Event, 0, len(writes))
	for _, e := range events {
		if e.Kinds&backend.Output != 0 {
			reported = append(reported, e)
		}
	}
	for i := range reported {
		j.outputs++
		if reported[i].Flags&stamp.Bundled != 0 {
			j.bundled++
		}
	}
	if len(reported) != len(writes) {
		j.level.Unlike++
		return
	}
	if len(writes) == 0 {
		return
	}
	for i, e := range reported {
		if e.Flags == 0 {
			g.exact.add(at(e.At), writes[i])
		} else {
			g.flagged.add(at(e.At), writes[i])
		}
		if i > 0 {
			g.itl.add(e.At.Sub(reported[i-1].At), writes[i].since(writes[i-1]))
		}
	}
	first, last := writes[0], writes[len(writes)-1]
	if r.TTFT.Exists() {
		g.ttft.add(seconds(r.TTFT), first.since(sent))
	}
	if n := int(r.OutputTokens) - 1; r.TPOT.Exists() && r.OutputTokens.Exists() && n > 0 {
		g.tpot.add(seconds(r.TPOT), last.since(first).over(n))
	}
}

// server takes how late the simulator itself was, and how well it knows when it
// wrote.
func (j *Joiner) server(truth *simulator.Record, writes []span) {
	for _, w := range writes {
		if w.to-w.from < unknown {
			j.serverWidth = append(j.serverWidth, milliseconds(w.to-w.from))
		}
	}
	if len(writes) == 0 || len(truth.Choices) > 1 {
		return // the engine's moments are of several choices together
	}
	for _, token := range []struct {
		due   stamp.Nanos
		wrote span
	}{{truth.Prefilled, writes[0]}, {truth.Decoded, writes[len(writes)-1]}} {
		if token.due != 0 {
			j.serverLate = append(j.serverLate, milliseconds(max(token.wrote.from-at(token.due.Add(truth.Spread)), 0)))
		}
	}
}

// at is a moment as a time since the clock's zero.
func at(n stamp.Nanos) time.Duration { return time.Duration(n) }

func seconds(v metrics.Value) time.Duration {
	return time.Duration(float64(v)*float64(time.Second) + 0.5)
}

func writeOf(r *simulator.Record, e simulator.Event) span {
	before, after := r.Interval(e)
	if r.Writes[e.Write].Queued {
		return span{at(before), at(after) + unknown}
	}
	return span{at(before), at(after)}
}

// sentSpan is where the moment lies at which a request began to leave; known
// tells that it is known from below, too.
func sentSpan(reported stamp.Nanos, truth *simulator.Record) (sent span, known bool) {
	if n := truth.RequestReceived; n != 0 {
		return span{at(n), at(n)}, true
	}
	return span{at(min(reported, truth.RequestStart)), at(truth.RequestStart)}, false
}

// Level sums up what was added. Scenario, load and cost are the caller's to fill
// in.
func (j *Joiner) Level() Level {
	l := j.level
	l.Groups = []Group{}
	for _, key := range slices.SortedFunc(maps.Keys(j.groups), func(a, b groupKey) int {
		return cmp.Or(cmp.Compare(a.clock, b.clock), boolean(a.fresh)-boolean(b.fresh))
	}) {
		s := j.groups[key]
		l.Groups = append(l.Groups, Group{
			Clock: key.clock, New: key.fresh, Requests: s.requests,
			TTFT: s.ttft.errors(), TPOT: s.tpot.errors(), ITL: s.itl.errors(), E2E: s.e2e.errors(),
			Send: s.send.errors(), Exact: s.exact.errors(), Flagged: s.flagged.errors(),
		})
	}
	l.BundledShare, l.Server.SendKnown = metrics.None(), metrics.None()
	if j.outputs > 0 {
		l.BundledShare = metrics.Value(j.bundled) / metrics.Value(j.outputs)
	}
	if l.Requests > 0 {
		l.Server.SendKnown = metrics.Value(j.sendKnown) / metrics.Value(l.Requests)
	}
	l.Server.Late, l.Server.Width, l.LateMS = quantiles(j.serverLate), quantiles(j.serverWidth), quantiles(j.sentLate)
	n := metrics.None()
	l.CPU = CPU{CoreSeconds: n, PluginSeconds: n, SimulatorSeconds: n, RequestMS: n, TokenUS: n, MachineShare: n}
	return l
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Cost fills in what the level cost; client is what the run says of it.
func (l *Level) Cost(client *metrics.Client, simulatorSeconds float64) {
	c := &l.CPU
	c.SimulatorSeconds = metrics.Value(simulatorSeconds)
	if client == nil {
		return
	}
	c.CPUs, c.CoreSeconds, c.PluginSeconds, c.MachineShare = client.CPUs, client.CoreCPUSeconds, client.PluginCPUSeconds, client.MachineCPUShare
	used := c.CoreSeconds + c.PluginSeconds
	if n := l.Requests + l.Failed + l.Cancelled + l.Unknown + l.Vague; n > 0 {
		c.RequestMS = 1000 * used / metrics.Value(n)
	}
	if l.Tokens > 0 {
		c.TokenUS = 1e6 * used / metrics.Value(l.Tokens)
	}
}
