package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// The cases hold what the Python tool sent, what it was answered, and what it
// made of that. This plugin sends the same, save for the tool's defects:
//
//	version  the default api-version is older than stream_options (D-Z2)
//	key      --api-key is dropped (D-Z1)
//	#5       ignore_eos of the sampler leaks into every body (D-X1)
//	#37      max_tokens: null is sent; system_message leaks
//	stream   stream:false with stream_options; the answer is misread (D-X10)
//	code     a string as the code of an error ends the process (D-X3)
var bodyDefects = map[string]map[string]string{
	"chat-ad-token":           {"ignore_eos": "#5"},
	"chat-api-key-flag-only":  {"ignore_eos": "#5"},
	"chat-api-key":            {"ignore_eos": "#5"},
	"chat-deployment-version": {"ignore_eos": "#5"},
	"chat-midstream-error":    {"ignore_eos": "#5"},
	"chat-no-credentials":     {"ignore_eos": "#5"},
	"chat-no-usage":           {"ignore_eos": "#5"},
	"chat-params-more":        {"ignore_eos": "#5", "system_message": "#37"},
	"chat-reasoning":          {"ignore_eos": "#5"},
	"chat-stream-false":       {"ignore_eos": "#5", "stream_options": "stream"},
	"image-chat":              {"max_tokens": "#37"},
}

// verdict is what this plugin makes of an answer.
type verdict struct {
	class                    fault.Class // 0: a success
	input, output, reasoning int64       // -1: not reported
	text                     string      // "": not looked at
}

// misread are answers that the tool made nothing of, or estimates.
var misread = map[string]verdict{
	"chat-midstream-error": {fault.ContentFilter, -1, -1, -1, "The"},
	"chat-no-usage":        {0, -1, -1, -1, "The sea is calm"},
	"chat-stream-false":    {0, 27, 11, 3, "The sea is calm"},
}

type wireCase struct {
	Task    backend.Task
	Command string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    string
	}
	Result map[string]any
}

func (c *wireCase) flag(name string) string {
	match := regexp.MustCompile(`--` + name + ` ('([^']*)'|\S+)`).FindStringSubmatch(c.Command)
	if match == nil {
		return ""
	}
	return strings.Trim(match[1], "'")
}

// request is what core makes of the command.
func (c *wireCase) request(t *testing.T) (*backend.Request, json.RawMessage) {
	t.Helper()
	r := &backend.Request{Seq: 1, Task: c.Task, Want: backend.Want{Events: true, Text: true}}
	params := map[string]json.RawMessage{}
	if text := c.flag("additional-request-params"); text != "" {
		decode(t, []byte(text), &params)
		delete(params, "system_message") // core makes a message of it
	}
	message := backend.UserText("<prompt>")
	switch c.Task {
	case backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: []string{"<prompt>", "<prompt>"}}
	case backend.ImageTextToText:
		message.Parts = append(message.Parts, backend.Part{Image: &backend.Image{URL: "data:image/jpeg;base64,<image>"}})
		r.Chat = &backend.Chat{Messages: []backend.Message{message}, Stream: true}
	default:
		r.Chat, r.FixOutputLength = &backend.Chat{Messages: []backend.Message{message}, MaxTokens: 8, Stream: true}, true
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

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

// received is a request as a server sees it.
type received struct {
	*http.Request
	body []byte
}

// recorded answers with a case's answer, every event a chunk.
func recorded(t *testing.T, c *wireCase, got chan<- received) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- received{r, body}
		w.Header().Set("Content-Type", c.Response.Headers["Content-Type"])
		w.WriteHeader(c.Response.Status)
		for event := range strings.SplitAfterSeq(c.Response.Body, "\n\n") {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// outcomeOf runs one request on a backend.
func outcomeOf(t *testing.T, b backend.Backend, config backend.Config, r *backend.Request) *backend.Outcome {
	t.Helper()
	runner := host.Direct(b)
	t.Cleanup(func() { _ = runner.Close(t.Context()) })
	opened, err := runner.Open(t.Context(), b.Describe().Name, config)
	if err != nil || opened.Failed() {
		t.Fatalf("Open: %v, %+v", err, opened.Problems)
	}
	outcomes := make(chan *backend.Outcome, 1)
	run, err := runner.Run(t.Context(), host.RunOptions{Outcome: func(o *backend.Outcome) { outcomes <- o }})
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(r); err != nil {
		t.Fatal(err)
	}
	return <-outcomes
}

func TestWireGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.json")
	if err != nil || len(files) != 13 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c wireCase
			decode(t, data, &c)
			request, params := c.request(t)
			got := make(chan received, 1)
			server := httptest.NewServer(recorded(t, &c, got))
			defer server.Close()
			config := backend.Config{
				Task: c.Task, Model: c.flag("api-model-name"), RequestParams: params, HTTP: backend.HTTP{Proxy: "none"},
				APIBase: strings.Replace(c.flag("api-base"), "<base>", server.URL, 1), APIKey: secret.New(c.flag("api-key")),
				Options: option.Values{
					optionEndpoint:    strings.Replace(c.flag("azure-endpoint"), "<base>", server.URL, 1),
					optionDeployment:  c.flag("azure-deployment"),
					optionAPIVersion:  c.flag("azure-api-version"),
					optionModelAPIKey: secret.New(c.flag("model-api-key")),
					optionADToken:     secret.New(c.flag("azure-ad-token")),
				},
			}
			if strings.HasPrefix(c.flag("api-base"), "<other") {
				config.APIBase = "http://127.0.0.1:9"
			}
			outcome := outcomeOf(t, newAzure(), config, request)
			compareRequest(t, name, &c, <-got)
			compareAnswer(t, name, &c, outcome)
		})
	}
}

