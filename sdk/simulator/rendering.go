package simulator

import "time"

// The methods of Answer are for Renderers.

// Request is the request's id: X-Request-Id, else the server's own.
func (a *Answer) Request() string { return a.x.record.ID }

// ID is an id of the answer that is a function of seed and arrival.
func (a *Answer) ID() string { return a.id }

// Created is when the answer began.
func (a *Answer) Created() time.Time { return a.created }

// Model is the one that was asked for.
func (a *Answer) Model() string { return a.x.record.Model }

// Fault is what the answer is to differ in. It must not be changed.
func (a *Answer) Fault() *Fault { return a.fault }

// Choices is how many there are.
func (a *Answer) Choices() int { return len(a.output) }

// PromptTokens is the count of all prompts.
func (a *Answer) PromptTokens() int { return a.x.record.PromptTokens }

// CachedTokens is how many of them were found in the prefix cache; known is
// whether there is one.
func (a *Answer) CachedTokens() (tokens int, known bool) {
	return a.x.record.CachedTokens, a.x.server.prefixes != nil
}

// Sent is how many tokens of all choices were handed to the Renderer so far (of a
// whole answer: all), and how many of them are reasoning.
func (a *Answer) Sent() (output, reasoning int) { return a.totals() }

// SentOf is Sent of one choice.
func (a *Answer) SentOf(choice int) (output, reasoning int) {
	return a.sent[choice], min(a.sent[choice], a.reasoning[choice])
}

// AppendText appends the text of tokens first to last as a JSON string, with its
// quotes.
func (a *Answer) AppendText(b []byte, choice, first, last int) []byte {
	b = append(b, '"')
	for k := first; k <= last; k++ {
		at := len(b)
		b = a.appendWord(b, choice, k)
		copy(b[at:], b[at+1:]) // without its quotes
		b = b[:len(b)-2]
	}
	return append(b, '"')
}

// Text is the text of tokens first to last.
func (a *Answer) Text(choice, first, last int) string { return a.speaker(choice).say(first, last) }

// Choice is one choice of a whole answer.
func (a *Answer) Choice(i int) Choice {
	c := a.said(i, a.sent[i])
	c.Finish, c.Reason = a.finish[i], a.means[i]
	return c
}

// Send sends one event of a stream. frame is all of its bytes, from the first
// that belongs to it to the one that completes it for a client: separators that
// come before an event are part of it. choice is that which a client should see, -1
// for none; tokens is how many tokens the frame carries. Bytes are copied where
// they are kept. After the client has gone away it does nothing.
func (a *Answer) Send(kinds Kinds, choice, tokens int, frame []byte) {
	switch {
	case a.capture != nil:
		if output := kinds&Output != 0; a.capture.frame == nil || output && !a.capture.output {
			a.capture.frame, a.capture.output = append([]byte(nil), frame...), output
		}
	case a.failed == nil:
		a.failed = a.out.deliver(Event{Kinds: kinds, Choice: choice, Tokens: tokens, Bytes: len(frame)}, frame)
	}
}

// SendSSE sends an event of a text/event-stream, with the line ends that the
// fault asks for. event is its name; "" has none.
func (a *Answer) SendSSE(kinds Kinds, choice, tokens int, event string, data []byte) {
	a.frame = a.frame[:0]
	if event != "" {
		a.frame = append(append(append(a.frame, "event: "...), event...), a.fault.newline()...)
	}
	a.frame = append(append(append(a.frame, "data: "...), data...), a.tail...)
	a.Send(kinds, choice, tokens, a.frame)
}

// SendComment sends a comment of a text/event-stream.
func (a *Answer) SendComment(text string) {
	a.frame = append(append(append(a.frame[:0], ": "...), text...), a.tail...)
	a.Send(Comment, -1, 0, a.frame)
}
