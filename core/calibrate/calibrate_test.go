package calibrate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const us = stamp.Nanos(time.Microsecond)

// zero is when the server's kernel had the request in these tests.
const zero = stamp.Nanos(1e12)

// served is the truth of an answer of three tokens, whose writes took 100 µs
// each: at 10, 20 and 30 ms, and the end at 31.
func served() *simulator.Record {
	write := func(ms stamp.Nanos) simulator.Write {
		return simulator.Write{Before: zero + ms*1000*us, After: zero + ms*1000*us + 100*us}
	}
	return &simulator.Record{
		ID: "a", Exact: true, RequestReceived: zero, RequestStart: zero + 40*us,
		Prefilled: zero + 9900*us, Decoded: zero + 29*1000*us, Spread: 500 * time.Microsecond,
		Choices: []simulator.Choice{{}},
		Writes:  []simulator.Write{write(9), write(10), write(20), write(30), write(31)},
		Events: []simulator.Event{
			{Kinds: simulator.Head, Write: 0}, {Kinds: simulator.Role, Write: 1}, {Kinds: simulator.Text, Write: 1}, {Kinds: simulator.Text, Write: 2},
			{Kinds: simulator.Text | simulator.FinishReason, Write: 3}, {Kinds: simulator.LastByte, Write: 4},
		},
	}
}

// reported is what a client says that is right about all of it: everything
// arrived in the middle of its write.
type reported struct {
	sent, end stamp.Nanos
	tokens    [3]stamp.Nanos
	flags     stamp.Flags // of the second token
	change    func(*metrics.Request)
}

func right() reported {
	return reported{sent: zero, end: zero + 31050*us, tokens: [3]stamp.Nanos{zero + 10050*us, zero + 20050*us, zero + 30050*us}}
}

func (p reported) derive() (*metrics.Request, []backend.Event) {
	tokens := int64(3)
	o := &backend.Outcome{Status: backend.StatusOK, Usage: backend.Usage{Output: &tokens, Source: backend.UsageFinal}}
	o.SendStart, o.LastByte, o.Clock = p.sent, p.end, stamp.ClockSocket
	o.Connect.Reused = true
	o.Events = []backend.Event{{At: p.tokens[0], Kinds: backend.Role}}
	for i, at := range p.tokens {
		e := backend.Event{At: at, Kinds: backend.Text, Bytes: 4}
		if i == 1 {
			e.Flags = p.flags
		}
		o.Events = append(o.Events, e)
	}
	r := metrics.Derive(backend.TextToText, &metrics.Record{RequestID: "a", Streamed: true, OutputTokensCounted: -1, Intended: p.sent, Dispatched: p.sent, Outcome: o})
	if p.change != nil {
		p.change(&r)
	}
	return &r, o.Events
}

