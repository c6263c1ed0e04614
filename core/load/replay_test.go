package load_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func intended(b *bench) []stamp.Nanos {
	var got []stamp.Nanos
	for _, ticket := range b.tickets {
		got = append(got, ticket.Intended)
	}
	return got
}

func TestAReplaySendsWhenTheTraceDid(t *testing.T) {
	offsets := []time.Duration{0, 0, 30 * ms, s, 5 * s}
	all := []stamp.Nanos{at(0), at(0), at(30 * ms), at(s), at(5 * s)}
	for name, c := range map[string]struct {
		limits load.Limits
		want   []stamp.Nanos
		reason load.StopReason
		stop   stamp.Nanos
	}{
		"to its end":           {load.Limits{DrainTimeout: s}, all, load.StopSchedule, at(5 * s)},
		"to its end, in time":  {load.Limits{MaxTime: time.Minute, DrainTimeout: s}, all, load.StopSchedule, at(5 * s)},
		"until the time is up": {load.Limits{MaxTime: 2 * s, DrainTimeout: s}, all[:4], load.StopTime, at(2 * s)},
		"so many":              {load.Limits{MaxRequests: 3, DrainTimeout: s}, all[:3], load.StopRequests, at(30 * ms)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, load.Replay{Offsets: offsets}, c.limits)
				b.latency = func(load.Ticket) time.Duration { return 300 * ms }
				r := b.drive(t)
				if diff := cmp.Diff(c.want, intended(b)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if r.StopReason != c.reason || r.StopAt != c.stop || r.Missed != 0 || r.Late != 0 || r.Finished != uint64(len(c.want)) {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestAReplayMayBeCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Replay{Offsets: []time.Duration{0, 0, 0}, MaxInFlight: 1}, load.Limits{DrainTimeout: s})
		r := b.drive(t)
		if b.most != 1 || r.Waited != 2 || r.WaitMax != 200*ms || r.Sent != 3 {
			t.Errorf("%d at once: %+v", b.most, r)
		}
	})
}

func TestReplaysThatCannotBe(t *testing.T) {
	for want, offsets := range map[string][]time.Duration{
		"no arrival": nil,
		"arrival 1 of the schedule is due at 1s, after one at 2s": {2 * s, s},
		"arrival 0 of the schedule is due at -1s":                 {-s},
	} {
		if _, err := load.New(load.Replay{Offsets: offsets}, load.Limits{}, load.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", offsets, err, want)
		}
	}
}

// A turn within a conversation comes after the pause of the conversation, the
// next conversation after the user has thought.
func TestAPauseTakesThePlaceOfThinking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, load.Users{Count: 1, Think: load.Think{Mean: s}}, load.Limits{MaxRequests: 6, DrainTimeout: s})
		b.done = func(ticket load.Ticket) bool {
			if ticket.N%3 == 2 { // the third turn is the last
				return b.run.Done(ticket.N)
			}
			return b.run.DoneAfter(ticket.N, 50*ms)
		}
		b.drive(t)
		want := []stamp.Nanos{at(0), at(150 * ms), at(300 * ms), at(1400 * ms), at(1550 * ms), at(1700 * ms)}
		if diff := cmp.Diff(want, intended(b)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
