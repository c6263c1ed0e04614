package load_test

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// bySending puts the tickets into the order in which their requests were sent;
// one whose time is known long before is handed over before others.
func bySending(b *bench) {
	slices.SortStableFunc(b.tickets, func(x, y load.Ticket) int { return cmp.Compare(x.Intended, y.Intended) })
}

func users(b *bench) []int {
	var got []int
	for _, ticket := range b.tickets {
		got = append(got, ticket.User)
	}
	return got
}

// threeTurns ends a session after its third request; the others are followed by
// one more, 50 ms after their answer.
func threeTurns(b *bench) {
	turns := map[int]int{}
	b.done = func(ticket load.Ticket) bool {
		b.mu.Lock()
		turns[ticket.User]++
		last := turns[ticket.User] == 3
		b.mu.Unlock()
		if last {
			return b.run.Done(ticket.N)
		}
		return b.run.DoneAfter(ticket.N, 50*ms)
	}
}

// The schedule says when sessions begin, whatever the server does; their later
// turns come after the answers.
func TestSessionsOfAnOpenLoopBeginOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 1, Distribution: load.Constant, Sessions: true}, load.Limits{MaxTime: 2500 * ms, DrainTimeout: s})
		threeTurns(b)
		b.latency = func(load.Ticket) time.Duration { return 400 * ms }
		r := b.drive(t)
		bySending(b)
		want := []stamp.Nanos{at(s), at(1450 * ms), at(1900 * ms), at(2 * s), at(2450 * ms)}
		if diff := gocmp.Diff(want, intended(b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := gocmp.Diff([]int{0, 0, 0, 1, 1}, users(b)); diff != "" {
			t.Errorf("sessions (-want +got):\n%s", diff)
		}
		// Two sessions in 2.5 s; that five requests were sent is not the rate.
		if r.StopReason != load.StopTime || r.FollowUps != 3 || r.Asked != 1 || r.Achieved != 0.8 || r.Missed != 0 || r.Late != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestTurnsCountAsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant, Sessions: true}, load.Limits{MaxRequests: 7, DrainTimeout: s})
		threeTurns(b)
		if r := b.drive(t); r.Sent != 7 || r.StopReason != load.StopRequests || r.FollowUps == 0 || r.Missed != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestTheCapHoldsForTurnsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant, Sessions: true, MaxInFlight: 2}, load.Limits{MaxTime: 3 * s, DrainTimeout: s})
		threeTurns(b)
		b.latency = func(load.Ticket) time.Duration { return 300 * ms }
		r := b.drive(t)
		if b.most != 2 || r.Waited == 0 || r.Unsent == 0 || r.Missed != 0 || r.Late != 0 {
			t.Errorf("%d at once: %+v", b.most, r)
		}
	})
}

// A session's requests keep their order where the server is slower than the
// recorded one; other requests are sent when they were.
func TestRecordedSessionsKeepTheirOrder(t *testing.T) {
	offsets := []time.Duration{0, 100 * ms, 150 * ms, 200 * ms, 1500 * ms}
	for name, c := range map[string]struct {
		latency  time.Duration
		limits   load.Limits
		want     []stamp.Nanos
		arrivals []uint64
		waited   uint64
		unsent   uint64
		reason   load.StopReason
	}{
		"a fast server": {
			20 * ms, load.Limits{DrainTimeout: s},
			[]stamp.Nanos{at(0), at(100 * ms), at(150 * ms), at(200 * ms), at(1500 * ms)}, []uint64{0, 1, 2, 3, 4}, 0, 0, load.StopSchedule,
		},
		"a slow server": {
			400 * ms, load.Limits{DrainTimeout: s},
			[]stamp.Nanos{at(0), at(150 * ms), at(400 * ms), at(800 * ms), at(1500 * ms)}, []uint64{0, 2, 1, 3, 4}, 2, 0, load.StopSchedule,
		},
		"no time for what is held back": {
			400 * ms, load.Limits{MaxTime: 600 * ms, DrainTimeout: s},
			[]stamp.Nanos{at(0), at(150 * ms), at(400 * ms)}, []uint64{0, 2, 1}, 1, 1, load.StopTime,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, load.Replay{Offsets: offsets, Sessions: []int{7, 7, -1, 7, 7}}, c.limits)
				b.latency = func(load.Ticket) time.Duration { return c.latency }
				r := b.drive(t)
				bySending(b)
				if diff := gocmp.Diff(c.want, intended(b)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				var arrivals []uint64
				for _, ticket := range b.tickets {
					arrivals = append(arrivals, ticket.Arrival)
				}
				if diff := gocmp.Diff(c.arrivals, arrivals); diff != "" {
					t.Errorf("arrivals (-want +got):\n%s", diff)
				}
				if r.SessionWaited != c.waited || r.SessionUnsent != c.unsent || r.StopReason != c.reason || r.Late != 0 || r.Missed != 0 {
					t.Errorf("%+v", r)
				}
				if c.waited == 2 && (r.SessionWaitMean != 450*ms || r.SessionWaitMax != 600*ms) {
					t.Errorf("waited %v on average and %v at most", r.SessionWaitMean, r.SessionWaitMax)
				}
			})
		})
	}
}

func TestSessionsThatCannotBe(t *testing.T) {
	if _, err := load.New(load.Replay{Offsets: []time.Duration{0, s}, Sessions: []int{1}}, load.Limits{}, load.Options{}); err == nil {
		t.Error("a session is missing, and nothing was said")
	}
}

func TestTurnDelaysAreDistributedAsTheySay(t *testing.T) {
	delays := load.NewDelays(load.Think{Distribution: load.Exponential, Mean: s}, 3, "run")
	var all []float64
	for session := range uint64(300) {
		for answer := range 20 {
			all = append(all, delays.After(session, answer).Seconds())
		}
	}
	if ks := kolmogorovSmirnov(all, func(x float64) float64 { return 1 - math.Exp(-x) }); ks > 1.63 {
		t.Errorf("Kolmogorov-Smirnov %.2f", ks)
	}
	other := load.NewDelays(load.Think{Distribution: load.Exponential, Mean: s}, 3, "another run")
	if other.After(5, 2) == delays.After(5, 2) {
		t.Error("two runs have the same delays")
	}
}
