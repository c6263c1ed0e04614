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

// sendTime is when the client sent a request, or began to: the schedule's time
// or, where the client was late or the request waited for the concurrency cap,
// that of its hand-over. Unlike the first byte's time it does not depend on how
// long a connection took.
func (r *Request) sendTime() stamp.Nanos {
	at := r.IntendedNanos
	for _, late := range [...]Value{r.CapWait, r.DispatchLateness} {
		if late.Exists() {
			at = at.Add(time.Duration(float64(late) * 1e9))
		}
	}
	return at
}

// cut counts the requests, which are in the order of their sending, that warm-up
// and cool-down leave out. Cut by time, a request that was handed over ahead of
// one with an earlier time goes with it.
func cut(requests []Request, run Run) (warm, cool int) {
	n := len(requests)
	switch c := run.Warmup; {
	case c.Time > 0:
		until := run.Start.Add(c.Time)
		for i := range requests {
			if requests[i].sendTime() < until {
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
			if requests[i].sendTime() >= from {
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
