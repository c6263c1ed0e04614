package main

import (
	"fmt"

	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// geminiRenderer writes GenerateContentResponses: an event has a candidate, the
// last of all has the usage too.
type geminiRenderer struct{ buf []byte }

var _ simulator.Renderer = (*geminiRenderer)(nil)

func (*geminiRenderer) Finish(reason string) (sent, means string) {
	if word, ok := map[string]string{"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}[reason]; ok {
		return word, reason
	}
	if reason == "tool_calls" {
		return "STOP", reason
	}
	return reason, reason
}

func (*geminiRenderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: "text/event-stream"}
}

func (*geminiRenderer) Start(*simulator.Answer) {}

// usageText is usageMetadata; reasoning is told apart from candidates.
func usageText(a *simulator.Answer) string {
	output, reasoning := a.Sent()
	text := fmt.Sprintf(`"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d`, a.PromptTokens(), output-reasoning)
	if a.Fault().Reasoning != "" {
		text += fmt.Sprintf(`,"thoughtsTokenCount":%d`, reasoning)
	}
	return text + fmt.Sprintf(`,"totalTokenCount":%d}`, a.PromptTokens()+output)
}

func (g *geminiRenderer) Tokens(a *simulator.Answer, t simulator.Tokens) {
	kinds := simulator.Kinds(0)
	b := fmt.Appendf(g.buf[:0], `{"candidates":[{"content":{"role":"model","parts":[`)
	if t.Count() > 0 {
		kinds |= t.Kind
		if t.Kind == simulator.Tool && t.Opens {
			b = append(b, `{"functionCall":{"name":"simulate","willContinue":true}},`...)
		}
		b = appendPart(b, t.Kind, a.AppendText(nil, t.Choice, t.First, t.Last))
	}
	b = fmt.Appendf(b, `]},"index":%d`, t.Choice)
	if t.Ends {
		kinds |= simulator.FinishReason
		b = fmt.Appendf(b, `,"finishReason":%s`, jsonhttp.Quoted(t.Finish))
	}
	b = append(b, '}', ']')
	if usage := a.Fault().Usage; t.Final && usage != "none" || usage == "cumulative" {
		kinds |= simulator.UsageReport
		b = append(append(b, ','), usageText(a)...)
	}
	g.buf = append(b, '}')
	a.SendSSE(kinds, t.Choice, t.Count(), "", g.buf)
}

// appendPart appends a part; text is a JSON string.
func appendPart(b []byte, kind simulator.Kinds, text []byte) []byte {
	switch kind {
	case simulator.Tool:
		return fmt.Appendf(b, `{"functionCall":{"partialArgs":[{"jsonPath":"$.text","stringValue":%s,"willContinue":true}],"willContinue":true}}`, text)
	case simulator.Reasoning:
		return fmt.Appendf(b, `{"text":%s,"thought":true}`, text)
	}
	return fmt.Appendf(b, `{"text":%s}`, text)
}

func (*geminiRenderer) End(*simulator.Answer)       {}
func (*geminiRenderer) Terminate(*simulator.Answer) {}

func (*geminiRenderer) Fail(a *simulator.Answer, f simulator.Failure) string {
	text, code := errorText(f)
	a.SendSSE(simulator.Error, -1, 0, "", text)
	return code
}

func (*geminiRenderer) Garbage(a *simulator.Answer, kind string) {
	if kind == "bytes" {
		a.SendSSE(simulator.Garbage, -1, 0, "", []byte("\xff\xfe\x80 no JSON"))
		return
	}
	a.SendSSE(simulator.Garbage, -1, 0, "", []byte(`{"candidates":[{"content":{"parts":[{"text":`))
}

func (*geminiRenderer) Comment(a *simulator.Answer) { a.SendComment("keep-alive") }

func (*geminiRenderer) Whole(a *simulator.Answer) simulator.Reply {
	if code := a.Fault().StreamError; code != "" {
		text, sent := errorText(simulator.Failure{Code: code, Message: a.Fault().Message})
		return simulator.Reply{Body: text, Code: sent}
	}
	b := []byte(`{"candidates":[`)
	for i := range a.Choices() {
		c := a.Choice(i)
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"content":{"role":"model","parts":[`...)
		first := true
		for _, part := range []struct {
			kind simulator.Kinds
			text string
		}{{simulator.Reasoning, c.Reasoning}, {simulator.Text, c.Text}, {simulator.Tool, c.Tool}} {
			if part.text == "" {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = appendPart(b, part.kind, jsonhttp.Quoted(part.text))
		}
		b = fmt.Appendf(b, `]},"index":%d,"finishReason":%s}`, i, jsonhttp.Quoted(c.Finish))
	}
	b = append(b, ']')
	usage := a.Fault().Usage != "none"
	if usage {
		b = append(append(b, ','), usageText(a)...)
	}
	return simulator.Reply{Body: append(b, '}'), Usage: usage}
}

// anthropicRenderer writes Anthropic's messages.
type anthropicRenderer struct {
	block int
	open  simulator.Kinds
	buf   []byte
}

var _ simulator.Renderer = (*anthropicRenderer)(nil)

func (*anthropicRenderer) Finish(reason string) (sent, means string) {
	if word, ok := map[string]string{"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}[reason]; ok {
		return word, reason
	}
	return reason, reason
}

func (*anthropicRenderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: "text/event-stream; charset=utf-8"}
}

func (r *anthropicRenderer) Start(a *simulator.Answer) {
	kinds, usage := simulator.Role, ""
	if a.Fault().Usage != "none" {
		kinds, usage = kinds|simulator.UsageReport, fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":1}`, a.PromptTokens())
	}
	a.SendSSE(kinds, 0, 0, "message_start", fmt.Appendf(nil, `{"type":"message_start","message":{"id":"msg","type":"message","role":"assistant","content":[]%s}}`, usage))
}

func (r *anthropicRenderer) close(a *simulator.Answer) {
	if r.open != 0 {
		a.SendSSE(simulator.Other, -1, 0, "content_block_stop", fmt.Appendf(nil, `{"type":"content_block_stop","index":%d}`, r.block))
		r.block++
		r.open = 0
	}
}

func (r *anthropicRenderer) Tokens(a *simulator.Answer, t simulator.Tokens) {
	if t.Count() > 0 {
		kind, field, delta := "text", "text", "text_delta"
		switch t.Kind {
		case simulator.Reasoning:
			kind, field, delta = "thinking", "thinking", "thinking_delta"
		case simulator.Tool:
			kind, field, delta = "tool_use", "partial_json", "input_json_delta"
		}
		if r.open != t.Kind {
			r.close(a)
			r.open = t.Kind
			block, kinds, choice := `"type":"`+kind+`","`+field+`":""`, simulator.Other, -1
			if t.Kind == simulator.Tool {
				block, kinds, choice = `"type":"tool_use","id":"toolu","name":"simulate","input":{}`, simulator.Tool, 0
			}
			a.SendSSE(kinds, choice, 0, "content_block_start", fmt.Appendf(nil, `{"type":"content_block_start","index":%d,"content_block":{%s}}`, r.block, block))
		}
		b := fmt.Appendf(r.buf[:0], `{"type":"content_block_delta","index":%d,"delta":{"type":%q,%q:`, r.block, delta, field)
		r.buf = append(a.AppendText(b, t.Choice, t.First, t.Last), `}}`...)
		a.SendSSE(t.Kind, 0, t.Count(), "content_block_delta", r.buf)
	}
	if !t.Ends {
		return
	}
	r.close(a)
	kinds, usage := simulator.FinishReason, ""
	if a.Fault().Usage != "none" {
		output, _ := a.Sent()
		kinds, usage = kinds|simulator.UsageReport, fmt.Sprintf(`,"usage":{"output_tokens":%d}`, output)
	}
	a.SendSSE(kinds, 0, 0, "message_delta", fmt.Appendf(nil, `{"type":"message_delta","delta":{"stop_reason":%s,"stop_sequence":null}%s}`, jsonhttp.Quoted(t.Finish), usage))
}

func (*anthropicRenderer) End(*simulator.Answer) {}

func (*anthropicRenderer) Terminate(a *simulator.Answer) {
	a.SendSSE(simulator.Done, -1, 0, "message_stop", []byte(`{"type":"message_stop"}`))
}

func (*anthropicRenderer) Fail(a *simulator.Answer, f simulator.Failure) string {
	code := map[string]string{"400": "invalid_request_error", "429": "rate_limit_error", "rate_limit_exceeded": "rate_limit_error", "529": "overloaded_error"}[f.Code]
	if code == "" {
		code = "api_error"
	}
	a.SendSSE(simulator.Error, -1, 0, "error", fmt.Appendf(nil, `{"type":"error","error":{"type":%q,"message":%s}}`, code, jsonhttp.Quoted(f.Message)))
	return code
}

func (*anthropicRenderer) Garbage(a *simulator.Answer, kind string) {
	if kind == "bytes" {
		a.SendSSE(simulator.Garbage, -1, 0, "", []byte("\xff\xfe\x80 no JSON"))
		return
	}
	a.SendSSE(simulator.Garbage, -1, 0, "content_block_delta", []byte(`{"type":"content_block_delta","delta":{"text":`))
}

func (*anthropicRenderer) Comment(a *simulator.Answer) { a.SendComment("keep-alive") }

func (*anthropicRenderer) Whole(a *simulator.Answer) simulator.Reply {
	if code := a.Fault().StreamError; code != "" {
		return simulator.Reply{Body: fmt.Appendf(nil, `{"type":"error","error":{"type":"api_error","message":%s}}`, jsonhttp.Quoted(a.Fault().Message)), Code: "api_error"}
	}
	c := a.Choice(0)
	b := []byte(`{"id":"msg","type":"message","role":"assistant","content":[`)
	first := true
	block := func(format string, text string) {
		if text == "" {
			return
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = fmt.Appendf(b, format, jsonhttp.Quoted(text))
	}
	block(`{"type":"thinking","thinking":%s}`, c.Reasoning)
	block(`{"type":"text","text":%s}`, c.Text)
	block(`{"type":"tool_use","id":"toolu","name":"simulate","input":%s}`, c.Tool)
	b = fmt.Appendf(b, `],"stop_reason":%s`, jsonhttp.Quoted(c.Finish))
	usage := a.Fault().Usage != "none"
	if usage {
		output, _ := a.Sent()
		b = fmt.Appendf(b, `,"usage":{"input_tokens":%d,"output_tokens":%d}`, a.PromptTokens(), output)
	}
	return simulator.Reply{Body: append(b, '}'), Usage: usage}
}
