package main

import (
	"fmt"
	"strconv"

	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

const streamHeader = "application/vnd.amazon.eventstream"

// stopReasons are Converse's and Anthropic's words for OpenAI's.
func stopReason(reason string) (sent, means string) {
	if word, ok := map[string]string{"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "content_filtered"}[reason]; ok {
		return word, reason
	}
	return reason, reason
}

// blocks keeps track of the content blocks of a stream.
type blocks struct {
	framer
	index int
	open  simulator.Kinds // of the block; 0: none
	buf   []byte
}

// converseRenderer writes answers of Converse and ConverseStream.
type converseRenderer struct{ blocks }

var _ simulator.Renderer = (*converseRenderer)(nil)

func (c *converseRenderer) Finish(reason string) (sent, means string) { return stopReason(reason) }

func (c *converseRenderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: streamHeader}
}

func (c *converseRenderer) send(a *simulator.Answer, kinds simulator.Kinds, choice, tokens int, name string, payload []byte) {
	a.Send(kinds, choice, tokens, c.message("event", name, payload))
}

func (c *converseRenderer) Start(a *simulator.Answer) {
	c.send(a, simulator.Role, 0, 0, evMessageStart, []byte(`{"p":"abcd","role":"assistant"}`))
}

func (c *converseRenderer) close(a *simulator.Answer) {
	if c.open != 0 {
		c.send(a, simulator.Other, -1, 0, evBlockStop, fmt.Appendf(nil, `{"contentBlockIndex":%d,"p":"ab"}`, c.index))
		c.index++
		c.open = 0
	}
}

func (c *converseRenderer) Tokens(a *simulator.Answer, t simulator.Tokens) {
	if t.Count() > 0 {
		if c.open != t.Kind {
			c.close(a)
			c.open = t.Kind
			if t.Kind == simulator.Tool {
				c.send(a, simulator.Tool, 0, 0, evBlockStart, fmt.Appendf(nil, `{"contentBlockIndex":%d,"p":"ab","start":{"toolUse":{"name":"simulate","toolUseId":"tooluse_1"}}}`, c.index))
			}
		}
		b := strconv.AppendInt(append(c.buf[:0], `{"contentBlockIndex":`...), int64(c.index), 10)
		b = append(b, `,"delta":{`...)
		end := `},"p":"abcdefgh"}`
		switch t.Kind {
		case simulator.Reasoning:
			b = append(b, `"reasoningContent":{"text":`...)
			end = `}` + end
		case simulator.Tool:
			b = append(b, `"toolUse":{"input":`...)
			end = `}` + end
		default:
			b = append(b, `"text":`...)
		}
		c.buf = append(a.AppendText(b, t.Choice, t.First, t.Last), end...)
		c.send(a, t.Kind, 0, t.Count(), evBlockDelta, c.buf)
	}
	if t.Ends {
		c.close(a)
		c.send(a, simulator.FinishReason, 0, 0, evMessageStop, fmt.Appendf(nil, `{"p":"ab","stopReason":%q}`, t.Finish))
	}
}

func (c *converseRenderer) End(a *simulator.Answer) {
	kinds, usage := simulator.Other, ""
	if a.Fault().Usage != "none" {
		kinds, usage = simulator.UsageReport, converseUsage(a)+","
	}
	// There is no mark of the end: this is the last that comes.
	c.send(a, kinds|simulator.Done, -1, 0, evMetadata, []byte(`{`+usage+`"metrics":{"latencyMs":12},"p":"abc"}`))
}

func converseUsage(a *simulator.Answer) string {
	output, _ := a.Sent()
	return fmt.Sprintf(`"usage":{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d}`, a.PromptTokens(), output, a.PromptTokens()+output)
}

func (c *converseRenderer) Terminate(*simulator.Answer) {}

func (c *converseRenderer) Fail(a *simulator.Answer, f simulator.Failure) string { return c.fail(a, f) }

func (c *converseRenderer) Garbage(a *simulator.Answer, kind string) { c.garbage(a, kind) }

func (c *converseRenderer) Comment(*simulator.Answer) {} // Lacks says so

func (c *converseRenderer) Whole(a *simulator.Answer) simulator.Reply {
	said := a.Choice(0)
	var content []string
	if said.Reasoning != "" {
		content = append(content, fmt.Sprintf(`{"reasoningContent":{"reasoningText":{"text":%s}}}`, jsonhttp.Quoted(said.Reasoning)))
	}
	if said.Text != "" {
		content = append(content, fmt.Sprintf(`{"text":%s}`, jsonhttp.Quoted(said.Text)))
	}
	if said.Tool != "" {
		content = append(content, fmt.Sprintf(`{"toolUse":{"toolUseId":"t","name":"simulate","input":%s}}`, jsonhttp.Quoted(said.Tool)))
	}
	usage := ""
	if a.Fault().Usage != "none" {
		usage = "," + converseUsage(a)
	}
	return simulator.Reply{Usage: usage != "", Body: fmt.Appendf(nil, `{"metrics":{"latencyMs":12},"output":{"message":{"content":[%s],"role":"assistant"}},"stopReason":%q%s}`,
		joined(content), said.Finish, usage)}
}

