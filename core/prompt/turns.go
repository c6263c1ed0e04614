package prompt

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/seeded"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Turn is what a user says in a conversation after the first answer.
type Turn struct {
	Text         string
	InputTokens  int // of the text alone; 0 where nothing was counted
	OutputTokens int // of the answer, as asked for; 0: the model's own choice
}

// digestTurns is the identity of a conversation: its first request and what the
// user says later. The answers between are the server's.
func digestTurns(first [32]byte, turns []Turn) (sum [32]byte) {
	d := &digester{sum: sha256.New()}
	d.sum.Write(first[:])
	for _, t := range turns {
		d.texts(t.Text)
		d.number(uint64(t.OutputTokens))
	}
	d.sum.Sum(sum[:0])
	return sum
}

// turns makes the later turns of conversation i, each of a size of its own.
func (s *Source) turns(item *Item) error {
	for k := 1; k < s.config.Turns; k++ {
		place := item.Index*uint64(s.config.Turns) + uint64(k)
		size := s.sizes.At(place)
		turn := Turn{OutputTokens: size.OutputTokens}
		var err error
		if size.Row {
			turn.Text, err = s.row(place, 0)
			turn.InputTokens = s.countIfAble(turn.Text)
		} else {
			turn.InputTokens = size.InputTokens // the chat that it goes on with is the server's to make
			turn.Text, err = s.corpus.compose(s.texts.Rand(place), s.corpus.head(s.heads, place), turn.InputTokens, false, s.count)
		}
		if err != nil {
			return fmt.Errorf("turn %d: %w", k+1, err)
		}
		item.Bytes += len(turn.Text)
		item.Turns = append(item.Turns, turn)
	}
	return nil
}

// Talks makes requests of recorded conversations: what the user says is
// recorded, the answers are the server's own. It is safe for concurrent use.
type Talks struct {
	corpus        *Corpus
	config        Config
	conversations dataset.Conversations
	order         seeded.Stream
}

// NewTalks checks the configuration, of which Scenario, BatchSize, Prefix and
// Gallery do not apply; Turns bounds the turns of a conversation, 0 is all of
// them. Answers are asked to be as long as the recorded ones, where a tokenizer
// can tell.
func NewTalks(corpus *Corpus, config Config, conversations dataset.Conversations) (*Talks, error) {
	switch {
	case config.Task != backend.TextToText:
		return nil, fmt.Errorf("conversations are for task %s, not %s", backend.TextToText, config.Task)
	case config.Kind == backend.KindCompletion:
		return nil, errors.New("conversations are chats; completions have no turns")
	}
	return &Talks{corpus: corpus, config: config, conversations: conversations, order: seeded.New(config.Seed, "conversations", config.Run)}, nil
}

// Request makes the first request of conversation i, with the turns that follow
// it in Item.Turns: all conversations in an order of the run's own, then all
// again in another.
func (t *Talks) Request(i uint64) (Item, error) {
	all := uint64(t.conversations.Len())
	order := seeded.New(t.order.Uint64(i/all), "rows")
	recorded, err := t.conversations.Conversation(int(order.Permute(i%all, all)))
	if err != nil {
		return Item{}, fmt.Errorf("conversation %d: %w", i, err)
	}
	messages := append([]backend.Message(nil), t.config.Before...)
	item := Item{Index: i, Size: scenario.Size{Row: true}}
	var said []Turn
	instructed := 0 // tokens
	for _, turn := range recorded {
		if turn.Role == dataset.RoleUser && len(said) == t.config.Turns && t.config.Turns > 0 {
			break
		}
		switch {
		case turn.Role == dataset.RoleUser:
			said = append(said, Turn{Text: turn.Text, InputTokens: t.count(turn.Text)})
			item.Bytes += len(turn.Text)
		case turn.Role == dataset.RoleAssistant && len(said) > 0:
			// Of several messages in a row the server is to make one.
			said[len(said)-1].OutputTokens += t.count(turn.Text)
		case turn.Role == dataset.RoleSystem && len(said) == 0:
			messages = append(messages, backend.Message{Role: turn.Role, Parts: []backend.Part{{Text: turn.Text}}})
			instructed += t.count(turn.Text)
		}
	}
	if len(said) == 0 {
		return Item{}, fmt.Errorf("conversation %d of %s: its user says nothing", i, t.conversations.Name())
	}
	first := said[0]
	messages = append(messages, backend.UserText(first.Text))
	item.Request = &backend.Request{Task: t.config.Task, FixOutputLength: first.OutputTokens > 0,
		Chat: &backend.Chat{Messages: messages, MaxTokens: uint32(first.OutputTokens), Stream: t.config.Stream}}
	item.InputTokens, item.Size.OutputTokens = instructed+first.InputTokens, first.OutputTokens
	if len(said) > 1 {
		item.Turns = said[1:]
	}
	item.Digest = digestTurns(digest(item.Request), item.Turns)
	return item, nil
}

func (t *Talks) count(text string) int {
	if t.corpus.tokenizer == nil {
		return 0
	}
	return t.corpus.tokenizer.Count(text)
}
