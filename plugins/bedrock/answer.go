package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/genai-bench/genai-bench/plugins/bedrock/frame"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answer reads the answer to one chat and tells the recorder.
type answer struct {
	rec    *backend.Recorder
	usage  tokens
	events int
	// ends: answers of this form have a finish reason, without which one is cut
	// off. finished: it was read.
	ends, finished bool
	failed         string // the finish reason by which the model says that it failed
	counted        int64  // output tokens by the last running total
	counts         bool   // there was one
	began          bool   // output has come
}

// event is what one event of the stream, or a whole answer, carried.
type event struct {
	kinds   backend.Kinds
	text    backend.EventText
	refusal bool // the text is one: it counts as text, its kind tells it apart
	choice  int
	tokens  int
	finish  string
	report  tokens // in the model's own words: it replaces what was reported before
	extra   tokens // what Bedrock added: it fills in what was not reported
}

// record tells the recorder of an event.
func (a *answer) record(e event, at stamp.Arrival) {
	reported := a.usage.lay(e.report)
	if a.usage.fill(e.extra) || reported {
		e.kinds |= backend.UsageReport
	}
	if e.finish != "" {
		e.kinds |= backend.FinishReason
		a.finished = true
	}
	switch {
	case e.refusal:
		e.kinds |= backend.Refusal
	case len(e.text.Text) > 0:
		e.kinds |= backend.Text
	}
	if len(e.text.Reasoning) > 0 {
		e.kinds |= backend.Reasoning
	}
	if len(e.text.Tool) > 0 {
		e.kinds |= backend.Tool
	}
	choice := e.choice
	switch e.kinds {
	case 0:
		e.kinds, choice = backend.Other, backend.NoChoice
	case backend.UsageReport:
		choice = backend.NoChoice
	}
	a.began = a.began || e.kinds&backend.Output != 0
	a.rec.Event(e.kinds, choice, at, e.tokens, e.text)
	if e.finish != "" {
		finish := finishOf(e.finish)
		a.rec.Finish(e.choice, finish, e.finish)
		if finish == backend.FinishError {
			a.failed = e.finish
		}
	}
}

// grown takes a running total of output tokens and returns by how many it grew;
// 0 where that cannot be told: a first total in the middle of the output counts
// all tokens so far, not those of its event.
func (a *answer) grown(total *int64) int {
	if total == nil {
		return 0
	}
	known, before := a.counts || !a.began, a.counted
	a.counts, a.counted = true, *total
	if !known || *total < before {
		return 0
	}
	return int(*total - before)
}

// end closes the recording of an answer that was read as far as possible.
func (a *answer) end(header http.Header, failure *fault.Error) *fault.Error {
	a.usage.fill(headerTokens(header))
	if usage := a.usage.usage(); usage.Reported() {
		a.rec.Usage(usage)
	}
	if failure == nil && a.failed != "" {
		failure = fault.New(fault.Server, "the model ended the answer with the reason %q", a.failed)
		failure.ProviderCode, failure.Retryable = a.failed, true
	}
	return failure
}

// serverTime records milliseconds that the provider reports of itself.
func (a *answer) serverTime(name string, milliseconds *float64) {
	if milliseconds != nil && *milliseconds >= 0 && *milliseconds < 1e12 {
		a.rec.ServerTime(name, time.Duration(*milliseconds*float64(time.Millisecond)))
	}
}

func (a *answer) metrics(m *invocationMetrics) {
	if m != nil {
		a.serverTime("invocationLatency", m.InvocationLatency.value)
		a.serverTime("firstByteLatency", m.FirstByteLatency.value)
	}
}

// readStream reads messages until the end or a failure.
func (a *answer) readStream(src stamp.SpanReader) *fault.Error {
	reader := frame.NewReader(src)
	for {
		m, err := reader.Next()
		switch {
		case err == nil:
			if failure := a.message(&m); failure != nil {
				return failure
			}
		case errors.Is(err, io.EOF):
			return a.truncation()
		case errors.Is(err, frame.ErrUnfinished):
			return fault.New(fault.Truncated, "after %d events %v", a.events, err)
		default:
			return jsonhttp.TransportFault(err)
		}
	}
}

func (a *answer) truncation() *fault.Error {
	switch {
	case a.events == 0:
		return fault.New(fault.Truncated, "the event stream ended before its first event")
	case a.ends && !a.finished:
		return fault.New(fault.Truncated, "the event stream ended after %d events without a finish reason", a.events)
	}
	return nil
}

// message takes one message of the stream. Events of InvokeModel hold the
// model's own chunk as {"bytes": base64}, those of Converse are named by their
// type.
func (a *answer) message(m *frame.Message) *fault.Error {
	switch string(m.MessageType) {
	case "exception":
		return streamFailure(string(m.ExceptionType), m.Payload)
	case "error":
		return newFailure(0, errorReport{Code: string(m.ErrorCode), Message: string(m.ErrorMessage)})
	}
	a.events++
	if string(m.EventType) != "chunk" {
		return a.converse(string(m.EventType), m.Payload, tokens{}, m.Arrival)
	}
	var wrapped struct {
		Bytes []byte `json:"bytes"`
	}
	if err := json.Unmarshal(m.Payload, &wrapped); err != nil {
		return fault.New(fault.Protocol, "event %d of the stream holds no chunk: %s", a.events, jsonhttp.Excerpt(m.Payload))
	}
	return a.chunk(wrapped.Bytes, m.Arrival)
}

// decode reads JSON and forgives fields of a wrong type, as if they were
// absent. It tells whether the text is an object.
func decode(text []byte, into any) bool {
	err := json.Unmarshal(text, into)
	var typed *json.UnmarshalTypeError
	return err == nil && isObjectText(text) || errors.As(err, &typed) && typed.Field != ""
}

func isObjectText(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c == '{'
	}
	return false
}

func isNull(value []byte) bool   { return string(value) == "null" }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }
