package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestDescriptions(t *testing.T) {
	for _, b := range backends() {
		d := b.Describe()
		t.Run(d.Name, func(t *testing.T) {
			if diff := cmp.Diff(d, b.Describe()); diff != "" {
				t.Errorf("two descriptions differ: %s", diff)
			}
			for _, o := range d.Options {
				if o.Type == option.Secret && o.Default != "" {
					t.Errorf("the secret %s has a default", o.Name)
				}
				if o.Help == "" || strings.HasSuffix(o.Help, ".") || strings.Contains(o.Help, "\n") {
					t.Errorf("help of %s: %q", o.Name, o.Help)
				}
				if o.Type == option.Enum && !containsValue(o.Allowed, o.Default) {
					t.Errorf("%s has the default %q, which is not allowed", o.Name, o.Default)
				}
			}
			fixes := d.Name == "vllm" || d.Name == "sglang"
			if d.Can(backend.CanFixOutputLength) != fixes {
				t.Errorf("can fix the output's length: %v", !fixes)
			}
			if _, rerank := d.Support(backend.TextToRerank); rerank != fixes {
				t.Errorf("can rerank: %v", rerank)
			}
		})
	}
}

func containsValue(all []option.Allowed, value string) bool {
	for _, a := range all {
		if a.Value == value {
			return true
		}
	}
	return false
}

