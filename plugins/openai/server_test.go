package main

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a request as a server saw it.
type received = backendtest.Received

// startServer answers every request with what answer returns, byte for byte, in
// writes of at most piece bytes (0: at once).
func startServer(t testing.TB, piece int, answer func(received) []byte) *backendtest.RawServer {
	t.Helper()
	return (&backendtest.RawServer{Answer: answer, Piece: piece}).Start(t)
}

// find returns the backend of a name.
func find(t *testing.T, name string) backend.Backend {
	t.Helper()
	for _, b := range backends() {
		if b.Describe().Answers(name) {
			return b
		}
	}
	t.Fatalf("no backend %q", name)
	return nil
}

// config is a configuration as core makes it, with every default.
func config(b backend.Backend, base string, edit func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "wire-model", APIBase: base, APIKey: secret.New("wire-key"),
		Options: option.Values{}, WorkerCount: 1,
		Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Total: 30 * time.Second},
		HTTP:   backend.HTTP{Proxy: "none"},
	}
	for _, o := range b.Describe().Options {
		if o.Default != "" {
			c.Options[o.Name] = o.Default // only enums have one here
		}
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

// open opens a backend, which must work.
func open(t *testing.T, name, base string, edit func(*backend.Config)) backend.Backend {
	t.Helper()
	b := find(t, name)
	opened, err := b.Open(context.Background(), config(b, base, edit))
	if err != nil || opened.Failed() {
		t.Fatalf("Open: %v %+v", err, opened.Problems)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// do performs a request.
func do(b backend.Backend, request *backend.Request) *backend.Outcome {
	ctx := context.Background()
	request.Want = backend.Want{Events: true, Text: true}
	rec := backend.NewRecorder(request, 0, nil, nil)
	b.Do(ctx, request, rec)
	return rec.Outcome(ctx)
}

func chatRequest(stream bool) *backend.Request {
	return &backend.Request{
		Task: backend.TextToText, ID: "wire-1",
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hello")}, MaxTokens: 8, Stream: stream},
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeJSON(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
