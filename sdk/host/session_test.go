//go:build unix

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// runSession opens a session with short patience.
func runSession(t *testing.T, r Runner) (*Session, *answers) {
	t.Helper()
	got := newAnswers()
	s, err := r.Run(t.Context(), RunOptions{Outcome: got.take, answerGrace: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s, got
}

func start(t *testing.T, s *Session, r *backend.Request) {
	t.Helper()
	if err := s.Start(r); err != nil {
		t.Fatalf("Start(%d): %v", r.Seq, err)
	}
}

// brief is a chat with a time-out.
func brief(seq uint64, text string, timeout time.Duration) *backend.Request {
	r := chat(seq, text)
	r.Timeout = timeout
	return r
}

func TestOrdersWithinASession(t *testing.T) {
	p, _ := opened(t, "")
	s, got := runSession(t, p)
	big := strings.Repeat("5 MiB ", 5<<20/6+1)
	for seq, r := range map[uint64]*backend.Request{
		1: chat(1, "fine"), 2: brief(2, "sleep 1m", 50*time.Millisecond), 3: brief(3, "give-up-silently", 50*time.Millisecond),
		4: chat(4, "panic"), 5: chat(5, "goexit"), 6: chat(6, "fail"), 7: {Seq: 7}, 8: chat(8, "not \xff UTF-8"),
		9: chat(9, big), 10: chat(10, strings.Repeat("x", 65<<20)), 11: chat(11, "sleep 1m"),
		12: {Seq: 12, Chat: &backend.Chat{}, Abort: backend.Abort{After: 20 * time.Millisecond}},
	} {
		if seq == 12 {
			r.Chat = chat(12, "sleep 1m").Chat
		}
		start(t, s, r)
	}
	if err := s.Start(chat(11, "again")); !errors.Is(err, ErrSeqInUse) {
		t.Errorf("a number in use: %v", err)
	}
	s.Cancel(11)
	s.Cancel(999)
	for seq, want := range map[uint64]struct {
		status backend.Status
		class  fault.Class
		says   string
	}{
		1:  {backend.StatusOK, 0, ""},
		2:  {backend.StatusError, fault.TimeoutTotal, "timeout of 50ms"},
		3:  {backend.StatusError, fault.TimeoutTotal, "timeout of 50ms"},
		4:  {backend.StatusError, fault.Plugin, "panic: do went wrong"},
		5:  {backend.StatusError, fault.Plugin, "goroutine"},
		6:  {backend.StatusError, fault.Overloaded, "busy \uFFFD"},
		7:  {backend.StatusError, fault.InvalidRequest, "no form"},
		8:  {backend.StatusError, fault.InvalidRequest, "message text is not valid UTF-8"},
		9:  {backend.StatusOK, 0, ""},
		10: {backend.StatusError, fault.InvalidRequest, "65 MiB"},
		11: {backend.StatusCancelled, fault.Cancelled, "cancelled by the host"},
		12: {backend.StatusAborted, fault.Cancelled, "on purpose"},
	} {
		o := got.one(t, seq)
		if o.Status != want.status {
			t.Errorf("%d: status %v, want %v (%v)", seq, o.Status, want.status, o.Error)
		}
		if want.class != 0 && (o.Error == nil || o.Error.Class != want.class) {
			t.Errorf("%d: error %v, want class %v", seq, o.Error, want.class)
		}
		if want.says != "" && !strings.Contains(fmt.Sprint(o.Error), want.says) && !strings.Contains(fmt.Sprint(o.Error), "aborted") {
			t.Errorf("%d: %v does not say %q", seq, o.Error, want.says)
		}
	}
	if text := got.one(t, 9).Choices[0].Text; text != big {
		t.Errorf("5 MiB came back as %d bytes", len(text))
	}
	if o := got.one(t, 1); o.Received == 0 || o.Received > stamp.Now() || o.Received < stamp.Now().Add(-time.Minute) {
		t.Errorf("received at %d, now is %d: not the same clock", o.Received, stamp.Now())
	}
	if err := s.Drain(t.Context(), time.Second); err != nil {
		t.Errorf("Drain: %v", err)
	}
	if err := s.Start(chat(20, "late")); !errors.Is(err, ErrSessionEnded) {
		t.Errorf("Start after the end: %v", err)
	}
	// The process has survived its panics; the next session works.
	s, got = runSession(t, p)
	start(t, s, chat(1, "again"))
	got.one(t, 1)
	if err := s.Drain(t.Context(), time.Second); err != nil || s.Strays() != 0 {
		t.Errorf("Drain: %v, %d strays", err, s.Strays())
	}
}

// TestThreeWays runs the same requests through a process, a connection in
// memory, and no connection.
func TestThreeWays(t *testing.T) {
	for name, runner := range map[string]func(t *testing.T) Runner{
		"process": func(t *testing.T) Runner { p, _ := opened(t, ""); return p },
		"in process": func(t *testing.T) Runner {
			r, err := InProcess(&echo{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.Kill)
			open(t, r)
			return r
		},
		"direct": func(t *testing.T) Runner {
			r := Direct(&echo{})
			t.Cleanup(r.Kill)
			open(t, r)
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := runner(t)
			var progress, finished atomic.Uint32
			var mu sync.Mutex
			seen := map[uint64]int{}
			s, err := r.Run(t.Context(), RunOptions{
				Outcome: func(o *backend.Outcome) {
					mu.Lock()
					defer mu.Unlock()
					seen[o.Seq]++
				},
				Progress:         func(p backend.Progress) { progress.Add(1); finished.Add(p.Finished) },
				ProgressInterval: time.Millisecond, // lengthened to 100 ms
			})
			if err != nil {
				t.Fatal(err)
			}
			shared, image := strings.Repeat("shared prefix ", 1000), []byte{1, 2, 3}
			s.ShareText(shared)
			s.ShareImage(image)
			const n = 500
			var starters sync.WaitGroup
			for g := range 5 {
				starters.Go(func() {
					for i := range n / 5 {
						seq := uint64(g*n + i)
						request := chat(seq, "")
						request.Chat.Messages[0].Parts = []backend.Part{{Text: shared}, {Text: "!"}, {Image: &backend.Image{Bytes: image}}}
						if err := s.Start(request); err != nil {
							t.Error(err)
						}
						if rand.IntN(3) == 0 {
							s.Cancel(seq)
						}
					}
				})
			}
			starters.Wait()
			s.Unshare()
			start(t, s, chat(1_000_000, "sleep 250ms")) // long enough for progress
			within(t, 10*time.Second, "Drain", func() {
				if err := s.Drain(t.Context(), 5*time.Second); err != nil {
					t.Errorf("Drain: %v", err)
				}
			})
			mu.Lock()
			defer mu.Unlock()
			if len(seen) != n+1 {
				t.Errorf("%d of %d answered", len(seen), n+1)
			}
			for seq, times := range seen {
				if times != 1 {
					t.Errorf("request %d has %d outcomes", seq, times)
				}
			}
			if progress.Load() < 1 || progress.Load() > 20 || finished.Load() < n {
				t.Errorf("%d reports of %d ends", progress.Load(), finished.Load())
			}
			within(t, 5*time.Second, "Close", func() {
				if err := r.Close(context.Background()); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

func TestDrainCancelsAtItsDeadline(t *testing.T) {
	p, _ := opened(t, "")
	s, got := runSession(t, p)
	start(t, s, chat(1, "sleep 1m"))
	start(t, s, chat(2, "quick"))
	within(t, 3*time.Second, "Drain", func() {
		if err := s.Drain(t.Context(), 100*time.Millisecond); err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
	if o := got.one(t, 1); o.Status != backend.StatusCancelled || !strings.Contains(o.Error.Message, "drain") {
		t.Errorf("late: %v %v", o.Status, o.Error)
	}
	if o := got.one(t, 2); o.Status != backend.StatusOK {
		t.Errorf("in time: %v", o.Error)
	}
}

func TestTheHostGivesUp(t *testing.T) {
	p, _ := opened(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	got := newAnswers()
	s, err := p.Run(ctx, RunOptions{Outcome: got.take})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s, chat(1, "hang"))
	cancel()
	within(t, 3*time.Second, "the end", func() { <-s.Done() })
	if o := got.one(t, 1); o.Status != backend.StatusCancelled || o.Error.Class != fault.Cancelled {
		t.Errorf("outcome: %v %v", o.Status, o.Error)
	}
	if s.Err() == nil {
		t.Error("no error")
	}
}

// TestPluginsThatBreakTheContractOfRequests has one test per way to die, to
// hang or to lie with requests in hand.
func TestPluginsThatBreakTheContractOfRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode  string
		texts []string // of the requests 1, 2, …
		after func(p *Process)
		class fault.Class // of request 1
		says  string
		dies  bool
		stray int
		// timeout of the requests; 0 is 400 ms.
		timeout time.Duration
	}{
		"exits mid-request":   {texts: []string{"sleep 1m", "exit"}, class: fault.Plugin, says: "exit status 7; its last words: [ERROR] the sky is falling", dies: true},
		"crashes mid-request": {texts: []string{"sleep 1m", "crash"}, class: fault.Plugin, says: "panic: another goroutine went wrong", dies: true},
		"is killed mid-request": {
			texts: []string{"sleep 1m"}, after: func(p *Process) { _ = syscall.Kill(p.Pid(), syscall.SIGKILL) },
			class: fault.Plugin, says: "signal: killed", dies: true,
		},
		"hangs in Do":        {texts: []string{"hang"}, class: fault.Plugin, says: "unanswered until 300ms past its timeout"},
		"never answers":      {mode: "never-answers", texts: []string{"x"}, class: fault.Plugin, says: "unanswered"},
		"is stopped":         {texts: []string{"sleep 1m"}, after: func(p *Process) { freeze(t, p.Pid()) }, class: fault.Plugin, says: "unanswered"},
		"ends the stream":    {mode: "ends-early", texts: []string{"x"}, class: fault.Plugin, says: "requests unanswered"},
		"answers twice":      {mode: "answers-twice", texts: []string{"x", "y"}, stray: 2},
		"answers the unborn": {mode: "answers-unknown", texts: []string{"x"}, stray: 1},
		"unknown status":     {mode: "odd-status", texts: []string{"x"}, class: fault.Plugin, says: "status 77"},
		"four million events": {
			// Its answer is tens of megabytes, which a busy machine takes a while to move.
			mode: "hostile-events", texts: []string{"x"}, class: fault.Plugin, says: "4194304 events", timeout: 6 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, log := opened(t, test.mode)
			s, got := runSession(t, p)
			for i, text := range test.texts {
				start(t, s, brief(uint64(i+1), text, max(test.timeout, 400*time.Millisecond)))
			}
			if test.after != nil {
				test.after(p)
			}
			within(t, 8*time.Second, "all answers", func() {
				for i := range test.texts {
					got.one(t, uint64(i+1))
				}
			})
			o := got.one(t, 1)
			switch {
			case test.class == 0 && o.Status != backend.StatusOK:
				t.Errorf("outcome: %v", o.Error)
			case test.class != 0 && (o.Error == nil || o.Error.Class != test.class || !strings.Contains(o.Error.Message, test.says)):
				t.Errorf("outcome: %v, want class %v and %q\n%s", o.Error, test.class, test.says, log)
			}
			if test.dies {
				within(t, 3*time.Second, "the end", func() { <-s.Done() })
				if s.Err() == nil || p.Err() == nil {
					t.Errorf("no errors of the session (%v) and the process (%v)", s.Err(), p.Err())
				}
				var call *CallError
				if err := p.Ping(t.Context()); !errors.As(err, &call) {
					t.Errorf("Ping of the dead: %v", err)
				}
				if err := s.Start(chat(99, "x")); !errors.Is(err, ErrSessionEnded) {
					t.Errorf("Start after death: %v", err)
				}
			} else {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				within(t, 2*time.Second, "Drain", func() { _ = s.Drain(ctx, 100*time.Millisecond) })
			}
			if s.Strays() != test.stray {
				t.Errorf("%d strays, want %d", s.Strays(), test.stray)
			}
			pid := p.Pid()
			within(t, 2*time.Second, "Kill", p.Kill)
			gone(t, pid)
			for i := range test.texts {
				got.one(t, uint64(i+1)) // still one
			}
		})
	}
}

// TestNothingIsLost starts requests as fast as it can while the plugin is
// killed: whatever Start took has one outcome.
func TestNothingIsLost(t *testing.T) {
	p, _ := opened(t, "")
	s, got := runSession(t, p)
	var accepted []uint64
	time.AfterFunc(50*time.Millisecond, func() { _ = syscall.Kill(p.Pid(), syscall.SIGKILL) })
	for seq := uint64(0); ; seq++ {
		if err := s.Start(chat(seq, "x")); err != nil {
			break
		}
		accepted = append(accepted, seq)
		if seq%64 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	<-s.Done()
	lost := 0
	for _, seq := range accepted {
		if len(got.of(seq)) != 1 {
			lost++
		}
	}
	if lost > 0 || len(accepted) == 0 {
		t.Errorf("%d of %d requests do not have exactly one outcome", lost, len(accepted))
	}
	t.Logf("%d requests", len(accepted))
}

// echo is a well-behaved backend in this process.
type echo struct{}

func (*echo) Describe() backend.Description { return backend.Description{Name: "bad"} }
func (*echo) Open(context.Context, backend.Config) (backend.Opened, error) {
	return backend.Opened{}, nil
}
func (*echo) Close(context.Context) error { return nil }
func (*echo) Do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	now := stamp.Now()
	text := r.Chat.Messages[0].TextOf()
	if d, ok := strings.CutPrefix(text, "sleep "); ok {
		wait, _ := time.ParseDuration(d)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			rec.Fail(fault.New(fault.Cancelled, "%v", context.Cause(ctx)))
			return
		}
	}
	rec.Event(backend.Text, 0, stamp.Arrival{At: now + 5, Read: now + 5}, 1, backend.EventText{Text: []byte(text)})
	rec.Finish(0, backend.FinishStop, "stop")
	rec.Exchange(stamp.Exchange{SendStart: now, LastByte: now + 10, Retransmits: -1})
}

func TestTheSameOutcomeThreeWays(t *testing.T) {
	outcomes := map[string]*backend.Outcome{}
	rpc, err := InProcess(&echo{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rpc.Kill)
	for name, r := range map[string]Runner{"rpc": rpc, "direct": Direct(&echo{})} {
		open(t, r)
		s, got := runSession(t, r)
		start(t, s, chat(7, "word"))
		o := *got.one(t, 7)
		o.Events[0].At -= o.SendStart
		o.Exchange.LastByte -= o.SendStart
		o.Received, o.SendStart = 0, 0
		outcomes[name] = &o
		if err := s.Drain(t.Context(), time.Second); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(outcomes["direct"], outcomes["rpc"]); diff != "" {
		t.Errorf("outcomes differ (-direct +rpc):\n%s", diff)
	}
}

// TestNothingRefersToABlobBeforeItIsSent: what is shared while requests with the
// same memory stand in line before it, and is dropped while others do.
func TestNothingRefersToABlobBeforeItIsSent(t *testing.T) {
	r, err := InProcess(&echo{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Kill)
	open(t, r)
	var mu sync.Mutex
	failures, outcomes := map[string]int{}, uint64(0)
	answered := func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return outcomes
	}
	s, err := r.Run(t.Context(), RunOptions{Outcome: func(o *backend.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		outcomes++
		if o.Error != nil {
			failures[o.Error.Message]++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(0)
	for range 10 {
		image := bytes.Repeat([]byte{7}, 256<<10) // so large that a line forms
		send := func() {
			seq++
			request := chat(seq, "")
			request.Chat.Messages[0].Parts = []backend.Part{{Text: "?"}, {Image: &backend.Image{Bytes: image}}}
			if err := s.Start(request); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			send()
		}
		s.ShareImage(image)
		for range 5 {
			send()
		}
		within(t, 20*time.Second, "answers", func() {
			for answered() < seq {
				time.Sleep(time.Millisecond)
			}
		})
		for range 5 {
			send()
		}
		s.Unshare()
		for range 5 {
			send()
		}
	}
	within(t, 20*time.Second, "Drain", func() {
		if err := s.Drain(t.Context(), 15*time.Second); err != nil {
			t.Errorf("Drain: %v", err)
		}
	})
	if len(failures) > 0 {
		t.Errorf("failures %v", failures)
	}
}
