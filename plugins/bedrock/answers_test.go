package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// told is what a test looks at in an outcome. Counts of -1 were not reported.
type told struct {
	Text, Reasoning, Tool              string
	Finish                             backend.Finish
	Input, Output, Cached, Written     int64
	Thought                            int64 // reasoning tokens
	Source                             backend.UsageSource
	FirstOutput, Events, EventsOfUsage int // the number of the first event with output, of all, of those with usage
}

func toldBy(out *backend.Outcome) told {
	u := out.Usage
	got := told{
		Input: count(u.Input), Output: count(u.Output), Cached: count(u.CachedInput), Written: count(u.CacheWrite), Thought: count(u.Reasoning),
		Source: u.Source, FirstOutput: -1, Events: len(out.Events),
	}
	if len(out.Choices) > 0 {
		c := out.Choices[0]
		got.Text, got.Reasoning, got.Tool, got.Finish = c.Text, c.ReasoningText, c.ToolText, c.Finish
	}
	for i, e := range out.Events {
		if e.Kinds&backend.Output != 0 && got.FirstOutput < 0 {
			got.FirstOutput = i
		}
		if e.Kinds&backend.UsageReport != 0 {
			got.EventsOfUsage++
		}
	}
	return got
}

// chunks are events of InvokeModelWithResponseStream.
func chunks(t testing.TB, all ...string) string {
	var b strings.Builder
	for _, c := range all {
		b.WriteString(wrapped(t, c))
	}
	return b.String()
}

// events are events of ConverseStream: name and payload in turn.
func events(t testing.TB, all ...string) string {
	var b strings.Builder
	for i := 0; i < len(all); i += 2 {
		b.WriteString(message(t, "event", all[i], all[i+1]))
	}
	return b.String()
}

const metricsOfBedrock = `"amazon-bedrock-invocationMetrics":{"inputTokenCount":27,"outputTokenCount":11,"invocationLatency":900,"firstByteLatency":300}`

// streamCase is an answer as it comes and what it is told as.
type streamCase struct {
	body string
	want told
}

// TestConverseStreams holds what the recorded answers have not. The payloads are
// as the Amazon Bedrock API reference has them (ConverseStreamOutput).
func TestConverseStreams(t *testing.T) {
	const final = backend.UsageFinal
	const stop, tool, filter = backend.FinishStop, backend.FinishTool, backend.FinishContentFilter
	compareStreams(t, map[string]streamCase{
		"converse with reasoning, a tool and a cache": {
			events(t, "messageStart", `{"role":"assistant"}`,
				"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"think"}}}`,
				"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"AAAA"}}}`,
				"contentBlockStop", `{"contentBlockIndex":0}`,
				"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"text":"Hi"}}`,
				"contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}`,
				"contentBlockDelta", `{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{}"}}}`,
				"messageStop", `{"stopReason":"tool_use"}`,
				"metadata", `{"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":45,"cacheReadInputTokens":20,"cacheWriteInputTokens":10},"metrics":{"latencyMs":12}}`,
				"somethingNew", `{"a":1}`),
			told{"Hi", "think", "f{}", tool, 40, 5, 20, 10, -1, final, 1, 10, 1},
		},
		"converse, stopped by a guardrail": {
			events(t, "messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"delta":{"text":"Sorry"}}`, "messageStop", `{"stopReason":"guardrail_intervened"}`,
				"metadata", `{"usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0}}`),
			told{"Sorry", "", "", filter, 0, 0, -1, -1, -1, final, 1, 4, 1},
		},
		"fields of a wrong type": {
			events(t, "messageStart", `{"role":7}`, "contentBlockDelta", `{"delta":{"text":"a","toolUse":3}}`, "messageStop", `{"stopReason":"end_turn"}`,
				"metadata", `{"usage":{"inputTokens":"many","outputTokens":5}}`),
			told{"a", "", "", stop, -1, 5, -1, -1, -1, final, 1, 4, 1},
		},
	})
}

