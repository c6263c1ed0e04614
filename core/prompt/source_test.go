package prompt_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

func mustScenario(t testing.TB, text string) scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustCorpus(t testing.TB, tokenizer prompt.Tokenizer, texts dataset.Texts) *prompt.Corpus {
	t.Helper()
	c, err := prompt.NewCorpus(tokenizer, "fake", texts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// gptCorpus is the built-in text as gptLike sees it.
var gptCorpus = sync.OnceValues(func() (*prompt.Corpus, error) {
	return prompt.NewCorpus(gptLike(), "fake", dataset.BuiltIn())
})

func mustGPTCorpus(t testing.TB) *prompt.Corpus {
	t.Helper()
	c, err := gptCorpus()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustSource(t testing.TB, corpus *prompt.Corpus, config prompt.Config) *prompt.Source {
	t.Helper()
	if config.Task == "" {
		config.Task = backend.TextToText
	}
	s, err := prompt.NewSource(corpus, config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRequest(t testing.TB, s *prompt.Source, i uint64) prompt.Item {
	t.Helper()
	item, err := s.Request(i)
	if err != nil {
		t.Fatal(err)
	}
	return item
}

// promptOf is the text of the last message.
func promptOf(item prompt.Item) string {
	messages := item.Request.Chat.Messages
	return messages[len(messages)-1].TextOf()
}

// tokenizers are those that the tests of exactness run with: one that never
// merges across words, one that merges across everything, one without words.
func tokenizers() map[string]prompt.Tokenizer {
	return map[string]prompt.Tokenizer{"GPT-like": gptLike(), "merging across borders": merging(), "bytes only": bytewise()}
}

func TestPromptsHaveExactlyTheirTokens(t *testing.T) {
	for name, tokenizer := range tokenizers() {
		t.Run(name, func(t *testing.T) {
			corpus := mustCorpus(t, tokenizer, dataset.BuiltIn())
			for _, n := range []int{1, 2, 3, 4, 5, 7, 10, 20, 33, 100, 101, 480, 2000, 7800} {
				for _, kind := range []backend.Kind{backend.KindChat, backend.KindCompletion} {
					config := prompt.Config{Scenario: mustScenario(t, fmt.Sprintf("D(%d,9)", n)), Seed: 1, Run: "r", Kind: kind, Stream: true}
					source := mustSource(t, corpus, config)
					for i := range uint64(max(4, min(60, 20_000/n))) {
						item := mustRequest(t, source, i)
						var text string
						if kind == backend.KindChat {
							text = promptOf(item)
							if c := item.Request.Chat; c.MaxTokens != 9 || !c.Stream || len(c.Messages) != 1 || c.Messages[0].Role != "user" {
								t.Fatalf("chat %+v", c)
							}
						} else {
							text = item.Request.Completion.Prompt
						}
						if got := tokenizer.Count(text); got != n || item.InputTokens != n {
							t.Fatalf("D(%d,9), request %d: %d tokens, recorded %d: %q", n, i, got, item.InputTokens, text)
						}
						if !utf8.ValidString(text) || !item.Request.FixOutputLength {
							t.Fatalf("D(%d,9), request %d: valid UTF-8 %v, fixed output %v", n, i, utf8.ValidString(text), item.Request.FixOutputLength)
						}
					}
				}
			}
		})
	}
}

func TestDrawnSizesAreExactToo(t *testing.T) {
	tokenizer := gptLike()
	corpus := mustGPTCorpus(t)
	for _, text := range []string{"N(480,240)/(300,150)", "U(1,60)/(5,9)"} {
		source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, text), Seed: 2})
		for i := range uint64(200) {
			item := mustRequest(t, source, i)
			if got := tokenizer.Count(promptOf(item)); got != item.Size.InputTokens || got != item.InputTokens {
				t.Fatalf("%s, request %d: %d tokens, recorded %d, drawn %d", text, i, got, item.InputTokens, item.Size.InputTokens)
			}
			if got := int(item.Request.Chat.MaxTokens); got != item.Size.OutputTokens {
				t.Fatalf("%s, request %d: at most %d tokens of answer, drawn %d", text, i, got, item.Size.OutputTokens)
			}
		}
	}
}

// Datasets that are unlike the built-in text.
func TestOtherDatasets(t *testing.T) {
	for name, lines := range map[string][]string{
		"one short line":            {"Hello."},
		"one long line":             {strings.Repeat("a quite long line without an end, ", 3000)},
		"no spaces":                 {strings.Repeat("abcdefghij", 500)},
		"Japanese":                  {"吾輩は猫である。名前はまだ無い。", "どこで生れたかとんと見当がつかぬ。"},
		"several lines in an entry": {"first line\nsecond line\r\n\n third line"},
	} {
		for tokenizerName, tokenizer := range tokenizers() {
			t.Run(name+", "+tokenizerName, func(t *testing.T) {
				corpus := mustCorpus(t, tokenizer, dataset.FromLines(name, lines))
				for _, n := range []int{1, 17, 700} {
					source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, fmt.Sprintf("D(%d,1)", n)), Seed: 1})
					for i := range uint64(5) {
						if text := promptOf(mustRequest(t, source, i)); tokenizer.Count(text) != n || !utf8.ValidString(text) {
							t.Fatalf("%d tokens, want %d: %q", tokenizer.Count(text), n, text)
						}
					}
				}
			})
		}
	}
}

