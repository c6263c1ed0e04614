package backendtest

import (
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Of the test that nothing stands between the connection and the recorder.
const (
	paceEvents = 10
	paceStep   = 50 * time.Millisecond
	paceRounds = 3
)

// hidesNothing asks for the moments of events that come slowly, one at a time. A
// client that buffers, decompresses or asks again would show them late or all at
// once. Each event, and so each gap between two, must be where the server's own
// moments allow: an event arrives while the write that carries it goes on. Only
// the clock "user" cannot say so, because it tells when a goroutine got round to
// reading; there, an event must have been read before the next one was written.
//
// An event with a flag is one whose moment the clock itself calls uncertain,
// which a busy machine may bring about. Most must have none; it is tried
// again where they have.
func (k *kit) hidesNothing(t *testing.T) {
	s := k.open(t, setup{upstream: func(c *simulator.Config) {
		c.StepTime, c.JitterRatio, c.SpreadTokens = paceStep, 0, false
	}})
	certain := 0
	for round := 0; round < paceRounds && certain < paceEvents/2; round++ {
		r := s.request("")
		setStream(r, true)
		setMaxTokens(r, paceEvents)
		o, record := s.doOK(t, r)
		if encoding := record.Header.Get("Accept-Encoding"); encoding != "" && encoding != "identity" {
			t.Errorf("the request asks for Accept-Encoding %q: what is packed has no arrival of its own", encoding)
		}
		certain = k.paces(t, o, record)
		if t.Failed() {
			return
		}
	}
	if certain < paceEvents/2 {
		t.Errorf("in each of %d rounds the clock was sure of less than half of the gaps", paceRounds)
	}
}

// paces holds each gap between events of output against the server's writes, and
// returns how many gaps the clock was sure of.
func (k *kit) paces(t *testing.T, o *backend.Outcome, r *simulator.Record) (certain int) {
	t.Helper()
	var sent []simulator.Event
	var got []backend.Event
	for _, e := range r.Events {
		if e.Kinds&simulator.Output != 0 {
			sent = append(sent, e)
		}
	}
	for _, e := range o.Events {
		if e.Kinds&backend.Output != 0 {
			got = append(got, e)
		}
	}
	if len(sent) != paceEvents || len(got) != len(sent) {
		t.Fatalf("%d events with output were sent and %d seen, want %d", len(sent), len(got), paceEvents)
	}
	// An event arrives in [from, to].
	window := func(i int) (from, to stamp.Nanos) {
		from, to = r.Interval(sent[i])
		if o.Clock == stamp.ClockUser || !r.Exact {
			to = to.Add(paceStep)
			if i+1 < len(sent) {
				to, _ = r.Interval(sent[i+1])
			}
		}
		return from, to
	}
	for i := 1; i < len(got); i++ {
		if (got[i].Flags|got[i-1].Flags) != 0 && o.Clock != stamp.ClockUser {
			continue
		}
		certain++
		before, beforeEnd := window(i - 1)
		from, to := window(i)
		if late := got[i].At.Sub(to); late > clockTolerance {
			t.Errorf("event %d is stamped %v after the server's write of it", i, late)
		}
		gap, least, most := got[i].At.Sub(got[i-1].At), from.Sub(beforeEnd)-clockTolerance, to.Sub(before)+clockTolerance
		if gap < least || gap > most {
			t.Errorf("%v between events %d and %d, but the server's writes allow %v to %v", gap, i-1, i, least, most)
		}
	}
	return certain
}
