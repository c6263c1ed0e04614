package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Answer reads the answer to one chat and tells the recorder. It may be used
// again after Begin.
type Answer struct {
	rec   *backend.Recorder
	event event
	// What an event says, by its kind; used again.
	text, reasoning, tool []byte

	events   int // of the stream, for messages
	choices  []choiceState
	usage    backend.Usage
	reported bool
	running  bool   // usage came before the end: a running total
	done     bool   // [DONE] was read
	failed   string // the finish reason by which OCI says that it failed
	why      string // its errorMessage
}

// choiceState is what is known of one choice so far.
type choiceState struct {
	index    int
	size     int // bytes of text
	text     maphash.Hash
	finished bool
}

// choicesMax bounds the choices that are kept track of.
const choicesMax = 128

// Begin makes the answer ready for another request.
func (a *Answer) Begin(rec *backend.Recorder) {
	*a = Answer{rec: rec, event: a.event, text: a.text[:0], reasoning: a.reasoning[:0], tool: a.tool[:0], choices: a.choices[:0]}
}

// Done tells whether the stream said that it is over although more bytes may
// follow.
func (a *Answer) Done() bool { return a.done }

func (a *Answer) state(index int) *choiceState {
	for i := range a.choices {
		if a.choices[i].index == index {
			return &a.choices[i]
		}
	}
	if len(a.choices) < choicesMax {
		a.choices = append(a.choices, choiceState{index: index})
	}
	return &a.choices[len(a.choices)-1]
}

// ReadStream reads events until [DONE], the end or a failure. The bytes after
// [DONE] are the caller's.
func (a *Answer) ReadStream(src stamp.SpanReader) *fault.Error {
	return a.end(a.readStream(src))
}

func (a *Answer) readStream(src stamp.SpanReader) *fault.Error {
	reader := sse.NewReader(src, 0)
	for !a.done {
		event, err := reader.Next()
		switch {
		case err == nil:
			if failure := a.take(&event); failure != nil {
				return failure
			}
		case errors.Is(err, sse.ErrUnfinished):
			data := bytes.TrimSpace(event.Data)
			if bytes.Equal(data, doneMark) || len(data) > 0 && json.Valid(data) { // only the last blank line is missing
				if failure := a.take(&event); failure != nil {
					return failure
				}
			}
			return a.truncation()
		case errors.Is(err, io.EOF):
			return a.truncation()
		default:
			return jsonhttp.TransportFault(err)
		}
	}
	return nil
}

var doneMark = []byte("[DONE]")

func (a *Answer) truncation() *fault.Error {
	if a.complete() {
		return nil
	}
	if a.events == 0 {
		return fault.New(fault.Truncated, "the stream ended before its first event")
	}
	return fault.New(fault.Truncated, "the stream ended after %d events without a finishReason", a.events)
}

// complete tells whether every choice that was begun has ended.
func (a *Answer) complete() bool {
	if a.done {
		return true
	}
	for i := range a.choices {
		if !a.choices[i].finished {
			return false
		}
	}
	return len(a.choices) > 0
}

// take takes one event of the stream.
func (a *Answer) take(event *sse.Event) *fault.Error {
	data := bytes.TrimSpace(event.Data)
	if len(data) == 0 {
		return nil
	}
	if bytes.Equal(data, doneMark) {
		a.done = true
		return nil
	}
	a.events++
	name := string(event.Name)
	if name == "error" {
		return newFailure(0, readReport(data))
	}
	if err := a.event.parse(data); err != nil {
		if name != "" && name != "message" { // a ping, or what else a proxy adds
			a.rec.Event(backend.Other, backend.NoChoice, event.Arrival, 0, backend.EventText{})
			return nil
		}
		return fault.New(fault.Protocol, "event %d of the stream is no JSON object: %s", a.events, jsonhttp.Excerpt(data))
	}
	if a.event.failed() {
		return newFailure(0, readReport(data))
	}
	a.record(event.Arrival)
	return nil
}