func TestAnErrorIsTheDistanceFromWhatCanBeTrue(t *testing.T) {
	type errors struct{ TTFT, TPOT, ITL, E2E, Send, Exact, Flagged float64 } // the largest, in ms; −1: none
	for name, c := range map[string]struct {
		change func(*reported)
		truth  func(*simulator.Record)
		want   errors
	}{
		"everything is inside its interval": {want: errors{Flagged: -1}},
		"the first token was read 2 ms late": {
			change: func(p *reported) { p.tokens[0] += 2000 * us },
			// TTFT must be 10 to 10.1 ms and is 12.05; the gap to the second 9.9 to
			// 10.1 and is 8; TPOT half of 19.9 to 20.1 and is half of 18.
			want: errors{TTFT: 1.95, TPOT: 0.95, ITL: 1.9, Exact: 1.95, Flagged: -1},
		},
		"the last byte is said to have come before it was written": {
			change: func(p *reported) { p.end -= 550 * us },
			want:   errors{E2E: 0.5, Flagged: -1},
		},
		"the clock was started 3 ms before the request left": {
			change: func(p *reported) { p.sent -= 3000 * us },
			// 13.05 for at most 10.1, and 34.05 for at most 31.1.
			want: errors{TTFT: 2.95, E2E: 2.95, Send: 3, Flagged: -1},
		},
		"without the kernel's stamp that cannot be seen": {
			change: func(p *reported) { p.sent -= 3000 * us },
			truth:  func(r *simulator.Record) { r.RequestReceived = 0 },
			want:   errors{Send: -1, Flagged: -1},
		},
		"but that it was started after the server had read the request can": {
			change: func(p *reported) { p.sent += 540 * us },
			truth:  func(r *simulator.Record) { r.RequestReceived = 0 },
			// Sent by 0.04, so TTFT is at least 9.96 and is 9.51.
			want: errors{TTFT: 0.45, E2E: 0.45, Send: -1, Flagged: -1},
		},
		"a stamp that says itself that it is not exact is no exact arrival": {
			change: func(p *reported) { p.tokens[1] += 6000 * us; p.flags = stamp.Bundled },
			// Gaps of 16 and 4 for 9.9 to 10.1.
			want: errors{ITL: 5.9, Flagged: 5.95},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, truth := right(), served()
			if c.change != nil {
				c.change(&p)
			}
			if c.truth != nil {
				c.truth(truth)
			}
			j := calibrate.NewJoiner()
			r, events := p.derive()
			j.Add(r, events, []*simulator.Record{truth})
			l := j.Level()
			if l.Requests != 1 || len(l.Groups) != 1 || l.Groups[0].New || l.Groups[0].Clock != "socket" {
				t.Fatalf("%+v", l)
			}
			g := l.Groups[0]
			largest := func(e calibrate.Errors) float64 {
				if e.N == 0 {
					return -1
				}
				return math.Round(float64(e.Max)*1e6) / 1e6
			}
			got := errors{largest(g.TTFT), largest(g.TPOT), largest(g.ITL), largest(g.E2E), largest(g.Send), largest(g.Exact), largest(g.Flagged)}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("errors in ms (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorsHaveASide(t *testing.T) {
	p := right()
	p.tokens[0] += 2000 * us
	p.tokens[1] -= 500 * us
	r, events := p.derive()
	j := calibrate.NewJoiner()
	j.Add(r, events, []*simulator.Record{served()})
	g := j.Level().Groups[0]
	if g.Exact.Late != 1 || g.Exact.Early != 1 || g.Exact.N != 3 || g.TTFT.Late != 1 || g.TTFT.Early != 0 {
		t.Errorf("arrivals %+v, TTFT %+v", g.Exact, g.TTFT)
	}
}

// The simulator's lateness is its own: writes that came late move the truth with
// them.
func TestTheServersLatenessIsNotTheClients(t *testing.T) {
	p, truth := right(), served()
	const late = 50_000 * us
	for i := range truth.Writes {
		truth.Writes[i].Before += late
		truth.Writes[i].After += late
	}
	for i := range p.tokens {
		p.tokens[i] += late
	}
	p.end += late
	r, events := p.derive()
	j := calibrate.NewJoiner()
	j.Add(r, events, []*simulator.Record{truth})
	l := j.Level()
	l.StepMS = 10
	if _, e := l.Worst(); e != 0 {
		t.Errorf("error of %v ms", e)
	}
	// The first was due at 9.9 + 0.5 and written at 60; the last at 29.5, at 80.
	if got := l.Server.Late; math.Abs(float64(got.Max)-50.5) > 1e-6 || !l.Behind() || !strings.Contains(strings.Join(l.Warnings(), "\n"), "the simulator, not the client, was behind") {
		t.Errorf("late %+v, %q", got, l.Warnings())
	}
	if w := l.Server.Width; math.Abs(float64(w.P50)-0.1) > 1e-6 {
		t.Errorf("writes took %+v", w)
	}
}

func TestWhatCannotBeComparedIsCounted(t *testing.T) {
	code := 500
	for name, c := range map[string]struct {
		change  func(*metrics.Request)
		events  int // reported
		records func() []*simulator.Record
		want    func(l calibrate.Level) int
	}{
		"failed":    {change: func(r *metrics.Request) { r.ErrorCode, r.Status = &code, "error" }, events: 4, want: func(l calibrate.Level) int { return l.Failed }},
		"cancelled": {change: func(r *metrics.Request) { r.ErrorCode, r.Status = &code, "cancelled" }, events: 4, want: func(l calibrate.Level) int { return l.Cancelled }},
		"no record": {events: 4, records: func() []*simulator.Record { return nil }, want: func(l calibrate.Level) int { return l.Unknown }},
		"two records, of a request that was sent again": {events: 4, records: func() []*simulator.Record { return []*simulator.Record{served(), served()} }, want: func(l calibrate.Level) int { return l.Unknown }},
		"no exact moments":    {events: 4, records: func() []*simulator.Record { r := served(); r.Exact = false; return []*simulator.Record{r} }, want: func(l calibrate.Level) int { return l.Vague }},
		"an event is missing": {events: 3, want: func(l calibrate.Level) int { return l.Unlike }},
	} {
		t.Run(name, func(t *testing.T) {
			p := right()
			p.change = c.change
			r, events := p.derive()
			records := []*simulator.Record{served()}
			if c.records != nil {
				records = c.records()
			}
			j := calibrate.NewJoiner()
			j.Add(r, events[:c.events], records)
			l := j.Level()
			if c.want(l) != 1 {
				t.Errorf("not counted: %+v", l)
			}
			if l.Unlike == 0 && len(l.Groups) != 0 {
				t.Errorf("compared all the same: %+v", l.Groups)
			}
			if l.Unlike == 1 && (l.Groups[0].TTFT.N != 0 || l.Groups[0].ITL.N != 0 || l.Groups[0].E2E.N != 1) {
				t.Errorf("compared all the same: %+v", l.Groups)
			}
		})
	}
}

func TestNewConnectionsAreApart(t *testing.T) {
	j := calibrate.NewJoiner()
	for i := range 3 {
		p := right()
		if i == 0 {
			p.tokens[0] += 9000 * us
			p.change = func(r *metrics.Request) { r.ConnReused = false }
		}
		r, events := p.derive()
		j.Add(r, events, []*simulator.Record{served()})
	}
	l := j.Level()
	if len(l.Groups) != 2 || l.Groups[0].New || l.Groups[0].Requests != 2 || !l.Groups[1].New || l.Groups[1].Requests != 1 {
		t.Fatalf("%+v", l.Groups)
	}
	if _, e := l.Worst(); e != 0 {
		t.Errorf("the error of new connections, %v ms, is taken for that of kept ones", e)
	}
}

// level is one whose ITL has an error.
func level(streams int, p99 float64) calibrate.Level {
	l := calibrate.NewJoiner().Level()
	l.Scenario, l.Concurrency, l.StepMS, l.Requests, l.Tokens = "D(100,50)", streams, 20, 10*streams, int64(500*streams)
	of := func(scale float64) calibrate.Errors {
		e := metrics.Value(p99 * scale)
		return calibrate.Errors{Quantiles: calibrate.Quantiles{P50: e / 10, P99: e, Max: 4 * e}, N: 10 * streams}
	}
	l.Groups = []calibrate.Group{
		{Clock: "socket", Requests: 9 * streams, TTFT: of(0.8), TPOT: of(0.01), ITL: of(1), E2E: of(0.6), Send: of(0.1), Exact: of(0.5), Flagged: of(1)},
		{Clock: "socket", New: true, Requests: streams, TTFT: of(2), TPOT: of(0.01), ITL: of(1), E2E: of(2), Send: of(0.1), Exact: of(0.5), Flagged: of(1)},
	}
	l.BundledShare = 0.021
	l.Server = calibrate.Server{Late: calibrate.Quantiles{P50: 0.05, P99: 0.3, Max: 2}, Width: calibrate.Quantiles{P50: 0.01, P99: 0.05, Max: 1}, SendKnown: 1}
	l.LateMS = calibrate.Quantiles{P50: 0.04, P99: 0.5, Max: 3}
	l.Cost(&metrics.Client{CPUs: 2, CoreCPUSeconds: metrics.Value(0.004 * float64(streams)), PluginCPUSeconds: metrics.Value(0.008 * float64(streams)), MachineCPUShare: 0.4}, 0.01*float64(streams))
	return l
}

func TestThePassageLiesBetweenTwoLoads(t *testing.T) {
	for name, c := range map[string]struct {
		levels         []calibrate.Level
		within, beyond float64
		says           string
	}{
		"up":               {[]calibrate.Level{level(64, 0.1), level(128, 0.4), level(256, 3)}, 128, 256, "passes 1 ms between 128 and 256 streams: there a hundredth of the ITL are 3.0 ms or more wrong."},
		"down":             {[]calibrate.Level{level(64, 5), level(32, 2), level(16, 0.3)}, 16, 32, "passes 1 ms between 16 and 32 streams"},
		"never":            {[]calibrate.Level{level(64, 0.1), level(128, 0.2)}, 128, 0, "stays within 1 ms up to 128 streams, the largest load tried (the time was over)."},
		"at once":          {[]calibrate.Level{level(1, 4)}, 0, 1, "is above 1 ms at 1 stream already"},
		"better at more":   {[]calibrate.Level{level(8, 0.1), level(16, 2), level(32, 0.5)}, 8, 16, "between 8 and 16 streams"},
		"nothing measured": {nil, 0, 0, "Nothing can be said"},
	} {
		t.Run(name, func(t *testing.T) {
			cal := &calibrate.Calibration{Levels: c.levels}
			cal.Find(1, "the time was over")
			if p := cal.Passage; p.Within != c.within || p.Beyond != c.beyond {
				t.Errorf("%+v, want %v to %v", p, c.within, c.beyond)
			}
			var out bytes.Buffer
			if err := calibrate.Write(&out, cal); err != nil || !strings.Contains(out.String(), c.says) {
				t.Errorf("%v: %q is not in\n%s", err, c.says, out.String())
			}
		})
	}
}

func TestGoldenText(t *testing.T) {
	behind := level(512, 6)
	behind.Searched, behind.Server.Late.P99 = true, 31
	behind.ClientLimits = []string{"half of the requests left 1.2 ms or more after they were due"}
	c := &calibrate.Calibration{Clock: "socket", ClockNote: "run as root for the packet clock", Backend: "vllm", Workers: 1, Levels: []calibrate.Level{level(64, 0.25), behind}, Interrupted: true}
	c.Find(1, "interrupted")
	var got bytes.Buffer
	if err := calibrate.Write(&got, c); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "text.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-golden +got):\n%s", diff)
	}
}

// A calibration is stored with an experiment and read again.
func TestJSONKeepsEverything(t *testing.T) {
	c := calibrate.Calibration{Clock: "packet", Backend: "vllm", Workers: 2, Levels: []calibrate.Level{level(4, 0.1), calibrate.NewJoiner().Level()}}
	c.Find(1, "")
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back calibrate.Calibration
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	nan := cmp.Comparer(func(x, y metrics.Value) bool { return x == y || !x.Exists() && !y.Exists() })
	if diff := cmp.Diff(c, back, nan); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestFindingALevel(t *testing.T) {
	rate := level(0, 1)
	rate.Rate = 20
	c := &calibrate.Calibration{Levels: []calibrate.Level{level(8, 1), level(64, 1), rate}}
	if l := c.For(64, 0); l == nil || l.Concurrency != 64 {
		t.Errorf("64 streams: %+v", l)
	}
	if l := c.For(1, 20); l == nil || l.Rate != 20 {
		t.Errorf("20 req/s: %+v", l)
	}
	if l := c.For(16, 0); l != nil {
		t.Errorf("16 streams were never measured: %+v", l)
	}
	if e := c.Levels[0].Error(calibrate.TTFT, "packet"); e != 0.8 {
		t.Errorf("where a clock has no requests another's error stands for it, got %v", e)
	}
}

// Another client has three moments of a request; it is no level of this tool's.
func TestAnotherClientIsHeldAgainstTheSameTruth(t *testing.T) {
	j := calibrate.NewJoiner()
	truth := served()
	truth.Events = append(truth.Events[:len(truth.Events)-1], simulator.Event{Kinds: simulator.Done, Write: 3}, truth.Events[len(truth.Events)-1])
	truth.ConnectionUse = 2
	j.AddOther(calibrate.Other{Sent: zero - 1000*us, First: zero + 12_000*us, Last: zero + 30_050*us}, []*simulator.Record{truth})
	j.AddOther(calibrate.Other{Failed: true}, nil)
	j.AddOther(calibrate.Other{Cancelled: true}, nil)
	l := j.Level()
	l.Concurrency, l.Client = 8, "least client"
	if l.Requests != 1 || l.Failed != 1 || l.Cancelled != 1 || len(l.Groups) != 1 || l.Groups[0].New || l.Groups[0].Clock != "user" {
		t.Fatalf("%+v", l)
	}
	// TTFT is 13 where 10.1 is the most, E2E 31.05 where that is 30.1.
	g := l.Groups[0]
	if near := func(v metrics.Value, want float64) bool { return math.Abs(float64(v)-want) < 1e-6 }; !near(g.TTFT.Max, 2.9) || !near(g.E2E.Max, 0.95) || !near(g.Send.Max, 1) || g.ITL.N != 0 {
		t.Errorf("TTFT %+v, E2E %+v, send %+v, ITL %+v", g.TTFT, g.E2E, g.Send, g.ITL)
	}
	c := &calibrate.Calibration{Levels: []calibrate.Level{l, level(8, 0.1)}}
	c.Find(1, "")
	if found := c.For(8, 0); found == nil || found.Client != "" || c.Passage.Beyond != 0 {
		t.Errorf("%+v, %+v", found, c.Passage)
	}
}
