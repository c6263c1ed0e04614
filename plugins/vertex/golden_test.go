package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// The cases hold what the Python tool sent, what it was answered, and what it
// made of that. This plugin sends the same, save for the tool's defects, which
// these are. Of every case:
//
//	role  contents[] has none (D-V2)
//	#5    ignore_eos of the sampler leaks into every body (D-X1)
//	sse   streams are asked for without alt=sse, and then not understood (D-V1)
//	usage the counts that Google reports are not looked at (D-V5)
//
// Of single ones, each with the fields of the body that come out otherwise: what
// is taken away from the tool's and what is added to it.
var bodyDefects = map[string]struct{ remove, add string }{
	// Parameters of generation land beside generationConfig (D-V4).
	"gemini-params-more": {
		`{"stopSequences": null, "candidateCount": null, "max_tokens": null}`,
		`{"generationConfig": {"stopSequences": ["x"], "candidateCount": 1, "maxOutputTokens": 99}}`,
	},
	// Each parameter goes out under both of its names (D-V4).
	"palm-params-common": {`{"parameters": {"top_p": null, "top_k": null}}`, `{}`},
	// Partners' models are asked by Google's predict (D-V7).
	"partner-claude": {
		`{"instances": null, "parameters": null}`,
		`{"anthropic_version": "vertex-2023-10-16", "messages": [{"role": "user", "content": "<prompt>"}], "max_tokens": 8, "stream": true}`,
	},
}

// verdict is what this plugin makes of an answer.
type verdict struct {
	class                    fault.Class // 0: a success
	input, output, reasoning int64       // -1: not reported
	text                     string      // "": not looked at
}

// Google counts thoughts apart from candidates; output has both.
var geminiVerdict = verdict{0, 27, 14, 3, "The sea is calm today"}

var verdicts = map[string]verdict{
	"embeddings-params":      {0, 44, -1, -1, ""},
	"gemini-dataset-mode":    geminiVerdict,
	"gemini-http-404":        {fault.NotFound, -1, -1, -1, ""},
	"gemini-image-inline":    geminiVerdict,
	"gemini-location":        geminiVerdict,
	"gemini-params-common":   geminiVerdict,
	"gemini-params-more":     geminiVerdict,
	"gemini-real-json-array": geminiVerdict,
	"gemini-sse":             geminiVerdict,
	"gemini-stream-false":    geminiVerdict,
	"gemini-token-exchange":  geminiVerdict,
	"palm-params-common":     {0, 27, 11, -1, "The sea is calm today"},
	"palm-text-bison":        {0, 27, 11, -1, "The sea is calm today"},
	"partner-claude":         {fault.Protocol, -1, -1, -1, ""}, // the recorder answered as predict does
}

type wireCase struct {
	Task    backend.Task
	Command string
	Request *struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    string
	}
	TokenRequest  *struct{ Method, Path, Body string } `json:"token_request"`
	TokenResponse struct{ Body string }                `json:"token_response"`
	Result        map[string]any
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
	message := backend.UserText("<prompt>")
	switch c.Task {
	case backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: []string{"<prompt>", "<prompt>"}}
	case backend.ImageTextToText:
		message.Parts = append(message.Parts, backend.Part{Image: &backend.Image{URL: "data:image/jpeg;base64,<base64 image>"}})
		r.Chat = &backend.Chat{Messages: []backend.Message{message}, Stream: true}
	default:
		r.Chat = &backend.Chat{Messages: []backend.Message{message}, Stream: true}
		if c.flag("traffic-scenario") != "" {
			r.Chat.MaxTokens, r.FixOutputLength = 8, true
		}
	}
	return r
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

func readCase(t *testing.T, file string) *wireCase {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c wireCase
	decode(t, data, &c)
	return &c
}

// recorder answers with a case's answer, every event a chunk, and keeps the
// request. It gives out the case's access token for an assertion that is good.
type recorder struct {
	*wireCase
	emulator *emulator
	request  *http.Request
	body     []byte
	tokens   int
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.URL.Path == "/token" {
		form, err := url.ParseQuery(string(body))
		if err == nil {
			err = s.emulator.verify(form.Get("assertion"), r.Host+"/token")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.tokens++
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token": "wire-access-token", "expires_in": 3599, "token_type": "Bearer"}`)
		return
	}
	s.request, s.body = r, body
	w.Header().Set("Content-Type", s.Response.Headers["Content-Type"])
	w.WriteHeader(s.Response.Status)
	for event := range strings.SplitAfterSeq(s.Response.Body, "\n") {
		_, _ = io.WriteString(w, event)
		_ = http.NewResponseController(w).Flush()
	}
}

// outcomeOf runs one request on a backend.
func outcomeOf(t *testing.T, config backend.Config, r *backend.Request) *backend.Outcome {
	t.Helper()
	runner := host.Direct(new(vertex))
	t.Cleanup(func() { _ = runner.Close(t.Context()) })
	opened, err := runner.Open(t.Context(), "gcp-vertex", config)
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
	account := newServiceAccount(t)
	files, err := filepath.Glob("testdata/wire/*.json")
	if err != nil || len(files) != len(verdicts)+1 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			c := readCase(t, file)
			if c.Request == nil { // see TestExpressMode
				t.Skip("the tool demands a project with an API key and sends nothing (D-V7)")
			}
			server := &recorder{wireCase: c, emulator: &emulator{public: &account.key.PublicKey}}
			listening := httptest.NewServer(server)
			defer listening.Close()
			config := backend.Config{
				Task: c.Task, Model: c.flag("api-model-name"), HTTP: backend.HTTP{Proxy: "none"}, APIBase: listening.URL,
				Options: option.Values{
					optionProject: c.flag("gcp-project-id"), optionLocation: c.flag("gcp-location"),
					optionModelAPIKey: secret.New(c.flag("model-api-key")),
				},
			}
			if text := c.flag("additional-request-params"); text != "" {
				config.RequestParams = json.RawMessage(text)
			}
			if c.flag("gcp-credentials-path") != "" {
				config.Options[optionCredentials] = account.file(t, listening.URL)
			}
			outcome := outcomeOf(t, config, c.request())
			listening.Close() // which waits for the handler
			compareRequest(t, name, server)
			compareAnswer(t, name, outcome)
		})
	}
}

