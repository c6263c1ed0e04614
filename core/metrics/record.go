package metrics

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Record is one request as core keeps it: what core wanted, and what became of
// it.
type Record struct {
	Index     uint64 // of the run, in the order of sending, from 0
	RequestID string // as sent in X-Request-Id
	Worker    int
	User      int
	Session   int  // conversation that it belongs to, from 1; 0: none
	Turn      int  // of the conversation, from 1; 0: none
	Streamed  bool // the answer was asked for as a stream

	// Core's own times. Intended is when the schedule wanted the request sent,
	// Dispatched when core handed it to a worker (before Intended, where that
	// was known ahead).
	Intended, Dispatched stamp.Nanos
	// CapWait is how long, from Intended, the request stood in line for the open
	// loop's concurrency cap. Capped tells that there was one.
	CapWait time.Duration
	Capped  bool

	// Ended is when core had the outcome; 0: it never came.
	Ended stamp.Nanos

	Inputs     int // texts or pictures to embed, documents to rank
	Characters int // of the text to be spoken

	InputTokensAsked  int // the scenario's size; 0: none
	OutputTokensAsked int // 0: none
	InputTokens       int // core's own count of what was sent; 0: not counted

	// OutputTokensCounted is core's count of the answer's text; −1: not counted.
	OutputTokensCounted    int
	ReasoningTokensCounted int

	Outcome *backend.Outcome
}

// ErrorCode is the integer that stands for an error in the Python tool's files:
// the HTTP status where there was one, else the nearest HTTP status in meaning.
func ErrorCode(e *fault.Error) int {
	if e.HTTPStatus >= 300 {
		return e.HTTPStatus
	}
	switch e.Class {
	case fault.Connect, fault.DNS, fault.TLS, fault.Overloaded:
		return 503
	case fault.TimeoutConnect, fault.TimeoutHeaders, fault.TimeoutIdle, fault.TimeoutTotal:
		return 408
	case fault.Cancelled:
		return 499
	case fault.RateLimited:
		return 429
	case fault.Auth:
		return 401
	case fault.Permission:
		return 403
	case fault.NotFound:
		return 404
	case fault.InvalidRequest, fault.ContentFilter:
		return 400
	}
	return 500
}
