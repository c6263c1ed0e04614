package simulator

import (
	"errors"
	"slices"

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
func (a *Answer) streamFrom(box *mailbox) error {
	x := a.x
	a.out = &deliverer{x: x, fault: a.fault, random: mix(x.server.config.Seed ^ x.record.Arrival ^ 'b')}
	const room = 4096 // of events, at first: a request may ask for any number
	x.record.Events = make([]Event, 0, min(sum(a.output)+4+2*len(a.output), room))
	x.record.Writes = make([]Write, 0, cap(x.record.Events))
	head := a.renderer.Head(a)
	length := int64(-1)
	if a.fault.Framing == "length" {
		length = a.measure()
	}
	if err := x.wire.begin(orInt(head.Status, 200), x.replyHeader(head), a.fault.Framing, length); err != nil {
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
func (a *Answer) measure() int64 {
	dry := newAnswer(a.x, a.g, a.output, slices.Clone(a.means))
	dry.created = a.created
	quiet := *a.fault
	quiet.Stall, quiet.Disconnect, quiet.Cut, quiet.Finish = "", "", "", ""
	dry.fault = &quiet
	copy(dry.finish, a.finish)
	dry.out = &deliverer{dry: true}
	dry.renderer.Head(dry)
	// A dry deliverer has no errors.
	if dry.early() {
		dry.renderer.Start(dry)
	}
	for i, n := range a.output {
		for k := 1; k <= n; k++ {
			_ = dry.token(i, k, k == n)
		}
	}
	_ = dry.finale()
	return dry.out.offset
}

func (a *Answer) tokens(box *mailbox) error {
	if a.early() {
		a.renderer.Start(a)
		if a.failed != nil {
			return a.failed
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
			if m.last {
				a.remember(m.choice)
			}
			if err := a.token(m.choice, m.token, m.last); err != nil {
				return err
			}
		}
	}
	return nil
}

// early tells whether something is sent before there is a token.
func (a *Answer) early() bool { return a.fault.First == "early-role" || a.fault.First == "no-choices" }

// token takes the k-th token of a choice and sends it, once its chunk is full.
func (a *Answer) token(choice, k int, last bool) error {
	if a.all == 0 && !a.early() {
		a.renderer.Start(a)
	}
	a.all++
	t := Tokens{Choice: choice, First: a.sent[choice] + 1, Last: k, Ends: last, Final: last && a.open == 1}
	if !a.disturbed && (a.all > a.fault.After || t.Final) {
		a.disturbed = true
		if err := a.midBody(choice, k); err != nil {
			return err
		}
	}
	if last {
		t.Finish = a.finish[choice]
	}
	if a.fault.Output == "none" {
		t.First, t.Last = 1, 0
		if !last {
			return a.failed
		}
	} else {
		if !last && t.Count() < a.fault.TokensPerChunk && k != a.reasoning[choice] {
			return a.failed
		}
		if a.fault.Comments {
			a.renderer.Comment(a)
		}
		t.Kind = a.kind(choice, k)
		t.Opens = t.First == 1 || t.First == a.reasoning[choice]+1
		a.sent[choice] = k
	}
	if last {
		a.open--
	}
	a.renderer.Tokens(a, t)
	return a.failed
}

// finale sends what follows the last token.
func (a *Answer) finale() error {
	a.renderer.End(a)
	if a.fault.Cut != "done" {
		a.renderer.Terminate(a)
	}
	if a.failed != nil {
		return a.failed
	}
	return a.out.flush()
}

// midBody is what a fault does after so many tokens.
func (a *Answer) midBody(choice, token int) error {
	x, f := a.x, a.fault
	if f.Garbage != "" {
		a.renderer.Garbage(a, f.Garbage)
	}
	if f.StreamError != "" {
		message := orString(f.Message, "simulated: generation failed")
		x.record.ErrorCode = a.renderer.Fail(a, Failure{Code: f.StreamError, Message: message})
	}
	switch {
	case a.failed != nil:
		return a.failed
	case f.StreamError != "":
		return errStop
	case f.Disconnect == "mid-body" || f.Stall == "mid-body" || f.Cut == "finish" || f.Cut == "event":
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
		a.capture = &capture{}
		a.renderer.Tokens(a, Tokens{Choice: choice, First: token, Last: token, Kind: a.kind(choice, token)})
		if p := a.capture.frame; len(p) > 1 {
			if err := a.out.unfinished(p[:len(p)/2]); err != nil {
				return err
			}
		}
		return errStop
	}
	return nil
}

func appendInt(b []byte, n int) []byte {
	if n >= 0 && n < 10 {
		return append(b, byte('0'+n))
	}
	return append(appendInt(b, n/10), byte('0'+n%10))
}
