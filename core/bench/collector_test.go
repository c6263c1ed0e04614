package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// collecting is a collector whose requests come from the test.
func collecting(t testing.TB, run metrics.Run, tokenizer Tokenizer) *collector {
	t.Helper()
	folder, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := folder.OpenJournal()
	if err != nil {
		t.Fatal(err)
	}
	display := live.New(1, live.Options{Out: &bytes.Buffer{}})
	display.StartRun("x", time.Minute, 0)
	x := &experimenter{
		plan:   &Plan{Settings: &settings.Benchmark{}, Task: backend.TextToText},
		folder: folder, journal: journal, display: display, tokenizer: tokenizer, logger: hclog.NewNullLogger(), pool: &Pool{Pool: &workers.Pool{}},
	}
	c, err := x.newCollector(run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.close()
		display.Close()
		if err := journal.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// answer is the record of a streamed answer of some events.
func answer(index uint64, events int) *metrics.Record {
	o := &backend.Outcome{Status: backend.StatusOK}
	o.SendStart = stamp.Nanos(1e12 + index*1e6)
	tokens := int64(events)
	o.Usage = backend.Usage{Output: &tokens, Source: backend.UsageFinal}
	for i := range events {
		o.Events = append(o.Events, backend.Event{At: o.SendStart.Add(time.Duration(100+10*i) * time.Millisecond), Kinds: backend.Text, Bytes: 5, ReadLag: 20 * time.Microsecond})
	}
	o.LastByte = o.Events[events-1].At
	o.Choices = []backend.Choice{{Text: strings.Repeat(" word", events), Finish: backend.FinishLength}}
	return &metrics.Record{
		Index: index, RequestID: "gb-0123456789ab-1", Streamed: true, Intended: o.SendStart, Dispatched: o.SendStart, Ended: o.LastByte,
		OutputTokensAsked: events, Outcome: o,
	}
}

// TestARunKeepsNoRequestInMemory: what a run keeps of 100,000 requests is a few
// bytes of each.
func TestARunKeepsNoRequestInMemory(t *testing.T) {
	run := metrics.Run{Task: backend.TextToText, Warmup: metrics.Cut{Ratio: 0.1}}
	c := collecting(t, run, nil)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n = 100_000
	c.take(answer(0, 3))
	before := heap()
	for i := range uint64(n - 1) {
		c.take(answer(i+1, 3))
	}
	if grown := int64(heap() - before); grown > n*20 {
		t.Errorf("%d bytes are kept of each request", grown/n)
	}
	if err := c.finish(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(c.spool.Name()))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if runtime.GOOS == "linux" && strings.HasPrefix(e.Name(), ".spool") {
			t.Errorf("%s would be left by a process that is killed", e.Name())
		}
	}
	run.Start, run.End, run.Sent = 1e12, 1e12+1e11+1e9, n
	a, err := c.table.Aggregate(run)
	if err != nil || a.NumCompletedRequests != n || a.Window.WarmedUp != n/10 || len(a.Broken()) != 0 {
		t.Errorf("%d completed, window %+v, broken %+v, %v", a.NumCompletedRequests, a.Window, a.Broken(), err)
	}
	if got := float64(a.AddedStats.ITL.Sum); got < 0.0199*n*0.9 || got > 0.0201*n*0.9 {
		t.Errorf("times between tokens add up to %v s; those of warm-up are left out", got)
	}
}

// BenchmarkAWholeRun collects a run's requests, computes its figures and writes
// its file, and reports the most memory that this process ever had.
//
//	go test ./core/bench -run xxx -bench AWholeRun/1000000 -benchtime 1x
func BenchmarkAWholeRun(b *testing.B) {
	for _, n := range []int{200_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				c := collecting(b, metrics.Run{Task: backend.TextToText}, nil)
				rec := answer(0, 3)
				for i := range uint64(n) {
					rec.Index, rec.Outcome.SendStart = i, stamp.Nanos(1e12+i*1e6)
					c.take(rec)
				}
				if err := c.finish(); err != nil {
					b.Fatal(err)
				}
				a, err := c.table.Aggregate(metrics.Run{Task: backend.TextToText, Start: 1e12, End: stamp.Nanos(1e12 + n*1e6 + 1e9)})
				if err != nil {
					b.Fatal(err)
				}
				folder, err := experiment.Create(b.TempDir(), "e")
				if err != nil {
					b.Fatal(err)
				}
				if err := folder.WriteRun("run.json", a, c.table.Requests(), metrics.InMilliseconds); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(c.usage.PeakRSSBytes/(1<<20), "MB-before-figures")
				b.ReportMetric(machine.Start(func() []int { return nil }, nil).Stop().PeakRSSBytes/(1<<20), "MB-peak")
			}
		})
	}
}

// BenchmarkCollect is what one finished request of 200 events costs core: its
// tokens, metrics, journal line and rows.
func BenchmarkCollect(b *testing.B) {
	tokenizer, err := demo.Load()
	if err != nil {
		b.Fatal(err)
	}
	for name, t := range map[string]Tokenizer{"without tokenizer": nil, "with": tokenizer} {
		b.Run(name, func(b *testing.B) {
			c := collecting(b, metrics.Run{Task: backend.TextToText}, t)
			rec := answer(0, 200)
			b.ReportAllocs()
			for b.Loop() {
				c.take(rec)
				rec.Index++
			}
			b.StopTimer()
			if err := c.finish(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
