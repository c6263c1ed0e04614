package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// chunked is an answer of an event stream, an HTTP chunk for each text.
func chunked(events ...string) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
	for _, e := range events {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(e), e)
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

func whole(status int, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// understood is what this plugin makes of an answer.
type understood struct {
	Text, Reasoning string
	Outputs         int // events with output
	Finish          backend.Finish
	Input, Output   int64 // -1: not reported
	Class           fault.Class
	Hint            string
}

// TestServersOfEveryHabit: what compatible servers do differently, in the forms
// that their documentation and sources show. Two tokens each.
func TestServersOfEveryHabit(t *testing.T) {
	hi := understood{Text: "Hi you", Outputs: 2, Finish: backend.FinishLength, Input: 5, Output: 2}
	unreported := hi
	unreported.Input, unreported.Output = -1, -1
	for name, c := range map[string]struct {
		answer []byte
		want   understood
	}{
		"llama.cpp: null content first, timings in the last chunk": {chunked(
			`data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"chatcmpl-a","model":"gpt-3.5-turbo","system_fingerprint":"b6000-abc","object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1,"id":"chatcmpl-a","object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" you"}}],"created":1,"id":"chatcmpl-a","object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1,"id":"chatcmpl-a","object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[],"created":1,"id":"chatcmpl-a","object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":5,"total_tokens":7},"timings":{"prompt_n":5,"prompt_ms":20.1,"predicted_n":2,"predicted_ms":11.5}}`+"\n\ndata: [DONE]\n\n"), hi},
		"llama.cpp before it knew stream_options: usage beside the finish reason, no [DONE]": {chunked(
			`data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":null,"index":0}],"object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[{"delta":{"content":" you"},"finish_reason":null,"index":0}],"object":"chat.completion.chunk"}`+"\n\n",
			`data: {"choices":[{"delta":{},"finish_reason":"length","index":0}],"object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":5,"total_tokens":7}}`+"\n\n"), hi},
		"Ollama: the role in every chunk, empty text with the end, no usage": {chunked(
			`data: {"id":"chatcmpl-362","object":"chat.completion.chunk","created":1,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}`+"\n\n",
			`data: {"id":"chatcmpl-362","object":"chat.completion.chunk","created":1,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":" you"},"finish_reason":null}]}`+"\n\n",
			`data: {"id":"chatcmpl-362","object":"chat.completion.chunk","created":1,"model":"llama3.2","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"length"}]}`+"\n\n",
			"data: [DONE]\n\n"), unreported},
		"TGI: no blank after data:, the end beside the last token, null usage, no [DONE]": {chunked(
			`data:{"object":"chat.completion.chunk","id":"","created":1,"model":"tgi","system_fingerprint":"3.0.1-native","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null}`+"\n\n",
			`data:{"object":"chat.completion.chunk","id":"","created":1,"model":"tgi","choices":[{"index":0,"delta":{"role":"assistant","content":" you"},"logprobs":null,"finish_reason":"length"}],"usage":null}`+"\n\n",
			`data:{"object":"chat.completion.chunk","id":"","created":1,"model":"tgi","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`+"\n\n"), hi},
		"TGI: a failure in the stream, as a text": {chunked(
			`data:{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}`+"\n\n",
			`data:{"error":"Model is overloaded","error_type":"overloaded"}`+"\n\n"),
			understood{Text: "Hi", Outputs: 1, Input: -1, Output: -1, Class: fault.Overloaded}},
		"TensorRT-LLM: an empty list of tool calls in every chunk": {chunked(
			`data: {"id":"chatcmpl-b","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning_content":null,"tool_calls":[]},"logprobs":null,"finish_reason":null,"stop_reason":null,"disaggregated_params":null}],"usage":null}`+"\n\n",
			`data: {"id":"chatcmpl-b","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":null,"content":"Hi","reasoning_content":null,"tool_calls":[]},"logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}`+"\n\n",
			`data: {"id":"chatcmpl-b","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":null,"content":" you","tool_calls":[]},"logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":null}`+"\n\n",
			`data: {"id":"chatcmpl-b","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":5,"total_tokens":7,"completion_tokens":2}}`+"\n\ndata: [DONE]\n\n"), hi},
		"LiteLLM: the usage beside an empty choice, after the end": {chunked(
			`data: {"id":"chatcmpl-c","created":1,"model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi","role":"assistant"}}]}`+"\n\n",
			`data: {"id":"chatcmpl-c","created":1,"model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" you"}}]}`+"\n\n",
			`data: {"id":"chatcmpl-c","created":1,"model":"m","object":"chat.completion.chunk","choices":[{"finish_reason":"length","index":0,"delta":{}}]}`+"\n\n",
			`data: {"id":"chatcmpl-c","created":1,"model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{}}],"usage":{"completion_tokens":2,"prompt_tokens":5,"total_tokens":7,"completion_tokens_details":null,"prompt_tokens_details":null}}`+"\n\ndata: [DONE]\n\n"), hi},
		"LiteLLM: a failure in the stream, its code a text, its other fields the word None": {chunked(
			`data: {"error": {"message": "litellm.RateLimitError: slow down", "type": "None", "param": "None", "code": "429"}}` + "\n\n"),
			understood{Input: -1, Output: -1, Class: fault.RateLimited}},
		"OpenRouter: comments, LF and CR LF, reasoning beside empty text, usage beside an empty text": {chunked(
			": OPENROUTER PROCESSING\n\n", ": OPENROUTER PROCESSING\r\n\r\n",
			`data: {"id":"gen-1","provider":"P","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"Hm"},"finish_reason":null,"native_finish_reason":null}]}`+"\n\n",
			`data: {"id":"gen-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi you"},"finish_reason":"length","native_finish_reason":"max_tokens"}]}`+"\r\n\r\n",
			`data: {"id":"gen-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"cost":0.1}}`+"\n\n", "data: [DONE]\n\n"),
			understood{Text: "Hi you", Reasoning: "Hm", Outputs: 2, Finish: backend.FinishLength, Input: 5, Output: 2}},
		"DeepSeek: usage beside the finish reason, comments while it waits": {chunked(
			": keep-alive\n\n",
			`data: {"id":"d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}`+"\n\n",
			`data: {"id":"d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}`+"\n\n",
			`data: {"id":"d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":" you"},"logprobs":null,"finish_reason":null}]}`+"\n\n",
			`data: {"id":"d","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_cache_hit_tokens":0}}`+"\n\ndata: [DONE]\n\n"), hi},
		"Baseten: a whole answer although a stream was asked for": {whole(200,
			`{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi you"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}`),
			understood{Text: "Hi you", Outputs: 1, Finish: backend.FinishLength, Input: 5, Output: 2}},
		"an old server that does not know stream_options": {whole(422,
			`{"detail":[{"loc":["body","stream_options"],"msg":"extra fields not permitted","type":"value_error.extra"}]}`),
			understood{Input: -1, Output: -1, Class: fault.InvalidRequest, Hint: `'{"stream_options": null}'`}},
		"a proxy whose web page says that it is tired": {[]byte("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 38\r\n\r\n<html><title>502 Bad Gateway</title></"),
			understood{Input: -1, Output: -1, Class: fault.Server}},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return c.answer })
			request := chatRequest(true)
			request.Want = backend.Want{Events: true, Text: true}
			out := do(open(t, "openai", server.URL(), nil), request)
			got := understood{Input: count(out.Usage.Input), Output: count(out.Usage.Output), Class: classOf(out)}
			for _, choice := range out.Choices {
				got.Text, got.Reasoning, got.Finish = got.Text+choice.Text, got.Reasoning+choice.ReasoningText, choice.Finish
			}
			for _, e := range out.Events {
				if e.Kinds&backend.Output != 0 {
					got.Outputs++
				}
			}
			if out.Error != nil && c.want.Hint != "" && strings.Contains(out.Error.Hint, c.want.Hint) {
				got.Hint = c.want.Hint
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, out.Error)
			}
		})
	}
}
