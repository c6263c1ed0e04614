package bench_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answering is a backend that answers after a time, without a network, and
// counts what it was asked.
type answering struct {
	after time.Duration
	asked atomic.Int64
	fail  func(n int64) *fault.Error
	hear  func(n int64, request *backend.Request) // may be nil
	mute  bool                                    // answers have no text
	texts dataset.Texts                           // nil: the built-in ones
}

func (a *answering) Describe() backend.Description { return chatty() }

func (a *answering) Open(context.Context, backend.Config) (backend.Opened, error) {
	return backend.Opened{Endpoint: "here"}, nil
}

func (a *answering) Do(ctx context.Context, request *backend.Request, rec *backend.Recorder) {
	n := a.asked.Add(1)
	if a.hear != nil {
		a.hear(n, request)
	}
	text := []byte(" word")
	if a.mute {
		text = nil
	}
	select {
	case <-time.After(request.StartAt.Sub(stamp.Now())):
	case <-ctx.Done():
		rec.Fail(fault.New(fault.Cancelled, "gave up"))
		return
	}
	x := stamp.Exchange{SendStart: stamp.Now(), Clock: stamp.ClockSocket}
	if a.fail != nil {
		if err := a.fail(n); err != nil {
			rec.Fail(err)
			return
		}
	}
	for i := range 5 {
		select {
		case <-time.After(a.after / 5):
		case <-ctx.Done():
			rec.Fail(fault.New(fault.Cancelled, "gave up"))
			return
		}
		now := stamp.Now()
		rec.Event(backend.Text, 0, stamp.Arrival{At: now, Read: now}, 1, backend.EventText{Text: text})
		if i == 4 {
			x.LastByte = now
		}
	}
	rec.Finish(0, backend.FinishLength, "length")
	rec.Exchange(x)
}

func (a *answering) Close(context.Context) error { return nil }

type ran struct {
	result bench.Result
	err    error
	loaded *experiment.Loaded
	screen string
	folder string
}

// experimentOf runs a whole experiment over the real contract, in process.
func experimentOf(t *testing.T, b *answering, change func(*settings.Benchmark), interrupt <-chan struct{}) ran {
	t.Helper()
	s := sound()
	s.MetricsTimeUnit, s.DrainTimeout, s.RequestTimeout = "ms", 5*time.Second, time.Minute
	s.NumConcurrency = []int{3}
	change(s)
	said := given()
	var err error
	if said.Trace, err = bench.LoadTrace(s); err != nil {
		t.Fatal(err)
	}
	plan, problems := bench.NewPlan(s, chatty(), nil, said)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tok, err := demo.Load()
	if err != nil {
		t.Fatal(err)
	}
	texts := b.texts
	if texts == nil {
		texts = dataset.BuiltIn()
	}
	corpus, err := prompt.NewCorpus(tok, "demo", texts)
	if err != nil {
		t.Fatal(err)
	}
	pool, opened, err := bench.OpenPool(t.Context(), workers.Options{
		Launch: func(context.Context, *os.File) (host.Runner, error) { return host.InProcess(b) }, Component: "chatty", Logger: hclog.NewNullLogger(),
	})
	if err != nil || opened.Failed() {
		t.Fatal(err, opened)
	}
	defer pool.Close()
	folder, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	display := live.New(len(plan.Scenarios)*len(plan.Levels), live.Options{Out: &screen})
	var r ran
	r.result, r.err = bench.Run(t.Context(), plan, bench.Parts{
		Folder: folder, Pool: pool, Workload: bench.Workload{Corpus: corpus, Tokenizer: tok}, Display: display, Logger: hclog.NewNullLogger(),
		Metadata: plan.Metadata(experiment.Metadata{}), Interrupt: interrupt,
	})
	display.Close()
	r.screen, r.folder = screen.String(), folder.Path()
	if r.loaded, err = experiment.Load(folder.Path()); err != nil {
		t.Fatal(err)
	}
	return r
}

