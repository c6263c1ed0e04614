package openaiwire

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		status     int
		code, kind string
		want       fault.Class
	}{
		{400, "context_length_exceeded", "invalid_request_error", fault.InvalidRequest},
		{400, "", "invalid_request_error", fault.InvalidRequest},
		{400, "content_filter", "invalid_request_error", fault.ContentFilter},
		{400, "content_policy_violation", "", fault.ContentFilter},
		{400, "400", "BadRequestError", fault.InvalidRequest},
		{401, "invalid_api_key", "invalid_request_error", fault.Auth},
		{401, "", "", fault.Auth},
		{403, "", "", fault.Permission},
		{403, "", "BadRequestError", fault.Permission},
		{404, "model_not_found", "invalid_request_error", fault.NotFound},
		{404, "404", "NotFoundError", fault.NotFound},
		{404, "", "invalid_request_error", fault.NotFound},
		{400, "model_not_found", "", fault.NotFound},
		{408, "", "", fault.TimeoutHeaders},
		{413, "", "", fault.InvalidRequest},
		{422, "", "", fault.InvalidRequest},
		{429, "429", "rate_limit_exceeded", fault.RateLimited},
		{429, "insufficient_quota", "insufficient_quota", fault.RateLimited},
		{429, "", "tokens", fault.RateLimited},
		{500, "", "server_error", fault.Server},
		{500, "500", "InternalServerError", fault.Server},
		{502, "", "", fault.Server},
		{503, "", "", fault.Overloaded},
		{529, "", "overloaded_error", fault.Overloaded},
		{307, "", "", fault.Protocol},

		// In a stream there is no status but what the code says.
		{0, "503", "", fault.Overloaded},
		{0, "rate_limit_exceeded", "", fault.RateLimited},
		{0, "", "invalid_request_error", fault.InvalidRequest},
		{0, "", "BadRequestError", fault.InvalidRequest},
		{0, "400", "BadRequestError", fault.InvalidRequest},
		{0, "", "timeout", fault.TimeoutHeaders},
		{0, "", "", fault.Server},
		{0, "17", "odd", fault.Server},
		{0, "200", "", fault.Server},
	} {
		if got := Classify(tc.status, tc.code, tc.kind); got != tc.want {
			t.Errorf("%d, code %q, type %q: %v, want %v", tc.status, tc.code, tc.kind, got, tc.want)
		}
	}
}

