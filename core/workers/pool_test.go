package workers_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// TestMain makes this test binary a plugin where a host starts it: the pool is
// tested over real processes.
func TestMain(m *testing.M) {
	if os.Getenv("PLUGIN_PROTOCOL_VERSIONS") != "" {
		os.Exit(sdk.Serve(sdk.Plugin{Name: "scripted", Version: "1", Backends: []backend.Backend{&scripted{open: remember, do: asAsked}}}))
	}
	goleak.VerifyTestMain(m)
}

// asAsked does what a request's text says.
func asAsked(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	if r.Chat.Messages[0].TextOf() == "block" {
		<-ctx.Done()
		rec.Fail(fault.New(fault.Connect, "the connection was closed under the request"))
		return
	}
	if address, ok := strings.CutPrefix(r.Chat.Messages[0].TextOf(), "dial "); ok {
		rec.Finish(0, backend.FinishStop, dialWithoutPrivilege(ctx, address))
		return
	}
	rec.Finish(0, backend.FinishStop, strconv.Itoa(len(r.Chat.Messages[0].TextOf()))+" bytes")
}

// scripted is a backend whose Do is given by the test.
type scripted struct {
	open func(backend.Config) backend.Opened
	do   func(context.Context, *backend.Request, *backend.Recorder)
}

func (s *scripted) Describe() backend.Description {
	return backend.Description{Name: "scripted", APIBase: backend.Unused, APIKey: backend.Unused,
		Tasks: []backend.TaskSupport{{Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat}}}}
}

func (s *scripted) Open(_ context.Context, c backend.Config) (backend.Opened, error) {
	if s.open != nil {
		return s.open(c), nil
	}
	return backend.Opened{Endpoint: "here"}, nil
}

func (s *scripted) Do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	s.do(ctx, r, rec)
}
func (s *scripted) Close(context.Context) error { return nil }

// collected gathers outcomes and fails the test on a second one of a request.
type collected struct {
	t    *testing.T
	mu   sync.Mutex
	by   map[uint64]*backend.Outcome
	more chan struct{}
}

func collect(t *testing.T) *collected {
	return &collected{t: t, by: map[uint64]*backend.Outcome{}, more: make(chan struct{}, 10_000)}
}

func (c *collected) outcome(_ int, o *backend.Outcome) {
	c.mu.Lock()
	if c.by[o.Seq] != nil {
		c.t.Errorf("request %d has two outcomes", o.Seq)
	}
	c.by[o.Seq] = o
	c.mu.Unlock()
	c.more <- struct{}{}
}

