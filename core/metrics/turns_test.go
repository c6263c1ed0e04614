package metrics_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// said is a request of a turn: sent at a time, its first output after ttft.
func said(index uint64, turn int, ttft time.Duration, failed bool) metrics.Request {
	sent := stamp.Nanos(1e9).Add(time.Duration(index) * time.Second)
	input := int64(100 * turn)
	o := &backend.Outcome{
		Status:   backend.StatusOK,
		Exchange: stamp.Exchange{SendStart: sent, LastByte: sent.Add(2 * ttft)},
		Events:   []backend.Event{{At: sent.Add(ttft), Kinds: backend.Text}, {At: sent.Add(2 * ttft), Kinds: backend.Text}},
		Usage:    backend.Usage{Input: &input},
	}
	if failed {
		o.Status, o.Error = backend.StatusError, fault.New(fault.Server, "no")
	}
	return metrics.Derive(backend.TextToText, &metrics.Record{Index: index, Session: 1 + int(index)/2, Turn: turn, Streamed: true, OutputTokensCounted: -1, Outcome: o})
}

func TestFiguresByTurn(t *testing.T) {
	const ms = time.Millisecond
	requests := []metrics.Request{
		said(0, 1, 900*ms, false), // warm-up
		said(1, 1, 100*ms, false), said(2, 2, 200*ms, false),
		said(3, 1, 300*ms, false), said(4, 2, 0, true),
	}
	run := metrics.Run{Task: backend.TextToText, Start: 1e9, End: 10e9, Warmup: metrics.Cut{Requests: 1}}
	a := metrics.Compute(run, requests, nil)
	type row struct {
		turn, completed, failed int
		ttft, e2e, input        float64
	}
	rows := func(a metrics.Aggregate) (got []row) {
		for _, f := range a.Turns {
			round := func(v metrics.Value) float64 { return math.Round(1e6*float64(v)) / 1e6 }
			got = append(got, row{f.Turn, f.Completed, f.Failed, round(f.TTFT.Mean), round(f.E2ELatency.Mean), round(f.InputTokens.Mean)})
		}
		return got
	}
	if diff := cmp.Diff([]row{{1, 2, 0, 0.2, 0.4, 100}, {2, 1, 1, 0.2, 0.4, 200}}, rows(a), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in := metrics.ConvertAggregate(a, metrics.InSeconds, metrics.InMilliseconds)
	if diff := cmp.Diff([]row{{1, 2, 0, 200, 400, 100}, {2, 1, 1, 200, 400, 200}}, rows(in), cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("in milliseconds (-want +got):\n%s", diff)
	}
	if rows(a)[0].ttft != 0.2 {
		t.Error("the conversion has changed what it was given")
	}
}

func TestLateTurnsShareTheirFigures(t *testing.T) {
	var requests []metrics.Request
	for i := range 60 {
		requests = append(requests, said(uint64(i), i+1, time.Second, false))
	}
	turns := metrics.Compute(metrics.Run{Task: backend.TextToText, Start: 1e9, End: 100e9}, requests, nil).Turns
	last := turns[len(turns)-1]
	if len(turns) != 50 || !last.OrLater || last.Completed != 11 || turns[0].OrLater || turns[48].Completed != 1 {
		t.Errorf("%d turns, the last of them %+v", len(turns), last)
	}
	if none := metrics.Compute(metrics.Run{Task: backend.TextToText, Start: 1e9, End: 100e9}, []metrics.Request{said(0, 0, time.Second, false)}, nil); none.Turns != nil {
		t.Errorf("turns of no conversation: %+v", none.Turns)
	}
}
