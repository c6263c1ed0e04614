package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/trace"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// told keeps the chats that a backend was asked to answer.
type told struct {
	mu    sync.Mutex
	chats [][]backend.Message
}

func (c *told) hear(_ int64, r *backend.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.chats = append(c.chats, r.Chat.Messages)
}

func TestAFailedTurnEndsItsConversation(t *testing.T) {
	heard := &told{}
	b := &answering{hear: heard.hear, fail: func(n int64) *fault.Error {
		if n == 2 {
			return fault.New(fault.Server, "not now")
		}
		return nil
	}}
	r := experimentOf(t, b, func(s *settings.Benchmark) { s.NumConcurrency, s.MaxRequestsPerRun, s.SessionTurns = []int{1}, 6, 4 }, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	f := r.loaded.Runs[0].Figures
	want := metrics.Sessions{Begun: 2, Completed: 1, Failed: 1, TurnsNotSent: 2}
	if diff := cmp.Diff(&want, f.Sessions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f.NumCompletedRequests != 5 || f.NumErrorRequests != 1 || r.journaled(t) != 6 {
		t.Errorf("%d completed, %d failed, %d journaled", f.NumCompletedRequests, f.NumErrorRequests, r.journaled(t))
	}
	var lengths []int
	for _, chat := range heard.chats {
		lengths = append(lengths, len(chat))
	}
	if diff := cmp.Diff([]int{1, 3, 1, 3, 5, 7}, lengths); diff != "" {
		t.Errorf("messages of each request (-want +got):\n%s", diff)
	}
	// What the server said is in the history, word for word.
	if answer := heard.chats[5][1]; answer.Role != "assistant" || answer.TextOf() != strings.Repeat(" word", 5) {
		t.Errorf("the answer is %q", answer.TextOf())
	}
	var turns [][2]int64
	for _, q := range r.requests(t) {
		turns = append(turns, [2]int64{q.Session, q.Turn})
	}
	if diff := cmp.Diff([][2]int64{{1, 1}, {1, 2}, {2, 1}, {2, 2}, {2, 3}, {2, 4}}, turns); diff != "" {
		t.Errorf("conversation and turn (-want +got):\n%s", diff)
	}
	if !strings.Contains(strings.Join(f.WarningsOfRun, "\n"), "1 of 2 conversations ended early, with a turn that failed or was given up; their 2 further turns were not sent") {
		t.Errorf("warnings: %q", f.WarningsOfRun)
	}
}

func TestNothingCanBeSaidToAnAnswerWithoutText(t *testing.T) {
	r := experimentOf(t, &answering{mute: true}, func(s *settings.Benchmark) { s.NumConcurrency, s.MaxRequestsPerRun, s.SessionTurns = []int{1}, 2, 3 }, nil)
	want := metrics.Sessions{Begun: 2, Silent: 2, TurnsNotSent: 4}
	if diff := cmp.Diff(&want, r.loaded.Runs[0].Figures.Sessions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnInterruptedConversationIsKept(t *testing.T) {
	interrupt := make(chan struct{})
	b := &answering{after: 10 * time.Millisecond, fail: func(n int64) *fault.Error {
		if n == 5 {
			close(interrupt)
		}
		return nil
	}}
	r := experimentOf(t, b, func(s *settings.Benchmark) {
		s.NumConcurrency, s.MaxTimePerRun, s.SessionTurns = []int{1}, time.Minute, 3
	}, interrupt)
	f := r.loaded.Runs[0].Figures
	if r.err != nil || !r.result.Interrupted || int64(f.NumCompletedRequests) != b.asked.Load() {
		t.Fatalf("%v, %d completed of %d", r.err, f.NumCompletedRequests, b.asked.Load())
	}
	s := f.Sessions
	if s.Begun != s.Completed+s.Unfinished || s.Unfinished > 1 || f.NumCompletedRequests+s.TurnsLeft != 3*s.Begun || s.TurnsNotSent != 0 {
		t.Errorf("%d requests, %+v", f.NumCompletedRequests, s)
	}
}

// In an open loop conversations overlap; each keeps its own history.
func TestConversationsOfAnOpenLoopOverlap(t *testing.T) {
	heard := &told{}
	b := &answering{hear: heard.hear, after: 50 * time.Millisecond}
	r := experimentOf(t, b, func(s *settings.Benchmark) {
		s.ExecutionEngine, s.QPSLevels, s.Distribution = "async", []float64{100}, "constant"
		s.MaxTimePerRun, s.SessionTurns = 500*time.Millisecond, 3
	}, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	before := map[string]int{}
	for _, chat := range heard.chats {
		first := chat[0].TextOf()
		if len(chat) != before[first]+1+min(before[first], 1) {
			t.Fatalf("a conversation of %d messages has one of %d next", before[first], len(chat))
		}
		before[first] = len(chat)
	}
	f := r.loaded.Runs[0].Figures
	if len(before) != f.Sessions.Begun || f.Sessions.Begun < 40 || f.Sessions.Begun > 51 || f.Window.AskedRate != 100 {
		t.Errorf("%d conversations in half a second at 100/s (asked: %v): %+v", len(before), f.Window.AskedRate, f.Sessions)
	}
	if f.Engine != "open" || len(f.Turns) != 3 || f.Turns[2].Completed == 0 {
		t.Errorf("engine %q, %d turns", f.Engine, len(f.Turns))
	}
	if f.Window.AchievedRate > 110 { // later turns are not of the rate
		t.Errorf("%v conversations a second", f.Window.AchievedRate)
	}
}

func traceFile(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "recorded.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// However the requests of sessions wait for each other, each is sent as it was
// recorded.
func TestAReplayedRequestIsTheRecordedOne(t *testing.T) {
	path := traceFile(t, `{"at_ms": 0, "input_tokens": 11, "output_tokens": 5, "session": "a"}
{"at_ms": 1, "input_tokens": 12, "output_tokens": 5, "session": "a"}
{"at_ms": 2, "input_tokens": 21, "output_tokens": 5, "session": "b"}
{"at_ms": 3, "input_tokens": 13, "output_tokens": 5, "session": "a"}
{"at_ms": 4, "input_tokens": 30, "output_tokens": 5}
{"at_ms": 5, "input_tokens": 22, "output_tokens": 5, "session": "b"}
`)
	r := experimentOf(t, &answering{after: 30 * time.Millisecond}, func(s *settings.Benchmark) { s.Scenarios, s.Trace, s.MaxTimePerRun = nil, path, 0 }, nil)
	if r.err != nil {
		t.Fatal(r.err)
	}
	type recorded struct{ session, turn, input int }
	got := map[recorded]bool{}
	order := map[int64]int64{}
	for _, q := range r.requests(t) {
		got[recorded{int(q.Session), int(q.Turn), int(q.InputAsked)}] = true
		if q.Session > 0 && q.Turn != order[q.Session]+1 {
			t.Errorf("session %d: turn %d comes after %d", q.Session, q.Turn, order[q.Session])
		}
		order[q.Session] = q.Turn
	}
	want := map[recorded]bool{{1, 1, 11}: true, {1, 2, 12}: true, {1, 3, 13}: true, {2, 1, 21}: true, {2, 2, 22}: true, {0, 0, 30}: true}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recorded{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f := r.loaded.Runs[0].Figures
	if f.Window.SessionWaited != 3 || f.StopReason != "schedule" || f.Scenario != "trace-recorded" || f.RequestRate != 1000 || r.loaded.Runs[0].Level != 1_000_000 {
		t.Errorf("level %d, %d waited, %q, %q, %v/s", r.loaded.Runs[0].Level, f.Window.SessionWaited, f.StopReason, f.Scenario, f.RequestRate)
	}
	if len(r.loaded.Problems) > 0 {
		t.Errorf("problems of the folder: %q", r.loaded.Problems)
	}
	if m := r.loaded.Metadata.Trace; m == nil || m.Sessions != 2 || m.Requests != 6 || m.Format != trace.Own {
		t.Errorf("metadata %+v", m)
	}
}

func TestPlansOfTracesAndConversations(t *testing.T) {
	recorded := &trace.Trace{Requests: []trace.Request{{InputTokens: 1, OutputTokens: 1}, {At: time.Second, InputTokens: 1, OutputTokens: 1}}}
	for name, c := range map[string]struct {
		change func(*settings.Benchmark)
		want   string // a problem or, after "warning: ", a warning
	}{
		"embeddings of a trace":        {func(s *settings.Benchmark) { s.Trace, s.Scenarios, s.Task = "t.jsonl", nil, "text-to-embeddings" }, "--trace: is replayed with task text-to-text, not with text-to-embeddings"},
		"a trace and turns":            {func(s *settings.Benchmark) { s.Trace, s.Scenarios, s.SessionTurns = "t.jsonl", nil, 2 }, "--session-turns: does not go with --trace"},
		"one rate in two file names":   {func(s *settings.Benchmark) { s.Trace, s.Scenarios, s.TimeScale = "t.jsonl", nil, []float64{1, 1.0001} }, "--time-scale: 1 and 1.0001 are the same rate in the names of files"},
		"nothing but warm-up":          {func(s *settings.Benchmark) { s.Trace, s.Scenarios, s.WarmupRequests = "t.jsonl", nil, 2 }, "--warmup-requests: warm-up and cool-down at time scale 1, 1 req/s are about 2 requests, and a run has 2"},
		"a time scale of nothing":      {func(s *settings.Benchmark) { s.TimeScale = []float64{2} }, "warning: --time-scale is ignored: there is no --trace"},
		"turns of embeddings":          {func(s *settings.Benchmark) { s.Task, s.Scenarios, s.SessionTurns = "text-to-embeddings", nil, 2 }, "--session-turns: is for task text-to-text, not for text-to-embeddings"},
		"conversations of a size":      {func(s *settings.Benchmark) { s.Conversation = "c.json" }, "--traffic-scenario: does not go with --conversation: what users say is recorded"},
		"a delay of no turns":          {func(s *settings.Benchmark) { s.TurnDelay.Mean = time.Second }, "warning: --turn-delay is ignored"},
		"a delay of turns is no news":  {func(s *settings.Benchmark) { s.SessionTurns, s.TurnDelay.Mean = 2, time.Second }, ""},
		"a trace needs no other limit": {func(s *settings.Benchmark) { s.Trace, s.Scenarios, s.MaxTimePerRun = "t.jsonl", nil, 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := sound()
			c.change(s)
			said := given()
			said.Trace = recorded
			plan, problems := bench.NewPlan(s, chatty(), nil, said)
			var all []string
			for _, p := range problems {
				all = append(all, p.String())
			}
			if plan != nil {
				for _, w := range plan.Warnings {
					all = append(all, "warning: "+w)
				}
			}
			text := strings.Join(all, "\n")
			if !strings.Contains(text, c.want) || c.want == "" && text != "" {
				t.Errorf("said %q, want %q", text, c.want)
			}
		})
	}
}
