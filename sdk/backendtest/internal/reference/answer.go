package reference

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answer reads one answer into a recorder.
type answer struct {
	rec      *backend.Recorder
	defect   Defect
	finished int
	grows    bool
	reported bool
}

type delta struct {
	Role             string
	Content          string
	Refusal          string
	Reasoning        string
	ReasoningContent string `json:"reasoning_content"`
	ToolCalls        []struct {
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

type chunk struct {
	Error   json.RawMessage
	Choices []struct {
		Index          int
		Delta, Message delta
		FinishReason   string `json:"finish_reason"`
	}
	Usage *struct {
		PromptTokens     int64 `json:"prompt_tokens"`
		CompletionTokens int64 `json:"completion_tokens"`
		Details          struct {
			Reasoning *int64 `json:"reasoning_tokens"`
		} `json:"completion_tokens_details"`
	}
}

// broken says that the transport failed; its class is the transport's.
func broken() *fault.Error { return &fault.Error{} }

// read reads the whole answer.
func (a *answer) read(response *http.Response, body *spans) *fault.Error {
	failure := a.readBody(response, body)
	if a.defect == InventsUsage && !a.reported {
		a.rec.Usage(backend.Usage{Input: new(int64), Output: new(int64), Source: backend.UsageFinal})
	}
	return failure
}

func (a *answer) readBody(response *http.Response, body *spans) *fault.Error {
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return a.readWhole(response, body)
	}
	events := sse.NewReader(body, 0)
	for {
		event, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && (a.finished > 0 || a.defect == AcceptsTruncated):
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, sse.ErrUnfinished) && a.finished == 0:
			return fault.New(fault.Truncated, "the stream has no end")
		case err != nil:
			return broken()
		case string(event.Data) == "[DONE]":
			for err == nil { // to the end of the body, so that the connection can be used again
				_, err = events.Next()
			}
			return nil
		}
		var c chunk
		if err := json.Unmarshal(event.Data, &c); err != nil {
			return fault.New(fault.Protocol, "an event is no JSON: %v", err)
		}
		if e := streamFault(c.Error); e != nil {
			return e
		}
		a.record(&c, event.Arrival)
	}
}

func (a *answer) readWhole(response *http.Response, body *spans) *fault.Error {
	var all []byte
	var at stamp.Arrival
	for {
		span, err := body.NextSpan()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken()
		}
		all, at = append(all, span.Bytes...), span.Arrival
	}
	if response.StatusCode != http.StatusOK {
		return statusFault(response, all)
	}
	var c chunk
	if err := json.Unmarshal(all, &c); err != nil {
		return fault.New(fault.Protocol, "the answer is no JSON: %v", err)
	}
	if e := streamFault(c.Error); e != nil {
		return e
	}
	a.record(&c, at)
	return nil
}

func (a *answer) record(c *chunk, at stamp.Arrival) {
	if a.defect == EarlyStamps {
		at.At = at.At.Add(-5 * time.Millisecond)
	}
	if a.defect == Buffers {
		const every = 100 * time.Millisecond
		at.At += stamp.Nanos(every) - at.At%stamp.Nanos(every)
	}
	usage := backend.Kinds(0)
	if c.Usage != nil {
		usage = backend.UsageReport
		a.grows = a.grows || len(c.Choices) > 0 && c.Choices[0].FinishReason == ""
		u := backend.Usage{
			Input: &c.Usage.PromptTokens, Output: &c.Usage.CompletionTokens, Reasoning: c.Usage.Details.Reasoning, Source: backend.UsageFinal,
		}
		if a.grows {
			u.Source = backend.UsageCumulative
		}
		a.reported = true
		a.rec.Usage(u)
	}
	if len(c.Choices) == 0 {
		if usage == 0 {
			usage = backend.Other
		}
		a.rec.Event(usage, backend.NoChoice, at, 0, backend.EventText{})
	}
	for _, choice := range c.Choices {
		d := choice.Delta
		if choice.Message.Role != "" {
			d = choice.Message
		}
		kinds, text := d.kinds()
		if a.defect == RoleIsOutput && kinds&backend.Role != 0 {
			kinds |= backend.Text
		}
		if choice.FinishReason != "" {
			kinds |= backend.FinishReason
			a.finished++
			if a.defect == LosesText {
				text = backend.EventText{}
			}
		}
		a.rec.Event(kinds|usage, choice.Index, at, 0, text)
		if choice.FinishReason != "" {
			a.rec.Finish(choice.Index, finishOf(choice.FinishReason), choice.FinishReason)
		}
	}
}

func (d *delta) kinds() (kinds backend.Kinds, text backend.EventText) {
	if d.Role != "" {
		kinds |= backend.Role
	}
	reasoning := d.Reasoning
	if reasoning == "" {
		reasoning = d.ReasoningContent
	}
	if reasoning != "" {
		kinds |= backend.Reasoning
		text.Reasoning = []byte(reasoning)
	}
	if d.Content != "" {
		kinds |= backend.Text
		text.Text = []byte(d.Content)
	}
	if d.Refusal != "" {
		kinds |= backend.Refusal
		text.Text = []byte(d.Refusal)
	}
	for _, call := range d.ToolCalls {
		kinds |= backend.Tool
		text.Tool = append(text.Tool, call.Function.Name+call.Function.Arguments...)
	}
	return kinds, text
}

func finishOf(reason string) backend.Finish {
	switch reason {
	case "stop":
		return backend.FinishStop
	case "length":
		return backend.FinishLength
	case "tool_calls":
		return backend.FinishTool
	case "content_filter":
		return backend.FinishContentFilter
	}
	return backend.FinishUnknown
}
