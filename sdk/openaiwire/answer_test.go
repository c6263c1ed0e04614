package openaiwire

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// pieces hands out a stream in pieces of a length; the stamp of each is its
// offset.
type pieces struct {
	data   []byte
	length int
	at     int
	end    error
}

func (p *pieces) NextSpan() (stamp.Span, error) {
	if p.at == len(p.data) {
		return stamp.Span{}, p.end
	}
	end := min(p.at+p.length, len(p.data))
	span := stamp.Span{Bytes: p.data[p.at:end], Arrival: stamp.Arrival{At: stamp.Nanos(end), Read: stamp.Nanos(end)}}
	p.at = end
	return span, nil
}

// heard is what a recorder was told, for comparisons.
type heard struct {
	Events  []string // "kinds choice bytes/tokens"
	Choices []backend.Choice
	Usage   backend.Usage
	Class   fault.Class
	Error   string
	Partial bool
}

var kindNames = []string{"role", "reasoning", "text", "tool", "refusal", "audio", "usage", "finish", "other"}

func kindText(k backend.Kinds) string {
	var names []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

func hear(out *backend.Outcome) heard {
	h := heard{Choices: out.Choices, Usage: out.Usage}
	for _, e := range out.Events {
		h.Events = append(h.Events, fmt.Sprintf("%s %d %d/%d", kindText(e.Kinds), e.Choice, e.Bytes, e.Tokens))
	}
	if out.Error != nil {
		h.Class, h.Error, h.Partial = out.Error.Class, out.Error.Message, out.Error.Partial
	}
	return h
}

// read reads a stream and returns the outcome.
func read(src stamp.SpanReader) *backend.Outcome {
	rec := backend.NewRecorder(&backend.Request{Want: backend.Want{Events: true, Text: true}}, 0, nil, nil)
	a := new(answer)
	a.begin(rec)
	if failure := a.end(a.readStream(src)); failure != nil {
		rec.Fail(failure)
	}
	return rec.Outcome(context.Background())
}

func ptr(n int64) *int64 { return &n }

// sent makes an event stream of data lines.
func sent(data ...string) string {
	var b strings.Builder
	for _, d := range data {
		b.WriteString("data: " + d + "\n\n")
	}
	return b.String()
}

func delta(fields string) string {
	return `{"choices":[{"index":0,"delta":{` + fields + `},"finish_reason":null}]}`
}

const (
	finishChunk = `{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`
	usageChunk  = `{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":11,"total_tokens":38,"completion_tokens_details":{"reasoning_tokens":3}}}`
)

var usual = backend.Usage{Source: backend.UsageFinal, Input: ptr(27), Output: ptr(11), Reasoning: ptr(3)}

var streamCases = map[string]struct {
	stream string
	want   heard
}{
	"usual": {
		sent(delta(`"role":"assistant","content":""`), delta(`"content":"The"`), delta(`"content":" sea"`), finishChunk, usageChunk, "[DONE]"),
		heard{
			Events:  []string{"role 0 0/0", "text 0 3/0", "text 0 4/0", "finish 0 0/0", "usage -1 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length", Text: "The sea"}}, Usage: usual,
		},
	},
	"comments, names, CRLF, no blank after the colon, a line of data cut in two": {
		": keep-alive\r\n\r\nevent: message\r\ndata:" + delta(`"content":"é"`) + "\r\n\r\nevent: ping\r\ndata: now\r\n\r\ndata: \r\n\r\ndata: {\"choices\":\r\ndata: [{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
		heard{
			Events:  []string{"text 0 2/0", "other -1 0/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishStop, FinishRaw: "stop", Text: "é"}},
		},
	},
	"usage and finish with the last text": {
		sent(delta(`"content":"a"`), `{"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`),
		heard{
			Events:  []string{"text 0 1/0", "text+usage+finish 0 1/0"},
			Choices: []backend.Choice{{Finish: backend.FinishStop, FinishRaw: "stop", Text: "ab"}},
			Usage:   backend.Usage{Source: backend.UsageFinal, Input: ptr(1), Output: ptr(2)},
		},
	},
	"usage before the finish reason": {
		sent(delta(`"content":"a"`), usageChunk, finishChunk, "[DONE]"),
		heard{
			Events:  []string{"text 0 1/0", "usage -1 0/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length", Text: "a"}}, Usage: usual,
		},
	},
	"running total": {
		sent(`{"choices":[{"index":0,"delta":{"role":"assistant"}}],"usage":{"prompt_tokens":8,"completion_tokens":0}}`,
			`{"choices":[{"index":0,"delta":{"content":"ab"}}],"usage":{"prompt_tokens":8,"completion_tokens":2}}`,
			`{"choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":3}}`, "[DONE]"),
		heard{
			Events:  []string{"role+usage 0 0/0", "text+usage 0 2/2", "text+usage+finish 0 1/1"},
			Choices: []backend.Choice{{Finish: backend.FinishStop, FinishRaw: "stop", Text: "abc"}},
			Usage:   backend.Usage{Source: backend.UsageCumulative, Input: ptr(8), Output: ptr(3)},
		},
	},
	"running totals of two choices": {
		sent(`{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":8,"completion_tokens":1}}`,
			`{"choices":[{"index":1,"delta":{"content":"b"}}],"usage":{"prompt_tokens":8,"completion_tokens":2}}`,
			`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"length"}]}`),
		heard{
			Events:  []string{"text+usage 0 1/1", "text+usage 1 1/2", "finish 0 0/0", "finish 1 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishStop, FinishRaw: "stop", Text: "a"}, {Finish: backend.FinishLength, FinishRaw: "length", Text: "b"}},
			Usage:   backend.Usage{Source: backend.UsageCumulative, Input: ptr(8), Output: ptr(3)},
		},
	},
	"running total that begins late says nothing about its event": {
		sent(delta(`"content":"a"`), `{"choices":[{"index":0,"delta":{"content":"b","usage":{"completion_tokens":7}}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"c","usage":{"completion_tokens":9}},"finish_reason":"stop"}]}`),
		heard{
			Events:  []string{"text 0 1/0", "text+usage 0 1/0", "text+usage+finish 0 1/2"},
			Choices: []backend.Choice{{Finish: backend.FinishStop, FinishRaw: "stop", Text: "abc"}},
			Usage:   backend.Usage{Source: backend.UsageCumulative, Output: ptr(9)},
		},
	},
	"two reasoning fields": {
		sent(delta(`"reasoning":"Hmm","reasoning_content":"Other"`), delta(`"content":"The","reasoning":"both"`), finishChunk, "[DONE]"),
		heard{
			Events:  []string{"reasoning 0 3/0", "reasoning+text 0 7/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length", Text: "The", ReasoningText: "Hmmboth"}},
		},
	},
	"tool call alone": {
		sent(delta(`"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}]`), `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, "[DONE]"),
		heard{
			Events:  []string{"tool 0 3/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishTool, FinishRaw: "tool_calls", ToolText: "f{}"}},
		},
	},
	"refusal": {
		sent(delta(`"refusal":"No."`), `{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`, "[DONE]"),
		heard{
			Events:  []string{"refusal 0 3/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishContentFilter, FinishRaw: "content_filter", Text: "No."}},
		},
	},
	"empty completion": {
		sent(delta(`"role":"assistant","content":""`), finishChunk, `{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":0}}`, "[DONE]"),
		heard{
			Events:  []string{"role 0 0/0", "finish 0 0/0", "usage -1 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length"}},
			Usage:   backend.Usage{Source: backend.UsageFinal, Input: ptr(27), Output: ptr(0)},
		},
	},
	"nothing but [DONE]": {sent("[DONE]"), heard{}},
	"first chunk without choices": {
		sent(`{"choices":[],"prompt_filter_results":[]}`, delta(`"content":"a"`), finishChunk),
		heard{
			Events:  []string{"other -1 0/0", "text 0 1/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length", Text: "a"}},
		},
	},
	"an unknown finish reason": {
		sent(`{"choices":[{"index":0,"delta":{},"finish_reason":"tired"}]}`),
		heard{Events: []string{"finish 0 0/0"}, Choices: []backend.Choice{{Finish: backend.FinishUnknown, FinishRaw: "tired"}}},
	},
	"the last event without its blank line": {
		sent(delta(`"content":"a"`), finishChunk) + "data: [DONE]",
		heard{
			Events:  []string{"text 0 1/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishLength, FinishRaw: "length", Text: "a"}},
		},
	},
	"finish reason error": {
		sent(delta(`"content":"a"`), `{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`, "[DONE]"),
		heard{
			Events:  []string{"text 0 1/0", "finish 0 0/0"},
			Choices: []backend.Choice{{Finish: backend.FinishError, FinishRaw: "error", Text: "a"}},
			Class:   fault.Server, Error: `the server ended the answer with finish_reason "error"`, Partial: true,
		},
	},
	"cut between events": {
		sent(delta(`"content":"The"`), delta(`"content":" sea"`)),
		heard{
			Events: []string{"text 0 3/0", "text 0 4/0"}, Choices: []backend.Choice{{Text: "The sea"}},
			Class: fault.Truncated, Error: "the stream ended after 2 events without a finish reason and without [DONE]", Partial: true,
		},
	},
	"cut within an event": {
		sent(delta(`"content":"The"`)) + `data: {"choices":[{"ind`,
		heard{
			Events: []string{"text 0 3/0"}, Choices: []backend.Choice{{Text: "The"}},
			Class: fault.Truncated, Error: "the stream ended after 1 events without a finish reason and without [DONE]", Partial: true,
		},
	},
	"one of two choices unfinished": {
		sent(delta(`"content":"a"`), `{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}]}`),
		heard{
			Events:  []string{"text 0 1/0", "text+finish 1 1/0"},
			Choices: []backend.Choice{{Text: "a"}, {Finish: backend.FinishStop, FinishRaw: "stop", Text: "b"}},
			Class:   fault.Truncated, Error: "the stream ended after 2 events without a finish reason and without [DONE]", Partial: true,
		},
	},
	"empty": {"", heard{Class: fault.Truncated, Error: "the stream ended before its first event"}},
	"garbage": {
		sent(delta(`"content":"a"`), `{"choices":[{]}`, delta(`"content":"b"`), "[DONE]"),
		heard{
			Events: []string{"text 0 1/0"}, Choices: []backend.Choice{{Text: "a"}},
			Class: fault.Protocol, Error: `event 2 of the stream is no JSON object: "{\"choices\":[{]}"`, Partial: true,
		},
	},
	"error with a number": {
		sent(`{"error":{"code":503,"message":"wire overloaded"}}`, "[DONE]"),
		heard{Class: fault.Overloaded, Error: "wire overloaded"},
	},
	"error with a word": {
		sent(delta(`"content":"a"`), `{"error":{"code":"rate_limit_exceeded","message":"wire limit"}}`, "[DONE]"),
		heard{Events: []string{"text 0 1/0"}, Choices: []backend.Choice{{Text: "a"}}, Class: fault.RateLimited, Error: "wire limit", Partial: true},
	},
	"error with null":      {sent(`{"error":{"code":null,"message":"m","type":"server_error"}}`), heard{Class: fault.Server, Error: "m"}},
	"error as a string":    {sent(`{"error":"out of memory"}`), heard{Class: fault.Server, Error: "out of memory"}},
	"error in its own way": {sent(`{"object":"error","message":"too long","type":"BadRequestError","code":400}`), heard{Class: fault.InvalidRequest, Error: "too long"}},
	"event: error":         {"event: error\ndata: {\"message\":\"overloaded\",\"type\":\"overloaded_error\"}\n\n", heard{Class: fault.Overloaded, Error: "overloaded"}},
	"event: error, plain":  {"event: error\ndata: it broke\n\n", heard{Class: fault.Server, Error: "it broke"}},
}

func TestStream(t *testing.T) {
	for name, tc := range streamCases {
		t.Run(name, func(t *testing.T) {
			// Whole, by single bytes (within runes and line ends), by odd lengths.
			for _, length := range []int{1 << 20, 1, 7, 100} {
				got := hear(read(&pieces{data: []byte(tc.stream), length: length, end: io.EOF}))
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("in pieces of %d bytes: %s", length, diff)
				}
			}
		})
	}
}

func TestStreamStampsEventsWithTheByteThatEndedThem(t *testing.T) {
	first, second := sent(delta(`"content":"a"`)), sent(finishChunk)
	out := read(&pieces{data: []byte(first + second), length: 1, end: io.EOF})
	for i, want := range []int{len(first), len(first) + len(second)} {
		if got := int(out.Events[i].At); got != want {
			t.Errorf("event %d is stamped by byte %d, want %d", i, got, want)
		}
	}
}

func TestStreamThatBreaks(t *testing.T) {
	broken := fault.New(fault.TimeoutIdle, "nothing came for 5s")
	out := read(&pieces{data: []byte(sent(delta(`"content":"a"`)) + "data: {"), length: 9, end: broken})
	want := heard{Events: []string{"text 0 1/0"}, Choices: []backend.Choice{{Text: "a"}}, Class: fault.TimeoutIdle, Error: "nothing came for 5s", Partial: true}
	if diff := cmp.Diff(want, hear(out)); diff != "" {
		t.Error(diff)
	}
}

func TestFinishOf(t *testing.T) {
	for raw, want := range map[string]backend.Finish{
		"": backend.FinishUnspecified, "stop": backend.FinishStop, "eos": backend.FinishStop, "eos_token": backend.FinishStop,
		"length": backend.FinishLength, "max_tokens": backend.FinishLength, "tool_calls": backend.FinishTool, "function_call": backend.FinishTool,
		"content_filter": backend.FinishContentFilter, "abort": backend.FinishError, "error": backend.FinishError, "Stop": backend.FinishUnknown,
	} {
		if got, text := FinishOf([]byte(raw)); got != want || text != raw {
			t.Errorf("%q: %v %q, want %v", raw, got, text, want)
		}
	}
}

// FuzzStream: no bytes make the reader panic, and an outcome is either complete
// or an error.
func FuzzStream(f *testing.F) {
	for _, tc := range streamCases {
		f.Add(tc.stream, 3)
	}
	f.Fuzz(func(t *testing.T, stream string, length int) {
		whole := hear(read(&pieces{data: []byte(stream), length: 1 << 20, end: io.EOF}))
		cut := hear(read(&pieces{data: []byte(stream), length: max(length%64, 1), end: io.EOF}))
		if diff := cmp.Diff(whole, cut); diff != "" {
			t.Errorf("it matters where the stream is cut: %s", diff)
		}
	})
}

// BenchmarkStream reads a whole answer of 50 events.
func BenchmarkStream(b *testing.B) {
	data := make([]string, 0, 51)
	data = append(data, strings.Replace(contentChunk, `"content":" vectors"`, `"role":"assistant","content":""`, 1))
	for range 47 {
		data = append(data, contentChunk)
	}
	data = append(data, strings.Replace(contentChunk, `"finish_reason":null`, `"finish_reason":"length"`, 1), finalChunk, "[DONE]")
	text := []byte(sent(data...))
	request := &backend.Request{Want: backend.Want{Events: true}}
	a := new(answer)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		rec := backend.NewRecorder(request, 0, nil, nil)
		a.begin(rec)
		if failure := a.end(a.readStream(&pieces{data: text, length: 300, end: io.EOF})); failure != nil {
			b.Fatal(failure)
		}
		if got := rec.Outputs(); got != 48 {
			b.Fatalf("%d outputs, want 48", got)
		}
	}
}
