package httpclient

import (
	"net/http"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Options configure a Client; they come from backend.Config.
type Options struct {
	Limits                        backend.Limits
	TLS                           backend.TLS
	HTTP                          backend.HTTP
	Clock                         backend.ClockChoice
	MaxInFlight                   int // a hint for idle connections kept; 0: unknown
	LocalPortFirst, LocalPortLast uint16
}

// Call is one HTTP request.
type Call struct {
	Method string
	URL    string
	// Header is sent as given, besides Host, Content-Length and what
	// Options.HTTP.Header adds. It is read-only and may be shared by calls.
	Header http.Header
	Body   []byte // read-only, may be shared by calls

	StartAt         stamp.Nanos   // 0: now; else the connection is made ready before and the request waits
	Timeout         time.Duration // from the send to the last byte of the body; 0: Options.Limits.Total
	ConnectionKey   string
	FreshConnection bool

	// Queued is how long the request has waited already for something of the
	// plugin's own, such as the refresh of a token; Do adds it to the exchange's.
	Queued time.Duration
}

// Answer is the head of a response, with its body still to be read. The caller
// must Close the body.
type Answer struct {
	Status int
	Header http.Header
	Body   *Body
}

var _ stamp.SpanReader = (*Body)(nil)