// requests are those of the first run.
func (r ran) requests(t *testing.T) (list []metrics.Request) {
	t.Helper()
	for q, err := range r.loaded.Runs[0].Requests {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, *q)
	}
	return list
}

// journaled counts the requests of the journal.
func (r ran) journaled(t *testing.T) (n int) {
	t.Helper()
	torn, err := experiment.ReadJournal(filepath.Join(r.folder, experiment.JournalFile), func(e experiment.Entry) error {
		if e.Request != nil {
			n++
		}
		return nil
	})
	if err != nil || torn {
		t.Fatal(err, torn)
	}
	return n
}

func TestNRequestsAreExactlyNSends(t *testing.T) {
	for name, change := range map[string]func(*settings.Benchmark){
		"users":       func(*settings.Benchmark) {},
		"closed loop": func(s *settings.Benchmark) { s.ExecutionEngine = "async" },
		"open loop": func(s *settings.Benchmark) {
			s.ExecutionEngine, s.QPSLevels, s.Distribution = "async", []float64{500}, "constant"
		},
		"warmed up": func(s *settings.Benchmark) { s.WarmupRatio = 0.2 },
	} {
		t.Run(name, func(t *testing.T) {
			b := &answering{after: 5 * time.Millisecond}
			r := experimentOf(t, b, func(s *settings.Benchmark) {
				s.MaxRequestsPerRun = 50
				change(s)
			}, nil)
			if r.err != nil {
				t.Fatal(r.err)
			}
			f := r.loaded.Runs[0].Figures
			kept := r.requests(t)
			if b.asked.Load() != 50 || f.NumRequests != 50 || len(kept) != 50 || r.journaled(t) != 50 {
				t.Errorf("sent %d, counted %d, kept %d, journaled %d; want 50 of each", b.asked.Load(), f.NumRequests, len(kept), r.journaled(t))
			}
			seen := map[string]bool{}
			for _, q := range kept {
				if q.RequestID == "" || seen[q.RequestID] {
					t.Errorf("request id %q is empty or not the only one", q.RequestID)
				}
				seen[q.RequestID] = true
				// The backend reports no usage: both counts are core's own.
				if q.InputTokens != 10 || q.InputSource != "tokenizer" || q.OutputTokens != 5 || q.OutputSource != "tokenizer" {
					t.Errorf("tokens %v (%s) in, %v (%s) out", q.InputTokens, q.InputSource, q.OutputTokens, q.OutputSource)
				}
			}
		})
	}
}

func TestTheMatrixIsScenariosTimesLevels(t *testing.T) {
	r := experimentOf(t, &answering{after: time.Millisecond}, func(s *settings.Benchmark) {
		s.Scenarios, s.NumConcurrency, s.MaxRequestsPerRun = []string{"D(10,5)", "U(5,9)/(2,4)"}, []int{1, 2, 4}, 8
	}, nil)
	if r.err != nil || r.result.Runs != 6 || len(r.loaded.Runs) != 6 || r.result.Completed != 48 {
		t.Fatalf("%+v, %v, %d files", r.result, r.err, len(r.loaded.Runs))
	}
	if !strings.Contains(r.screen, "[6/6] U(5,9)/(2,4) concurrency 4") {
		t.Errorf("screen:\n%s", r.screen)
	}
	hashes := map[string]bool{}
	for _, run := range r.loaded.Runs {
		hashes[run.Figures.WorkloadSHA256] = true
	}
	if len(hashes) != 6 {
		t.Errorf("%d workloads in 6 runs: a run repeats another's prompts", len(hashes))
	}
}