// endless has more entries than a corpus holds; it notes which were read.
type endless struct {
	mu   sync.Mutex
	read map[int]bool
}

func (*endless) Name() string { return "endless" }
func (*endless) Len() int     { return 1_000_000 }

func (e *endless) Text(i int) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read[i] = true
	return fmt.Sprintf("entry number %d", i), nil
}

func TestLargeDatasetsAreSampledEvenly(t *testing.T) {
	texts := &endless{read: make(map[int]bool)}
	mustCorpus(t, bytewise(), texts)
	tenths := make([]int, 10)
	for i := range texts.read {
		tenths[i/100_000]++
	}
	if len(texts.read) > 1<<16 || slices.Min(tenths) < 6000 || slices.Max(tenths)-slices.Min(tenths) > 1 {
		t.Errorf("%d entries read, of each tenth %d", len(texts.read), tenths)
	}
}

func TestPromptsShareNoBeginning(t *testing.T) {
	tokenizer := gptLike()
	corpus := mustGPTCorpus(t)
	const requests = 3000
	heads := make(map[string]string)
	first := make(map[uint32]int) // in level 1, requests in a row
	for _, run := range []string{"level 1", "level 2"} {
		source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, "D(30,1)"), Seed: 1, Run: run})
		for i := range uint64(requests) {
			ids := tokenizer.AppendEncode(nil, promptOf(mustRequest(t, source, i)))
			if run == "level 1" && i < 256 {
				first[ids[0]]++
			}
			head, who := fmt.Sprint(ids[:3]), fmt.Sprintf("%s, request %d", run, i)
			if other, ok := heads[head]; ok {
				t.Fatalf("%s begins with the same three tokens as %s", who, other)
			}
			heads[head] = who
		}
	}
	if len(first) != 256 {
		t.Errorf("256 requests in a row have %d first tokens", len(first))
	}
}

func TestShortPromptsDifferAsLongAsTheyCan(t *testing.T) {
	corpus := mustGPTCorpus(t)
	source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, "D(1,1)"), Seed: 1})
	seen := make(map[string]bool)
	for i := range uint64(256) {
		text := promptOf(mustRequest(t, source, i))
		if seen[text] {
			t.Fatalf("request %d, %q, was there before", i, text)
		}
		seen[text] = true
	}
}

