package openaiwire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is a chunk as plain values, for comparisons.
type said struct {
	HasChoices bool
	Choices    []saidChoice
	Usage      map[int]int64
	Failure    string
}

type saidChoice struct {
	Index                                      int
	Role, Tool, Audio                          bool
	Text, Reasoning, Refusal, ToolText, Finish string
	Tokens                                     int
	Usage                                      map[int]int64
}

func counts(u tokenCounts) map[int]int64 {
	var all map[int]int64
	for kind := range countKinds {
		if u.has(kind) {
			if all == nil {
				all = map[int]int64{}
			}
			all[kind] = u.n[kind]
		}
	}
	return all
}

func sayings(c *chunk) said {
	s := said{HasChoices: c.hasChoices, Usage: counts(c.usage), Failure: string(c.failure)}
	for _, ch := range c.choices {
		s.Choices = append(s.Choices, saidChoice{
			Index: ch.index, Role: ch.role, Tool: ch.tool, Audio: ch.audio,
			Text: string(ch.text), Reasoning: string(ch.reasoning), Refusal: string(ch.refusal),
			ToolText: string(ch.toolText), Finish: string(ch.finish), Tokens: ch.tokens, Usage: counts(ch.usage),
		})
	}
	return s
}

const (
	contentChunk = `{"id":"chatcmpl-8aee10684a112d15","object":"chat.completion.chunk","created":1795472189,"model":"meta-llama/Llama-3.3-70B-Instruct","system_fingerprint":"fp_44709d6fcb","service_tier":"default","choices":[{"index":0,"delta":{"content":" vectors"},"logprobs":null,"finish_reason":null,"token_ids":null}]}`
	finalChunk   = `{"id":"chatcmpl-8aee10684a112d15","object":"chat.completion.chunk","created":1795472189,"model":"meta-llama/Llama-3.3-70B-Instruct","system_fingerprint":"fp_44709d6fcb","service_tier":"default","choices":[],"usage":{"prompt_tokens":8,"total_tokens":16,"completion_tokens":8,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0,"accepted_prediction_tokens":0}}}`
)

// chunkCases are texts with what they say. fast: the scanner alone must do.
var chunkCases = map[string]struct {
	data string
	want said
	fast bool
}{
	"content": {contentChunk, said{HasChoices: true, Choices: []saidChoice{{Text: " vectors"}}}, true},
	"final usage": {finalChunk, said{HasChoices: true, Usage: map[int]int64{
		inputCount: 8, totalCount: 16, outputCount: 8, cachedCount: 4, audioInCount: 0, reasoningCount: 3, audioOutCount: 0, acceptedCount: 0}}, true},
	"role only": {`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Role: true}}}, true},
	"two choices": {`{"choices":[{"index":1,"delta":{"content":"a"}},{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Index: 1, Text: "a"}, {Text: "b", Finish: "stop"}}}, true},
	"completion": {`{"choices":[{"index":0,"text":"¶","logprobs":{"tokens":["a","b"],"token_logprobs":[-1,-2]},"finish_reason":"length"}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Text: "¶", Finish: "length", Tokens: 2}}}, true},
	"escapes": {`{"choices":[{"delta":{"content":"a\n\"\u00e9\ud83d\ude00\ud800x\/"}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Text: "a\n\"é😀\uFFFDx/"}}}, true},
	"both reasoning fields": {`{"choices":[{"delta":{"reasoning_content":"Other","reasoning":"Hmm"}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Reasoning: "Hmm"}}}, true},
	"text and reasoning": {`{"choices":[{"delta":{"content":"The","reasoning_content":"both"}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Text: "The", Reasoning: "both"}}}, true},
	"refusal": {`{"choices":[{"delta":{"refusal":"No."}}]}`, said{HasChoices: true, Choices: []saidChoice{{Refusal: "No."}}}, true},
	"tool calls": {`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"function":{"arguments":"x"}}]}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Tool: true, ToolText: `f{"a":1}x`}}}, true},
	"tool call without a word": {`{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Tool: true}}}, true},
	"tokens by ids before log probabilities": {`{"choices":[{"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","bytes":[1]}]},"token_ids":[1,2,3]}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Text: "x", Tokens: 3}}}, true},
	"usage in delta": {`{"choices":[{"delta":{"content":"x","usage":{"completion_tokens":5}}}]}`,
		said{HasChoices: true, Choices: []saidChoice{{Text: "x", Usage: map[int]int64{outputCount: 5}}}}, true},
	"whole answer": {`{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","tool_calls":[],"function_call":null,"reasoning":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}}`,
		said{HasChoices: true, Choices: []saidChoice{{Role: true, Text: "Hi", Finish: "stop"}}, Usage: map[int]int64{inputCount: 1, outputCount: 2}}, true},
	"no choices":           {`{"id":"x","prompt_filter_results":[{"a":{}}]}`, said{}, true},
	"choices null":         {`{"choices":null,"usage":null,"error":null}`, said{HasChoices: true}, true},
	"function_call":        {`{"choices":[{"delta":{"function_call":{"name":"f","arguments":"{}"}}}]}`, said{HasChoices: true, Choices: []saidChoice{{Tool: true, ToolText: "f{}"}}}, false},
	"audio":                {`{"choices":[{"delta":{"audio":{"data":"AAAA","transcript":"hi"}}}]}`, said{HasChoices: true, Choices: []saidChoice{{Audio: true, Text: "hi"}}}, false},
	"content in parts":     {`{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"Yes"}]}}]}`, said{HasChoices: true, Choices: []saidChoice{{Text: "Yes", Reasoning: "Hm"}}}, false},
	"usage as floats":      {`{"choices":[],"usage":{"prompt_tokens":27.0,"completion_tokens":1.1e1,"total_tokens":-1}}`, said{HasChoices: true, Usage: map[int]int64{inputCount: 27, outputCount: 11}}, false},
	"usage as text":        {`{"choices":[],"usage":{"prompt_tokens":"27"}}`, said{HasChoices: true}, false},
	"cached twice":         {`{"choices":[],"usage":{"cached_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}}`, said{HasChoices: true, Usage: map[int]int64{cachedCount: 2}}, false},
	"groq's usage":         {`{"choices":[],"x_groq":{"usage":{"prompt_tokens":3}}}`, said{HasChoices: true, Usage: map[int]int64{inputCount: 3}}, false},
	"error object":         {`{"error":{"code":503,"message":"m"}}`, said{Failure: `{"code":503,"message":"m"}`}, false},
	"error as a string":    {`{"error":"boom"}`, said{Failure: `"boom"`}, false},
	"whole is an error":    {`{"object":"error","message":"m"}`, said{Failure: `{"object":"error","message":"m"}`}, false},
	"choices of no sort":   {`{"choices":[3,null]}`, said{HasChoices: true, Choices: []saidChoice{{}, {}}}, false},
	"content twice":        {`{"choices":[{"delta":{"content":"a","content":"b"}}]}`, said{HasChoices: true, Choices: []saidChoice{{Text: "b"}}}, false},
	"escaped key":          {`{"cho\u0069ces":[{"text":"a"}]}`, said{HasChoices: true, Choices: []saidChoice{{Text: "a"}}}, false},
	"not UTF-8":            {"{\"choices\":[{\"text\":\"a\xff\"}]}", said{HasChoices: true, Choices: []saidChoice{{Text: "a\uFFFD"}}}, false},
	"text after the delta": {`{"choices":[{"delta":{"content":"a"},"text":"b"}]}`, said{HasChoices: true, Choices: []saidChoice{{Text: "a"}}}, true},
}

