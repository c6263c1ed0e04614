// Package fault names what can go wrong with a request: a closed list of
// classes that is the same for every provider, so that results can be compared
// across them, with the provider's own words kept beside.
package fault

import (
	"fmt"
	"strings"
	"time"
)

// Class is the kind of a failure. The list is closed within a minor version of
// the contract; a class that a reader does not know reads as Unspecified.
type Class uint8

// The numbers are those of the wire (proto enum ErrorClass) and never change.
const (
	Unspecified    Class = iota
	Connect              // refused, reset while connecting, no route
	DNS                  // the name does not resolve
	TLS                  // handshake or certificate
	TimeoutConnect       // connecting took too long
	TimeoutHeaders       // connected, sent, no response header in time
	TimeoutIdle          // the body stood still for too long
	TimeoutTotal         // the request's own deadline
	RateLimited          // 429 and its spellings
	Overloaded           // 503, 529: the server says it is too busy
	Auth                 // 401: who are you
	Permission           // 403: not you
	NotFound             // 404: no such model, deployment, path
	InvalidRequest       // 400, 413, 422: what was sent cannot be served
	ContentFilter        // refused for its content
	Server               // other 5xx, error objects without a better class
	Protocol             // what came back is not what the protocol promises
	Truncated            // the answer ended in the middle
	Cancelled            // the caller gave up
	Plugin               // the plugin broke: crashed, never answered
)

// Classes lists every class in the order of its number, Unspecified excluded.
func Classes() []Class {
	all := make([]Class, 0, int(Plugin))
	for c := Connect; c <= Plugin; c++ {
		all = append(all, c)
	}
	return all
}

var names = [...]string{
	"unspecified", "connect", "dns", "tls", "timeout_connect", "timeout_headers", "timeout_idle",
	"timeout_total", "rate_limited", "overloaded", "auth", "permission", "not_found",
	"invalid_request", "content_filter", "server", "protocol", "truncated", "cancelled", "plugin",
}

// String is the class's name in results and on the wire ("timeout_headers").
func (c Class) String() string {
	if int(c) >= len(names) {
		return names[Unspecified]
	}
	return names[c]
}

// MarshalText writes the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name; one it does not know becomes Unspecified, as the
// contract's rules of growth ask.
func (c *Class) UnmarshalText(text []byte) error {
	*c = Unspecified
	for i, name := range names {
		if name == string(text) {
			*c = Class(i)
		}
	}
	return nil
}

// MessageBytesMax bounds Error.Message on the wire and in results. Servers put
// whole stack traces and HTML pages into error bodies.
const MessageBytesMax = 4 << 10

// Error is one failed request. It never holds a secret: plugins redact what a
// server echoes back.
type Error struct {
	Class        Class
	HTTPStatus   int           // 0: none was received
	ProviderCode string        // the provider's own code, as spelled ("rate_limit_exceeded")
	Message      string        // the provider's own words, at most MessageBytesMax
	Hint         string        // what the user can do about it, one sentence
	RequestID    string        // the provider's id of the request, for its support
	RetryAfter   time.Duration // 0: not said
	Retryable    bool          // the same request may succeed later
	Partial      bool          // output had arrived before the failure
}

// New makes an Error of a class and a message, which is cut to MessageBytesMax.
func New(class Class, format string, args ...any) *Error {
	return &Error{Class: class, Message: Clip(fmt.Sprintf(format, args...))}
}

// Error says class, status, message, the provider's id of the request and what
// to do on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Class.String())
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.HTTPStatus)
	}
	if e.ProviderCode != "" {
		fmt.Fprintf(&b, " [%s]", e.ProviderCode)
	}
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(strings.Join(strings.Fields(e.Message), " "))
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " [request %s]", strings.Join(strings.Fields(e.RequestID), " "))
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Clip cuts text to MessageBytesMax at a rune border and makes it valid UTF-8,
// which protobuf strings must be.
func Clip(text string) string {
	if len(text) > MessageBytesMax {
		cut := MessageBytesMax - len("…")
		for cut > 0 && text[cut]&0xC0 == 0x80 {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// OfHTTPStatus is the class that an HTTP status means where the provider says
// nothing better. 2xx is Unspecified: no failure.
func OfHTTPStatus(status int) Class {
	switch {
	case status >= 200 && status < 300:
		return Unspecified
	case status == 401:
		return Auth
	case status == 403:
		return Permission
	case status == 404 || status == 410:
		return NotFound
	case status == 408 || status == 504:
		return TimeoutHeaders
	case status == 429:
		return RateLimited
	case status == 503 || status == 529:
		return Overloaded
	case status >= 400 && status < 500:
		return InvalidRequest
	case status >= 500:
		return Server
	default: // 1xx, 3xx: no inference protocol answers with these
		return Protocol
	}
}

// RetryableStatus tells whether the same request may succeed later.
func RetryableStatus(status int) bool {
	switch status {
	case 408, 425, 429, 500, 502, 503, 504, 529:
		return true
	}
	return false
}
