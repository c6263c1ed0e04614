package openaiwire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving starts a server and a client that talks to it.
func serving(t testing.TB, handler http.HandlerFunc, edit func(*Settings)) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := ParseAddress(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	settings := Settings{
		Config: backend.Config{
			Model: "m", HTTP: backend.HTTP{Proxy: "none"},
			Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second},
		},
		Address: address,
	}
	if edit != nil {
		edit(&settings)
	}
	c, problems := New(settings)
	if c == nil {
		t.Fatal(problems)
	}
	t.Cleanup(c.Close)
	return c
}

func perform(c *Client, request *backend.Request) *backend.Outcome {
	ctx := context.Background()
	request.Want = backend.Want{Events: true, Text: true}
	rec := backend.NewRecorder(request, 0, nil, nil)
	c.Do(ctx, request, rec)
	return rec.Outcome(ctx)
}

func answering(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		io.WriteString(w, body)
	}
}

func TestClientSigns(t *testing.T) {
	signatures := make(chan string, 1)
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		signatures <- r.Header.Get("X-Signature")
		answering("text/event-stream", sent(delta(`"content":"a"`), finishChunk))(w, r)
	}, func(s *Settings) {
		s.Sign = func(_ context.Context, call *httpclient.Call) error {
			header := call.Header.Clone()
			header.Set("X-Signature", fmt.Sprintf("%s %d", call.Method, len(call.Body)))
			call.Header = header
			return nil
		}
	})
	if out := perform(c, chat(nil)); out.Status != backend.StatusOK {
		t.Fatal(out.Error)
	}
	want := fmt.Sprintf("POST %d", len(chatHead+`"max_tokens":8,`+streamTail+`}`))
	if got := <-signatures; got != want {
		t.Errorf("signature %q, want %q", got, want)
	}
}

// What a provider knows of its own answers and of its own waiting is told.
func TestClientExplains(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Opc-Request-Id", "opc-1")
		w.Header().Set("Server", "of late-token")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":"NotAuthenticated","message":"no"}`)
	}
	c := serving(t, answer, func(s *Settings) {
		s.KeyHint = "--key"
		s.Redact = func(text string) string { return strings.ReplaceAll(text, "late-token", "[gone]") }
		s.Sign = func(_ context.Context, call *httpclient.Call) error {
			call.Queued = time.Minute
			return nil
		}
		s.Explain = func(failure *fault.Error, header http.Header) {
			failure.Hint = "the hint for " + failure.ProviderCode + " of " + header.Get("Opc-Request-Id")
		}
	})
	out := perform(c, &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hi")}}})
	want := &fault.Error{
		Class: fault.Auth, HTTPStatus: http.StatusUnauthorized, ProviderCode: "NotAuthenticated", Message: "no",
		Hint: "the hint for NotAuthenticated of opc-1", RequestID: "opc-1",
	}
	if diff := cmp.Diff(want, out.Error); diff != "" {
		t.Error(diff)
	}
	if got := out.ServerHeaders["server"]; got != "of [gone]" {
		t.Errorf("the server's header %q", got)
	}
	if out.Queued != time.Minute {
		t.Errorf("queued %v, want a minute", out.Queued)
	}
	probe, err := c.Probe(context.Background())
	if err != nil || probe.Failure == nil || probe.Failure.Hint != want.Hint {
		t.Errorf("the probe found %v, %v", probe.Failure, err)
	}
}

func TestClientThatCannotSign(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want fault.Class
	}{
		{errors.New("the token has expired"), fault.Auth},
		{fault.New(fault.TimeoutConnect, "no token in time"), fault.TimeoutConnect},
	} {
		c := serving(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, func(s *Settings) {
			s.Sign = func(context.Context, *httpclient.Call) error { return tc.err }
		})
		if out := perform(c, chat(nil)); out.Error == nil || out.Error.Class != tc.want {
			t.Errorf("%v, want %v", out.Error, tc.want)
		}
	}
}

