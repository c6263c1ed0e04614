package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// saidByServer is what a recorded answer says, read with net/http and
// encoding/json: the plain way, to compare ours with.
type saidByServer struct {
	Texts, Finishes []string
	Input, Output   int64 // -1: no usage
	Events          int   // of the stream; 1 for a whole answer
}

func readPlainly(t *testing.T, raw []byte) saidByServer {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(body)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		texts = nil
		for line := range strings.Lines(string(body)) {
			if data, ok := strings.CutPrefix(line, "data: "); ok && !strings.HasPrefix(data, "[DONE]") {
				texts = append(texts, data)
			}
		}
	}
	said := saidByServer{Input: -1, Output: -1, Events: len(texts)}
	for _, text := range texts {
		var answer struct {
			Choices []struct {
				Index          int
				Text           string
				Delta, Message struct{ Content string }
				FinishReason   string `json:"finish_reason"`
			}
			Usage *struct {
				Input  int64 `json:"prompt_tokens"`
				Output int64 `json:"completion_tokens"`
			}
		}
		decodeJSON(t, []byte(text), &answer)
		if answer.Usage != nil {
			said.Input, said.Output = answer.Usage.Input, answer.Usage.Output
		}
		for _, c := range answer.Choices {
			for len(said.Texts) <= c.Index {
				said.Texts, said.Finishes = append(said.Texts, ""), append(said.Finishes, "")
			}
			said.Texts[c.Index] += c.Text + c.Delta.Content + c.Message.Content
			if c.FinishReason != "" {
				said.Finishes[c.Index] = c.FinishReason
			}
		}
	}
	return said
}

// replay sends one request of a kind to a server that answers with the
// recorded bytes, in writes of at most piece bytes.
func replay(t *testing.T, raw []byte, piece int, kind backend.Kind, stream bool) *backend.Outcome {
	t.Helper()
	server := startServer(t, piece, func(received) []byte { return raw })
	task := backend.TextToText
	request := chatRequest(stream)
	switch kind {
	case backend.KindCompletion:
		request = &backend.Request{Completion: &backend.Completion{Prompt: "Hello", MaxTokens: 8, Stream: stream}}
	case backend.KindEmbed:
		task, request = backend.TextToEmbeddings, &backend.Request{Embed: &backend.Embed{Inputs: []string{"a b"}}}
	case backend.KindRerank:
		task, request = backend.TextToRerank, &backend.Request{Rerank: &backend.Rerank{Query: "q", Documents: []string{"a b", "c d e"}}}
	}
	return do(open(t, "vllm", server.URL()+"/v1", func(c *backend.Config) { c.Task = task }), request)
}

func TestVLLMGenerations(t *testing.T) {
	for file, kind := range map[string]backend.Kind{
		"chat-stream":                  backend.KindChat,
		"chat-stream-continuous-usage": backend.KindChat,
		"chat-stream-n2-logprobs":      backend.KindChat,
		"chat-stream-no-usage":         backend.KindChat,
		"chat-stream-one-token":        backend.KindChat,
		"chat":                         backend.KindChat,
		"completions-stream":           backend.KindCompletion,
		"completions":                  backend.KindCompletion,
	} {
		raw := readFile(t, "testdata/vllm/"+file+".http")
		want := readPlainly(t, raw)
		// 1 byte: within runes, line ends and chunk heads. 0: all at once.
		for _, piece := range []int{0, 1, 2, 113} {
			t.Run(fmt.Sprintf("%s in pieces of %d", file, piece), func(t *testing.T) {
				out := replay(t, raw, piece, kind, strings.Contains(file, "stream"))
				if out.Status != backend.StatusOK {
					t.Fatalf("%v: %v", out.Status, out.Error)
				}
				got := saidByServer{Input: count(out.Usage.Input), Output: count(out.Usage.Output), Events: len(out.Events)}
				for _, c := range out.Choices {
					got.Texts = append(got.Texts, c.Text)
					got.Finishes = append(got.Finishes, c.FinishRaw)
				}
				if file == "completions" { // one whole answer, an event for each of its two choices
					got.Events--
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("- read plainly, + by us: %s", diff)
				}
			})
		}
	}
}

