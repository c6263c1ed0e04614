package simulator

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const ms = time.Millisecond

// play submits sequences at their times and lets the engine run dry; it returns
// the moments, in milliseconds, at which each sequence's tokens were made.
func play(config Config, at []time.Duration, sequences ...*sequence) [][]float64 {
	e := newEngine(config)
	tokens := make([][]float64, len(sequences))
	now := stamp.Nanos(0)
	next := 0
	for {
		for next < len(sequences) && stamp.Nanos(at[next]) <= now {
			e.submit(sequences[next])
			next++
		}
		end, ok := e.begin(now)
		if !ok {
			if next == len(sequences) {
				return tokens
			}
			now = stamp.Nanos(at[next])
			continue
		}
		now = end
		for _, m := range e.complete() {
			i := slices.Index(sequences, m.sequence)
			tokens[i] = append(tokens[i], float64(end)/1e6)
		}
	}
}

func TestEngineSchedule(t *testing.T) {
	second := func(config Config, prompt, output int, at time.Duration) func() [][]float64 {
		return func() [][]float64 {
			return play(config, []time.Duration{0, at}, &sequence{prompt: 100, output: 4}, &sequence{prompt: prompt, output: output})
		}
	}
	base := Config{StepTime: 10 * ms, PrefillTokensPerSecond: 10_000} // 0.1 ms a prompt token
	with := func(change func(*Config)) Config { c := base; change(&c); return c }
	tests := map[string]struct {
		run  func() [][]float64
		want [][]float64
	}{
		"alone: prefill then a token a step": {
			func() [][]float64 { return play(base, []time.Duration{0}, &sequence{prompt: 100, output: 3}) },
			[][]float64{{20, 30, 40}},
		},
		"prefill grows with the prompt": {
			func() [][]float64 { return play(base, []time.Duration{0}, &sequence{prompt: 1000, output: 1}) },
			[][]float64{{110}},
		},
		"an arrival joins at the next step and its prefill slows the others down": {
			second(base, 200, 2, 25*ms),
			[][]float64{{20, 30, 60, 70}, {60, 70}},
		},
		"each sequence adds to the step": {
			second(with(func(c *Config) { c.StepTimePerSequence = 2 * ms }), 100, 3, 0),
			[][]float64{{34, 48, 62, 74}, {34, 48, 62}},
		},
		"each prompt adds its fixed time once": {
			second(with(func(c *Config) { c.PrefillTime = 5 * ms }), 100, 2, 0),
			[][]float64{{40, 50, 60, 70}, {40, 50}},
		},
		"a long prompt is prefilled in pieces, beside the tokens of others": {
			second(with(func(c *Config) { c.MaxBatchedTokens, c.MaxBatch = 101, 4 }), 300, 2, 15*ms),
			// Steps of 100 prompt tokens and one decode each.
			[][]float64{{20, 40, 60, 80}, {80, 90}},
		},
		"a full batch makes wait": {
			second(with(func(c *Config) { c.MaxBatch = 1 }), 100, 2, 0),
			[][]float64{{20, 30, 40, 50}, {70, 80}},
		},
		"a full KV cache makes wait": {
			second(with(func(c *Config) { c.KVTokens = 205 }), 100, 2, 0),
			[][]float64{{20, 30, 40, 50}, {70, 80}},
		},
		"room for both in the KV cache": {
			second(with(func(c *Config) { c.KVTokens = 206 }), 100, 2, 0),
			[][]float64{{30, 40, 50, 60}, {30, 40}},
		},
		"no overtaking: a short one waits behind a long one": {
			func() [][]float64 {
				return play(with(func(c *Config) { c.KVTokens = 1100 }), []time.Duration{0, 0, 0},
					&sequence{prompt: 100, output: 2}, &sequence{prompt: 1000, output: 1}, &sequence{prompt: 100, output: 1})
			},
			[][]float64{{20, 30}, {140}, {160}},
		},
		"only a prompt": {
			func() [][]float64 { return play(base, []time.Duration{0}, &sequence{prompt: 50}) },
			[][]float64{{15}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.run()); diff != "" {
				t.Errorf("tokens at (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEngineCancelFreesRoom(t *testing.T) {
	e := newEngine(Config{KVTokens: 100, StepTime: ms})
	first, second := &sequence{prompt: 90, output: 10}, &sequence{prompt: 90, output: 1}
	e.submit(first)
	e.submit(second)
	if _, ok := e.begin(0); !ok || first.part == 0 || second.part != 0 {
		t.Fatalf("the first should run and the second wait: %+v, %+v", first, second)
	}
	e.complete()
	first.cancelled = true
	if _, ok := e.begin(0); !ok || second.part == 0 {
		t.Fatalf("the second should run: %+v", second)
	}
	if got := e.complete(); len(got) != 1 || got[0].sequence != second || !got[0].last {
		t.Errorf("emissions %+v, want the second's only token", got)
	}
	if e.kvUsed != 0 {
		t.Errorf("%d KV tokens in use at the end", e.kvUsed)
	}
	waiting := &sequence{prompt: 1, output: 1, cancelled: true}
	e.submit(waiting)
	if _, ok := e.begin(0); ok {
		t.Error("a step for a sequence that was cancelled in the queue")
	}
}

// Whatever comes, room and batch are never exceeded and every sequence ends.
func TestEngineKeepsItsLimits(t *testing.T) {
	config := Config{Seed: 5, StepTime: ms, JitterRatio: 0.3, MaxBatch: 7, MaxBatchedTokens: 64, KVTokens: 600, PrefillTokensPerSecond: 1e5}
	e := newEngine(config)
	var all []*sequence
	now := stamp.Nanos(0)
	for i := 0; ; i++ {
		if i < 400 {
			for k := range int(3 * draw(1, uint64(i))) {
				s := &sequence{prompt: int(200 * draw(2, uint64(i), uint64(k))), output: int(50 * draw(3, uint64(i), uint64(k)))}
				all = append(all, s)
				e.submit(s)
				s.cancelled = draw(4, uint64(i), uint64(k)) < 0.1
			}
		}
		end, ok := e.begin(now)
		if !ok {
			if i > 400 {
				break
			}
			continue
		}
		used, tokens := 0, 0
		for _, s := range e.running {
			used += s.kvTokens()
			if s.part == decoding {
				tokens++
			} else {
				tokens += s.part
			}
		}
		if used != e.kvUsed || used > config.KVTokens || len(e.running) > config.MaxBatch || tokens > config.MaxBatchedTokens || end < now {
			t.Fatalf("step %d: %d running, %d tokens, %d KV tokens (counted %d)", i, len(e.running), tokens, used, e.kvUsed)
		}
		now = end
		e.complete()
	}
	for i, s := range all {
		if !s.ended || !s.cancelled && (s.produced != s.output || s.prefilled != s.prompt) {
			t.Fatalf("sequence %d did not end well: %+v", i, s)
		}
	}
	if e.kvUsed != 0 {
		t.Errorf("%d KV tokens in use at the end", e.kvUsed)
	}
}

func TestEngineJitterIsSeeded(t *testing.T) {
	run := func(seed uint64) [][]float64 {
		return play(Config{Seed: seed, StepTime: 10 * ms, JitterRatio: 0.2}, []time.Duration{0}, &sequence{prompt: 1, output: 200})
	}
	a, b, c := run(1), run(1), run(2)
	if !cmp.Equal(a, b) {
		t.Error("the same seed gave different times")
	}
	if cmp.Equal(a, c) {
		t.Error("different seeds gave the same times")
	}
	// The mean of 200 draws of 10 ms ± 2 ms is within 5 standard errors.
	if end := a[0][199]; end < 2000-5*2*14.2 || end > 2000+5*2*14.2 {
		t.Errorf("200 steps took %v ms, want about 2000", end)
	}
}

// With the mailbox the engine never waits for a request's goroutine, and no
// token is lost or reordered.
func TestMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newMailbox()
		const count = 10_000
		go func() {
			for k := range count {
				box.put(emission{token: k})
				if k%100 == 0 {
					time.Sleep(time.Microsecond)
				}
			}
		}()
		want := 0
		var batch []emission
		for want < count {
			<-box.ready
			batch = box.take(batch)
			for _, m := range batch {
				if m.token != want {
					t.Fatalf("token %d came where %d was due", m.token, want)
				}
				want++
			}
		}
	})
}
