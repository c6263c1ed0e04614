package simulator

import (
	"errors"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// The kinds that clients see too.
const (
	Role         = Kinds(backend.Role)
	Reasoning    = Kinds(backend.Reasoning)
	Text         = Kinds(backend.Text)
	Tool         = Kinds(backend.Tool)
	Refusal      = Kinds(backend.Refusal)
	Audio        = Kinds(backend.Audio)
	UsageReport  = Kinds(backend.UsageReport)
	FinishReason = Kinds(backend.FinishReason)
	Other        = Kinds(backend.Other)
)

// Output is any kind that counts as output of the model.
const Output = Kinds(backend.Output)

// errStop ends a stream early but regularly.
var errStop = errors.New("simulator: the stream ends here")

// streamFrom sends the answer token by token as the engine makes them.
func (a *answer) streamFrom(box *mailbox) error {
	x := a.x
	a.out = &deliverer{x: x, fault: a.fault, random: mix(x.server.config.Seed ^ x.record.Arrival ^ 'b')}
	const room = 4096 // of events, at first: a request may ask for any number
	x.record.Events = make([]Event, 0, min(sum(a.output)+4+2*len(a.output), room))
	x.record.Writes = make([]Write, 0, cap(x.record.Events))
	length := int64(-1)
	if a.fault.Framing == "length" {
		length = a.measure()
	}
	if err := x.wire.begin(200, x.header("text/event-stream; charset=utf-8"), a.fault.Framing, length); err != nil {
		return err
	}
	x.event(Head, 0, 0, x.lastWrite())
	err := a.tokens(box)
	if err == nil {
		err = a.finale()
	}
	if errors.Is(err, errStop) {
		err = a.out.flush()
	}
	if err != nil {
		return err
	}
	if length >= 0 && x.record.ResponseBytes < length {
		x.wire.cut(false)
		return errCut
	}
	if err := x.wire.end(); err != nil {
		return err
	}
	x.event(LastByte, x.record.ResponseBytes, 0, x.lastWrite())
	return nil
}

// measure returns how long the undisturbed stream is.
func (a *answer) measure() int64 {
	dry := newAnswer(a.x, a.g, a.output, a.finish)
	quiet := *a.fault
	quiet.Stall, quiet.Disconnect, quiet.Cut = "", "", ""
	dry.fault = &quiet
	dry.out = &deliverer{dry: true}
	// A dry deliverer has no errors.
	if dry.early() {
		_ = dry.opening()
	}
	for i, n := range a.output {
		for k := 1; k <= n; k++ {
			_ = dry.token(i, k, k == n)
		}
	}
	_ = dry.finale()
	return dry.out.offset
}

func (a *answer) tokens(box *mailbox) error {
	if a.early() {
		if err := a.opening(); err != nil {
			return err
		}
	}
	var batch []emission
	for a.open > 0 {
		select {
		case <-box.ready:
		case <-a.x.gone:
			return errGone
		case <-a.x.server.closed:
			a.x.wire.cut(false)
			return errCut
		}
		batch = box.take(batch)
		for _, m := range batch {
			if err := a.token(m.choice, m.token, m.last); err != nil {
				return err
			}
		}
	}
	return nil
}

// early tells whether something is sent before there is a token.
func (a *answer) early() bool { return a.fault.First == "early-role" || a.fault.First == "no-choices" }

// opening sends what comes before the first tokens of all choices.
func (a *answer) opening() error {
	if a.fault.First == "no-choices" {
		a.buf = append(append(a.buf[:0], a.head...), `],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`...)
		if err := a.emit(Other, -1, 0); err != nil {
			return err
		}
	}
	if a.fault.First == "none" || !a.g.chat {
		return nil
	}
	for i := range a.output {
		a.buf = append(a.buf[:0], a.head...)
		a.buf = append(appendInt(append(a.buf, `{"index":`...), i), `,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`...)
		kinds := Role
		if a.cumulative() {
			a.buf, kinds = a.appendUsage(a.buf, 0, 0), Role|UsageReport
		}
		a.buf = append(a.buf, '}')
		if err := a.emit(kinds, i, 0); err != nil {
			return err
		}
	}
	return nil
}

func (a *answer) cumulative() bool { return a.g.continuousUsage || a.fault.Usage == "cumulative" }

// token takes the k-th token of a choice and sends it, once its chunk is full.
func (a *answer) token(choice, k int, last bool) error {
	if a.all == 0 && !a.early() {
		if err := a.opening(); err != nil {
			return err
		}
	}
	a.all++
	if !a.done && (a.all > a.fault.After || last && a.open == 1) {
		a.done = true
		if err := a.midBody(choice, k); err != nil {
			return err
		}
	}
	if a.fault.Output == "none" {
		if !last {
			return nil
		}
		a.open--
		return a.chunk(choice, 1, 0, true)
	}
	first := a.sent[choice] + 1
	full := k-first+1 >= a.fault.TokensPerChunk
	if !last && !full && k != a.reasoning[choice] {
		return nil
	}
	if a.fault.Comments {
		a.buf = append(a.buf[:0], ": keep-alive"...)
		if err := a.emit(Comment, -1, 0); err != nil {
			return err
		}
	}
	if a.sent[choice] == a.reasoning[choice] {
		if kind, _ := a.kind(choice, k); kind == Tool {
			if err := a.toolOpening(choice); err != nil {
				return err
			}
		}
	}
	a.sent[choice] = k
	if last {
		a.open--
	}
	return a.chunk(choice, first, k, last)
}

func (a *answer) toolOpening(choice int) error {
	a.buf = append(a.buf[:0], a.head...)
	a.buf = append(appendInt(append(a.buf, `{"index":`...), choice), `,"delta":{"tool_calls":[{"index":0,"id":"call_`...)
	a.buf = append(appendInt(a.buf, choice), `","type":"function","function":{"name":"simulate","arguments":""}}]},"logprobs":null,"finish_reason":null}]}`...)
	return a.emit(Tool, choice, 0)
}

// chunk sends tokens first to last of a choice.
func (a *answer) chunk(choice, first, last int, isLast bool) error {
	kinds, finish := Kinds(0), ""
	if first <= last {
		kinds, _ = a.kind(choice, last)
	}
	separate := isLast && a.fault.Usage == "finish" // the finish reason has a chunk of its own
	if isLast && !separate {
		finish = a.finish[choice]
		kinds |= FinishReason
	}
	if kinds != 0 {
		a.buf = a.appendChunk(a.buf[:0], choice, first, last, finish)
		switch {
		case a.cumulative():
			a.buf = a.appendUsage(a.buf, a.sent[choice], min(a.sent[choice], a.reasoning[choice]))
			kinds |= UsageReport
		case isLast && a.open == 0 && a.fault.Usage == "last":
			a.buf = a.appendUsage(a.buf, sum(a.sent), sum(a.reasoning))
			kinds |= UsageReport
		case a.fault.Usage == "null":
			a.buf = append(a.buf, `,"usage":null`...)
		}
		a.buf = append(a.buf, '}')
		if err := a.emit(kinds, choice, max(0, last-first+1)); err != nil {
			return err
		}
	}
	if !separate {
		return nil
	}
	a.buf = a.appendChunk(a.buf[:0], choice, 1, 0, a.finish[choice])
	kinds = FinishReason
	if a.open == 0 {
		a.buf = a.appendUsage(a.buf, sum(a.sent), sum(a.reasoning))
		kinds |= UsageReport
	}
	a.buf = append(a.buf, '}')
	return a.emit(kinds, choice, 0)
}

// finale sends what follows the last token.
func (a *answer) finale() error {
	usage := a.g.includeUsage || a.fault.Usage == "final" || a.fault.Usage == "null"
	switch a.fault.Usage {
	case "none", "last", "finish":
		usage = false
	}
	if usage {
		output, reasoning := a.totals()
		a.buf = append(append(a.buf[:0], a.head...), ']')
		a.buf = append(a.appendUsage(a.buf, output, reasoning), `,"system_fingerprint":"simulator"}`...)
		if err := a.emit(UsageReport, -1, 0); err != nil {
			return err
		}
	}
	if a.fault.Cut == "done" {
		return a.out.flush()
	}
	a.buf = append(a.buf[:0], "data: [DONE]"...)
	if err := a.emit(Done, -1, 0); err != nil {
		return err
	}
	return a.out.flush()
}

// midBody is what a fault does after so many tokens.
func (a *answer) midBody(choice, token int) error {
	x, f := a.x, a.fault
	if f.Garbage != "" {
		a.buf = append(a.buf[:0], `data: {"id":"broken","choices":[{"index":0,"delta":{"content":`...)
		if f.Garbage == "bytes" {
			a.buf = append(a.buf[:0], "\x00\xff\xfe\x80data\x01\x02: \xf0\x28\x8c"...)
		}
		if err := a.emit(Garbage, -1, 0); err != nil {
			return err
		}
	}
	if f.StreamError != "" {
		a.buf = a.errorChunk(append(a.buf[:0], "data: "...))
		if err := a.emit(Error, -1, 0); err != nil {
			return err
		}
		a.buf = append(a.buf[:0], "data: [DONE]"...)
		if err := a.emit(Done, -1, 0); err != nil {
			return err
		}
		return errStop
	}
	if f.Disconnect == "mid-body" || f.Stall == "mid-body" || f.Cut == "finish" || f.Cut == "event" {
		if err := a.out.flush(); err != nil {
			return err
		}
	}
	switch {
	case f.Disconnect == "mid-body":
		x.wire.cut(f.Reset)
		return errCut
	case f.Stall == "mid-body":
		if !x.pause(f.StallFor) {
			return errGone
		}
	case f.Cut == "finish":
		return errStop
	case f.Cut == "event":
		a.buf = a.appendChunk(a.buf[:0], choice, token, token, "")
		if err := a.out.unfinished(a.buf[:len(a.buf)/2]); err != nil {
			return err
		}
		return errStop
	}
	return nil
}

// emit sends a.buf as an event.
func (a *answer) emit(kinds Kinds, choice, tokens int) error {
	a.buf = append(a.buf, a.tail...)
	return a.out.deliver(Event{Kinds: kinds, Choice: choice, Tokens: tokens, Bytes: len(a.buf)}, a.buf)
}

func appendInt(b []byte, n int) []byte {
	if n >= 0 && n < 10 {
		return append(b, byte('0'+n))
	}
	return append(appendInt(b, n/10), byte('0'+n%10))
}
