package wire

import (
	"bytes"
	"encoding/json"
	"strings"
)

// event is one event of a stream, one choice of a whole answer, or a whole
// answer of the Cohere formats: they have the same fields.
type event struct {
	Index        int             `json:"index"`
	Text         string          `json:"text"`    // COHERE
	Message      messageOrText   `json:"message"` // COHEREV2, GENERIC; of an error its text
	FinishReason string          `json:"finishReason"`
	Usage        json.RawMessage `json:"usage"`
	ToolCalls    []toolCall      `json:"toolCalls"` // COHERE
	ErrorMessage string          `json:"errorMessage"`

	Code  scalar          `json:"code"` // of an error
	Error json.RawMessage `json:"error"`
}

// message is what an assistant says.
type message struct {
	Role             string     `json:"role"`
	Content          contents   `json:"content"`
	ReasoningContent string     `json:"reasoningContent"` // GENERIC
	Refusal          string     `json:"refusal"`          // GENERIC
	ToolPlan         string     `json:"toolPlan"`         // COHEREV2
	ToolCalls        []toolCall `json:"toolCalls"`
}

// messageOrText is an answer's message, or the text of an error.
type messageOrText struct {
	message
	text string
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *messageOrText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &m.text)
	}
	return json.Unmarshal(data, &m.message)
}

// contents are a message's content: text and reasoning, each in order.
type contents struct{ text, reasoning string }

// UnmarshalJSON implements json.Unmarshaler. A content is a list of objects; a
// text or a single object are taken as well.
func (c *contents) UnmarshalJSON(data []byte) error {
	*c = contents{}
	if len(data) > 0 && data[0] == '[' {
		var all []json.RawMessage
		if err := json.Unmarshal(data, &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := c.add(one); err != nil {
				return err
			}
		}
		return nil
	}
	return c.add(data)
}

func (c *contents) add(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var text string
		err := json.Unmarshal(data, &text)
		c.text += text
		return err
	}
	if isNull(data) {
		return nil
	}
	var o struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Data     string `json:"data"`
		Thinking string `json:"thinking"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	text := o.Text
	if text == "" {
		text = o.Data
	}
	if strings.HasPrefix(strings.ToUpper(o.Type), "THINKING") {
		if o.Thinking != "" {
			text = o.Thinking
		}
		c.reasoning += text
		return nil
	}
	c.text += text
	return nil
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

// reset makes the event ready for the next one.
func (e *event) reset() { *e = event{} }

func (e *event) parse(data []byte) error {
	e.reset()
	return json.Unmarshal(data, e)
}

// failed tells whether the object is an error instead of an answer.
func (e *event) failed() bool {
	return e.Code != "" || len(e.Error) > 0 && !isNull(e.Error) ||
		e.Message.text != "" && e.FinishReason == "" && e.Text == ""
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
	Choices []event         `json:"choices"`
	Usage   json.RawMessage `json:"usage"`
}
