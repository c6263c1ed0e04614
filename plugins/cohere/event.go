package main

import (
	"bytes"
	"encoding/json"
)

// Types of events that mean something whatever they carry. Other types, and
// those that are still to come, are known by what is in them.
const (
	typeEnd   = "message-end"
	typeError = "error"
)

// event is one event of a stream (StreamedChatResponseV2), or what says that
// there was an error instead.
type event struct {
	Type  string `json:"type"`
	Delta delta  `json:"delta"`

	Message json.RawMessage `json:"message"` // of an error
	Error   json.RawMessage `json:"error"`

	content contentDelta // used again
}

type delta struct {
	Message      message         `json:"message"`
	FinishReason string          `json:"finish_reason"`
	Error        json.RawMessage `json:"error"` // a text: why the generation failed
	Usage        json.RawMessage `json:"usage"`
}

// whole is an answer in one piece (ChatResponseV2).
type whole struct {
	Message      json.RawMessage `json:"message"` // an object; of an error a text
	FinishReason string          `json:"finish_reason"`
	Usage        json.RawMessage `json:"usage"`
	Error        json.RawMessage `json:"error"`
}

// message is what an assistant says, or a piece of it.
type message struct {
	Role      string    `json:"role"`
	Content   said      `json:"content"`
	ToolPlan  string    `json:"tool_plan"`
	ToolCalls toolCalls `json:"tool_calls"`
}

// said is a content: in an event an object, in a whole answer a list of such.
type said struct{ text, thinking []byte }

type block struct {
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *said) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var blocks []block
		if err := json.Unmarshal(data, &blocks); err != nil {
			return err
		}
		for _, b := range blocks {
			s.add(b)
		}
		return nil
	}
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		s.add(block{Text: text})
		return nil
	}
	var b block
	if err := json.Unmarshal(data, &b); err != nil {
		return err
	}
	s.add(b)
	return nil
}

func (s *said) add(b block) {
	s.text = append(s.text, b.Text...)
	s.thinking = append(s.thinking, b.Thinking...)
}

// toolCalls are calls: in an event an object, in a whole answer a list. text is
// what the model wrote of them, names and arguments.
type toolCalls struct {
	there bool
	text  []byte
}

type toolCall struct {
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *toolCalls) UnmarshalJSON(data []byte) error {
	var calls []toolCall
	switch {
	case len(data) > 0 && data[0] == '[':
		if err := json.Unmarshal(data, &calls); err != nil {
			return err
		}
	case isNull(data):
	default:
		calls = make([]toolCall, 1)
		if err := json.Unmarshal(data, &calls[0]); err != nil {
			return err
		}
	}
	for _, call := range calls {
		t.there = true
		t.text = append(append(t.text, call.Function.Name...), call.Function.Arguments...)
	}
	return nil
}

// contentDelta is the event that nearly all of a stream consists of. Reading it
// by itself is faster, because nothing in it has two forms.
type contentDelta struct {
	Type  string `json:"type"`
	Delta struct {
		Message struct {
			Content block `json:"content"`
		} `json:"message"`
	} `json:"delta"`
}

const typeContentDelta = "content-delta"

// parse reads an event of the name that the stream gives it. Its buffers are used
// again.
func (e *event) parse(name string, data []byte) error {
	m := &e.Delta.Message
	*e = event{content: e.content, Delta: delta{Message: message{
		Content:   said{text: m.Content.text[:0], thinking: m.Content.thinking[:0]},
		ToolCalls: toolCalls{text: m.ToolCalls.text[:0]},
	}}}
	if name == typeContentDelta {
		c := &e.content
		*c = contentDelta{}
		if json.Unmarshal(data, c) == nil && c.Type == name {
			e.Type = c.Type
			m.Content.add(c.Delta.Message.Content)
			return nil
		}
	}
	return json.Unmarshal(data, e)
}

// failed tells whether the object is an error instead of an event.
func (e *event) failed() bool {
	return e.Type == typeError || e.Type == "" && (isText(e.Message) || given(e.Error))
}

func isNull(value []byte) bool            { return string(value) == "null" }
func given(value json.RawMessage) bool    { return len(value) > 0 && !isNull(value) }
func isText(value json.RawMessage) bool   { return len(value) > 0 && value[0] == '"' }
func isObject(value json.RawMessage) bool { return len(value) > 0 && value[0] == '{' }

// doneMark ends the streams of most APIs; Cohere's own just ends.
var doneMark = []byte("[DONE]")

func isDone(data []byte) bool { return bytes.Equal(data, doneMark) }
