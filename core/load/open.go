package load

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// schedule tells when arrivals are due, from the start of the run and in order;
// forever after the last.
type schedule interface{ Next() time.Duration }

// open sends arrivals until there are no more, a limit is reached or the run is
// stopped.
func (d *drive) open(arrivals schedule, maxInFlight int) {
	line := line{drive: d, unused: maxInFlight}
	if maxInFlight > 0 {
		d.expect(true, false)
	}
	number := uint64(0)
	for next := arrivals.Next(); ; next = arrivals.Next() {
		arrival := turn{at: later(d.result.Start, next), arrival: number}
		number++
		if next == forever {
			d.stopped(StopSchedule, max(d.result.LastSend, d.result.Start))
			return
		}
		if d.limits.MaxTime > 0 && next > d.limits.MaxTime {
			d.stopped(StopTime, d.deadline())
			return
		}
		inLine := false
		sent := d.waitForTurn(arrival.at)
		if sent && maxInFlight > 0 {
			var free stamp.Nanos
			free, sent = line.wait()
			arrival.waited = max(0, free.Sub(arrival.at))
			inLine = !sent || arrival.waited > 0
		}
		if sent && d.send(arrival) {
			continue
		}
		d.unsent(arrivals, arrival.at, inLine)
		return
	}
}

// unsent counts the arrivals, from one on, that were due and not sent when the
// run stopped: left in line for the limit of requests in flight, or missed,
// which only a time limit tells from those that nobody wanted any more.
func (d *drive) unsent(arrivals schedule, due stamp.Nanos, inLine bool) {
	r := &d.result
	if r.StopReason == StopRequests || !inLine && r.StopReason != StopTime {
		return
	}
	for ; due <= r.StopAt; due = later(r.Start, arrivals.Next()) {
		if inLine {
			r.Unsent++
		} else {
			r.Missed++
		}
	}
}

// waitForTurn waits until a request due at a time is to be handed over. It
// returns false where the run stopped instead.
func (d *drive) waitForTurn(due stamp.Nanos) bool {
	for {
		if d.isStopped() {
			return false
		}
		if due.Sub(d.now()) <= d.lead {
			return true
		}
		d.wait(due.Add(-max(0, d.lead-slice)))
	}
}

// line is where arrivals wait for the limit of requests in flight. A place is
// taken when a request is handed over, which may be ahead of its time: those
// that come later have no need of it before.
type line struct {
	*drive
	unused int    // places that nobody has taken yet
	free   []turn // places that were given back, in order
}

// wait returns since when there is a place, 0 for always, as soon as there is
// one; false where the run stopped instead.
func (l *line) wait() (stamp.Nanos, bool) {
	if l.unused > 0 {
		l.unused--
		return 0, true
	}
	for {
		if l.isStopped() {
			return 0, false
		}
		if len(l.free) == 0 {
			l.free = l.takeFreed()
		}
		if len(l.free) > 0 {
			since := l.free[0].at
			l.free = l.free[1:]
			return since, true
		}
		until := stamp.Nanos(0)
		if l.limits.MaxTime > 0 {
			until = l.deadline()
			if l.now() >= until {
				l.stopped(StopTime, until)
				return 0, false
			}
		}
		l.drive.wait(until)
	}
}
