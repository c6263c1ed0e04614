package load_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// sends are the moments at which requests were sent, and how long each had
// waited in line.
func sends(tickets []load.Ticket) (at []stamp.Nanos, waited []time.Duration) {
	for _, ticket := range tickets {
		at, waited = append(at, max(ticket.StartAt, ticket.Dispatched)), append(waited, ticket.Waited)
	}
	return at, waited
}

func TestArrivalsThatFindTheCapReachedWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant, MaxInFlight: 2}, load.Limits{MaxRequests: 6, DrainTimeout: s})
		b.latency = func(load.Ticket) time.Duration { return 250 * ms }
		r := b.drive(t)
		at0, waited := sends(b.tickets)
		// Due at 100, 200, … 600 ms, two at a time, each for 250 ms.
		wantAt := []stamp.Nanos{at(100 * ms), at(200 * ms), at(350 * ms), at(450 * ms), at(600 * ms), at(700 * ms)}
		wantWaited := []time.Duration{0, 0, 50 * ms, 50 * ms, 100 * ms, 100 * ms}
		if diff := cmp.Diff(wantAt, at0); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantWaited, waited); diff != "" {
			t.Errorf("waited (-want +got):\n%s", diff)
		}
		if b.most != 2 || r.Waited != 4 || r.WaitMean != 75*ms || r.WaitMax != 100*ms || r.Late != 0 || r.LateMax != 0 || r.Unsent != 0 || b.run.Counts().Waited != 4 {
			t.Errorf("%d in flight at most, %+v", b.most, r)
		}
		for i, ticket := range b.tickets {
			if ticket.Intended != at(time.Duration(i+1)*100*ms) || ticket.Late() != 0 {
				t.Errorf("the schedule was moved: %+v", ticket)
			}
		}
	})
}

// Two places become free at once while three stand in line.
func TestThoseInLineTakeTheOldestPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Open{Rate: 100, Distribution: load.Constant, MaxInFlight: 2}, load.Limits{MaxRequests: 5, DrainTimeout: s})
		b.latency = func(ticket load.Ticket) time.Duration { return s - time.Duration(ticket.N)*10*ms } // both end at 1010 ms
		b.drive(t)
		_, waited := sends(b.tickets)
		want := []time.Duration{0, 0, 980 * ms, 970 * ms, 1930 * ms}
		if diff := cmp.Diff(want, waited); diff != "" {
			t.Errorf("waited (-want +got):\n%s", diff)
		}
	})
}

func TestACapThatIsNeverReachedChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := load.Open{Rate: 100, Distribution: load.Exponential, Seed: 3}
		free := newBench(t, open, load.Limits{MaxRequests: 200, DrainTimeout: s})
		free.drive(t)
		open.MaxInFlight = 1000
		capped := newBench(t, open, load.Limits{MaxRequests: 200, DrainTimeout: s})
		capped.zero = free.zero.Add(time.Since(free.zero))
		r := capped.drive(t)
		a, _ := sends(free.tickets)
		b, _ := sends(capped.tickets)
		if diff := cmp.Diff(a, b); diff != "" || r.Waited != 0 {
			t.Errorf("%d waited, sends (-without +with a cap):\n%s", r.Waited, diff)
		}
	})
}

func TestWhoStandsInLineAtTheEndIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		stop   func(*bench)
		reason load.StopReason
		unsent uint64
	}{
		"time limit":  {func(*bench) {}, load.StopTime, 17},
		"interrupted": {func(b *bench) { time.AfterFunc(1050*ms, func() { b.run.Stop(load.StopInterrupted) }) }, load.StopInterrupted, 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, load.Open{Rate: 10, Distribution: load.Constant, MaxInFlight: 3}, load.Limits{MaxTime: 2 * s, DrainTimeout: s})
				b.latency = func(load.Ticket) time.Duration { return -1 }
				c.stop(b)
				if r := b.drive(t); r.Sent != 3 || r.StopReason != c.reason || r.Unsent != c.unsent || r.Missed != 0 || r.Cancelled != 3 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}
