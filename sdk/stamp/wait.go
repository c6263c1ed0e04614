package stamp

import (
	"context"
	"sync"
	"time"
)

// fineWait is how long before its moment a wait changes from Go's timers,
// which may be a millisecond late because the poller counts in these, to the
// precise ones of the platform.
const fineWait = 2 * time.Millisecond

// Waiter waits for moments more precisely than time.Sleep. The zero value is
// ready; it is safe for concurrent use. Close gives back what it holds.
type Waiter struct {
	mu     sync.Mutex
	idle   []*alarm
	closed bool
}

// Until returns at the given moment, at once where that has passed, or with
// the context's error soon after that ended.
func (w *Waiter) Until(ctx context.Context, at Nanos) error {
	if left := at.Sub(Now()); left > fineWait {
		timer := time.NewTimer(left - fineWait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if at <= Now() {
		return ctx.Err()
	}
	a, err := w.take()
	if err != nil {
		return err
	}
	a.wait(at)
	w.put(a)
	for Now() < at { // the alarm rings a moment early
	}
	return ctx.Err()
}

func (w *Waiter) take() (*alarm, error) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		a := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		return a, nil
	}
	w.mu.Unlock()
	return newAlarm()
}

func (w *Waiter) put(a *alarm) {
	w.mu.Lock()
	if !w.closed {
		w.idle = append(w.idle, a)
		a = nil
	}
	w.mu.Unlock()
	if a != nil {
		a.close()
	}
}

// Close gives back the timers; waits in progress end normally.
func (w *Waiter) Close() {
	w.mu.Lock()
	idle := w.idle
	w.idle, w.closed = nil, true
	w.mu.Unlock()
	for _, a := range idle {
		a.close()
	}
}
