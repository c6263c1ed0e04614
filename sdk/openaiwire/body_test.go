package openaiwire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

func chat(edit func(*backend.Request)) *backend.Request {
	r := &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hi")}, MaxTokens: 8, Stream: true}}
	if edit != nil {
		edit(r)
	}
	return r
}

const (
	chatHead   = `{"model":"m","messages":[{"role":"user","content":"Hi"}],`
	streamTail = `"temperature":0.0,"stream":true,"stream_options":{"include_usage":true}`
)

func TestBody(t *testing.T) {
	picture := &backend.Image{Bytes: []byte{0xff, 0xd8, 0xff}, MIME: "image/jpeg"}
	cases := map[string]struct {
		dialect Dialect
		params  string
		request *backend.Request
		want    string
	}{
		"chat": {request: chat(nil), want: chatHead + `"max_tokens":8,` + streamTail + `}`},
		"no limit": {
			request: chat(func(r *backend.Request) { r.Chat.MaxTokens = 0 }),
			want:    chatHead + streamTail + `}`,
		},
		"not streamed": {
			request: chat(func(r *backend.Request) { r.Chat.Stream = false }),
			want:    chatHead + `"max_tokens":8,"temperature":0.0,"stream":false}`,
		},
		"stream refused by a parameter": {
			params: `{"stream":false}`, request: chat(nil),
			want: chatHead + `"max_tokens":8,"temperature":0.0,"stream":false}`,
		},
		"stream demanded by a parameter": {
			params: `{"stream":true}`, request: chat(func(r *backend.Request) { r.Chat.Stream = false }),
			want: chatHead + `"max_tokens":8,` + streamTail + `}`,
		},
		"model, system, stop": {
			request: chat(func(r *backend.Request) {
				r.Model = "lora-7"
				r.Chat.Messages = []backend.Message{
					{Role: "system", Parts: []backend.Part{{Text: "be "}, {Text: "brief"}}},
					backend.UserText("a\n\"b\"\u2028é"),
				}
				r.Chat.Stop = []string{"x", "\t"}
			}),
			want: `{"model":"lora-7","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"a\n\"b\"` + "\u2028é" + `"}],"max_tokens":8,"temperature":0.0,"stop":["x","\t"],"stream":true,"stream_options":{"include_usage":true}}`,
		},
		"images between texts": {
			request: chat(func(r *backend.Request) {
				r.Chat.Messages = []backend.Message{{Role: "user", Parts: []backend.Part{
					{Text: "a"}, {Text: "b"}, {Image: picture}, {Image: &backend.Image{URL: "https://x/y.jpg"}}, {Text: "c"},
				}}}
			}),
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"ab"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/"}},{"type":"image_url","image_url":{"url":"https://x/y.jpg"}},{"type":"text","text":"c"}]}],"max_tokens":8,` + streamTail + `}`,
		},
		"length fixed by ignore_eos": {
			dialect: Dialect{FixLength: IgnoreEOS},
			request: chat(func(r *backend.Request) { r.FixOutputLength = true }),
			want:    chatHead + `"max_tokens":8,` + streamTail + `,"ignore_eos":true}`,
		},
		"length fixed by min_tokens": {
			dialect: Dialect{FixLength: MinTokens},
			request: chat(func(r *backend.Request) { r.FixOutputLength = true }),
			want:    chatHead + `"max_tokens":8,` + streamTail + `,"min_tokens":8}`,
		},
		"length cannot be fixed": {
			request: chat(func(r *backend.Request) { r.FixOutputLength = true }),
			want:    chatHead + `"max_tokens":8,` + streamTail + `}`,
		},
		"nothing to fix without a limit": {
			dialect: Dialect{FixLength: IgnoreEOS},
			request: chat(func(r *backend.Request) { r.FixOutputLength, r.Chat.MaxTokens = true, 0 }),
			want:    chatHead + streamTail + `}`,
		},
		"the user's ignore_eos stands": {
			dialect: Dialect{FixLength: IgnoreEOS}, params: `{"ignore_eos":false}`,
			request: chat(func(r *backend.Request) { r.FixOutputLength = true }),
			want:    chatHead + `"max_tokens":8,` + streamTail + `,"ignore_eos":false}`,
		},
		"what the server refuses is left out": {
			dialect: Dialect{Unsent: []string{"ignore_eos"}}, params: `{"ignore_eos":true,"seed":1}`,
			request: chat(nil), want: chatHead + `"max_tokens":8,` + streamTail + `,"seed":1}`,
		},
		"no stream_options": {
			dialect: Dialect{NoStreamOptions: true}, request: chat(nil),
			want: chatHead + `"max_tokens":8,"temperature":0.0,"stream":true}`,
		},
		"max_completion_tokens of the server": {
			dialect: Dialect{MaxTokensField: "max_completion_tokens"}, request: chat(nil),
			want: chatHead + `"max_completion_tokens":8,` + streamTail + `}`,
		},
		"max_completion_tokens of the user": {
			params: `{"max_completion_tokens":5}`, request: chat(nil),
			want: chatHead + streamTail + `,"max_completion_tokens":5}`,
		},
		"parameters keep their order": {
			params: `{"z":1,"a":{"y":2,"x":[1, 2]},"temperature":0.3}`, request: chat(nil),
			want: chatHead + `"max_tokens":8,"temperature":0.3,"stream":true,"stream_options":{"include_usage":true},"z":1,"a":{"y":2,"x":[1,2]}}`,
		},
		"objects are merged, arrays replaced": {
			params:  `{"stream_options":{"continuous_usage_stats":true},"chat_template_kwargs":{"a":1,"deep":{"b":[1,2],"c":3}}}`,
			request: chat(func(r *backend.Request) { r.Params = []byte(`{"chat_template_kwargs":{"deep":{"b":[9]}}}`) }),
			want: chatHead + `"max_tokens":8,"temperature":0.0,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},` +
				`"chat_template_kwargs":{"a":1,"deep":{"b":[9],"c":3}}}`,
		},
		"null leaves out": {
			params: `{"temperature":null,"max_tokens":null,"stream_options":{"include_usage":null},"never":null}`, request: chat(nil),
			want: chatHead + `"stream":true,"stream_options":{}}`,
		},
		"null inside the user's own object is sent": {
			params: `{"response_format":{"schema":{"default":null}}}`, request: chat(nil),
			want: chatHead + `"max_tokens":8,` + streamTail + `,"response_format":{"schema":{"default":null}}}`,
		},
		"the request's parameter wins over that of Open": {
			params: `{"temperature":0.3,"seed":1}`, request: chat(func(r *backend.Request) { r.Params = []byte(`{"temperature":null,"seed":2}`) }),
			want: chatHead + `"max_tokens":8,"stream":true,"stream_options":{"include_usage":true},"seed":2}`,
		},
		"model and messages by parameter": {
			params: `{"messages":[{"role":"user","content":"x"}],"model":"other","max_tokens":99}`, request: chat(nil),
			want: `{"model":"other","messages":[{"role":"user","content":"x"}],"max_tokens":99,` + streamTail + `}`,
		},
		"first field left out": {
			params: `{"model":null}`, request: chat(nil),
			want: `{"messages":[{"role":"user","content":"Hi"}],"max_tokens":8,` + streamTail + `}`,
		},
		"completion": {
			request: &backend.Request{Completion: &backend.Completion{Prompt: "Once", MaxTokens: 4, Stream: true}},
			want:    `{"model":"m","prompt":"Once","max_tokens":4,` + streamTail + `}`,
		},
		"completion by token ids": {
			dialect: Dialect{FixLength: IgnoreEOS, MaxTokensField: "max_completion_tokens"},
			request: &backend.Request{FixOutputLength: true, Completion: &backend.Completion{TokenIDs: []uint32{1, 4294967295}, MaxTokens: 4, Stream: true}},
			want:    `{"model":"m","prompt":[1,4294967295],"max_tokens":4,` + streamTail + `,"ignore_eos":true}`,
		},
		"embeddings": {
			params: `{"dimensions":256}`, request: &backend.Request{Embed: &backend.Embed{Inputs: []string{"a", "b"}, InputType: "query"}},
			want: `{"model":"m","input":["a","b"],"encoding_format":"float","dimensions":256,"input_type":"query"}`,
		},
		"rerank": {
			request: &backend.Request{Rerank: &backend.Rerank{Query: "q", Documents: []string{"a"}, TopN: 1}},
			want:    `{"model":"m","query":"q","documents":["a"],"top_n":1}`,
		},
		"image": {
			request: &backend.Request{Image: &backend.ImageGeneration{Prompt: "p", Width: 256, Height: 512}},
			want:    `{"model":"m","prompt":"p","n":1,"size":"256x512"}`,
		},
		"speech": {
			request: &backend.Request{Speech: &backend.Speech{Text: "t", Voice: "alloy"}},
			want:    `{"model":"m","input":"t","voice":"alloy"}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			settings := Settings{Dialect: tc.dialect, Config: backend.Config{Model: "m"}}
			settings.Config.RequestParams = []byte(tc.params)
			c, problems := New(settings)
			if c == nil {
				t.Fatal(problems)
			}
			defer c.Close()
			body, failure := c.template(tc.request)
			if failure != nil {
				t.Fatal(failure)
			}
			got := string(body.append(nil, &bodyInput{request: tc.request, model: "m"}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if !json.Valid([]byte(got)) {
				t.Error("not valid JSON")
			}
		})
	}
}

// FuzzParams: any JSON object as parameters gives a valid body in which every
// parameter of a new name stands as given.
func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"a":1,"stream_options":{"x":null},"max_tokens":null}`), []byte(`{"a":{"b":[{}]}}`))
	f.Add([]byte(`{"stream":1,"model":null,"":{"":null}}`), []byte(`{"stream":null,"a\u0000":"\ud800"}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		one, err := parseObject(first)
		if err != nil {
			return
		}
		two, err := parseObject(second)
		if err != nil {
			return
		}
		request := chat(nil)
		body := Dialect{FixLength: IgnoreEOS}.template(form{backend.KindChat, true, true}, one, two)
		text := body.append(nil, &bodyInput{request: request, model: "m"})
		var got map[string]json.RawMessage
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		ours := map[string]bool{"model": true, "messages": true, "max_tokens": true, "temperature": true, "stop": true, "stream": true, "stream_options": true, "ignore_eos": true}
		for _, m := range two {
			value, sent := got[m.name]
			if isNull(m.value) == sent {
				t.Errorf("%q: %s was sent as %s", m.name, m.value, value)
			}
			if !ours[m.name] && indexOf(one, m.name) < 0 && sent && !cmp.Equal(string(m.value), string(value)) {
				t.Errorf("%q: %s became %s", m.name, m.value, value)
			}
		}
	})
}

func BenchmarkBody(b *testing.B) {
	c, problems := New(Settings{Config: backend.Config{Model: "m", RequestParams: []byte(`{"top_p":0.9,"seed":7}`)}, Dialect: Dialect{FixLength: IgnoreEOS}})
	if c == nil {
		b.Fatal(problems)
	}
	defer c.Close()
	long := make([]byte, 8<<10)
	for i := range long {
		long[i] = 'a' + byte(i%26)
	}
	request := chat(func(r *backend.Request) {
		r.FixOutputLength = true
		r.Chat.Messages = []backend.Message{backend.UserText(string(long))}
	})
	var buffer []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(long)))
	for b.Loop() {
		body, failure := c.template(request)
		if failure != nil {
			b.Fatal(failure)
		}
		buffer = body.append(buffer[:0], &bodyInput{request: request, model: "m"})
	}
}
