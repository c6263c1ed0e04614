package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// event is one event of a stream, one choice of a whole answer, or a whole
// answer of the Cohere formats: they have the same fields.
type event struct {
	Index        int             `json:"index"`
	Text         string          `json:"text"`    // COHERE
	Message      message         `json:"message"` // COHEREV2, GENERIC
	FinishReason string          `json:"finishReason"`
	Usage        json.RawMessage `json:"usage"`
	ToolCalls    []toolCall      `json:"toolCalls"` // COHERE
	ErrorMessage string          `json:"errorMessage"`

	Code  scalar          `json:"code"` // of an error
	Error json.RawMessage `json:"error"`
	said  string          // an error's message, which is a text
}

// message is what an assistant says.
type message struct {
	Role             string     `json:"role"`
	Content          []block    `json:"content"`
	ReasoningContent string     `json:"reasoningContent"` // GENERIC
	Refusal          string     `json:"refusal"`          // GENERIC
	ToolPlan         string     `json:"toolPlan"`         // COHEREV2
	ToolCalls        []toolCall `json:"toolCalls"`
}

// block is one object of a content.
type block struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Data     string `json:"data"`
	Thinking string `json:"thinking"`
}

// thinks tells whether the block is reasoning.
func (b *block) thinks() bool {
	return len(b.Type) >= len("THINKING") && strings.EqualFold(b.Type[:len("THINKING")], "THINKING")
}

// append appends what the block says.
func (b *block) append(dst []byte) []byte {
	if b.thinks() && b.Thinking != "" {
		return append(dst, b.Thinking...)
	}
	if b.Text != "" {
		return append(dst, b.Text...)
	}
	return append(dst, b.Data...)
}

// parse reads an event. Its slices are used again.
func (e *event) parse(data []byte) error {
	*e = event{Message: message{Content: e.Message.Content[:0]}}
	err := json.Unmarshal(data, e)
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return e.parseLoose(data)
	}
	return err
}

// parseLoose reads an event whose message is not of the usual form: a text, as
// errors have it, or one whose content is a text, a single object or a mixture.
func (e *event) parseLoose(data []byte) error {
	*e = event{}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	own := o["message"]
	delete(o, "message")
	rest, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(rest, e); err != nil || len(own) == 0 {
		return err
	}
	if own[0] == '"' {
		return json.Unmarshal(own, &e.said)
	}
	var fields object
	if err := json.Unmarshal(own, &fields); err != nil {
		return err
	}
	content := fields["content"]
	delete(fields, "content")
	if rest, err = json.Marshal(fields); err != nil {
		return err
	}
	if err := json.Unmarshal(rest, &e.Message); err != nil {
		return err
	}
	e.Message.Content, err = blocksOf(content)
	return err
}

// blocksOf reads a content of any form.
func blocksOf(content json.RawMessage) ([]block, error) {
	all := []json.RawMessage{content}
	if len(content) > 0 && content[0] == '[' {
		if err := json.Unmarshal(content, &all); err != nil {
			return nil, err
		}
	}
	var blocks []block
	for _, one := range all {
		var b block
		switch {
		case len(one) == 0 || isNull(one):
			continue
		case one[0] == '"':
			if err := json.Unmarshal(one, &b.Text); err != nil {
				return nil, err
			}
		default:
			if err := json.Unmarshal(one, &b); err != nil {
				return nil, err
			}
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// toolCall is a call in any of the three formats.
type toolCall struct {
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"` // COHERE: an object
	Arguments  string          `json:"arguments"`  // GENERIC: JSON as a text
	Function   *toolFunction   `json:"function"`   // COHEREV2
}

type toolFunction struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// append appends what the model wrote of a call: its name and its arguments.
func (t *toolCall) append(dst []byte) []byte {
	dst = append(dst, t.Name...)
	dst = append(dst, t.Arguments...)
	if len(t.Parameters) > 0 && !isNull(t.Parameters) {
		dst = append(dst, t.Parameters...)
	}
	if f := t.Function; f != nil {
		dst = append(dst, f.Name...)
		var text string
		if json.Unmarshal(f.Arguments, &text) == nil {
			dst = append(dst, text...)
		} else {
			dst = append(dst, f.Arguments...)
		}
	}
	return dst
}

// scalar is a text or a number, as it is spelled.
type scalar string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(s))
	}
	if !isNull(data) {
		*s = scalar(bytes.TrimSpace(data))
	}
	return nil
}

// failed tells whether the object is an error instead of an answer.
func (e *event) failed() bool {
	return e.Code != "" || len(e.Error) > 0 && !isNull(e.Error) ||
		e.said != "" && e.FinishReason == "" && e.Text == ""
}

// whole is an answer that came in one piece.
type whole struct {
	ModelID      string          `json:"modelId"`
	ChatResponse json.RawMessage `json:"chatResponse"`

	Code    scalar          `json:"code"`
	Message json.RawMessage `json:"message"`
	Error   json.RawMessage `json:"error"`
}

// generic is the chatResponse of the GENERIC format.
type generic struct {
	Choices []json.RawMessage `json:"choices"`
	Usage   json.RawMessage   `json:"usage"`
}
