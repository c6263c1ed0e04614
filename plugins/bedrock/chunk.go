package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// chunk is one event of InvokeModelWithResponseStream, or a whole answer of
// InvokeModel, of any family. What it is tells its own form and not the model's
// name: behind the ARN of a profile of one's own stands any family. Sources: the
// response sections of the Amazon Bedrock user guide, "Inference request
// parameters and response fields for foundation models".
type chunk struct {
	// Anthropic
	Type         string            `json:"type"`
	Message      json.RawMessage   `json:"message"`
	ContentBlock *anthropicBlock   `json:"content_block"`
	Delta        *anthropicDelta   `json:"delta"`
	Content      []*anthropicBlock `json:"content"`

	// Anthropic (whole), Llama
	StopReason string       `json:"stop_reason"`
	Usage      *tokenReport `json:"usage"`

	// Nova: the events of Converse, named by the field that they are in.
	MessageStart      json.RawMessage `json:"messageStart"`
	ContentBlockStart json.RawMessage `json:"contentBlockStart"`
	ContentBlockDelta json.RawMessage `json:"contentBlockDelta"`
	ContentBlockStop  json.RawMessage `json:"contentBlockStop"`
	MessageStop       json.RawMessage `json:"messageStop"`
	Metadata          json.RawMessage `json:"metadata"`

	// Titan
	OutputText       *string         `json:"outputText"`
	InputTextTokens  reported[int64] `json:"inputTextTokenCount"`
	TotalTextTokens  reported[int64] `json:"totalOutputTextTokenCount"`
	CompletionReason string          `json:"completionReason"`
	Results          []struct {
		OutputText       string          `json:"outputText"`
		TokenCount       reported[int64] `json:"tokenCount"`
		CompletionReason string          `json:"completionReason"`
	} `json:"results"`

	// Llama
	Generation       *string         `json:"generation"`
	PromptTokens     reported[int64] `json:"prompt_token_count"`
	GenerationTokens reported[int64] `json:"generation_token_count"`

	// Cohere Command R, and what else sends plain text
	EventType    string          `json:"event_type"`
	FinishReason string          `json:"finish_reason"`
	Text         *string         `json:"text"`
	Completion   *string         `json:"completion"`
	Output       json.RawMessage `json:"output"` // a string; of Nova an object

	Outputs []textChoice `json:"outputs"` // Mistral
	Choices []chatChoice `json:"choices"` // OpenAI and those who took over its form

	Error   json.RawMessage    `json:"error"`
	Metrics *invocationMetrics `json:"amazon-bedrock-invocationMetrics"`
}

type anthropicBlock struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	Name     string          `json:"name"`
	Input    json.RawMessage `json:"input"`
}

type anthropicDelta struct {
	Type        string `json:"type"`
	Text        string `json:"text"`
	Thinking    string `json:"thinking"`
	PartialJSON string `json:"partial_json"`
	StopReason  string `json:"stop_reason"`
}

type textChoice struct {
	Text       string `json:"text"`
	StopReason string `json:"stop_reason"`
}

type chatChoice struct {
	Index        int        `json:"index"`
	Delta        chatDelta  `json:"delta"`
	Message      *chatDelta `json:"message"`
	Text         string     `json:"text"` // DeepSeek R1
	FinishReason string     `json:"finish_reason"`
	StopReason   string     `json:"stop_reason"` // Mistral, DeepSeek
}

