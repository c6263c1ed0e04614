package openaiwire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// errorReport is what a server says about a failure, in any of the shapes that
// are around.
type errorReport struct {
	Code    string // "code": text or number, as spelled
	Kind    string // "type"
	Param   string
	Message string
	Status  string // "status" as a word: Google's code, beside a number
}

// readErrorReport reads the body of an error answer, or the error of a stream:
//
//	{"error":{"message","type","param","code"}}   OpenAI, vLLM, Together
//	{"object":"error","message","type","code"}    older vLLM, SGLang
//	{"error":{"code","message","status"}}         Google, alone or in a list
//	{"error":"text","error_type":"overloaded"}    TGI; Ollama without a type
//	{"detail":"text" | [{"msg","loc"}]}           FastAPI
//	{"message":"text"}                            gateways
//	plain text, HTML
func readErrorReport(body []byte) errorReport {
	body = bytes.TrimSpace(body)
	var listed []json.RawMessage
	if json.Unmarshal(body, &listed) == nil && len(listed) > 0 {
		body = listed[0]
	}
	var top object
	if json.Unmarshal(body, &top) != nil || top == nil {
		if s := stringOf(body); s != "" {
			return errorReport{Message: s}
		}
		return errorReport{Message: jsonhttp.PlainMessage(body)}
	}
	if inner := top["error"]; len(inner) > 0 && !isNull(inner) {
		report := readErrorReport(inner)
		if report.Code == "" {
			report.Code = scalarOf(top["code"])
		}
		if report.Kind == "" {
			report.Kind = stringOf(top["error_type"])
		}
		return report
	}
	report := errorReport{
		Code:    scalarOf(top["code"]),
		Kind:    stringOf(top["type"]),
		Status:  stringOf(top["status"]),
		Param:   stringOf(top["param"]),
		Message: stringOf(top["message"]),
	}
	if report.Message == "" {
		report.Message = detailOf(top["detail"])
	}
	if report.Message == "" {
		report.Message = string(body)
	}
	return report
}

