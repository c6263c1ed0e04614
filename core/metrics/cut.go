package metrics

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Cut is what the statistics leave out at one end of a run. At most one of its
// fields is set; the zero value leaves out nothing.
type Cut struct {
	Ratio    float64       `json:"ratio,omitempty"`    // a share of the requests, by the order of their sending
	Requests int           `json:"requests,omitempty"` // so many, by the order of their sending
	Time     time.Duration `json:"time_ns,omitempty"`  // those sent in the first or last so long of the sending
}

// cut counts the requests of n that warm-up and cool-down leave out. times, which
// only cuts by time need, are when the client sent each, or began to, in the order of the sending: the schedule's
// time or, where the client was late or the request waited for the concurrency
// cap, that of its hand-over. Unlike the first byte's time it does not depend on
// how long a connection took. Cut by time, a request that was handed over ahead
// of one with an earlier time goes with it.
func cut(n int, times []stamp.Nanos, run Run) (warm, cool int) {
	switch c := run.Warmup; {
	case c.Time > 0:
		until := run.Start.Add(c.Time)
		for i, at := range times {
			if at < until {
				warm = i + 1
			}
		}
	case c.Requests > 0:
		warm = min(c.Requests, n)
	default:
		warm = share(n, c.Ratio)
	}
	switch c := run.Cooldown; {
	case c.Time > 0:
		from := run.sendEnd().Add(-c.Time)
		for i := n - 1; i >= 0; i-- {
			if times[i] >= from {
				cool = n - i
			}
		}
	case c.Requests > 0:
		cool = c.Requests
	default:
		cool = share(n, c.Ratio)
	}
	return warm, min(cool, n-warm)
}

func share(n int, ratio float64) int { return int(float64(n) * min(max(ratio, 0), 1)) }

// sendEnd is when the run stopped sending.
func (r Run) sendEnd() stamp.Nanos {
	switch {
	case r.SendEnd != 0:
		return r.SendEnd
	case r.Limit != 0:
		return r.Limit
	}
	return r.End
}