func TestClientRefusesWhatCannotBeSent(t *testing.T) {
	for name, tc := range map[string]struct {
		request *backend.Request
		want    string
	}{
		"nothing":              {&backend.Request{}, "the request asks for nothing"},
		"embeddings of images": {&backend.Request{Embed: &backend.Embed{Images: []backend.Image{{URL: "x"}}}}, "this API has no embeddings of images"},
		"broken parameters":    {chat(func(r *backend.Request) { r.Params = []byte(`{"a"`) }), "the request's parameters are no JSON object: unexpected end of JSON input"},
	} {
		c := serving(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, nil)
		out := perform(c, tc.request)
		if out.Error == nil || out.Error.Class != fault.InvalidRequest || out.Error.Message != tc.want {
			t.Errorf("%s: %v", name, out.Error)
		}
	}
}

// TestSecretsOfEveryKindAreRedacted: what the server echoes of a request's own
// header, of the plugin's, and of the proxy's password.
func TestSecretsOfEveryKindAreRedacted(t *testing.T) {
	const echo = `{"error":"request-secret-1 plugin-secret-2 proxy-secret-3 field-secret-4"}`
	address, err := ParseAddress("http://unused.invalid")
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, echo)
	}))
	defer proxy.Close()
	c, problems := New(Settings{
		Address: address, Header: http.Header{"x-api-key": {"plugin-secret-2"}},
		Config: backend.Config{Model: "m", HTTP: backend.HTTP{
			Proxy:  strings.Replace(proxy.URL, "http://", "http://me:proxy-secret-3@", 1),
			Header: []backend.HeaderField{{Name: "Cookie", Value: "field-secret-4"}},
		}},
	})
	if c == nil {
		t.Fatal(problems)
	}
	defer c.Close()
	out := perform(c, chat(func(r *backend.Request) {
		r.Header = []backend.HeaderField{{Name: "X-Session-Token", Value: "request-secret-1"}}
	}))
	if want := "[redacted] [redacted] [redacted] [redacted]"; out.Error == nil || out.Error.Message != want {
		t.Errorf("%v, want %s", out.Error, want)
	}
}

func TestNewNamesTheOptionOfTheTransport(t *testing.T) {
	for option, change := range map[string]func(*backend.Config){
		"ca-file":     func(c *backend.Config) { c.TLS.CAFile = "/nowhere/ca.pem" },
		"client-cert": func(c *backend.Config) { c.TLS.ClientCertFile = "/nowhere/cert.pem" },
		"header":      func(c *backend.Config) { c.HTTP.Header = []backend.HeaderField{{Name: "a b", Value: "c"}} },
		"clock":       func(c *backend.Config) { c.Clock = "sundial" },
		"proxy":       func(c *backend.Config) { c.HTTP.Proxy = "ftp://h" },
	} {
		settings := Settings{Config: backend.Config{Model: "m", HTTP: backend.HTTP{Proxy: "none"}}}
		change(&settings.Config)
		c, problems := New(settings)
		if c != nil || len(problems) != 1 || problems[0].Option != option || strings.Contains(problems[0].Message, "\n") {
			t.Errorf("%s: %+v", option, problems)
		}
	}
}

func TestSpeech(t *testing.T) {
	speech := func() *backend.Request { return &backend.Request{Speech: &backend.Speech{Text: "hi", Voice: "alloy"}} }
	for name, tc := range map[string]struct {
		kind, body string
		bytes      int64
		class      fault.Class
		message    string
	}{
		"audio":          {"audio/mpeg", strings.Repeat("\x00", 5000), 5000, 0, ""},
		"no audio":       {"audio/mpeg", "", 0, fault.Protocol, "the server answered 200 with no audio"},
		"error as JSON":  {"application/json", `{"error":{"message":"no voice","code":400}}`, 0, fault.InvalidRequest, "no voice"},
		"JSON, no error": {"application/json", `{}`, 0, fault.Protocol, `the answer is no audio: "{}"`},
	} {
		out := perform(serving(t, answering(tc.kind, tc.body), nil), speech())
		var got int64
		if out.Media != nil {
			got = out.Media.Bytes
		}
		class, message := fault.Unspecified, ""
		if out.Error != nil {
			class, message = out.Error.Class, out.Error.Message
		}
		if got != tc.bytes || class != tc.class || message != tc.message {
			t.Errorf("%s: %d bytes, %v %q", name, got, class, message)
		}
		if tc.bytes > 0 && (len(out.Events) == 0 || out.Events[0].Kinds != backend.Audio) {
			t.Errorf("%s: events %+v", name, out.Events)
		}
	}
}

