// Package backend is what the author of a backend plugin implements.
//
// The life of a backend, in order:
//
//  1. Describe, at any time, without network or configuration.
//  2. Open, once: check everything, keep it, touch no network.
//  3. Probe, optionally (see Prober): the first network call.
//  4. Do, once per request and concurrently, as often as core likes.
//  5. Close: after the last Do has returned; safe before Open and twice.
//
// A backend reads no clock. The reader that delivers the bytes (sdk/sse,
// sdk/httpclient) also delivers when they arrived, and the Recorder takes that
// stamp along with what the bytes meant.
package backend

import (
	"context"
	"encoding/json"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Backend talks to one kind of provider.
type Backend interface {
	// Describe returns the same description at every call. It may be called
	// before Open and concurrently.
	Describe() Description

	// Open validates the whole configuration and keeps it. It makes no network
	// call and has no side effect. All problems are returned, not the first;
	// any with option.Error means that the backend was not opened. The error
	// is for what the user cannot mend.
	Open(ctx context.Context, config Config) (Opened, error)

	// Do performs one request and tells the recorder everything about it, its
	// failure included (Recorder.Fail). It is called concurrently. It returns
	// when the answer was read to its end, and soon after ctx is cancelled.
	// The recorder must not be used after Do has returned. Do never retries
	// and never waits for capacity.
	Do(ctx context.Context, request *Request, recorder *Recorder)

	// Close frees what Open took, within ctx's deadline. It is called when no
	// Do runs; it must be safe before Open and when called twice.
	Close(ctx context.Context) error
}

// Prober is implemented by a backend that can tell for free whether it would
// work (capability "probe"). It must not generate billed tokens.
type Prober interface {
	// Probe asks: is the provider there, are the credentials good, does it
	// know the model? A negative answer is in Probe.Failure, not in the error;
	// the error means that the question could not be asked.
	Probe(ctx context.Context) (Probe, error)
}

// Config is everything that a backend is told once.
type Config struct {
	Task          Task
	Requests      Kind // what the task's requests will be; "" is the first that the backend describes
	Model         string
	APIBase       string
	APIKey        secret.Secret
	Options       option.Values
	RequestParams json.RawMessage // the user's --additional-request-params: a JSON object or nil
	Limits        Limits
	TLS           TLS
	HTTP          HTTP
	Clock         ClockChoice
	MaxInFlight   int // a hint to size pools, never a limit to enforce; 0: unknown
	WorkerIndex   int
	WorkerCount   int // at least 1
	// LocalPorts is the range that this worker's connections should use (first
	// and last, inclusive); zeros: any.
	LocalPortFirst, LocalPortLast uint16
	HostCapabilities              []string
}

// Limits are time limits of the transport; 0: none.
type Limits struct {
	Connect        time.Duration // name look-up, TCP and TLS together
	ResponseHeader time.Duration // from the last byte sent to the response's head
	Idle           time.Duration // between two reads of the body
	Total          time.Duration // whole request; Request.Timeout wins where set
}

// TLS is how servers are verified and this client shows itself.
type TLS struct {
	CAFile         string // PEM; added to the system's
	Insecure       bool   // no verification
	ClientCertFile string // PEM
	ClientKeyFile  string // PEM
}

// HTTP are settings of the transport.
type HTTP struct {
	Proxy   string // URL; "" is the environment's; "none" is no proxy
	Header  []HeaderField
	Version string // "" and "1.1" are HTTP/1.1; "2" is HTTP/2
}

// ClockChoice is the clock that the user asked for: "auto" or a clock's name.
type ClockChoice string

// The values of --clock.
const (
	ClockAuto   ClockChoice = "auto"
	ClockPacket ClockChoice = "packet"
	ClockSocket ClockChoice = "socket"
	ClockUser   ClockChoice = "user"
)

// Opened is the answer to Open.
type Opened struct {
	Problems []option.Problem
	// EffectiveConfig is a JSON object that goes into the results' metadata:
	// what was understood, with nothing secret in it.
	EffectiveConfig json.RawMessage
	Endpoint        string // what will be called, for the user's eyes
	Clock           stamp.Clock
	ClockNote       string // how to get a better clock; "" where none is better
}

// Failed tells whether any problem is an error.
func (o Opened) Failed() bool {
	for _, p := range o.Problems {
		if p.Severity == option.Error {
			return true
		}
	}
	return false
}

// Probe is what a probe found. Failure is nil where all is well.
type Probe struct {
	Failure       *fault.Error
	ServerName    string // as the server calls itself, "vllm"
	ServerVersion string
	Models        []string // ids that the server offers; nil: it does not say
	MaxModelLen   int64    // of the configured model, in tokens; 0: not said
	Latency       time.Duration
}
