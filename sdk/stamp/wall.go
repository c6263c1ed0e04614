package stamp

import (
	"sync"
	"sync/atomic"
	"time"
)

// stepNoise is how far one reading of both clocks may be off without being
// looked at again. Smaller steps of the wall clock pass unseen, and harm less
// than this.
const stepNoise = 5 * time.Microsecond

// stepNear is how long after a step stamps are flagged although there is no
// doubt about them.
const stepNear = time.Second

// wallTie converts the kernel's stamps, which are wall clock, to the monotonic
// clock. REALTIME − MONOTONIC changes only by steps of the wall clock (both
// are slewed alike), so one measurement holds until the next step, and every
// read of a connection looks for one. Safe for concurrent use.
type wallTie struct {
	offset atomic.Int64 // wall − monotonic, as of now
	step   atomic.Pointer[wallStep]
	mu     sync.Mutex // held while the offset is measured again
	stop   func()     // ends the kernel's word of steps
}

type wallStep struct {
	seen   Nanos // the step lies before this
	before int64 // the offset until then
}

func newWallTie() *wallTie {
	t := &wallTie{}
	t.offset.Store(measureOffset())
	return t
}

// listen has the kernel tell of steps, until close.
func (t *wallTie) listen() { t.stop = watchSteps(t.stepped) }

func (t *wallTie) close() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// measureOffset takes the largest of some differences: time.Now reads the wall
// clock first, so whatever delays it in between only makes the difference
// smaller.
func measureOffset() int64 {
	best := int64(-1 << 63)
	for range 8 {
		now := time.Now()
		best = max(best, now.UnixNano()-int64(Of(now)))
	}
	return best
}

// watch compares one reading of both clocks with the tie and renews it where
// the wall clock was stepped.
func (t *wallTie) watch(now time.Time) {
	if off := now.UnixNano() - int64(Of(now)) - t.offset.Load(); off > int64(stepNoise) || off < -int64(stepNoise) {
		t.renew()
	}
}

func (t *wallTie) renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	offset, before := measureOffset(), t.offset.Load()
	if d := offset - before; d <= int64(stepNoise) && d >= -int64(stepNoise) {
		return // the reading was delayed between its two clocks
	}
	t.note(offset, before)
}

// stepped is called when the kernel says that the wall clock was set.
func (t *wallTie) stepped() {
	t.mu.Lock()
	defer t.mu.Unlock()
	offset, before := measureOffset(), t.offset.Load()
	if d := offset - before; d <= int64(stepNoise) && d >= -int64(stepNoise) {
		// There and back again, or a read has seen it before the kernel's word came.
		offset = before
		if seen := t.step.Load(); seen != nil && Now().Sub(seen.seen) < stepNear {
			before = seen.before
		}
	}
	t.note(offset, before)
}

// note records a step. With t.mu held.
func (t *wallTie) note(offset, before int64) {
	// The step is published before the offset: a stamp converted with the new
	// offset must be known to lie around a step.
	t.step.Store(&wallStep{seen: Now(), before: before})
	t.offset.Store(offset)
}

// monotonic converts a kernel stamp of something that happened after `after`
// and before `read`. Around a step it cannot be known which offset the stamp
// was made with; the one that fits between the bounds is taken, and flagged.
func (t *wallTie) monotonic(wall int64, after, read Nanos) (Nanos, Flags) {
	offset := t.offset.Load()
	at := Nanos(wall - offset)
	step := t.step.Load()
	if step == nil {
		return min(at, read), 0
	}
	margin := Nanos(max(offset-step.before, step.before-offset))
	if at > step.seen+margin && at <= read+Nanos(stepNoise) {
		return min(at, read), 0
	}
	fits := func(n Nanos) bool { return n >= after && n <= read+Nanos(stepNoise) }
	old := Nanos(wall - step.before)
	if at > step.seen.Add(stepNear) && fits(at) && !fits(old) {
		return min(at, read), 0
	}
	switch {
	case fits(at) && fits(old):
		at = max(at, old)
	case fits(old):
		at = old
	case !fits(at):
		at = read
	}
	return min(at, read), AroundStep
}

// captured converts the stamp of a packet that was captured after earliest.
// began is when the ring was begun to be read, after the last watch.
func (t *wallTie) captured(wall int64, earliest, began Nanos) (Nanos, Flags) {
	offset := t.offset.Load()
	at := Nanos(wall - offset)
	if step := t.step.Load(); step == nil && at >= earliest && at <= began {
		return at, 0
	}
	now := time.Now()
	t.watch(now)
	return t.monotonic(wall, earliest, Of(now))
}
