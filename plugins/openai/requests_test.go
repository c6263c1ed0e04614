package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func response(status int, headers, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d Wire\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

const jsonType = "Content-Type: application/json\r\n"

// TestFailures: what a user is told.
func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		answer []byte // nil: the server hangs up
		want   fault.Error
	}{
		"refused key": {
			response(401, jsonType+"X-Request-Id: req-7\r\n", `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`),
			fault.Error{Class: fault.Auth, HTTPStatus: 401, ProviderCode: "invalid_api_key", Message: "Incorrect API key provided",
				Hint: "check --api-key, --model-api-key, VLLM_API_KEY or OPENAI_API_KEY", RequestID: "req-7"},
		},
		"rate limit": {
			response(429, jsonType+"Retry-After: 7\r\n", `{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}`),
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "rate_limit_exceeded", Message: "slow down", RetryAfter: 7 * time.Second, Retryable: true},
		},
		"gateway's page": {
			response(502, "Content-Type: text/html\r\n", "<html><title>502 Bad Gateway</title></html>"),
			fault.Error{Class: fault.Server, HTTPStatus: 502, Message: `a web page titled "502 Bad Gateway"`, Retryable: true},
		},
		"no body": {
			response(503, "", ""),
			fault.Error{Class: fault.Overloaded, HTTPStatus: 503, Message: "Service Unavailable", Retryable: true},
		},
		"redirect": {
			response(307, "Location: https://h/v1/chat/completions\r\n", ""),
			fault.Error{Class: fault.Protocol, HTTPStatus: 307, Message: `the server redirects to "https://h/v1/chat/completions"`,
				Hint: "redirects are not followed, as they would turn POST into GET: give that address as --api-base"},
		},
		"web page with 200": {
			response(200, "Content-Type: text/html; charset=utf-8\r\n", "<html><title>Sign in</title></html>"),
			fault.Error{Class: fault.Protocol, Message: `the server answered with a web page titled "Sign in"`, Hint: "check --api-base"},
		},
		"something else with 200": {
			response(200, jsonType, `{"detail":"hello"}`),
			fault.Error{Class: fault.Protocol, Message: `the answer has no "choices": "{\"detail\":\"hello\"}"`},
		},
		"error with 200": {
			response(200, jsonType, `{"error":{"message":"no","code":"model_not_found"}}`),
			fault.Error{Class: fault.NotFound, ProviderCode: "model_not_found", Message: "no", Hint: "check --api-model-name and --api-base"},
		},
		"nothing with 200": {
			response(200, jsonType, ``),
			fault.Error{Class: fault.Protocol, Message: "the server answered 200 with an empty body"},
		},
		"compressed": {
			response(200, "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", `x`),
			fault.Error{Class: fault.Protocol, HTTPStatus: 200, Message: "the server compressed its answer (gzip) although it was asked not to"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(received) []byte { return tc.answer })
			out := do(open(t, "vllm", server.URL(), nil), chatRequest(true))
			if out.Status != backend.StatusError {
				t.Fatalf("status %v", out.Status)
			}
			if diff := cmp.Diff(&tc.want, out.Error); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(out.Error.Error(), "\n") {
				t.Errorf("more than one line: %q", out.Error)
			}
		})
	}
}

// TestAnswerMayBeWholeAlthoughAStreamWasAsked: some servers do not stream.
func TestAnswerMayBeWholeAlthoughAStreamWasAsked(t *testing.T) {
	server := startServer(t, 0, func(received) []byte { return readFile(t, "testdata/vllm/chat.http") })
	out := do(open(t, "vllm", server.URL(), nil), chatRequest(true))
	if out.Status != backend.StatusOK || len(out.Choices) != 1 || out.Choices[0].Text == "" {
		t.Fatalf("%v %v %+v", out.Status, out.Error, out.Choices)
	}
	if out.Events[0].At != out.LastByte {
		t.Errorf("the answer is stamped %d, its last byte %d", out.Events[0].At, out.LastByte)
	}
}

