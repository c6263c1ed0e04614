package simulator

import (
	"strconv"
)

// openAI renders chat and completion answers as OpenAI and vLLM do. Bytes are
// formatted by hand, because thousands of streams are to be fed from two cores.
type openAI struct {
	g     *generation
	id    string
	since string // Unix seconds
	head  string // start of every chunk, up to the choices
	buf   []byte
}

var _ Renderer = (*openAI)(nil)

// Finish implements Renderer: the words are OpenAI's.
func (o *openAI) Finish(reason string) (sent, means string) { return reason, reason }

// Head implements Renderer.
func (o *openAI) Head(a *Answer) Reply {
	o.prepare(a)
	object := `"text_completion"`
	if o.g.chat {
		object = `"chat.completion.chunk"`
	}
	o.head = `data: {"id":"` + o.id + `","object":` + object + `,"created":` + o.since + `,"model":` + quote(o.g.model) + `,"choices":[`
	return Reply{ContentType: "text/event-stream; charset=utf-8"}
}

func (o *openAI) prepare(a *Answer) {
	prefix := "cmpl-"
	if o.g.chat {
		prefix = "chatcmpl-"
	}
	o.id, o.since = prefix+a.id, strconv.FormatInt(a.created.Unix(), 10)
}

// Start implements Renderer: the role of each choice, in chats.
func (o *openAI) Start(a *Answer) {
	if a.fault.First == "no-choices" {
		o.buf = append(append(o.buf[:0], o.head...), `],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}`...)
		o.send(a, Other, -1, 0)
	}
	if a.fault.First == "none" || !o.g.chat {
		return
	}
	for i := range a.output {
		o.buf = append(o.buf[:0], o.head...)
		o.buf = append(appendInt(append(o.buf, `{"index":`...), i), `,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]`...)
		kinds := Role
		if o.cumulative(a) {
			o.buf, kinds = appendUsage(a, o.buf, 0, 0), Role|UsageReport
		}
		o.buf = append(o.buf, '}')
		o.send(a, kinds, i, 0)
	}
}

func (o *openAI) cumulative(a *Answer) bool {
	return o.g.continuousUsage || a.fault.Usage == "cumulative"
}

// Tokens implements Renderer.
func (o *openAI) Tokens(a *Answer, t Tokens) {
	if t.Opens && t.Kind == Tool {
		o.openTool(a, t.Choice)
	}
	kinds, finish := t.Kind, ""
	separate := t.Ends && a.fault.Usage == "finish" // the finish reason has a chunk of its own
	if t.Ends && !separate {
		finish = t.Finish
		kinds |= FinishReason
	}
	if kinds != 0 {
		o.buf = o.appendChunk(a, o.buf[:0], t, finish)
		switch {
		case o.cumulative(a):
			output, reasoning := a.SentOf(t.Choice)
			o.buf = appendUsage(a, o.buf, output, reasoning)
			kinds |= UsageReport
		case t.Final && a.fault.Usage == "last":
			output, reasoning := a.totals()
			o.buf = appendUsage(a, o.buf, output, reasoning)
			kinds |= UsageReport
		case a.fault.Usage == "null":
			o.buf = append(o.buf, `,"usage":null`...)
		}
		o.buf = append(o.buf, '}')
		o.send(a, kinds, t.Choice, t.Count())
	}
	if !separate {
		return
	}
	o.buf = o.appendChunk(a, o.buf[:0], Tokens{Choice: t.Choice, First: 1}, t.Finish)
	kinds = FinishReason
	if t.Final {
		output, reasoning := a.totals()
		o.buf = appendUsage(a, o.buf, output, reasoning)
		kinds |= UsageReport
	}
	o.buf = append(o.buf, '}')
	o.send(a, kinds, t.Choice, 0)
}

func (o *openAI) openTool(a *Answer, choice int) {
	o.buf = append(o.buf[:0], o.head...)
	o.buf = append(appendInt(append(o.buf, `{"index":`...), choice), `,"delta":{"tool_calls":[{"index":0,"id":"call_`...)
	o.buf = append(appendInt(o.buf, choice), `","type":"function","function":{"name":"simulate","arguments":""}}]},"logprobs":null,"finish_reason":null}]}`...)
	o.send(a, Tool, choice, 0)
}

// End implements Renderer: usage in a chunk of its own.
func (o *openAI) End(a *Answer) {
	usage := o.g.includeUsage || a.fault.Usage == "final" || a.fault.Usage == "null"
	switch a.fault.Usage {
	case "none", "last", "finish":
		usage = false
	}
	if !usage {
		return
	}
	output, reasoning := a.totals()
	o.buf = append(append(o.buf[:0], o.head...), ']')
	o.buf = append(appendUsage(a, o.buf, output, reasoning), `,"system_fingerprint":"simulator"}`...)
	o.send(a, UsageReport, -1, 0)
}

// Terminate implements Renderer.
func (o *openAI) Terminate(a *Answer) {
	o.buf = append(o.buf[:0], "data: [DONE]"...)
	o.send(a, Done, -1, 0)
}

// Fail implements Renderer.
func (o *openAI) Fail(a *Answer, f Failure) string {
	o.buf = appendError(append(o.buf[:0], "data: "...), f)
	o.send(a, Error, -1, 0)
	o.Terminate(a)
	return f.Code
}

// Garbage implements Renderer.
func (o *openAI) Garbage(a *Answer, kind string) {
	o.buf = append(o.buf[:0], `data: {"id":"broken","choices":[{"index":0,"delta":{"content":`...)
	if kind == "bytes" {
		o.buf = append(o.buf[:0], "\x00\xff\xfe\x80data\x01\x02: \xf0\x28\x8c"...)
	}
	o.send(a, Garbage, -1, 0)
}