func compareRequest(t *testing.T, name string, s *recorder) {
	t.Helper()
	path := s.Request.Path
	if strings.HasSuffix(path, ":streamGenerateContent") {
		path += "?alt=sse" // sse
	}
	if name == "partner-claude" {
		path = strings.NewReplacer("/google/", "/anthropic/", ":predict", ":streamRawPredict").Replace(path)
	}
	if s.request == nil {
		t.Fatal("no request came")
	}
	if s.request.Method != s.Request.Method || s.request.URL.RequestURI() != path {
		t.Errorf("%s %s, want %s %s", s.request.Method, s.request.URL.RequestURI(), s.Request.Method, path)
	}
	for _, header := range []string{"Authorization", "Content-Type", "x-goog-api-key"} {
		if got, want := s.request.Header.Get(header), s.Request.Headers[header]; got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if got, want := s.tokens > 0, s.Request.Headers["Authorization"] != ""; got != want {
		t.Errorf("a token was asked for: %v, want %v", got, want)
	}
	if diff := cmp.Diff(wantedBody(t, name, s.Request.Body), fields(t, s.body)); diff != "" {
		t.Errorf("body (- the tool's, + ours): %s", diff)
	}
}

func fields(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var all map[string]any
	decode(t, text, &all)
	return all
}

// wantedBody is the tool's body without its defects.
func wantedBody(t *testing.T, name string, text []byte) map[string]any {
	t.Helper()
	body, err := jsonhttp.ParseObject(text)
	if err != nil {
		t.Fatal(err)
	}
	apply := func(patch string) {
		o, err := jsonhttp.ParseObject([]byte(patch))
		if err != nil {
			t.Fatal(err)
		}
		body.Merge(o)
	}
	apply(`{"ignore_eos": null}`)
	if body.Get("parameters") != nil {
		apply(`{"parameters": {"ignore_eos": null}}`)
	}
	if defects, ok := bodyDefects[name]; ok {
		before := string(body.Text())
		apply(defects.remove)
		if string(body.Text()) == before {
			t.Errorf("the table has %s as defects, but the tool did not send them", defects.remove)
		}
		apply(defects.add)
	}
	want := fields(t, body.Text())
	if contents, ok := want["contents"].([]any); ok {
		for _, c := range contents {
			c.(map[string]any)["role"] = "user"
		}
	}
	return want
}

func compareAnswer(t *testing.T, name string, o *backend.Outcome) {
	t.Helper()
	want, ok := verdicts[name]
	if !ok {
		t.Fatal("no verdict in the table")
	}
	number := func(n *int64) int64 {
		if n == nil {
			return -1
		}
		return *n
	}
	var class fault.Class
	if o.Error != nil {
		class = o.Error.Class
	}
	got := verdict{class, number(o.Usage.Input), number(o.Usage.Output), number(o.Usage.Reasoning), want.text}
	if got != want {
		t.Errorf("%+v, want %+v: %v", got, want, o.Error)
	}
	if want.text != "" && (len(o.Choices) != 1 || o.Choices[0].Text != want.text) {
		t.Errorf("choices %+v, want the text %q", o.Choices, want.text)
	}
	if o.Vectors != nil && (o.Vectors.Count != 2 || o.Vectors.Dimensions != 2) || (o.Vectors == nil) == (name == "embeddings-params") {
		t.Errorf("vectors %+v", o.Vectors)
	}
}

// Where the tool demands a project, an API key is enough: express mode has
// addresses without one.
func TestExpressMode(t *testing.T) {
	c := readCase(t, "testdata/wire/no-project.json")
	c.Response = readCase(t, "testdata/wire/gemini-sse.json").Response
	server := &recorder{wireCase: c}
	listening := httptest.NewServer(server)
	defer listening.Close()
	o := outcomeOf(t, backend.Config{
		Task: c.Task, Model: c.flag("api-model-name"), HTTP: backend.HTTP{Proxy: "none"}, APIBase: listening.URL,
		Options: option.Values{optionModelAPIKey: secret.New(c.flag("model-api-key"))},
	}, c.request())
	listening.Close() // which waits for the handler
	if o.Error != nil || server.request.URL.RequestURI() != "/v1/publishers/google/models/gemini-1.5-flash:streamGenerateContent?alt=sse" {
		t.Errorf("%v, %s", o.Error, server.request.URL)
	}
}
