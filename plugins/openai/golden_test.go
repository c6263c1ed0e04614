package main

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// The cases in testdata/wire hold what the Python tool sent, what it was
// answered, and what it made of that. This plugin sends the same bodies and
// reads the same counts, save for the tool's defects, each named here. Numbers
// with # are those of the recording's own list of defects:
//
//	#2   records of one token are dropped
//	#4   an empty completion, a string error code, stream:false end the process
//	#5   ignore_eos of the sampler leaks into every body
//	#8   a stream cut off in the middle counts as success
//	#36  an --api-base that ends in /v1 gives /v1/v1/…; --api-key is forced
//	#37  max_tokens: null is sent; max_tokens next to max_completion_tokens;
//	     system_message leaks (Together)
//	#39  embeddings without usage end the process
//	#40  speech with an empty body is a success
//	est  not the server's count but an estimate by the local tokenizer, which is
//	     core's work and is not done in a plugin

// bodyDefects are fields of the recorded bodies that this plugin rightly does
// not send.
var bodyDefects = map[string]map[string]string{ // case → field → defect
	"openai/chat-params-more":       {"max_tokens": "#37"},
	"openai/image-chat":             {"max_tokens": "#37"},
	"vllm/chat-dataset-mode":        {"max_tokens": "#37", "ignore_eos": "#5"},
	"vllm/chat-stream-false":        {"stream_options": "#4"},
	"vllm/image-chat":               {"max_tokens": "#37", "ignore_eos": "#5"},
	"vllm/image-chat-url":           {"max_tokens": "#37", "ignore_eos": "#5"},
	"together/chat":                 {"ignore_eos": "#5"},
	"together/chat-http-429":        {"ignore_eos": "#5"},
	"together/chat-messages-system": {"ignore_eos": "#5", "system_message": "#37"},
	"together/chat-reasoning":       {"ignore_eos": "#5"},
	"together/image-chat":           {"max_tokens": "#37", "ignore_eos": "#5"},
}

// pathDefects are paths that were wrong.
var pathDefects = map[string]string{"vllm/chat-base-with-v1": "/v1/chat/completions"} // #36

// verdict is what this plugin makes of an answer that the tool misread.
type verdict struct {
	defect        string
	class         fault.Class // 0: a success
	input, output int64       // -1: not reported
}

var answerDefects = map[string]verdict{
	"vllm/chat-empty":                       {"#4", 0, 27, 0},
	"vllm/chat-midstream-error-string-code": {"#4", fault.RateLimited, -1, -1},
	"vllm/chat-one-token":                   {"#2", 0, 27, 1},
	"vllm/chat-stream-false":                {"#4", 0, 27, 11},
	"vllm/chat-truncated":                   {"#8", fault.Truncated, -1, -1},
	"vllm/embeddings-no-usage":              {"#39", 0, -1, -1},
	"openai/speech-empty":                   {"#40", fault.Protocol, -1, -1},
}

// estimates are counts of the tool that no server reported (est).
var estimates = map[string][]string{
	"vllm/chat-reasoning-conflict":           {"num_reasoning_tokens"},
	"vllm/chat-reasoning-content-no-details": {"num_reasoning_tokens"},
	"sglang/chat-reasoning-content":          {"num_reasoning_tokens"},
	"vllm/rerank-array":                      {"num_input_tokens"},
	"sglang/rerank":                          {"num_input_tokens"},
}

// notSent are cases in which the tool's command line refused; core decides now.
var notSent = []string{"openai/chat-no-api-key", "openai/images-n-param", "openai/rerank-blocked"}

// request is what core makes of the command: sizes from the scenario,
// parameters with the messages lifted out.
func request(t *testing.T, c *backendtest.Recorded) (*backend.Request, json.RawMessage) {
	params := map[string]json.RawMessage{}
	if text := c.Flag("additional-request-params"); text != "" {
		decodeJSON(t, []byte(text), &params)
	}
	sizes := c.Sizes(t)
	batch := slices.Repeat([]string{"<prompt>"}, max(1, atoi(c.Flag("batch-size"))))
	r := &backend.Request{Task: c.Task}
	switch c.Task {
	case backend.TextToText, backend.ImageTextToText:
		message := backend.UserText("<prompt>")
		r.Chat = &backend.Chat{Stream: true}
		if c.Task == backend.ImageTextToText {
			url := "data:image/jpeg;base64,<image>"
			if c.Flag("dataset-config") == "<image-url-dataset-config>" {
				url = "https://img.example/a.jpg"
			}
			images := 1
			if len(sizes) == 3 {
				images = int(sizes[2])
			}
			for range images {
				message.Parts = append(message.Parts, backend.Part{Image: &backend.Image{URL: url}})
			}
		} else if len(sizes) == 2 {
			r.Chat.MaxTokens, r.FixOutputLength = sizes[1], true
		}
		if system, ok := params["system_message"]; ok {
			var text string
			decodeJSON(t, system, &text)
			r.Chat.Messages = append(r.Chat.Messages, backend.Message{Role: "system", Parts: []backend.Part{{Text: text}}})
			delete(params, "system_message")
		}
		if c.Backend != "together" { // there the tool sends them as they are, and so do we
			delete(params, "messages")
		}
		r.Chat.Messages = append(r.Chat.Messages, message)
	case backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: batch}
	case backend.TextToRerank:
		r.Rerank = &backend.Rerank{Query: "<prompt>", Documents: batch}
	case backend.TextToImage:
		r.Image = &backend.ImageGeneration{Prompt: "<prompt>", N: 1}
		if len(sizes) >= 2 {
			r.Image.Width, r.Image.Height = sizes[0], sizes[1]
		}
	case backend.TextToSpeech:
		r.Speech = &backend.Speech{Text: "<prompt>", Voice: "alloy"}
	default:
		t.Fatalf("no such task: %q", c.Task)
	}
	if len(params) == 0 {
		return r, nil
	}
	text, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	return r, text
}

