package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseParams(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":            {``, `null`},
		"snake":              {`{"top_p":1,"max_tokens":2}`, `{"topP":1,"maxTokens":2}`},
		"camel":              {`{"topP":1}`, `{"topP":1}`},
		"both":               {`{"top_p":1,"topP":2}`, `{"topP":2}`},
		"nested":             {`{"thinking":{"token_budget":5},"stream_options":{"is_include_usage":false}}`, `{"thinking":{"tokenBudget":5},"streamOptions":{"isIncludeUsage":false}}`},
		"lists":              {`{"tools":[{"type":"function","function":{"name":"my_tool","parameters":{"properties":{"my_arg":{}}}}}]}`, `{"tools":[{"type":"function","function":{"name":"my_tool","parameters":{"properties":{"my_arg":{}}}}}]}`},
		"a schema":           {`{"response_format":{"json_schema":{"is_strict":true,"schema":{"my_field":1}}}}`, `{"responseFormat":{"jsonSchema":{"isStrict":true,"schema":{"my_field":1}}}}`},
		"the user's own":     {`{"documents":[{"my_title":"t"}],"metadata":{"a_b":1},"logit_bias":{"a_b":1}}`, `{"documents":[{"my_title":"t"}],"metadata":{"a_b":1},"logitBias":{"a_b":1}}`},
		"odd underscores":    {`{"_":1,"a_":2,"_b":3}`, `{"_":1,"a_":2,"_b":3}`},
		"not escaped anew":   {`{"a":{"b":"<&>"}}`, `{"a":{"b":"<&>"}}`},
		"null stays a value": {`{"top_p":null}`, `{"topP":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			params, err := ParseParams([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			got, err := marshal(params)
			if err != nil || !equalJSON(t, tc.want, string(got)) {
				t.Errorf("%s, want %s (%v)", got, tc.want, err)
			}
		})
	}
	for _, bad := range []string{`null`, `[1]`, `"PLANTED"`, `{`, `7`} {
		if _, err := ParseParams([]byte(bad)); err == nil || strings.Contains(err.Error(), "PLANTED") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func equalJSON(t *testing.T, want, got string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &a); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	return cmp.Equal(a, b)
}

func text(role, s string) backend.Message {
	return backend.Message{Role: role, Parts: []backend.Part{{Text: s}}}
}

// TestBodies holds what the recorded traffic has not: chats of several turns,
// as core lifts them out of the parameters, and what parameters do to defaults.
func TestBodies(t *testing.T) {
	turns := []backend.Message{text("system", "be brief"), text("user", "hi"), text("assistant", "hello"), text("user", "and \"now\"?\n")}
	picture := func(url string) backend.Part { return backend.Part{Image: &backend.Image{URL: url}} }
	for name, tc := range map[string]struct {
		format  Format
		params  string
		request backend.Request
		want    string
	}{
		"turns in the first format": {
			Cohere, `{"temperature":null,"topP":null,"topK":null,"frequencyPenalty":null,"presencePenalty":null}`,
			backend.Request{Chat: &backend.Chat{Messages: turns, MaxTokens: 3, Stop: []string{"x"}}},
			`{"apiFormat":"COHERE","isStream":false,"preambleOverride":"be brief","message":"and \"now\"?\n","maxTokens":3,"stopSequences":["x"],
			  "chatHistory":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":"hello"}]}`,
		},
		"a history of the user's own": {
			Cohere, `{"chat_history":[{"role":"USER","message":"a"}],"system_message":"s","temperature":0,"stop":["y"],"stream":true}`,
			backend.Request{Chat: &backend.Chat{Messages: turns, Stop: []string{"x"}}},
			`{"apiFormat":"COHERE","isStream":true,"streamOptions":{"isIncludeUsage":true},"preambleOverride":"s","message":"and \"now\"?\n","stopSequences":["y"],
			  "chatHistory":[{"role":"USER","message":"a"}],"temperature":0,"topP":0.75,"topK":0,"frequencyPenalty":0,"presencePenalty":0}`,
		},
		"turns and pictures in the second": {
			CohereV2, `{"tool_choice":"NONE"}`,
			backend.Request{Chat: &backend.Chat{Stream: true, Messages: []backend.Message{
				text("system", "s"),
				{Role: "user", Parts: []backend.Part{{Text: "a "}, {Text: "b"}, {Image: &backend.Image{Bytes: []byte("x"), MIME: "image/png"}}, picture("https://h/y.jpg")}},
			}}},
			`{"apiFormat":"COHEREV2","isStream":true,"streamOptions":{"isIncludeUsage":true},"toolsChoice":"NONE",
			  "temperature":0.1,"topP":0,"topK":0,"frequencyPenalty":0,"presencePenalty":0,
			  "messages":[{"role":"SYSTEM","content":[{"type":"TEXT","text":"s"}]},{"role":"USER","content":[{"type":"TEXT","text":"a b"},
			   {"type":"IMAGE_URL","imageUrl":{"url":"data:image/png;base64,eA=="}},{"type":"IMAGE_URL","imageUrl":{"url":"https://h/y.jpg"}}]}]}`,
		},
		"the generic format": {
			Generic, `{"max_completion_tokens":9,"n":2,"stream_options":{"is_include_usage":false}}`,
			backend.Request{Chat: &backend.Chat{Stream: true, MaxTokens: 3, Stop: []string{"x"}, Messages: []backend.Message{
				{Role: "user", Parts: []backend.Part{picture("data:image/png;base64,eA==")}},
			}}},
			`{"apiFormat":"GENERIC","isStream":true,"streamOptions":{"isIncludeUsage":false},"maxCompletionTokens":9,"numGenerations":2,"stop":["x"],
			  "temperature":0.75,"topP":0.7,"topK":1,
			  "messages":[{"role":"USER","content":[{"type":"IMAGE","imageUrl":{"url":"data:image/png;base64,eA=="}}]}]}`,
		},
		"parameters of one request": {
			Generic, `{"temperature":0.5,"metadata":{"a":"1","b":"2"}}`,
			backend.Request{Params: json.RawMessage(`{"top_k":null,"metadata":{"b":"3"},"seed":7,"messages":[]}`), Chat: &backend.Chat{Messages: turns}},
			`{"apiFormat":"GENERIC","isStream":false,"temperature":0.5,"topP":0.7,"numGenerations":1,"metadata":{"a":"1","b":"3"},"seed":7,"messages":[]}`,
		},
		"what stands in chatRequest": {
			Generic, `{"chat_request":{"verbosity":"LOW","topP":0.1}}`,
			backend.Request{Chat: &backend.Chat{Messages: []backend.Message{text("user", "a")}}},
			`{"apiFormat":"GENERIC","isStream":false,"temperature":0.75,"topP":0.1,"topK":1,"numGenerations":1,"verbosity":"LOW",
			  "messages":[{"role":"USER","content":[{"type":"TEXT","text":"a"}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			params, err := ParseParams([]byte(tc.params))
			if err != nil {
				t.Fatal(err)
			}
			b := NewBuilder(Settings{Format: tc.format, Compartment: "c", Model: "m", Params: params})
			body, failure := b.Build(nil, &tc.request)
			if failure != nil {
				t.Fatal(failure)
			}
			want := `{"compartmentId":"c","servingMode":{"servingType":"ON_DEMAND","modelId":"m"},"chatRequest":` + tc.want + `}`
			if !equalJSON(t, want, string(body.JSON)) {
				t.Errorf("%s, want %s", body.JSON, want)
			}
		})
	}
}

func TestBodiesOfLists(t *testing.T) {
	picture := backend.Image{Bytes: []byte("x"), MIME: "image/png"}
	for name, tc := range map[string]struct {
		settings Settings
		request  backend.Request
		want     string
	}{
		"embeddings": {
			Settings{Compartment: "c", Model: "m"}, backend.Request{Model: "other", Embed: &backend.Embed{Inputs: []string{"a"}, InputType: "search_query", Dimensions: 4}},
			`{"compartmentId":"c","servingMode":{"servingType":"ON_DEMAND","modelId":"other"},"inputs":["a"],"inputType":"SEARCH_QUERY","truncate":"NONE","outputDimensions":4}`,
		},
		"embeddings with parameters": {
			Settings{Compartment: "c", Params: object{"inputType": quoted("CLUSTERING"), "truncate": json.RawMessage("null"), "embeddingTypes": json.RawMessage(`["int8"]`)}, Serving: Serving{true, "e"}},
			backend.Request{Embed: &backend.Embed{Inputs: []string{"a"}}},
			`{"compartmentId":"c","servingMode":{"servingType":"DEDICATED","endpointId":"e"},"inputs":["a"],"inputType":"CLUSTERING","embeddingTypes":["int8"]}`,
		},
		"a picture": {
			Settings{Compartment: "c", Model: "m"}, backend.Request{Embed: &backend.Embed{Images: []backend.Image{picture}}},
			`{"compartmentId":"c","servingMode":{"servingType":"ON_DEMAND","modelId":"m"},"inputs":["data:image/png;base64,eA=="],"inputType":"IMAGE","truncate":"NONE"}`,
		},
		"rerank": {
			Settings{Compartment: "c", Params: object{"compartmentId": quoted("other"), "servingMode": json.RawMessage(`{"x":1}`), "maxChunksPerDocument": json.RawMessage("2")}},
			backend.Request{Rerank: &backend.Rerank{Query: "q", Documents: []string{"a", "b"}, TopN: 1}},
			`{"compartmentId":"other","servingMode":{"x":1},"input":"q","documents":["a","b"],"topN":1,"maxChunksPerDocument":2}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.settings.Format = Cohere
			body, failure := NewBuilder(tc.settings).Build(nil, &tc.request)
			if failure != nil || !equalJSON(t, tc.want, string(body.JSON)) {
				t.Errorf("%s, want %s (%v)", body.JSON, tc.want, failure)
			}
		})
	}
	b := NewBuilder(Settings{Format: Cohere})
	for name, r := range map[string]backend.Request{
		"two pictures":          {Embed: &backend.Embed{Images: []backend.Image{picture, picture}}},
		"text and picture":      {Embed: &backend.Embed{Inputs: []string{"a"}, Images: []backend.Image{picture}}},
		"a picture in a chat":   {Chat: &backend.Chat{Messages: []backend.Message{{Role: "user", Parts: []backend.Part{{Image: &picture}}}}}},
		"nothing":               {},
		"parameters that are a": {Chat: &backend.Chat{}, Params: json.RawMessage(`[]`)},
	} {
		if _, failure := b.Build(nil, &r); failure == nil || failure.Class != fault.InvalidRequest {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// pieces is a stream in spans.
type pieces struct {
	rest  [][]byte
	after error
}

func (p *pieces) NextSpan() (stamp.Span, error) {
	if len(p.rest) == 0 {
		return stamp.Span{}, p.after
	}
	span := stamp.Span{Bytes: p.rest[0]}
	p.rest = p.rest[1:]
	return span, nil
}

func stream(events ...string) *pieces {
	p := &pieces{after: io.EOF}
	for _, e := range events {
		p.rest = append(p.rest, []byte("data: "+e+"\n\n"))
	}
	return p
}

func recorder() *backend.Recorder {
	return backend.NewRecorder(&backend.Request{Want: backend.Want{Events: true, Text: true}}, 0, nil, nil)
}

func kindsOf(out *backend.Outcome) []backend.Kinds {
	var kinds []backend.Kinds
	for _, e := range out.Events {
		kinds = append(kinds, e.Kinds)
	}
	return kinds
}

func TestStreams(t *testing.T) {
	const text, reasoning, tool, finish, usage = backend.Text, backend.Reasoning, backend.Tool, backend.FinishReason, backend.UsageReport
	n := func(i int64) *int64 { return &i }
	for name, tc := range map[string]struct {
		events []string
		kinds  []backend.Kinds
		choice backend.Choice
		usage  backend.Usage
	}{
		"the last event repeats the text": {
			[]string{`{"text":"a"}`, `{"text":"b"}`, `{"text":"ab","finishReason":"COMPLETE"}`, `[DONE]`},
			[]backend.Kinds{text, text, finish}, backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "ab"}, backend.Usage{},
		},
		"the last event has all of it": {
			[]string{`{"text":"ab","finishReason":"MAX_TOKENS"}`},
			[]backend.Kinds{text | finish}, backend.Choice{Finish: backend.FinishLength, FinishRaw: "MAX_TOKENS", Text: "ab"}, backend.Usage{},
		},
		"the last event goes on": {
			[]string{`{"text":"a"}`, `{"text":"b","finishReason":"ERROR_TOXIC"}`},
			[]backend.Kinds{text, text | finish}, backend.Choice{Finish: backend.FinishContentFilter, FinishRaw: "ERROR_TOXIC", Text: "ab"}, backend.Usage{},
		},
		"tool calls of the first format": {
			[]string{`{"text":"","toolCalls":[{"name":"f","parameters":{"x":1}}]}`, `{"text":"","finishReason":"COMPLETE"}`},
			[]backend.Kinds{tool, finish}, backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", ToolText: `f{"x":1}`}, backend.Usage{},
		},
		"plan and tool calls of the second": {
			[]string{`{"message":{"toolPlan":"hm"}}`, `{"message":{"toolCalls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"arguments":{"a":1}}}]}}`, `{"finishReason":"TOOL_CALL"}`},
			[]backend.Kinds{reasoning, tool, finish}, backend.Choice{Finish: backend.FinishTool, FinishRaw: "TOOL_CALL", ReasoningText: "hm", ToolText: `f{}{"a":1}`}, backend.Usage{},
		},
		"contents of every form": {
			[]string{`{"message":{"role":"ASSISTANT"}}`, `{"message":{"content":"a"}}`, `{"message":{"content":["b",{"type":"OUTPUT_TEXT_DELTA","data":"c"},null]}}`, `{"message":{"content":{"type":"thinking","text":"d"}}}`, `{"pad":"x"}`, `{"finishReason":"stop"}`},
			[]backend.Kinds{backend.Role, text, text, reasoning, backend.Other, finish},
			backend.Choice{Finish: backend.FinishStop, FinishRaw: "stop", Text: "abc", ReasoningText: "d"}, backend.Usage{},
		},
		"usage by other names": {
			[]string{`{"message":{"content":"a"},"finishReason":"COMPLETE","usage":{"tokens":{"input_tokens":4,"output_tokens":2,"reasoning_tokens":1}}}`},
			[]backend.Kinds{text | finish | usage}, backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "a"},
			backend.Usage{Input: n(4), Output: n(2), Reasoning: n(1), Source: backend.UsageFinal},
		},
		"usage in full": {
			[]string{`{"message":{"content":"a"},"usage":{"promptTokens":1}}`, `{"finishReason":"stop"}`, `{"usage":{"promptTokens":5,"completionTokens":0,"totalTokens":5,"promptTokensDetails":{"cachedTokens":3},"completionTokensDetails":{"reasoningTokens":0,"acceptedPredictionTokens":2}}}`},
			[]backend.Kinds{text | usage, finish, usage}, backend.Choice{Finish: backend.FinishStop, FinishRaw: "stop", Text: "a"},
			backend.Usage{Input: n(5), Output: n(0), Reasoning: n(0), CachedInput: n(3), Extra: map[string]float64{"acceptedPredictionTokens": 2}, Source: backend.UsageCumulative},
		},
		"usage by its total": {
			[]string{`{"text":"a","finishReason":"COMPLETE"}`, `{"usage":{"promptTokens":5,"totalTokens":8}}`},
			[]backend.Kinds{text | finish, usage}, backend.Choice{Finish: backend.FinishStop, FinishRaw: "COMPLETE", Text: "a"},
			backend.Usage{Input: n(5), Output: n(3), Source: backend.UsageFinal},
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := recorder()
			var a Answer
			a.Begin(rec)
			if failure := a.ReadStream(stream(tc.events...)); failure != nil {
				t.Fatal(failure)
			}
			out := rec.Outcome(t.Context())
			if diff := cmp.Diff(tc.kinds, kindsOf(out)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]backend.Choice{tc.choice}, out.Choices); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.usage, out.Usage); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStreamsThatFail(t *testing.T) {
	reset := fault.New(fault.Truncated, "the connection was reset")
	for name, tc := range map[string]struct {
		source  *pieces
		class   fault.Class
		code    string
		message string
	}{
		"throttled in the middle": {stream(`{"text":"a"}`, `{"code":"TooManyRequests","message":"slow down"}`), fault.RateLimited, "TooManyRequests", "slow down"},
		"an error object":         {stream(`{"error":{"code":"500","message":"engine"}}`), fault.Server, "500", "engine"},
		"an error in a number":    {stream(`{"code":429,"message":"engine"}`), fault.RateLimited, "429", "engine"},
		"only a message":          {stream(`{"message":"what"}`), fault.Server, "", "what"},
		"it says that it failed":  {stream(`{"text":"a"}`, `{"finishReason":"ERROR","errorMessage":"oh"}`), fault.Server, "ERROR", "oh"},
		"it says no more":         {stream(`{"finishReason":"USER_CANCEL"}`), fault.Server, "USER_CANCEL", "USER_CANCEL"},
		"cut off":                 {stream(`{"text":"a"}`), fault.Truncated, "", "after 1 events"},
		"nothing":                 {stream(), fault.Truncated, "", "before its first event"},
		"garbage":                 {stream(`{"text":`), fault.Protocol, "", "event 1"},
		"not an object":           {stream(`[1]`), fault.Protocol, "", "event 1"},
		"reset":                   {&pieces{after: reset}, fault.Truncated, "", "reset"},
		"half an event":           {&pieces{rest: [][]byte{[]byte("data: {\"text\":\"a\"}\n\ndata: {\"te")}, after: io.EOF}, fault.Truncated, "", "1 events"},
	} {
		t.Run(name, func(t *testing.T) {
			var a Answer
			a.Begin(recorder())
			failure := a.ReadStream(tc.source)
			if failure == nil || failure.Class != tc.class || failure.ProviderCode != tc.code || !strings.Contains(failure.Message, tc.message) {
				t.Errorf("%+v, want %v %q %q", failure, tc.class, tc.code, tc.message)
			}
		})
	}
}

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		status int
		code   string
		want   fault.Class
		retry  bool
	}{
		{401, "NotAuthenticated", fault.Auth, false},
		{404, "NotAuthorizedOrNotFound", fault.NotFound, false},
		{404, "InvalidParameter", fault.NotFound, false},
		{400, "InvalidParameter", fault.InvalidRequest, false},
		{400, "LimitExceeded", fault.RateLimited, false},
		{400, "RelatedResourceNotAuthorizedOrNotFound", fault.NotFound, false},
		{403, "NotAllowed", fault.Permission, false},
		{409, "IncorrectState", fault.InvalidRequest, false},
		{413, "", fault.InvalidRequest, false},
		{429, "TooManyRequests", fault.RateLimited, true},
		{500, "InternalServerError", fault.Server, true},
		{503, "ServiceUnavailable", fault.Overloaded, true},
		{504, "", fault.TimeoutHeaders, true},
		{0, "", fault.Server, true},
		{0, "503", fault.Overloaded, true},
	} {
		e := newFailure(tc.status, report{Code: tc.code, Message: "m"})
		if e.Class != tc.want || e.Retryable != tc.retry {
			t.Errorf("%d %q: %v, retryable %v; want %v, %v", tc.status, tc.code, e.Class, e.Retryable, tc.want, tc.retry)
		}
	}
}

