package load_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// bench is a run with a sender whose answers take a set time, in a bubble of
// package synctest: time passes only while everything waits.
type bench struct {
	run     *load.Run
	zero    time.Time
	latency func(load.Ticket) time.Duration // negative: never answers
	send    func(load.Ticket) error         // before; may block
	done    func(load.Ticket) bool          // nil: Run.Done
	deaf    bool                            // does not hear of cancellation

	mu      sync.Mutex
	tickets []load.Ticket
	flying  int
	most    int
	cancels int
}

// epoch keeps the stamps of tests away from 0, which means "not known".
const epoch = stamp.Nanos(1e9)

func newBench(t *testing.T, engine load.Engine, limits load.Limits) *bench {
	t.Helper()
	b := &bench{zero: time.Now(), latency: func(load.Ticket) time.Duration { return 100 * time.Millisecond }}
	var err error
	b.run, err = load.New(engine, limits, load.Options{Now: func() stamp.Nanos { return epoch.Add(time.Since(b.zero)) }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) Send(ctx context.Context, ticket load.Ticket) error {
	if b.send != nil {
		if err := b.send(ticket); err != nil {
			return err
		}
	}
	b.mu.Lock()
	b.tickets = append(b.tickets, ticket)
	b.mu.Unlock()
	go func() {
		if ticket.StartAt != 0 {
			time.Sleep(ticket.StartAt.Sub(epoch) - time.Since(b.zero))
		}
		b.fly(+1)
		var answered <-chan time.Time
		if d := b.latency(ticket); d >= 0 {
			answered = time.After(d)
		}
		cancelled := ctx.Done()
		if b.deaf {
			cancelled = nil
		}
		select {
		case <-answered:
		case <-cancelled:
			b.mu.Lock()
			b.cancels++
			b.mu.Unlock()
		case <-time.After(time.Hour): // so that no goroutine outlives the test
		}
		b.fly(-1)
		if b.done != nil {
			b.done(ticket)
			return
		}
		b.run.Done(ticket.N)
	}()
	return nil
}

func (b *bench) fly(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying += n
	b.most = max(b.most, b.flying)
}

func (b *bench) drive(t *testing.T) load.Result {
	t.Helper()
	r, err := b.run.Drive(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// at is a moment of the run.
func at(d time.Duration) stamp.Nanos { return epoch.Add(d) }

const (
	ms = time.Millisecond
	s  = time.Second
)

func TestClosedLoopSendsExactlyN(t *testing.T) {
	for _, n := range []uint64{1, 3, 4, 10, 11} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, load.Closed{Concurrency: 4}, load.Limits{MaxRequests: n, DrainTimeout: s})
			r := b.drive(t)
			if uint64(len(b.tickets)) != n || r.Sent != n || r.Finished != n || r.StopReason != load.StopRequests {
				t.Errorf("asked for %d, %d sent: %+v", n, len(b.tickets), r)
			}
			if want := min(4, int(n)); b.most != want {
				t.Errorf("%d in flight at most, want %d", b.most, want)
			}
			rounds := time.Duration((n + 3) / 4)
			if r.StopAt != at((rounds-1)*100*ms) || r.End != at(rounds*100*ms) || r.FirstSend != at(0) || r.LastSend != r.StopAt {
				t.Errorf("times of %d requests: %+v", n, r)
			}
			for i, ticket := range b.tickets {
				if ticket.N != uint64(i) || ticket.StartAt != 0 || ticket.Late() != 0 || ticket.User < 0 || ticket.User > 3 {
					t.Errorf("ticket %d: %+v", i, ticket)
				}
			}
		})
	}
}

func TestUsersTakeTurnsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Users{Count: 2}, load.Limits{MaxRequests: 8, DrainTimeout: s})
		b.latency = func(ticket load.Ticket) time.Duration { return time.Duration(100+200*ticket.User) * ms }
		b.drive(t)
		got := map[int][]stamp.Nanos{}
		for _, ticket := range b.tickets {
			got[ticket.User] = append(got[ticket.User], ticket.Intended)
		}
		want := map[int][]stamp.Nanos{
			0: {at(0), at(100 * ms), at(200 * ms), at(300 * ms), at(400 * ms), at(500 * ms)},
			1: {at(0), at(300 * ms)},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestUsersAreSpawnedAtTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Users{Count: 6, SpawnRate: 2}, load.Limits{MaxTime: 2500 * ms})
		b.latency = func(load.Ticket) time.Duration { return -1 }
		r := b.drive(t)
		var got []stamp.Nanos
		for i, ticket := range b.tickets {
			got = append(got, ticket.Intended)
			if i > 1 && (ticket.StartAt != ticket.Intended || ticket.Dispatched != ticket.Intended.Add(-load.DefaultLead)) {
				t.Errorf("user %d was not sent for ahead: %+v", i, ticket)
			}
		}
		if diff := cmp.Diff([]stamp.Nanos{at(0), at(0), at(s), at(s), at(2 * s), at(2 * s)}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if r.StopReason != load.StopTime || r.StopAt != at(2500*ms) || r.Cancelled != 6 || b.cancels != 6 || r.Late != 0 {
			t.Errorf("%+v, %d cancelled", r, b.cancels)
		}
	})
}

func TestSpawningEndsWithTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Users{Count: 100, SpawnRate: 1}, load.Limits{MaxTime: 3 * s, DrainTimeout: s})
		b.latency = func(load.Ticket) time.Duration { return 10 * s }
		if r := b.drive(t); r.Sent != 3 || r.StopAt != at(3*s) || r.End != at(4*s) {
			t.Errorf("%+v", r)
		}
	})
}

func TestTimeLimitIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Closed{Concurrency: 3}, load.Limits{MaxTime: 1050 * ms, DrainTimeout: s})
		r := b.drive(t)
		// Sends at 0, 100, …, 1000 ms; the last three answers at 1100.
		if r.Sent != 33 || r.StopReason != load.StopTime || r.StopAt != at(1050*ms) || r.LastSend != at(s) || r.End != at(1100*ms) || r.Finished != 33 || r.Cancelled != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestOpenLoopKeepsItsSchedule(t *testing.T) {
	for _, distribution := range []load.Distribution{load.Constant, load.Uniform, load.Exponential} {
		synctest.Test(t, func(t *testing.T) {
			open := load.Open{Rate: 200, Distribution: distribution, Seed: 3}
			b := newBench(t, open, load.Limits{MaxRequests: 2000, DrainTimeout: s})
			// A server that never answers is no reason to wait.
			b.latency = func(load.Ticket) time.Duration { return -1 }
			r := b.drive(t)
			arrivals := open.Arrivals()
			var last stamp.Nanos
			for i, ticket := range b.tickets {
				want := at(arrivals.Next())
				last = want
				ahead := want.Sub(ticket.Dispatched)
				if ticket.Intended != want || ticket.StartAt != want || ahead > load.DefaultLead || ahead <= 0 ||
					ticket.Dispatched > epoch && ahead < load.DefaultLead-20*ms {
					t.Fatalf("%s, request %d: %+v, want it sent at %d and handed over up to %v ahead", distribution, i, ticket, want, load.DefaultLead)
				}
			}
			if r.Sent != 2000 || r.StopAt != last || r.LastSend != last || r.Late != 0 || r.LateMax != 0 || r.Asked != 200 || r.Cancelled != 2000 {
				t.Errorf("%s: %+v", distribution, r)
			}
			if want := 2000 / last.Sub(epoch).Seconds(); r.Achieved != want {
				t.Errorf("%s: achieved %v, want %v", distribution, r.Achieved, want)
			}
			if r.End != last.Add(s) {
				t.Errorf("%s: the drain of one second ended %v after the last send", distribution, r.End.Sub(last))
			}
		})
	}
}

func TestOpenLoopTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant}, load.Limits{MaxTime: 2 * s, DrainTimeout: s})
		r := b.drive(t)
		if r.Sent != 20 || r.StopReason != load.StopTime || r.StopAt != at(2*s) || r.LastSend != at(2*s) || r.End != at(2100*ms) || r.Missed != 0 || r.Achieved != 10 {
			t.Errorf("%+v", r)
		}
	})
}

func TestOpenLoopCatchesUpAndCountsWhatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant}, load.Limits{MaxRequests: 40, DrainTimeout: s})
		b.send = func(ticket load.Ticket) error {
			if ticket.N == 10 {
				time.Sleep(s) // request 10, due at 1.1 s, is handed over at 0.85 s
			}
			return nil
		}
		r := b.drive(t)
		if r.Sent != 40 || r.StopAt != at(4*s) {
			t.Errorf("%+v", r)
		}
		late := 0
		for _, ticket := range b.tickets {
			if ticket.Intended != at(time.Duration(ticket.N+1)*100*ms) {
				t.Errorf("the schedule was moved: %+v", ticket)
			}
			if ticket.Late() > 0 {
				late++
				if ticket.StartAt != 0 {
					t.Errorf("late, and not to be sent at once: %+v", ticket)
				}
			}
		}
		// Free again at 1.86 s: those due at 1.2 to 1.8 s went at once.
		if late != 7 || r.Late != 7 || r.LateMax < 600*ms || r.LateMax > 700*ms || r.LateMean != r.LateMean.Truncate(1) || r.LateMean <= 0 {
			t.Errorf("%d late: %+v", late, r)
		}
	})
}

func TestArrivalsThatAClientMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant}, load.Limits{MaxTime: 3 * s, DrainTimeout: s})
		b.send = func(ticket load.Ticket) error {
			if ticket.N == 9 {
				time.Sleep(10 * s)
			}
			return nil
		}
		r := b.drive(t)
		if r.Sent != 10 || r.Missed != 20 || r.StopReason != load.StopTime || r.StopAt != at(3*s) {
			t.Errorf("%+v", r)
		}
	})
}

func TestStopDrains(t *testing.T) {
	for name, c := range map[string]struct {
		engine load.Engine
		stopAt time.Duration
	}{
		"closed": {load.Closed{Concurrency: 5}, 1050 * ms},
		// What was handed over ahead is sent.
		"open":  {load.Open{Rate: 50, Distribution: load.Constant}, 1280 * ms},
		"users": {load.Users{Count: 5, SpawnRate: 5}, 1050 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.engine, load.Limits{MaxTime: time.Hour, DrainTimeout: s})
				time.AfterFunc(1050*ms, func() { b.run.Stop(load.StopInterrupted); b.run.Stop("too late") })
				r := b.drive(t)
				if r.StopReason != load.StopInterrupted || r.StopAt != at(c.stopAt) || r.LastSend > r.StopAt || r.Finished != r.Sent || r.Sent == 0 || b.cancels != 0 {
					t.Errorf("%+v, %d cancelled", r, b.cancels)
				}
				for _, ticket := range b.tickets {
					if ticket.Dispatched > at(1050*ms) {
						t.Errorf("handed over after the stop: %+v", ticket)
					}
				}
			})
		})
	}
}

func TestContextEndsTheRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBench(t, load.Closed{Concurrency: 5}, load.Limits{MaxTime: time.Hour, DrainTimeout: time.Hour})
		b.latency = func(load.Ticket) time.Duration { return time.Minute }
		time.AfterFunc(s, cancel)
		r, err := b.run.Drive(ctx, b)
		if err != nil || r.StopReason != load.StopCancelled || r.StopAt != at(s) || r.End != at(s) || r.Cancelled != 5 || b.cancels != 5 || r.Abandoned != 0 || r.Finished != 5 {
			t.Errorf("%v, %+v, %d cancelled", err, r, b.cancels)
		}
	})
	t.Run("while the sender blocks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), s)
			defer cancel()
			b := newBench(t, load.Closed{Concurrency: 5}, load.Limits{MaxRequests: 5, DrainTimeout: time.Hour})
			r, err := b.run.Drive(ctx, senderFunc(func(ctx context.Context, ticket load.Ticket) error {
				if ticket.N == 3 {
					<-ctx.Done()
					return ctx.Err()
				}
				b.run.Done(ticket.N)
				return nil
			}))
			if err != nil || r.StopReason != load.StopCancelled || r.Sent != 3 || r.Finished != 3 || r.End != at(s) {
				t.Errorf("%v, %+v", err, r)
			}
		})
	})
	t.Run("in the drain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			b := newBench(t, load.Closed{Concurrency: 5}, load.Limits{MaxRequests: 5, DrainTimeout: time.Hour})
			b.latency = func(load.Ticket) time.Duration { return time.Minute }
			time.AfterFunc(s, cancel)
			r, err := b.run.Drive(ctx, b)
			if err != nil || r.StopReason != load.StopRequests || r.StopAt != at(0) || r.End != at(s) || r.Cancelled != 5 {
				t.Errorf("%v, %+v", err, r)
			}
		})
	})
}

func TestDrainHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Closed{Concurrency: 4}, load.Limits{MaxRequests: 4, DrainTimeout: 2 * s})
		b.latency = func(ticket load.Ticket) time.Duration { return time.Duration(ticket.N) * 900 * ms }
		var cause error
		r, err := b.run.Drive(t.Context(), senderFunc(func(ctx context.Context, ticket load.Ticket) error {
			if ticket.N == 0 {
				context.AfterFunc(ctx, func() { cause = context.Cause(ctx) })
			}
			return b.Send(ctx, ticket)
		}))
		synctest.Wait()
		if err != nil || r.Finished != 4 || r.Cancelled != 1 || b.cancels != 1 || r.Abandoned != 0 || r.End != at(2*s) || !errors.Is(cause, load.ErrDrained) {
			t.Errorf("%v, %+v, cause %v", err, r, cause)
		}
	})
	t.Run("cancellation unheard", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, load.Closed{Concurrency: 4}, load.Limits{MaxRequests: 4, DrainTimeout: 2 * s})
			b.latency, b.deaf = func(load.Ticket) time.Duration { return -1 }, true
			if r := b.drive(t); r.Cancelled != 4 || r.Abandoned != 4 || r.Finished != 0 || r.End != at(7*s) {
				t.Errorf("%+v", r)
			}
			time.Sleep(time.Hour) // until the deaf ones have ended
		})
	})
}

type senderFunc func(context.Context, load.Ticket) error

func (f senderFunc) Send(ctx context.Context, ticket load.Ticket) error { return f(ctx, ticket) }

func TestBrokenSenderStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Closed{Concurrency: 4}, load.Limits{MaxRequests: 100, DrainTimeout: s})
		b.send = func(ticket load.Ticket) error {
			if ticket.N == 10 {
				return errors.New("all workers are dead")
			}
			return nil
		}
		r, err := b.run.Drive(t.Context(), b)
		if err == nil || err.Error() != "sending request 10: all workers are dead" {
			t.Errorf("error %v", err)
		}
		if r.Sent != 10 || r.Finished != 10 || r.StopReason != load.StopSender || r.StopAt != at(200*ms) {
			t.Errorf("%+v", r)
		}
	})
}

func TestDoneInsideSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run, err := load.New(load.Closed{Concurrency: 2}, load.Limits{MaxRequests: 1000}, load.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := run.Drive(t.Context(), senderFunc(func(_ context.Context, ticket load.Ticket) error {
			if !run.Done(ticket.N) || run.Done(ticket.N) || run.Done(ticket.N+1) {
				t.Errorf("request %d is not done exactly once", ticket.N)
			}
			return nil
		}))
		if err != nil || r.Sent != 1000 || r.Finished != 1000 || run.Counts() != (load.Counts{Sent: 1000, Finished: 1000, Late: r.Late}) {
			t.Errorf("%v, %+v, %+v", err, r, run.Counts())
		}
		if _, err := run.Drive(t.Context(), nil); err == nil {
			t.Error("a run can be driven twice")
		}
	})
}

