package main

import (
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// redactor takes secrets out of what a server says: those that the user gave
// besides credentials of OCI, and the signer's, which change.
type redactor struct {
	own    []*jsonhttp.Redactor
	signer *auth.Signer // nil: none
}

func newRedactor(config backend.Config, signer *auth.Signer) redactor {
	return redactor{own: []*jsonhttp.Redactor{jsonhttp.NewRedactor(jsonhttp.SecretsOfConfig(config))}, signer: signer}
}

// and takes out the secrets of header lines as well.
func (r redactor) and(fields []backend.HeaderField) redactor {
	if secrets := jsonhttp.SecretsOfFields(fields); len(secrets) > 0 {
		r.own = append(r.own[:len(r.own):len(r.own)], jsonhttp.NewRedactor(secrets))
	}
	return r
}

func (r redactor) text(s string) string {
	for _, one := range r.own {
		s = one.Text(s)
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
