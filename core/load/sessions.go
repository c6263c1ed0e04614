package load

import (
	"time"

	"github.com/genai-bench/genai-bench/core/seeded"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Delays are the pauses within sessions: how long their user takes between an
// answer and the next request of the session.
type Delays struct{ thoughts thoughts }

// NewDelays draws pauses by a seed and by the name of the run.
func NewDelays(pause Think, seed uint64, run string) Delays {
	return Delays{thoughts{pause, seeded.New(seed, "turn delay", run)}}
}

// After returns the pause after an answer (from 0) of a session (from 0): a pure
// function.
func (d Delays) After(session uint64, answer int) time.Duration {
	return d.thoughts.after(int(session), uint64(answer))
}

// beginsSession is for open loops each of whose arrivals begins a session.
func beginsSession(arrival uint64) int { return int(arrival) }

// sessions sends arrivals that belong to sessions until there are no more, a
// limit is reached or the run is stopped. of tells the session of an arrival, -1
// for none.
func (d *drive) sessions(arrivals schedule, of func(arrival uint64) int, maxInFlight int) {
	d.expect(true, false)
	s := &sessions{drive: d, schedule: arrivals, of: of, busy: map[int][]turn{}, capped: maxInFlight > 0, unused: maxInFlight}
	s.end = never // turns after it never come
	if d.limits.MaxTime > 0 {
		s.end = d.deadline()
	}
	s.next = s.arrival()
	for !d.isStopped() {
		now := d.now()
		if now >= s.end {
			d.stopped(StopTime, s.end)
			break
		}
		for _, ended := range d.takeFreed() {
			s.ended(ended)
		}
		for s.next.at <= s.end && s.next.at != never && s.next.at.Sub(now) <= d.lead {
			s.agenda.add(s.next)
			s.next = s.arrival()
		}
		wake, stopped := s.send(now)
		switch {
		case stopped:
		case s.next.at == never && len(s.agenda.turns) == 0 && s.held == 0:
			// Ends bring nothing any more: a recorded session has no further request.
			d.stopped(StopSchedule, max(d.result.LastSend, d.result.Start))
		default:
			if s.next.at <= s.end && s.next.at != never {
				wake = min(wake, s.next.at.Add(-max(0, d.lead-slice)))
			}
			if wake == never {
				wake = 0
			}
			d.wait(wake)
		}
	}
	s.unsent()
}

// sessions is what d.sessions keeps while it goes on.
type sessions struct {
	*drive
	schedule schedule
	of       func(arrival uint64) int
	number   uint64 // of arrivals taken off the schedule
	next     turn   // of the schedule
	end      stamp.Nanos
	agenda   agenda
	busy     map[int][]turn // sessions with a request in flight; the arrivals that it holds back
	held     int            // arrivals held back

	capped bool
	unused int           // places in flight that nobody has taken yet
	free   []stamp.Nanos // since when places are that were given back, in order
}

// arrival takes the next one off the schedule; it is never where there is none.
func (s *sessions) arrival() turn {
	next := s.schedule.Next()
	if next == forever {
		return turn{at: never}
	}
	t := turn{arrival: s.number, at: later(s.result.Start, next), user: s.of(s.number)}
	s.number++
	return t
}

// ended takes the end of a request: its place is free, and its session goes on.
func (s *sessions) ended(t turn) {
	if s.capped {
		s.free = append(s.free, t.at)
	}
	waiting, known := s.busy[t.user]
	switch {
	case t.user < 0:
	case t.paused:
		s.agenda.add(turn{user: t.user, arrival: t.arrival, at: later(t.at, t.pause), follows: true})
	case known && len(waiting) > 0:
		held := waiting[0]
		s.busy[t.user] = waiting[1:]
		s.held--
		if wait := t.at.Sub(held.at); wait > 0 {
			r := &s.result
			r.SessionWaited++
			s.inSession += wait
			r.SessionWaitMax = max(r.SessionWaitMax, wait)
			held.at = t.at
		}
		held.released = true
		s.agenda.add(held)
	default:
		delete(s.busy, t.user)
	}
}

// send sends what is due. It returns when it wants to be woken, and true where
// the run stopped.
func (s *sessions) send(now stamp.Nanos) (wake stamp.Nanos, stopped bool) {
	for len(s.agenda.turns) > 0 {
		t := s.agenda.turns[0]
		switch {
		case t.at > s.end:
			return s.end, false
		case t.at.Sub(now) > s.lead:
			return min(s.end, t.at.Add(-s.lead)), false
		}
		if waiting, inFlight := s.busy[t.user]; inFlight && !t.follows && !t.released && t.user >= 0 {
			s.busy[t.user] = append(waiting, s.agenda.next())
			s.held++
			continue
		}
		since, ok := s.place()
		if !ok {
			return s.end, false // an end will wake it
		}
		s.agenda.next()
		t.waited = max(0, since.Sub(t.at))
		if _, known := s.busy[t.user]; t.user >= 0 && !known {
			s.busy[t.user] = nil
		}
		if !s.drive.send(t) {
			s.agenda.add(t) // for unsent
			return 0, true
		}
	}
	return s.end, false
}

// place takes a place in flight: since when it is there, 0 for always; false
// where there is none.
func (s *sessions) place() (since stamp.Nanos, ok bool) {
	switch {
	case !s.capped:
		return 0, true
	case s.unused > 0:
		s.unused--
		return 0, true
	case len(s.free) > 0:
		since, s.free = s.free[0], s.free[1:]
		return since, true
	}
	return 0, false
}

// unsent counts what was due and not sent when the run stopped: held back by a
// session, left in line for the limit of requests in flight or, where the time
// was up, missed.
func (s *sessions) unsent() {
	r := &s.result
	if r.StopReason == StopRequests || r.StopReason == StopSchedule {
		return
	}
	for _, waiting := range s.busy {
		for _, t := range waiting {
			if t.at <= r.StopAt {
				r.SessionUnsent++
			}
		}
	}
	inLine := s.capped && s.unused == 0 && len(s.free) == 0
	due := func(t turn) {
		switch {
		case t.at > r.StopAt:
		case inLine:
			r.Unsent++
		case r.StopReason == StopTime:
			r.Missed++
		}
	}
	for _, t := range s.agenda.turns {
		due(t)
	}
	for ; s.next.at <= r.StopAt && s.next.at != never; s.next = s.arrival() {
		due(s.next)
	}
}
