package simulator

import (
	"strconv"
	"strings"
	"time"
)

// answer renders a chat or completion answer. Bytes are formatted by hand,
// because thousands of streams are to be fed from two cores.
type answer struct {
	x      *exchange
	g      *generation
	fault  *Fault
	id     string
	since  string // Unix seconds
	words  []word
	finish []string
	output []int // tokens of each choice
	// reasoning is how many of a choice's first tokens are reasoning.
	reasoning []int

	head string // start of every chunk, up to the choices
	tail string // end of every event
	buf  []byte
	out  *deliverer
	sent []int // tokens of each choice sent
	open int   // choices that have not finished
	all  int   // tokens sent
	done bool  // mid-body happened
}

func newAnswer(x *exchange, g *generation, output []int, finish []string) *answer {
	a := &answer{
		x: x, g: g, fault: &x.fault, output: output, finish: finish, words: x.server.words,
		id: answerID(g.chat, mix(x.server.config.Seed^x.record.Arrival)), since: strconv.FormatInt(time.Now().Unix(), 10),
		sent: make([]int, len(output)), open: len(output), reasoning: make([]int, len(output)),
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
		switch {
		case a.fault.Finish != "":
			a.finish[i] = a.fault.Finish
		case a.fault.Output == "tool" && g.chat:
			a.finish[i] = "tool_calls"
		}
	}
	object := `"text_completion"`
	if g.chat {
		object = `"chat.completion.chunk"`
	}
	a.head = `data: {"id":"` + a.id + `","object":` + object + `,"created":` + a.since + `,"model":` + quote(g.model) + `,"choices":[`
	a.tail = strings.Repeat(a.fault.newline(), 2)
	return a
}

func (a *answer) speaker(choice int) speaker {
	return speaker{words: a.words, seed: a.g.seed + uint64(choice)*0x9e3779b97f4a7c15}
}

func (a *answer) appendWord(b []byte, choice, token int) []byte {
	w := a.speaker(choice).word(token)
	if a.fault.ASCII {
		return append(b, w.ascii...)
	}
	return append(b, w.quoted...)
}

// appendWords appends tokens first to last as one JSON string.
func (a *answer) appendWords(b []byte, choice, first, last int) []byte {
	b = append(b, '"')
	for k := first; k <= last; k++ {
		at := len(b)
		b = a.appendWord(b, choice, k)
		copy(b[at:], b[at+1:]) // without its quotes
		b = b[:len(b)-2]
	}
	return append(b, '"')
}

// kind is what a token is, and the field of the delta that carries it.
func (a *answer) kind(choice, token int) (Kinds, string) {
	switch {
	case !a.g.chat:
		return Text, "text"
	case token <= a.reasoning[choice]:
		return Reasoning, "reasoning"
	case a.fault.Output == "tool":
		return Tool, "tool_calls"
	case a.fault.Output == "refusal":
		return Refusal, "refusal"
	}
	return Text, "content"
}

