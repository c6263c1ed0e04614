package backendtest

import (
	"context"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func (k *kit) control() []test {
	cancels := unless(k.description.Can(backend.CanCancel), "the capability cancel is not declared")
	if cancels == "" {
		cancels = k.generates()
	}
	streams := k.streams(true)
	limit := func(set func(*backend.Limits)) setup {
		return setup{config: func(c *backend.Config, _ *simulator.Server) { set(&c.Limits) }}
	}
	const short = 400 * time.Millisecond // longer than a busy machine stands still
	return []test{
		{name: "cancel before the head", skip: cancels, run: func(t *testing.T) { k.cancels(t, "stall=before-head", false) }},
		{name: "cancel in the stream", skip: firstOf(cancels, streams), run: func(t *testing.T) { k.cancels(t, "stall=mid-body; after=3", true) }},
		{name: "abort after events", skip: streams, run: k.abortsAfterEvents},
		{name: "abort after a time", skip: cancels, run: k.abortsAfterTime},
		{name: "no head in time", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, limit(func(l *backend.Limits) { l.ResponseHeader = short }))
			expectClass(t, s.do(t, s.request("stall=before-head")), fault.TimeoutHeaders)
		}},
		{name: "the body stands still", skip: streams, run: func(t *testing.T) {
			s := k.open(t, limit(func(l *backend.Limits) { l.Idle = short }))
			r := s.request("stall=mid-body; after=3")
			o := s.do(t, r)
			expectClass(t, o, fault.TimeoutIdle)
			expectPartial(t, s, o, r)
		}},
		{name: "the request's own deadline", skip: streams, run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("stall=mid-body; after=3")
			r.Timeout = short
			o := s.do(t, r)
			expectClass(t, o, fault.TimeoutTotal)
			expectPartial(t, s, o, r)
		}},
		{name: "the deadline of all requests", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, limit(func(l *backend.Limits) { l.Total = short }))
			r := s.request("stall=before-head")
			r.Timeout = 0
			expectClass(t, s.do(t, r), fault.TimeoutTotal)
		}},
		{name: "a slow answer is none that stands still", skip: streams, run: func(t *testing.T) {
			with := limit(func(l *backend.Limits) { l.Idle, l.ResponseHeader = 2*time.Second, 2*time.Second })
			with.upstream = func(c *simulator.Config) { c.StepTime = 50 * time.Millisecond }
			s := k.open(t, with)
			s.doOK(t, s.request("delay=100ms"))
		}},
		{name: "many at once", skip: k.generates(), run: k.manyAtOnce},
		{name: "drain waits for answers", skip: k.generates(), run: k.drains},
		{name: "drain cancels at its deadline", skip: cancels, run: func(t *testing.T) {
			s := k.open(t, setup{})
			s.settle(t)
			r := s.request("stall=before-head")
			s.begin(t, r)
			s.reachedServer(t, 1)
			if err := s.run.Drain(t.Context(), 50*time.Millisecond); err != nil {
				t.Error(err)
			}
			if o := s.wait(t, r); o.Status != backend.StatusCancelled {
				t.Errorf("status %v (%v), want cancelled", o.Status, o.Error)
			}
		}},
	}
}

