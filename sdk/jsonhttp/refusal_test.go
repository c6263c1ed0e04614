package jsonhttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

func TestReportsOfAllShapes(t *testing.T) {
	for body, want := range map[string]jsonhttp.Report{
		`{"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}`:       {Code: "404", Kind: "NOT_FOUND", Message: "no such model"},
		`[{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}]`:    {Code: "429", Kind: "RESOURCE_EXHAUSTED", Message: "quota"},
		`{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}`: {Kind: "overloaded_error", Message: "Overloaded"},
		`{"code": "NotAuthenticated", "message": "no"}`:                                     {Code: "NotAuthenticated", Message: "no"},
		`{"id": "9f3c", "message": "invalid api token"}`:                                    {Message: "invalid api token", RequestID: "9f3c"},
		`{"type": "error", "error": {"type": "x", "message": "m"}, "request_id": "req_1"}`:  {Kind: "x", Message: "m", RequestID: "req_1"},
		`{"error": "text"}`:  {Message: "text"},
		`{"detail": "text"}`: {Message: "text"},
		`{"detail": [{"loc": ["body", 0], "msg": "wrong"}]}`: {Message: "body.0: wrong"},
		`plain`: {Message: "plain"},
		`<html><head><title> Bad Gateway</title>`: {Message: `a web page titled "Bad Gateway"`},
		``: {},
	} {
		if diff := cmp.Diff(want, jsonhttp.ReadReport([]byte(body))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
}

func TestRefusals(t *testing.T) {
	header := http.Header{"Retry-After": {"2"}, "Location": {"https://elsewhere"}}
	busy := func(_ int, r jsonhttp.Report) fault.Class {
		if r.Kind == "RESOURCE_EXHAUSTED" {
			return fault.Overloaded
		}
		return fault.Unspecified
	}
	e := jsonhttp.Refusal(429, header, []byte(`{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}`), nil, busy)
	if e.Class != fault.Overloaded || e.HTTPStatus != 429 || e.ProviderCode != "RESOURCE_EXHAUSTED" || !e.Retryable || e.RetryAfter != 2*time.Second {
		t.Errorf("%+v", e)
	}
	if e := jsonhttp.Refusal(302, header, nil, nil, nil); e.Class != fault.Protocol || e.Hint == "" {
		t.Errorf("%+v", e)
	}
	if e := jsonhttp.StreamFailure(jsonhttp.Report{Code: "503", Message: "busy"}, nil); e.Class != fault.Overloaded || e.HTTPStatus != 503 || !e.Retryable {
		t.Errorf("%+v", e)
	}
	if e := jsonhttp.StreamFailure(jsonhttp.Report{Kind: "api_error", Message: "oh"}, nil); e.Class != fault.Server || e.ProviderCode != "api_error" || !e.Retryable {
		t.Errorf("%+v", e)
	}
	date := http.Header{"Retry-After": {"Wed, 21 Oct 2026 07:28:10 GMT"}, "Date": {"Wed, 21 Oct 2026 07:28:00 GMT"}}
	if d := jsonhttp.RetryAfter(date); d != 10*time.Second {
		t.Errorf("%v", d)
	}
}
