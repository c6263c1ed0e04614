package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// restConfig is a configuration as core makes it.
func restConfig(base string, change func(*backend.Config)) backend.Config {
	return grpcConfig(base, func(c *backend.Config) {
		delete(c.Options, optionTransport)
		if change != nil {
			change(c)
		}
	})
}

// open opens a backend by REST, which must work.
func open(t testing.TB, base string, change func(*backend.Config)) *vertex {
	t.Helper()
	return openGRPC(t, base, func(c *backend.Config) {
		delete(c.Options, optionTransport)
		if change != nil {
			change(c)
		}
	})
}

// answering is a server that gives everybody the same answer.
func answering(t testing.TB, status int, contentType, body string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// Answers of Gemini that no recorded case has and the suite's emulator does not
// give.
func TestAnswers(t *testing.T) {
	const stream, one = "text/event-stream", "application/json; charset=UTF-8"
	const sea = `data: {"candidates": [{"content": {"parts": [{"text": "The sea"}]}}]}` + "\r\n\r\n"
	type outcome struct {
		Text, Tool, Raw string
		Class           fault.Class
		Code            string
		Status          int
		Partial         bool
	}
	for name, tc := range map[string]struct {
		contentType, body string
		want              outcome
	}{
		"an error that is no event": {
			stream, sea + `{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}` + "\n",
			outcome{Text: "The sea", Class: fault.Overloaded, Code: "UNAVAILABLE", Status: 503, Partial: true},
		},
		"an error on many lines, in a list, without an end": {
			stream, sea + "[{\r\n  \"error\": {\r\n    \"code\": 429,\r\n    \"message\": \"quota\",\r\n    \"status\": \"RESOURCE_EXHAUSTED\"\r\n  }\r\n}]",
			outcome{Text: "The sea", Class: fault.RateLimited, Code: "RESOURCE_EXHAUSTED", Status: 429, Partial: true},
		},
		"an object that is no event and is cut": {stream, sea + `{"error": {"code"`, outcome{Text: "The sea", Class: fault.Protocol, Partial: true}},
		"a list with an error":                  {one, `[{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}]`, outcome{Class: fault.RateLimited, Code: "RESOURCE_EXHAUSTED", Status: 429}},
		"a list that is cut":                    {one, `[{"candidates": [{"content": {"parts": [{"text": "The sea"}]}}]},` + "\r\n" + `{"candi`, outcome{Text: "The sea", Class: fault.Truncated, Partial: true}},
		"a blocked prompt": {
			stream, `data: {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "no"}, "usageMetadata": {"promptTokenCount": 4}}` + "\n\n",
			outcome{Class: fault.ContentFilter, Code: "PROHIBITED_CONTENT"},
		},
		"an answer that is stopped": {stream, sea + `data: {"candidates": [{"finishReason": "SAFETY"}]}` + "\n\n", outcome{Text: "The sea", Raw: "SAFETY"}},
		"a call in one piece": {
			stream, `data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "look", "args": {"at":"sea"}}}]}, "finishReason": "STOP"}]}` + "\n\n",
			outcome{Tool: `look{"at":"sea"}`, Raw: "STOP"},
		},
		"a call in pieces": {
			stream, `data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "look", "willContinue": true}}]}}]}` + "\n\n" +
				`data: {"candidates": [{"content": {"parts": [{"functionCall": {"partialArgs": [{"jsonPath": "$.at", "stringValue": "sea"}, {"jsonPath": "$.n", "numberValue": 2}], "willContinue": true}}]}}]}` + "\n\n" +
				`data: {"candidates": [{"content": {"parts": [{"functionCall": {}}]}, "finishReason": "STOP"}]}` + "\n\n",
			outcome{Tool: `looksea2`, Raw: "STOP"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, http.StatusOK, tc.contentType, tc.body)
			o := perform(t.Context(), open(t, s.URL, nil), chat(true))
			var got outcome
			if len(o.Choices) > 0 {
				got.Text, got.Tool, got.Raw = o.Choices[0].Text, o.Choices[0].ToolText, o.Choices[0].FinishRaw
			}
			if e := o.Error; e != nil {
				got.Class, got.Code, got.Status, got.Partial = e.Class, e.ProviderCode, e.HTTPStatus, e.Partial
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%v\n%s", o.Error, diff)
			}
			if strings.HasPrefix(got.Tool, "look") && o.Choices[0].Finish != backend.FinishTool {
				t.Errorf("finish %v: Gemini stops for a call as it does at an end", o.Choices[0].Finish)
			}
		})
	}
}

