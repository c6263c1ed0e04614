package prompt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

func TestTurnsHaveTheirSizesAndAreUnlike(t *testing.T) {
	tokenizer := gptLike()
	for _, text := range []string{"D(50,7)", "U(20,40)/(5,9)", "N(60,20)/(9,3)"} {
		t.Run(text, func(t *testing.T) {
			source := mustSource(t, mustGPTCorpus(t), prompt.Config{Scenario: mustScenario(t, text), Turns: 4, Seed: 1})
			seen := map[string]bool{}
			for i := range uint64(20) {
				item := mustRequest(t, source, i)
				if len(item.Turns) != 3 {
					t.Fatalf("%d turns follow, want 3", len(item.Turns))
				}
				all := append([]prompt.Turn{{Text: promptOf(item), InputTokens: item.InputTokens, OutputTokens: int(item.Request.Chat.MaxTokens)}}, item.Turns...)
				for k, turn := range all {
					if n := tokenizer.Count(turn.Text); n != turn.InputTokens || turn.OutputTokens < 1 {
						t.Errorf("conversation %d, turn %d: %d tokens, recorded %d, %d asked for", i, k, n, turn.InputTokens, turn.OutputTokens)
					}
					if seen[turn.Text] {
						t.Errorf("conversation %d says again: %q", i, turn.Text)
					}
					seen[turn.Text] = true
				}
				if again := mustRequest(t, source, i); again.Digest != item.Digest {
					t.Error("the same seed says something else")
				}
			}
		})
	}
	one := mustRequest(t, mustSource(t, mustGPTCorpus(t), prompt.Config{Scenario: mustScenario(t, "D(50,7)"), Turns: 1, Seed: 1}), 3)
	none := mustRequest(t, mustSource(t, mustGPTCorpus(t), prompt.Config{Scenario: mustScenario(t, "D(50,7)"), Seed: 1}), 3)
	if one.Digest != none.Digest {
		t.Error("a conversation of one turn is another request than none")
	}
}

// conversations are recorded ones in memory.
type conversations [][]dataset.Turn

func (c conversations) Name() string                               { return "conversations" }
func (c conversations) Len() int                                   { return len(c) }
func (c conversations) Conversation(i int) ([]dataset.Turn, error) { return c[i], nil }

func TestRecordedConversations(t *testing.T) {
	count := gptLike().Count
	recorded := conversations{{
		{Role: "system", Text: "Be brief."}, {Role: "user", Text: "Who are you?"}, {Role: "assistant", Text: "A model of language."},
		{Role: "assistant", Text: "And you?"}, {Role: "user", Text: "Nobody."}, {Role: "assistant", Text: "I see."}, {Role: "user", Text: "Farewell!"},
	}}
	for turns, want := range map[int][]prompt.Turn{
		0: {{Text: "Nobody.", InputTokens: count("Nobody."), OutputTokens: count("I see.")}, {Text: "Farewell!", InputTokens: count("Farewell!")}},
		2: {{Text: "Nobody.", InputTokens: count("Nobody."), OutputTokens: count("I see.")}},
		1: nil,
	} {
		t.Run(fmt.Sprint(turns), func(t *testing.T) {
			talks, err := prompt.NewTalks(mustGPTCorpus(t), prompt.Config{Task: backend.TextToText, Turns: turns, Stream: true}, recorded)
			if err != nil {
				t.Fatal(err)
			}
			item, err := talks.Request(0)
			if err != nil {
				t.Fatal(err)
			}
			messages := item.Request.Chat.Messages
			if len(messages) != 2 || messages[0].Role != "system" || promptOf(item) != "Who are you?" ||
				int(item.Request.Chat.MaxTokens) != count("A model of language.")+count("And you?") || !item.Request.FixOutputLength {
				t.Errorf("the first request is %+v", item.Request.Chat)
			}
			if diff := cmp.Diff(want, item.Turns); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("each once, then all again in another order", func(t *testing.T) {
		var many conversations
		for i := range 20 {
			many = append(many, []dataset.Turn{{Role: "user", Text: fmt.Sprint(i)}})
		}
		talks, err := prompt.NewTalks(mustGPTCorpus(t), prompt.Config{Task: backend.TextToText}, many)
		if err != nil {
			t.Fatal(err)
		}
		var rounds [2]string
		for round := range rounds {
			seen := map[string]bool{}
			for i := range 20 {
				item, err := talks.Request(uint64(20*round + i))
				if err != nil {
					t.Fatal(err)
				}
				seen[promptOf(item)] = true
				rounds[round] += promptOf(item) + " "
			}
			if len(seen) != 20 {
				t.Errorf("round %d has %d of 20 conversations", round, len(seen))
			}
		}
		if rounds[0] == rounds[1] {
			t.Error("both rounds have the same order")
		}
	})
}

func TestConversationsThatCannotBe(t *testing.T) {
	for want, config := range map[string]prompt.Config{
		"are for task text-to-text": {Task: backend.TextToEmbeddings},
		"completions have no turns": {Task: backend.TextToText, Kind: backend.KindCompletion},
	} {
		if _, err := prompt.NewTalks(mustGPTCorpus(t), config, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, err := prompt.NewSource(mustGPTCorpus(t), prompt.Config{Task: backend.TextToText, Kind: backend.KindCompletion, Turns: 2, Scenario: mustScenario(t, "D(5,5)")}); err == nil {
		t.Error("a completion has turns")
	}
	talks, err := prompt.NewTalks(mustGPTCorpus(t), prompt.Config{Task: backend.TextToText}, conversations{{{Role: "assistant", Text: "Hello?"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := talks.Request(0); err == nil || !strings.Contains(err.Error(), "its user says nothing") {
		t.Errorf("error %v", err)
	}
}
