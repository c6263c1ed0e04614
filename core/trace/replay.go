package trace

import (
	"fmt"
	"time"
)

// Part returns the requests that came from a time of the trace on and before
// another, at most so many, as a trace of its own; 0 is no limit. What it says
// about rows is of the whole file.
func (t *Trace) Part(from, until time.Duration, most int) (*Trace, error) {
	part := *t
	first := 0
	for first < len(t.Requests) && t.Requests[first].At < from {
		first++
	}
	end := first
	for end < len(t.Requests) && (until == 0 || t.Requests[end].At < until) && (most == 0 || end-first < most) {
		end++
	}
	if first == end {
		return nil, fmt.Errorf("no request came then: the trace lasts %s", t.Span().Round(time.Millisecond))
	}
	if first > 0 || end < len(t.Requests)/2 { // a copy, that lets go of the rest
		part.Requests = make([]Request, end-first)
		copy(part.Requests, t.Requests[first:end])
		start := part.Requests[0].At
		for i := range part.Requests {
			part.Requests[i].At -= start
		}
	} else {
		part.Requests = t.Requests[:end:end]
	}
	return &part, nil
}

// Offsets are the times of the requests, multiplied by a scale: at 0.5 they come
// twice as fast as they did.
func (t *Trace) Offsets(scale float64) []time.Duration {
	offsets := make([]time.Duration, len(t.Requests))
	for i := range t.Requests {
		offsets[i] = time.Duration(float64(t.Requests[i].At) * scale)
	}
	return offsets
}

// Rate is the mean rate of arrivals at a scale, in requests per second. Where all
// came at once it is their number.
func (t *Trace) Rate(scale float64) float64 {
	if rate := t.MeanRate() / scale; rate > 0 {
		return rate
	}
	return float64(len(t.Requests))
}

// Sessions are the requests' sessions as numbers from 0, or -1 for those without;
// nil where no session has two requests.
func (t *Trace) Sessions() []int {
	numbers := map[string]int{}
	sessions := make([]int, len(t.Requests))
	repeated := false
	for i := range t.Requests {
		name := t.Requests[i].Session
		if name == "" {
			sessions[i] = -1
			continue
		}
		n, known := numbers[name]
		if !known {
			n = len(numbers)
			numbers[name] = n
		}
		repeated = repeated || known
		sessions[i] = n
	}
	if !repeated {
		return nil
	}
	return sessions
}
