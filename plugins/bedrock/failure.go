package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/plugins/bedrock/awsauth"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// errorReport is what a server says about a failure.
type errorReport struct {
	Code     string
	Message  string
	Original int // status of the model itself, behind Bedrock's own; 0: not said
}

// readErrorReport reads the body of an error answer, or of an exception in a
// stream. Services of AWS send {"message"} and name the error in a header, as
// "__type" or as "code"; the models' own errors and gateways have {"error"} or
// {"detail"}.
func readErrorReport(body []byte) errorReport {
	body = bytes.TrimSpace(body)
	var top map[string]json.RawMessage
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
		return report
	}
	var report errorReport
	for _, name := range []string{"__type", "code", "Code", "type"} {
		if report.Code = codeOf(scalarOf(top[name])); report.Code != "" {
			break
		}
	}
	for _, name := range []string{"message", "Message", "originalMessage", "errorMessage", "detail"} {
		if report.Message = stringOf(top[name]); report.Message != "" {
			break
		}
	}
	if report.Message == "" {
		report.Message = string(body)
	}
	if original, err := strconv.Atoi(string(top["originalStatusCode"])); err == nil && original >= 400 && original <= 599 {
		report.Original = original
	}
	return report
}

// scalarOf returns a string or a number as text.
func scalarOf(value json.RawMessage) string {
	if s := stringOf(value); s != "" {
		return s
	}
	if len(value) > 0 && value[0] >= '0' && value[0] <= '9' {
		return string(value)
	}
	return ""
}

// codeOf takes the name of an error out of its shape id: "ValidationException"
// of "ValidationException:http://…" and of "com.amazon.coral#ValidationException".
func codeOf(shape string) string {
	shape, _, _ = strings.Cut(shape, ":")
	if hash := strings.LastIndexByte(shape, '#'); hash >= 0 {
		shape = shape[hash+1:]
	}
	return strings.TrimSpace(shape)
}

// known is an error of the Amazon Bedrock runtime or of AWS's front door.
type known struct {
	class  fault.Class
	status int // where it comes within a stream
}

// knownErrors are those of the runtime (API reference, InvokeModel, ConverseStream and their
// exceptions), then those common to all services of AWS ("Common errors").
var knownErrors = map[string]known{
	"ThrottlingException":           {fault.RateLimited, 429},
	"ServiceQuotaExceededException": {fault.RateLimited, 400},
	"TooManyRequestsException":      {fault.RateLimited, 429},
	"ValidationException":           {fault.InvalidRequest, 400},
	"ConflictException":             {fault.InvalidRequest, 409},
	"AccessDeniedException":         {fault.Permission, 403},
	"ResourceNotFoundException":     {fault.NotFound, 404},
	"UnknownOperationException":     {fault.NotFound, 404},
	"ModelTimeoutException":         {fault.TimeoutHeaders, 408},
	"ModelNotReadyException":        {fault.Overloaded, 429},
	"ServiceUnavailableException":   {fault.Overloaded, 503},
	"ModelErrorException":           {fault.Server, 424},
	"ModelStreamErrorException":     {fault.Server, 424},
	"InternalServerException":       {fault.Server, 500},
	"InternalFailure":               {fault.Server, 500},
	"SerializationException":        {fault.InvalidRequest, 400},

	"UnrecognizedClientException":         {fault.Auth, 403},
	"InvalidClientTokenId":                {fault.Auth, 403},
	"InvalidSignatureException":           {fault.Auth, 403},
	"SignatureDoesNotMatch":               {fault.Auth, 403},
	"IncompleteSignature":                 {fault.Auth, 403},
	"IncompleteSignatureException":        {fault.Auth, 403},
	"MissingAuthenticationToken":          {fault.Auth, 403},
	"MissingAuthenticationTokenException": {fault.Auth, 403},
	"ExpiredTokenException":               {fault.Auth, 403},
	"ExpiredToken":                        {fault.Auth, 403},
	"RequestExpired":                      {fault.Auth, 400},
	"NotAuthorized":                       {fault.Permission, 401},
	"OptInRequired":                       {fault.Permission, 403},

	// What gateways and the models' own errors say.
	"rate_limit_exceeded":   {fault.RateLimited, 429},
	"rate_limit_error":      {fault.RateLimited, 429},
	"overloaded_error":      {fault.Overloaded, 529},
	"api_error":             {fault.Server, 500},
	"invalid_request_error": {fault.InvalidRequest, 400},
	"not_found_error":       {fault.NotFound, 404},
	"permission_error":      {fault.Permission, 403},
	"authentication_error":  {fault.Auth, 401},
	"invalid_api_key":       {fault.Auth, 401},
	"model_not_found":       {fault.NotFound, 404},
}