func TestOpenProblems(t *testing.T) {
	noKey := func(c *backend.Config) { c.APIKey = secret.Secret{} }
	for name, tc := range map[string]struct {
		backend string
		base    string
		edit    func(*backend.Config)
		want    []option.Problem
	}{
		"all is well":                 {"vllm", "http://h/v1", nil, nil},
		"no key for one's own server": {"openai", "http://localhost:1/", noKey, nil},
		"no key for vLLM":             {"vllm", "http://h", noKey, nil},
		"no key for OpenAI": {"openai", "", noKey, []option.Problem{{
			Option: "api-key", Message: "is missing, and api.openai.com answers nobody without one",
			Hint: "give --api-key, --model-api-key or OPENAI_API_KEY",
		}}},
		"no key for Together, by address": {"together", "https://api.together.xyz", noKey, []option.Problem{{
			Option: "api-key", Message: "is missing, and api.together.xyz answers nobody without one",
			Hint: "give --api-key, --model-api-key or TOGETHER_API_KEY",
		}}},
		"a header instead of a key": {"openai", "", func(c *backend.Config) {
			noKey(c)
			c.HTTP.Header = []backend.HeaderField{{Name: "authorization", Value: "Basic abc"}}
		}, nil},
		"everything at once": {"vllm", "", func(c *backend.Config) {
			c.Task, c.Model, c.APIKey = "image-to-embeddings", "", secret.New("line\nbreak")
			c.RequestParams, c.TLS.CAFile = json.RawMessage(`"text"`), "/nowhere/ca.pem"
		}, []option.Problem{
			{Option: "task", Message: `vllm cannot do "image-to-embeddings"`, Hint: "it can do text-to-text, image-text-to-text, text-to-embeddings, text-to-rerank, text-to-image, text-to-speech"},
			{Option: "api-model-name", Message: "is missing", Hint: "give --api-model-name the name by which the server knows the model"},
			{Option: "api-base", Message: "is missing", Hint: "give --api-base the server's address, for example http://localhost:8000"},
			{Option: "api-key", Message: "holds characters that no key has", Hint: "check for a line break or a quotation mark from a text editor in it"},
			{Option: "additional-request-params", Message: "is no JSON object: it is a string", Hint: `give a JSON object, such as '{"temperature": 0.7}'`},
			{Option: "ca-file", Message: "CA file: open /nowhere/ca.pem: no such file or directory"},
		}},
		"address without a scheme": {"vllm", "localhost:8000", nil, []option.Problem{{
			Option: "api-base", Message: "is no address that starts with http:// or https://", Hint: "for example http://localhost:8000, with or without /v1",
		}}},
		"parameters and a path": {"openai", "http://h", func(c *backend.Config) {
			c.RequestParams = json.RawMessage(`[1]`)
			c.Options[optionEndpointPath] = "v2/chat"
		}, []option.Problem{
			{Option: "additional-request-params", Message: "is no JSON object: it is a list", Hint: `give a JSON object, such as '{"temperature": 0.7}'`},
			{Option: "endpoint-path", Message: `"v2/chat" does not start with a slash`, Hint: "for example /api/v3/chat/completions"},
		}},
		"warnings": {"openai", "http://h", func(c *backend.Config) {
			c.RequestParams = json.RawMessage(`{"ignore_eos":true,"messages":[]}`)
		}, []option.Problem{
			{Option: "additional-request-params", Severity: option.Warning, Message: `"ignore_eos" is not known to this API and is left out`,
				Hint: "use the backend of the server's own name, for example vllm or sglang"},
			{Option: "additional-request-params", Severity: option.Warning, Message: `"messages" replaces the prompts of every request`,
				Hint: "remove it to send the prompts of the scenario"},
		}},
		"organization with a line break": {"openai", "http://h", func(c *backend.Config) { c.Options[optionOrganization] = "a\r\nb" }, []option.Problem{{
			Option: "openai-organization", Message: "holds characters that a header cannot carry", Hint: "check for a line break in it",
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := find(t, tc.backend)
			opened, err := b.Open(context.Background(), config(b, tc.base, tc.edit))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := b.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			if diff := cmp.Diff(tc.want, opened.Problems); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOpenEndpoint(t *testing.T) {
	for name, tc := range map[string]struct {
		backend, base string
		edit          func(*backend.Config)
		want          string
	}{
		"default":     {"openai", "", nil, "https://api.openai.com/v1/chat/completions"},
		"together":    {"together", "", nil, "https://api.together.xyz/v1/chat/completions"},
		"completions": {"vllm", "http://h/v1/", func(c *backend.Config) { c.Requests = backend.KindCompletion }, "http://h/v1/completions"},
		"path":        {"openai", "http://h/p", func(c *backend.Config) { c.Options[optionEndpointPath] = "/api/v3/chat/completions" }, "http://h/p/api/v3/chat/completions"},
		"baseten":     {"baseten", "", nil, "https://inference.baseten.co/v1/chat/completions"},
		"deployment":  {"baseten", "https://model-x.api.baseten.co/environments/production/sync/v1", nil, "https://model-x.api.baseten.co/environments/production/sync/v1/chat/completions"},
		"predict":     {"baseten", "https://model-x.api.baseten.co/environments/production/predict/", nil, "https://model-x.api.baseten.co/environments/production/predict"},
		"no predict":  {"openai", "http://h/predict", nil, "http://h/predict/v1/chat/completions"},
		"rerank":      {"sglang", "http://h", func(c *backend.Config) { c.Task = backend.TextToRerank }, "http://h/v1/rerank"},
	} {
		b := find(t, tc.backend)
		opened, err := b.Open(context.Background(), config(b, tc.base, tc.edit))
		if err != nil || opened.Failed() {
			t.Fatalf("%s: %v %+v", name, err, opened.Problems)
		}
		if opened.Endpoint != tc.want {
			t.Errorf("%s: %s, want %s", name, opened.Endpoint, tc.want)
		}
		var effective map[string]any
		decodeJSON(t, opened.EffectiveConfig, &effective)
		if effective["endpoint"] != tc.want || effective["has_api_key"] != true || effective["auth_type"] != "api_key" {
			t.Errorf("%s: effective configuration %s", name, opened.EffectiveConfig)
		}
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestKeys: which key goes out.
func TestKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*backend.Config)
		want string
	}{
		"--api-key":            {nil, "Bearer wire-key"},
		"--model-api-key wins": {func(c *backend.Config) { c.Options[optionModelAPIKey] = secret.New("model-key\n") }, "Bearer model-key"},
		"a blank one does not": {func(c *backend.Config) { c.Options[optionModelAPIKey] = secret.New("  ") }, "Bearer wire-key"},
		"none":                 {func(c *backend.Config) { c.APIKey = secret.Secret{} }, ""},
		"a header of the user": {func(c *backend.Config) {
			c.HTTP.Header = []backend.HeaderField{{Name: "Authorization", Value: "Basic abc"}}
		}, "Basic abc"},
	} {
		server := startServer(t, 0, func(received) []byte { return readFile(t, "testdata/vllm/chat.http") })
		do(open(t, "vllm", server.URL(), tc.edit), chatRequest(false))
		if got := server.Last().Header.Values("Authorization"); strings.Join(got, ",") != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	server := startServer(t, 0, func(received) []byte { return readFile(t, "testdata/vllm/chat-stream.http") })
	b := open(t, "openai", server.URL(), func(c *backend.Config) {
		c.Options[optionOrganization], c.Options[optionProject] = "org-1", "proj-2"
		c.HTTP.Header = []backend.HeaderField{{Name: "X-Tenant", Value: "t"}}
	})
	request := chatRequest(true)
	request.Header = []backend.HeaderField{{Name: "X-Trace", Value: "r"}}
	do(b, request)
	for header, want := range map[string]string{
		"OpenAI-Organization": "org-1", "OpenAI-Project": "proj-2", "X-Tenant": "t", "X-Trace": "r",
		"X-Request-Id": "wire-1", "Accept": "text/event-stream, application/json", "Accept-Encoding": "identity",
		"User-Agent": "genai-bench-plugin-openai/" + version,
	} {
		if got := server.Last().Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

func TestRequestsGoWhereTheirKindDoes(t *testing.T) {
	server := startServer(t, 0, func(r received) []byte {
		if r.Path == "/v1/completions" {
			return readFile(t, "testdata/vllm/completions-stream.http")
		}
		return readFile(t, "testdata/vllm/chat-stream.http")
	})
	completion := &backend.Request{Completion: &backend.Completion{Prompt: "Hello", MaxTokens: 8, Stream: true}}
	tail := `"max_tokens":8,"temperature":0.0,"stream":true,"stream_options":{"include_usage":true}}`
	asChat := `{"model":"wire-model","messages":[{"role":"user","content":"Hello"}],` + tail
	asCompletion := `{"model":"wire-model","prompt":"Hello",` + tail
	for name, tc := range map[string]struct {
		request    *backend.Request
		path, body string
	}{
		"chat":       {chatRequest(true), "/v1/chat/completions", asChat},
		"completion": {completion, "/v1/completions", asCompletion},
	} {
		b := open(t, "vllm", server.URL(), nil)
		if out := do(b, tc.request); out.Status != backend.StatusOK {
			t.Errorf("%s: %v", name, out.Error)
		}
		if got := server.Last(); got.Path != tc.path || string(got.Body) != tc.body {
			t.Errorf("%s: %s %s", name, got.Path, got.Body)
		}
	}
}
