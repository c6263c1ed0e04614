package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Why a plugin did not start; see StartError.
var (
	ErrNotExecutable   = errors.New("not an executable file")
	ErrChecksum        = errors.New("the file's checksum differs")
	ErrProtocolVersion = errors.New("no common protocol version")
	ErrStdout          = errors.New("it printed on stdout, which belongs to the handshake")
	ErrExitedEarly     = errors.New("it exited at once")
	ErrStartTimeout    = errors.New("it did not start in time")
	ErrSocketFolder    = errors.New("no folder for its socket")
	ErrDescription     = errors.New("it cannot be described")
)

// ErrUnsupported is what a call returns that the plugin does not implement: the
// capability is off.
var ErrUnsupported = errors.New("the plugin does not support this")

// StartError says why a plugin could not be started or described. Unwrap gives
// one of the errors above.
type StartError struct {
	Path   string
	Kind   error
	Detail string // one line; "" where Kind says it all
	Hint   string // what to do
}

// Error is one line.
func (e *StartError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %s: %v", e.Path, e.Kind)
	if e.Detail != "" {
		fmt.Fprintf(&b, ": %s", e.Detail)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap returns Kind.
func (e *StartError) Unwrap() error { return e.Kind }

// CallError says why a plugin did not answer a call. It means that the plugin
// is broken; a failed request is an outcome.
type CallError struct {
	Plugin string
	Call   string // "Open", "Run", …
	Detail string
	Err    error
}

// Error is one line.
func (e *CallError) Error() string {
	return fmt.Sprintf("plugin %s: %s failed: %s", e.Plugin, e.Call, e.Detail)
}

// Unwrap returns the cause: a gRPC status, or a context's error.
func (e *CallError) Unwrap() error { return e.Err }

// callError makes an error of a failed call. died is how the process ended, or
// "" while it lives.
func callError(plugin, call string, err error, died string) *CallError {
	s, _ := status.FromError(err)
	e := &CallError{Plugin: plugin, Call: call, Detail: oneLine(s.Message()), Err: err}
	switch {
	case s.Code() == codes.Unimplemented:
		e.Err = ErrUnsupported
	case died != "":
		e.Detail = died
	case s.Code() == codes.DeadlineExceeded || errors.Is(err, context.DeadlineExceeded):
		e.Detail, e.Err = "no answer within its deadline", context.DeadlineExceeded
	case s.Code() == codes.Canceled:
		e.Detail, e.Err = "cancelled", context.Canceled
	}
	return e
}

func oneLine(text string) string {
	const most = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

func nameOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	return strings.TrimPrefix(name, "genai-bench-plugin-")
}
