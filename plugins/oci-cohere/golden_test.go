package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// The cases in testdata/wire hold what the Python tool sent, what it was
// answered, and what it made of that. This plugin sends the same bodies and
// reads the same counts, save for the tool's defects, each named here. Numbers
// with # are those of the recording's own list of defects:
//
//	#4   exceptions end the process: missing ids, two pictures
//	#9   oci-cohere: topK and topP swapped; one event counts as one token; usage
//	     is not asked for, and not read
//	#10  parameters in the other spelling, and all unknown ones, are dropped
//	#11  embeddings: the server's count is ignored; a picture is one token
//	#12  rerank: refused by the command line; usage is ignored
//	#13  streamOptions in the wire's own spelling crashes; nested names are not
//	     converted
//	#14  usage after the finishing event is lost
//	#15  oci-genai: the input is counted locally, reasoning by events; text in
//	     the event with usage is lost, "usage": null ends the reading
//	#18  size null is sent; an unknown parameter is an error of the client
//	#19  instance_obo_user cannot work
//	#40  speech with an empty body is a success
//	est  not the server's count but an estimate by the local tokenizer, or a
//	     count of events, which is core's work and is not done in a plugin

// correction is what this plugin sends instead; nil is no such field.
type correction struct {
	defect string
	fields map[string]any // by path, with dots
}

// usual is wrong in every chat of oci-cohere.
func usual(more map[string]any) correction {
	fields := map[string]any{
		"chatRequest.topK": 0.0, "chatRequest.topP": 0.75, "chatRequest.streamOptions": map[string]any{"isIncludeUsage": true},
	}
	maps.Copy(fields, more)
	return correction{"#9", fields}
}

var bodyDefects = map[string]correction{
	"oci-cohere/chat-api-key-given":      usual(nil),
	"oci-cohere/chat-base-path-prefix":   usual(nil),
	"oci-cohere/chat-dataset-mode":       usual(nil),
	"oci-cohere/chat-dedicated":          usual(nil),
	"oci-cohere/chat-default-serving":    usual(nil),
	"oci-cohere/chat-history-documents":  usual(nil),
	"oci-cohere/chat-http-404":           usual(nil),
	"oci-cohere/chat-multi-token-events": usual(nil),
	"oci-cohere/chat-security-token":     usual(nil),
	"oci-cohere/chat-params-common":      usual(map[string]any{"chatRequest.topP": 0.9}),
	"oci-cohere/chat-params-camel": {"#10", map[string]any{
		"chatRequest.seed": 7.0, "chatRequest.maxTokens": 99.0, "chatRequest.stopSequences": []any{"x"}, "chatRequest.isStream": false,
	}},
	"oci-cohere-v2/chat-params-common":  {"#10", map[string]any{"chatRequest.topP": 0.9}},
	"oci-cohere-v2/chat-thinking-snake": {"#13", map[string]any{"chatRequest.thinking": map[string]any{"type": "ENABLED", "tokenBudget": 5.0}}},
	"oci-genai/chat-params-camel": {"#10", map[string]any{
		"chatRequest.topP": 0.9, "chatRequest.topK": 5.0, "chatRequest.frequencyPenalty": 0.1, "chatRequest.reasoningEffort": "LOW",
	}},
	"oci-genai/chat-params-snake": {"#10", map[string]any{
		"chatRequest.seed": 7.0, "chatRequest.stop": []any{"x"}, "chatRequest.maxTokens": 99.0,
	}},
	"oci-openai/images-dataset-mode": {"#18", map[string]any{"size": nil}},
}

// verdict is what this plugin makes of an answer that the tool misread.
type verdict struct {
	defect                   string
	class                    fault.Class // 0: a success
	input, output, reasoning int64       // -1: not reported
}