func TestRequestsArePureFunctions(t *testing.T) {
	config := prompt.Config{Scenario: mustScenario(t, "N(100,30)/(10,3)"), Seed: 7, Run: "8"}
	corpus := mustGPTCorpus(t)
	forwards, backwards := mustSource(t, corpus, config), mustSource(t, mustCorpus(t, gptLike(), dataset.BuiltIn()), config)
	want := make([]prompt.Item, 50)
	for i := range want {
		want[i] = mustRequest(t, forwards, uint64(i))
	}
	var wait sync.WaitGroup
	for i := range slices.Backward(want) {
		wait.Go(func() {
			got, err := backwards.Request(uint64(i))
			if diff := cmp.Diff(want[i], got); err != nil || diff != "" {
				t.Errorf("request %d: %v (-want +got):\n%s", i, err, diff)
			}
		})
	}
	wait.Wait()

	other := func(change func(*prompt.Config)) prompt.Item {
		c := config
		change(&c)
		return mustRequest(t, mustSource(t, corpus, c), 3)
	}
	if got := other(func(c *prompt.Config) { c.Seed = 8 }); got.Digest == want[3].Digest || got.Size == want[3].Size {
		t.Error("another seed makes the same request, or one of the same size")
	}
	if got := other(func(c *prompt.Config) { c.Run = "16" }); got.Digest == want[3].Digest || got.Size != want[3].Size {
		t.Errorf("another run makes the same request, or one of another size")
	}
}

func TestSharedPrefix(t *testing.T) {
	for name, c := range map[string]struct {
		scenario string
		prefix   prompt.Prefix
		shared   int
	}{
		"length, D":           {"D(100,5)", prompt.Prefix{Tokens: 80}, 80},
		"length, one left":    {"D(100,5)", prompt.Prefix{Tokens: 99}, 99},
		"length, N":           {"N(500,100)/(300,50)", prompt.Prefix{Tokens: 50}, 50},
		"length, U":           {"U(100,200)/(50,100)", prompt.Prefix{Tokens: 50}, 50},
		"length, 1":           {"D(100,5)", prompt.Prefix{Tokens: 1}, 1},
		"ratio":               {"D(100,5)", prompt.Prefix{Ratio: 0.5}, 50},
		"ratio, rounded down": {"D(99,5)", prompt.Prefix{Ratio: 0.5}, 49},
		"ratio of nothing":    {"D(10,5)", prompt.Prefix{Ratio: 0.05}, 0},
		"P scenario":          {"P(1000,20)/5", prompt.Prefix{}, 1000},
		"long":                {"D(7800,5)", prompt.Prefix{Tokens: 7000}, 7000},
	} {
		t.Run(name, func(t *testing.T) {
			tokenizer := gptLike()
			corpus := mustGPTCorpus(t)
			config := prompt.Config{Scenario: mustScenario(t, c.scenario), Prefix: c.prefix, Seed: 1, Run: "a"}
			first := tokenizer.AppendEncode(nil, promptOf(mustRequest(t, mustSource(t, corpus, config), 0)))
			config.Run = "b" // the prefix is the scenario's, not the run's
			source := mustSource(t, corpus, config)
			seen := make(map[uint32]bool)
			for i := range uint64(20) {
				item := mustRequest(t, source, i)
				ids := tokenizer.AppendEncode(nil, promptOf(item))
				if len(ids) != item.Size.InputTokens || item.InputTokens != len(ids) || item.PrefixTokens != c.shared {
					t.Fatalf("request %d: %d tokens of %d, %d shared", i, len(ids), item.Size.InputTokens, item.PrefixTokens)
				}
				if !slices.Equal(ids[:c.shared], first[:c.shared]) {
					t.Fatalf("request %d does not begin with the shared tokens", i)
				}
				if parts := item.Request.Chat.Messages[0].Parts; c.shared > 0 && (len(parts) != 2 || tokenizer.Count(parts[0].Text) != c.shared) {
					t.Fatalf("request %d: the prefix is not a part of its own: %d parts", i, len(parts))
				}
				if seen[ids[c.shared]] {
					t.Fatalf("request %d goes on behind the prefix like another", i)
				}
				seen[ids[c.shared]] = true
			}
			config.Seed = 2
			other := tokenizer.AppendEncode(nil, promptOf(mustRequest(t, mustSource(t, corpus, config), 0)))
			if c.shared > 0 && other[0] == first[0] {
				t.Error("another seed has the same prefix")
			}
		})
	}
}