// A refusal comes with Google's own words, the id of the request, and what a user
// can do.
func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		change func(*backend.Config)
		class  fault.Class
		hint   string
	}{
		"a key that is none":        {400, `{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}`, nil, fault.Auth, "GCP_API_KEY"},
		"a key where none is taken": {401, `{"error": {"code": 401, "message": "API keys are not supported by this API. Expected OAuth2 access token", "status": "UNAUTHENTICATED"}}`, nil, fault.Auth, "gcloud auth application-default login"},
		"an expired token": {401, `{"error": {"code": 401, "message": "Request had invalid authentication credentials.", "status": "UNAUTHENTICATED"}}`,
			func(c *backend.Config) { c.Options[optionAuth], c.Options[optionToken] = authToken, secret.New("t") }, fault.Auth, "--gcp-access-token"},
		"an API that is off": {403, `{"error": {"code": 403, "message": "Vertex AI API has not been used in project 1 before or it is disabled.", "status": "PERMISSION_DENIED"}}`, nil, fault.Permission, "enabled"},
		"a model elsewhere":  {404, `{"error": {"code": 404, "message": "Publisher Model was not found", "status": "NOT_FOUND"}}`, nil, fault.NotFound, "--gcp-location (us-central1)"},
		"no quota":           {429, `[{"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}}]`, nil, fault.RateLimited, "quota"},
		"Claude is overloaded": {529, `{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}`,
			func(c *backend.Config) { c.Model = "claude-sonnet-4" }, fault.Overloaded, ""},
		"Llama elsewhere": {404, `[{"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}]`,
			func(c *backend.Config) { c.Model = "meta/llama-4" }, fault.NotFound, "--gcp-location (us-central1)"},
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, tc.status, "application/json", tc.body)
			e := perform(t.Context(), open(t, s.URL, tc.change), chat(true)).Error
			if e == nil || e.Class != tc.class || e.HTTPStatus != tc.status || !strings.Contains(e.Hint, tc.hint) {
				t.Errorf("%v, want %v with %q", e, tc.class, tc.hint)
			}
		})
	}
	t.Run("a region that does not exist", func(t *testing.T) {
		w := wiring{target: target{google: true, location: "mars-north1"}}
		e := fault.New(fault.DNS, "no such host")
		if w.explain(e); !strings.Contains(e.Hint, "mars-north1") || !strings.Contains(e.Hint, "--gcp-location") {
			t.Error(e)
		}
	})
}

