package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/option"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a request as a server saw it.
type received struct {
	backendtest.Received
	KeyID    string // of the signature
	Unsigned error  // what is wrong with it
}

// signedServer is a server that verifies signatures.
type signedServer struct {
	*backendtest.RawServer
	keys *emulator.Keyring // nil: they are not verified
}

// startServer answers every request with what answer returns, byte for byte.
func startServer(t testing.TB, keys *emulator.Keyring, answer func(received) []byte) *signedServer {
	t.Helper()
	s := &signedServer{keys: keys}
	s.RawServer = (&backendtest.RawServer{Answer: func(r backendtest.Received) []byte { return answer(s.verified(r)) }}).Start(t)
	return s
}

func (s *signedServer) verified(r backendtest.Received) received {
	got := received{Received: r}
	if s.keys != nil {
		request := &http.Request{Method: r.Method, Host: r.Host, Header: r.Header, RequestURI: r.Path, ContentLength: int64(len(r.Body))}
		got.KeyID, got.Unsigned = s.keys.Verify(request, r.Body)
	}
	return got
}

// last returns the latest request.
func (s *signedServer) last() received { return s.verified(s.Last()) }

// find returns the backend of a name.
func find(t testing.TB, name string) backend.Backend {
	t.Helper()
	for _, b := range backends() {
		if b.Describe().Answers(name) {
			return b
		}
	}
	t.Fatalf("no backend %q", name)
	return nil
}

// config is a configuration as core makes it, with every default, of an account.
func config(b backend.Backend, base string, a *account, edit func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "wire-model", APIBase: base,
		Options: option.Values{}, WorkerCount: 1, RequestParams: json.RawMessage(`{"compartmentId":"` + wireCompartment + `"}`),
		Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Total: 30 * time.Second},
		HTTP:   backend.HTTP{Proxy: "none"},
	}
	for _, o := range b.Describe().Options {
		if o.Default != "" {
			c.Options[o.Name] = o.Default // only texts have one here
		}
	}
	if a != nil {
		c.Options[auth.OptionConfigFile] = a.path("config")
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

// open opens a backend, which must work.
func open(t testing.TB, name, base string, a *account, edit func(*backend.Config)) backend.Backend {
	t.Helper()
	b := find(t, name)
	opened, err := b.Open(context.Background(), config(b, base, a, edit))
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

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeJSON(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