// scalarOf returns a string or a number as text.
func scalarOf(value json.RawMessage) string {
	if s := stringOf(value); s != "" {
		return s
	}
	if n, ok := wholeNumber(value); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// detailOf reads FastAPI's "detail".
func detailOf(value json.RawMessage) string {
	if s := stringOf(value); s != "" {
		return s
	}
	var all []struct {
		Message  string            `json:"msg"`
		Location []json.RawMessage `json:"loc"`
	}
	if json.Unmarshal(value, &all) == nil && len(all) > 0 {
		var lines []string
		for _, one := range all {
			var where []string
			for _, part := range one.Location {
				where = append(where, scalarOf(part))
			}
			lines = append(lines, strings.Join(where, ".")+": "+one.Message)
		}
		return strings.Join(lines, "; ")
	}
	if isNull(value) {
		return ""
	}
	return string(value)
}

// classOfCode are the codes and types that say more than the HTTP status does,
// in lower case. OpenAI's general "invalid_request_error" is not among them: it
// comes with 401, 404 and 429 as well.
var classOfCode = map[string]fault.Class{
	"insufficient_quota":         fault.RateLimited,
	"billing_hard_limit_reached": fault.RateLimited,
	"rate_limit_exceeded":        fault.RateLimited,
	"rate_limit_error":           fault.RateLimited,
	"rate_limited":               fault.RateLimited,
	"too_many_requests":          fault.RateLimited,
	"toomanyrequests":            fault.RateLimited,
	"requests":                   fault.RateLimited, // OpenAI's type with 429
	"tokens":                     fault.RateLimited,

	"invalid_api_key":              fault.Auth,
	"incorrect_api_key":            fault.Auth,
	"authentication_error":         fault.Auth,
	"authenticationerror":          fault.Auth,
	"unauthorized":                 fault.Auth,
	"unauthenticated":              fault.Auth,
	"permission_denied":            fault.Permission,
	"permission_error":             fault.Permission,
	"permissiondeniederror":        fault.Permission,
	"forbidden":                    fault.Permission,
	"model_not_found":              fault.NotFound,
	"model_not_available":          fault.NotFound,
	"deploymentnotfound":           fault.NotFound,
	"not_found_error":              fault.NotFound,
	"notfounderror":                fault.NotFound,
	"context_length_exceeded":      fault.InvalidRequest,
	"string_above_max_length":      fault.InvalidRequest,
	"unsupported_parameter":        fault.InvalidRequest,
	"unsupported_value":            fault.InvalidRequest,
	"badrequesterror":              fault.InvalidRequest,
	"bad_request":                  fault.InvalidRequest,
	"validation":                   fault.InvalidRequest, // TGI
	"content_filter":               fault.ContentFilter,
	"content_policy_violation":     fault.ContentFilter,
	"moderation_blocked":           fault.ContentFilter,
	"responsibleaipolicyviolation": fault.ContentFilter,
	"overloaded":                   fault.Overloaded, // TGI
	"overloaded_error":             fault.Overloaded,
	"engine_overloaded":            fault.Overloaded,
	"model_overloaded":             fault.Overloaded,
	"service_unavailable":          fault.Overloaded,
	"serviceunavailableerror":      fault.Overloaded,
}

// classOfKind are the general words that count only where there is no status:
// in a stream that began with 200.
var classOfKind = map[string]fault.Class{
	"invalid_request_error": fault.InvalidRequest,
	"bad request":           fault.InvalidRequest,
	"timeout":               fault.TimeoutHeaders,
	"request_timeout":       fault.TimeoutHeaders,
	"timeout_error":         fault.TimeoutHeaders,
}

// Classify is the one place that turns what an OpenAI-style server says of a
// failure into a class. status is that of the answer, or 0 where the error came
// within a stream; code and kind are the error object's "code" and "type".
func Classify(status int, code, kind string) fault.Class {
	code, kind = strings.ToLower(code), strings.ToLower(kind)
	if class, ok := classOfCode[code]; ok {
		return class
	}
	if class, ok := classOfCode[kind]; ok && !contradicts(status, class) {
		return class
	}
	if status == 0 {
		status = statusOfCode(code)
	}
	if status != 0 {
		return fault.OfHTTPStatus(status)
	}
	for _, word := range []string{code, kind} {
		if class, ok := classOfKind[word]; ok {
			return class
		}
	}
	return fault.Server
}

// contradicts: vLLM says BadRequestError with any status in 4xx of which the
// status itself says more.
func contradicts(status int, class fault.Class) bool {
	return class == fault.InvalidRequest && status >= 400 && fault.OfHTTPStatus(status) != class
}

// statusOfCode reads a code that is an HTTP status of a failure.
func statusOfCode(code string) int {
	if n, err := strconv.Atoi(code); err == nil && n >= 400 && n <= 599 {
		return n
	}
	return 0
}

// exhausted are codes after which waiting does not help.
var exhausted = map[string]bool{"insufficient_quota": true, "billing_hard_limit_reached": true}

// newFailure makes the error of a report. status is 0 within a stream.
func newFailure(status int, report errorReport) *fault.Error {
	class := Classify(status, report.Code, report.Kind)
	e := &fault.Error{
		Class:        class,
		HTTPStatus:   status,
		ProviderCode: report.Code,
		Message:      report.Message,
		Hint:         hintOf(class, report),
	}
	if e.ProviderCode == "" {
		e.ProviderCode = report.Kind
	}
	if status == 0 {
		e.HTTPStatus = statusOfCode(report.Code)
	}
	if report.Status != "" && (e.ProviderCode == "" || e.ProviderCode == strconv.Itoa(e.HTTPStatus)) {
		e.ProviderCode = report.Status
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.HTTPStatus)
	}
	switch {
	case exhausted[strings.ToLower(report.Code)] || exhausted[strings.ToLower(report.Kind)]:
	case e.HTTPStatus != 0:
		e.Retryable = fault.RetryableStatus(e.HTTPStatus)
	default:
		e.Retryable = class == fault.RateLimited || class == fault.Overloaded || class == fault.Server || class == fault.TimeoutHeaders
	}
	return e
}

// hintOf says what the user can do, where that is known.
func hintOf(class fault.Class, report errorReport) string {
	code := strings.ToLower(report.Code)
	switch {
	case exhausted[code]:
		return "the account has no quota left: see the provider's billing page"
	case report.Param == fieldMaxTokens && strings.HasPrefix(code, "unsupported_"):
		return "this model wants --max-tokens-field " + fieldMaxCompletionTokens
	case report.Param == "temperature" && strings.HasPrefix(code, "unsupported_"):
		return `leave the temperature out with --additional-request-params '{"temperature": null}'`
	case report.Param == "stream_options" || class == fault.InvalidRequest && strings.Contains(report.Message, "stream_options"):
		return `leave it out with --additional-request-params '{"stream_options": null}'`
	}
	switch class {
	case fault.Auth:
		return "check the API key"
	case fault.Permission:
		return "check that the API key may use this model"
	case fault.NotFound:
		if strings.EqualFold(strings.TrimSpace(report.Message), "not found") {
			return "the server has no such path: check --api-base"
		}
		return "check --api-model-name and --api-base"
	}
	return ""
}
