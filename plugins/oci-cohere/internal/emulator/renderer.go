package emulator

import (
	"strconv"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// renderer writes chat answers in one of the three formats.
type renderer struct {
	format string
	buf    []byte
}

var _ simulator.Renderer = (*renderer)(nil)

// finishes are the finish reasons of Cohere's formats, by OpenAI's words.
var finishes = map[string]map[string]string{
	"COHERE":   {"stop": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR_TOXIC"},
	"COHEREV2": {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"},
}

// Finish implements simulator.Renderer.
func (w *renderer) Finish(reason string) (sent, means string) {
	if word, ok := finishes[w.format][reason]; ok {
		return word, reason
	}
	return reason, reason
}

// Head implements simulator.Renderer.
func (w *renderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: "text/event-stream"}
}

// Start implements simulator.Renderer: roles come with the content, unless a
// fault asks for them before.
func (w *renderer) Start(a *simulator.Answer) {
	if a.Fault().First != "early-role" || w.format == "COHERE" {
		return
	}
	for i := range a.Choices() {
		w.open(i)
		w.buf = append(w.buf, `,"message":{"role":"ASSISTANT"}}`...)
		a.SendSSE(simulator.Role, i, 0, "", w.buf)
	}
}

// open begins an event.
func (w *renderer) open(choice int) {
	if w.format == "GENERIC" {
		w.buf = strconv.AppendInt(append(w.buf[:0], `{"index":`...), int64(choice), 10)
		return
	}
	w.buf = append(append(append(w.buf[:0], `{"apiFormat":"`...), w.format...), '"')
}

// Tokens implements simulator.Renderer.
func (w *renderer) Tokens(a *simulator.Answer, t simulator.Tokens) {
	if t.Opens && t.Kind == simulator.Tool {
		w.open(t.Choice)
		name := `"name":"simulate","arguments":""`
		if w.format == "COHEREV2" {
			name = `"function":{` + name + `}`
		}
		w.buf = append(w.buf, `,"message":{"role":"ASSISTANT","toolCalls":[{"id":"call-0","type":"FUNCTION",`+name+`}]}}`...)
		a.SendSSE(simulator.Tool, t.Choice, 0, "", w.buf)
	}
	if t.Count() > 0 {
		w.open(t.Choice)
		w.buf = append(w.buf, ',')
		w.say(a, t)
		kinds := t.Kind
		switch fault := a.Fault().Usage; {
		case fault == "cumulative", fault == "last" && t.Final:
			kinds |= simulator.UsageReport
			output, reasoning := a.SentOf(t.Choice)
			if fault == "last" {
				output, reasoning = a.Sent()
			}
			w.usage(a, output, reasoning)
		case fault == "null":
			w.buf = append(w.buf, `,"usage":null`...)
		}
		w.buf = append(w.buf, `,"pad":"aaaa"}`...)
		a.SendSSE(kinds, t.Choice, t.Count(), "", w.buf)
	}
	if !t.Ends {
		return
	}
	w.open(t.Choice)
	if w.format == "COHERE" { // the last event has the whole text once more
		output, _ := a.SentOf(t.Choice)
		w.buf = a.AppendText(append(w.buf, `,"text":`...), t.Choice, 1, output)
	}
	w.buf = append(append(w.buf, `,"finishReason":`...), quote(t.Finish)...)
	kinds := simulator.FinishReason
	if t.Final && w.usageWithFinish(a) {
		output, reasoning := a.Sent()
		w.usage(a, output, reasoning)
		kinds |= simulator.UsageReport
	}
	w.buf = append(w.buf, '}')
	a.SendSSE(kinds, t.Choice, 0, "", w.buf)
}

// usageWithFinish: Cohere's formats report usage with the finish reason, the
// GENERIC one after it.
func (w *renderer) usageWithFinish(a *simulator.Answer) bool {
	switch a.Fault().Usage {
	case "finish":
		return true
	case "", "null":
		return w.format != "GENERIC"
	}
	return false
}

// say appends the tokens' text where the format has it.
func (w *renderer) say(a *simulator.Answer, t simulator.Tokens) {
	text := func(before, after string) {
		w.buf = append(a.AppendText(append(w.buf, before...), t.Choice, t.First, t.Last), after...)
	}
	generic := w.format == "GENERIC"
	switch {
	case w.format == "COHERE":
		text(`"text":`, ``)
	case t.Kind == simulator.Tool && generic:
		text(`"message":{"role":"ASSISTANT","toolCalls":[{"type":"FUNCTION","arguments":`, `}]}`)
	case t.Kind == simulator.Tool:
		text(`"message":{"role":"ASSISTANT","toolCalls":[{"type":"FUNCTION","function":{"arguments":`, `}}]}`)
	case t.Kind == simulator.Refusal:
		text(`"message":{"role":"ASSISTANT","refusal":`, `}`)
	case t.Kind == simulator.Reasoning && generic:
		text(`"message":{"role":"ASSISTANT","reasoningContent":`, `}`)
	case t.Kind == simulator.Reasoning:
		text(`"message":{"role":"ASSISTANT","content":[{"type":"THINKING","thinking":`, `}]}`)
	default:
		text(`"message":{"role":"ASSISTANT","content":[{"type":"TEXT","text":`, `}]}`)
	}
}

// usage appends ,"usage":{…} (the data type Usage).
func (w *renderer) usage(a *simulator.Answer, output, reasoning int) {
	number := func(name string, n int) {
		w.buf = strconv.AppendInt(append(append(append(w.buf, '"'), name...), `":`...), int64(n), 10)
	}
	w.buf = append(w.buf, `,"usage":{`...)
	number("promptTokens", a.PromptTokens())
	w.buf = append(w.buf, ',')
	number("completionTokens", output)
	w.buf = append(w.buf, ',')
	number("totalTokens", a.PromptTokens()+output)
	if a.Fault().Reasoning != "" {
		w.buf = append(w.buf, `,"completionTokensDetails":{`...)
		number("reasoningTokens", reasoning)
		w.buf = append(w.buf, '}')
	}
	w.buf = append(w.buf, '}')
}

// End implements simulator.Renderer.
func (w *renderer) End(a *simulator.Answer) {
	switch fault := a.Fault().Usage; {
	case fault == "final", w.format == "GENERIC" && (fault == "" || fault == "null"):
	default:
		return
	}
	output, reasoning := a.Sent()
	w.buf = w.buf[:0]
	w.usage(a, output, reasoning)
	w.buf[0] = '{' // in place of the comma
	w.buf = append(w.buf, '}')
	a.SendSSE(simulator.UsageReport, -1, 0, "", w.buf)
}

// Terminate implements simulator.Renderer: the stream just ends.
func (w *renderer) Terminate(*simulator.Answer) {}

// Fail implements simulator.Renderer.
func (w *renderer) Fail(a *simulator.Answer, f simulator.Failure) string {
	code := codeOf(f.Status, f.Code)
	a.SendSSE(simulator.Error, -1, 0, "", errorBody(code, f.Message))
	return code
}

// Garbage implements simulator.Renderer.
func (w *renderer) Garbage(a *simulator.Answer, kind string) {
	if kind == "bytes" {
		a.SendSSE(simulator.Garbage, -1, 0, "", []byte("\x00\xff\xfe\x80\x01\x02: \xf0\x28\x8c"))
		return
	}
	a.SendSSE(simulator.Garbage, -1, 0, "", []byte(`{"index":0,"message":{"content":[`))
}

// Comment implements simulator.Renderer.
func (w *renderer) Comment(a *simulator.Answer) { a.SendComment("keep-alive") }

// Whole implements simulator.Renderer.
func (w *renderer) Whole(a *simulator.Answer) simulator.Reply {
	if f := a.Fault(); f.StreamError != "" {
		message := f.Message
		if message == "" {
			message = "emulated: generation failed"
		}
		code := codeOf(0, f.StreamError)
		return simulator.Reply{Body: errorBody(code, message), Code: code}
	}
	usage := a.Fault().Usage != "none"
	var choices []map[string]any
	for i := range a.Choices() {
		choices = append(choices, w.choice(a, i))
	}
	response := map[string]any{"apiFormat": w.format}
	if w.format == "GENERIC" {
		response["choices"], response["timeCreated"] = choices, "2026-01-01T00:00:00Z"
	} else {
		for name, value := range choices[0] {
			response[name] = value
		}
	}
	if usage {
		output, reasoning := a.Sent()
		counts := map[string]any{"promptTokens": a.PromptTokens(), "completionTokens": output, "totalTokens": a.PromptTokens() + output}
		if a.Fault().Reasoning != "" {
			counts["completionTokensDetails"] = map[string]any{"reasoningTokens": reasoning}
		}
		response["usage"] = counts
	}
	return simulator.Reply{Usage: usage, Body: encode(map[string]any{"modelId": a.Model(), "modelVersion": "1", "chatResponse": response})}
}

func (w *renderer) choice(a *simulator.Answer, i int) map[string]any {
	said := a.Choice(i)
	if w.format == "COHERE" {
		return map[string]any{"text": said.Text, "finishReason": said.Finish}
	}
	message := map[string]any{"role": "ASSISTANT"}
	var content []map[string]any
	if said.Reasoning != "" {
		if w.format == "GENERIC" {
			message["reasoningContent"] = said.Reasoning
		} else {
			content = append(content, map[string]any{"type": "THINKING", "thinking": said.Reasoning})
		}
	}
	if said.Text != "" {
		content = append(content, map[string]any{"type": "TEXT", "text": said.Text})
	}
	message["content"] = content
	if said.Refusal != "" {
		message["refusal"] = said.Refusal
	}
	if said.Tool != "" {
		call := map[string]any{"name": "simulate", "arguments": said.Tool}
		if w.format == "COHEREV2" {
			call = map[string]any{"function": call}
		}
		message["toolCalls"] = []any{call}
	}
	choice := map[string]any{"message": message, "finishReason": said.Finish}
	if w.format == "GENERIC" {
		choice["index"] = i
	} else {
		choice["id"] = "emulated"
	}
	return choice
}

func quote(s string) string { return string(encode(s)) }