func (c *collected) wait(n int) map[uint64]*backend.Outcome {
	c.t.Helper()
	deadline := time.After(20 * time.Second)
	for range n {
		select {
		case <-c.more:
		case <-deadline:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Fatalf("%d outcomes, want %d", len(c.by), n)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}

func chat(seq uint64, text string) *backend.Request {
	return &backend.Request{Seq: seq, Task: backend.TextToText, Chat: &backend.Chat{Messages: []backend.Message{backend.UserText(text)}}}
}

// launcher starts plugin processes and remembers them.
type launcher struct {
	mu      sync.Mutex
	runners []host.Runner
	refuse  error
}

func (l *launcher) launch(ctx context.Context, packets *os.File) (host.Runner, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return nil, l.refuse
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r, err := host.Launch(ctx, host.Options{Path: exe, Packets: packets})
	if err != nil {
		return nil, err
	}
	l.runners = append(l.runners, r)
	return r, nil
}

// crash kills the process that was started last, as the kernel would.
func (l *launcher) crash(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := syscall.Kill(l.runners[len(l.runners)-1].Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func (l *launcher) launched() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.runners)
}

func open(t *testing.T, l *launcher, count int, outcome func(int, *backend.Outcome)) *workers.Pool {
	t.Helper()
	p, opened, err := workers.Open(t.Context(), workers.Options{
		Launch: l.launch, Component: "scripted", Count: count, Logger: hclog.New(&hclog.LoggerOptions{Output: testWriter{t}}), Outcome: outcome,
	})
	if err != nil || opened.Failed() {
		t.Fatalf("Open: %v, %v", err, opened.Problems)
	}
	t.Cleanup(p.Close)
	return p
}

func TestRequestsAreSharedByAllWorkers(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]int{}
	c := collect(t)
	p := open(t, &launcher{}, 3, func(worker int, o *backend.Outcome) {
		mu.Lock()
		seen[worker]++
		mu.Unlock()
		c.outcome(worker, o)
	})
	start(t, p, "ok", 1, 300)
	for seq, o := range c.wait(300) {
		if o.Status != backend.StatusOK {
			t.Errorf("request %d: %v %v", seq, o.Status, o.Error)
		}
	}
	for i := range 3 {
		if seen[i] != 100 {
			t.Errorf("worker %d had %d of 300 requests", i, seen[i])
		}
	}
}

func start(t *testing.T, p *workers.Pool, text string, first, last uint64) {
	t.Helper()
	for seq := first; seq <= last; seq++ {
		if err := p.Start(chat(seq, text)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACrashCostsItsRequestsInFlightAndNothingElse(t *testing.T) {
	l := &launcher{}
	c := collect(t)
	p := open(t, l, 1, c.outcome)
	start(t, p, "block", 1, 4)
	start(t, p, "ok", 5, 5) // when this one is answered the others are in the plugin's hands
	c.wait(1)
	l.crash(t)
	c.wait(4)
	start(t, p, "ok", 6, 15) // some meet no process, some the successor
	by := c.wait(10)
	for seq := uint64(1); seq <= 15; seq++ {
		o := by[seq]
		if seq <= 4 {
			if o.Status != backend.StatusError || o.Error.Class != fault.Plugin {
				t.Errorf("request %d was in flight: %v %v, want an error of class plugin", seq, o.Status, o.Error)
			}
		} else if o.Status != backend.StatusOK {
			t.Errorf("request %d: %v %v, want ok", seq, o.Status, o.Error)
		}
	}
	if p.Crashes() != 1 || p.Err() != nil {
		t.Errorf("crashes %d, err %v", p.Crashes(), p.Err())
	}
}

func TestNothingIsLostWhileProcessesDie(t *testing.T) {
	l := &launcher{}
	c := collect(t)
	const n, inFlight, crashes = 3000, 100, 3
	room := make(chan struct{}, inFlight)
	p := open(t, l, 2, func(worker int, o *backend.Outcome) {
		c.outcome(worker, o)
		<-room
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range crashes {
			time.Sleep(30 * time.Millisecond)
			for deadline := time.Now().Add(10 * time.Second); l.launched() < 2+i && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			l.crash(t)
		}
	})
	for seq := uint64(1); seq <= n; seq++ {
		room <- struct{}{}
		if err := p.Start(chat(seq, "ok")); err != nil {
			t.Fatal(err)
		}
		if seq%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	wg.Wait()
	failed := 0
	for _, o := range c.wait(n) {
		if o.Status != backend.StatusOK {
			failed++
			if o.Error.Class != fault.Plugin {
				t.Errorf("request %d: %v", o.Seq, o.Error)
			}
		}
	}
	t.Logf("%d of %d requests were in flight at the crashes", failed, n)
	if failed > crashes*inFlight {
		t.Errorf("%d of %d requests failed, more than could be in flight", failed, n)
	}
}

func TestThePoolGivesUpAfterAStatedNumberOfCrashes(t *testing.T) {
	l := &launcher{}
	c := collect(t)
	p := open(t, l, 1, c.outcome)
	for i := range uint64(workers.RestartsMax + 1) {
		start(t, p, "ok", 2*i+1, 2*i+1) // answered: a successor is open
		c.wait(1)
		start(t, p, "block", 2*i+2, 2*i+2)
		l.crash(t)
		c.wait(1)
	}
	select {
	case <-p.Dead():
	case <-time.After(10 * time.Second):
		t.Fatal("the pool goes on")
	}
	if err := p.Start(chat(100, "ok")); err == nil || !strings.Contains(err.Error(), "died 6 times") {
		t.Errorf("Start after the pool gave up: %v", err)
	}
}

func TestAPluginThatCannotBeReplacedEndsTheWait(t *testing.T) {
	l := &launcher{}
	c := collect(t)
	p := open(t, l, 1, c.outcome)
	l.mu.Lock()
	l.refuse = errors.New("the file is gone")
	l.mu.Unlock()
	start(t, p, "block", 1, 1)
	l.crash(t)
	<-p.Dead()
	by := c.wait(1)
	if by[1].Error == nil || by[1].Error.Class != fault.Plugin {
		t.Errorf("outcome %+v", by[1])
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "the file is gone") {
		t.Errorf("Err() = %v", err)
	}
}

func TestCancelAllEndsEverythingOpen(t *testing.T) {
	c := collect(t)
	p := open(t, &launcher{}, 2, c.outcome)
	start(t, p, "block", 1, 20)
	p.CancelAll()
	for seq, o := range c.wait(20) {
		if o.Status != backend.StatusCancelled || o.Error.Class != fault.Cancelled {
			t.Errorf("request %d: %v %v", seq, o.Status, o.Error)
		}
	}
}

func TestAConfigurationThatIsRefusedIsNoPool(t *testing.T) {
	launch := func(context.Context, *os.File) (host.Runner, error) {
		return host.InProcess(&scripted{open: func(backend.Config) backend.Opened {
			return backend.Opened{Problems: []option.Problem{{Option: "x", Message: "wrong"}}}
		}})
	}
	p, opened, err := workers.Open(t.Context(), workers.Options{Launch: launch, Component: "scripted", Logger: hclog.NewNullLogger()})
	if p != nil || err != nil || len(opened.Problems) != 1 {
		t.Errorf("pool %v, opened %+v, err %v", p, opened, err)
	}
}

// testWriter puts the pool's log into the test's.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
