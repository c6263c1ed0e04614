package main

import (
	"encoding/json"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// anthropic is rawPredict and streamRawPredict of Claude, by
// https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude and
// https://docs.anthropic.com/en/api/messages.
type anthropic struct{}

var _ shape = anthropic{}

// What Claude's messages demand on Vertex AI.
const (
	anthropicVersion   = "vertex-2023-10-16"
	anthropicMaxTokens = 4096 // where nothing was asked for: the API has no default
)

func (anthropic) streams() bool { return true }

func (anthropic) url(t target, model string, stream bool) string {
	if stream {
		return t.model("anthropic", model, "streamRawPredict")
	}
	return t.model("anthropic", model, "rawPredict")
}

func (anthropic) body(r *backend.Request, _ string, stream bool) (jsonhttp.Object, *fault.Error) {
	var messages []json.RawMessage
	var system []string
	for _, m := range r.Chat.Messages {
		if m.Role == "system" || m.Role == "developer" {
			system = append(system, m.TextOf())
			continue
		}
		content, failure := anthropicContent(m)
		if failure != nil {
			return nil, failure
		}
		messages = append(messages, jsonhttp.Object{{Name: "role", Value: jsonhttp.Quoted(m.Role)}, {Name: "content", Value: content}}.Text())
	}
	maxTokens := r.Chat.MaxTokens
	if maxTokens == 0 {
		maxTokens = anthropicMaxTokens
	}
	body := jsonhttp.Object{
		{Name: "anthropic_version", Value: jsonhttp.Quoted(anthropicVersion)},
		{Name: "messages", Value: jsonhttp.List(messages...)},
		{Name: "max_tokens", Value: jsonhttp.Number(maxTokens)},
	}
	if len(system) > 0 {
		body.Set("system", jsonhttp.Quoted(strings.Join(system, "\n")))
	}
	if len(r.Chat.Stop) > 0 {
		body.Set("stop_sequences", jsonhttp.QuotedList(r.Chat.Stop))
	}
	if stream {
		body.Set("stream", json.RawMessage("true"))
	}
	return body, nil
}

// anthropicContent is the content of a message; a text alone is a string.
func anthropicContent(m backend.Message) (json.RawMessage, *fault.Error) {
	if !m.HasImages() {
		return jsonhttp.Quoted(m.TextOf()), nil
	}
	var blocks []json.RawMessage
	for _, p := range m.Parts {
		if p.Image == nil {
			blocks = append(blocks, jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("text")}, {Name: "text", Value: jsonhttp.Quoted(p.Text)}}.Text())
			continue
		}
		mime, data, address, failure := pictureOf(p.Image)
		if failure != nil {
			return nil, failure
		}
		source := jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("base64")}, {Name: "media_type", Value: jsonhttp.Quoted(mime)}, {Name: "data", Value: jsonhttp.Quoted(data)}}
		if address != "" {
			source = jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("url")}, {Name: "url", Value: jsonhttp.Quoted(address)}}
		}
		blocks = append(blocks, jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("image")}, {Name: "source", Value: source.Text()}}.Text())
	}
	return jsonhttp.List(blocks...), nil
}

func (anthropic) merge(body *jsonhttp.Object, params jsonhttp.Object) {
	for _, p := range params {
		if p.Name == "stop" {
			p.Name = "stop_sequences"
		}
		body.Merge(jsonhttp.Object{p})
	}
}

// anthropicEvent is an event of a stream, or a whole message.
type anthropicEvent struct {
	Type    string            `json:"type"`
	Message *anthropicMessage `json:"message"`
	Block   *anthropicBlock   `json:"content_block"`
	Delta   *anthropicDelta   `json:"delta"`
	Usage   *anthropicUsage   `json:"usage"`
	Content []anthropicBlock  `json:"content"`
	Stop    string            `json:"stop_reason"`
	Error   json.RawMessage   `json:"error"`
}

type anthropicMessage struct {
	Usage *anthropicUsage `json:"usage"`
}

type anthropicBlock struct {
	Type     string          `json:"type"`
	Text     string          `json:"text"`
	Thinking string          `json:"thinking"`
	Input    json.RawMessage `json:"input"`
}

type anthropicDelta struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Thinking string `json:"thinking"`
	JSON     string `json:"partial_json"`
	Stop     string `json:"stop_reason"`
}

type anthropicUsage struct {
	Input      *int64 `json:"input_tokens"`
	Output     *int64 `json:"output_tokens"`
	CacheRead  *int64 `json:"cache_read_input_tokens"`
	CacheWrite *int64 `json:"cache_creation_input_tokens"`
}

// take lays a report over what is known. Anthropic's input leaves out what the
// cache had; ours has it in.
func (u *anthropicUsage) take(into *backend.Usage) bool {
	if u == nil {
		return false
	}
	in := u.Input != nil && count(&into.Input, sum(u.Input, u.CacheRead, u.CacheWrite))
	out := count(&into.Output, u.Output)
	cached := count(&into.CachedInput, u.CacheRead)
	written := count(&into.CacheWrite, u.CacheWrite)
	if !in && !out && !cached && !written {
		return false
	}
	into.Source = backend.UsageCumulative
	return true
}

func (b anthropicBlock) take(s *said) {
	switch b.Type {
	case "text":
		s.text.Text = append(s.text.Text, b.Text...)
	case "thinking":
		s.text.Reasoning = append(s.text.Reasoning, b.Thinking...)
	case "tool_use", "server_tool_use":
		s.kinds |= backend.Tool
		if string(b.Input) != "{}" { // a stream begins a call with an empty one
			s.text.Tool = append(s.text.Tool, b.Input...)
		}
	}
}

func (anthropic) event(data []byte, at stamp.Arrival, a *answer) *fault.Error {
	var e anthropicEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return unreadable(data)
	}
	if e.Type == "error" || len(e.Error) > 0 && string(e.Error) != "null" {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(data), classify)
	}
	var s said
	usage := false
	switch e.Type {
	case "message_start":
		s.kinds = backend.Role
		if e.Message != nil {
			usage = e.Message.Usage.take(&a.usage)
		}
	case "content_block_start":
		if e.Block != nil {
			e.Block.take(&s)
		}
	case "content_block_delta":
		if d := e.Delta; d != nil {
			s.text = backend.EventText{Text: []byte(d.Text), Reasoning: []byte(d.Thinking), Tool: []byte(d.JSON)}
		}
	case "message_delta":
		if e.Delta != nil {
			s.finish = e.Delta.Stop
		}
		usage = e.Usage.take(&a.usage)
	case "message": // whole
		for _, b := range e.Content {
			b.take(&s)
		}
		s.finish = e.Stop
		if usage = e.Usage.take(&a.usage); usage {
			a.usage.Source = backend.UsageFinal
		}
	case "content_block_stop": // carries nothing, and is an event all the same
	case "ping", "message_stop":
		return nil
	default:
		return unreadable(data)
	}
	s.means = finishOf(s.finish)
	a.record(s, usage, at)
	return nil
}