func compareRequest(t *testing.T, name string, c *wireCase, got received) {
	t.Helper()
	path := strings.Replace(c.Request.Path, "2024-02-01", defaultAPIVersion, 1) // version
	if got.Method != c.Request.Method || got.URL.RequestURI() != path {
		t.Errorf("%s %s, want %s %s", got.Method, got.URL.RequestURI(), c.Request.Method, path)
	}
	for _, header := range []string{"Authorization", "Content-Type", "api-key"} {
		want := c.Request.Headers[header]
		if name == "chat-api-key-flag-only" && header == "api-key" {
			want = "wire-key" // key
		}
		if got.Header.Get(header) != want {
			t.Errorf("%s: %q, want %q", header, got.Header.Get(header), want)
		}
	}
	var want, sent map[string]any
	decode(t, c.Request.Body, &want)
	decode(t, got.body, &sent)
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

func compareAnswer(t *testing.T, name string, c *wireCase, o *backend.Outcome) {
	t.Helper()
	want, ok := misread[name]
	if !ok {
		number := func(key string) int64 {
			n, ok := c.Result[key].(float64)
			if !ok || n == 0 { // the tool writes 0 for what was not reported
				return -1
			}
			return int64(n)
		}
		want = verdict{0, number("num_input_tokens"), number("num_output_tokens"), number("num_reasoning_tokens"), ""}
	}
	var class fault.Class
	if o.Error != nil {
		class = o.Error.Class
	}
	got := verdict{class, count(o.Usage.Input), count(o.Usage.Output), count(o.Usage.Reasoning), want.text}
	if got != want {
		t.Errorf("%+v, want %+v: %v", got, want, o.Error)
	}
	if want.text != "" && (len(o.Choices) != 1 || o.Choices[0].Text != want.text) {
		t.Errorf("choices %+v, want the text %q", o.Choices, want.text)
	}
}

func count(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// The first event of Azure's streams has no choices: it is told apart, and is no
// first token.
func TestTheFilterResultsAreNoOutput(t *testing.T) {
	data, err := os.ReadFile("testdata/wire/chat-api-key.json")
	if err != nil {
		t.Fatal(err)
	}
	var c wireCase
	decode(t, data, &c)
	got := make(chan received, 1)
	server := httptest.NewServer(recorded(t, &c, got))
	defer server.Close()
	request, _ := c.request(t)
	o := outcomeOf(t, newAzure(), backend.Config{
		Task: c.Task, Model: "wire-model", APIBase: server.URL, APIKey: secret.New("k"), HTTP: backend.HTTP{Proxy: "none"}, Options: option.Values{},
	}, request)
	if o.Events[0].Kinds != backend.Other || o.Events[0].Choice != -1 || o.Events[1].Kinds != backend.Role {
		t.Errorf("the first events are %+v", o.Events[:2])
	}
	if body := (<-got).body; !bytes.Contains(body, []byte(`"stream":true`)) {
		t.Errorf("body %s", body)
	}
}