func TestLists(t *testing.T) {
	for name, tc := range map[string]struct {
		read func([]byte, *backend.Recorder) *fault.Error
		body string
		want backend.Vectors
		bad  fault.Class
	}{
		"vectors":        {ReadVectors, `{"embeddings":[[1,2,3],[4,5,6]]}`, backend.Vectors{Count: 2, Dimensions: 3}, 0},
		"by type":        {ReadVectors, `{"embeddings":[],"embeddingsByType":{"int8":[[1,2]]}}`, backend.Vectors{Count: 1, Dimensions: 2}, 0},
		"in base64":      {ReadVectors, `{"embeddingsByType":{"base64":["AAAA"]}}`, backend.Vectors{Count: 1}, 0},
		"ranks":          {ReadRanks, `{"documentRanks":[{"index":1,"relevanceScore":0.5}]}`, backend.Vectors{Count: 1}, 0},
		"no vectors":     {ReadVectors, `{"embeddings":[]}`, backend.Vectors{}, fault.Protocol},
		"no ranks":       {ReadRanks, `{}`, backend.Vectors{}, fault.Protocol},
		"an error":       {ReadRanks, `{"code":"TooManyRequests","message":"m"}`, backend.Vectors{}, fault.RateLimited},
		"a web page":     {ReadVectors, `<html><title>x</title>`, backend.Vectors{}, fault.Protocol},
		"nothing at all": {ReadVectors, ``, backend.Vectors{}, fault.Protocol},
	} {
		t.Run(name, func(t *testing.T) {
			rec := recorder()
			failure := tc.read([]byte(tc.body), rec)
			if (failure != nil) != (tc.bad != 0) || failure != nil && failure.Class != tc.bad {
				t.Fatalf("%v, want %v", failure, tc.bad)
			}
			if out := rec.Outcome(t.Context()); failure == nil && (out.Vectors == nil || *out.Vectors != tc.want) {
				t.Errorf("%+v, want %+v", out.Vectors, tc.want)
			}
		})
	}
}

