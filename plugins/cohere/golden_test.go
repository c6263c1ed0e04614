package main

import (
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
// made of that. It cannot reach Cohere (its header is no key), so that where its
// bodies and the documented API differ, the API wins:
//
//	#5   ignore_eos of the sampler leaks into every body (D-X1)
//	#33  the header is an OCI signer (D-C1)
//	#34  max_tokens is not sent (D-C2); input types are in capitals; parameters of
//	     embeddings are dropped, billed units ignored (D-C3)
//	#35  every HTTP error is a 500 (D-C4); no estimate without usage
//	p    Cohere's name for top_p
var bodyDefects = map[string]map[string]any{ // field: what it should be; nil: not there
	"chat-finish-error":  {"ignore_eos": nil, "max_tokens": 8.0},
	"chat-http-429":      {"ignore_eos": nil, "max_tokens": 8.0},
	"chat-no-usage":      {"ignore_eos": nil, "max_tokens": 8.0},
	"chat-params-common": {"ignore_eos": nil, "max_tokens": 8.0, "top_p": nil, "p": 0.9},
	"chat-params-more":   {"ignore_eos": nil},
	"chat-thinking":      {"ignore_eos": nil, "max_tokens": 8.0},
	"embeddings":         {"input_type": "clustering"},
	"embeddings-image":   {"input_type": "image"},
	"embeddings-params":  {"input_type": "search_query", "output_dimension": 256.0},
}

// unsent are cases in which the tool sent nothing, with the body that goes out
// here.
var unsent = map[string]string{
	"chat-no-oci-config": `{"model": "wire-model", "messages": [{"role": "user", "content": "<prompt>"}], "stream": true, "max_tokens": 8}`,
	"embeddings-two-images": `{"model": "wire-model", "images": ["data:image/jpeg;base64,<image>", "data:image/jpeg;base64,<image>"],
		"input_type": "image", "embedding_types": ["float"], "truncate": "END"}`,
}

// verdict is what this plugin makes of an answer.
type verdict struct {
	class         fault.Class // 0: a success
	input, output int64       // -1: not reported
}

// misread are answers that the tool misread.
var misread = map[string]verdict{
	"chat-finish-error": {fault.Server, 27, 11},
	"chat-http-429":     {fault.RateLimited, -1, -1},
	"chat-no-usage":     {0, -1, -1},
	"embeddings":        {0, 44, -1},
	"embeddings-image":  {0, 44, -1},
	"embeddings-params": {0, 44, -1},
}

// texts are what the answers say: text and reasoning.
var texts = map[string][2]string{
	"chat-finish-error":  {"The sea", ""},
	"chat-no-usage":      {"The sea is calm", ""},
	"chat-params-common": {"The sea is calm", ""},
	"chat-params-more":   {"The sea is calm", ""},
	"chat-thinking":      {"Calm sea", "Hmm let me see"},
}

type wireCase struct {
	Task    backend.Task
	Command string
	Request *struct {
		Method, Path string
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
func (c *wireCase) request() *backend.Request {
	r := &backend.Request{Seq: 1, Task: c.Task, Want: backend.Want{Events: true, Text: true}}
	picture := backend.Image{URL: "data:image/jpeg;base64,<image>"}
	switch {
	case c.Task == backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: []string{"<prompt>", "<prompt>"}}
	case c.Task == backend.ImageToEmbedding:
		r.Embed = &backend.Embed{Images: []backend.Image{picture}}
		if c.flag("traffic-scenario") == "I(16,16,2)" {
			r.Embed.Images = append(r.Embed.Images, picture)
		}
	default:
		r.Chat = &backend.Chat{Messages: []backend.Message{backend.UserText("<prompt>")}, MaxTokens: 8, Stream: true}
		r.FixOutputLength = true
	}
	return r
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

// answers starts a server that gives one answer, every event of a stream a
// chunk, and returns its address and what it receives.
func answers(t *testing.T, status int, kind, body string) (string, <-chan received) {
	t.Helper()
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got <- received{r, sent}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		for event := range strings.SplitAfterSeq(body, "\n\n") {
			_, _ = io.WriteString(w, event)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// outcomeOf runs one request.
func outcomeOf(t *testing.T, config backend.Config, r *backend.Request) *backend.Outcome {
	t.Helper()
	config.HTTP.Proxy = "none"
	runner := host.Direct(new(cohere))
	t.Cleanup(func() { _ = runner.Close(t.Context()) })
	opened, err := runner.Open(t.Context(), "cohere", config)
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
	if err != nil || len(files) != len(bodyDefects)+len(unsent) {
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
			if c.Request == nil {
				c.Response.Status, c.Response.Headers = 200, map[string]string{"Content-Type": "application/json"}
				c.Response.Body = `{"message": {"role": "assistant", "content": []}, "finish_reason": "COMPLETE", "embeddings": {"float": [[1], [2]]}}`
			}
			base, got := answers(t, c.Response.Status, c.Response.Headers["Content-Type"], c.Response.Body)
			outcome := outcomeOf(t, backend.Config{
				Task: c.Task, Model: c.flag("api-model-name"), APIBase: strings.Replace(c.flag("api-base"), "<base>", base, 1),
				APIKey: secret.New("wire-key"), Options: option.Values{}, RequestParams: json.RawMessage(c.flag("additional-request-params")),
			}, c.request())
			compareRequest(t, name, &c, <-got)
			if c.Request == nil {
				if outcome.Status != backend.StatusOK {
					t.Errorf("%v: %v", outcome.Status, outcome.Error)
				}
				return
			}
			compareAnswer(t, name, &c, outcome)
		})
	}
}

func compareRequest(t *testing.T, name string, c *wireCase, got received) {
	t.Helper()
	want, path := map[string]any{}, "/v2/chat"
	if c.Request != nil {
		decode(t, c.Request.Body, &want)
		path = c.Request.Path
	} else {
		decode(t, []byte(unsent[name]), &want)
		if strings.HasPrefix(name, "embeddings") {
			path = "/v2/embed"
		}
	}
	if got.Method != http.MethodPost || got.URL.RequestURI() != path {
		t.Errorf("%s %s, want POST %s", got.Method, got.URL.RequestURI(), path)
	}
	if a := got.Header.Get("Authorization"); a != "Bearer wire-key" { // #33
		t.Errorf("Authorization: %q", a)
	}
	for field, value := range bodyDefects[name] {
		if before, there := want[field]; there && value != nil && cmp.Equal(before, value) {
			t.Errorf("the table corrects %s, but the tool sent the same", field)
		} else if !there && value == nil {
			t.Errorf("the table has %q as a defect, but the tool did not send it", field)
		}
		if want[field] = value; value == nil {
			delete(want, field)
		}
	}
	var sent map[string]any
	decode(t, got.body, &sent)
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
			if !ok {
				t.Errorf("the tool has no %s", key)
			}
			return int64(n)
		}
		want = verdict{0, number("num_input_tokens"), number("num_output_tokens")}
	}
	var class fault.Class
	if o.Error != nil {
		class = o.Error.Class
	}
	if got := (verdict{class, count(o.Usage.Input), count(o.Usage.Output)}); got != want {
		t.Errorf("%+v, want %+v: %v", got, want, o.Error)
	}
	if o.Usage.Reasoning != nil {
		t.Errorf("%d reasoning tokens, which Cohere does not report", *o.Usage.Reasoning)
	}
	if want, ok := texts[name]; ok {
		if len(o.Choices) != 1 || [2]string{o.Choices[0].Text, o.Choices[0].ReasoningText} != want {
			t.Errorf("choices %+v, want %q", o.Choices, want)
		}
	}
	if name == "chat-http-429" && (o.Error.HTTPStatus != 429 || o.Error.Message != "wire rate limit" || !o.Error.Retryable) {
		t.Errorf("%+v", o.Error)
	}
	if name == "chat-finish-error" && (o.Error.ProviderCode != "ERROR" || !o.Error.Partial || o.Choices[0].Finish != backend.FinishError) {
		t.Errorf("%+v, %+v", o.Error, o.Choices)
	}
}

func count(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
