package prompt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/trace"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

func mustReplay(t testing.TB, corpus *prompt.Corpus, config prompt.Config, tr *trace.Trace) *prompt.Replay {
	t.Helper()
	config.Task = backend.TextToText
	r, err := prompt.NewReplay(corpus, config, tr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAReplayHasTheTracesSizesAndSharesItsBlocks(t *testing.T) {
	tr := &trace.Trace{BlockTokens: 64, Requests: []trace.Request{
		{InputTokens: 200, OutputTokens: 7, Blocks: []uint64{1, 2, 3, 4}}, // the last one is 8 tokens
		{InputTokens: 200, OutputTokens: 7, Blocks: []uint64{1, 2, 3, 4}, At: time.Second},
		{InputTokens: 150, OutputTokens: 7, Blocks: []uint64{1, 2, 9}},
		{InputTokens: 128, OutputTokens: 7, Blocks: []uint64{1, 2}},     // nothing of its own
		{InputTokens: 300, OutputTokens: 7, Blocks: []uint64{1}},        // most is its own
		{InputTokens: 300, OutputTokens: 7, Blocks: []uint64{1}},        // and unlike the one before
		{InputTokens: 5, OutputTokens: 1},                               // no blocks
		{InputTokens: 10, OutputTokens: 1, Blocks: []uint64{1}},         // shorter than a block
		{InputTokens: 100, OutputTokens: 1, Blocks: []uint64{1, 2, 3}},  // more blocks than fit
		{InputTokens: 4000, OutputTokens: 1, Blocks: []uint64{1, 2, 3}}, // fewer
	}}
	for name, tokenizer := range map[string]prompt.Tokenizer{"GPT-like": gptLike(), "bytes only": bytewise()} {
		t.Run(name, func(t *testing.T) {
			replay := mustReplay(t, mustCorpus(t, tokenizer, dataset.BuiltIn()), prompt.Config{Seed: 1, Stream: true}, tr)
			var ids [][]uint32
			for i, r := range tr.Requests {
				item, err := replay.Request(uint64(i))
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, tokenizer.AppendEncode(nil, promptOf(item)))
				if n := len(ids[i]); n != r.InputTokens || item.InputTokens != n || item.Request.Chat.MaxTokens != uint32(r.OutputTokens) {
					t.Errorf("request %d: %d tokens, recorded %d, want %d", i, n, item.InputTokens, r.InputTokens)
				}
			}
			for _, c := range []struct{ a, b, shared int }{
				{0, 1, 200}, {0, 2, 128}, {0, 3, 128}, {0, 4, 64}, {4, 5, 64}, {0, 6, 0}, {0, 7, 10}, {0, 8, 100}, {0, 9, 192},
			} {
				shared := 0
				for shared < min(len(ids[c.a]), len(ids[c.b])) && ids[c.a][shared] == ids[c.b][shared] {
					shared++
				}
				if shared != c.shared {
					t.Errorf("requests %d and %d share %d tokens, want %d", c.a, c.b, shared, c.shared)
				}
			}
		})
	}
}

// Where words merge across borders blocks cannot always be kept, sizes can.
func TestAReplayIsExactWhateverTheTokenizer(t *testing.T) {
	tr := &trace.Trace{BlockTokens: 16}
	for i := range 100 {
		tr.Requests = append(tr.Requests, trace.Request{InputTokens: 1 + 7*i, OutputTokens: 3, Blocks: slices.Repeat([]uint64{uint64(i)}, 7*i/16)})
	}
	for name, tokenizer := range tokenizers() {
		t.Run(name, func(t *testing.T) {
			replay := mustReplay(t, mustCorpus(t, tokenizer, dataset.BuiltIn()), prompt.Config{Seed: 1, Kind: backend.KindCompletion}, tr)
			for i, r := range tr.Requests {
				item, err := replay.Request(uint64(i))
				if err != nil {
					t.Fatal(err)
				}
				if n := tokenizer.Count(item.Request.Completion.Prompt); n != r.InputTokens {
					t.Fatalf("request %d: %d tokens, want %d", i, n, r.InputTokens)
				}
			}
		})
	}
}

func TestATracesOwnTextIsSentAsItIs(t *testing.T) {
	tr := &trace.Trace{Requests: []trace.Request{{Text: "What is it?", OutputTokens: 3}}}
	replay := mustReplay(t, mustGPTCorpus(t), prompt.Config{Before: []backend.Message{{Role: "system", Parts: []backend.Part{{Text: "one"}}}}}, tr)
	for i := range uint64(2) { // the trace is over after the first and begins again
		item, err := replay.Request(i)
		if err != nil || promptOf(item) != "What is it?" || len(item.Request.Chat.Messages) != 2 || item.InputTokens != gptLike().Count("What is it?") {
			t.Errorf("request %d: %+v, %v", i, item, err)
		}
	}
}

func TestReplaysAreSeeded(t *testing.T) {
	tr := &trace.Trace{BlockTokens: 16, Requests: []trace.Request{{InputTokens: 100, OutputTokens: 3, Blocks: []uint64{1, 2}}}}
	seen := map[string]string{}
	for _, config := range []prompt.Config{{Seed: 1, Run: "a"}, {Seed: 2, Run: "a"}, {Seed: 1, Run: "b"}} {
		name := fmt.Sprint(config.Seed, config.Run)
		first, err := mustReplay(t, mustGPTCorpus(t), config, tr).Request(0)
		if err != nil {
			t.Fatal(err)
		}
		again, err := mustReplay(t, mustGPTCorpus(t), config, tr).Request(0)
		if err != nil || promptOf(first) != promptOf(again) || first.Digest != again.Digest {
			t.Errorf("%s: two prompts, %v", name, err)
		}
		block := strings.Join(strings.Fields(promptOf(first))[:16], " ")
		if other, ok := seen[block]; ok {
			t.Errorf("%s and %s have the same first block", name, other)
		}
		seen[block] = name
	}
}

func TestReplaysThatCannotBe(t *testing.T) {
	tr := &trace.Trace{Requests: []trace.Request{{InputTokens: 1, OutputTokens: 1}}}
	for name, c := range map[string]struct {
		corpus *prompt.Corpus
		task   backend.Task
		want   string
	}{
		"another task": {mustGPTCorpus(t), backend.TextToEmbeddings, "is replayed with task text-to-text"},
		"no tokenizer": {mustCorpus(t, nil, dataset.BuiltIn()), backend.TextToText, "a tokenizer is needed"},
	} {
		if _, err := prompt.NewReplay(c.corpus, prompt.Config{Task: c.task}, tr); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
