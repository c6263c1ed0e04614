package prompt_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// template is a chat template as a function.
type template func(messages []backend.Message) (string, error)

func (t template) Render(messages []backend.Message) (string, error) { return t(messages) }

// framed writes each message between marks, as ChatML does.
func framed(messages []backend.Message) (string, error) {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString("<|" + m.Role + "|>\n" + m.TextOf() + "<|end|>\n")
	}
	return b.String() + "<|assistant|>\n", nil
}

func TestWithATemplateTheRenderedChatHasTheTokens(t *testing.T) {
	templates := map[string]template{
		"marks around each message": framed,
		"trims and runs on": func(messages []backend.Message) (string, error) {
			var b strings.Builder
			for _, m := range messages {
				b.WriteString("[INST]" + strings.TrimSpace(m.TextOf()) + "[/INST]")
			}
			return b.String(), nil
		},
	}
	configs := map[string]prompt.Config{
		"small":             {Scenario: mustScenario(t, "D(60,5)")},
		"large":             {Scenario: mustScenario(t, "D(2000,5)")},
		"drawn":             {Scenario: mustScenario(t, "N(200,80)/(50,10)")},
		"a system message":  {Scenario: mustScenario(t, "D(200,5)"), Before: []backend.Message{{Role: "system", Parts: []backend.Part{{Text: "Be brief."}}}}},
		"a shared prefix":   {Scenario: mustScenario(t, "D(200,5)"), Prefix: prompt.Prefix{Tokens: 50}},
		"half of it shared": {Scenario: mustScenario(t, "D(200,5)"), Prefix: prompt.Prefix{Ratio: 0.5}},
	}
	for tokenizerName, tokenizer := range map[string]prompt.Tokenizer{"GPT-like": gptLike(), "merging": merging()} {
		corpus := mustCorpus(t, tokenizer, dataset.BuiltIn())
		for templateName, render := range templates {
			for name, config := range configs {
				t.Run(strings.Join([]string{tokenizerName, templateName, name}, "/"), func(t *testing.T) {
					config.Seed, config.Template = 1, render
					source := mustSource(t, corpus, config)
					for i := range uint64(25) {
						item := mustRequest(t, source, i)
						rendered, err := render(item.Request.Chat.Messages)
						if err != nil {
							t.Fatal(err)
						}
						if n := tokenizer.Count(rendered); n != item.Size.InputTokens || item.InputTokens != n {
							t.Fatalf("request %d: the chat has %d tokens, recorded %d, asked %d", i, n, item.InputTokens, item.Size.InputTokens)
						}
					}
				})
			}
		}
	}
}

func TestRowsAreCountedAsRendered(t *testing.T) {
	tokenizer := gptLike()
	corpus := mustCorpus(t, tokenizer, dataset.FromLines("rows", []string{"A question of some words?"}))
	item := mustRequest(t, mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, "dataset"), Template: template(framed)}), 0)
	rendered, _ := framed(item.Request.Chat.Messages)
	if n := tokenizer.Count(rendered); item.InputTokens != n {
		t.Errorf("%d tokens, want %d", item.InputTokens, n)
	}
}

func TestTemplatesThatDoNotFit(t *testing.T) {
	corpus := mustGPTCorpus(t)
	for name, c := range map[string]struct {
		config prompt.Config
		want   string
	}{
		"longer than the prompts": {prompt.Config{Scenario: mustScenario(t, "D(5,5)"), Template: template(framed)}, "the chat template alone has"},
		"longer with the prefix":  {prompt.Config{Scenario: mustScenario(t, "D(60,5)"), Prefix: prompt.Prefix{Tokens: 55}, Template: template(framed)}, "the chat template alone has"},
		"a completion":            {prompt.Config{Scenario: mustScenario(t, "D(60,5)"), Kind: backend.KindCompletion, Template: template(framed)}, "completions have no template"},
		"refuses": {prompt.Config{Scenario: mustScenario(t, "D(60,5)"), Template: template(func([]backend.Message) (string, error) {
			return "", errors.New("roles must alternate")
		})}, "roles must alternate"},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Task = backend.TextToText
			if _, err := prompt.NewSource(corpus, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestMessagesBeforeAreNotChangedByRendering(t *testing.T) {
	before := slices.Grow([]backend.Message{{Role: "system", Parts: []backend.Part{{Text: "one"}}}}, 4)
	source := mustSource(t, mustGPTCorpus(t), prompt.Config{Scenario: mustScenario(t, "D(60,5)"), Before: before, Template: template(framed)})
	mustRequest(t, source, 0)
	if spare := before[:2][1]; spare.Role != "" {
		t.Errorf("the caller's messages were written to: %+v", spare)
	}
}
