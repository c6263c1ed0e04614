package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

func said(role, text string) backend.Message {
	return backend.Message{Role: role, Parts: []backend.Part{{Text: text}}}
}

// talk is what core makes of --additional-request-params with a system message
// and a history; with pictures that of the image task.
func talk() *backend.Chat {
	return &backend.Chat{
		Messages:  []backend.Message{said("system", "be brief"), said("user", "hi"), said("assistant", "hello"), said("user", `and "now"?`)},
		MaxTokens: 7, Stop: []string{"x"}, Stream: true,
	}
}

func pictured() *backend.Chat {
	return &backend.Chat{Stream: true, MaxTokens: 7, Messages: []backend.Message{{Role: "user", Parts: []backend.Part{
		{Text: "what "}, {Text: "is it?"},
		{Image: &backend.Image{Bytes: []byte("x"), MIME: "image/png"}},
		{Image: &backend.Image{URL: "data:image/jpeg;base64,eQ=="}},
	}}}}
}

const (
	chosen = `{"temperature":0.5,"top_p":0.9,"top_k":5,"stop":["y"],"stream":true,"ignore_eos":true,"seed":7}`
	picX   = `{"image":{"format":"png","source":{"bytes":"eA=="}}},{"image":{"format":"jpeg","source":{"bytes":"eQ=="}}}`
)

// bodyCase is a request and the body that it becomes.
type bodyCase struct {
	model, api string // api "": auto
	family     family
	params     string
	request    backend.Request
	path       string
	want       string
}

// TestConverseBodies: API_runtime_Converse in the Amazon Bedrock API reference.
func TestConverseBodies(t *testing.T) {
	compareBodies(t, map[string]bodyCase{
		"converse, turns": {
			model: "anthropic.claude-3-haiku-20240307-v1:0", params: chosen, request: backend.Request{Chat: talk()},
			path: "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream",
			want: `{"system":[{"text":"be brief"}],"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"text":"hello"}]},
			  {"role":"user","content":[{"text":"and \"now\"?"}]}],"inferenceConfig":{"maxTokens":7,"temperature":0.5,"topP":0.9,"stopSequences":["y"]},
			  "additionalModelRequestFields":{"top_k":5,"seed":7}}`,
		},
		"converse, pictures": {
			model: "us.amazon.nova-lite-v1:0", request: backend.Request{Chat: pictured()}, path: "/model/us.amazon.nova-lite-v1%3A0/converse-stream",
			want: `{"messages":[{"role":"user","content":[{"text":"what is it?"},` + picX + `]}],"inferenceConfig":{"maxTokens":7}}`,
		},
		"converse, its own fields": {
			model: "m", params: `{"inferenceConfig":{"maxTokens":3},"guardrailConfig":{"guardrailIdentifier":"g"},"performanceConfig":{"latency":"optimized"},"thinking":{"type":"enabled"}}`,
			request: backend.Request{Chat: &backend.Chat{Messages: []backend.Message{said("user", "a")}, MaxTokens: 7}}, path: "/model/m/converse",
			want: `{"messages":[{"role":"user","content":[{"text":"a"}]}],"inferenceConfig":{"maxTokens":3},"guardrailConfig":{"guardrailIdentifier":"g"},
			  "performanceConfig":{"latency":"optimized"},"additionalModelRequestFields":{"thinking":{"type":"enabled"}}}`,
		},
		"converse, parameters of one request": {
			model: "m", params: `{"max_tokens":9,"temperature":0.5}`, path: "/model/other/converse",
			request: backend.Request{Model: "other", Params: json.RawMessage(`{"temperature":null,"stream":false}`), Chat: talk()},
			want: `{"system":[{"text":"be brief"}],"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"text":"hello"}]},
			  {"role":"user","content":[{"text":"and \"now\"?"}]}],"inferenceConfig":{"maxTokens":9,"stopSequences":["x"]}}`,
		},
		"converse, a picture in S3": {
			model: "m", path: "/model/m/converse",
			request: backend.Request{Chat: &backend.Chat{Messages: []backend.Message{{Role: "user", Parts: []backend.Part{{Image: &backend.Image{URL: "s3://b/k.webp"}}}}}}},
			want:    `{"messages":[{"role":"user","content":[{"image":{"format":"webp","source":{"s3Location":{"uri":"s3://b/k.webp"}}}}]}]}`,
		},
	})
}

