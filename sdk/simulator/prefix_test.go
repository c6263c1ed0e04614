package simulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePrefixCacheFindsWholeBlocks(t *testing.T) {
	ids := func(from, to uint32) (list []uint32) {
		for id := from; id < to; id++ {
			list = append(list, id)
		}
		return list
	}
	c := newPrefixCache(4 * prefixBlock)
	if n := c.find(ids(0, 40)); n != 0 {
		t.Errorf("an empty cache knows %d tokens", n)
	}
	c.remember(ids(0, 40)) // two blocks and a half
	for name, q := range map[string]struct {
		ids  []uint32
		want int
	}{
		"the same":                    {ids(0, 40), 32},
		"longer":                      {ids(0, 100), 32},
		"a block of it":               {ids(0, 20), 16},
		"less than a block":           {ids(0, 15), 0},
		"another end of the first":    {append(ids(0, 15), 99), 0},
		"the second block alone":      {ids(16, 40), 0},
		"nothing but what is known":   {ids(0, 32), 31}, // the last token is always computed
		"another beginning, same end": {append(ids(100, 116), ids(16, 32)...), 0},
	} {
		if n := c.find(q.ids); n != q.want {
			t.Errorf("%s: %d tokens are known, want %d", name, n, q.want)
		}
	}
	c.remember(ids(1000, 1000+3*prefixBlock)) // one block too many: what was used last stays
	if a, b := c.find(ids(0, 100)), c.find(ids(1000, 2000)); a+b != 4*prefixBlock {
		t.Errorf("%d and %d tokens of 64 that there is room for", a, b)
	}
}

// A conversation's next turn needs no prefill of what was said before.
func TestATurnFindsTheTurnBefore(t *testing.T) {
	s := start(t, Config{Seed: 1, PrefixCacheTokens: 1 << 16, StepTime: ms})
	body := func(messages ...string) string {
		var all []string
		for i, text := range messages {
			all = append(all, fmt.Sprintf(`{"role":%q,"content":%q}`, []string{"user", "assistant"}[i%2], text))
		}
		return `{"model":"m","max_tokens":40,"messages":[` + strings.Join(all, ",") + `]}`
	}
	ask := func(id, body string) (answer string, prompt, cached int) {
		r, err := post(t, client(t), s, "/v1/chat/completions", id, "", body)
		if err != nil || r.status != 200 {
			t.Fatalf("%v, status %d: %s", err, r.status, r.body)
		}
		var got struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   struct {
				PromptTokens int `json:"prompt_tokens"`
				Details      struct {
					Cached int `json:"cached_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatal(err)
		}
		if record := truth(t, s, id); record.CachedTokens != got.Usage.Details.Cached {
			t.Errorf("%s: the record has %d tokens cached, the answer %d", id, record.CachedTokens, got.Usage.Details.Cached)
		}
		return got.Choices[0].Message.Content, got.Usage.PromptTokens, got.Usage.Details.Cached
	}
	question := strings.Repeat("word", 100)
	answer, prompt, cached := ask("one", body(question))
	if prompt != 100 || cached != 0 {
		t.Errorf("first turn: %d of %d tokens are cached", cached, prompt)
	}
	// 100 + 40 tokens were there before: eight blocks of 16.
	if _, prompt, cached = ask("two", body(question, answer, strings.Repeat("more", 10))); prompt != 150 || cached != 128 {
		t.Errorf("second turn: %d of %d tokens are cached, want 128 of 150", cached, prompt)
	}
	if _, _, cached = ask("three", body(question, "Another answer.", "More?")); cached != 96 {
		t.Errorf("another answer: %d tokens are cached, want 96", cached)
	}
	if diff := cmp.Diff([2]uint64{100 + 150 + 106, 128 + 96}, [2]uint64{s.Stats().PrefixQueries, s.Stats().PrefixHits}); diff != "" {
		t.Errorf("looked up and found (-want +got):\n%s", diff)
	}
}

func TestWithoutAPrefixCacheNothingIsSaidOfOne(t *testing.T) {
	s := start(t, Config{})
	r, err := post(t, client(t), s, "/v1/chat/completions", "one", "", `{"model":"m","max_tokens":4,"messages":[{"role":"user","content":"Hello"}]}`)
	if err != nil || strings.Contains(r.body, "cached") {
		t.Errorf("%v: %s", err, r.body)
	}
}

func TestAPrefixCacheNeedsTheTokens(t *testing.T) {
	err := Config{PrefixCacheTokens: 100, CountTokens: func(string) int { return 1 }}.Validate()
	if err == nil || !strings.Contains(err.Error(), "give TokenIDs too") {
		t.Errorf("error %v", err)
	}
}
