package simulator

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// catchUpMax is how late the loop may be and still keep to the schedule, by
// making the steps it is behind with at once. After a longer pause (a suspended
// machine) the schedule starts anew.
const catchUpMax = 250 * time.Millisecond

// loop drives the engine in real time: one goroutine for all requests.
type loop struct {
	mu     sync.Mutex
	engine *engine

	wake   chan struct{} // capacity 1
	closed chan struct{}
	done   chan struct{}
	spread time.Duration // 0: the tokens of a step leave at once
	count  uint64        // of sequences submitted
}

func startLoop(config Config) *loop {
	l := &loop{
		engine: newEngine(config),
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
		done:   make(chan struct{}),
	}
	if config.SpreadTokens {
		l.spread = config.StepTime
	}
	go l.run()
	return l
}

func (l *loop) stop() {
	close(l.closed)
	<-l.done
}

// submit queues the sequences of one request, and returns when it did so; it is
// false where one of them can never fit.
func (l *loop) submit(sequences []*sequence) (at stamp.Nanos, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range sequences {
		if !l.engine.fits(s) {
			return 0, false
		}
	}
	for _, s := range sequences {
		l.count++
		_, s.phase = math.Modf(float64(l.count) * math.Phi) // spreads any number of sequences evenly
		l.engine.submit(s)
	}
	at = stamp.Now()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return at, true
}

// cancel gives the sequences up; their room is free at the next step.
func (l *loop) cancel(sequences []*sequence) {
	l.mu.Lock()
	for _, s := range sequences {
		s.cancelled = true
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// times returns when the first of the sequences was admitted, the last was
// prefilled and the last ended, as the engine scheduled it.
func (l *loop) times(sequences []*sequence) (admitted, prefilled, ended stamp.Nanos) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range sequences {
		if s.admitted && (admitted == 0 || s.admittedAt < admitted) {
			admitted = s.admittedAt
		}
		prefilled, ended = max(prefilled, s.prefilledAt), max(ended, s.endedAt)
	}
	return admitted, prefilled, ended
}

// load returns the engine's present state.
func (l *loop) load() (running, waiting, kvTokens int, steps uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.engine.running), len(l.engine.waiting), l.engine.kvUsed, l.engine.steps
}

func (l *loop) run() {
	defer close(l.done)
	var end stamp.Nanos // of the step before; 0: the engine was idle
	var pending []emission
	for {
		start := stamp.Now()
		if end != 0 && start.Sub(end) < catchUpMax {
			start = end
		}
		l.mu.Lock()
		stepEnd, ok := l.engine.begin(start)
		l.mu.Unlock()
		if !l.deliverSpread(pending, start) {
			return
		}
		pending = pending[:0]
		if !ok {
			end = 0
			select {
			case <-l.wake:
				continue
			case <-l.closed:
				return
			}
		}
		if !sleepUntil(stepEnd, l.closed) {
			return
		}
		l.mu.Lock()
		emissions := l.engine.complete()
		l.mu.Unlock()
		if l.spread > 0 {
			pending = append(pending, emissions...)
		} else {
			for _, m := range emissions {
				m.sequence.sink.put(m)
			}
		}
		end = stepEnd
	}
}

// deliverSpread hands out the tokens of a step that ended at end, each at its
// sequence's phase. It is false where the loop was stopped.
func (l *loop) deliverSpread(pending []emission, end stamp.Nanos) bool {
	if len(pending) == 0 {
		return true
	}
	slices.SortFunc(pending, func(a, b emission) int {
		switch {
		case a.sequence.phase < b.sequence.phase:
			return -1
		case a.sequence.phase > b.sequence.phase:
			return 1
		}
		return 0
	})
	for _, m := range pending {
		if !sleepUntil(end.Add(l.after(m.sequence)), l.closed) {
			return false
		}
		m.sequence.sink.put(m)
	}
	return true
}

// after is how long after a step a sequence's token is due to leave.
func (l *loop) after(s *sequence) time.Duration {
	return time.Duration(s.phase * float64(l.spread))
}

// Go's timers are up to a millisecond late on an idle machine (the runtime waits
// in whole milliseconds), the kernel's about 60 µs. So the wait has three parts:
// a timer that can be interrupted, a sleep in the kernel, and a spin.
const (
	timerMargin = 1500 * time.Microsecond
	spinMargin  = 80 * time.Microsecond
)

// sleepUntil returns at a moment, not before. It is false where closed was
// closed meanwhile.
func sleepUntil(moment stamp.Nanos, closed <-chan struct{}) bool {
	if rest := moment.Sub(stamp.Now()) - timerMargin; rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-closed:
			return false
		}
	} else {
		select {
		case <-closed:
			return false
		default:
		}
	}
	for moment.Sub(stamp.Now()) > spinMargin {
		kernelSleepUntil(moment.Add(-spinMargin))
	}
	for stamp.Now() < moment { //nolint:revive // spins on purpose, for spinMargin at most
	}
	return true
}

// mailbox takes emissions from the engine's goroutine to a request's, without
// ever making the engine wait.
type mailbox struct {
	mu     sync.Mutex
	filled []emission
	ready  chan struct{} // capacity 1
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

func (m *mailbox) put(e emission) {
	m.mu.Lock()
	m.filled = append(m.filled, e)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take returns what was put since the last take; empty is used for what comes
// next.
func (m *mailbox) take(empty []emission) []emission {
	m.mu.Lock()
	filled := m.filled
	m.filled = empty[:0]
	m.mu.Unlock()
	return filled
}
