package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answer reads the answer to one chat and tells the recorder. It may be used
// again after begin.
type answer struct {
	rec    *backend.Recorder
	event  event
	buffer []byte // of what is reasoning

	events   int  // of the stream, for messages
	finished bool // a finish reason was read
	done     bool // nothing of value follows
	failed   string
	why      string
}

// begin makes the answer ready for another request.
func (a *answer) begin(rec *backend.Recorder) {
	*a = answer{rec: rec, event: a.event, buffer: a.buffer[:0]}
}

// readStream reads events to message-end, [DONE], the end or a failure. The bytes
// after message-end are the caller's.
func (a *answer) readStream(src stamp.SpanReader) *fault.Error {
	reader := sse.NewReader(src, 0)
	for !a.done {
		event, err := reader.Next()
		switch {
		case err == nil:
			if failure := a.take(&event); failure != nil {
				return failure
			}
		case errors.Is(err, sse.ErrUnfinished):
			if data := bytes.TrimSpace(event.Data); isDone(data) || len(data) > 0 && json.Valid(data) { // only the last blank line is missing
				if failure := a.take(&event); failure != nil {
					return failure
				}
			}
			return a.ended()
		case errors.Is(err, io.EOF):
			return a.ended()
		default:
			return jsonhttp.TransportFault(err)
		}
	}
	return a.ended()
}

// ended is the failure, if any, of a stream that was read as far as it goes.
func (a *answer) ended() *fault.Error {
	switch {
	case a.failed != "":
		return a.generationFault()
	case a.finished || a.done:
		return nil
	case a.events == 0:
		return fault.New(fault.Truncated, "the stream ended before its first event")
	}
	return fault.New(fault.Truncated, "the stream ended after %d events without a message-end", a.events)
}

// take takes one event of the stream.
func (a *answer) take(event *sse.Event) *fault.Error {
	data := bytes.TrimSpace(event.Data)
	if len(data) == 0 {
		return nil
	}
	if isDone(data) {
		a.done = true
		return nil
	}
	a.events++
	name := string(event.Name)
	if err := a.event.parse(name, data); err != nil || data[0] != '{' {
		if name == typeError {
			return jsonhttp.StreamFailure(jsonhttp.ReadReport(data), classify)
		}
		if name == "ping" { // of a gateway
			a.rec.Event(backend.Other, backend.NoChoice, event.Arrival, 0, backend.EventText{})
			return nil
		}
		return fault.New(fault.Protocol, "event %d of the stream is none of Cohere's: %s", a.events, jsonhttp.Excerpt(data))
	}
	if name == typeError || a.event.failed() {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(data), classify)
	}
	a.record(event.Arrival)
	return nil
}

// record tells the recorder what an event says.
func (a *answer) record(at stamp.Arrival) {
	d := &a.event.Delta
	m := &d.Message
	var kinds backend.Kinds
	mark := func(there bool, kind backend.Kinds) {
		if there {
			kinds |= kind
		}
	}
	a.buffer = append(append(a.buffer[:0], m.ToolPlan...), m.Content.thinking...)
	mark(m.Role != "", backend.Role)
	mark(len(a.buffer) > 0, backend.Reasoning)
	mark(len(m.Content.text) > 0, backend.Text)
	mark(m.ToolCalls.there, backend.Tool)
	mark(d.FinishReason != "", backend.FinishReason)
	var usage backend.Usage
	if readUsage(d.Usage, &usage) {
		kinds |= backend.UsageReport
		a.rec.Usage(usage)
	}
	choice := 0
	if kinds&^backend.UsageReport == 0 {
		choice = backend.NoChoice
	}
	mark(kinds == 0, backend.Other)
	a.rec.Event(kinds, choice, at, 0, backend.EventText{Text: m.Content.text, Reasoning: a.buffer, Tool: m.ToolCalls.text})
	if d.FinishReason != "" {
		a.finish(d.FinishReason, d.Error)
	}
	a.done = a.done || a.event.Type == typeEnd
}

// finish takes down why the answer ended.
func (a *answer) finish(reason string, why json.RawMessage) {
	a.finished = true
	finish := finishOf(reason)
	a.rec.Finish(0, finish, reason)
	if finish == backend.FinishError {
		a.failed = reason
		if given(why) {
			a.why = jsonhttp.ReadReport(why).Message
		}
	}
}

// generationFault is the failure that a finish reason tells of. ERROR and
// TIMEOUT are Cohere's own trouble: the same request may succeed later.
func (a *answer) generationFault() *fault.Error {
	message := a.why
	if message == "" {
		message = fmt.Sprintf("Cohere ended the answer with finish_reason %q", a.failed)
	}
	failure := fault.New(fault.Server, "%s", message)
	failure.ProviderCode, failure.Retryable = a.failed, true
	return failure
}

// readWhole takes an answer that came in one piece, all of which arrived when
// its last byte did.
func (a *answer) readWhole(body []byte, at stamp.Arrival) *fault.Error {
	var w whole
	if err := json.Unmarshal(body, &w); err != nil || !isObject(bytes.TrimSpace(body)) {
		return notProtocol(body)
	}
	if given(w.Error) || isText(w.Message) {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(body), classify)
	}
	if !isObject(w.Message) {
		return fault.New(fault.Protocol, "the answer has no \"message\": %s", jsonhttp.Excerpt(body))
	}
	a.event = event{Type: typeEnd, Delta: delta{FinishReason: w.FinishReason, Usage: w.Usage}}
	if err := json.Unmarshal(w.Message, &a.event.Delta.Message); err != nil {
		return notProtocol(body)
	}
	a.record(at)
	return a.ended()
}

// finishOf maps a finish reason to the common words: those of ChatFinishReason,
// and two of the API's first version.
func finishOf(reason string) backend.Finish {
	switch reason {
	case "COMPLETE", "STOP_SEQUENCE":
		return backend.FinishStop
	case "MAX_TOKENS", "ERROR_LIMIT":
		return backend.FinishLength
	case "TOOL_CALL":
		return backend.FinishTool
	case "ERROR_TOXIC":
		return backend.FinishContentFilter
	case "ERROR", "TIMEOUT":
		return backend.FinishError
	}
	return backend.FinishUnknown
}

// notProtocol is the failure of a success whose body is no answer of Cohere's.
func notProtocol(body []byte) *fault.Error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return fault.New(fault.Protocol, "the server answered with success and an empty body")
	}
	if body[0] == '<' {
		failure := fault.New(fault.Protocol, "the server answered with %s", jsonhttp.ReadReport(body).Message)
		failure.Hint = "check --api-base"
		return failure
	}
	return fault.New(fault.Protocol, "the answer is none of Cohere's: %s", jsonhttp.Excerpt(body))
}
