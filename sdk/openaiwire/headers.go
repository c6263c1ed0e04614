package openaiwire

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// requestIDHeaders name the provider's id of a request, best first.
var requestIDHeaders = []string{"X-Request-Id", "Request-Id", "Apim-Request-Id", "Opc-Request-Id", "Cf-Ray"}

// keptHeaders are the response headers that go into the results, by their
// canonical names. Whatever is not here or x-ratelimit-… is dropped: a header
// may name accounts.
var keptHeaders = map[string]string{
	"X-Request-Id":    "x-request-id",
	"Request-Id":      "request-id",
	"Apim-Request-Id": "apim-request-id",
	"Opc-Request-Id":  "opc-request-id",
	"Cf-Ray":          "cf-ray",
	"Retry-After":     "retry-after",
	"X-Ms-Region":     "x-ms-region",
	"Server":          "server",
}

const rateLimitPrefix = "X-Ratelimit-"

// timeHeaders are durations that servers report of themselves, in milliseconds.
var timeHeaders = map[string]string{
	"Openai-Processing-Ms":          "openai-processing-ms",
	"X-Envoy-Upstream-Service-Time": "x-envoy-upstream-service-time",
}

// recordHeaders takes down what the results keep of a response's head.
func recordHeaders(rec *backend.Recorder, header http.Header, redact *redactor) {
	for name, values := range header {
		if len(values) == 0 {
			continue
		}
		if kept, ok := keptHeaders[name]; ok {
			rec.ServerHeader(kept, redact.text(values[0]))
		} else if strings.HasPrefix(name, rateLimitPrefix) {
			rec.ServerHeader(strings.ToLower(name), redact.text(values[0]))
		} else if timed, ok := timeHeaders[name]; ok {
			if ms, err := strconv.ParseFloat(values[0], 64); err == nil && ms >= 0 && ms < 1e12 {
				rec.ServerTime(timed, time.Duration(ms*float64(time.Millisecond)))
			}
		}
	}
}

// withHeaders adds to an error what the response's head says about it.
func withHeaders(e *fault.Error, header http.Header) *fault.Error {
	for _, name := range requestIDHeaders {
		if id := header.Get(name); id != "" {
			e.RequestID = id
			break
		}
	}
	e.RetryAfter = retryAfter(header)
	return e
}

// retryAfter reads how long to wait: OpenAI's milliseconds, or RFC 9110
// §10.2.3 in seconds or as a date. A date counts from the server's own Date,
// so that its clock need not agree with ours; without one it says nothing.
func retryAfter(header http.Header) time.Duration {
	const longest = 365 * 24 * time.Hour
	bounded := func(number string, unit time.Duration) (time.Duration, bool) {
		n, err := strconv.ParseFloat(number, 64)
		if err != nil || n != n { // "NaN" parses
			return 0, false
		}
		return time.Duration(min(max(n*float64(unit), 0), float64(longest))), true
	}
	if wait, ok := bounded(header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait
	}
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if wait, ok := bounded(value, time.Second); ok {
		return wait
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
