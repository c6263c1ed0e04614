package prompt

import (
	"errors"
	"fmt"

	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/seeded"
	"github.com/genai-bench/genai-bench/core/trace"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Replay makes the requests of a trace, in its order. A block id stands for the
// same words wherever it appears, so that prompts share just the beginnings
// that they shared when the trace was recorded. What no block covers is unlike
// everything else. It is safe for concurrent use.
type Replay struct {
	corpus *Corpus
	config Config
	trace  *trace.Trace
	tails  seeded.Stream // draws of what is a request's own
	heads  seeded.Stream // its first words
	blocks seeded.Stream // keys of blocks
}

// NewReplay checks the configuration, of which Scenario, Kind's sizes, BatchSize,
// Prefix and Template do not apply: sizes are the trace's, in bare tokens. It
// needs a tokenizer, except where every request of the trace has a text.
func NewReplay(corpus *Corpus, config Config, t *trace.Trace) (*Replay, error) {
	if config.Task != backend.TextToText {
		return nil, fmt.Errorf("a trace is replayed with task %s, not %s", backend.TextToText, config.Task)
	}
	if corpus.tokenizer == nil {
		return nil, errors.New("a trace counts tokens: a tokenizer is needed (--model-tokenizer)")
	}
	return &Replay{
		corpus: corpus, config: config, trace: t,
		tails:  seeded.New(config.Seed, "replay tails", config.Run),
		heads:  seeded.New(config.Seed, "replay heads", config.Run),
		blocks: seeded.New(config.Seed, "replay blocks", config.Run),
	}, nil
}

// Request makes request i of the trace; after the last, the first again.
func (r *Replay) Request(i uint64) (Item, error) {
	recorded := &r.trace.Requests[i%uint64(len(r.trace.Requests))]
	text, err := recorded.Text, error(nil)
	item := Item{Index: i, Size: scenario.Size{InputTokens: recorded.InputTokens, OutputTokens: recorded.OutputTokens}}
	if text != "" {
		item.InputTokens = r.corpus.tokenizer.Count(text)
		item.Size.InputTokens = item.InputTokens
	} else {
		text, item.PrefixTokens, err = r.compose(i, recorded)
		item.InputTokens = recorded.InputTokens
	}
	if err != nil {
		return Item{}, fmt.Errorf("making request %d of the trace: %w", i, err)
	}
	item.Bytes = len(text)
	item.Request = &backend.Request{Task: r.config.Task, FixOutputLength: true}
	if r.config.Kind == backend.KindCompletion {
		item.Request.Completion = &backend.Completion{Prompt: text, MaxTokens: uint32(recorded.OutputTokens), Stream: r.config.Stream}
	} else {
		messages := append(append([]backend.Message(nil), r.config.Before...), backend.UserText(text))
		item.Request.Chat = &backend.Chat{Messages: messages, MaxTokens: uint32(recorded.OutputTokens), Stream: r.config.Stream}
	}
	item.Digest = digest(item.Request)
	return item, nil
}

// compose writes the blocks of a prompt and, behind them, what is its own. It
// returns how many tokens are of blocks.
func (r *Replay) compose(i uint64, recorded *trace.Request) (text string, shared int, err error) {
	c, n, size := r.corpus, recorded.InputTokens, max(r.trace.BlockTokens, 1)
	whole := min(len(recorded.Blocks), n/size)
	// A last block that is not full is shared as far as it goes.
	rest := 0
	if len(recorded.Blocks) > whole {
		rest = n - whole*size
	}
	count := func(text string) (int, bool) { return c.tokenizer.Count(text), true }
	for ; ; whole, rest = whole-1, 0 {
		var b []byte
		for _, id := range recorded.Blocks[:whole] {
			b = r.appendBlock(b, id, size)
		}
		if rest > 0 {
			b = r.appendBlock(b, recorded.Blocks[whole], rest)
		}
		shared = whole*size + rest
		if shared == n {
			if text = string(b); c.tokenizer.Count(text) == n {
				return text, shared, nil
			}
			// The words merge across borders with this tokenizer: the last block is
			// given up to make the count right.
			if rest > 0 {
				whole++
			}
			if whole > 0 {
				continue
			}
		}
		head := c.head(r.heads, i)
		if shared == 0 {
			text, err = c.compose(r.tails.Rand(i), head, n, false, count)
			return text, 0, err
		}
		prefix := string(b)
		joined := func(words int) []string {
			list := head(words)
			list[0] = c.joiner + list[0]
			return list
		}
		tail, err := c.compose(r.tails.Rand(i), joined, n-shared, false, func(tail string) (int, bool) {
			return c.tokenizer.Count(prefix+tail) - shared, true
		})
		return prefix + tail, shared, err
	}
}

// appendBlock writes the first n words of a block behind what is there: one token
// each. Blocks of as many ids in a row as there are words begin with different
// ones, so that two prompts have no more in common than their ids.
func (r *Replay) appendBlock(b []byte, id uint64, n int) []byte {
	words, joiner := r.corpus.words, r.corpus.joiner
	draw := r.blocks.Rand(id)
	all := uint64(len(words))
	next := words[r.blocks.Permute(id%all, all)]
	for range n {
		if len(b) > 0 {
			b = append(b, joiner...)
		}
		b = append(b, next...)
		next = words[draw.IntN(len(words))]
	}
	return b
}