func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func TestWireGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*/*.json")
	if err != nil || len(files) < 48 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	used := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/wire/"), ".json")
		used[name] = true
		t.Run(name, func(t *testing.T) {
			c := backendtest.ReadRecorded(t, file)
			if c.Request == nil {
				if !slices.Contains(notSent, name) {
					t.Error("the tool sent no request, and this test does not know why")
				}
				return
			}
			r, params := request(t, c)
			server := startServer(t, 0, func(received) []byte { return c.Answer() })
			b := open(t, c.Backend, strings.Replace(c.Flag("api-base"), "<base>", server.URL(), 1), func(config *backend.Config) {
				config.Task, config.Model, config.RequestParams = c.Task, c.Flag("api-model-name"), params
				config.APIKey = secret.New(c.Flag("api-key"))
			})
			outcome := do(b, r)
			compareRequest(t, name, c, server.Last())
			compareAnswer(t, name, c, outcome)
		})
	}
	// A table entry that no case needs is a mistake in the table.
	for _, table := range [][]string{
		slices.Collect(maps.Keys(bodyDefects)), slices.Collect(maps.Keys(pathDefects)),
		slices.Collect(maps.Keys(answerDefects)), slices.Collect(maps.Keys(estimates)), notSent,
	} {
		for _, name := range table {
			if !used[name] {
				t.Errorf("there is no case %q", name)
			}
		}
	}
}

func compareRequest(t *testing.T, name string, c *backendtest.Recorded, got received) {
	t.Helper()
	path := c.Request.Path
	if right, ok := pathDefects[name]; ok {
		path = right
	}
	if got.Method != c.Request.Method || got.Path != path {
		t.Errorf("%s %s, want %s %s", got.Method, got.Path, c.Request.Method, path)
	}
	for _, header := range []string{"Authorization", "Content-Type"} {
		if got.Header.Get(header) != c.Request.Headers[header] {
			t.Errorf("%s: %q, want %q", header, got.Header.Get(header), c.Request.Headers[header])
		}
	}
	var want, sent map[string]any
	decodeJSON(t, c.Request.Body, &want)
	decodeJSON(t, got.Body, &sent)
	for field := range bodyDefects[name] {
		if _, ok := want[field]; !ok {
			t.Errorf("the table has %q as a defect, but the tool did not send it", field)
		}
		delete(want, field)
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("body (- the tool's, + ours): %s", diff)
	}
}

func compareAnswer(t *testing.T, name string, c *backendtest.Recorded, out *backend.Outcome) {
	t.Helper()
	if want, ok := answerDefects[name]; ok {
		if got := classOf(out); got != want.class {
			t.Errorf("class %v, want %v: %v", got, want.class, out.Error)
		}
		if in, o := count(out.Usage.Input), count(out.Usage.Output); in != want.input || o != want.output {
			t.Errorf("in %d out %d, want %d and %d", in, o, want.input, want.output)
		}
		return
	}
	if code, failed := c.Result["error_code"].(float64); failed {
		message, _ := c.Result["error_message"].(string)
		if out.Error == nil || out.Error.HTTPStatus != int(code) || out.Error.Message == "" || !strings.Contains(message, out.Error.Message) {
			t.Errorf("%v, want code %v and a message out of %q", out.Error, code, message)
		}
		return
	}
	if out.Status != backend.StatusOK {
		t.Fatalf("%v: %v", out.Status, out.Error)
	}
	for key, got := range map[string]*int64{
		"num_input_tokens": out.Usage.Input, "num_output_tokens": out.Usage.Output, "num_reasoning_tokens": out.Usage.Reasoning,
	} {
		want, ok := c.Result[key].(float64)
		if !ok {
			t.Errorf("the tool has no %s", key)
		}
		estimated := slices.Contains(estimates[name], key)
		switch {
		case got == nil && (estimated || want == 0): // the tool writes 0 for "not reported"
		case got == nil || estimated || *got != int64(want):
			t.Errorf("%s: %d, want %v", key, count(got), want)
		}
	}
}

func classOf(out *backend.Outcome) fault.Class {
	if out.Error == nil {
		return fault.Unspecified
	}
	return out.Error.Class
}

func count(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