// FuzzStream: whatever a server sends, reading it ends and does not panic.
func FuzzStream(f *testing.F) {
	f.Add([]byte("data: {\"text\":\"a\"}\n\ndata: {\"finishReason\":\"COMPLETE\"}\n\n"))
	f.Add([]byte("data: {\"index\":-1,\"message\":{\"content\":[{\"type\":\"TEXT\"}],\"toolCalls\":[{}]},\"usage\":{\"tokens\":[]}}\n\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a Answer
		a.Begin(recorder())
		_ = a.ReadStream(&pieces{rest: [][]byte{bytes.Clone(body)}, after: io.EOF})
		a.Begin(recorder())
		_ = a.ReadWhole(body, stamp.Arrival{})
		_ = Failure(500, nil, body, nil)
		_ = ReadVectors(body, recorder())
		_ = ReadRanks(body, recorder())
	})
}

// FuzzBody: whatever parameters a user gives, the body is JSON.
func FuzzBody(f *testing.F) {
	f.Add(`{"top_p":1,"chatHistory":[{"role":"x","content":[{"type":"image_url","image_url":"y"}]}]}`, "hello \x00 \"", uint8(1))
	f.Fuzz(func(t *testing.T, params, prompt string, format uint8) {
		parsed, err := ParseParams([]byte(params))
		if err != nil {
			return
		}
		b := NewBuilder(Settings{Format: []Format{Cohere, CohereV2, Generic}[format%3], Params: parsed})
		for _, r := range []backend.Request{
			{Chat: &backend.Chat{Messages: []backend.Message{text("user", prompt)}, MaxTokens: 1}},
			{Embed: &backend.Embed{Inputs: []string{prompt}}},
			{Rerank: &backend.Rerank{Query: prompt}},
		} {
			body, failure := b.Build(nil, &r)
			if failure == nil && !json.Valid(body.JSON) {
				t.Errorf("%s", body.JSON)
			}
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	data := []byte(`{"index":0,"message":{"role":"ASSISTANT","content":[{"type":"TEXT","text":" sea"}]},"pad":"aaaaaaaa"}`)
	var a Answer
	a.Begin(backend.NewRecorder(&backend.Request{}, 0, nil, nil))
	b.ReportAllocs()
	for b.Loop() {
		if err := a.event.parse(data); err != nil {
			b.Fatal(err)
		}
		a.record(stamp.Arrival{})
	}
}

func BenchmarkBody(b *testing.B) {
	builder := NewBuilder(Settings{Format: Generic, Compartment: "c", Model: "m"})
	r := &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{text("user", strings.Repeat("a word and ", 1000))}, MaxTokens: 100, Stream: true}}
	buffer := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		if _, failure := builder.Build(buffer, r); failure != nil {
			b.Fatal(failure)
		}
	}
}