// TestInvokeStreams: reasoning, tools, caches, running totals and odd forms of
// every family, as the user guide has them.
func TestInvokeStreams(t *testing.T) {
	const final = backend.UsageFinal
	const stop, length, tool = backend.FinishStop, backend.FinishLength, backend.FinishTool
	compareStreams(t, map[string]streamCase{
		"anthropic with thinking and a cache": {
			chunks(t, `{"type":"message_start","message":{"role":"assistant","usage":{"input_tokens":7,"cache_read_input_tokens":20,"cache_creation_input_tokens":0,"output_tokens":1}}}`,
				`{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
				`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}`,
				`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Yes"}}`, `{"type":"ping"}`,
				`{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":11}}`,
				`{"type":"message_stop",`+metricsOfBedrock+`}`),
			told{"Yes", "hm", "", length, 27, 11, 20, 0, -1, final, 2, 8, 3},
		},
		"anthropic with a tool": {
			chunks(t, `{"type":"content_block_start","content_block":{"type":"tool_use","name":"f","input":{}}}`,
				`{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`,
				`{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`),
			told{"", "", `f{"a":1}`, tool, -1, -1, -1, -1, -1, backend.UsageNone, 0, 3, 0},
		},
		"nova with reasoning": {
			chunks(t, `{"messageStart":{"role":"assistant"}}`, `{"contentBlockDelta":{"delta":{"reasoningContent":{"text":"a"}},"contentBlockIndex":0}}`,
				`{"contentBlockDelta":{"delta":{"text":"b"},"contentBlockIndex":1}}`, `{"messageStop":{"stopReason":"end_turn"}}`,
				`{"metadata":{"usage":{"inputTokens":27,"outputTokens":11,"cacheReadInputTokenCount":0},"metrics":{}},`+metricsOfBedrock+`}`),
			told{"b", "a", "", stop, 27, 11, 0, -1, -1, final, 1, 5, 1},
		},
		"titan": {
			chunks(t, `{"outputText":"a","index":0,"inputTextTokenCount":27,"totalOutputTextTokenCount":4}`,
				`{"outputText":"b","totalOutputTextTokenCount":11,"completionReason":"FINISH"}`),
			told{"ab", "", "", stop, 27, 11, -1, -1, -1, final, 0, 2, 2},
		},
		"llama": {
			chunks(t, `{"generation":"a","prompt_token_count":27,"generation_token_count":1,"stop_reason":null}`,
				`{"generation":"b","prompt_token_count":null,"generation_token_count":2,"stop_reason":null}`,
				`{"generation":"","generation_token_count":11,"stop_reason":"length"}`),
			told{"ab", "", "", length, 27, 11, -1, -1, -1, backend.UsageCumulative, 0, 3, 3},
		},
		"cohere": {
			chunks(t, `{"event_type":"text-generation","text":"a"}`, `{"event_type":"text-generation","text":"b"}`,
				`{"event_type":"stream-end","finish_reason":"MAX_TOKENS","response":{"text":"ab"},`+metricsOfBedrock+`}`),
			told{"ab", "", "", length, 27, 11, -1, -1, -1, final, 0, 3, 1},
		},
		"mistral": {
			chunks(t, `{"outputs":[{"text":"a","stop_reason":null}]}`, `{"outputs":[{"text":"b","stop_reason":"length"}],`+metricsOfBedrock+`}`),
			told{"ab", "", "", length, 27, 11, -1, -1, -1, final, 0, 2, 1},
		},
		"chat completions with reasoning": {
			chunks(t, `{"choices":[{"index":0,"delta":{"role":"assistant"}}]}`, `{"choices":[{"delta":{"reasoning":"r"}}]}`, `{"choices":[{"delta":{"content":"a"}}]}`,
				`{"choices":[{"delta":{"content":[{"type":"text","text":"b"}]},"finish_reason":"stop"}]}`,
				`{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":11,"prompt_tokens_details":{"cached_tokens":20},"completion_tokens_details":{"reasoning_tokens":3}}}`),
			told{"ab", "r", "", stop, 27, 11, 20, -1, 3, final, 1, 5, 1},
		},
		"chat completions with a tool and a refusal": {
			chunks(t, `{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}`, `{"choices":[{"delta":{"refusal":"no"},"finish_reason":"tool_calls"}]}`),
			told{"no", "", "f{}", tool, -1, -1, -1, -1, -1, backend.UsageNone, 0, 2, 0},
		},
		"another family": {
			chunks(t, `{"text":"a"}`, `{"completion":"b"}`, `{"output":"c","stop_reason":"stop_sequence"}`),
			told{"abc", "", "", stop, -1, -1, -1, -1, -1, backend.UsageNone, 0, 3, 0},
		},
	})
}

func compareStreams(t *testing.T, cases map[string]streamCase) {
	t.Helper()
	awsEnvironment(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{0, 7} { // at once, and as a slow network brings it
				server := startServer(t, piece, func(received) []byte { return response(200, streamType, tc.body) })
				out := do(open(t, server.URL(), nil), chatRequest(true))
				if out.Status != backend.StatusOK {
					t.Fatalf("%v: %v", out.Status, out.Error)
				}
				if diff := cmp.Diff(tc.want, toldBy(out)); diff != "" {
					t.Errorf("in pieces of %d: %s", piece, diff)
				}
			}
		})
	}
}