var answerDefects = map[string]verdict{
	"oci-cohere/chat-api-key-given":      {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-base-path-prefix":   {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-dataset-mode":       {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-dedicated":          {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-default-serving":    {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-history-documents":  {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-params-camel":       {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-params-common":      {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-security-token":     {"#9", 0, 27, 11, -1},
	"oci-cohere/chat-multi-token-events": {"est", 0, -1, -1, -1},
	"oci-cohere/embeddings":              {"#11", 0, 44, -1, -1},
	"oci-cohere/embeddings-image":        {"#11", 0, 44, -1, -1},
	"oci-cohere/rerank-direct":           {"#12", 0, 52, -1, -1},

	"oci-cohere/rerank-direct-dedicated-topn": {"#12", 0, 52, -1, -1},

	"oci-cohere-v2/chat-no-usage-text-in-finish": {"est", 0, -1, -1, -1},
	"oci-cohere-v2/chat-usage-after-finish":      {"#14", 0, 27, 11, 3},
	"oci-cohere-v2/image-chat-no-usage":          {"est", 0, -1, -1, -1},

	"oci-genai/chat-dataset-mode":          {"#15", 0, 27, 11, -1},
	"oci-genai/chat-no-usage":              {"est", 0, -1, -1, -1},
	"oci-genai/chat-on-demand":             {"#15", 0, 27, 11, -1},
	"oci-genai/chat-params-camel":          {"#15", 0, 27, 11, -1},
	"oci-genai/chat-params-common":         {"#15", 0, 27, 11, -1},
	"oci-genai/chat-params-snake":          {"#15", 0, 27, 11, -1},
	"oci-genai/chat-system-history":        {"#15", 0, 27, 11, -1},
	"oci-genai/chat-usage-in-finish-event": {"#15", 0, 27, 11, -1},
	"oci-genai/chat-usage-null":            {"#15", 0, 27, 11, 3},

	"oci-openai/speech-empty": {"#40", fault.Protocol, -1, -1, -1},
}

// texts are answers in full, where the tool lost or repeated a part.
var texts = map[string]string{
	"oci-cohere/chat-default-serving":            "The sea is calm",
	"oci-cohere/chat-multi-token-events":         "The sea is calm and blue today",
	"oci-cohere-v2/chat-no-usage-text-in-finish": "The sea is calm",
	"oci-cohere-v2/chat-thinking-stream":         "Calm sea",
	"oci-genai/chat-usage-in-finish-event":       "The sea is calm",
	"oci-genai/chat-usage-null":                  "The sea",
}

// refused are cases in which the tool sent nothing and neither does this
// plugin: the option that its Open names.
var refused = map[string]string{
	"oci-cohere/chat-dedicated-no-endpoint": optionEndpoint,
	"oci-cohere/chat-missing-compartment":   optionCompartment,
	"oci-genai/chat-missing-compartment":    optionCompartment,
}

// works are cases in which the tool sent nothing because of a defect; the other
// tests of this folder show that they work.
var works = map[string]string{
	"oci-cohere/chat-instance-obo-user":       "#19: TestModes",
	"oci-cohere/rerank-blocked":               "#12: rerank-direct",
	"oci-cohere-v2/chat-stream-options-camel": "#13: chat-stream-options-snake",
	"oci-cohere-v2/image-chat-two-images":     "#4: TestBodies",
	"oci-openai/images-unknown-param":         "#18: images-params",
}

// request is what core makes of the command: sizes from the scenario, and
// texts of the system and of the history lifted out of the parameters.
func request(t *testing.T, c *backendtest.Recorded) (*backend.Request, json.RawMessage) {
	params := json.RawMessage(c.Flag("additional-request-params"))
	sizes := c.Sizes(t)
	batch := slices.Repeat([]string{"<prompt>"}, max(1, atoi(c.Flag("batch-size"))))
	picture := backend.Image{URL: "data:image/jpeg;base64,<image>"}
	r := &backend.Request{Task: c.Task}
	switch c.Task {
	case backend.TextToText, backend.ImageTextToText:
		message := backend.UserText("<prompt>")
		r.Chat = &backend.Chat{Stream: true}
		if c.Task == backend.ImageTextToText {
			message.Parts = append(message.Parts, backend.Part{Image: &picture})
		} else if len(sizes) == 2 {
			r.Chat.MaxTokens, r.FixOutputLength = sizes[1], true
		}
		r.Chat.Messages = []backend.Message{message}
	case backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: batch}
	case backend.ImageToEmbedding:
		r.Embed = &backend.Embed{Images: []backend.Image{picture}}
	case backend.TextToRerank:
		// The command line refused these; the class was called with the body.
		var body struct {
			TopN          uint32
			CompartmentID string
			ServingMode   struct{ ServingType, EndpointID string }
		}
		decodeJSON(t, c.Request.Body, &body)
		r.Rerank = &backend.Rerank{Query: "<prompt>", Documents: []string{"<prompt>", "<prompt>"}, TopN: body.TopN}
		params = json.RawMessage(fmt.Sprintf(`{"compartmentId":%q,"servingType":%q,"endpointId":%q}`,
			body.CompartmentID, body.ServingMode.ServingType, body.ServingMode.EndpointID))
	case backend.TextToImage:
		r.Image = &backend.ImageGeneration{Prompt: "<prompt>", N: 1}
		if len(sizes) >= 2 {
			r.Image.Width, r.Image.Height = sizes[0], sizes[1]
		}
		if len(sizes) == 3 {
			r.Image.N = sizes[2]
		}
	case backend.TextToSpeech:
		r.Speech = &backend.Speech{Text: "<prompt>", Voice: "alloy"}
	default:
		t.Fatalf("no such task: %q", c.Task)
	}
	return r, params
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
	if err != nil || len(files) < 53 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	account := newAccount(t)
	account.write(t, "token", "wire-session-token")
	account.keys.Add("ST$wire-session-token", &account.key.PublicKey)
	used := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "testdata/wire/"), ".json")
		used[name] = true
		t.Run(name, func(t *testing.T) {
			c := backendtest.ReadRecorded(t, file)
			if _, ok := works[name]; ok {
				return
			}
			configure := func(config *backend.Config) {
				config.Task = c.Task
				if model := c.Flag("api-model-name"); model != "" {
					config.Model = model
				}
				if mode := c.Flag("auth"); mode != "" {
					config.Options[auth.OptionAuth] = mode
					config.Options[auth.OptionProfile] = "SESSION"
				}
			}
			if c.Request == nil {
				expectRefused(t, c, account, refused[name], configure)
				return
			}
			r, params := request(t, c)
			server := startServer(t, account.keys, func(received) []byte { return c.Answer() })
			base := server.URL()
			if given := c.Flag("api-base"); given != "" {
				base = strings.Replace(given, "<base>", base, 1)
			}
			b := open(t, c.Backend, base, account, func(config *backend.Config) {
				configure(config)
				config.RequestParams = params
			})
			outcome := do(b, r)
			compareRequest(t, name, c, server.last())
			compareAnswer(t, name, c, outcome)
		})
	}
	// A table entry that no case needs is a mistake in the table.
	for _, table := range [][]string{
		slices.Collect(maps.Keys(bodyDefects)), slices.Collect(maps.Keys(answerDefects)), slices.Collect(maps.Keys(texts)),
		slices.Collect(maps.Keys(refused)), slices.Collect(maps.Keys(works)),
	} {
		for _, name := range table {
			if !used[name] {
				t.Errorf("there is no case %q", name)
			}
		}
	}
}

