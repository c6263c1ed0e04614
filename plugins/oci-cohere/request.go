package main

import (
	"errors"
	"net/http"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/wire"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

const userAgent = "genai-bench-plugin-oci-cohere/" + version

// Values of headers; read-only.
var (
	contentJSON  = []string{"application/json"}
	acceptAll    = []string{"application/json, text/event-stream"}
	identityOnly = []string{"identity"} // a compressor would hold events back
)

// requestHeader is the header of a request, before it is signed. There is no
// opc-retry-token: nothing is ever sent twice.
func requestHeader(r *backend.Request) http.Header {
	header := http.Header{
		"Content-Type": contentJSON, "Accept": acceptAll, "Accept-Encoding": identityOnly,
		"User-Agent": {userAgent},
	}
	if r == nil {
		return header
	}
	if r.ID != "" {
		header["X-Request-Id"] = []string{r.ID}
		header[wire.HeaderRequestID] = []string{r.ID}
	}
	for _, h := range r.Header {
		header.Set(h.Name, h.Value)
	}
	return header
}

// keptHeaders are the response headers that go into the results, by their
// canonical names.
var keptHeaders = map[string]string{
	wire.HeaderRequestID: "opc-request-id",
	"X-Request-Id":       "x-request-id",
	"Retry-After":        "retry-after",
	"Server":             "server",
}

// recordHeader takes down what the results keep of an answer's head.
func recordHeader(rec *backend.Recorder, header http.Header, redact func(string) string) {
	for name, kept := range keptHeaders {
		if value := header.Get(name); value != "" {
			rec.ServerHeader(kept, redact(value))
		}
	}
}

// signFault is the failure to make credentials.
func signFault(err error) *fault.Error {
	if failure := (*fault.Error)(nil); errors.As(err, &failure) {
		return failure
	}
	return fault.New(fault.Auth, "signing the request: %v", err)
}