// TestWholeAnswers: the same in one piece.
func TestWholeAnswers(t *testing.T) {
	awsEnvironment(t)
	const header = jsonType + "X-Amzn-Bedrock-Input-Token-Count: 27\r\nX-Amzn-Bedrock-Output-Token-Count: 11\r\nX-Amzn-Bedrock-Invocation-Latency: 900\r\n"
	const stop, final = backend.FinishStop, backend.UsageFinal
	for name, tc := range map[string]struct {
		header, body string
		want         told
	}{
		"converse": {jsonType, `{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"r","signature":"s"}}},{"text":"a"},{"toolUse":{"name":"f","input":{"x":1}}}]}},
			"stopReason":"end_turn","usage":{"inputTokens":27,"outputTokens":11,"totalTokens":38},"metrics":{"latencyMs":12}}`, told{"a", "r", `f{"x":1}`, stop, 27, 11, -1, -1, -1, final, 0, 1, 1}},
		"anthropic": {header, `{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"r"},{"type":"text","text":"a"},{"type":"tool_use","name":"f","input":{}}],
			"stop_reason":"end_turn","usage":{"input_tokens":27,"output_tokens":11}}`, told{"a", "r", "f{}", stop, 27, 11, -1, -1, -1, final, 0, 1, 1}},
		"titan":     {header, `{"inputTextTokenCount":27,"results":[{"tokenCount":11,"outputText":"a","completionReason":"FINISH"}]}`, told{"a", "", "", stop, 27, 11, -1, -1, -1, final, 0, 1, 1}},
		"llama":     {header, `{"generation":"a","prompt_token_count":27,"generation_token_count":11,"stop_reason":"stop"}`, told{"a", "", "", stop, 27, 11, -1, -1, -1, final, 0, 1, 1}},
		"cohere":    {header, `{"response_id":"r","text":"a","finish_reason":"COMPLETE"}`, told{"a", "", "", stop, 27, 11, -1, -1, -1, backend.UsageHeader, 0, 1, 0}},
		"mistral":   {header, `{"outputs":[{"text":"a","stop_reason":"stop"}]}`, told{"a", "", "", stop, 27, 11, -1, -1, -1, backend.UsageHeader, 0, 1, 0}},
		"chat":      {header, `{"choices":[{"index":0,"message":{"role":"assistant","content":"a","reasoning_content":"r"},"finish_reason":"stop"}],"usage":{"prompt_tokens":27,"completion_tokens":11}}`, told{"a", "r", "", stop, 27, 11, -1, -1, -1, final, 0, 1, 1}},
		"deepseek":  {header, `{"choices":[{"text":"a","stop_reason":"stop"}]}`, told{"a", "", "", stop, 27, 11, -1, -1, -1, backend.UsageHeader, 0, 1, 0}},
		"no counts": {jsonType, `{"completion":"a","stop_reason":"stop_sequence"}`, told{"a", "", "", stop, -1, -1, -1, -1, -1, backend.UsageNone, 0, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return response(200, tc.header, tc.body) })
			out := do(open(t, server.URL(), nil), chatRequest(false))
			if out.Status != backend.StatusOK {
				t.Fatalf("%v: %v", out.Status, out.Error)
			}
			if diff := cmp.Diff(tc.want, toldBy(out)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestVectors: Titan's answers and both of Cohere's.
func TestVectors(t *testing.T) {
	awsEnvironment(t)
	const header = jsonType + "X-Amzn-Bedrock-Input-Token-Count: 44\r\n"
	for name, tc := range map[string]struct {
		body       string
		count, dim int32
	}{
		"titan":                    {`{"embedding":[1,2,3],"inputTextTokenCount":44}`, 1, 3},
		"titan by type":            {`{"embeddingsByType":{"binary":[1,0]},"inputTextTokenCount":44}`, 1, 2},
		"cohere":                   {`{"embeddings":[[1,2],[3,4]],"id":"x","response_type":"embeddings_floats"}`, 2, 2},
		"cohere in several types":  {`{"embeddings":{"float":[[1,2],[3,4]]},"response_type":"embeddings_by_type"}`, 2, 2},
		"nothing":                  {`{"embeddings":[]}`, 0, 0},
		"no list of numbers":       {`{"embedding":["a"],"embeddings":{"float":"x"}}`, 1, 1},
		"an embedding that is one": {`{"embedding":"x"}`, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return response(200, header, tc.body) })
			b := open(t, server.URL(), func(c *backend.Config) {
				c.Task, c.Model = backend.TextToEmbeddings, "cohere.embed-english-v3"
			})
			out := do(b, &backend.Request{Task: backend.TextToEmbeddings, Embed: &backend.Embed{Inputs: []string{"a", "b"}}})
			if tc.count == 0 {
				if out.Error == nil || out.Error.Class != fault.Protocol {
					t.Errorf("%v, want a protocol error", out.Error)
				}
				return
			}
			if out.Vectors == nil || out.Vectors.Count != tc.count || out.Vectors.Dimensions != tc.dim || count(out.Usage.Input) != 44 {
				t.Errorf("%+v %+v %v, want %d of %d and 44 tokens", out.Vectors, out.Usage, out.Error, tc.count, tc.dim)
			}
		})
	}
}