// TestInvokeBodies holds the bodies of every family against the request
// parameters that the Amazon Bedrock user guide has for it.
func TestInvokeBodies(t *testing.T) {
	compareBodies(t, map[string]bodyCase{
		"anthropic": {
			model: "eu.anthropic.claude-sonnet-4-20250514-v1:0", api: apiInvoke, params: chosen, request: backend.Request{Chat: talk()},
			path: "/model/eu.anthropic.claude-sonnet-4-20250514-v1%3A0/invoke-with-response-stream",
			want: `{"anthropic_version":"bedrock-2023-05-31","system":"be brief","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"},
			  {"role":"user","content":"and \"now\"?"}],"max_tokens":7,"stop_sequences":["y"],"temperature":0.5,"top_p":0.9,"top_k":5,"seed":7}`,
		},
		"anthropic, pictures": {
			model: "anthropic.claude-3-haiku-20240307-v1:0", api: apiInvoke, request: backend.Request{Chat: pictured()},
			path: "/model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke-with-response-stream",
			want: `{"anthropic_version":"bedrock-2023-05-31","max_tokens":7,"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},
			  {"type":"image","source":{"type":"base64","media_type":"image/png","data":"eA=="}},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"eQ=="}}]}]}`,
		},
		"anthropic, of no length": {
			model: "anthropic.claude-v2", api: apiInvoke, path: "/model/anthropic.claude-v2/invoke",
			request: backend.Request{Chat: &backend.Chat{Messages: []backend.Message{said("user", "a")}}},
			want:    `{"anthropic_version":"bedrock-2023-05-31","max_tokens":1000,"messages":[{"role":"user","content":"a"}]}`,
		},
		"nova": {
			model: "amazon.nova-pro-v1:0", api: apiInvoke, params: chosen, request: backend.Request{Chat: pictured()},
			path: "/model/amazon.nova-pro-v1%3A0/invoke-with-response-stream",
			want: `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"what is it?"},` + picX + `]}],
			  "inferenceConfig":{"maxTokens":7,"temperature":0.5,"topP":0.9,"topK":5,"stopSequences":["y"]},"seed":7}`,
		},
		"titan": {
			model: "amazon.titan-text-express-v1", api: apiInvoke, params: `{"temperature":0.5,"top_p":0.9,"stop":"y"}`,
			request: backend.Request{Chat: talk()}, path: "/model/amazon.titan-text-express-v1/invoke-with-response-stream",
			want: `{"inputText":"be brief\nhi\nhello\nand \"now\"?","textGenerationConfig":{"maxTokenCount":7,"stopSequences":["y"],"temperature":0.5,"topP":0.9}}`,
		},
		"llama": {
			model: "us.meta.llama3-3-70b-instruct-v1:0", api: apiInvoke, params: `{"max_tokens":9,"temperature":0.5}`,
			request: backend.Request{Chat: talk()}, path: "/model/us.meta.llama3-3-70b-instruct-v1%3A0/invoke-with-response-stream",
			want: `{"prompt":"be brief\nhi\nhello\nand \"now\"?","max_gen_len":9,"temperature":0.5}`,
		},
		"cohere": {
			model: "cohere.command-r-plus-v1:0", api: apiInvoke, params: `{"top_p":0.9,"top_k":5,"stop":"y"}`, request: backend.Request{Chat: talk()},
			path: "/model/cohere.command-r-plus-v1%3A0/invoke-with-response-stream",
			want: `{"message":"and \"now\"?","chat_history":[{"role":"USER","message":"hi"},{"role":"CHATBOT","message":"hello"}],"preamble":"be brief",
			  "max_tokens":7,"stop_sequences":["y"],"p":0.9,"k":5}`,
		},
		"mistral": {
			model: "mistral.mistral-7b-instruct-v0:2", api: apiInvoke, params: `{"top_k":5}`, request: backend.Request{Chat: talk()},
			path: "/model/mistral.mistral-7b-instruct-v0%3A2/invoke-with-response-stream",
			want: `{"prompt":"be brief\nhi\nhello\nand \"now\"?","max_tokens":7,"stop":["x"],"top_k":5}`,
		},
		"a newer mistral": {
			model: "mistral.pixtral-large-2502-v1:0", api: apiInvoke, request: backend.Request{Chat: pictured()},
			path: "/model/mistral.pixtral-large-2502-v1%3A0/invoke-with-response-stream",
			want: `{"max_tokens":7,"messages":[{"role":"user","content":[{"type":"text","text":"what is it?"},
			  {"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}},{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,eQ=="}}]}]}`,
		},
		"openai": {
			model: "openai.gpt-oss-20b-1:0", api: apiInvoke, params: `{"max_tokens":9}`, request: backend.Request{Chat: talk()},
			path: "/model/openai.gpt-oss-20b-1%3A0/invoke-with-response-stream",
			want: `{"max_completion_tokens":9,"stop":["x"],"messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},
			  {"role":"assistant","content":"hello"},{"role":"user","content":"and \"now\"?"}]}`,
		},
		"an imported model has InvokeModel": {
			model: "arn:aws:bedrock:us-east-1:1:imported-model/abc", request: backend.Request{Chat: talk()}, family: llama,
			path: "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aimported-model%2Fabc/invoke-with-response-stream",
			want: `{"prompt":"be brief\nhi\nhello\nand \"now\"?","max_gen_len":7}`,
		},
		"titan's embeddings": {
			model: "amazon.titan-embed-text-v2:0", params: `{"normalize":false}`, request: backend.Request{Embed: &backend.Embed{Inputs: []string{"a"}, Dimensions: 256}},
			path: "/model/amazon.titan-embed-text-v2%3A0/invoke", want: `{"inputText":"a","dimensions":256,"normalize":false}`,
		},
		"cohere's embeddings": {
			model: "global.cohere.embed-v4:0", request: backend.Request{Embed: &backend.Embed{Inputs: []string{"a", "b"}, InputType: "clustering", Dimensions: 512}},
			path: "/model/global.cohere.embed-v4%3A0/invoke", want: `{"texts":["a","b"],"input_type":"clustering","output_dimension":512}`,
		},
	})
}