// TestConnectionIsKept: also after a stream, whose last chunk comes after
// [DONE], and after an error answer.
func TestConnectionIsKept(t *testing.T) {
	count := 0
	server := startServer(t, 0, func(received) []byte {
		count++
		if count == 2 {
			return response(429, jsonType, `{"error":"slow down"}`)
		}
		return readFile(t, "testdata/vllm/chat-stream.http")
	})
	b := open(t, "vllm", server.URL(), nil)
	for i, want := range []backend.Status{backend.StatusOK, backend.StatusError, backend.StatusOK} {
		out := do(b, chatRequest(true))
		if out.Status != want {
			t.Fatalf("request %d: %v %v", i, out.Status, out.Error)
		}
		if out.Connect.Reused != (i > 0) {
			t.Errorf("request %d: reused %v", i, out.Connect.Reused)
		}
	}
	if n := server.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestServerThatDoesNotEndAfterDone: the answer is complete, so it counts, and
// it is not waited for long.
func TestServerThatDoesNotEndAfterDone(t *testing.T) {
	whole := readFile(t, "testdata/vllm/chat-stream.http")
	cut := strings.TrimSuffix(string(whole), "0\r\n\r\n")
	if len(cut) == len(whole) {
		t.Fatal("the recording does not end in the last chunk")
	}
	server := startServer(t, 0, func(received) []byte { return []byte(cut) })
	out := do(open(t, "vllm", server.URL(), nil), chatRequest(true))
	if out.Status != backend.StatusOK || count(out.Usage.Output) != 8 {
		t.Errorf("%v %v, %d tokens", out.Status, out.Error, count(out.Usage.Output))
	}
}

// TestDyingServer: every way in which a server can go away is a class.
func TestDyingServer(t *testing.T) {
	whole := string(readFile(t, "testdata/vllm/chat-stream.http"))
	for name, tc := range map[string]struct {
		answer  []byte
		class   fault.Class
		partial bool
	}{
		"hangs up at once":         {nil, fault.Connect, false},
		"within the head":          {[]byte("HTTP/1.1 200 OK\r\nContent-Ty"), fault.Truncated, false},
		"within a chunk":           {[]byte(whole[:len(whole)/2]), fault.Truncated, true},
		"by closing, without DONE": {[]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"), fault.Truncated, true},
		"garbage in the chunks":    {[]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), fault.Protocol, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := (&backendtest.RawServer{HangUp: true, Answer: func(received) []byte { return tc.answer }}).Start(t)
			out := do(open(t, "vllm", server.URL(), nil), chatRequest(true))
			if out.Status != backend.StatusError || out.Error.Class != tc.class || out.Error.Partial != tc.partial {
				t.Errorf("%v %+v, want %v, partial %v", out.Status, out.Error, tc.class, tc.partial)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
	server := startServer(t, 0, func(received) []byte { return []byte(head) })
	b := open(t, "vllm", server.URL(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	rec := backend.NewRecorder(chatRequest(true), 0, func(k backend.Kinds) {
		if k&backend.Output != 0 {
			cancel()
		}
	}, nil)
	b.Do(ctx, chatRequest(true), rec)
	if out := rec.Outcome(ctx); out.Status != backend.StatusCancelled || !out.Error.Partial {
		t.Errorf("%v %+v", out.Status, out.Error)
	}
}

func TestDoBeforeOpen(t *testing.T) {
	b := find(t, "vllm")
	if out := do(b, chatRequest(true)); classOf(out) != fault.Plugin {
		t.Errorf("%v", out.Error)
	}
	if _, err := b.(backend.Prober).Probe(context.Background()); err == nil {
		t.Error("Probe before Open has no error")
	}
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestKindsThatAreNotDeclared(t *testing.T) {
	b := open(t, "together", "http://127.0.0.1:1", nil)
	out := do(b, &backend.Request{Rerank: &backend.Rerank{Query: "q", Documents: []string{"d"}}})
	if classOf(out) != fault.InvalidRequest || out.Error.Message != `together has no requests of the kind "rerank"` {
		t.Errorf("%v", out.Error)
	}
}

// TestKeyIsNeverRepeated: a server that echoes the key everywhere it can.
func TestKeyIsNeverRepeated(t *testing.T) {
	const planted, header, modelKey = "sk-planted/key+1234567890", "planted-header-0987", "planted-model-key-55"
	echo := func(r received, status int, event bool) []byte {
		key := r.Header.Get("Authorization") + " " + r.Header.Get("X-Api-Key")
		quoted, err := json.Marshal("you sent " + key)
		if err != nil {
			t.Error(err)
		}
		body := fmt.Sprintf(`{"error":{"message":%s,"code":%s}}`, quoted, quoted)
		kind := jsonType
		if event {
			kind, body = "Content-Type: text/event-stream\r\n", "data: "+body+"\n\ndata: [DONE]\n\n"
		}
		return response(status, kind+"X-Request-Id: id-"+key+"\r\nX-Ratelimit-Limit: "+key+"\r\n", body)
	}
	for name, status := range map[string]int{"error": 401, "stream": 200, "garbage": 0} {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, 0, func(r received) []byte {
				if status == 0 {
					return response(200, "Content-Type: text/event-stream\r\n", "data: "+r.Header.Get("Authorization")+"\n\n")
				}
				return echo(r, status, status == 200)
			})
			b := find(t, "openai")
			opened, err := b.Open(context.Background(), config(b, server.URL(), func(c *backend.Config) {
				c.APIKey = secret.New(planted)
				if status == 200 {
					c.Options[optionModelAPIKey] = secret.New(modelKey)
				}
				c.HTTP.Header = []backend.HeaderField{{Name: "X-Api-Key", Value: header}}
			}))
			if err != nil || opened.Failed() {
				t.Fatalf("%v %+v", err, opened.Problems)
			}
			defer b.Close(context.Background())
			out := do(b, chatRequest(true))
			if out.Error == nil || !strings.Contains(out.Error.Message, "[redacted]") {
				t.Fatalf("the server's echo did not arrive: %v", out.Error)
			}
			probe, err := b.(backend.Prober).Probe(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			all := fmt.Sprintf("%+v %+v %+v %+v %s", out, out.Error, probe, probe.Failure, opened.EffectiveConfig)
			for _, secret := range []string{planted, header, modelKey} {
				if strings.Contains(all, secret) {
					t.Errorf("%q is in %s", secret, all)
				}
			}
		})
	}
}

// TestServerHeaders: what the results keep of a response's head, and no more.
func TestServerHeaders(t *testing.T) {
	raw := strings.Replace(string(readFile(t, "testdata/vllm/chat-stream.http")), "server: uvicorn\r\n",
		"server: uvicorn\r\nx-request-id: r1\r\nx-ratelimit-remaining-tokens: 99\r\nopenai-processing-ms: 12.5\r\nopenai-organization: acme\r\nset-cookie: a=b\r\n", 1)
	server := startServer(t, 0, func(received) []byte { return []byte(raw) })
	out := do(open(t, "vllm", server.URL(), nil), chatRequest(true))
	want := map[string]string{"server": "uvicorn", "x-request-id": "r1", "x-ratelimit-remaining-tokens": "99"}
	if diff := cmp.Diff(want, out.ServerHeaders); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]time.Duration{"openai-processing-ms": 12500 * time.Microsecond}, out.ServerTimes); diff != "" {
		t.Error(diff)
	}
}