func TestWholeRatioLeavesPromptsApart(t *testing.T) {
	tokenizer := gptLike()
	source := mustSource(t, mustGPTCorpus(t),
		prompt.Config{Scenario: mustScenario(t, "D(100,5)"), Prefix: prompt.Prefix{Ratio: 1}, Seed: 1})
	seen := make(map[string]bool)
	for i := range uint64(2000) {
		item := mustRequest(t, source, i)
		text := promptOf(item)
		if item.PrefixTokens < 90 || item.PrefixTokens > 99 || tokenizer.Count(text) != 100 || seen[text] {
			t.Fatalf("request %d: %d shared, %d tokens, seen before: %v", i, item.PrefixTokens, tokenizer.Count(text), seen[text])
		}
		seen[text] = true
	}
}

func TestPrefixRules(t *testing.T) {
	for name, c := range map[string]struct {
		prefix    prompt.Prefix
		task      backend.Task
		scenarios []string
		want      []string // part of each error
	}{
		"none":              {scenarios: []string{"dataset", "D(1,1)"}},
		"fits":              {prefix: prompt.Prefix{Tokens: 50}, scenarios: []string{"N(500,100)/(300,50)", "U(100,200)/(50,100)", "D(51,1)"}},
		"ratio fits":        {prefix: prompt.Prefix{Ratio: 1}, scenarios: []string{"D(51,1)"}},
		"both":              {prefix: prompt.Prefix{Tokens: 1, Ratio: 0.5}, scenarios: []string{"D(100,1)"}, want: []string{"--prefix-len and --prefix-ratio exclude each other"}},
		"negative":          {prefix: prompt.Prefix{Tokens: -1}, want: []string{"--prefix-len is -1"}},
		"ratio over 1":      {prefix: prompt.Prefix{Ratio: 1.5}, want: []string{"--prefix-ratio is 1.5"}},
		"another task":      {prefix: prompt.Prefix{Tokens: 5}, task: backend.TextToEmbeddings, scenarios: []string{"E(100)"}, want: []string{"--prefix-len is for task text-to-text only"}},
		"dataset":           {prefix: prompt.Prefix{Tokens: 5}, scenarios: []string{"dataset"}, want: []string{"--prefix-len does not go with dataset"}},
		"ratio and N":       {prefix: prompt.Prefix{Ratio: 0.5}, scenarios: []string{"D(9,9)", "N(10,1)/(1,1)", "U(1,2)"}, want: []string{"--prefix-ratio goes with D scenarios only, not with N(10,1)/(1,1), U(1,2)"}},
		"prefix of its own": {prefix: prompt.Prefix{Ratio: 0.5}, scenarios: []string{"P(1,2)/3"}, want: []string{"P(1,2)/3: it has a prefix of its own"}},
		"too short":         {prefix: prompt.Prefix{Tokens: 150}, scenarios: []string{"D(100,50)", "D(150,1)", "D(151,1)", "N(200,50)/(1,1)", "U(300,400)"}, want: []string{"too short: D(100,50) (min_input_tokens=100), D(150,1) (min_input_tokens=150), N(200,50)/(1,1) (min_input_tokens=50), U(300,400) (min_input_tokens=1)"}},
		"several":           {prefix: prompt.Prefix{Tokens: 5}, scenarios: []string{"dataset", "D(2,1)"}, want: []string{"does not go with dataset", "too short: D(2,1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.task == "" {
				c.task = backend.TextToText
			}
			var scenarios []scenario.Scenario
			for _, text := range c.scenarios {
				scenarios = append(scenarios, mustScenario(t, text))
			}
			errs := c.prefix.Check(c.task, scenarios)
			if len(errs) != len(c.want) {
				t.Fatalf("errors %v, want %d", errs, len(c.want))
			}
			for i, err := range errs {
				if !strings.Contains(err.Error(), c.want[i]) {
					t.Errorf("error %q, want it to hold %q", err, c.want[i])
				}
			}
		})
	}
}

