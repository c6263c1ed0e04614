package main

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// The cases in testdata/wire hold what the Python tool sent, what it was
// answered, and what it made of that. With --bedrock-api invoke this plugin
// sends the same bodies, and reads the same answers, save for the tool's defects,
// each named here by its number in the recording's own list:
//
//	#5   ignore_eos of the sampler leaks into every body
//	#20  every parameter also goes to the top level of the body: Titan's
//	     temperature twice, "stream"
//	#21  Command R, Nova and gpt-oss get the body of an older model
//	#22  output tokens are words, input tokens an estimate: usage is not read
//	#24  a batch for Titan's embeddings becomes one text; parameters are dropped
//	#25  every error is recorded as 500

// bodyDefects are top-level fields of the recorded bodies that this plugin
// rightly does not send, besides ignore_eos (#5) and stream (#20).
var bodyDefects = map[string]map[string]string{ // case → field → defect
	"titan-params-common": {"temperature": "#20", "top_p": "#20"},
}

// ownBodies are the bodies in the place of those that the model's API refuses
// (#21).
var ownBodies = map[string]string{
	"cohere-command-r-stream": `{"message":"<prompt>","max_tokens":8}`,
	"nova-stream":             novaGolden,
	"nova-nonstream":          novaGolden,
	"openai-gpt-oss-stream":   `{"messages":[{"role":"user","content":"<prompt>"}],"max_completion_tokens":8}`,
	"titan-embed-params":      `{"inputText":"<prompt>","dimensions":256,"normalize":true}`, // #24
}

const novaGolden = `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"<prompt>"}]}],"inferenceConfig":{"maxTokens":8}}`

// counts are what the server reported; -1: nothing. Most answers report 27 and
// 11 tokens, of which the tool read none (#22).
var counts = map[string][3]int64{
	"application-profile-arn": {-1, -1, -1},
	"generic-stream":          {-1, -1, -1},
	"openai-gpt-oss-stream":   {27, 11, 5},
	"titan-embed":             {44, -1, -1},
	"titan-embed-params":      {44, -1, -1},
}

// texts are the answers; most are the same.
var texts = map[string]string{
	"nova-stream":           "The calm sea",
	"openai-gpt-oss-stream": "The calm sea",
	"titan-embed":           "",
	"titan-embed-params":    "",
}

// notSent are cases in which the tool sent nothing.
var notSent = []string{"claude-image-url"}

// request is what core makes of the command.
func request(t *testing.T, c *backendtest.Recorded) *backend.Request {
	sizes := c.Sizes(t)
	r := &backend.Request{Task: c.Task}
	switch c.Task {
	case backend.TextToText:
		r.Chat = &backend.Chat{Messages: []backend.Message{backend.UserText("<prompt>")}, MaxTokens: sizes[1], Stream: true}
	case backend.TextToEmbeddings:
		r.Embed = &backend.Embed{Inputs: []string{"<prompt>"}}
	default:
		t.Fatalf("no such task: %q", c.Task)
	}
	return r
}

func TestWireGolden(t *testing.T) {
	awsEnvironment(t)
	files, err := filepath.Glob("testdata/wire/aws-bedrock/*.json")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	used := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		used[name] = true
		t.Run(name, func(t *testing.T) {
			c := backendtest.ReadRecorded(t, file)
			if c.Request == nil {
				if !slices.Contains(notSent, name) {
					t.Error("the tool sent no request, and this test does not know why")
				}
				return
			}
			r := request(t, c)
			keys := verifier{keyID: c.Flag("aws-access-key-id"), secret: c.Flag("aws-secret-access-key"), token: c.Flag("aws-session-token"), region: "us-east-1", service: "bedrock"}
			if region := c.Flag("aws-region"); region != "" {
				keys.region = region
			}
			server := startServer(t, 0, func(received) []byte { return c.Answer() })
			b := open(t, server.URL(), func(config *backend.Config) {
				config.Task, config.Model, config.RequestParams = c.Task, c.Flag("api-model-name"), []byte(c.Flag("additional-request-params"))
				config.Options[optionAPI], config.Options[optionRegion] = apiInvoke, keys.region
				config.Options[optionAccessKey], config.Options[optionSecretKey] = secret.New(keys.keyID), secret.New(keys.secret)
				config.Options[optionToken] = secret.New(keys.token)
			})
			outcome := do(b, r)
			compareRequest(t, name, c, keys, server.Last())
			compareAnswer(t, name, c, outcome)
		})
	}
	// A table entry that no case needs is a mistake in the table.
	for _, table := range [][]string{
		slices.Collect(maps.Keys(bodyDefects)), slices.Collect(maps.Keys(ownBodies)),
		slices.Collect(maps.Keys(counts)), slices.Collect(maps.Keys(texts)), notSent,
	} {
		for _, name := range table {
			if !used[name] {
				t.Errorf("there is no case %q", name)
			}
		}
	}
}

