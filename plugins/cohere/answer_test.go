package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// chatOf runs a chat against a server that gives one answer.
func chatOf(t *testing.T, status int, kind, body string) *backend.Outcome {
	t.Helper()
	base, _ := answers(t, status, kind, body)
	return outcomeOf(t, backend.Config{
		Task: backend.TextToText, Model: "m", APIBase: base, APIKey: secret.New("PLANTED-KEY-81f0"), Options: option.Values{},
	}, &backend.Request{
		Seq: 1, Task: backend.TextToText, Want: backend.Want{Events: true, Text: true},
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hello")}, Stream: kind == eventStream},
	})
}

const eventStream = "text/event-stream"

// events makes a stream of JSON texts, named by their type.
func events(all ...string) string {
	var b strings.Builder
	for _, text := range all {
		var e event
		if json.Unmarshal([]byte(text), &e) == nil && e.Type != "" {
			b.WriteString("event: " + e.Type + "\n")
		}
		b.WriteString("data: " + text + "\n\n")
	}
	return b.String()
}

const (
	start = `{"id":"x","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`
	end   = `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":5,"output_tokens":2}}}}`
)

// TestStreams follows the examples of Cohere's guides (text generation, tool
// use, retrieval, reasoning: "Stream events").
func TestStreams(t *testing.T) {
	delta := func(field, text string) string {
		return `{"type":"content-delta","index":0,"delta":{"message":{"content":{"` + field + `":"` + text + `"}}},"logprobs":null}`
	}
	for name, c := range map[string]struct {
		events []string
		kinds  []backend.Kinds
		choice backend.Choice
	}{
		"text": {
			[]string{start, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
				delta("text", "The"), delta("text", " sea"), `{"type":"content-end","index":0}`, end},
			[]backend.Kinds{backend.Role, backend.Other, backend.Text, backend.Text, backend.Other, backend.FinishReason | backend.UsageReport},
			backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "The sea"},
		},
		"thinking": {
			[]string{start, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}`,
				delta("thinking", "Hm"), `{"type":"content-end","index":0}`, delta("text", "Yes"), end},
			[]backend.Kinds{backend.Role, backend.Other, backend.Reasoning, backend.Other, backend.Text, backend.FinishReason | backend.UsageReport},
			backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "Yes", ReasoningText: "Hm"},
		},
		"text in the start of a block": {
			[]string{start, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":"The"}}}}`, end},
			[]backend.Kinds{backend.Role, backend.Text, backend.FinishReason | backend.UsageReport},
			backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "The"},
		},
		"two tool calls after a plan": {
			[]string{start,
				`{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}`,
				`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","type":"function","function":{"name":"get","arguments":""}}}}}`,
				`{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}`,
				`{"type":"tool-call-end","index":0}`,
				`{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"b","type":"function","function":{"name":"put","arguments":""}}}}}`,
				`{"type":"tool-call-end","index":1}`,
				`{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}`},
			[]backend.Kinds{backend.Role, backend.Reasoning, backend.Tool, backend.Tool, backend.Other, backend.Tool, backend.Other, backend.FinishReason},
			backend.Choice{Finish: backend.FinishTool, FinishRaw: "TOOL_CALL", ReasoningText: "I will", ToolText: "get{}put"},
		},
		"citations, and what is still to come": {
			[]string{start, delta("text", "It"),
				`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":2,"text":"It","sources":[{"type":"document","id":"d"}]}}}}`,
				`{"type":"citation-end","index":0}`, `{"type":"debug","prompt":"<BOS>"}`, `{"type":"surprise","delta":{"message":{"content":null}}}`,
				`{"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}`},
			[]backend.Kinds{backend.Role, backend.Text, backend.Other, backend.Other, backend.Other, backend.Other, backend.FinishReason},
			backend.Choice{Finish: backend.FinishLength, FinishRaw: "MAX_TOKENS", Text: "It"},
		},
		"the mark of other APIs": {
			[]string{start, delta("text", "It"), "[DONE]"},
			[]backend.Kinds{backend.Role, backend.Text},
			backend.Choice{Text: "It"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := chatOf(t, 200, eventStream, events(c.events...))
			if o.Status != backend.StatusOK {
				t.Fatalf("%v: %v", o.Status, o.Error)
			}
			var kinds []backend.Kinds
			for _, e := range o.Events {
				kinds = append(kinds, e.Kinds)
			}
			if diff := cmp.Diff(c.kinds, kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]backend.Choice{c.choice}, o.Choices); diff != "" {
				t.Errorf("choices (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailures: what the API's documents say of errors, and what gateways in
// front of it send.
func TestFailures(t *testing.T) {
	said := events(start, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"It"}}}}`)
	for name, c := range map[string]struct {
		status     int
		kind, body string
		want       fault.Error
		hint       string
	}{
		"no such key": {401, "application/json", `{"id":"4d","message":"invalid api token PLANTED-KEY-81f0"}`,
			fault.Error{Class: fault.Auth, HTTPStatus: 401, Message: "invalid api token [redacted]", RequestID: "4d"}, "COHERE_API_KEY or CO_API_KEY"},
		"no money": {402, "application/json", `{"message":"Maximum billing reached for this API key"}`,
			fault.Error{Class: fault.Permission, HTTPStatus: 402, Message: "Maximum billing reached for this API key"}, "dashboard.cohere.com/billing"},
		"no such model": {404, "application/json", `{"message":"model 'xyz' not found"}`,
			fault.Error{Class: fault.NotFound, HTTPStatus: 404, Message: "model 'xyz' not found"}, "--api-model-name"},
		"a trial key": {429, "application/json", `{"message":"You are using a Trial key, which is limited to 20 API calls / minute."}`,
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, Message: "You are using a Trial key, which is limited to 20 API calls / minute.", Retryable: true}, "a production key"},
		"too many requests": {429, "application/json", `{"message":"Please wait and try again later"}`,
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, Message: "Please wait and try again later", Retryable: true}, ""},
		"97 texts": {400, "application/json", `{"message":"invalid request: total number of texts must be at most 96 - received 104"}`,
			fault.Error{Class: fault.InvalidRequest, HTTPStatus: 400, Message: "invalid request: total number of texts must be at most 96 - received 104"}, "--batch-size"},
		"blocked": {498, "application/json", `{"message":"blocked"}`,
			fault.Error{Class: fault.ContentFilter, HTTPStatus: 498, Message: "blocked"}, ""},
		"cancelled, but not by us": {499, "application/json", `{"message":"request cancelled"}`,
			fault.Error{Class: fault.Server, HTTPStatus: 499, Message: "request cancelled", Retryable: true}, ""},
		"too slow inside": {504, "application/json", `{"message":"timeout"}`,
			fault.Error{Class: fault.TimeoutHeaders, HTTPStatus: 504, Message: "timeout", Retryable: true}, ""},
		"an error at the end": {200, eventStream, said + events(`{"type":"message-end","delta":{"finish_reason":"ERROR","error":"engine died"}}`),
			fault.Error{Class: fault.Server, ProviderCode: "ERROR", Message: "engine died", Retryable: true, Partial: true}, ""},
		"a time-out at the end": {200, eventStream, said + events(`{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}`),
			fault.Error{Class: fault.Server, ProviderCode: "TIMEOUT", Message: `Cohere ended the answer with finish_reason "TIMEOUT"`, Retryable: true, Partial: true}, ""},
		"a message in the stream": {200, eventStream, said + events(`{"id":"7","message":"streaming error"}`),
			fault.Error{Class: fault.Server, Message: "streaming error", RequestID: "7", Retryable: true, Partial: true}, ""},
		"an error of a gateway in the stream": {200, eventStream, said + events(`{"error":{"code":429,"message":"slow down"}}`),
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "429", Message: "slow down", Retryable: true, Partial: true}, ""},
		"an event named error": {200, eventStream, said + "event: error\ndata: upstream is gone\n\n",
			fault.Error{Class: fault.Server, Message: "upstream is gone", Retryable: true, Partial: true}, ""},
		"an event that is none": {200, eventStream, said + "data: 7\n\n",
			fault.Error{Class: fault.Protocol, Message: `event 3 of the stream is none of Cohere's: "7"`, Partial: true}, ""},
		"a stream without an end": {200, eventStream, said,
			fault.Error{Class: fault.Truncated, Message: "the stream ended after 2 events without a message-end", Partial: true}, ""},
		"a whole answer that is an error": {200, "application/json", `{"message":"no"}`,
			fault.Error{Class: fault.Server, Message: "no", Retryable: true}, ""},
		"a whole answer without a message": {200, "application/json", `{"text":"v1"}`,
			fault.Error{Class: fault.Protocol, Message: `the answer has no "message": "{\"text\":\"v1\"}"`}, ""},
		"a page": {200, "text/html", "<html><title>Welcome</title>",
			fault.Error{Class: fault.Protocol, Message: `the server answered with a web page titled "Welcome"`}, "--api-base"},
	} {
		t.Run(name, func(t *testing.T) {
			o := chatOf(t, c.status, c.kind, c.body)
			if o.Error == nil {
				t.Fatalf("%v", o.Status)
			}
			if diff := cmp.Diff(c.want, *o.Error, cmpopts.IgnoreFields(fault.Error{}, "Hint")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(o.Error.Hint, c.hint) || (c.hint == "") != (o.Error.Hint == "") {
				t.Errorf("hint %q, want %q", o.Error.Hint, c.hint)
			}
		})
	}
}