func firstOf(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

// settle makes a request, so that what it takes to get a token is not taken for
// the request that follows.
func (s *session) settle(t *testing.T) {
	t.Helper()
	if len(s.kit.Upstream.Protocols) == 0 {
		return
	}
	s.doOK(t, s.request(""))
	for until := time.Now().Add(s.kit.Patience); s.upstream.Stats().InFlight > 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
}

// reachedServer waits until so many requests are at the server.
func (s *session) reachedServer(t *testing.T, inFlight int64) {
	t.Helper()
	for until := time.Now().Add(s.kit.Patience); s.upstream.Stats().InFlight < inFlight; {
		if time.Now().After(until) {
			t.Fatalf("%d requests are at the server, want %d", s.upstream.Stats().InFlight, inFlight)
		}
		time.Sleep(time.Millisecond)
	}
}

func expectPartial(t *testing.T, s *session, o *backend.Outcome, r *backend.Request) {
	t.Helper()
	if !o.Error.Partial {
		t.Error("the error is not called partial, although three tokens had come")
	}
	record := s.truth(t, r)
	if record.End != simulator.EndClientGone {
		t.Errorf("for the server the request ended %q, want %q", record.End, simulator.EndClientGone)
	}
	comparePartial(t, o, record)
}

// cancels asks that a cancelled request ends soon: well before its own timeout,
// which is the suite's patience.
func (k *kit) cancels(t *testing.T, faults string, partial bool) {
	s := k.open(t, setup{})
	s.settle(t)
	r := s.request(faults)
	s.begin(t, r)
	s.reachedServer(t, 1)
	if partial {
		time.Sleep(50 * time.Millisecond) // for the tokens to come
	}
	if o := s.outcomeWithin(r, 0); o != nil {
		t.Fatalf("an outcome before the cancel: %s", printAll(o))
	}
	s.run.Cancel(r.Seq)
	o := s.outcomeWithin(r, k.Patience/3)
	if o == nil {
		t.Fatalf("no outcome %v after the cancel", k.Patience/3)
	}
	if o.Status != backend.StatusCancelled || o.Error == nil || o.Error.Class != fault.Cancelled {
		t.Errorf("status %v, error %v; want cancelled", o.Status, o.Error)
	}
	record := s.truth(t, r)
	if record.End != simulator.EndClientGone {
		t.Errorf("for the server the request ended %q, want %q", record.End, simulator.EndClientGone)
	}
	if partial {
		comparePartial(t, o, record)
	}
	s.doOK(t, s.request(""))
}

func (k *kit) abortsAfterEvents(t *testing.T) {
	s := k.open(t, setup{upstream: func(c *simulator.Config) { c.StepTime = 5 * time.Millisecond }})
	r := s.request("")
	setMaxTokens(r, 2000)
	r.Abort.AfterEvents = 3
	o := s.do(t, r)
	if o.Status != backend.StatusAborted {
		t.Fatalf("status %v (%v), want aborted", o.Status, o.Error)
	}
	outputs := 0
	for _, e := range o.Events {
		if e.Kinds&backend.Output != 0 {
			outputs++
		}
	}
	// What had already been read may be told as well.
	record := s.truth(t, r)
	if outputs < 3 || outputs > record.OutputTokens || record.OutputTokens > 1000 {
		t.Errorf("%d events with output in the outcome, %d sent", outputs, record.OutputTokens)
	}
	if record.End != simulator.EndClientGone {
		t.Errorf("for the server the request ended %q, want %q", record.End, simulator.EndClientGone)
	}
}

func (k *kit) abortsAfterTime(t *testing.T) {
	s := k.open(t, setup{})
	s.doOK(t, s.request("")) // there is a connection, so that the request gets to the server in time
	r := s.request("stall=before-head")
	r.Abort.After = 50 * time.Millisecond
	if o := s.do(t, r); o.Status != backend.StatusAborted {
		t.Errorf("status %v (%v), want aborted", o.Status, o.Error)
	}
	if record := s.truth(t, r); record.End != simulator.EndClientGone {
		t.Errorf("for the server the request ended %q, want %q", record.End, simulator.EndClientGone)
	}
}

// manyAtOnce asks that concurrent requests do not get mixed up.
func (k *kit) manyAtOnce(t *testing.T) {
	s := k.open(t, setup{upstream: func(c *simulator.Config) { c.StepTime, c.JournalSize = 2*time.Millisecond, 1000 }})
	const count = 64
	var requests []*backend.Request
	for range count {
		r := s.request("")
		requests = append(requests, r)
		s.begin(t, r)
	}
	for _, r := range requests {
		o := s.wait(t, r)
		if o.Seq != r.Seq || o.Status != backend.StatusOK {
			t.Fatalf("request %d: seq %d, status %v: %v", r.Seq, o.Seq, o.Status, o.Error)
		}
		k.compare(t, o, s.truth(t, r))
	}
}

func (k *kit) drains(t *testing.T) {
	s := k.open(t, setup{})
	s.settle(t)
	r := s.request("delay=200ms")
	s.begin(t, r)
	s.reachedServer(t, 1)
	if err := s.run.Drain(context.WithoutCancel(t.Context()), k.Patience); err != nil {
		t.Error(err)
	}
	if o := s.outcomeWithin(r, 0); o == nil || o.Status != backend.StatusOK {
		t.Errorf("outcome after the drain: %s", printAll(o))
	}
	if err := s.run.Start(s.request("")); err == nil {
		t.Error("a request was taken after the drain")
	}
}