func compareRequest(t *testing.T, name string, c *backendtest.Recorded, keys verifier, got received) {
	t.Helper()
	if got.Method != c.Request.Method || got.Path != c.Request.Path {
		t.Errorf("%s %s, want %s %s", got.Method, got.Path, c.Request.Method, c.Request.Path)
	}
	for _, header := range []string{"Content-Type", "Accept", "X-Amzn-Bedrock-Accept", "Accept-Encoding"} {
		if got.Header.Get(header) != c.Request.Headers[header] {
			t.Errorf("%s: %q, want %q", header, got.Header.Get(header), c.Request.Headers[header])
		}
	}
	if refused := keys.verify(got.Method, got.Path, got.Host, got.Header, got.Body); refused != nil {
		t.Error(refused)
	}
	signed := regexp.MustCompile(`SignedHeaders=([^,]+)`)
	for header := range strings.SplitSeq(signed.FindStringSubmatch(c.Request.Headers["Authorization"])[1], ";") {
		if !strings.Contains(signed.FindStringSubmatch(got.Header.Get("Authorization"))[1], header) {
			t.Errorf("%s is signed by the tool and not by us", header)
		}
	}
	var want, sent map[string]any
	decodeJSON(t, c.Request.Body, &want)
	decodeJSON(t, got.Body, &sent)
	delete(want, "ignore_eos")
	delete(want, "stream")
	for field := range bodyDefects[name] {
		if _, ok := want[field]; !ok {
			t.Errorf("the table has %q as a defect, but the tool did not send it", field)
		}
		delete(want, field)
	}
	if own := ownBodies[name]; own != "" {
		want = nil
		decodeJSON(t, []byte(own), &want)
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Errorf("body (- the tool's, + ours): %s", diff)
	}
}

func compareAnswer(t *testing.T, name string, c *backendtest.Recorded, out *backend.Outcome) {
	t.Helper()
	if c.Response.Status != 200 {
		// The tool says 500 (#25), and its text in the middle of its own.
		want := &fault.Error{Class: fault.InvalidRequest, HTTPStatus: 400, ProviderCode: "ValidationException", Message: "wire malformed input", RequestID: "wire-req"}
		if diff := cmp.Diff(want, out.Error); diff != "" {
			t.Error(diff)
		}
		if message, ok := c.Result["error_message"].(string); ok && !strings.Contains(message, out.Error.Message) {
			t.Errorf("the tool says %q", message)
		}
		return
	}
	if out.Status != backend.StatusOK {
		t.Fatalf("%v: %v", out.Status, out.Error)
	}
	want, ok := counts[name]
	if !ok {
		want = [3]int64{27, 11, -1}
	}
	if got := [3]int64{count(out.Usage.Input), count(out.Usage.Output), count(out.Usage.Reasoning)}; got != want {
		t.Errorf("input, output and reasoning tokens %v, want %v", got, want)
	}
	text, ok := texts[name]
	if !ok {
		text = "The calm sea shore"
	}
	if c.Task == backend.TextToEmbeddings {
		if out.Vectors == nil || *out.Vectors != (backend.Vectors{Count: 1, Dimensions: 3}) {
			t.Errorf("vectors %+v", out.Vectors)
		}
		return
	}
	if len(out.Choices) != 1 || out.Choices[0].Text != text {
		t.Errorf("choices %+v, want the text %q", out.Choices, text)
	}
	// The words that the tool counts are those of the text.
	if n, ok := c.Result["num_output_tokens"].(float64); ok && int(n) != len(strings.Fields(text)) {
		t.Errorf("the tool counted %v words in %q", n, text)
	}
	if generic := name == "application-profile-arn" || name == "generic-stream"; !generic && out.Choices[0].Finish != backend.FinishLength {
		t.Errorf("finish %v (%q)", out.Choices[0].Finish, out.Choices[0].FinishRaw)
	}
}

func count(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}
