package simulator

import (
	"strconv"
	"strings"
	"time"
)

// Answer is a generated answer on its way: what a Renderer sends it by, and what
// it is made of. It is used by one goroutine.
type Answer struct {
	x        *exchange
	g        *generation
	fault    *Fault
	renderer Renderer
	id       string
	created  time.Time
	words    []word
	finish   []string // of each choice, as sent
	means    []string // the same in OpenAI's words
	output   []int    // tokens of each choice
	// reasoning is how many of a choice's first tokens are reasoning.
	reasoning []int

	tail    string // end of every event of an event stream
	frame   []byte // of SendSSE
	out     *deliverer
	failed  error    // of sending
	capture *capture // takes the frames in place of out

	sent        []int // tokens of each choice sent
	open        int   // choices that have not finished
	all         int   // tokens made
	disturbed   bool  // mid-body happened
	whole       bool  // the answer that does not stream was sent, undisturbed
	usageInBody bool
}

// capture keeps one frame instead of sending it: the first with output, else the
// first of all.
type capture struct {
	frame  []byte
	output bool
}

func newAnswer(x *exchange, g *generation, output []int, finish []string) *Answer {
	var renderer Renderer = &openAI{g: g}
	if g.renderer != nil {
		renderer = g.renderer()
	}
	a := &Answer{
		x: x, g: g, fault: &x.fault, renderer: renderer, output: output, words: x.server.words,
		id: strconv.FormatUint(mix(mix(x.server.config.Seed^x.record.Arrival)), 16), created: time.Now(),
		sent: make([]int, len(output)), open: len(output), reasoning: make([]int, len(output)),
		finish: make([]string, len(output)), means: make([]string, len(output)),
	}
	if a.fault.Unicode {
		a.words = x.server.unicode
	}
	for i, n := range output {
		if a.fault.Reasoning != "" {
			a.reasoning[i] = n / 2
			if a.fault.ReasoningCount > 0 {
				a.reasoning[i] = min(a.fault.ReasoningCount, n)
			}
		}
		reason := finish[i]
		switch {
		case a.fault.Finish != "":
			reason = a.fault.Finish
		case a.fault.Output == "tool" && g.chat:
			reason = "tool_calls"
		}
		a.finish[i], a.means[i] = a.renderer.Finish(reason)
	}
	a.tail = strings.Repeat(a.fault.newline(), 2)
	return a
}

func (a *Answer) speaker(choice int) speaker {
	return speaker{words: a.words, seed: a.g.seed + uint64(choice)*0x9e3779b97f4a7c15}
}

func (a *Answer) appendWord(b []byte, choice, token int) []byte {
	w := a.speaker(choice).word(token)
	if a.fault.ASCII {
		return append(b, w.ascii...)
	}
	return append(b, w.quoted...)
}

// kind is what a token is.
func (a *Answer) kind(choice, token int) Kinds {
	switch {
	case !a.g.chat:
		return Text
	case token <= a.reasoning[choice]:
		return Reasoning
	case a.fault.Output == "tool":
		return Tool
	case a.fault.Output == "refusal":
		return Refusal
	}
	return Text
}

// record notes what was sent, as far as its last byte was.
func (a *Answer) record() {
	r := a.x.record
	sent, finished := make([]int, len(a.output)), make([]bool, len(a.output))
	if a.g.stream {
		for _, e := range r.Events[:a.x.settled] {
			r.UsageSent = r.UsageSent || e.Kinds&UsageReport != 0
			if e.Tokens > 0 {
				sent[max(0, e.Choice)] += e.Tokens
			}
			if e.Kinds&FinishReason == 0 {
				continue
			}
			for i := range finished { // one that names no choice ends all
				finished[i] = finished[i] || e.Choice == i || e.Choice < 0
			}
		}
	} else if _, whole := r.First(Body); whole && a.whole {
		copy(sent, a.sent)
		for i := range finished {
			finished[i] = true
		}
		r.UsageSent = a.usageInBody
	}
	r.Choices = make([]Choice, len(a.output))
	for i := range r.Choices {
		r.ReasoningTokens += min(sent[i], a.reasoning[i])
		r.Choices[i] = a.said(i, sent[i])
		if finished[i] {
			r.Choices[i].Finish, r.Choices[i].Reason = a.finish[i], a.means[i]
		}
	}
}

// said is what a choice has said with its first tokens.
func (a *Answer) said(choice, tokens int) Choice {
	thought := min(tokens, a.reasoning[choice])
	c := Choice{Tokens: tokens, Reasoning: a.speaker(choice).say(1, thought)}
	rest := a.speaker(choice).say(thought+1, tokens)
	switch a.kind(choice, a.reasoning[choice]+1) {
	case Tool:
		c.Tool = rest
	case Refusal:
		c.Refusal = rest
	default:
		c.Text = rest
	}
	return c
}

func (a *Answer) totals() (output, reasoning int) {
	for i, n := range a.sent {
		output += n
		reasoning += min(n, a.reasoning[i])
	}
	return output, reasoning
}

// sendWhole sends an answer that does not stream.
func (a *Answer) sendWhole() error {
	copy(a.sent, a.output)
	if a.fault.Output == "none" {
		clear(a.sent)
	}
	reply := a.renderer.Whole(a)
	whole := false
	switch {
	case a.fault.StreamError != "":
	case a.fault.Cut == "event" || a.fault.Cut == "finish":
		reply.Body = reply.Body[:len(reply.Body)/2]
	case a.fault.Garbage != "":
		reply.Body = append([]byte("{{{"), reply.Body...)
	default:
		whole = true
	}
	a.usageInBody, reply.Usage = reply.Usage, false
	if err := a.x.reply(reply, Body); err != nil {
		return err
	}
	if whole {
		a.whole = true
		a.x.record.Events[len(a.x.record.Events)-1].Tokens = sum(a.sent)
	}
	return nil
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
