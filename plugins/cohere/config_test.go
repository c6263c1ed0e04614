package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// opened opens a backend that needs no network.
func opened(t *testing.T, change func(*backend.Config)) backend.Opened {
	t.Helper()
	config := backend.Config{Task: backend.TextToText, Model: "m", APIKey: secret.New("k"), Options: option.Values{}, HTTP: backend.HTTP{Proxy: "none"}}
	change(&config)
	c := new(cohere)
	o, err := c.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return o
}

func TestWhereRequestsGo(t *testing.T) {
	for base, want := range map[string]string{
		"":                               "https://api.cohere.com/v2/chat",
		"https://api.cohere.com/":        "https://api.cohere.com/v2/chat",
		"https://api.cohere.com/v2":      "https://api.cohere.com/v2/chat",
		"https://api.cohere.com/v1/":     "https://api.cohere.com/v2/chat",
		"https://api.cohere.com/v2/chat": "https://api.cohere.com/v2/chat",
		"http://gateway:8080/cohere":     "http://gateway:8080/cohere/v2/chat",
		"http://gateway/cohere?a=b":      "http://gateway/cohere/v2/chat?a=b",
	} {
		o := opened(t, func(c *backend.Config) { c.APIBase = base })
		if o.Failed() || o.Endpoint != want {
			t.Errorf("%s: %q, want %q; %+v", base, o.Endpoint, want, o.Problems)
		}
	}
	for task, want := range map[backend.Task]string{
		backend.ImageTextToText: "/v2/chat", backend.TextToEmbeddings: "/v2/embed", backend.ImageToEmbedding: "/v2/embed", backend.TextToRerank: "/v2/rerank",
	} {
		if o := opened(t, func(c *backend.Config) { c.Task = task }); o.Endpoint != defaultAPIBase+want {
			t.Errorf("%s: %q, want %s", task, o.Endpoint, want)
		}
	}
}