func TestErrorReport(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want errorReport
	}{
		"OpenAI":            {`{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, errorReport{"invalid_api_key", "invalid_request_error", "", "Incorrect API key", ""}},
		"vLLM":              {`{"error":{"message":"max_tokens=9","type":"BadRequestError","param":"max_tokens","code":400}}`, errorReport{"400", "BadRequestError", "max_tokens", "max_tokens=9", ""}},
		"older vLLM":        {`{"object":"error","message":"m","type":"NotFoundError","param":null,"code":404}`, errorReport{"404", "NotFoundError", "", "m", ""}},
		"Together":          {`{"error":{"message":"limit","type":"rate_limit_exceeded","code":"429"}}`, errorReport{"429", "rate_limit_exceeded", "", "limit", ""}},
		"Google":            {`[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]`, errorReport{Code: "429", Message: "quota", Status: "RESOURCE_EXHAUSTED"}},
		"error as text":     {`{"error":"model 'x' not found"}`, errorReport{Message: "model 'x' not found"}},
		"error and code":    {`{"error":"m","code":42}`, errorReport{Code: "42", Message: "m"}},
		"FastAPI":           {`{"detail":"Not Found"}`, errorReport{Message: "Not Found"}},
		"FastAPI's list":    {`{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required"},{"loc":["body"],"msg":"no"}]}`, errorReport{Message: "body.messages.0: Field required; body: no"}},
		"FastAPI's object":  {`{"detail":{"why":1}}`, errorReport{Message: `{"why":1}`}},
		"gateway":           {`{"message":"no Route matched"}`, errorReport{Message: "no Route matched"}},
		"some other object": {`{"reason":"tired"}`, errorReport{Message: `{"reason":"tired"}`}},
		"JSON text":         {`"go away"`, errorReport{Message: "go away"}},
		"plain text":        {" upstream connect error \n", errorReport{Message: "upstream connect error"}},
		"HTML":              {"<!DOCTYPE html>\n<html><head><TITLE> 502 Bad Gateway </TITLE></head>", errorReport{Message: `a web page titled "502 Bad Gateway"`}},
		"HTML, untitled":    {"<html></html>", errorReport{Message: "a web page"}},
		"empty":             {"", errorReport{}},
		"list":              {"[]", errorReport{Message: "[]"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, readErrorReport([]byte(tc.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzErrorReport: no body makes it panic, and every failure has a class.
func FuzzErrorReport(f *testing.F) {
	f.Add([]byte(`{"error":{"error":{"code":1e400}},"detail":[{"loc":[{}]}]}`), 400)
	f.Add([]byte("<title></title"), 0)
	f.Add([]byte("<\u0130title><title>\u0130</title>"), 503)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if e := newFailure(max(status, 0)%1000, readErrorReport(body)); e.Class == fault.Unspecified && (status < 200 || status > 299) {
			t.Errorf("no class: %+v", e)
		}
	})
}

func TestFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		report errorReport
		want   fault.Error
	}{
		"quota does not come back by waiting": {
			429, errorReport{Code: "insufficient_quota", Message: "m"},
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "insufficient_quota", Message: "m", Hint: "the account has no quota left: see the provider's billing page"},
		},
		"rate limit": {
			429, errorReport{Kind: "tokens", Message: "m"},
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "tokens", Message: "m", Retryable: true},
		},
		"number in a stream is the status": {
			0, errorReport{Code: "503", Message: "m"},
			fault.Error{Class: fault.Overloaded, HTTPStatus: 503, ProviderCode: "503", Message: "m", Retryable: true},
		},
		"reasoning model": {
			400, errorReport{Code: "unsupported_parameter", Param: "max_tokens", Message: "m"},
			fault.Error{Class: fault.InvalidRequest, HTTPStatus: 400, ProviderCode: "unsupported_parameter", Message: "m", Hint: "this model wants --max-tokens-field max_completion_tokens"},
		},
		"no such path": {
			404, errorReport{Message: "Not Found"},
			fault.Error{Class: fault.NotFound, HTTPStatus: 404, Message: "Not Found", Hint: "the server has no such path: check --api-base"},
		},
		"Google's word beside a number": {
			429, errorReport{Code: "429", Message: "m", Status: "RESOURCE_EXHAUSTED"},
			fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "RESOURCE_EXHAUSTED", Message: "m", Retryable: true},
		},
		"empty body": {502, errorReport{}, fault.Error{Class: fault.Server, HTTPStatus: 502, Message: "Bad Gateway", Retryable: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&tc.want, newFailure(tc.status, tc.report)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 23 Nov 2026 00:00:00 GMT"
	for name, tc := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"none":                 {nil, 0},
		"seconds":              {map[string]string{"Retry-After": "20"}, 20 * time.Second},
		"fraction":             {map[string]string{"Retry-After": " 0.5 "}, 500 * time.Millisecond},
		"milliseconds":         {map[string]string{"Retry-After-Ms": "1500", "Retry-After": "2"}, 1500 * time.Millisecond},
		"date":                 {map[string]string{"Retry-After": "Mon, 23 Nov 2026 00:01:30 GMT", "Date": date}, 90 * time.Second},
		"date that has passed": {map[string]string{"Retry-After": "Sun, 22 Nov 2026 00:00:00 GMT", "Date": date}, 0},
		"date without a clock": {map[string]string{"Retry-After": "Mon, 23 Nov 2026 00:01:30 GMT"}, 0},
		"negative":             {map[string]string{"Retry-After": "-3"}, 0},
		"no number":            {map[string]string{"Retry-After": "NaN"}, 0},
		"endless":              {map[string]string{"Retry-After": "1e300"}, 365 * 24 * time.Hour},
		"soon":                 {map[string]string{"Retry-After": "soon", "Date": date}, 0},
	} {
		header := http.Header{}
		for k, v := range tc.header {
			header.Set(k, v)
		}
		if got := retryAfter(header); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestRedaction(t *testing.T) {
	r := newRedactor([]secret.Secret{secret.New("sk-plant/ed+key"), secret.New("x"), secret.New("sk-plant/ed+key-longer"), secret.New(""), secret.New(`quo"ted-secret`)})
	for in, want := range map[string]string{
		"Incorrect key sk-plant/ed+key.": "Incorrect key [redacted].",
		"sk-plant/ed+key-longer":         "[redacted]",
		"?key=sk-plant%2Fed%2Bkey&a":     "?key=[redacted]&a",
		"the key x, not xx nor ax, (x)":  "the key [redacted], not xx nor ax, ([redacted])",
		"x":                              "[redacted]",
		`{"key":"quo\"ted-secret"}`:      `{"key":"[redacted]"}`,
		"nothing to hide":                "nothing to hide",
	} {
		if got := r.text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	// What is cut to its length must not keep half of a secret at the cut.
	long := strings.Repeat("a", fault.MessageBytesMax-8) + " sk-plant/ed+key"
	if got := r.fault(&fault.Error{Message: long}).Message; strings.Contains(got, "sk-p") {
		t.Errorf("the cut message ends in %q", got[len(got)-20:])
	}
}