func expectRefused(t *testing.T, c *backendtest.Recorded, a *account, option string, configure func(*backend.Config)) {
	t.Helper()
	b := find(t, c.Backend)
	opened, err := b.Open(t.Context(), config(b, "http://127.0.0.1:1", a, func(config *backend.Config) {
		configure(config)
		config.RequestParams = json.RawMessage(c.Flag("additional-request-params"))
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(opened.Problems) != 1 || opened.Problems[0].Option != option || opened.Problems[0].Hint == "" {
		t.Errorf("problems %+v, want one of --%s", opened.Problems, option)
	}
}

func compareRequest(t *testing.T, name string, c *backendtest.Recorded, got received) {
	t.Helper()
	if got.Unsigned != nil {
		t.Errorf("the signature: %v", got.Unsigned)
	}
	if got.Method != c.Request.Method || got.Path != c.Request.Path {
		t.Errorf("%s %s, want %s %s", got.Method, got.Path, c.Request.Method, c.Request.Path)
	}
	signed := regexp.MustCompile(`(headers|keyId|algorithm|version)="[^"]*"`)
	want, sent := signed.FindAllString(c.Request.Headers["authorization"], -1), signed.FindAllString(got.Header.Get("Authorization"), -1)
	slices.Sort(want)
	slices.Sort(sent)
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("signature (- the tool's, + ours): %s", diff)
	}
	for _, header := range []string{"content-type", "compartmentid"} {
		if got.Header.Get(header) != c.Request.Headers[header] {
			t.Errorf("%s: %q, want %q", header, got.Header.Get(header), c.Request.Headers[header])
		}
	}
	for _, header := range []string{"Opc-Retry-Token", "Opc-Client-Retries"} {
		if got.Header.Get(header) != "" {
			t.Errorf("%s: nothing is sent twice", header)
		}
	}
	var wanted, body map[string]any
	decodeJSON(t, c.Request.Body, &wanted)
	decodeJSON(t, got.Body, &body)
	for path, value := range bodyDefects[name].fields {
		inner := wanted
		names := strings.Split(path, ".")
		for _, one := range names[:len(names)-1] {
			inner = inner[one].(map[string]any)
		}
		last := names[len(names)-1]
		if before, there := inner[last]; there && value != nil && cmp.Equal(before, value) {
			t.Errorf("the table corrects %s, but the tool sent the same", path)
		}
		if inner[last] = value; value == nil {
			delete(inner, last)
		}
	}
	if diff := cmp.Diff(wanted, body); diff != "" {
		t.Errorf("body (- the tool's, + ours): %s", diff)
	}
}

func compareAnswer(t *testing.T, name string, c *backendtest.Recorded, out *backend.Outcome) {
	t.Helper()
	if text, ok := texts[name]; ok && (len(out.Choices) != 1 || out.Choices[0].Text != text) {
		t.Errorf("choices %+v, want the text %q", out.Choices, text)
	}
	if want, ok := answerDefects[name]; ok {
		if got := classOf(out); got != want.class {
			t.Errorf("class %v, want %v: %v", got, want.class, out.Error)
		}
		u := out.Usage
		if in, o, r := count(u.Input), count(u.Output), count(u.Reasoning); in != want.input || o != want.output || r != want.reasoning {
			t.Errorf("in %d out %d reasoning %d, want %d, %d and %d", in, o, r, want.input, want.output, want.reasoning)
		}
		return
	}
	if code, failed := c.Result["error_code"].(float64); failed {
		message, _ := c.Result["error_message"].(string)
		if out.Error == nil || out.Error.HTTPStatus != int(code) || out.Error.Message == "" || !strings.Contains(message, out.Error.Message) {
			t.Errorf("%v, want code %v and a message out of %q", out.Error, code, message)
		}
		if id := c.Response.Headers["opc-request-id"]; id != "" && out.Error.RequestID != id {
			t.Errorf("request id %q, want %q", out.Error.RequestID, id)
		}
		return
	}
	if out.Status != backend.StatusOK {
		if name == "oci-openai/images-http-400-default-ui" && out.Error.HTTPStatus == 400 {
			return // the tool's process ended without a record
		}
		t.Fatalf("%v: %v", out.Status, out.Error)
	}
	for key, got := range map[string]*int64{
		"num_input_tokens": out.Usage.Input, "num_output_tokens": out.Usage.Output, "num_reasoning_tokens": out.Usage.Reasoning,
	} {
		want, ok := c.Result[key].(float64)
		if !ok {
			t.Errorf("the tool has no %s", key)
		}
		switch {
		case got == nil && want == 0: // the tool writes 0 for "not reported"
		case got == nil || *got != int64(want):
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
