package metrics

import (
	"fmt"
	"math"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Law is a conservation law of a run: two figures of one thing, taken in
// different places, that must agree. One that does not hold says that something
// was lost, counted twice or timed wrongly, and that no other figure of the run
// is to be trusted.
type Law struct {
	Name      string  `json:"name"` // requests, little, tokens, bytes
	Expected  float64 `json:"expected"`
	Found     float64 `json:"found"`
	Tolerance float64 `json:"tolerance"` // of the difference, in the same unit
	Holds     bool    `json:"holds"`
	Says      string  `json:"says"` // what was held against what
}

func law(name string, expected, found, tolerance float64, format string, args ...any) Law {
	return Law{
		Name: name, Expected: expected, Found: found, Tolerance: tolerance, Holds: math.Abs(expected-found) <= tolerance,
		Says: fmt.Sprintf(format, args...),
	}
}

// Broken lists the laws that do not hold.
func (a *Aggregate) Broken() []Law {
	var broken []Law
	for _, l := range a.Laws {
		if !l.Holds {
			broken = append(broken, l)
		}
	}
	return broken
}

// laws holds the run's figures against each other. What is not known makes no
// law.
func (g *aggregation) laws() error {
	a, t := g.a, &g.tally
	if g.run.Sent > 0 {
		distinct := g.rows - g.doubled
		a.Laws = append(a.Laws, law("requests", float64(g.run.Sent), float64(distinct), 0,
			"%d requests were sent, %d have an outcome", g.run.Sent, distinct))
	}
	if g.doubled > 0 {
		a.Laws = append(a.Laws, law("requests", 0, float64(g.doubled), 0, "%d outcomes belong to requests that had one", g.doubled))
	}
	if err := g.little(); err != nil {
		return err
	}
	if e := &t.events; e.requests > 0 {
		// A token for each request: the end of a sequence is in the usage of some
		// servers and in no event.
		a.Laws = append(a.Laws, law("tokens", e.usage, e.inEvents, float64(e.requests),
			"the usage of %d answers says %.0f output tokens, the events of their streams %.0f", e.requests, e.usage, e.inEvents))
	}
	if b := &t.bytes; b.requests > 0 {
		// The same bytes, counted as they came and when they were put together.
		a.Laws = append(a.Laws, law("bytes", float64(b.inAnswer), float64(b.inEvents), 0,
			"%d answers hold %d bytes of output, their events %d", b.requests, b.inAnswer, b.inEvents))
	}
	if n := t.bytes.overReceived; n > 0 {
		a.Laws = append(a.Laws, law("bytes", 0, float64(n), 0, "%d answers hold more bytes of output than were received for them", n))
	}
	return nil
}

// wayBack is how long, on average, an outcome may take from the answer's last
// byte to core: the hop between two processes takes tens of microseconds, on a
// busy machine some milliseconds. More means that core does not keep up, or that
// its clock and the plugin's do not agree.
const wayBack = 5 * time.Millisecond

// little holds Little's law, L = λW, over the window: how many requests were in
// flight, by core's own clock from when each was due to when it had the outcome,
// against the rate of completions times the mean time until the last byte, by
// the plugin's stamps. Only successful requests are on either side.
//
// Over a window of finite length the law is exact but for the requests that lie
// over its borders: those over the start bring all of their time to λW and only
// the part inside to L, those over the end only a part to L. These parts are
// known, so they are the tolerance, with the way back of each outcome and a
// percent for what rounds.
func (g *aggregation) little() error {
	w := &g.a.Window
	span := w.End.Sub(w.Start).Seconds()
	if g.counted == nil || span <= 0 {
		return nil
	}
	outcome, err := g.moments("outcome_ns")
	if err != nil {
		return err
	}
	var inFlight, residence, borders float64 // seconds
	n := 0
	for row, c := range g.Table.phases {
		if c&succeeded == 0 || outcome[row] == 0 || g.due[row] == 0 {
			continue
		}
		from, to := g.due[row], outcome[row]
		inFlight += overlap(from, to, w.Start, w.End)
		if g.counted(row) {
			n++
			residence += g.end[row].Sub(from).Seconds()
			borders += overlap(from, g.end[row], from, w.Start)
			continue
		}
		borders += overlap(from, to, w.Start, w.End)
	}
	if n == 0 {
		return nil
	}
	l, lambdaW := inFlight/span, residence/span
	tolerance := (borders+float64(n)*wayBack.Seconds())/span + 0.01*math.Max(l, lambdaW)
	g.a.Laws = append(g.a.Laws, law("little", l, lambdaW, tolerance,
		"%.3g requests were in flight on average, but completions times latency (Little's law) make %.3g", l, lambdaW))
	return nil
}

// overlap is how much of [a, b] lies in [from, to], in seconds.
func overlap(a, b, from, to stamp.Nanos) float64 {
	return max(min(b, to).Sub(max(a, from)).Seconds(), 0)
}
