package jsonhttp

import (
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// NewTransport makes the transport of a configuration. Where the transport
// refuses it, the problem names core's option; redact takes secrets out of what
// is said.
func NewTransport(config backend.Config, redact func(string) string) (*httpclient.Client, *option.Problem) {
	transport, err := httpclient.New(httpclient.Options{
		Limits: config.Limits, TLS: config.TLS, HTTP: config.HTTP, Clock: config.Clock, MaxInFlight: config.MaxInFlight,
		LocalPortFirst: config.LocalPortFirst, LocalPortLast: config.LocalPortLast,
	})
	if err != nil {
		return nil, &option.Problem{Option: transportOption(err), Severity: option.Error, Message: redact(err.Error())}
	}
	return transport, nil
}

// transportOption is core's name of the option that the transport refused. The
// transport begins its errors with what is wrong, but knows no options.
func transportOption(err error) string {
	for _, known := range []struct{ prefix, option string }{
		{"CA file", "ca-file"},
		{"client certificate", "client-cert"},
		{"a client certificate", "client-cert"},
		{"extra header", "header"},
		{"the proxy", "proxy"},
		{"the clock", "clock"},
		{"unknown clock", "clock"},
	} {
		if strings.HasPrefix(err.Error(), known.prefix) {
			return known.option
		}
	}
	return ""
}
