package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// phase is what a request was doing when it failed.
type phase uint8

const (
	phaseConnect phase = iota
	phaseHandshake
	phaseWait
	phaseSend
	phaseHead
	phaseBody
)

// failure gives an error its class. The context's end comes first: it closes
// the connection, and what that breaks is only its consequence.
func (r *request) failure(err error, at phase) *fault.Error {
	if r.ctx.Err() != nil {
		if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
			return retryable(fault.New(fault.TimeoutTotal, "the request was not done by its deadline"))
		}
		return fault.New(fault.Cancelled, "the request was cancelled: %v", context.Cause(r.ctx))
	}
	if isTimeout(err) {
		return r.timeout(at)
	}
	var broken *protocolError
	if errors.As(err, &broken) {
		fail := fault.New(fault.Protocol, "%v", err)
		fail.Hint = broken.hint
		return fail
	}
	switch {
	case at == phaseConnect:
		return r.connectFailure(err)
	case at == phaseHandshake || isTLS(err):
		return r.tlsFailure(err)
	case errors.Is(err, errCutHead) || at == phaseBody && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isReset(err)):
		what := "the connection was closed"
		if isReset(err) {
			what = "the connection was reset"
		}
		if errors.Is(err, errCutHead) {
			what = err.Error()
		}
		return retryable(fault.New(fault.Truncated, "the answer ended in the middle: %s after %d bytes", what, r.x.BytesReceived))
	}
	if r.conn != nil && r.conn.used && (errors.Is(err, errNoAnswer) || isReset(err)) {
		fail := fault.New(fault.Connect, "the server closed a kept-alive connection as the request was sent on it: %v", err)
		fail.Hint = "requests are never sent twice; a longer keep-alive of the server avoids this"
		return retryable(fail)
	}
	return retryable(fault.New(fault.Connect, "%v", err))
}

func retryable(e *fault.Error) *fault.Error {
	e.Retryable = true
	return e
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// timeout tells which of the limits struck.
func (r *request) timeout(at phase) *fault.Error {
	limits := r.client.limits
	if at <= phaseHandshake {
		if limits.Connect > 0 {
			return retryable(fault.New(fault.TimeoutConnect, "no connection to %s within %v", r.target.address, limits.Connect))
		}
		return retryable(fault.New(fault.TimeoutTotal, "no connection to %s within the request's %v", r.target.address, r.total))
	}
	if !r.deadline.IsZero() && !time.Now().Before(r.deadline) {
		return retryable(fault.New(fault.TimeoutTotal, "the answer was not complete within %v", r.total))
	}
	switch at {
	case phaseHead:
		return retryable(fault.New(fault.TimeoutHeaders, "no answer within %v", limits.ResponseHeader))
	case phaseSend:
		// A small request is written under the limit for the answer.
		return retryable(fault.New(fault.TimeoutIdle, "the server did not take the request: it stood still for too long"))
	default:
		return retryable(fault.New(fault.TimeoutIdle, "the answer stood still for %v", limits.Idle))
	}
}

func (r *request) connectFailure(err error) *fault.Error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		fail := fault.New(fault.DNS, "the name %s could not be resolved: %s", dns.Name, dns.Err)
		fail.Hint = "check the spelling of the address and the name servers"
		fail.Retryable = dns.IsTemporary || dns.IsTimeout
		return fail
	}
	if errors.Is(err, syscall.ETIMEDOUT) {
		return retryable(fault.New(fault.TimeoutConnect, "%v", err))
	}
	fail := retryable(fault.New(fault.Connect, "%v", err))
	switch {
	case errors.Is(err, syscall.ECONNREFUSED) && r.target.proxy != nil:
		fail.Hint = fmt.Sprintf("nothing listens at the proxy %s", r.target.proxyName)
	case errors.Is(err, syscall.ECONNREFUSED):
		fail.Hint = "nothing listens there: is the server running, is the port right?"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		fail.Hint = "all local ports are in use: fewer new connections at a time, or a wider net.ipv4.ip_local_port_range"
	case errors.Is(err, syscall.EMFILE):
		fail.Hint = "too many open files: raise the limit (ulimit -n)"
	}
	return fail
}

func isTLS(err error) bool {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var op *net.OpError
	return errors.As(err, &alert) || errors.As(err, &record) ||
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") ||
		strings.HasPrefix(err.Error(), "tls: ")
}

func (r *request) tlsFailure(err error) *fault.Error {
	what := err
	if errors.Is(err, io.EOF) {
		what = errors.New("the server closed the connection during the handshake")
	}
	fail := fault.New(fault.TLS, "TLS with %s: %v", r.target.name, what)
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		fail.Hint = "give the certificate of the server's authority with --ca-file"
	case errors.As(err, &host):
		fail.Hint = "the certificate is for another name: use that one in the address"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		fail.Hint = "the certificate has expired or is not valid yet: renew it, or set this machine's clock"
	case errors.As(err, &record):
		fail.Hint = "the server does not speak TLS there: use http://"
	case strings.Contains(err.Error(), "certificate required") || strings.Contains(err.Error(), "bad certificate"):
		fail.Hint = "the server wants a client certificate that it knows"
	}
	return fail
}