func TestChunk(t *testing.T) {
	for name, tc := range chunkCases {
		t.Run(name, func(t *testing.T) {
			var c chunk
			if got := c.scan([]byte(tc.data)); got != tc.fast {
				t.Errorf("the scanner alone: %v, want %v", got, tc.fast)
			}
			if err := c.parse([]byte(tc.data)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, sayings(&c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestChunkRefusesWhatIsNoObject(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `3`, `"x"`, `{`, `{"choices":[}`, `{"a":1}x`, `{"a":01}`, "{\"a\":\"\n\"}", `{"a":"\x"}`, `{"a":.5}`, `{"a":1.}`} {
		var c chunk
		if err := c.parse([]byte(data)); err == nil {
			t.Errorf("%q was taken for an answer: %+v", data, sayings(&c))
		}
	}
}

// FuzzChunk: whatever the scanner accepts, encoding/json accepts and reads to
// the same.
func FuzzChunk(f *testing.F) {
	for _, tc := range chunkCases {
		f.Add([]byte(tc.data))
	}
	f.Add([]byte(`{"choices":[{"index":-0,"delta":{"content":"\ud800\u0041"}}],"usage":{"a":1e5,"prompt_tokens":007}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fast, slow chunk
		if !fast.scan(data) {
			return
		}
		if err := slow.decode(data); err != nil {
			t.Fatalf("the scanner accepts what encoding/json refuses: %v", err)
		}
		if diff := cmp.Diff(sayings(&slow), sayings(&fast)); diff != "" {
			t.Errorf("the scanner (+) and encoding/json (-) differ: %s", diff)
		}
	})
}

// FuzzString: what appendString writes, encoding/json reads as it would have
// written it itself.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x1f\x7f", "é😀\u2028", "\xff\xc3", strings.Repeat("a", 20) + "\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got, want string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil {
			t.Fatal(err)
		}
		reference, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	})
}

func BenchmarkChunk(b *testing.B) {
	for name, data := range map[string]string{"content": contentChunk, "final": finalChunk} {
		b.Run(name, func(b *testing.B) {
			var c chunk
			text := []byte(data)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if !c.scan(text) {
					b.Fatal("the scanner gave up")
				}
			}
		})
		b.Run(name+"/encoding-json", func(b *testing.B) {
			var c chunk
			text := []byte(data)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.decode(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