// TestUsage: tokens count where there are any, and billed units are kept beside.
func TestUsage(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	for text, want := range map[string]backend.Usage{
		`{"billed_units":{"input_tokens":5.0,"output_tokens":418},"tokens":{"input_tokens":71,"output_tokens":420},"cached_tokens":64}`: {
			Input: n(71), Output: n(420), CachedInput: n(64), Source: backend.UsageFinal,
			Extra: map[string]float64{"billed_input_tokens": 5, "billed_output_tokens": 418},
		},
		`{"api_version":{"version":"2"},"billed_units":{"input_tokens":44}}`: {
			Input: n(44), Source: backend.UsageFinal, Extra: map[string]float64{"billed_input_tokens": 44},
		},
		`{"billed_units":{"images":2,"image_tokens":512}}`: {
			Input: n(512), Images: n(2), Source: backend.UsageFinal, Extra: map[string]float64{"billed_images": 2, "billed_image_tokens": 512},
		},
		`{"billed_units":{"search_units":1}}`:                           {Source: backend.UsageFinal, Extra: map[string]float64{"billed_search_units": 1}},
		`{"tokens":{"input_tokens":0,"output_tokens":0}}`:               {Input: n(0), Output: n(0), Source: backend.UsageFinal},
		`{"tokens":{"input_tokens":-1},"billed_units":null}`:            {},
		`{"tokens":{"input_tokens":"many"}}`:                            {},
		`{"billed_units":{"input_tokens":null,"classifications":null}}`: {},
		`null`: {}, `7`: {}, ``: {},
	} {
		var got backend.Usage
		found := readUsage(json.RawMessage(text), &got)
		if diff := cmp.Diff(want, got); diff != "" || found != (want.Source != backend.UsageNone) {
			t.Errorf("%s: found %v (-want +got):\n%s", text, found, diff)
		}
	}
}