func TestTimeEndsARunAndAnswersUnderWayAreWaitedFor(t *testing.T) {
	b := &answering{after: 60 * time.Millisecond}
	r := experimentOf(t, b, func(s *settings.Benchmark) { s.MaxTimePerRun = 200 * time.Millisecond }, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || f.StopReason != "time" || f.NumCancelledRequests != 0 || int64(f.NumCompletedRequests) != b.asked.Load() {
		t.Errorf("%v, stopped by %q, %d completed and %d cancelled of %d", r.err, f.StopReason, f.NumCompletedRequests, f.NumCancelledRequests, b.asked.Load())
	}
}

func TestWhatOutlastsTheDrainIsRecordedAsCancelled(t *testing.T) {
	b := &answering{after: time.Hour}
	r := experimentOf(t, b, func(s *settings.Benchmark) {
		s.MaxTimePerRun, s.DrainTimeout = 50*time.Millisecond, 20*time.Millisecond
	}, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || f.NumCancelledRequests != 3 || f.NumRequests != 0 || r.result.AllFailed() {
		t.Errorf("%v: %d cancelled, %d requests", r.err, f.NumCancelledRequests, f.NumRequests)
	}
	if len(f.WarningsOfRun) == 0 || !strings.Contains(strings.Join(f.WarningsOfRun, " "), "cancelled") {
		t.Errorf("warnings %q", f.WarningsOfRun)
	}
}

func TestFailuresAreResults(t *testing.T) {
	b := &answering{after: time.Millisecond, fail: func(n int64) *fault.Error {
		if n%5 == 0 {
			return &fault.Error{Class: fault.RateLimited, HTTPStatus: 429, Message: "slow down"}
		}
		return nil
	}}
	r := experimentOf(t, b, func(s *settings.Benchmark) { s.MaxRequestsPerRun = 50 }, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || f.NumErrorRequests != 10 || f.NumCompletedRequests != 40 || f.ErrorRate != 0.2 || f.ErrorCodesFrequency["429"] != 10 || f.ErrorClasses["rate_limited"] != 10 {
		t.Errorf("%v: %+v", r.err, f)
	}
}

func TestARunOfNothingButFailuresIsStopped(t *testing.T) {
	b := &answering{fail: func(int64) *fault.Error { return fault.New(fault.Connect, "refused") }}
	r := experimentOf(t, b, func(s *settings.Benchmark) { s.MaxTimePerRun = time.Minute }, nil)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || !r.result.AllFailed() || f.StopReason != "failures" || f.NumErrorRequests < 1000 || f.NumErrorRequests > 1100 {
		t.Errorf("%v, stopped by %q after %d failures, all failed %v", r.err, f.StopReason, f.NumErrorRequests, r.result.AllFailed())
	}
}

func TestAnInterruptDrainsAndSaves(t *testing.T) {
	interrupt := make(chan struct{})
	b := &answering{after: 50 * time.Millisecond}
	b.fail = func(n int64) *fault.Error {
		if n == 7 {
			close(interrupt)
		}
		return nil
	}
	r := experimentOf(t, b, func(s *settings.Benchmark) { s.MaxTimePerRun, s.NumConcurrency = time.Minute, []int{3, 6} }, interrupt)
	if r.err != nil || !r.result.Interrupted || r.result.Runs != 1 {
		t.Fatalf("%+v, %v", r.result, r.err)
	}
	f := r.loaded.Runs[0].Figures
	if f.StopReason != "interrupted" || int64(f.NumCompletedRequests) != b.asked.Load() || f.NumCancelledRequests != 0 {
		t.Errorf("stopped by %q; %d completed of %d", f.StopReason, f.NumCompletedRequests, b.asked.Load())
	}
}

func TestTheSameSeedSendsTheSameBytes(t *testing.T) {
	workload := func(seed uint64) string {
		r := experimentOf(t, &answering{}, func(s *settings.Benchmark) { s.Seed, s.MaxRequestsPerRun = seed, 20 }, nil)
		sha256 := r.loaded.Runs[0].Figures.WorkloadSHA256
		want := []experiment.WorkloadMetadata{{Scenario: "D(10,5)", Level: 3, Requests: 20, SHA256: sha256}}
		if diff := cmp.Diff(want, r.loaded.Metadata.Workloads); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
		return sha256
	}
	if a, b, c := workload(1), workload(1), workload(2); a != b || a == c {
		t.Errorf("workloads %s, %s (same seed), %s (another)", a, b, c)
	}
}

// slowly is a dataset that takes its time for every entry.
type slowly struct {
	dataset.Texts
	time time.Duration
}

func (s slowly) Text(i int) (string, error) {
	time.Sleep(s.time)
	return s.Texts.Text(i)
}

// TestSendsThatWaitForPromptsAreTold: the store holds 64 MiB of prompts; what a
// server asks for beyond them has to be made first.
func TestSendsThatWaitForPromptsAreTold(t *testing.T) {
	long := dataset.FromLines("long", []string{strings.Repeat("word ", 2<<20/5)})
	r := experimentOf(t, &answering{texts: slowly{long, 20 * time.Millisecond}}, func(s *settings.Benchmark) {
		s.Scenarios, s.MaxRequestsPerRun = []string{"dataset"}, 50
	}, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	a := r.loaded.Runs[0].Figures
	if a.MadeAhead.Waited == 0 || a.MadeAhead.WaitedFor <= 0 || a.MadeAhead.PeakBytes < 64<<20 || a.MadeAhead.PeakBytes > 70<<20 {
		t.Errorf("made ahead: %+v", *a.MadeAhead)
	}
	if !slices.ContainsFunc(a.ClientLimits, func(w string) bool { return strings.Contains(w, "had to be waited for while they were made") }) {
		t.Errorf("the client's limits are %q", a.ClientLimits)
	}
}

func TestAFolderThatCannotBeWrittenIsAnError(t *testing.T) {
	folder, err := experiment.Create(t.TempDir(), "e")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder.Path()); err != nil {
		t.Fatal(err)
	}
	_, err = bench.Run(t.Context(), &bench.Plan{Settings: sound()}, bench.Parts{Folder: folder})
	if err == nil || errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "journal") {
		t.Errorf("error %v", err)
	}
}

// TestTheBooksOfARunBalance: over the real contract, with warm-up, every law is
// checked and holds, and both counts of tokens stand side by side.
func TestTheBooksOfARunBalance(t *testing.T) {
	r := experimentOf(t, &answering{after: 20 * time.Millisecond}, func(s *settings.Benchmark) {
		s.MaxRequestsPerRun, s.WarmupRatio, s.NumConcurrency = 100, 0.1, []int{5}
		s.Goodput = []metrics.Objective{{Metric: "e2e", Limit: time.Hour}, {Metric: "ttft", Limit: time.Hour}}
	}, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	a := r.loaded.Runs[0].Figures
	names := map[string]bool{}
	for _, l := range a.Laws {
		names[l.Name] = true
		if !l.Holds && l.Name != "little" { // a machine that stands still for seconds breaks it rightly
			t.Errorf("%+v", l)
		}
	}
	if !names["requests"] || !names["little"] || !names["bytes"] {
		t.Errorf("laws %+v", a.Laws)
	}
	if g := a.Goodput; g == nil || g.Share != 1 || g.Of != 90 {
		t.Errorf("goodput %+v", g)
	}
	if c := a.Tokens.Output; c.FromTokenizer != 100 || c.Asked != 100 || c.NotAsAsked != 0 {
		t.Errorf("tokens %+v", c)
	}
	if a.Client == nil || a.Client.CPUs < 1 || a.AddedStats.ITL.P50 <= 0 || a.AddedStats.Lateness.P99 < 0 {
		t.Errorf("client %+v, itl %+v", a.Client, a.AddedStats.ITL)
	}
	for _, q := range r.requests(t) {
		if q.Goodput != "met" || q.OutcomeNanos < q.EndNanos || q.OutputTokensOwn != 5 {
			t.Errorf("request %+v", q)
		}
	}
}