func TestDatasetRowsAreTakenOnceEachAndAgain(t *testing.T) {
	rows := []string{"one", "two", "three words here", "four", "five"}
	tokenizer := gptLike()
	source := mustSource(t, mustCorpus(t, tokenizer, dataset.FromLines("rows", rows)),
		prompt.Config{Scenario: mustScenario(t, "dataset"), Seed: 1})
	var passes [][]string
	for pass := range uint64(20) {
		var got []string
		for i := range uint64(len(rows)) {
			item := mustRequest(t, source, pass*uint64(len(rows))+i)
			text := promptOf(item)
			got = append(got, text)
			if item.InputTokens != tokenizer.Count(text) || item.Request.FixOutputLength || item.Request.Chat.MaxTokens != 0 {
				t.Fatalf("%+v: %+v", item, item.Request.Chat)
			}
		}
		passes = append(passes, slices.Clone(got))
		slices.Sort(got)
		if diff := cmp.Diff(slices.Sorted(slices.Values(rows)), got); diff != "" {
			t.Fatalf("pass %d (-want +got):\n%s", pass, diff)
		}
	}
	if slices.EqualFunc(passes[:19], passes[1:], slices.Equal) {
		t.Error("all passes are in the same order")
	}
}

func TestMessagesBeforeThePrompt(t *testing.T) {
	before := []backend.Message{{Role: "system", Parts: []backend.Part{{Text: "Be brief."}}}}
	source := mustSource(t, mustGPTCorpus(t),
		prompt.Config{Scenario: mustScenario(t, "D(10,5)"), Before: before})
	a, b := mustRequest(t, source, 0).Request.Chat.Messages, mustRequest(t, source, 1).Request.Chat.Messages
	if len(a) != 2 || len(b) != 2 || a[0].Role != "system" || a[1].Role != "user" || a[1].TextOf() == b[1].TextOf() {
		t.Errorf("messages %+v and %+v", a, b)
	}
}

func TestOtherTasks(t *testing.T) {
	tokenizer := gptLike()
	corpus := mustGPTCorpus(t)
	t.Run("embeddings", func(t *testing.T) {
		source := mustSource(t, corpus, prompt.Config{Task: backend.TextToEmbeddings, Scenario: mustScenario(t, "E(64)"), BatchSize: 8})
		seen := make(map[string]bool)
		for i := range uint64(10) {
			item := mustRequest(t, source, i)
			if len(item.Request.Embed.Inputs) != 8 || item.InputTokens != 8*64 {
				t.Fatalf("%d documents, %d tokens", len(item.Request.Embed.Inputs), item.InputTokens)
			}
			for _, d := range item.Request.Embed.Inputs {
				if tokenizer.Count(d) != 64 || seen[d] {
					t.Fatalf("document of %d tokens, seen before: %v", tokenizer.Count(d), seen[d])
				}
				seen[d] = true
			}
		}
	})
	t.Run("rerank", func(t *testing.T) {
		item := mustRequest(t, mustSource(t, corpus, prompt.Config{Task: backend.TextToRerank, Scenario: mustScenario(t, "R(64,10)"), BatchSize: 3}), 5)
		r := item.Request.Rerank
		if tokenizer.Count(r.Query) != 10 || len(r.Documents) != 3 || tokenizer.Count(r.Documents[2]) != 64 || item.InputTokens != 3*64+10 {
			t.Errorf("query of %d tokens, %d documents, %d tokens in all", tokenizer.Count(r.Query), len(r.Documents), item.InputTokens)
		}
	})
	t.Run("speech", func(t *testing.T) {
		for _, texts := range []dataset.Texts{dataset.BuiltIn(), dataset.FromLines("short", []string{"añ", "b"})} {
			untokenized := mustCorpus(t, nil, texts)
			for _, n := range []int{1, 5, 10, 30, 50, 1000} {
				source := mustSource(t, untokenized, prompt.Config{Task: backend.TextToSpeech, Scenario: mustScenario(t, fmt.Sprintf("A(%d)", n)), Voice: "alloy"})
				for i := range uint64(20) {
					s := mustRequest(t, source, i).Request.Speech
					if utf8.RuneCountInString(s.Text) != n || strings.TrimSpace(s.Text) != s.Text || s.Voice != "alloy" {
						t.Fatalf("A(%d): %d characters: %q", n, utf8.RuneCountInString(s.Text), s.Text)
					}
				}
			}
		}
	})
	t.Run("image generation", func(t *testing.T) {
		item := mustRequest(t, mustSource(t, mustCorpus(t, nil, dataset.BuiltIn()),
			prompt.Config{Task: backend.TextToImage, Scenario: mustScenario(t, "I(512,256,2)")}), 0)
		if g := item.Request.Image; g.Width != 512 || g.Height != 256 || g.N != 2 || g.Prompt == "" {
			t.Errorf("%+v", g)
		}
	})
}