// newFailure makes the error of a report; status is 0 within a stream.
func newFailure(status int, report errorReport) *fault.Error {
	e := &fault.Error{HTTPStatus: status, ProviderCode: report.Code, Message: report.Message}
	name := report.Code
	if status == 0 && name != "" { // in a stream the names begin in lower case
		if upper := strings.ToUpper(name[:1]) + name[1:]; knownErrors[name] == (known{}) {
			name = upper
		}
	}
	found, ok := knownErrors[name]
	number, err := strconv.Atoi(report.Code)
	switch {
	case ok:
		e.Class = found.class
		if status == 0 {
			e.HTTPStatus = found.status
		}
	case status == 0 && err == nil && number >= 400 && number <= 599:
		e.HTTPStatus = number
		e.Class = fault.OfHTTPStatus(number)
	case status == 0:
		e.Class = fault.Server
	default:
		e.Class = fault.OfHTTPStatus(status)
	}
	if ok && report.Original != 0 { // the model's own status says more than "the model failed"
		e.Class = fault.OfHTTPStatus(report.Original)
	}
	refine(e)
	if e.Message == "" {
		e.Message = http.StatusText(e.HTTPStatus)
	}
	if e.Message == "" {
		e.Message = "the server reports a failure and says nothing of it"
	}
	switch {
	case name == "ServiceQuotaExceededException":
	case ok && (found.class == fault.RateLimited || found.class == fault.Overloaded): // whatever the status
		e.Retryable = true
	case e.HTTPStatus != 0:
		e.Retryable = fault.RetryableStatus(e.HTTPStatus) || report.Original != 0 && fault.RetryableStatus(report.Original) ||
			strings.HasPrefix(name, "Model")
	default:
		e.Retryable = e.Class == fault.Server
	}
	return e
}

// streamFailure is the failure of an exception in a stream, or of an error
// object in the place of an answer.
func streamFailure(exception string, payload []byte) *fault.Error {
	report := readErrorReport(payload)
	if exception != "" {
		report.Code = exception
	}
	return newFailure(0, report)
}

// statusFault is the failure of a status and a body. Where the body could not
// be read, the status still says what happened.
func statusFault(status int, header http.Header, body []byte, unread error) *fault.Error {
	report := readErrorReport(body)
	if code := codeOf(header.Get("X-Amzn-Errortype")); code != "" {
		report.Code = code
	}
	if unread != nil && report.Message == "" {
		report.Message = http.StatusText(status) + " (its body could not be read: " + unread.Error() + ")"
	}
	e := newFailure(status, report)
	if status >= 300 && status < 400 {
		e.Message = "the server redirects to " + strconv.Quote(header.Get("Location"))
		e.Hint = "redirects are not followed, as they would turn POST into GET: give that address as --api-base"
	}
	if e.Class == fault.Auth {
		e.Hint = skewHint(e, header)
	}
	return e
}

// withHeaders adds to an error what the response's head says about it.
func withHeaders(e *fault.Error, header http.Header) *fault.Error {
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Request-Id"} {
		if id := header.Get(name); id != "" {
			e.RequestID = id
			break
		}
	}
	if seconds, err := strconv.ParseFloat(header.Get("Retry-After"), 64); err == nil && seconds > 0 && seconds < 1e9 {
		e.RetryAfter = time.Duration(seconds * float64(time.Second))
	}
	return e
}

// credentialsFault is the failure to have credentials.
func credentialsFault(err *awsauth.CredentialsError) *fault.Error {
	e := fault.New(fault.Auth, "%s", err.Message)
	e.Hint, e.RequestID, e.ProviderCode = err.Hint, err.RequestID, err.Code
	return e
}