// TestVLLMEvents looks at what single events hold.
func TestVLLMEvents(t *testing.T) {
	type event struct {
		Kinds  backend.Kinds
		Choice int32
		Bytes  uint32
		Tokens uint32
	}
	const textAndFinish = backend.Text | backend.FinishReason
	for file, tc := range map[string]struct {
		want   []event
		source backend.UsageSource
	}{
		"chat-stream-one-token": {[]event{{backend.Role, 0, 0, 0}, {textAndFinish, 0, 5, 0}, {backend.UsageReport, -1, 0, 0}}, backend.UsageFinal},
		// " Pattern Purdue" and "▓ノ" are two tokens in one event each.
		"chat-stream-n2-logprobs": {[]event{
			{backend.Role, 0, 0, 0}, {backend.Role, 1, 0, 0}, {backend.Text, 0, 5, 1}, {backend.Text, 1, 7, 1},
			{textAndFinish, 0, 6, 2}, {textAndFinish, 1, 15, 2}, {backend.UsageReport, -1, 0, 0},
		}, backend.UsageFinal},
		"chat-stream-continuous-usage": {[]event{
			{backend.Role | backend.UsageReport, 0, 0, 0},
			{backend.Text | backend.UsageReport, 0, 2, 1}, {backend.Text | backend.UsageReport, 0, 7, 1},
			{backend.Text | backend.UsageReport, 0, 11, 1}, {backend.Text | backend.UsageReport, 0, 4, 1},
			{textAndFinish | backend.UsageReport, 0, 11, 1}, {backend.UsageReport, -1, 0, 0},
		}, backend.UsageCumulative},
	} {
		t.Run(file, func(t *testing.T) {
			out := replay(t, readFile(t, "testdata/vllm/"+file+".http"), 0, backend.KindChat, true)
			var got []event
			for _, e := range out.Events {
				got = append(got, event{e.Kinds, e.Choice, e.Bytes, e.Tokens})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if out.Usage.Source != tc.source {
				t.Errorf("usage source %v, want %v", out.Usage.Source, tc.source)
			}
		})
	}
}

func TestVLLMErrors(t *testing.T) {
	for file, want := range map[string]fault.Error{
		"error-400-json": {Class: fault.InvalidRequest, HTTPStatus: 400, ProviderCode: "400",
			Message: "1 validation error:\n  {'type': 'json_invalid', 'loc': 'body.9', 'msg': 'JSON decode error', 'input': '<dict of 0 items>', 'ctx': {'error': 'Expecting value'}}"},
		"error-400-too-long": {Class: fault.InvalidRequest, HTTPStatus: 400, ProviderCode: "400",
			Message: "max_tokens=999999 cannot be greater than max_model_len=2048. Please request fewer output tokens. (parameter=max_tokens, value=999999)"},
		"error-404-embeddings": {Class: fault.NotFound, HTTPStatus: 404, Message: "Not Found", Hint: "the server has no such path: check --api-base"},
		"error-404-model": {Class: fault.NotFound, HTTPStatus: 404, ProviderCode: "404", Hint: "check --api-model-name and --api-base",
			Message: "The model `nope` does not exist. Valid aliases: tiny."},
		"error-422-type": {Class: fault.InvalidRequest, HTTPStatus: 400, ProviderCode: "400",
			Message: "1 validation error:\n  {'type': 'list_type', 'loc': 'body.messages', 'msg': 'Input should be a valid list', 'input': 'hi'}"},
	} {
		t.Run(file, func(t *testing.T) {
			out := replay(t, readFile(t, "testdata/vllm/"+file+".http"), 7, backend.KindChat, true)
			if out.Status != backend.StatusError {
				t.Fatalf("status %v", out.Status)
			}
			if diff := cmp.Diff(&want, out.Error); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVLLMLists(t *testing.T) {
	for file, kind := range map[string]backend.Kind{
		"embeddings":        backend.KindEmbed,
		"embeddings-base64": backend.KindEmbed,
		"rerank":            backend.KindRerank,
		"score":             backend.KindRerank, // the same shape with "data"
	} {
		t.Run(file, func(t *testing.T) {
			raw := readFile(t, "testdata/vllm/"+file+".http")
			_, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
			if !ok {
				t.Fatal("no end of the head")
			}
			var plain struct {
				Data, Results []struct{ Embedding json.RawMessage }
				Usage         struct {
					Input int64 `json:"prompt_tokens"`
				}
			}
			decodeJSON(t, body, &plain)
			items := append(plain.Data, plain.Results...)
			var numbers []float64
			dimensions := 0
			if kind == backend.KindEmbed {
				if json.Unmarshal(items[0].Embedding, &numbers) == nil {
					dimensions = len(numbers)
				} else {
					var packed []byte // encoding/json reads base64 into bytes
					decodeJSON(t, items[0].Embedding, &packed)
					dimensions = len(packed) / 4
				}
			}
			out := replay(t, raw, 0, kind, false)
			if out.Status != backend.StatusOK {
				t.Fatalf("%v: %v", out.Status, out.Error)
			}
			want := &backend.Vectors{Count: int32(len(items)), Dimensions: int32(dimensions)}
			if diff := cmp.Diff(want, out.Vectors); diff != "" {
				t.Error(diff)
			}
			if count(out.Usage.Input) != plain.Usage.Input {
				t.Errorf("input %d, want %d", count(out.Usage.Input), plain.Usage.Input)
			}
		})
	}
}

func TestVLLMProbe(t *testing.T) {
	models := readFile(t, "testdata/vllm/models.http")
	server := startServer(t, 0, func(r received) []byte {
		switch {
		case r.Method == "GET" && r.Path == "/v1/models":
			return models
		case r.Method == "GET" && r.Path == "/version":
			return []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"version\":\"0.32.0\"}")
		}
		return []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	})
	for model, want := range map[string]backend.Probe{
		"tiny": {ServerName: "vllm", ServerVersion: "0.32.0", Models: []string{"tiny"}, MaxModelLen: 2048},
		"tina": {ServerName: "vllm", ServerVersion: "0.32.0", Models: []string{"tiny"}, Failure: &fault.Error{
			Class: fault.NotFound, Message: `the server does not offer the model "tina"`, Hint: "it offers tiny",
		}},
	} {
		b := open(t, "vllm", server.URL(), func(c *backend.Config) { c.Model = model })
		got, err := b.(backend.Prober).Probe(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got.Latency <= 0 {
			t.Errorf("latency %v", got.Latency)
		}
		got.Latency = 0
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", model, diff)
		}
	}
}