// record tells the recorder what an event says.
func (a *Answer) record(at stamp.Arrival) {
	e := &a.event
	var kinds backend.Kinds
	if readUsage(e.Usage, &a.usage) {
		kinds |= backend.UsageReport
		a.reported = true
	}
	mark := func(there bool, kind backend.Kinds) {
		if there {
			kinds |= kind
		}
	}
	m := &e.Message
	a.text, a.reasoning, a.tool = append(a.text[:0], e.Text...), a.reasoning[:0], a.tool[:0]
	for i := range m.Content {
		if b := &m.Content[i]; b.thinks() {
			a.reasoning = b.append(a.reasoning)
		} else {
			a.text = b.append(a.text)
		}
	}
	a.reasoning = append(append(a.reasoning, m.ReasoningContent...), m.ToolPlan...)
	for _, calls := range [][]toolCall{e.ToolCalls, m.ToolCalls} {
		for i := range calls {
			a.tool = calls[i].append(a.tool)
			kinds |= backend.Tool
		}
	}
	says := m.Role != "" || len(a.text) > 0 || len(a.reasoning) > 0 || m.Refusal != "" || e.FinishReason != "" || kinds&backend.Tool != 0
	if !says {
		mark(kinds == 0, backend.Other)
		a.rec.Event(kinds, backend.NoChoice, at, 0, backend.EventText{})
		return
	}
	state := a.state(e.Index)
	if e.FinishReason != "" && state.repeats(a.text) {
		a.text = a.text[:0] // the last event of the COHERE format has the whole text once more
	}
	mark(len(a.reasoning) > 0, backend.Reasoning)
	mark(len(a.text) > 0, backend.Text)
	mark(m.Refusal != "", backend.Refusal)
	mark(e.FinishReason != "", backend.FinishReason)
	mark(kinds == 0, backend.Role)
	state.size += len(a.text)
	if _, err := state.text.Write(a.text); err != nil {
		panic(err) // it never fails
	}
	a.text = append(a.text, m.Refusal...)
	a.rec.Event(kinds, e.Index, at, 0, backend.EventText{Text: a.text, Reasoning: a.reasoning, Tool: a.tool})
	if e.FinishReason != "" {
		state.finished = true
		finish := finishOf(e.FinishReason)
		a.rec.Finish(e.Index, finish, e.FinishReason)
		if finish == backend.FinishError {
			a.failed, a.why = e.FinishReason, e.ErrorMessage
		}
	}
	a.running = a.running || kinds&backend.UsageReport != 0 && !state.finished
}

// repeats tells whether a text is all that the choice has said so far.
func (s *choiceState) repeats(text []byte) bool {
	if s.size == 0 || s.size != len(text) {
		return false
	}
	return maphash.Bytes(s.text.Seed(), text) == s.text.Sum64()
}

// end closes the recording of an answer that was read as far as possible.
func (a *Answer) end(failure *fault.Error) *fault.Error {
	if a.reported {
		a.usage.Source = backend.UsageFinal
		if a.running {
			a.usage.Source = backend.UsageCumulative
		}
		a.rec.Usage(a.usage)
	}
	if failure == nil && a.failed != "" {
		message := a.why
		if message == "" {
			message = fmt.Sprintf("OCI ended the answer with finishReason %q", a.failed)
		}
		failure = fault.New(fault.Server, "%s", message)
		failure.ProviderCode, failure.Retryable = a.failed, true
	}
	return failure
}

// ReadWhole takes an answer that came in one piece, all of which arrived when
// its last byte did.
func (a *Answer) ReadWhole(body []byte, at stamp.Arrival) *fault.Error {
	return a.end(a.readWhole(body, at))
}

func (a *Answer) readWhole(body []byte, at stamp.Arrival) *fault.Error {
	var w whole
	if err := json.Unmarshal(body, &w); err != nil {
		return jsonhttp.NotProtocol(body)
	}
	if len(w.ChatResponse) == 0 || isNull(w.ChatResponse) {
		if w.Code != "" || len(w.Error) > 0 && !isNull(w.Error) || len(w.Message) > 0 {
			return newFailure(0, readReport(body))
		}
		return fault.New(fault.Protocol, "the answer has no \"chatResponse\": %s", jsonhttp.Excerpt(body))
	}
	var g generic
	if err := json.Unmarshal(w.ChatResponse, &g); err != nil {
		return jsonhttp.NotProtocol(w.ChatResponse)
	}
	if g.Choices == nil {
		if err := a.event.parse(w.ChatResponse); err != nil {
			return jsonhttp.NotProtocol(w.ChatResponse)
		}
		a.record(at)
		a.running = false
		return nil
	}
	for _, choice := range g.Choices {
		if err := a.event.parse(choice); err != nil {
			return jsonhttp.NotProtocol(choice)
		}
		a.record(at)
	}
	if readUsage(g.Usage, &a.usage) {
		a.reported = true
	}
	a.running = false
	return nil
}

// finishOf maps a finish reason to the common words. Those in capitals are the
// enumerations of CohereChatResponse and CohereChatResponseV2; the GENERIC format
// has OpenAI's.
func finishOf(reason string) backend.Finish {
	switch reason {
	case "COMPLETE", "STOP_SEQUENCE", "stop", "STOP", "eos", "end_turn":
		return backend.FinishStop
	case "MAX_TOKENS", "ERROR_LIMIT", "length", "LENGTH", "max_tokens":
		return backend.FinishLength
	case "TOOL_CALL", "tool_calls", "TOOL_CALLS", "tool_call", "function_call":
		return backend.FinishTool
	case "ERROR_TOXIC", "content_filter", "CONTENT_FILTER":
		return backend.FinishContentFilter
	case "ERROR", "USER_CANCEL", "error", "abort":
		return backend.FinishError
	}
	return backend.FinishUnknown
}
