package stamp

import (
	"testing"
	"time"
)

// stepped is a tie of a wall clock that was stepped by `by` at `seen`.
func stepped(seen Nanos, by time.Duration) *wallTie {
	const before = int64(1_000_000_000_000)
	t := &wallTie{}
	t.offset.Store(before + int64(by))
	t.step.Store(&wallStep{seen: seen, before: before})
	return t
}

func TestWallStampsAroundAStep(t *testing.T) {
	const (
		offset = 1_000_000_000_000
		seen   = Nanos(10 * time.Second)
	)
	for name, tc := range map[string]struct {
		step        time.Duration
		truth       Nanos
		stamped     bool // after the step, with the new offset
		after, read Nanos
		flagged     bool
	}{
		"before a step forward, read after it":  {step: 5 * time.Second, truth: seen - 1000, after: seen - 9000, read: seen + 9000, flagged: true},
		"before a step back, read after it":     {step: -5 * time.Second, truth: seen - 1000, after: seen - 9000, read: seen + 9000, flagged: true},
		"after a step forward":                  {step: 5 * time.Second, truth: seen + 6e9, stamped: true, after: seen, read: seen + 7e9},
		"soon after a step forward":             {step: 5 * time.Second, truth: seen + 1000, stamped: true, after: seen, read: seen + 9000, flagged: true},
		"after a step back":                     {step: -5 * time.Second, truth: seen + 6e9, stamped: true, after: seen, read: seen + 7e9},
		"before a small step back, read late":   {step: -time.Millisecond, truth: seen - 1e5, after: seen - 2e5, read: seen - 5e4, flagged: true},
		"between two bounds, neither fits well": {step: time.Hour, truth: seen + 1000, stamped: true, after: seen - 1e6, read: seen + 9000, flagged: true},
	} {
		t.Run(name, func(t *testing.T) {
			tie := stepped(seen, tc.step)
			wall := int64(tc.truth) + offset
			if tc.stamped {
				wall += int64(tc.step)
			}
			at, flags := tie.monotonic(wall, tc.after, tc.read)
			if at != tc.truth {
				t.Errorf("off by %v", at.Sub(tc.truth))
			}
			if (flags == AroundStep) != tc.flagged {
				t.Errorf("flags %b, want flagged %v", flags, tc.flagged)
			}
		})
	}
	t.Run("a stamp that fits nowhere is the read", func(t *testing.T) {
		at, flags := stepped(seen, time.Hour).monotonic(1, seen-9000, seen+9000)
		if at != seen+9000 || flags != AroundStep {
			t.Errorf("at %d, flags %b", at, flags)
		}
	})
}

func TestWatchFindsAStep(t *testing.T) {
	tie := newWallTie()
	truth := tie.offset.Load()
	for range 1000 {
		tie.watch(time.Now())
	}
	if step := tie.step.Load(); step != nil {
		t.Fatalf("a step of %v was seen where none was", time.Duration(tie.offset.Load()-step.before))
	}
	tie.offset.Store(truth - int64(time.Second)) // as if the clock had jumped ahead since
	before := Now()
	tie.watch(time.Now())
	step := tie.step.Load()
	if step == nil || step.seen < before || step.before != truth-int64(time.Second) {
		t.Fatalf("the step was not seen: %+v", step)
	}
	if off := time.Duration(tie.offset.Load() - truth); off > stepNoise || off < -stepNoise {
		t.Errorf("the new tie is off by %v", off)
	}
}
