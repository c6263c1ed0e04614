package simulator

import (
	"math/rand/v2"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// sequence is one answer in the making: a choice of a request.
type sequence struct {
	prompt int // tokens to prefill, at least 1
	cached int // of these need not be, for they are in the prefix cache
	output int // tokens to produce; 0: done when prefilled (embeddings)
	choice int
	sink   *mailbox
	quiet  bool // only the end is told

	prefilled, produced int
	part                int // of the step in progress: prompt tokens to prefill, decoding, or 0
	admitted            bool
	cancelled           bool
	ended               bool
	phase               float64 // of SpreadTokens, 0 to 1

	// Filled in by the engine: starts and ends of steps, as scheduled.
	admittedAt, prefilledAt, endedAt stamp.Nanos
}

// decoding as sequence.part says that the step makes the next token.
const decoding = -1

func (s *sequence) kvTokens() int { return s.prompt + s.output }

// emission says that a sequence has one more token.
type emission struct {
	sequence *sequence
	choice   int
	token    int // 1 is the first; 0: the sequence makes none
	last     bool
}

// engine schedules sequences in steps. It is pure: it reads no clock, and two
// engines told the same things at the same times do the same. It is not safe for
// concurrent use.
type engine struct {
	config  Config
	random  *rand.Rand
	waiting []*sequence
	running []*sequence
	kvUsed  int
	steps   uint64

	busy      bool // a step is in progress
	stepEnd   stamp.Nanos
	emissions []emission
}

func newEngine(config Config) *engine {
	return &engine{config: config, random: rand.New(rand.NewPCG(config.Seed, 0x656e67696e65))}
}

// submit queues a sequence.
func (e *engine) submit(s *sequence) {
	s.prompt = max(s.prompt, 1)
	s.cached = min(s.cached, s.prompt-1)
	s.prefilled = s.cached
	e.waiting = append(e.waiting, s)
}

// fits tells whether the KV cache could ever hold a sequence.
func (e *engine) fits(s *sequence) bool {
	return e.config.KVTokens == 0 || s.kvTokens() <= e.config.KVTokens
}

// begin starts a step at start and returns its end. It is false where there is
// nothing to do.
func (e *engine) begin(start stamp.Nanos) (end stamp.Nanos, ok bool) {
	e.dropCancelled()
	budget := e.config.MaxBatchedTokens
	if budget == 0 {
		budget = int(^uint(0) >> 1)
	}
	inStep, begun, prefillTokens := 0, 0, 0
	for _, s := range e.running {
		s.part = 0
		if s.prefilled == s.prompt {
			s.part = decoding
			budget--
			inStep++
		}
	}
	prefill := func(s *sequence) {
		s.part = min(s.prompt-s.prefilled, budget)
		if s.part == 0 {
			return
		}
		if s.prefilled == s.cached {
			begun++
		}
		budget -= s.part
		prefillTokens += s.part
		inStep++
	}
	for _, s := range e.running {
		if s.part != decoding {
			prefill(s)
		}
	}
	for budget > 0 && e.admit(start) {
		prefill(e.running[len(e.running)-1])
	}
	if inStep == 0 {
		return 0, false
	}
	e.busy = true
	e.steps++
	e.stepEnd = start.Add(e.duration(inStep, begun, prefillTokens))
	return e.stepEnd, true
}

// admit moves the first waiting sequence into the batch, where it has room.
func (e *engine) admit(now stamp.Nanos) bool {
	for len(e.waiting) > 0 && e.waiting[0].cancelled {
		e.waiting[0].ended = true
		e.popWaiting()
	}
	if len(e.waiting) == 0 || e.config.MaxBatch > 0 && len(e.running) >= e.config.MaxBatch {
		return false
	}
	s := e.waiting[0]
	if e.config.KVTokens > 0 && e.kvUsed+s.kvTokens() > e.config.KVTokens {
		return false
	}
	e.popWaiting()
	e.kvUsed += s.kvTokens()
	s.admitted, s.admittedAt = true, now
	e.running = append(e.running, s)
	return true
}

func (e *engine) popWaiting() {
	e.waiting[0] = nil
	e.waiting = e.waiting[1:]
	if len(e.waiting) == 0 {
		e.waiting = nil // lets go of the array that has been walked through
	}
}

func (e *engine) duration(inStep, begun, prefillTokens int) time.Duration {
	d := e.config.StepTime + time.Duration(inStep)*e.config.StepTimePerSequence + time.Duration(begun)*e.config.PrefillTime
	if e.config.PrefillTokensPerSecond > 0 {
		d += time.Duration(float64(prefillTokens) / e.config.PrefillTokensPerSecond * float64(time.Second))
	}
	if e.config.JitterRatio > 0 {
		deviations := min(max(e.random.NormFloat64(), -3), 3)
		d = max(0, d+time.Duration(deviations*e.config.JitterRatio*float64(d)))
	}
	return d
}

// complete ends the step in progress and returns the tokens it made, in the
// order of admission; they are valid until the next call.
func (e *engine) complete() []emission {
	e.busy = false
	e.emissions = e.emissions[:0]
	kept := e.running[:0]
	for _, s := range e.running {
		switch {
		case s.part == decoding:
			s.produced++
		case s.part > 0:
			s.prefilled += s.part
			if s.prefilled == s.prompt {
				s.prefilledAt = e.stepEnd
				if s.output > 0 {
					s.produced++
				}
			}
		}
		advanced := s.part == decoding || s.part > 0 && s.prefilled == s.prompt
		if advanced && s.produced == s.output {
			s.ended, s.endedAt = true, e.stepEnd
			e.kvUsed -= s.kvTokens()
		} else {
			kept = append(kept, s)
		}
		if advanced && !s.cancelled && (s.ended || !s.quiet) {
			e.emissions = append(e.emissions, emission{sequence: s, choice: s.choice, token: s.produced, last: s.ended})
		}
	}
	clear(e.running[len(kept):])
	e.running = kept
	return e.emissions
}

func (e *engine) dropCancelled() {
	kept := e.running[:0]
	for _, s := range e.running {
		if s.cancelled {
			s.ended = true
			e.kvUsed -= s.kvTokens()
			continue
		}
		kept = append(kept, s)
	}
	clear(e.running[len(kept):])
	e.running = kept
}