// parts hands out bytes as one span.
type parts struct{ bytes []byte }

func (p *parts) NextSpan() (stamp.Span, error) {
	if len(p.bytes) == 0 {
		return stamp.Span{}, io.EOF
	}
	b := p.bytes
	p.bytes = nil
	return stamp.Span{Bytes: b, Arrival: stamp.Arrival{At: 1, Read: 2}}, nil
}

// FuzzAnswers: whatever a server sends within a sound frame, as a chunk of
// InvokeModel, as an event of Converse, as a whole answer, as vectors or as an
// error, nothing panics, and a failure has one line.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"type":"content_block_delta","delta":{"text":"a"}}`, `{"contentBlockDelta":{"delta":{"text":"a"}}}`, `{"outputText":"a","totalOutputTextTokenCount":4}`,
		`{"choices":[{"index":99999,"delta":{"content":[1]}}]}`, `{"output":{"message":{"content":[{"text":"a"}]}},"stopReason":"x"}`, `{"embedding":[1]}`,
		`{"__type":"a#ThrottlingException:http://x","message":"m"}`, `{"usage":{"inputTokens":-1,"outputTokens":9223372036854775807}}`, `[]`, `"x"`, `<title>x</title>`, `{"error":{"error":{"message":1}}}`,
	} {
		f.Add("contentBlockDelta", []byte(seed))
	}
	f.Add("chunk", []byte(`{"bytes":"AAAA"}`))
	f.Add("\x00", []byte(nil))
	f.Fuzz(func(t *testing.T, name string, payload []byte) {
		if name == "" || len(name) > 200 {
			return
		}
		chunk := fmt.Sprintf(`{"bytes":%q}`, base64.StdEncoding.EncodeToString(payload))
		for _, stream := range []string{
			message(t, "event", name, string(payload)), message(t, "event", "chunk", chunk), message(t, "exception", name, string(payload)),
		} {
			a := &answer{rec: backend.NewRecorder(chatRequest(true), 0, nil, nil)}
			checkFailure(t, a.end(http.Header{}, a.readStream(&parts{[]byte(stream)})))
		}
		a := &answer{rec: backend.NewRecorder(chatRequest(false), 0, nil, nil)}
		checkFailure(t, a.end(http.Header{}, a.readWhole(payload, stamp.Arrival{At: 1, Read: 1})))
		a = &answer{rec: backend.NewRecorder(chatRequest(false), 0, nil, nil)}
		checkFailure(t, a.end(http.Header{}, a.readVectors(payload)))
		checkFailure(t, statusFault(500, http.Header{"X-Amzn-Errortype": {name}}, payload, nil))
	})
}

func checkFailure(t *testing.T, e *fault.Error) {
	t.Helper()
	if e != nil && (e.Class == 0 || e.Message == "") {
		t.Errorf("%+v has no class or no message", e)
	}
}

// FuzzBodies: whatever the parameters are, the body is a JSON object.
func FuzzBodies(f *testing.F) {
	f.Add(`{"temperature":1,"stop":"x","max_tokens":null,"inferenceConfig":{"a":1},"textGenerationConfig":7}`, "hi")
	f.Add(`{"":{"":[]},"stop":null}`, "\xff\u2028\"")
	f.Fuzz(func(t *testing.T, params, text string) {
		own, err := jsonhttp.ParseObject([]byte(params))
		if err != nil {
			return
		}
		request := &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{said("system", text), said("user", text)}, MaxTokens: 3, Stop: []string{text}}}
		for family, s := range map[family]shape{"converse": converseShape, anthropic: shapes[anthropic], nova: shapes[nova], titan: shapes[titan], llama: shapes[llama],
			command: shapes[command], mistral: shapes[mistral], openai: shapes[openai], chat: shapes[chat]} {
			body, failure := s.body(request, own, own)
			if failure != nil || !json.Valid(body) || !bytes.HasPrefix(body, []byte("{")) {
				t.Errorf("%s: %v %q", family, failure, body)
			}
		}
	})
}
