package prompt

import (
	"fmt"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Template renders a chat as the server will, up to where its answer begins.
// It must be safe for concurrent use.
type Template interface {
	Render(messages []backend.Message) (string, error)
}

// chatCounter counts prompts as parts of rendered chats.
type chatCounter struct {
	template  Template
	tokenizer Tokenizer
	before    []backend.Message
	frame     int // tokens that the template and the messages before add to a prompt
}

// makeChatCounter renders two chats, to learn what the template adds.
func (s *Source) makeChatCounter() error {
	if s.config.Template == nil || s.config.Task != backend.TextToText {
		return nil
	}
	if s.config.Kind == backend.KindCompletion {
		return fmt.Errorf("--count-chat-template is for chats; completions have no template")
	}
	c := &chatCounter{template: s.config.Template, tokenizer: s.corpus.tokenizer, before: s.config.Before}
	sample := s.corpus.words[0] + s.corpus.joiner + s.corpus.words[1]
	rendered, err := c.render(sample)
	if err != nil {
		return fmt.Errorf("--count-chat-template: the model's chat template refuses a chat of %d messages: %w", len(c.before)+1, err)
	}
	c.frame = max(0, c.tokenizer.Count(rendered)-c.tokenizer.Count(sample))
	s.chat = c
	return nil
}

func (c *chatCounter) render(prompt string) (string, error) {
	messages := append(slices.Clip(c.before), backend.UserText(prompt))
	return c.template.Render(messages)
}

// count counts the chat that a prompt makes, without the frame.
func (c *chatCounter) count(prompt string) (tokens int, ok bool) {
	rendered, err := c.render(prompt)
	if err != nil {
		return 0, false
	}
	return c.tokenizer.Count(rendered) - c.frame, true
}

// frame is what the chat template adds to a prompt of a known size.
func (s *Source) frame() int {
	if s.chat == nil {
		return 0
	}
	return s.chat.frame
}

// countPrompt counts a prompt that has no shared prefix.
func (s *Source) countPrompt(text string) (tokens int, ok bool) {
	if s.chat == nil {
		return s.count(text)
	}
	return s.chat.count(text)
}

// countRow counts a row of a dataset as it is.
func (s *Source) countRow(text string) (int, error) {
	if s.chat == nil {
		return s.countIfAble(text), nil
	}
	rendered, err := s.chat.render(text)
	if err != nil {
		return 0, fmt.Errorf("the model's chat template refuses it: %w", err)
	}
	return s.corpus.tokenizer.Count(rendered), nil
}