func TestBadConfigurations(t *testing.T) {
	corpus := mustGPTCorpus(t)
	untokenized := mustCorpus(t, nil, dataset.BuiltIn())
	for name, c := range map[string]struct {
		corpus *prompt.Corpus
		config prompt.Config
		want   string
	}{
		"scenario of another task": {corpus, prompt.Config{Task: backend.TextToText, Scenario: mustScenario(t, "E(5)")}, "does not fit task text-to-text, which takes D("},
		"no tokenizer":             {untokenized, prompt.Config{Task: backend.TextToText, Scenario: mustScenario(t, "D(5,5)")}, "a tokenizer is needed (--model-tokenizer)"},
		"kind of another task":     {corpus, prompt.Config{Task: backend.TextToText, Kind: backend.KindEmbed, Scenario: mustScenario(t, "D(5,5)")}, "cannot be a request of kind embed"},
		"prefix too long":          {corpus, prompt.Config{Task: backend.TextToText, Prefix: prompt.Prefix{Tokens: 5}, Scenario: mustScenario(t, "D(5,5)")}, "min_input_tokens=5"},
	} {
		if _, err := prompt.NewSource(c.corpus, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// wordless counts every text as two tokens a byte: nothing is one token.
type wordless struct{ *fake }

func (wordless) Count(text string) int { return 2 * len(text) }

// odd never counts what it is asked to.
type odd struct{ *fake }

func (o odd) Count(text string) int {
	n := o.fake.Count(text)
	if n > 40 {
		n |= 1
	}
	return n
}

func TestImpossibleSizesAreErrors(t *testing.T) {
	if _, err := prompt.NewCorpus(wordless{bytewise()}, "wordless", dataset.BuiltIn()); err == nil || !strings.Contains(err.Error(), "tokenizer wordless: found no two texts of one token") {
		t.Errorf("error %v", err)
	}
	corpus := mustCorpus(t, odd{gptLike()}, dataset.BuiltIn())
	_, err := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, "D(100,5)")}).Request(3)
	const want = "making request 3 of D(100,5): tokenizer fake: made no text of exactly 100 tokens (nearest: "
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s…", err, want)
	}
	nothing := dataset.FromLines("nothing", []string{"\u200b"})
	if _, err := prompt.NewCorpus(blind{gptLike()}, "blind", nothing); err == nil || !strings.Contains(err.Error(), "dataset nothing: tokenizer blind finds no token in it") {
		t.Errorf("error %v", err)
	}
}

// blind sees nothing but ASCII.
type blind struct{ *fake }

func (b blind) Count(text string) int {
	return b.fake.Count(strings.Map(func(r rune) rune {
		if r > '~' {
			return -1
		}
		return r
	}, text))
}
