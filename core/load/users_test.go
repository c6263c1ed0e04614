package load_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestUsersThinkBetweenAnswerAndRequest(t *testing.T) {
	for name, engine := range map[string]load.Engine{
		"users":  load.Users{Count: 2, Think: load.Think{Mean: 400 * ms}},
		"closed": load.Closed{Concurrency: 2, Think: load.Think{Mean: 400 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, engine, load.Limits{MaxTime: 1200 * ms, DrainTimeout: s})
				r := b.drive(t)
				for i, ticket := range b.tickets {
					want := at(time.Duration(i/2) * 500 * ms) // 100 ms of answer, 400 of thought
					if ticket.Intended != want || ticket.Late() != 0 {
						t.Errorf("ticket %+v, want it at %d", ticket, want)
					}
					if i >= 2 && (ticket.StartAt != want || ticket.Dispatched != want.Add(-load.DefaultLead)) {
						t.Errorf("a time known ahead is not used: %+v", ticket)
					}
				}
				if r.Sent != 6 || r.StopReason != load.StopTime || r.StopAt != at(1200*ms) {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// A user whose thought outlasts the run must not end it for the others.
func TestThoughtsThatOutlastTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Users{Count: 3, Think: load.Think{Mean: 150 * ms}}, load.Limits{MaxTime: s, DrainTimeout: s})
		b.latency = func(ticket load.Ticket) time.Duration {
			return time.Duration(100+400*ticket.User) * ms // rounds of 250, 650 and 1050 ms
		}
		r := b.drive(t)
		got := map[int]int{}
		for _, ticket := range b.tickets {
			got[ticket.User]++
		}
		if diff := cmp.Diff(map[int]int{0: 4, 1: 2, 2: 1}, got); diff != "" || r.StopAt != at(s) {
			t.Errorf("requests by user (-want +got):\n%s%+v", diff, r)
		}
	})
}

func TestUsersComeOverARamp(t *testing.T) {
	for name, engine := range map[string]load.Engine{
		"users":  load.Users{Count: 4, Ramp: 2 * s},
		"closed": load.Closed{Concurrency: 4, Ramp: 2 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, engine, load.Limits{MaxTime: 3 * s})
				b.latency = func(load.Ticket) time.Duration { return -1 }
				r := b.drive(t)
				var got []stamp.Nanos
				for _, ticket := range b.tickets {
					got = append(got, ticket.Intended)
				}
				if diff := cmp.Diff([]stamp.Nanos{at(0), at(s / 2), at(s), at(3 * s / 2)}, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if r.RampEnd != at(2*s) {
					t.Errorf("the ramp ended at %d", r.RampEnd)
				}
			})
		})
	}
}

func TestThinkTimesAreDistributedAsTheySay(t *testing.T) {
	cdf := map[string]func(float64) float64{ // of seconds
		"exponential:2s": func(x float64) float64 { return 1 - math.Exp(-x/2) },
		"uniform:1s,3s":  func(x float64) float64 { return min(max((x-1)/2, 0), 1) },
	}
	for _, think := range []load.Think{
		{Distribution: load.Exponential, Mean: 2 * s},
		{Distribution: load.Uniform, Mean: 2 * s, Spread: s},
	} {
		for _, seed := range []uint64{1, 2, 3} {
			users := load.Users{Count: 100, Think: think, Seed: seed}
			var all []float64
			seen := map[time.Duration]bool{}
			for user := range 100 {
				for answer := range uint64(200) {
					d := users.ThinkTime(user, answer)
					if d != users.ThinkTime(user, answer) {
						t.Fatal("a think time is not a pure function")
					}
					seen[d] = true
					all = append(all, d.Seconds())
				}
			}
			if ks := kolmogorovSmirnov(all, cdf[think.String()]); ks > 1.63 {
				t.Errorf("%s, seed %d: %.2f off", think, seed, ks)
			}
			if len(seen) < len(all)-5 {
				t.Errorf("%s: %d different times among %d: users think alike", think, len(seen), len(all))
			}
		}
	}
	if got := (load.Users{Think: load.Think{Mean: 2 * s}}).ThinkTime(3, 4); got != 2*s {
		t.Errorf("constant: %v", got)
	}
	if text := (load.Think{Mean: 2 * s}).String() + (load.Think{}).String(); text != "2s" {
		t.Errorf("written %q", text)
	}
}

func TestAbortsChooseTheirShare(t *testing.T) {
	const n = 100_000
	count := func(a load.Aborts) (chosen int) {
		for i := range uint64(n) {
			if a.Chooses(i) {
				chosen++
			}
		}
		return chosen
	}
	for rate, want := range map[float64]float64{0: 0, 0.1: 0.1, 0.5: 0.5, 1: 1} {
		got := float64(count(load.NewAborts(rate, 1, "run"))) / n
		if math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/n) { // four standard errors
			t.Errorf("rate %v: %v chosen", rate, got)
		}
	}
	a, b := load.NewAborts(0.5, 1, "run"), load.NewAborts(0.5, 1, "another run")
	both := 0
	for i := range uint64(n) {
		if a.Chooses(i) && b.Chooses(i) {
			both++
		}
	}
	if math.Abs(float64(both)/n-0.25) > 0.01 {
		t.Errorf("%d of %d requests are given up in both runs, want a quarter", both, n)
	}
	if (load.Aborts{}).Chooses(0) {
		t.Error("the zero value gives up")
	}
}
