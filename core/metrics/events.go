package metrics

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// EventStats adds up what single events tell, over all successful requests of a
// run: inter-token latencies and how long arrivals waited to be read. There may
// be hundreds of millions of events, so they go into histograms of fixed size,
// whose values are within 0.1 %; sums, means and extremes are exact. It is not
// safe for concurrent use.
type EventStats struct {
	itl, perToken, lag spread
	outputs, bundled   int64
	ends, endsBundled  int64 // the last output event of each answer
}

// NewEventStats returns statistics without events.
func NewEventStats() *EventStats {
	return &EventStats{itl: newSpread(), perToken: newSpread(), lag: newSpread()}
}

// Add takes the events of a successful request.
func (s *EventStats) Add(o *backend.Outcome) { s.add(o.Events) }

func (s *EventStats) add(events []backend.Event) {
	var last stamp.Nanos
	lastBundled := false
	for i := range events {
		e := &events[i]
		if e.Kinds&backend.Output == 0 {
			continue
		}
		s.outputs++
		lastBundled = e.Flags&stamp.Bundled != 0
		if lastBundled {
			s.bundled++
		}
		s.lag.add(e.ReadLag, 1)
		if last != 0 {
			gap := e.At.Sub(last)
			s.itl.add(gap, 1)
			tokens := int64(max(e.Tokens, 1))
			s.perToken.add(gap/time.Duration(tokens), tokens)
		}
		last = e.At
	}
	if last != 0 {
		s.ends++
		if lastBundled {
			s.endsBundled++
		}
	}
}

// InnerBundledShare is the share of output events that were read several at a
// time, the last of each answer left out: servers send the finish reason and
// the usage right behind it, so that it is bundled with these nearly always, by
// microseconds.
func (s *EventStats) InnerBundledShare() Value {
	return ratio(Value(s.bundled-s.endsBundled), Value(s.outputs-s.ends))
}

func (s *EventStats) summaries() (itl, perToken, lag Stats) {
	return s.itl.stats(), s.perToken.stats(), s.lag.stats()
}

// spread is a histogram of durations with exact sum, square sum and extremes.
type spread struct {
	h            *hdrhistogram.Histogram // nanoseconds
	n            int64
	sum, squares float64 // seconds
	min, max     time.Duration
}

const spreadMax = int64(time.Hour)

func newSpread() spread { return spread{h: hdrhistogram.New(1, spreadMax, 3)} }

func (s *spread) add(d time.Duration, times int64) {
	d = max(d, 0)
	if s.n == 0 || d < s.min {
		s.min = d
	}
	s.max = max(s.max, d)
	s.n += times
	x := d.Seconds()
	s.sum += x * float64(times)
	s.squares += x * x * float64(times)
	// The value is within the histogram's range by this clamp.
	_ = s.h.RecordValues(min(max(int64(d), 1), spreadMax), times)
}

func (s *spread) stats() Stats {
	if s.n == 0 {
		return NoStats()
	}
	n := float64(s.n)
	mean := s.sum / n
	// The histogram's values are rounded, and 0 is 1 ns to it; the extremes are exact.
	at := func(q float64) Value {
		return Seconds(min(max(time.Duration(s.h.ValueAtQuantile(q)), s.min), s.max))
	}
	return Stats{
		Min: Seconds(s.min), Max: Seconds(s.max), Mean: Value(mean), Sum: Value(s.sum),
		Stddev: Value(math.Sqrt(max(s.squares/n-mean*mean, 0))),
		P25:    at(25), P50: at(50), P75: at(75), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
	}
}