type chatDelta struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"` // a string; of some models a list of parts
	Reasoning        string          `json:"reasoning"`
	ReasoningContent string          `json:"reasoning_content"`
	Refusal          string          `json:"refusal"`
	ToolCalls        []struct {
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// chunk takes one event of InvokeModelWithResponseStream.
func (a *answer) chunk(data []byte, at stamp.Arrival) *fault.Error {
	var c chunk
	if !decode(data, &c) {
		return fault.New(fault.Protocol, "event %d of the stream is no JSON object: %s", a.events, jsonhttp.Excerpt(data))
	}
	a.metrics(c.Metrics)
	if c.failed() {
		return streamFailure("", data)
	}
	switch {
	case c.Type != "":
		a.ends = true
		a.anthropicEvent(&c, at)
	case c.novaEvent() != "":
		name := c.novaEvent()
		return a.converse(name, c.novaPayload(name), c.Metrics.tokens(), at)
	default:
		a.plain(&c, at)
	}
	return nil
}

// failed tells whether the chunk is an error object in the place of one.
func (c *chunk) failed() bool {
	switch string(c.Error) {
	case "", "null", "false", `""`:
		return false
	}
	return true
}

// anthropicEvent takes an event of Anthropic's Messages API.
func (a *answer) anthropicEvent(c *chunk, at stamp.Arrival) {
	e := event{extra: c.Metrics.tokens()}
	switch c.Type {
	case "message_start":
		var message struct {
			Usage *tokenReport `json:"usage"`
		}
		decode(c.Message, &message)
		e.kinds = backend.Role
		e.report = message.Usage.tokens()
		e.report.output = nil // the first token or two: the total follows in message_delta
	case "content_block_start":
		if b := c.ContentBlock; b != nil {
			e.text = backend.EventText{Text: []byte(b.Text), Reasoning: []byte(b.Thinking)}
			if b.Type == "tool_use" {
				e.text.Tool = []byte(b.Name)
			}
		}
	case "content_block_delta":
		if d := c.Delta; d != nil {
			e.text = backend.EventText{Text: []byte(d.Text), Reasoning: []byte(d.Thinking), Tool: []byte(d.PartialJSON)}
		}
	case "message_delta":
		e.report = c.Usage.tokens()
		if c.Delta != nil {
			e.finish = c.Delta.StopReason
		}
	}
	a.record(e, at)
}

// plain takes an event of the families that send pieces of text.
func (a *answer) plain(c *chunk, at stamp.Arrival) {
	e := event{finish: c.FinishReason, extra: c.Metrics.tokens()}
	switch {
	case len(c.Choices) > 0:
		a.ends = true
		a.choices(c, at)
		return
	case len(c.Outputs) > 0:
		a.ends = true
		for i, o := range c.Outputs {
			e := event{choice: i, text: backend.EventText{Text: []byte(o.Text)}, finish: o.StopReason}
			if i == len(c.Outputs)-1 {
				e.extra = c.Metrics.tokens()
			}
			a.record(e, at)
		}
		return
	case c.OutputText != nil:
		a.ends = true
		e.text.Text, e.finish = []byte(*c.OutputText), c.CompletionReason
		e.report = tokens{input: first(c.InputTextTokens), output: first(c.TotalTextTokens), source: backend.UsageFinal}
		e.tokens = a.grown(e.report.output)
	case c.Generation != nil:
		a.ends = true
		e.text.Text, e.finish = []byte(*c.Generation), c.StopReason
		e.report = tokens{input: first(c.PromptTokens), output: first(c.GenerationTokens), source: backend.UsageCumulative}
		e.tokens = a.grown(e.report.output)
	case c.EventType != "": // Command R; its last event repeats the whole text elsewhere
		a.ends = true
		if c.Text != nil {
			e.text.Text = []byte(*c.Text)
		}
	default:
		e.text.Text = []byte(c.text())
		if e.finish == "" {
			e.finish = c.StopReason
		}
		e.report = c.Usage.tokens()
	}
	a.record(e, at)
}

// text is the text of an answer of no known form.
func (c *chunk) text() string {
	for _, s := range []*string{c.Text, c.Completion} {
		if s != nil {
			return *s
		}
	}
	return stringOf(c.Output)
}

// choices takes an event of OpenAI's form, one backend event for each choice.
func (a *answer) choices(c *chunk, at stamp.Arrival) {
	for i := range c.Choices {
		ch := &c.Choices[i]
		e := event{choice: ch.Index, finish: ch.FinishReason}
		if e.finish == "" {
			e.finish = ch.StopReason
		}
		delta := &ch.Delta
		if ch.Message != nil {
			delta = ch.Message
		}
		e.text.Text = append([]byte(ch.Text), contentOf(delta.Content)...)
		e.text.Reasoning = []byte(delta.Reasoning)
		if len(e.text.Reasoning) == 0 {
			e.text.Reasoning = []byte(delta.ReasoningContent)
		}
		for _, call := range delta.ToolCalls {
			e.kinds |= backend.Tool
			e.text.Tool = append(append(e.text.Tool, call.Function.Name...), call.Function.Arguments...)
		}
		if delta.Role != "" {
			e.kinds |= backend.Role
		}
		if i == len(c.Choices)-1 {
			e.report, e.extra = c.Usage.tokens(), c.Metrics.tokens()
		}
		if delta.Refusal != "" {
			e.text.Text, e.refusal = []byte(delta.Refusal), true
		}
		a.record(e, at)
	}
}

// contentOf reads content that is a string or a list of parts.
func contentOf(content json.RawMessage) []byte {
	if s := stringOf(content); s != "" {
		return []byte(s)
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if len(content) == 0 || content[0] != '[' || json.Unmarshal(content, &parts) != nil {
		return nil
	}
	var all []byte
	for _, p := range parts {
		all = append(all, p.Text...)
	}
	return all
}

// stringOf is the value of a JSON string; "" where it is none.
func stringOf(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func (c *chunk) novaEvent() string {
	for _, name := range []string{evMessageStart, evBlockStart, evBlockDelta, evBlockStop, evMessageStop, evMetadata} {
		if c.novaPayload(name) != nil {
			return name
		}
	}
	return ""
}

func (c *chunk) novaPayload(name string) json.RawMessage {
	switch name {
	case evMessageStart:
		return c.MessageStart
	case evBlockStart:
		return c.ContentBlockStart
	case evBlockDelta:
		return c.ContentBlockDelta
	case evBlockStop:
		return c.ContentBlockStop
	case evMessageStop:
		return c.MessageStop
	}
	return c.Metadata
}