// Where requests go, and as whom.
func TestOpening(t *testing.T) {
	const google = "-aiplatform.googleapis.com/v1/projects/wire-proj/locations/"
	type opened struct {
		Endpoint, Auth string
		Warned         []string // options
	}
	for name, tc := range map[string]struct {
		change func(*backend.Config)
		want   opened
	}{
		"Gemini": {nil, opened{"https://us-central1" + google + "us-central1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authAPIKey, nil}},
		"a resource's name": {func(c *backend.Config) { c.Model = "publishers/google/models/gemini-2.5-pro" },
			opened{"https://us-central1" + google + "us-central1/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse", authAPIKey, nil}},
		"Claude, anywhere": {func(c *backend.Config) { c.Model, c.Options[optionLocation] = "claude-sonnet-4@20250514", "global" },
			opened{"https://aiplatform.googleapis.com/v1/projects/wire-proj/locations/global/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict", authAPIKey, nil}},
		"somewhere in Europe": {func(c *backend.Config) { c.Options[optionLocation] = "eu" },
			opened{"https://aiplatform.eu.rep.googleapis.com/v1/projects/wire-proj/locations/eu/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authAPIKey, nil}},
		"Llama": {func(c *backend.Config) {
			c.Model, c.Options[optionLocation] = "meta/llama-4-maverick-17b-128e-instruct-maas", "us-east5"
		},
			opened{"https://us-east5" + google + "us-east5/endpoints/openapi/chat/completions", authAPIKey, nil}},
		"a model of one's own": {func(c *backend.Config) { c.Options[optionEndpoint] = "123" },
			opened{"https://us-central1" + google + "us-central1/endpoints/123/chat/completions", authAPIKey, nil}},
		"embeddings": {func(c *backend.Config) { c.Model, c.Task = "text-embedding-005", backend.TextToEmbeddings },
			opened{"https://us-central1" + google + "us-central1/publishers/google/models/text-embedding-005:predict", authAPIKey, nil}},
		"express mode": {func(c *backend.Config) { delete(c.Options, optionProject) },
			opened{"https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authAPIKey, nil}},
		"a token": {func(c *backend.Config) {
			c.APIKey, c.APIBase, c.Options[optionToken] = secret.Secret{}, "http://127.0.0.1:1/gateway/v1/", secret.New("t")
		}, opened{"http://127.0.0.1:1/gateway/v1/projects/wire-proj/locations/us-central1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authToken, nil}},
		"Google's, without anything": {func(c *backend.Config) { c.APIKey = secret.Secret{} },
			opened{"https://us-central1" + google + "us-central1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authADC, nil}},
		"a gateway, without anything": {func(c *backend.Config) { c.APIKey, c.APIBase = secret.Secret{}, "http://127.0.0.1:1" },
			opened{"http://127.0.0.1:1/v1/projects/wire-proj/locations/us-central1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authNone, nil}},
		"everything": {func(c *backend.Config) {
			c.Options[optionToken], c.Options[optionCredentials] = secret.New("t"), "/key.json"
		}, opened{"https://us-central1" + google + "us-central1/publishers/google/models/gemini-wire:streamGenerateContent?alt=sse", authAPIKey, []string{optionToken, optionCredentials}}},
	} {
		t.Run(name, func(t *testing.T) {
			v := new(vertex)
			o, err := v.Open(t.Context(), restConfig("", tc.change))
			if err != nil || o.Failed() {
				t.Fatalf("%v, %+v", err, o.Problems)
			}
			defer func() { _ = v.Close(t.Context()) }()
			got := opened{Endpoint: o.Endpoint, Auth: fields(t, o.EffectiveConfig)["gcp_auth"].(string)}
			for _, p := range o.Problems {
				got.Warned = append(got.Warned, p.Option)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A problem names the flag, the variable and where to get the value.
func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*backend.Config)
		option string
		hints  []string
	}{
		"no project":                           {func(c *backend.Config) { delete(c.Options, optionProject); c.Options[optionAuth] = authADC }, optionProject, []string{"--gcp-project-id", "GCP_PROJECT_ID", "gcloud"}},
		"no key":                               {func(c *backend.Config) { c.APIKey, c.Options[optionAuth] = secret.Secret{}, authAPIKey }, optionAPIKey, []string{"--api-key", "GCP_API_KEY", "console"}},
		"no token":                             {func(c *backend.Config) { c.Options[optionAuth] = authToken }, optionToken, []string{"--gcp-access-token", "GCP_ACCESS_TOKEN", "gcloud"}},
		"no file":                              {func(c *backend.Config) { c.Options[optionAuth] = authServiceAccount }, optionCredentials, []string{"--gcp-credentials-path", "GOOGLE_APPLICATION_CREDENTIALS", "gcloud"}},
		"no model":                             {func(c *backend.Config) { c.Model = "" }, optionModel, []string{"gemini"}},
		"a picture for a model that sees none": {func(c *backend.Config) { c.Task, c.Model = backend.ImageTextToText, "text-bison" }, optionModelAPI, nil},
		"embeddings by chat":                   {func(c *backend.Config) { c.Task, c.Options[optionModelAPI] = backend.TextToEmbeddings, apiGemini }, optionModelAPI, nil},
		"Llama without a project":              {func(c *backend.Config) { delete(c.Options, optionProject); c.Model = "meta/llama" }, optionProject, []string{"--gcp-project-id"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := new(vertex).Open(t.Context(), restConfig("", tc.change))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range o.Problems {
				if p.Option != tc.option || p.Severity != option.Error {
					continue
				}
				for _, hint := range tc.hints {
					if !strings.Contains(p.Hint, hint) {
						t.Errorf("the hint %q does not name %s", p.Hint, hint)
					}
				}
				return
			}
			t.Errorf("no problem with %s: %+v", tc.option, o.Problems)
		})
	}
}

// spans hands out a text in pieces.
type spans struct {
	pieces []string
}

func (s *spans) NextSpan() (stamp.Span, error) {
	if len(s.pieces) == 0 {
		return stamp.Span{}, io.EOF
	}
	piece := s.pieces[0]
	s.pieces = s.pieces[1:]
	return stamp.Span{Bytes: []byte(piece)}, nil
}

// FuzzObjects: whatever comes, and however it is cut, the reader ends, and finds
// the same objects.
func FuzzObjects(f *testing.F) {
	for _, seed := range []string{`[{"a": 1},` + "\r\n" + `{"b": "}{\""}]`, `{"a": [1, {"b": 2}]}`, `{{{`, `]}{`, `{"a`, "\xff{}"} {
		f.Add(seed, 3)
	}
	read := func(pieces []string) (objects []string, err error) {
		o := newObjects(&spans{pieces})
		for {
			text, _, err := o.next()
			if err != nil {
				return objects, err
			}
			objects = append(objects, string(text))
		}
	}
	f.Fuzz(func(t *testing.T, text string, cut int) {
		if cut = min(max(cut, 0), len(text)); text == "" {
			return
		}
		pieces := []string{text}
		if cut > 0 && cut < len(text) {
			pieces = []string{text[:cut], text[cut:]}
		}
		whole, err := read([]string{text})
		cutUp, err2 := read(pieces)
		if diff := cmp.Diff(whole, cutUp); diff != "" || !errors.Is(err2, err) {
			t.Errorf("%v, %v: %s", err, err2, diff)
		}
	})
}

// FuzzEvents: no answer makes a reader panic.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		`{"candidates": [{"index": -5, "content": {"parts": [{"text": "x"}, {"functionCall": {"args": 1}}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 1}}`,
		`{"type": "content_block_start", "content_block": {"type": "tool_use", "input": {}}}`, `{"predictions": [{"content": null}]}`, `{"predictions": [{"embeddings": {}}]}`, `{"error": 5}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, s := range []shape{gemini{}, anthropic{}, predict{}} {
			a := &answer{rec: backend.NewRecorder(&backend.Request{Want: backend.Want{Events: true, Text: true}}, 0, nil, nil)}
			_ = a.end(s.event(text, stamp.Arrival{}, a))
		}
	})
}

// BenchmarkEvent is what an event of a stream costs after its bytes were stamped.
func BenchmarkEvent(b *testing.B) {
	text := []byte(`{"candidates":[{"content":{"role":"model","parts":[{"text":" sea"}]},"index":0}],"usageMetadata":{"trafficType":"ON_DEMAND"},"modelVersion":"gemini-2.5-flash","createTime":"2026-11-30T15:00:00.000000Z","responseId":"abcdefgh"}`)
	a := &answer{rec: backend.NewRecorder(&backend.Request{}, 0, nil, nil)}
	b.ReportAllocs()
	for b.Loop() {
		if failure := (gemini{}).event(text, stamp.Arrival{}, a); failure != nil {
			b.Fatal(failure)
		}
	}
}
