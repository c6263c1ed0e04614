package main

import (
	"net/url"
	"strings"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// redactor takes secrets out of what a server says.
type redactor struct {
	own    []string     // that the user gave besides credentials of OCI
	signer *auth.Signer // nil: none
}

func newRedactor(config backend.Config, signer *auth.Signer) redactor {
	r := redactor{signer: signer}
	for _, h := range config.HTTP.Header {
		r.addHeader(h)
	}
	if proxy, err := url.Parse(config.HTTP.Proxy); err == nil && proxy.User != nil {
		if password, ok := proxy.User.Password(); ok {
			r.add(password)
		}
	}
	return r
}

func (r *redactor) add(value string) {
	if value = strings.TrimSpace(value); value != "" {
		r.own = append(r.own, value)
	}
}

// addHeader adds the value of a header that authenticates, the scheme before a
// credential as well as without.
func (r *redactor) addHeader(h backend.HeaderField) {
	name := strings.ToLower(h.Name)
	for _, word := range []string{"authorization", "key", "token", "secret", "cookie", "password"} {
		if strings.Contains(name, word) {
			r.add(h.Value)
			if _, credential, ok := strings.Cut(h.Value, " "); ok {
				r.add(credential)
			}
			return
		}
	}
}

func (r redactor) text(s string) string {
	for _, one := range r.own {
		s = strings.ReplaceAll(s, one, "[redacted]")
	}
	if r.signer != nil {
		s = r.signer.Redact(s)
	}
	return s
}

// fault takes the secrets out of a failure, in place, and returns it.
func (r redactor) fault(e *fault.Error) *fault.Error {
	e.Message = fault.Clip(r.text(e.Message))
	e.ProviderCode = r.text(e.ProviderCode)
	e.Hint = r.text(e.Hint)
	e.RequestID = r.text(e.RequestID)
	return e
}
