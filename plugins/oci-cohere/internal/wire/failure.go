package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// report is what OCI says about a failure.
type report struct {
	Code    string
	Message string
}

// readReport reads the body of an error answer, or the error in a stream:
//
//	{"code", "message"}            OCI, see "API Errors" in Oracle's documentation
//	{"error": {"code", "message"}} gateways and OpenAI-compatible endpoints
//	{"error": "text"}, {"detail": …}, plain text, HTML
func readReport(body []byte) report {
	body = bytes.TrimSpace(body)
	var o object
	if json.Unmarshal(body, &o) != nil || o == nil {
		var text string
		if json.Unmarshal(body, &text) == nil {
			return report{Message: text}
		}
		return report{Message: jsonhttp.PlainMessage(body)}
	}
	if inner, ok := o["error"]; ok && !isNull(inner) {
		r := readReport(inner)
		if r.Code == "" {
			r.Code = scalarOf(o["code"])
		}
		return r
	}
	r := report{Code: scalarOf(o["code"])}
	if r.Code == "" {
		r.Code = scalarOf(o["type"])
	}
	for _, name := range []string{"message", "errorMessage", "detail"} {
		if r.Message = scalarOf(o[name]); r.Message != "" {
			return r
		}
	}
	r.Message = string(body)
	return r
}

func scalarOf(value json.RawMessage) string {
	var s scalar
	if len(value) == 0 || value[0] == '{' || value[0] == '[' || s.UnmarshalJSON(value) != nil {
		return ""
	}
	return string(s)
}

// classes are the codes that say more than the HTTP status does, in lower case:
// those of "API Errors" in Oracle's documentation, and those words of OpenAI's
// that its compatible endpoints and gateways send.
var classes = map[string]fault.Class{
	"notauthenticated":                       fault.Auth,
	"notauthorized":                          fault.Permission,
	"notallowed":                             fault.Permission,
	"signuprequired":                         fault.Permission,
	"insufficientservicepermissions":         fault.Permission,
	"notauthorizedornotfound":                fault.NotFound,
	"relatedresourcenotauthorizedornotfound": fault.NotFound,
	"namespacenotfound":                      fault.NotFound,
	"notfound":                               fault.NotFound,
	"toomanyrequests":                        fault.RateLimited,
	"limitexceeded":                          fault.RateLimited,
	"quotaexceeded":                          fault.RateLimited,
	"cannotparserequest":                     fault.InvalidRequest,
	"invalidparameter":                       fault.InvalidRequest,
	"missingparameter":                       fault.InvalidRequest,
	"internalservererror":                    fault.Server,
	"internalerror":                          fault.Server,
	"outofhostcapacity":                      fault.Overloaded,
	"serviceunavailable":                     fault.Overloaded,

	"rate_limit_exceeded":   fault.RateLimited,
	"too_many_requests":     fault.RateLimited,
	"insufficient_quota":    fault.RateLimited,
	"model_not_found":       fault.NotFound,
	"content_filter":        fault.ContentFilter,
	"invalid_request_error": fault.InvalidRequest,
	"overloaded_error":      fault.Overloaded,
}

// exhausted are codes after which waiting does not help.
var exhausted = map[string]bool{"limitexceeded": true, "quotaexceeded": true, "insufficient_quota": true}

// Classify is the one place that turns what OCI says of a failure into a class.
// status is that of the answer, or 0 where the error came within a stream.
func Classify(status int, code string) fault.Class {
	class, known := classes[strings.ToLower(code)]
	switch {
	case status == http.StatusNotFound && class == fault.InvalidRequest:
		return fault.NotFound // "InvalidParameter: a dynamic path component is invalid"
	case known:
		return class
	case status == 0:
		status = statusOf(code)
	}
	if status != 0 {
		return fault.OfHTTPStatus(status)
	}
	return fault.Server
}

// statusOf reads a code that is an HTTP status of a failure.
func statusOf(code string) int {
	if n, err := strconv.Atoi(code); err == nil && n >= 400 && n <= 599 {
		return n
	}
	return 0
}

func newFailure(status int, r report) *fault.Error {
	e := &fault.Error{Class: Classify(status, r.Code), HTTPStatus: status, ProviderCode: r.Code, Message: r.Message}
	if status == 0 {
		e.HTTPStatus = statusOf(r.Code)
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.HTTPStatus)
	}
	switch {
	case exhausted[strings.ToLower(r.Code)]:
	case e.HTTPStatus != 0:
		e.Retryable = fault.RetryableStatus(e.HTTPStatus)
	default:
		e.Retryable = e.Class == fault.RateLimited || e.Class == fault.Overloaded || e.Class == fault.Server
	}
	return e
}

// Failure is the failure of an answer that is no success. unread says why its
// body could not be read whole; the status still says what happened.
func Failure(status int, header http.Header, body []byte, unread error) *fault.Error {
	r := readReport(body)
	if unread != nil && r.Message == "" {
		r.Message = fmt.Sprintf("%s (its body could not be read: %v)", http.StatusText(status), unread)
	}
	e := newFailure(status, r)
	if status >= 300 && status < 400 {
		e.Message = fmt.Sprintf("the server redirects to %q", header.Get("Location"))
		e.Hint = "redirects are not followed, as they would turn POST into GET: give that address as --api-base"
	}
	return WithHeader(e, header)
}

// HeaderRequestID is OCI's id of a request.
const HeaderRequestID = "Opc-Request-Id"

// WithHeader adds to an error what the answer's head says about it.
func WithHeader(e *fault.Error, header http.Header) *fault.Error {
	for _, name := range []string{HeaderRequestID, "X-Request-Id"} {
		if id := header.Get(name); id != "" {
			e.RequestID = id
			break
		}
	}
	if seconds, err := strconv.ParseFloat(strings.TrimSpace(header.Get("Retry-After")), 64); err == nil && seconds >= 0 && seconds < 1e8 {
		e.RetryAfter = time.Duration(seconds * float64(time.Second))
	}
	return e
}