func compareBodies(t *testing.T, cases map[string]bodyCase) {
	t.Helper()
	awsEnvironment(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return response(500, jsonType, `{}`) })
			b := open(t, server.URL(), func(c *backend.Config) {
				c.Model, c.RequestParams = tc.model, []byte(tc.params)
				if tc.api != "" {
					c.Options[optionAPI] = tc.api
				}
				if tc.family != "" {
					c.Options[optionFamily] = string(tc.family)
				}
				if tc.request.Embed != nil {
					c.Task = backend.TextToEmbeddings
				}
			})
			do(b, &tc.request)
			got := server.Last()
			if got.Path != tc.path {
				t.Errorf("%s, want %s", got.Path, tc.path)
			}
			var want, sent any
			decodeJSON(t, []byte(tc.want), &want)
			decodeJSON(t, got.Body, &sent)
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("body (- want, + sent): %s", diff)
			}
		})
	}
}

// TestWhatCannotBeSent: a request that a model has no form for fails alone, with
// what to do, and nothing is sent.
func TestWhatCannotBeSent(t *testing.T) {
	awsEnvironment(t)
	picture := func(url string) *backend.Chat {
		return &backend.Chat{Messages: []backend.Message{{Role: "user", Parts: []backend.Part{{Image: &backend.Image{URL: url}}}}}}
	}
	for name, tc := range map[string]struct {
		model, api string
		request    backend.Request
		want, hint string
	}{
		"a picture on the web":         {"m", apiConverse, backend.Request{Chat: picture("https://h/x.jpg")}, "does not fetch pictures from https addresses", "as files"},
		"a data URL in percent signs":  {"m", apiConverse, backend.Request{Chat: picture("data:image/png,%20")}, "not in base64", ""},
		"a picture for Titan":          {"amazon.titan-text-express-v1", apiInvoke, backend.Request{Chat: pictured()}, "no room for pictures", "--bedrock-api converse"},
		"a picture for Command":        {"cohere.command-r-v1:0", apiInvoke, backend.Request{Chat: pictured()}, "take no pictures", ""},
		"a picture in S3 for Claude":   {"anthropic.claude-v2", apiInvoke, backend.Request{Chat: picture("s3://b/k.png")}, "no pictures from S3", "--bedrock-api converse"},
		"an odd role":                  {"m", apiConverse, backend.Request{Chat: &backend.Chat{Messages: []backend.Message{said("tool", "a")}}}, `role "tool"`, ""},
		"two texts for Titan":          {"amazon.titan-embed-text-v1", apiAuto, backend.Request{Embed: &backend.Embed{Inputs: []string{"a", "b"}}}, "one text a request, not 2", "--batch-size 1"},
		"embeddings of pictures":       {"cohere.embed-english-v3", apiAuto, backend.Request{Embed: &backend.Embed{Images: []backend.Image{{URL: "data:image/png;base64,eA=="}}}}, "pictures are not supported", ""},
		"embeddings of a chat model":   {"anthropic.claude-v2", apiAuto, backend.Request{Embed: &backend.Embed{Inputs: []string{"a"}}}, "not one for requests of the kind", "--bedrock-model-family"},
		"parameters that are no JSON":  {"m", apiAuto, backend.Request{Params: json.RawMessage(`{`), Chat: talk()}, "no JSON object", ""},
		"a chat with an embedding one": {"amazon.titan-embed-text-v1", apiInvoke, backend.Request{Chat: talk()}, "not one for requests of the kind", "--bedrock-model-family"},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return nil })
			b := open(t, server.URL(), func(c *backend.Config) { c.Model, c.Options[optionAPI] = tc.model, tc.api })
			out := do(b, &tc.request)
			if out.Error == nil || out.Error.Class != fault.InvalidRequest || !strings.Contains(out.Error.Message, tc.want) || !strings.Contains(out.Error.Hint, tc.hint) {
				t.Errorf("%+v, want %q with the hint %q", out.Error, tc.want, tc.hint)
			}
			if n := server.Requests(); n > 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