func TestBadSettings(t *testing.T) {
	good := load.Limits{MaxRequests: 1}
	for name, c := range map[string]struct {
		engine load.Engine
		limits load.Limits
		want   string
	}{
		"no users":            {load.Users{}, good, "the number of users is 0"},
		"negative spawn rate": {load.Users{Count: 1, SpawnRate: -1}, good, "the spawn rate is -1"},
		"no concurrency":      {load.Closed{}, good, "the concurrency is 0"},
		"no rate":             {load.Open{Distribution: load.Constant}, good, "the rate is 0"},
		"no distribution":     {load.Open{Rate: 1}, good, `unknown distribution "" (there are exponential, uniform, constant, gamma)`},
		"no burstiness":       {load.Open{Rate: 1, Distribution: load.Gamma}, good, "the burstiness is 0"},
		"negative cap":        {load.Open{Rate: 1, Distribution: load.Constant, MaxInFlight: -1}, good, "the limit of requests in flight is -1"},
		"ramp from nothing":   {load.Open{Rate: 1, Distribution: load.Constant, Ramp: load.RateRamp{Over: s, Exponential: true}}, good, "cannot begin at 0"},
		"two ramps of users":  {load.Users{Count: 1, SpawnRate: 1, Ramp: s}, good, "not both"},
		"thinking backwards":  {load.Closed{Concurrency: 1, Think: load.Think{Mean: s, Spread: 2 * s, Distribution: load.Uniform}}, good, "less than no time"},
		"gamma thoughts":      {load.Users{Count: 1, Think: load.Think{Mean: s, Distribution: load.Gamma}}, good, `no distribution "gamma"`},
		"no end":              {load.Closed{Concurrency: 1}, load.Limits{}, "a run needs an end: a time limit, a number of requests, or both"},
		"negative time":       {load.Closed{Concurrency: 1}, load.Limits{MaxTime: -1}, "a time limit is negative"},
	} {
		if _, err := load.New(c.engine, c.limits, load.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// What a request costs the engine itself.
func BenchmarkDrive(b *testing.B) {
	for name, engine := range map[string]load.Engine{
		"closed": load.Closed{Concurrency: 64},
		"open":   load.Open{Rate: 1e9, Distribution: load.Exponential},
	} {
		b.Run(name, func(b *testing.B) {
			run, err := load.New(engine, load.Limits{MaxRequests: uint64(b.N)}, load.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			if _, err := run.Drive(b.Context(), senderFunc(func(_ context.Context, ticket load.Ticket) error {
				run.Done(ticket.N)
				return nil
			})); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// TestTheFirstRequestsAreHandedOverAhead: a schedule that begins later than the
// run has even its first requests with the workers before they are due.
func TestTheFirstRequestsAreHandedOverAhead(t *testing.T) {
	for name, engine := range map[string]load.Engine{
		"users":  load.Users{Count: 3},
		"closed": load.Closed{Concurrency: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				now := func() stamp.Nanos { return stamp.Nanos(time.Since(began)) + 1 }
				run, err := load.New(engine, load.Limits{MaxRequests: 3}, load.Options{Now: now, Begin: load.DefaultLead})
				if err != nil {
					t.Fatal(err)
				}
				due := now().Add(load.DefaultLead)
				result, err := run.Drive(t.Context(), senderFunc(func(_ context.Context, ticket load.Ticket) error {
					if ticket.Dispatched >= due || ticket.Intended != due || ticket.StartAt != due || ticket.Late() != 0 {
						t.Errorf("ticket %+v, want it handed over before %d", ticket, due)
					}
					run.Done(ticket.N)
					return nil
				}))
				if err != nil || result.Start != due || result.Sent != 3 {
					t.Errorf("%+v, %v", result, err)
				}
			})
		})
	}
}
