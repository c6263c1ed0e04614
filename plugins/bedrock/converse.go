package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// The events of ConverseStream, and of Nova's streams. Source: ConverseStreamOutput
// in the Amazon Bedrock API reference.
const (
	evMessageStart = "messageStart"
	evBlockStart   = "contentBlockStart"
	evBlockDelta   = "contentBlockDelta"
	evBlockStop    = "contentBlockStop"
	evMessageStop  = "messageStop"
	evMetadata     = "metadata"
)

// converseBlock is a content block of a whole answer, or what a delta adds to
// one.
type converseBlock struct {
	Text    string `json:"text"`
	ToolUse *struct {
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"` // of a delta a string, else an object
	} `json:"toolUse"`
	Reasoning *struct {
		Text          string `json:"text"` // of a delta
		ReasoningText *struct {
			Text string `json:"text"`
		} `json:"reasoningText"` // of a block
	} `json:"reasoningContent"`
}

func (b *converseBlock) add(e *event) {
	e.text.Text = append(e.text.Text, b.Text...)
	if r := b.Reasoning; r != nil {
		e.text.Reasoning = append(e.text.Reasoning, r.Text...)
		if r.ReasoningText != nil {
			e.text.Reasoning = append(e.text.Reasoning, r.ReasoningText.Text...)
		}
	}
	if t := b.ToolUse; t != nil {
		e.text.Tool = append(append(e.text.Tool, t.Name...), toolInput(t.Input)...)
	}
}

// toolInput is what a tool is called with: an object, in pieces a string.
func toolInput(input json.RawMessage) []byte {
	if isObject(input) {
		return input
	}
	return []byte(stringOf(input))
}

type converseMetadata struct {
	Usage   *tokenReport     `json:"usage"`
	Metrics *converseMetrics `json:"metrics"`
}

type converseMetrics struct {
	Latency reported[float64] `json:"latencyMs"`
}

func (a *answer) latency(m *converseMetrics) {
	if m != nil {
		a.serverTime("latencyMs", m.Latency.value)
	}
}

// converse takes an event of ConverseStream by its name; extra is what Bedrock
// added to one of Nova's.
func (a *answer) converse(name string, payload []byte, extra tokens, at stamp.Arrival) *fault.Error {
	a.ends = true
	e := event{extra: extra}
	ok := true
	switch name {
	case evMessageStart:
		e.kinds = backend.Role
		ok = decode(payload, &struct{}{})
	case evBlockStart:
		var start struct {
			Start converseBlock `json:"start"`
		}
		ok = decode(payload, &start)
		start.Start.add(&e)
	case evBlockDelta:
		var delta struct {
			Delta converseBlock `json:"delta"`
		}
		ok = decode(payload, &delta)
		delta.Delta.add(&e)
	case evMessageStop:
		var stop struct {
			StopReason string `json:"stopReason"`
		}
		ok = decode(payload, &stop)
		e.finish = stop.StopReason
	case evMetadata:
		var metadata converseMetadata
		ok = decode(payload, &metadata)
		e.report = metadata.Usage.tokens()
		a.latency(metadata.Metrics)
	}
	if !ok {
		return fault.New(fault.Protocol, "event %d of the stream (%s) is no JSON object: %s", a.events, name, jsonhttp.Excerpt(payload))
	}
	a.record(e, at)
	return nil
}