func TestWhatAuthenticates(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*backend.Config)
		auth   string // "" is refused
	}{
		"a key":            {func(*backend.Config) {}, authKey},
		"the model's key":  {func(c *backend.Config) { c.APIKey, c.Options[optionModelAPIKey] = secret.Secret{}, secret.New("m\n") }, authKey},
		"nothing":          {func(c *backend.Config) { c.APIKey = secret.Secret{} }, ""},
		"blanks":           {func(c *backend.Config) { c.APIKey = secret.New(" \n") }, ""},
		"another domain":   {func(c *backend.Config) { c.APIKey, c.APIBase = secret.Secret{}, "https://api.notcohere.com" }, authNone},
		"the older domain": {func(c *backend.Config) { c.APIKey, c.APIBase = secret.Secret{}, "https://api.cohere.ai:443" }, ""},
		"a header": {func(c *backend.Config) {
			c.APIKey, c.HTTP.Header = secret.Secret{}, []backend.HeaderField{{Name: "authorization", Value: "Bearer x"}}
		}, authHeader},
	} {
		t.Run(name, func(t *testing.T) {
			o := opened(t, c.change)
			if c.auth == "" {
				if !o.Failed() || o.Problems[0].Option != optionAPIKey {
					t.Fatalf("%+v", o.Problems)
				}
				for _, way := range []string{"--api-key", "--model-api-key", "COHERE_API_KEY", "CO_API_KEY", "https://dashboard.cohere.com/api-keys"} {
					if !strings.Contains(o.Problems[0].Hint, way) {
						t.Errorf("the hint %q lacks %s", o.Problems[0].Hint, way)
					}
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(o.EffectiveConfig, &got); err != nil || got["auth_type"] != c.auth || got["has_api_key"] != (c.auth == authKey) {
				t.Errorf("%s, want %s; %v, %+v", o.EffectiveConfig, c.auth, err, o.Problems)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for params, want := range map[string]string{
		`{"ignore_eos": true}`:          "ignore_eos",
		`{"ignore_eos": false, "k": 5}`: "",
		`{"messages": []}`:              "messages",
		`{"documents": ["d"]}`:          "", // go with a chat
	} {
		o := opened(t, func(c *backend.Config) { c.RequestParams = json.RawMessage(params) })
		said := ""
		for _, p := range o.Problems {
			said += p.Message
		}
		if o.Failed() || (want == "") != (said == "") || !strings.Contains(said, want) {
			t.Errorf("%s: %+v", params, o.Problems)
		}
	}
}

func TestBodies(t *testing.T) {
	picture := backend.Image{Bytes: []byte("\xff\xd8"), MIME: "image/jpeg"}
	text := backend.Part{Text: "look"}
	for name, c := range map[string]struct {
		params  string
		request backend.Request
		want    string
	}{
		"a conversation": {"", backend.Request{Chat: &backend.Chat{Stream: true, Stop: []string{"x"}, Messages: []backend.Message{
			{Role: "system", Parts: []backend.Part{{Text: "be "}, {Text: "brief"}}}, backend.UserText("hi"),
		}}}, `{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"stream":true,"stop_sequences":["x"]}`},
		"a picture": {"", backend.Request{Chat: &backend.Chat{Messages: []backend.Message{{Role: "user", Parts: []backend.Part{text, text, {Image: &picture}, {Image: &backend.Image{URL: "https://x/y.png"}}}}}}},
			`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"looklook"},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9g="}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}],"stream":false}`},
		"names of other APIs": {`{"topP": 0.5, "top_k": 3, "maxTokens": 9, "stop": ["a"], "safetyMode": "OFF", "ignore_eos": true}`,
			backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hi")}, MaxTokens: 8}},
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false,"max_tokens":9,"p":0.5,"k":3,"stop_sequences":["a"],"safety_mode":"OFF"}`},
		"Cohere's own name wins": {`{"p": 0.1, "top_p": 0.5}`, backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hi")}}},
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false,"p":0.1}`},
		"null leaves out": {`{"max_tokens": null}`, backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hi")}, MaxTokens: 8}},
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}`},
		"the request's parameters win": {`{"thinking": {"type": "enabled", "token_budget": 5}, "seed": 1}`,
			backend.Request{Model: "o", Params: json.RawMessage(`{"thinking": {"type": "disabled"}}`), Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hi")}}},
			`{"model":"o","messages":[{"role":"user","content":"hi"}],"stream":false,"thinking":{"type":"disabled","token_budget":5},"seed":1}`},
		"texts and pictures": {"", backend.Request{Embed: &backend.Embed{Inputs: []string{"a"}, Images: []backend.Image{picture}, Dimensions: 256}},
			`{"model":"m","inputs":[{"content":[{"type":"text","text":"a"}]},{"content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9g="}}]}],"input_type":"search_document","embedding_types":["float"],"truncate":"END","output_dimension":256}`},
		"an input type": {"", backend.Request{Embed: &backend.Embed{Inputs: []string{"a"}, InputType: "SEARCH_QUERY"}},
			`{"model":"m","texts":["a"],"input_type":"search_query","embedding_types":["float"],"truncate":"END"}`},
		"rerank": {`{"max_tokens_per_doc": 100}`, backend.Request{Rerank: &backend.Rerank{Query: "q", Documents: []string{"a", "b"}, TopN: 1}},
			`{"model":"m","query":"q","documents":["a","b"],"top_n":1,"max_tokens_per_doc":100}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := &opening{config: backend.Config{RequestParams: json.RawMessage(c.params)}}
			body, _, failure := (&client{model: "m", params: o.params()}).body(&c.request)
			if failure != nil {
				t.Fatal(failure)
			}
			if diff := cmp.Diff(c.want, string(body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			read := map[bool]func([]byte) simulator.Call{true: readChat}[c.request.Chat != nil]
			switch {
			case c.request.Embed != nil:
				read = readEmbed
			case c.request.Rerank != nil:
				read = readRerank
			}
			if call := read(body); call.Reply != nil {
				t.Errorf("the emulator refuses it: %s", call.Reply.Body)
			}
		})
	}
	if _, _, failure := (&client{model: "m"}).body(&backend.Request{Embed: &backend.Embed{}}); failure == nil || failure.Class != fault.InvalidRequest {
		t.Errorf("nothing to embed: %v", failure)
	}
}

// TestPreflight: what Cohere knows of a model is asked for, and a gateway that
// does not tell is asked in another way. Neither generates anything.
func TestPreflight(t *testing.T) {
	for name, c := range map[string]struct {
		emulator emulator
		task     backend.Task
		model    string
		key      string
		class    fault.Class // 0: all is well
		hint     string
	}{
		"well":                       {emulator{}, backend.TextToText, "m", "k", 0, ""},
		"a model in a path":          {emulator{}, backend.TextToText, "org/m 1", "k", 0, ""},
		"a model for something else": {emulator{endpoints: []string{"embed", "classify"}}, backend.TextToText, "m", "k", fault.NotFound, "it is for embed, classify: check --task and --api-model-name"},
		"an embedding model":         {emulator{endpoints: []string{"embed", "classify"}}, backend.ImageToEmbedding, "m", "k", 0, ""},
		"no such model":              {emulator{}, backend.TextToText, "other", "k", fault.NotFound, "check --api-model-name"},
		"a wrong key":                {emulator{}, backend.TextToText, "m", "wrong", fault.Auth, "COHERE_API_KEY"},
		"a gateway":                  {emulator{withoutModels: true}, backend.TextToText, "m", "k", 0, ""},
		"a gateway that embeds":      {emulator{withoutModels: true}, backend.TextToEmbeddings, "m", "k", 0, ""},
		"a gateway, and a wrong key": {emulator{withoutModels: true}, backend.TextToRerank, "m", "wrong", fault.Auth, "COHERE_API_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := simulator.New(simulator.Config{Models: []string{"m", "org/m 1"}, APIKey: secret.New("k"), Protocols: []simulator.Protocol{&c.emulator}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.Listen("127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			b := new(cohere)
			defer func() { _ = b.Close(t.Context()) }()
			o, err := b.Open(t.Context(), backend.Config{
				Task: c.task, Model: c.model, APIBase: s.URL(), APIKey: secret.New(c.key), Options: option.Values{}, HTTP: backend.HTTP{Proxy: "none"},
			})
			if err != nil || o.Failed() {
				t.Fatalf("%v, %+v", err, o.Problems)
			}
			probe, err := b.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f := probe.Failure; c.class == 0 {
				if f != nil {
					t.Errorf("%v", f)
				} else if !c.emulator.withoutModels && probe.MaxModelLen != 128000 {
					t.Errorf("%d tokens of context", probe.MaxModelLen)
				}
			} else if f == nil || f.Class != c.class || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("%v, want %v with %q", f, c.class, c.hint)
			}
			if n := s.Stats().OutputTokens; n != 0 {
				t.Errorf("%d tokens were generated", n)
			}
		})
	}
}
