package openaiwire

import (
	"bytes"
	"errors"
	"io"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answer reads the answer to one chat or completion and tells the recorder. It
// is reused from one request to the next.
type answer struct {
	rec   *backend.Recorder
	chunk chunk

	events  int // of the stream, for messages
	choices []choiceState
	usage   tokenCounts
	grows   bool   // usage came with unfinished choices: a running total
	final   bool   // usage came without choices, or in a whole answer: the total of all
	done    bool   // [DONE] was read
	failed  string // the finish reason by which the server says that it failed
}

// choiceState is what is known of one choice so far.
type choiceState struct {
	index    int
	output   int64 // tokens, by the last usage that came with this choice
	reported bool  // there was one
	began    bool  // output has arrived
	finished bool
}

// choicesMax bounds the choices that are kept track of.
const choicesMax = 1024

func (a *answer) begin(rec *backend.Recorder) {
	chunk, choices := a.chunk, a.choices[:0]
	*a = answer{rec: rec, chunk: chunk, choices: choices}
}

func (a *answer) state(index int) *choiceState {
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

// record tells the recorder what the chunk says.
func (a *answer) record(at stamp.Arrival) {
	c := &a.chunk
	if c.usage.any() {
		a.usage.update(&c.usage)
		a.final = a.final || len(c.choices) == 0
	}
	if len(c.choices) == 0 {
		kinds := backend.Other
		if c.usage.any() {
			kinds = backend.UsageReport
		}
		a.rec.Event(kinds, backend.NoChoice, at, 0, backend.EventText{})
		return
	}
	for i := range c.choices {
		ch := &c.choices[i]
		kinds := ch.kinds()
		report := &ch.usage
		if i == len(c.choices)-1 && c.usage.any() {
			report = &c.usage
		}
		tokens := ch.tokens
		if report.any() {
			kinds |= backend.UsageReport
			a.usage.update(report)
		}
		state := a.state(ch.index)
		state.finished = state.finished || len(ch.finish) > 0
		if report.any() && len(c.choices) == 1 {
			grown := state.grow(report)
			if tokens == 0 {
				tokens = grown
			}
			a.grows = a.grows || !state.finished
		}
		state.began = state.began || kinds&backend.Output != 0
		if kinds == 0 {
			kinds = backend.Other
		}
		a.rec.Event(kinds, ch.index, at, tokens, ch.eventText())
		if len(ch.finish) > 0 {
			finish, raw := FinishOf(ch.finish)
			a.rec.Finish(ch.index, finish, raw)
			if finish == backend.FinishError {
				a.failed = raw
			}
		}
	}
}

func (ch *choice) kinds() backend.Kinds {
	var kinds backend.Kinds
	mark := func(there bool, kind backend.Kinds) {
		if there {
			kinds |= kind
		}
	}
	mark(ch.role, backend.Role)
	mark(len(ch.reasoning) > 0, backend.Reasoning)
	mark(len(ch.text) > 0, backend.Text)
	mark(ch.tool, backend.Tool)
	mark(len(ch.refusal) > 0, backend.Refusal)
	mark(ch.audio, backend.Audio)
	mark(len(ch.finish) > 0, backend.FinishReason)
	return kinds
}

// eventText: a refusal counts as text of the answer; its kind tells it apart.
func (ch *choice) eventText() backend.EventText {
	text := ch.text
	if len(text) == 0 {
		text = ch.refusal
	}
	return backend.EventText{Text: text, Reasoning: ch.reasoning, Tool: ch.toolText}
}

// grow takes a usage report that came with the choice and returns by how many
// tokens its output grew; 0 where that cannot be told: a first report in the
// middle of the output counts all tokens so far, not those of its event.
func (s *choiceState) grow(report *tokenCounts) int {
	if !report.has(outputCount) {
		return 0
	}
	known := s.reported || !s.began
	grown := report.n[outputCount] - s.output
	s.reported, s.output = true, report.n[outputCount]
	if !known || grown < 0 {
		return 0
	}
	return int(grown)
}

// update lays a later report over u.
func (u *tokenCounts) update(later *tokenCounts) {
	for kind := range countKinds {
		if later.has(kind) {
			u.set(kind, later.n[kind])
		}
	}
}

// total is the usage of the whole answer. Running totals are per choice.
func (a *answer) total() backend.Usage {
	reporting, output := 0, int64(0)
	for _, s := range a.choices {
		if s.reported {
			reporting++
			output += s.output
		}
	}
	if reporting > 1 && !a.final {
		a.usage.set(outputCount, output)
	}
	source := backend.UsageFinal
	if a.grows {
		source = backend.UsageCumulative
	}
	return a.usage.usage(source)
}

// end closes the recording of an answer that was read as far as possible.
func (a *answer) end(failure *fault.Error) *fault.Error {
	if a.usage.any() {
		a.rec.Usage(a.total())
	}
	if failure == nil && a.failed != "" {
		failure = fault.New(fault.Server, "the server ended the answer with finish_reason %q", a.failed)
		failure.ProviderCode = a.failed
		failure.Retryable = true
	}
	return failure
}

// complete tells whether the stream came to an end of its own: [DONE], or a
// finish reason for every choice that it began.
func (a *answer) complete() bool {
	if a.done {
		return true
	}
	for _, s := range a.choices {
		if !s.finished {
			return false
		}
	}
	return len(a.choices) > 0
}

var doneMark = []byte("[DONE]")

// readStream reads events until [DONE], the end or a failure. The bytes after
// [DONE] are the caller's.
func (a *answer) readStream(src stamp.SpanReader) *fault.Error {
	reader := sse.NewReader(src, eventBytesMax)
	for !a.done {
		event, err := reader.Next()
		switch {
		case err == nil:
			if failure := a.event(&event); failure != nil {
				return failure
			}
		case errors.Is(err, sse.ErrUnfinished):
			return a.unfinished(&event)
		case errors.Is(err, io.EOF):
			return a.truncation()
		default:
			return jsonhttp.TransportFault(err)
		}
	}
	return nil
}

// eventBytesMax bounds one event: enough for a picture in base64.
const eventBytesMax = 64 << 20

// unfinished takes an event that the stream's end cut off. Some servers leave
// the last blank line out; then it is whole nevertheless.
func (a *answer) unfinished(event *sse.Event) *fault.Error {
	data := bytes.TrimSpace(event.Data)
	if bytes.Equal(data, doneMark) || len(data) > 0 && a.chunk.parse(data) == nil {
		if failure := a.event(event); failure != nil {
			return failure
		}
	}
	return a.truncation()
}

func (a *answer) truncation() *fault.Error {
	if a.complete() {
		return nil
	}
	if a.events == 0 {
		return fault.New(fault.Truncated, "the stream ended before its first event")
	}
	return fault.New(fault.Truncated, "the stream ended after %d events without a finish reason and without [DONE]", a.events)
}

// event takes one event of the stream.
func (a *answer) event(event *sse.Event) *fault.Error {
	data := bytes.TrimSpace(event.Data)
	if len(data) == 0 {
		return nil
	}
	if bytes.Equal(data, doneMark) {
		a.done = true
		return nil
	}
	a.events++
	named := string(event.Name)
	if named == "error" {
		return newFailure(0, readErrorReport(data))
	}
	if err := a.chunk.parse(data); err != nil {
		if named != "" && named != "message" { // a ping, or what else a proxy adds
			a.rec.Event(backend.Other, backend.NoChoice, event.Arrival, 0, backend.EventText{})
			return nil
		}
		return fault.New(fault.Protocol, "event %d of the stream is no JSON object: %s", a.events, jsonhttp.Excerpt(data))
	}
	if a.chunk.failure != nil {
		return newFailure(0, readErrorReport(a.chunk.failure))
	}
	a.record(event.Arrival)
	return nil
}

// readWhole takes an answer that came in one piece, all of which arrived when
// its last byte did.
func (a *answer) readWhole(body []byte, at stamp.Arrival) *fault.Error {
	if err := a.chunk.parse(body); err != nil {
		return jsonhttp.NotProtocol(body)
	}
	if a.chunk.failure != nil {
		return newFailure(0, readErrorReport(a.chunk.failure))
	}
	if !a.chunk.hasChoices {
		return fault.New(fault.Protocol, "the answer has no \"choices\": %s", jsonhttp.Excerpt(body))
	}
	a.record(at)
	a.final, a.grows = true, false
	return nil
}