// appendChunk appends a chunk with tokens first to last of a choice; none where
// last is less than first.
func (a *answer) appendChunk(b []byte, choice, first, last int, finish string) []byte {
	b = append(b, a.head...)
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(choice), 10)
	if a.g.chat {
		b = append(b, `,"delta":{`...)
		if first <= last {
			b = a.appendDelta(b, choice, first, last)
		}
		b = append(b, '}')
	} else {
		b = append(b, `,"text":`...)
		b = a.appendWords(b, choice, first, last)
	}
	b = append(b, `,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		return append(b, `null}]`...)
	}
	b = append(b, quote(finish)...)
	return append(b, `,"stop_reason":null}]`...)
}

func (a *answer) appendDelta(b []byte, choice, first, last int) []byte {
	kind, name := a.kind(choice, first)
	switch kind {
	case Tool:
		b = append(b, `"tool_calls":[{"index":0,"function":{"arguments":`...)
		b = a.appendWords(b, choice, first, last)
		return append(b, `}}]`...)
	case Reasoning:
		if a.fault.Reasoning != "reasoning" {
			b = append(b, `"reasoning_content":`...)
			b = a.appendWords(b, choice, first, last)
			if a.fault.Reasoning != "both" {
				return b
			}
			b = append(b, ',')
		}
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return a.appendWords(b, choice, first, last)
}

// appendUsage appends ,"usage":{…}.
func (a *answer) appendUsage(b []byte, output, reasoning int) []byte {
	input := a.x.record.PromptTokens
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(input), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(input+output), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(output), 10)
	if a.fault.Reasoning != "" {
		b = append(b, `,"completion_tokens_details":{"reasoning_tokens":`...)
		b = strconv.AppendInt(b, int64(reasoning), 10)
		b = append(b, '}')
	}
	return append(b, '}')
}

func (a *answer) totals() (output, reasoning int) {
	for i, n := range a.sent {
		output += n
		reasoning += min(n, a.reasoning[i])
	}
	return output, reasoning
}

// record notes what was sent, as far as its last byte was.
func (a *answer) record() {
	r := a.x.record
	sent, finished := make([]int, len(a.output)), make([]bool, len(a.output))
	if a.g.stream {
		for _, e := range r.Events[:a.x.settled] {
			if e.Choice >= 0 {
				sent[e.Choice] += e.Tokens
				finished[e.Choice] = finished[e.Choice] || e.Kinds&FinishReason != 0
			}
			r.UsageSent = r.UsageSent || e.Kinds&UsageReport != 0
		}
	} else if _, whole := r.First(Body); whole && a.done {
		copy(sent, a.sent)
		for i := range finished {
			finished[i] = true
		}
		r.UsageSent = a.fault.Usage != "none"
	}
	r.Choices = make([]Choice, len(a.output))
	for i := range r.Choices {
		c, n := &r.Choices[i], min(sent[i], a.reasoning[i])
		r.ReasoningTokens += n
		c.Tokens = sent[i]
		c.Reasoning = a.speaker(i).say(1, n)
		rest := a.speaker(i).say(n+1, sent[i])
		switch kind, _ := a.kind(i, a.reasoning[i]+1); kind {
		case Tool:
			c.Tool = rest
		case Refusal:
			c.Refusal = rest
		default:
			c.Text = rest
		}
		if finished[i] {
			c.Finish = a.finish[i]
		}
	}
}

// sendWhole sends an answer that does not stream.
func (a *answer) sendWhole() error {
	if a.fault.StreamError != "" {
		return a.x.send(200, "application/json", a.errorChunk(nil))
	}
	copy(a.sent, a.output)
	if a.fault.Output == "none" {
		clear(a.sent)
	}
	object := `"text_completion"`
	if a.g.chat {
		object = `"chat.completion"`
	}
	b := append([]byte(nil), `{"id":"`+a.id+`","object":`+object+`,"created":`+a.since+`,"model":`+quote(a.g.model)+`,"choices":[`...)
	for i := range a.output {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.appendChoice(b, i)
	}
	b = append(b, `],"system_fingerprint":"simulator"`...)
	if a.fault.Usage != "none" {
		b = a.appendUsage(b, sum(a.sent), sum(a.reasoning))
	}
	b = append(b, '}')
	switch {
	case a.fault.Cut == "event" || a.fault.Cut == "finish":
		b = b[:len(b)/2]
	case a.fault.Garbage != "":
		b = append([]byte("{{{"), b...)
	default:
		a.done = true
	}
	err := a.x.send(200, "application/json", b)
	if err == nil && a.done {
		a.x.record.Events[len(a.x.record.Events)-1].Tokens = sum(a.sent)
	}
	if err != nil {
		a.done = false
	}
	return err
}

func (a *answer) appendChoice(b []byte, i int) []byte {
	n := min(a.reasoning[i], a.sent[i])
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(i), 10)
	if !a.g.chat {
		b = a.appendWords(append(b, `,"text":`...), i, 1, a.sent[i])
	} else {
		b = append(b, `,"message":{"role":"assistant","content":`...)
		kind, _ := a.kind(i, a.reasoning[i]+1)
		if kind == Text {
			b = a.appendWords(b, i, n+1, a.sent[i])
		} else {
			b = append(b, `null`...)
		}
		b = append(b, `,"refusal":`...)
		if kind == Refusal {
			b = a.appendWords(b, i, n+1, a.sent[i])
		} else {
			b = append(b, `null`...)
		}
		if kind == Tool {
			b = append(b, `,"tool_calls":[{"id":"call_`+strconv.Itoa(i)+`","type":"function","function":{"name":"simulate","arguments":`...)
			b = a.appendWords(b, i, n+1, a.sent[i])
			b = append(b, `}}]`...)
		}
		if n > 0 {
			if a.fault.Reasoning != "reasoning" {
				b = a.appendWords(append(b, `,"reasoning_content":`...), i, 1, n)
			}
			if a.fault.Reasoning != "reasoning_content" {
				b = a.appendWords(append(b, `,"reasoning":`...), i, 1, n)
			}
		}
		b = append(b, '}')
	}
	return append(b, `,"logprobs":null,"finish_reason":`+quote(a.finish[i])+`,"stop_reason":null}`...)
}

func (a *answer) errorChunk(b []byte) []byte {
	value := a.fault.StreamError
	if _, isNumber := code(value).(int); !isNumber {
		value = quote(value)
	}
	message := orString(a.fault.Message, "simulated: generation failed")
	return append(b, `{"error":{"message":`+quote(message)+`,"type":"InternalServerError","param":null,"code":`+value+`}}`...)
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