func TestLists(t *testing.T) {
	record := func() (*backend.Recorder, func() *backend.Outcome) {
		rec := backend.NewRecorder(&backend.Request{}, 0, nil, nil)
		return rec, func() *backend.Outcome { return rec.Outcome(t.Context()) }
	}
	for body, want := range map[string]backend.Vectors{
		`{"embeddings":{"float":[[1,2,3],[4,5,6]],"int8":[[1],[2]]}}`: {Count: 2, Dimensions: 3},
		`{"embeddings":{"int8":[[1,2],[3,4],[5,6]]}}`:                 {Count: 3, Dimensions: 2},
		`{"embeddings":{"ubinary":[[255,1]]}}`:                        {Count: 1, Dimensions: 16},
		`{"embeddings":{"base64":["AACAPw=="]}}`:                      {Count: 1},
	} {
		rec, outcome := record()
		if failure := readVectors([]byte(body), rec); failure != nil {
			t.Errorf("%s: %v", body, failure)
		} else if diff := cmp.Diff(&want, outcome().Vectors); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	for body, class := range map[string]fault.Class{
		`{"embeddings":{"float":[]}}`: fault.Protocol, `{"embeddings":[[1]]}`: fault.Protocol, `{"message":"no"}`: fault.Server, ``: fault.Protocol,
	} {
		rec, _ := record()
		if failure := readVectors([]byte(body), rec); failure == nil || failure.Class != class {
			t.Errorf("%s: %v, want %v", body, failure, class)
		}
	}
	rec, outcome := record()
	if failure := readRanks([]byte(`{"results":[{"index":1},{"index":0}],"meta":{"billed_units":{"search_units":1}}}`), rec); failure != nil {
		t.Error(failure)
	} else if o := outcome(); o.Vectors.Count != 2 || o.Usage.Extra["billed_search_units"] != 1 || o.Usage.Input != nil {
		t.Errorf("%+v, %+v", o.Vectors, o.Usage)
	}
	rec, _ = record()
	if failure := readRanks([]byte(`{"results":[]}`), rec); failure == nil || failure.Class != fault.Protocol {
		t.Errorf("%v", failure)
	}
}

// spans is a body that arrived at once.
type spans struct{ data []byte }

func (s *spans) NextSpan() (stamp.Span, error) {
	if len(s.data) == 0 {
		return stamp.Span{}, io.EOF
	}
	span := stamp.Span{Bytes: s.data}
	s.data = nil
	return span, nil
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(events(start, end)))
	f.Add([]byte(events(start, `{"type":"content-delta","delta":{"message":{"content":[{"text":"a"},{"thinking":"b"}],"tool_calls":[{"function":{"name":"n"}}]}}}`, "[DONE]")))
	f.Add([]byte("event: error\ndata: {\"message\": 7}\n\ndata: {\"delta\":{\"usage\":{\"tokens\":{\"input_tokens\":1e300}}}}"))
	f.Add([]byte(`data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":{"message":"m"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		request := &backend.Request{Want: backend.Want{Events: true, Text: true}}
		a := new(answer)
		for range 2 { // used again, it says the same
			rec := backend.NewRecorder(request, 0, nil, nil)
			a.begin(rec)
			failure := a.readStream(&spans{bytes.Clone(data)})
			if failure == nil && !a.finished && !a.done {
				t.Errorf("a stream without an end is a success")
			}
			if failure != nil {
				rec.Fail(failure)
			}
			if o := rec.Outcome(t.Context()); len(o.Choices) > 1 {
				t.Errorf("%d choices", len(o.Choices))
			}
		}
	})
}

func FuzzWhole(f *testing.F) {
	f.Add([]byte(`{"id":"x","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},"finish_reason":"COMPLETE","usage":{}}`))
	f.Add([]byte(`{"message":{"content":"text","tool_calls":null},"finish_reason":"ERROR"}`))
	f.Add([]byte(`{"embeddings":{"float":[[1,2],[3]]},"results":[1],"meta":{"billed_units":{"x":[]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, read := range []func(rec *backend.Recorder) *fault.Error{
			func(rec *backend.Recorder) *fault.Error {
				a := new(answer)
				a.begin(rec)
				return a.readWhole(data, stamp.Arrival{})
			},
			func(rec *backend.Recorder) *fault.Error { return readVectors(data, rec) },
			func(rec *backend.Recorder) *fault.Error { return readRanks(data, rec) },
		} {
			rec := backend.NewRecorder(&backend.Request{Want: backend.Want{Text: true}}, 0, nil, nil)
			if failure := read(rec); failure != nil && (failure.Class == fault.Unspecified || failure.Message == "") {
				t.Errorf("a failure that says nothing: %+v", failure)
			}
		}
	})
}
