package load

import (
	"math"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// never is a moment that no run reaches.
const never stamp.Nanos = math.MaxInt64

// later adds to a moment, up to never.
func later(at stamp.Nanos, by time.Duration) stamp.Nanos {
	if at > 0 && by > never.Sub(at) {
		return never
	}
	return at.Add(by)
}

// users sends for users, each when it is spawned, and again when its answer has
// ended and it has thought.
func (d *drive) users(engine Users) {
	d.expect(true, false)
	thoughts := engine.thoughts()
	var answers []uint64 // had, by user
	if engine.Think.Mean > 0 {
		answers = make([]uint64, engine.Count)
	}
	end := never // turns from then on never come
	if d.limits.MaxTime > 0 {
		end = d.deadline()
	}
	var waiting agenda
	spawned := 0
	for !d.isStopped() {
		now := d.now()
		if now >= end {
			d.stopped(StopTime, end)
			return
		}
		for _, turn := range d.takeFreed() {
			switch {
			case turn.paused:
				turn.at = later(turn.at, turn.pause)
			case answers != nil:
				turn.at = later(turn.at, thoughts.after(turn.user, answers[turn.user]))
				answers[turn.user]++
			}
			waiting.add(turn)
		}
		next := end
		for ; spawned < engine.Count; spawned++ {
			at := later(d.result.Start, engine.SpawnOffset(spawned))
			if at.Sub(now) > d.lead {
				next = min(next, at)
				break
			}
			waiting.add(turn{user: spawned, at: at})
		}
		for len(waiting.turns) > 0 {
			at := waiting.turns[0].at
			if at >= end {
				break
			}
			if at.Sub(now) > d.lead {
				next = min(next, at)
				break
			}
			if !d.send(waiting.next()) {
				return
			}
		}
		switch {
		case next == never:
			d.wait(0)
		case next == end:
			d.wait(end)
		default:
			d.wait(next.Add(-d.lead))
		}
	}
}

// agenda holds turns by their time; those of the same time are in the order in
// which they were added. It is a binary heap.
type agenda struct {
	turns []turn
	added uint64
}

func (a *agenda) less(i, j int) bool {
	x, y := &a.turns[i], &a.turns[j]
	return x.at < y.at || x.at == y.at && x.order < y.order
}

func (a *agenda) add(t turn) {
	t.order = a.added
	a.added++
	a.turns = append(a.turns, t)
	for i := len(a.turns) - 1; i > 0; {
		parent := (i - 1) / 2
		if !a.less(i, parent) {
			break
		}
		a.turns[i], a.turns[parent] = a.turns[parent], a.turns[i]
		i = parent
	}
}

// next takes the earliest turn off.
func (a *agenda) next() turn {
	first := a.turns[0]
	last := len(a.turns) - 1
	a.turns[0] = a.turns[last]
	a.turns = a.turns[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if a.less(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a.turns[i], a.turns[least] = a.turns[least], a.turns[i]
		i = least
	}
}
