package main

import (
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answer takes down the answer to one request.
type answer struct {
	rec      *backend.Recorder
	usage    backend.Usage
	finished map[int]bool // choices with a finish reason
	open     map[int]bool // choices that have begun
	calls    map[int]bool // choices that call a tool
	vectors  bool
}

// said is what one choice of one event says.
type said struct {
	kinds  backend.Kinds // besides those that follow from the rest
	choice int
	text   backend.EventText
	tokens int
	finish string
	means  backend.Finish
	ends   bool // the choice has ended, though no reason is given
}

// record tells the recorder of one choice's part of an event; usage says that
// the event reports some.
func (a *answer) record(s said, usage bool, at stamp.Arrival) {
	kinds := s.kinds
	if len(s.text.Text) > 0 && kinds&backend.Refusal == 0 {
		kinds |= backend.Text
	}
	if len(s.text.Reasoning) > 0 {
		kinds |= backend.Reasoning
	}
	if len(s.text.Tool) > 0 {
		kinds |= backend.Tool
	}
	if usage {
		kinds |= backend.UsageReport
	}
	if s.finish != "" {
		kinds |= backend.FinishReason
	}
	choice := s.choice
	if kinds == 0 {
		kinds, choice = backend.Other, backend.NoChoice
	} else if kinds == backend.UsageReport {
		choice = backend.NoChoice
	}
	if a.open == nil {
		a.open, a.finished = map[int]bool{}, map[int]bool{}
	}
	if choice != backend.NoChoice {
		a.open[choice] = true
	}
	a.rec.Event(kinds, choice, at, s.tokens, s.text)
	if s.finish != "" || s.ends {
		a.finished[s.choice] = true
	}
	if s.finish != "" {
		a.rec.Finish(s.choice, s.means, s.finish)
	}
}

// called remembers that a choice calls a tool.
func (a *answer) called(choice int) {
	if a.calls == nil {
		a.calls = map[int]bool{}
	}
	a.calls[choice] = true
}

// end closes the recording of an answer that was read as far as possible.
func (a *answer) end(failure *fault.Error) *fault.Error {
	if a.usage.Reported() {
		a.rec.Usage(a.usage)
	}
	if failure != nil || a.vectors {
		return failure
	}
	if len(a.finished) == 0 || len(a.finished) < len(a.open) {
		return fault.New(fault.Truncated, "the answer ended without a finish reason")
	}
	return nil
}

// count sets a number of the usage where it was reported.
func count(into **int64, n *int64) bool {
	if n == nil {
		return false
	}
	value := *n
	*into = &value
	return true
}

// sum is the sum of what was reported; nil where nothing was.
func sum(all ...*int64) *int64 {
	var total int64
	some := false
	for _, n := range all {
		if n != nil {
			total, some = total+*n, true
		}
	}
	if !some {
		return nil
	}
	return &total
}

// finishes are the finish reasons of Gemini
// (https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#FinishReason)
// and the stop reasons of Anthropic's messages.
var finishes = map[string]backend.Finish{
	"STOP":                     backend.FinishStop,
	"MAX_TOKENS":               backend.FinishLength,
	"SAFETY":                   backend.FinishContentFilter,
	"RECITATION":               backend.FinishContentFilter,
	"BLOCKLIST":                backend.FinishContentFilter,
	"PROHIBITED_CONTENT":       backend.FinishContentFilter,
	"SPII":                     backend.FinishContentFilter,
	"MODEL_ARMOR":              backend.FinishContentFilter,
	"IMAGE_SAFETY":             backend.FinishContentFilter,
	"IMAGE_PROHIBITED_CONTENT": backend.FinishContentFilter,
	"IMAGE_RECITATION":         backend.FinishContentFilter,
	"LANGUAGE":                 backend.FinishError,
	"MALFORMED_FUNCTION_CALL":  backend.FinishError,
	"UNEXPECTED_TOOL_CALL":     backend.FinishError,
	"TOO_MANY_TOOL_CALLS":      backend.FinishError,

	"END_TURN":                      backend.FinishStop,
	"STOP_SEQUENCE":                 backend.FinishStop,
	"PAUSE_TURN":                    backend.FinishStop,
	"MODEL_CONTEXT_WINDOW_EXCEEDED": backend.FinishLength,
	"TOOL_USE":                      backend.FinishTool,
	"REFUSAL":                       backend.FinishContentFilter,
}

func finishOf(reason string) backend.Finish {
	if f, ok := finishes[strings.ToUpper(reason)]; ok {
		return f
	}
	return backend.FinishUnknown
}