// TestClientConcurrently: one client, many requests, each its own answer.
func TestClientConcurrently(t *testing.T) {
	c := serving(t, func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		w.Header().Set("Content-Type", "text/event-stream")
		for range 5 {
			io.WriteString(w, sent(delta(`"content":"`+id+`"`)))
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, sent(finishChunk, usageChunk, "[DONE]"))
	}, nil)
	var wait sync.WaitGroup
	for i := range 64 {
		wait.Go(func() {
			id := fmt.Sprintf("r%d;", i)
			out := perform(c, chat(func(r *backend.Request) { r.ID = id }))
			if out.Status != backend.StatusOK || len(out.Choices) != 1 || out.Choices[0].Text != strings.Repeat(id, 5) {
				t.Errorf("%s: %v %v", id, out.Error, out.Choices)
			}
		})
	}
	wait.Wait()
}

// TestProbesByRefusal: a bad request says that all is well, unless it says better
// what is not.
func TestProbesByRefusal(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		class  fault.Class // 0: all is well
	}{
		"a bad request":            {400, `{"error":{"message":"messages is missing","type":"invalid_request_error"}}`, 0},
		"not to be processed":      {422, `{"detail":"Field required"}`, 0},
		"too often":                {429, ``, 0},
		"a wrong key, called bad":  {400, `{"error":{"message":"no","code":"invalid_api_key"}}`, fault.Auth},
		"no such model, called so": {400, `{"error":{"message":"no","code":"model_not_found"}}`, fault.NotFound},
		"a wrong key":              {401, ``, fault.Auth},
		"no such path":             {404, ``, fault.NotFound},
		"broken":                   {500, ``, fault.Server},
		"an answer":                {200, `{}`, fault.Protocol},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var sent []string
			c := serving(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				mu.Lock()
				sent = append(sent, string(body))
				mu.Unlock()
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			}, nil)
			for _, probe := range []func(context.Context, backend.Kind) (backend.Probe, error){c.ProbeByRefusal, c.ProbeModelByRefusal} {
				p, err := probe(t.Context(), backend.KindChat)
				var class fault.Class
				if p.Failure != nil {
					class = p.Failure.Class
				}
				if err != nil || class != tc.class {
					t.Errorf("%v, %v, want %v", p.Failure, err, tc.class)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if len(sent) != 2 || sent[0] != "{}" || sent[1] != `{"model":"m"}` {
				t.Errorf("sent %q", sent)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	many := make([]string, 0, 40)
	for i := range 40 {
		many = append(many, fmt.Sprintf(`{"id":"vendor/other-%d"}`, i))
	}
	for name, tc := range map[string]struct {
		status  int
		kind    string
		body    string
		model   string
		params  string
		models  int
		failure *fault.Error
	}{
		"offered":             {200, "", `{"object":"list","data":[{"id":"a"},{"id":"m"}]}`, "m", "", 2, nil},
		"a bare list":         {200, "", `[{"id":"m","context_length":4096}]`, "m", "", 1, nil},
		"Ollama's tag":        {200, "", `{"data":[{"id":"llama3:latest"}]}`, "llama3", "", 1, nil},
		"llama.cpp takes any": {200, "", `{"data":[{"id":"/models/x.gguf","owned_by":"llamacpp"}]}`, "m", "", 1, nil},
		"model by parameter":  {200, "", `{"data":[{"id":"other"}]}`, "m", `{"model":"other"}`, 1, nil},
		"nothing listed":      {200, "", `{"data":[]}`, "m", "", 0, nil},
		"no such list":        {404, "", `{"detail":"Not Found"}`, "m", "", 0, nil},
		"not this way":        {405, "", ``, "m", "", 0, nil},
		"too often":           {429, "", ``, "m", "", 0, nil},
		"not offered":         {200, "", `{"data":[{"id":"a"},{"id":"b"}]}`, "m", "", 2, &fault.Error{Class: fault.NotFound, Message: `the server does not offer the model "m"`, Hint: "it offers a, b"}},
		"not offered, of many": {200, "", `{"data":[` + strings.Join(many, ",") + `,{"id":"meta/Llama-3.1-8B"}]}`, "meta/llama-3.1-8b", "", 41,
			&fault.Error{Class: fault.NotFound, Message: `the server does not offer the model "meta/llama-3.1-8b"`,
				Hint: "the nearest of its 41 models: meta/Llama-3.1-8B, vendor/other-8, vendor/other-18, vendor/other-31, vendor/other-38"}},
		"refused": {401, "", `{"error":{"message":"bad key","code":"invalid_api_key"}}`, "m", "", 0,
			&fault.Error{Class: fault.Auth, HTTPStatus: 401, ProviderCode: "invalid_api_key", Message: "bad key", Hint: "check the API key"}},
		"still loading": {503, "", `{"error":{"message":"Loading model","code":503}}`, "m", "", 0,
			&fault.Error{Class: fault.Overloaded, HTTPStatus: 503, ProviderCode: "503", Message: "Loading model", Retryable: true}},
		"a web page": {200, "text/html", `<html><title>Sign in</title></html>`, "m", "", 0,
			&fault.Error{Class: fault.Protocol, Message: `the server answered with a web page titled "Sign in"`, Hint: "check --api-base"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := serving(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/v1/models" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				w.Header().Set("Content-Type", tc.kind)
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			}, func(s *Settings) { s.Config.Model, s.Config.RequestParams = tc.model, []byte(tc.params) })
			got, err := c.Probe(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Models) != tc.models {
				t.Errorf("%d models, want %d", len(got.Models), tc.models)
			}
			if diff := cmp.Diff(tc.failure, got.Failure); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbeOfNobody(t *testing.T) {
	address, err := ParseAddress("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	c, problems := New(Settings{Config: backend.Config{Model: "m", HTTP: backend.HTTP{Proxy: "none"}}, Address: address})
	if c == nil {
		t.Fatal(problems)
	}
	defer c.Close()
	got, err := c.Probe(context.Background())
	if err != nil || got.Failure == nil || got.Failure.Class != fault.Connect || got.Failure.Hint != "is the server running, and is --api-base right?" {
		t.Errorf("%+v %v", got.Failure, err)
	}
}

func TestEditDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"", "abc"}: 3, {"kitten", "sitting"}: 3, {"abc", "abc"}: 0, {"flaw", "lawn"}: 2} {
		if got := editDistance(pair[0], pair[1]); got != want {
			t.Errorf("%q: %d, want %d", pair, got, want)
		}
	}
}

// BenchmarkDo is a whole request with a streamed answer of 52 events over
// loopback, the server included.
func BenchmarkDo(b *testing.B) {
	body := sent(delta(`"role":"assistant","content":""`)) + strings.Repeat(sent(contentChunk), 50) + sent(finishChunk, usageChunk, "[DONE]")
	c := serving(b, answering("text/event-stream", body), nil)
	request := chat(nil)
	request.Want.Events = true
	b.ReportAllocs()
	for b.Loop() {
		rec := backend.NewRecorder(request, 0, nil, nil)
		c.Do(context.Background(), request, rec)
		if rec.Failed() || rec.Outputs() != 50 {
			b.Fatal(rec.Outcome(context.Background()).Error)
		}
	}
}