// Comment implements Renderer.
func (o *openAI) Comment(a *Answer) { a.SendComment("keep-alive") }

// send sends buf as an event.
func (o *openAI) send(a *Answer, kinds Kinds, choice, tokens int) {
	o.buf = append(o.buf, a.tail...)
	a.Send(kinds, choice, tokens, o.buf)
}

// appendChunk appends a chunk with some tokens of a choice.
func (o *openAI) appendChunk(a *Answer, b []byte, t Tokens, finish string) []byte {
	b = append(b, o.head...)
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(t.Choice), 10)
	if o.g.chat {
		b = append(b, `,"delta":{`...)
		if t.First <= t.Last {
			b = appendDelta(a, b, t)
		}
		b = append(b, '}')
	} else {
		b = append(b, `,"text":`...)
		b = a.AppendText(b, t.Choice, t.First, t.Last)
	}
	b = append(b, `,"logprobs":null,"finish_reason":`...)
	if finish == "" {
		return append(b, `null}]`...)
	}
	b = append(b, quote(finish)...)
	return append(b, `,"stop_reason":null}]`...)
}

func appendDelta(a *Answer, b []byte, t Tokens) []byte {
	name := "content"
	switch t.Kind {
	case Tool:
		b = append(b, `"tool_calls":[{"index":0,"function":{"arguments":`...)
		b = a.AppendText(b, t.Choice, t.First, t.Last)
		return append(b, `}}]`...)
	case Refusal:
		name = "refusal"
	case Reasoning:
		name = "reasoning"
		if a.fault.Reasoning != "reasoning" {
			b = append(b, `"reasoning_content":`...)
			b = a.AppendText(b, t.Choice, t.First, t.Last)
			if a.fault.Reasoning != "both" {
				return b
			}
			b = append(b, ',')
		}
	}
	b = append(append(append(b, '"'), name...), `":`...)
	return a.AppendText(b, t.Choice, t.First, t.Last)
}

// appendUsage appends ,"usage":{…}.
func appendUsage(a *Answer, b []byte, output, reasoning int) []byte {
	input := a.PromptTokens()
	b = append(b, `,"usage":{"prompt_tokens":`...)
	b = strconv.AppendInt(b, int64(input), 10)
	b = append(b, `,"total_tokens":`...)
	b = strconv.AppendInt(b, int64(input+output), 10)
	b = append(b, `,"completion_tokens":`...)
	b = strconv.AppendInt(b, int64(output), 10)
	if cached, known := a.CachedTokens(); known {
		b = append(b, `,"prompt_tokens_details":{"cached_tokens":`...)
		b = append(strconv.AppendInt(b, int64(cached), 10), '}')
	}
	if a.fault.Reasoning != "" {
		b = append(b, `,"completion_tokens_details":{"reasoning_tokens":`...)
		b = strconv.AppendInt(b, int64(reasoning), 10)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendError(b []byte, f Failure) []byte {
	value := f.Code
	if _, isNumber := code(value).(int); !isNumber {
		value = quote(value)
	}
	return append(b, `{"error":{"message":`+quote(f.Message)+`,"type":"InternalServerError","param":null,"code":`+value+`}}`...)
}

// Whole implements Renderer.
func (o *openAI) Whole(a *Answer) Reply {
	if f := a.fault; f.StreamError != "" {
		message := orString(f.Message, "simulated: generation failed")
		return Reply{Body: appendError(nil, Failure{Code: f.StreamError, Message: message}), Code: f.StreamError}
	}
	o.prepare(a)
	object := `"text_completion"`
	if o.g.chat {
		object = `"chat.completion"`
	}
	b := append([]byte(nil), `{"id":"`+o.id+`","object":`+object+`,"created":`+o.since+`,"model":`+quote(o.g.model)+`,"choices":[`...)
	for i := range a.output {
		if i > 0 {
			b = append(b, ',')
		}
		b = o.appendChoice(a, b, i)
	}
	b = append(b, `],"system_fingerprint":"simulator"`...)
	usage := a.fault.Usage != "none"
	if usage {
		output, reasoning := a.totals()
		b = appendUsage(a, b, output, reasoning)
	}
	return Reply{Body: append(b, '}'), Usage: usage}
}

func (o *openAI) appendChoice(a *Answer, b []byte, i int) []byte {
	n := min(a.reasoning[i], a.sent[i])
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(i), 10)
	if !o.g.chat {
		b = a.AppendText(append(b, `,"text":`...), i, 1, a.sent[i])
	} else {
		b = append(b, `,"message":{"role":"assistant","content":`...)
		kind := a.kind(i, a.reasoning[i]+1)
		if kind == Text {
			b = a.AppendText(b, i, n+1, a.sent[i])
		} else {
			b = append(b, `null`...)
		}
		b = append(b, `,"refusal":`...)
		if kind == Refusal {
			b = a.AppendText(b, i, n+1, a.sent[i])
		} else {
			b = append(b, `null`...)
		}
		if kind == Tool {
			b = append(b, `,"tool_calls":[{"id":"call_`+strconv.Itoa(i)+`","type":"function","function":{"name":"simulate","arguments":`...)
			b = a.AppendText(b, i, n+1, a.sent[i])
			b = append(b, `}}]`...)
		}
		if n > 0 {
			if a.fault.Reasoning != "reasoning" {
				b = a.AppendText(append(b, `,"reasoning_content":`...), i, 1, n)
			}
			if a.fault.Reasoning != "reasoning_content" {
				b = a.AppendText(append(b, `,"reasoning":`...), i, 1, n)
			}
		}
		b = append(b, '}')
	}
	return append(b, `,"logprobs":null,"finish_reason":`+quote(a.finish[i])+`,"stop_reason":null}`...)
}
