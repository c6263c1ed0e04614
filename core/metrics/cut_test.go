package metrics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// A run of ten requests, sent every 100 ms and answered after 250.
func steady() []metrics.Request {
	var all []metrics.Request
	for i := range 10 {
		sent := float64(i) * 100
		r := done(uint64(i), sent, sent+250, 10)
		r.IntendedNanos, r.DispatchLateness, r.CapWait = at(sent), 0, metrics.None()
		all = append(all, r)
	}
	return all
}

func TestWhatWarmUpAndCoolDownLeaveOut(t *testing.T) {
	for name, c := range map[string]struct {
		warmup, cooldown metrics.Cut
		change           func([]metrics.Request)
		warm, cool       int
	}{
		"nothing":                      {},
		"shares":                       {warmup: metrics.Cut{Ratio: 0.25}, cooldown: metrics.Cut{Ratio: 0.1}, warm: 2, cool: 1},
		"numbers":                      {warmup: metrics.Cut{Requests: 3}, cooldown: metrics.Cut{Requests: 4}, warm: 3, cool: 4},
		"numbers beyond all":           {warmup: metrics.Cut{Requests: 8}, cooldown: metrics.Cut{Requests: 8}, warm: 8, cool: 2},
		"times":                        {warmup: metrics.Cut{Time: 300 * time.Millisecond}, cooldown: metrics.Cut{Time: 250 * time.Millisecond}, warm: 3, cool: 2},
		"a time and a number":          {warmup: metrics.Cut{Time: time.Millisecond}, cooldown: metrics.Cut{Requests: 1}, warm: 1, cool: 1},
		"longer than the run":          {warmup: metrics.Cut{Time: time.Hour}, cooldown: metrics.Cut{Time: time.Hour}, warm: 10},
		"late by the client's fault":   {warmup: metrics.Cut{Time: 300 * time.Millisecond}, change: func(all []metrics.Request) { all[2].DispatchLateness = 0.15 }, warm: 2},
		"after a wait for the cap":     {warmup: metrics.Cut{Time: 300 * time.Millisecond}, change: func(all []metrics.Request) { all[2].CapWait = 0.15 }, warm: 2},
		"a slow connection's no delay": {warmup: metrics.Cut{Time: 300 * time.Millisecond}, change: func(all []metrics.Request) { all[2].SendStartNanos = at(900) }, warm: 3},
		"handed over ahead of others": {cooldown: metrics.Cut{Time: 250 * time.Millisecond}, change: func(all []metrics.Request) {
			all[6].IntendedNanos = at(820) // a user who was to come then
		}, cool: 4},
	} {
		t.Run(name, func(t *testing.T) {
			all := steady()
			if c.change != nil {
				c.change(all)
			}
			a := metrics.Compute(metrics.Run{Start: at(0), SendEnd: at(1000), End: at(1250), Warmup: c.warmup, Cooldown: c.cooldown}, all, nil)
			if diff := cmp.Diff([2]int{c.warm, c.cool}, [2]int{a.Window.WarmedUp, a.Window.CooledDown}); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			if a.Window.SendEnd != at(1000) {
				t.Errorf("the sending ended at %d", a.Window.SendEnd)
			}
		})
	}
}

func TestTheWaitForTheCapIsNoLateness(t *testing.T) {
	rec := &metrics.Record{Streamed: true, Intended: at(0), Dispatched: at(407), CapWait: 400 * time.Millisecond, Capped: true, OutputTokensCounted: -1, Outcome: streamed(at(410), at(510), at(520))}
	r := metrics.Derive(backend.TextToText, rec)
	near(t, "cap wait", r.CapWait, 0.4)
	near(t, "dispatch lateness", r.DispatchLateness, 0.007)
	near(t, "ttft", r.TTFT, 0.1)
	near(t, "ttft from intended has all of it", r.TTFTFromIntended, 0.51)
	rec.Capped, rec.CapWait = false, 0
	if r := metrics.Derive(backend.TextToText, rec); r.CapWait.Exists() {
		t.Errorf("without a cap there was a wait of %v", r.CapWait)
	}
}

func TestDeliberateAbortsAreCountedApart(t *testing.T) {
	a := metrics.Compute(metrics.Run{Start: at(0), End: at(2000)}, []metrics.Request{
		done(0, 0, 500, 10), failedRequest(1, fault.Cancelled, backend.StatusAborted),
		failedRequest(2, fault.Cancelled, backend.StatusCancelled), failedRequest(3, fault.Server, backend.StatusError),
	}, nil)
	got := [5]int{a.NumRequests, a.NumCompletedRequests, a.NumErrorRequests, a.NumCancelledRequests, a.NumAbortedRequests}
	if diff := cmp.Diff([5]int{2, 1, 1, 1, 1}, got); diff != "" {
		t.Errorf("requests, completed, errors, cancelled, aborted (-want +got):\n%s", diff)
	}
	near(t, "error rate", a.ErrorRate, 0.5)
}
