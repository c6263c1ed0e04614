package stoprule

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Watch judges the rules of one run. Its methods are safe for concurrent use;
// a nil Watch has no rules. Memory and the work per request do not grow with
// the run.
type Watch struct {
	rules []Rule

	mu                     sync.Mutex
	ahead                  ahead
	sent, ended, completed uint64
	errors, consecutive    uint64
	latencies              [latencies]seen
	below, atMost          []uint64 // by rule of a percentile: latencies below its limit, and up to it
	broken                 bool
}

// ahead are the times of requests that were handed over before them, in order.
type ahead []stamp.Nanos

// add puts a time into its place, which is mostly the last.
func (a *ahead) add(at stamp.Nanos) {
	list := append(*a, at)
	for i := len(list) - 1; i > 0 && list[i] < list[i-1]; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	*a = list
}

// until takes off what is due and counts it.
func (a *ahead) until(now stamp.Nanos) uint64 {
	n := 0
	for n < len(*a) && (*a)[n] <= now {
		n++
	}
	*a = slices.Delete(*a, 0, n)
	return uint64(n)
}

// seen is what is kept of a latency.
type seen struct {
	count    uint64
	sum, max float64
}

// NewWatch returns a watch over a run that has not begun, nil for no rules.
func NewWatch(rules []Rule) *Watch {
	if len(rules) == 0 {
		return nil
	}
	return &Watch{rules: rules, below: make([]uint64, len(rules)), atMost: make([]uint64, len(rules))}
}

// Verdict is the rule that ends a run.
type Verdict struct {
	Rule Rule
	Seen string // "error-rate was 0.62 when 50 requests had ended"
}

// End is how a request ended.
type End struct {
	At    stamp.Nanos
	OK    bool
	Error bool // neither: this client ended it
	// Latencies of a completed request in seconds; NaN where there is none.
	TTFT, TPOT, E2E float64
}

// Sent counts a request that is sent at a time, now or later. The verdict is nil where no rule holds;
// one rule ends a run, so there is at most one in the life of a Watch.
func (w *Watch) Sent(at, now stamp.Nanos) *Verdict {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead.add(at)
	w.sent += w.ahead.until(now)
	return w.judge(true)
}

// Ended counts a request that ended; the verdict is as of Sent.
func (w *Watch) Ended(end End) *Verdict {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += w.ahead.until(end.At)
	w.ended++
	switch {
	case end.OK:
		w.completed++
		w.consecutive = 0
		w.record(ttft, end.TTFT)
		w.record(tpot, end.TPOT)
		w.record(e2e, end.E2E)
	case end.Error:
		w.errors++
		w.consecutive++
	}
	return w.judge(false)
}

func (w *Watch) record(l latency, seconds float64) {
	if math.IsNaN(seconds) {
		return
	}
	s := &w.latencies[l]
	s.count++
	s.sum += seconds
	s.max = max(s.max, seconds)
	for i := range w.rules {
		if r := &w.rules[i]; r.figure.latency == l {
			if seconds < r.limit {
				w.below[i]++
			}
			if seconds <= r.limit {
				w.atMost[i]++
			}
		}
	}
}

// judge looks at the rules that an event can have changed; w.mu is held.
func (w *Watch) judge(sending bool) *Verdict {
	if w.broken {
		return nil
	}
	for i, r := range w.rules {
		n, word := w.completed+w.errors, "ended"
		if r.figure.name == inFlight {
			n, word = w.sent, "been sent"
		}
		if sending != (r.figure.name == inFlight) || n < r.after {
			continue
		}
		if seen, holds := w.holds(i); holds {
			w.broken = true
			return &Verdict{r, fmt.Sprintf("%s was %s when %d requests had %s", r.figure.name, seen, n, word)}
		}
	}
	return nil
}

// holds tells whether a rule does, and what was seen.
func (w *Watch) holds(i int) (seen string, holds bool) {
	r := &w.rules[i]
	f := r.figure
	value := 0.0
	switch s := &w.latencies[f.latency]; {
	case f.name == errorRate:
		value = float64(w.errors) / float64(w.completed+w.errors)
	case f.name == errorCount:
		value = float64(w.errors)
	case f.name == consecutiveErrors:
		value = float64(w.consecutive)
	case f.name == inFlight:
		value = max(float64(w.sent)-float64(w.ended), 0) // one may have been cancelled before it was due
	case s.count == 0:
		return "", false
	case f.quantile == mean:
		value = s.sum / float64(s.count)
	case f.quantile == maximum:
		value = s.max
	default:
		return w.percentile(i, s.count)
	}
	if !r.holds(value) {
		return "", false
	}
	return f.written(value), true
}

// percentile judges a percentile by nearest rank without its value: the p-th of
// n values is at most x where at least ⌈p/100·n⌉ of them are.
func (w *Watch) percentile(i int, n uint64) (seen string, holds bool) {
	r := &w.rules[i]
	rank := uint64(math.Ceil(r.figure.quantile / 100 * float64(n)))
	below, atMost := w.below[i] >= rank, w.atMost[i] >= rank
	switch r.operator {
	case ">":
		holds = !atMost
	case ">=":
		holds = !below
	case "<":
		holds = below
	default:
		holds = atMost
	}
	if !holds {
		return "", false
	}
	return fmt.Sprintf("%s %s (%d of %d were below)", r.operator, r.figure.written(r.limit), w.below[i], n), true
}
