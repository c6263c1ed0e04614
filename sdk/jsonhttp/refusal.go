package jsonhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// Report is what a server says about a failure.
type Report struct {
	Code    string // "code", text or number as spelled
	Kind    string // "type" or "status"
	Message string
	// RequestID is the provider's id of the request, where the body has it.
	RequestID string
}

// ReadReport reads the body of an error answer, or the error of a stream, in any
// of the shapes that are around:
//
//	{"error":{"message","type","code","status"}}  OpenAI, Anthropic, Google
//	{"error":"text"}, {"code","message"}          others, OCI
//	{"id","message"}, {…,"request_id"}            Cohere, Anthropic
//	{"detail":"text" | [{"msg","loc"}]}           FastAPI
//	[{…}]                                         Google, in streams that are arrays
//	plain text, HTML
func ReadReport(body []byte) Report {
	body = bytes.TrimSpace(body)
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil || top == nil {
		var all []json.RawMessage
		if json.Unmarshal(body, &all) == nil && len(all) > 0 {
			return ReadReport(all[0])
		}
		if s := textOf(body); s != "" {
			return Report{Message: s}
		}
		return Report{Message: PlainMessage(body)}
	}
	if inner := top["error"]; len(inner) > 0 && !isNull(inner) {
		report := ReadReport(inner)
		if report.Code == "" {
			report.Code = scalarOf(top["code"])
		}
		if report.RequestID == "" {
			report.RequestID = requestIDOf(top)
		}
		return report
	}
	report := Report{Code: scalarOf(top["code"]), Kind: textOf(top["type"]), Message: textOf(top["message"]), RequestID: requestIDOf(top)}
	if report.Kind == "" {
		report.Kind = textOf(top["status"])
	}
	if report.Message == "" {
		report.Message = detailOf(top["detail"])
	}
	if report.Message == "" {
		report.Message = string(body)
	}
	return report
}

func requestIDOf(top map[string]json.RawMessage) string {
	if id := textOf(top["request_id"]); id != "" {
		return id
	}
	return textOf(top["id"])
}

func textOf(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// scalarOf returns a string or a whole number as text.
func scalarOf(value json.RawMessage) string {
	if s := textOf(value); s != "" {
		return s
	}
	var n int64
	if json.Unmarshal(value, &n) == nil && !isNull(value) {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// detailOf reads FastAPI's "detail".
func detailOf(value json.RawMessage) string {
	if s := textOf(value); s != "" || len(value) == 0 || isNull(value) {
		return s
	}
	var all []struct {
		Message  string            `json:"msg"`
		Location []json.RawMessage `json:"loc"`
	}
	if json.Unmarshal(value, &all) != nil || len(all) == 0 {
		return string(value)
	}
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

// Refusal is the failure of an answer that is no success. Where the body could
// not be read, the status still says what happened. classify may say more than
// the status; what it returns as fault.Unspecified, or nil, leaves that to the
// status.
func Refusal(status int, header http.Header, body []byte, unread error, classify func(status int, r Report) fault.Class) *fault.Error {
	report := ReadReport(body)
	if unread != nil && report.Message == "" {
		report.Message = fmt.Sprintf("%s (its body could not be read: %v)", http.StatusText(status), unread)
	}
	failure := newFailure(status, report, classify)
	failure.RetryAfter = RetryAfter(header)
	if status >= 300 && status < 400 {
		failure.Message = fmt.Sprintf("the server redirects to %q", header.Get("Location"))
		failure.Hint = "redirects are not followed, as they would turn POST into GET: give that address as --api-base"
	}
	return failure
}

// StreamFailure is the failure of an error within a stream that began with
// success.
func StreamFailure(report Report, classify func(status int, r Report) fault.Class) *fault.Error {
	return newFailure(0, report, classify)
}

func newFailure(status int, report Report, classify func(status int, r Report) fault.Class) *fault.Error {
	known := status
	if n, err := strconv.Atoi(report.Code); known == 0 && err == nil && n >= 400 && n <= 599 {
		known = n
	}
	class := fault.Unspecified
	if classify != nil {
		class = classify(status, report)
	}
	if class == fault.Unspecified {
		class = fault.Server
		if known != 0 {
			class = fault.OfHTTPStatus(known)
		}
	}
	e := &fault.Error{Class: class, HTTPStatus: known, ProviderCode: report.Code, Message: report.Message, RequestID: report.RequestID}
	// A code that only repeats the status says less than the word beside it.
	if report.Kind != "" && (e.ProviderCode == "" || e.ProviderCode == strconv.Itoa(known)) {
		e.ProviderCode = report.Kind
	}
	if e.Message == "" {
		e.Message = http.StatusText(known)
	}
	if known != 0 {
		e.Retryable = fault.RetryableStatus(known)
	} else {
		e.Retryable = class == fault.RateLimited || class == fault.Overloaded || class == fault.Server || class == fault.TimeoutHeaders
	}
	return e
}

// RetryAfter reads how long to wait, by RFC 9110 §10.2.3: seconds, or a date,
// which counts from the server's own Date, so that its clock need not agree
// with ours. 0 where it does not say.
func RetryAfter(header http.Header) time.Duration {
	const longest = 365 * 24 * time.Hour
	value := strings.TrimSpace(header.Get("Retry-After"))
	if n, err := strconv.ParseFloat(value, 64); err == nil && n == n {
		return time.Duration(min(max(n*float64(time.Second), 0), float64(longest)))
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), longest)
}