func joined(values []string) string {
	text := ""
	for i, v := range values {
		if i > 0 {
			text += ","
		}
		text += v
	}
	return text
}

// anthropicRenderer writes answers of InvokeModel and
// InvokeModelWithResponseStream as Anthropic's Messages API has them.
type anthropicRenderer struct{ blocks }

var _ simulator.Renderer = (*anthropicRenderer)(nil)

func (r *anthropicRenderer) Finish(reason string) (sent, means string) {
	if reason == "content_filter" {
		return "refusal", reason
	}
	return stopReason(reason)
}

func (r *anthropicRenderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: streamHeader}
}

func (r *anthropicRenderer) send(a *simulator.Answer, kinds simulator.Kinds, choice, tokens int, payload []byte) {
	a.Send(kinds, choice, tokens, r.chunk(payload))
}

// usage is true where it is reported.
func (r *anthropicRenderer) usage(a *simulator.Answer) bool { return a.Fault().Usage != "none" }

func (r *anthropicRenderer) Start(a *simulator.Answer) {
	kinds, usage := simulator.Role, ""
	if r.usage(a) {
		kinds, usage = kinds|simulator.UsageReport, fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":1}`, a.PromptTokens())
	}
	r.send(a, kinds, 0, 0, fmt.Appendf(nil, `{"type":"message_start","message":{"id":"msg","type":"message","role":"assistant","content":[]%s}}`, usage))
}

func (r *anthropicRenderer) close(a *simulator.Answer) {
	if r.open != 0 {
		r.send(a, simulator.Other, -1, 0, fmt.Appendf(nil, `{"type":"content_block_stop","index":%d}`, r.index))
		r.index++
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
			r.send(a, kinds, choice, 0, fmt.Appendf(nil, `{"type":"content_block_start","index":%d,"content_block":{%s}}`, r.index, block))
		}
		b := fmt.Appendf(r.buf[:0], `{"type":"content_block_delta","index":%d,"delta":{"type":%q,%q:`, r.index, delta, field)
		r.buf = append(a.AppendText(b, t.Choice, t.First, t.Last), `}}`...)
		r.send(a, t.Kind, 0, t.Count(), r.buf)
	}
	if !t.Ends {
		return
	}
	r.close(a)
	kinds, usage := simulator.FinishReason, ""
	if r.usage(a) {
		output, _ := a.Sent()
		kinds, usage = kinds|simulator.UsageReport, fmt.Sprintf(`,"usage":{"output_tokens":%d}`, output)
	}
	r.send(a, kinds, 0, 0, fmt.Appendf(nil, `{"type":"message_delta","delta":{"stop_reason":%q,"stop_sequence":null}%s}`, t.Finish, usage))
}

func (r *anthropicRenderer) End(a *simulator.Answer) {
	kinds, metrics := simulator.Other, ""
	if r.usage(a) {
		output, _ := a.Sent()
		kinds = simulator.UsageReport
		metrics = fmt.Sprintf(`,"amazon-bedrock-invocationMetrics":{"inputTokenCount":%d,"outputTokenCount":%d,"invocationLatency":50,"firstByteLatency":10}`, a.PromptTokens(), output)
	}
	// There is no mark of the end: this is the last that comes.
	r.send(a, kinds|simulator.Done, -1, 0, []byte(`{"type":"message_stop"`+metrics+`}`))
}

func (r *anthropicRenderer) Terminate(*simulator.Answer) {}

func (r *anthropicRenderer) Fail(a *simulator.Answer, f simulator.Failure) string {
	return r.fail(a, f)
}

func (r *anthropicRenderer) Garbage(a *simulator.Answer, kind string) {
	if kind == "json" {
		a.Send(simulator.Garbage, -1, 0, r.chunk([]byte(`{"type":"content_block_delta","delta":{"text":`)))
		return
	}
	r.garbage(a, kind)
}

func (r *anthropicRenderer) Comment(*simulator.Answer) {} // Lacks says so

func (r *anthropicRenderer) Whole(a *simulator.Answer) simulator.Reply {
	said := a.Choice(0)
	var content []string
	if said.Reasoning != "" {
		content = append(content, fmt.Sprintf(`{"type":"thinking","thinking":%s}`, jsonhttp.Quoted(said.Reasoning)))
	}
	if said.Text != "" {
		content = append(content, fmt.Sprintf(`{"type":"text","text":%s}`, jsonhttp.Quoted(said.Text)))
	}
	if said.Tool != "" {
		content = append(content, fmt.Sprintf(`{"type":"tool_use","id":"t","name":"simulate","input":%s}`, jsonhttp.Quoted(said.Tool)))
	}
	usage := ""
	if r.usage(a) {
		usage = fmt.Sprintf(`,"usage":{"input_tokens":%d,"output_tokens":%d}`, a.PromptTokens(), said.Tokens)
	}
	return simulator.Reply{Usage: usage != "", Body: fmt.Appendf(nil, `{"id":"msg","type":"message","role":"assistant","content":[%s],"stop_reason":%q%s}`,
		joined(content), said.Finish, usage)}
}