// TestFamilies: whose bodies a model takes, by its name.
func TestFamilies(t *testing.T) {
	for id, want := range map[modelID]family{
		"anthropic.claude-3-haiku-20240307-v1:0":                                            anthropic,
		"global.anthropic.claude-sonnet-4-20250514-v1:0":                                    anthropic,
		"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1":                 anthropic,
		"arn:aws:bedrock:us-east-1:1:inference-profile/us.meta.llama3-3-70b-instruct-v1:0":  llama,
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123":                  generic,
		"arn:aws:bedrock:us-east-1:1:provisioned-model/abc":                                 generic,
		"arn:aws:bedrock:us-east-1:1:custom-model/amazon.titan-text-lite-v1:0:4k/abc":       titan,
		"us.amazon.nova-micro-v1:0":                                                         nova,
		"amazon.titan-text-lite-v1":                                                         titan,
		"amazon.titan-embed-text-v2:0":                                                      titanEmbed,
		"cohere.embed-multilingual-v3":                                                      cohereEmbed,
		"cohere.command-r-v1:0":                                                             command,
		"mistral.mixtral-8x7b-instruct-v0:1":                                                mistral,
		"mistral.mistral-large-2407-v1:0":                                                   chat,
		"us.deepseek.r1-v1:0":                                                               mistral,
		"deepseek.v3-v1:0":                                                                  chat,
		"openai.gpt-oss-120b-1:0":                                                           openai,
		"qwen.qwen3-32b-v1:0":                                                               chat,
		"arn:aws-us-gov:bedrock:us-gov-west-1:1:application-inference-profile/my-llama-one": llama,
	} {
		if got := id.family(); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
