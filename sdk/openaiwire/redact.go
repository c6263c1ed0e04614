package openaiwire

import (
	"slices"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// redactor takes secrets out of what a server says: some echo the key they
// refuse. It is immutable.
type redactor struct {
	secrets *jsonhttp.Redactor
	also    func(string) string
}

func newRedactor(secrets []secret.Secret) *redactor {
	return &redactor{secrets: jsonhttp.NewRedactor(secrets)}
}

// secrets are all that a server may echo: what the plugin names, the values of
// headers that authenticate, and the proxy's password.
func (s *Settings) secrets() []secret.Secret {
	all := append(slices.Clone(s.Secrets), jsonhttp.SecretsOfHeader(s.Header)...)
	return append(all, jsonhttp.SecretsOfConfig(s.Config)...)
}

// text returns s without secrets.
func (r *redactor) text(s string) string {
	if s = r.secrets.Text(s); r.also != nil {
		s = r.also(s)
	}
	return s
}

// fault takes the secrets out of an error, in place, and returns it.
func (r *redactor) fault(e *fault.Error) *fault.Error {
	e.Message = fault.Clip(r.text(e.Message))
	e.ProviderCode = r.text(e.ProviderCode)
	e.Hint = r.text(e.Hint)
	e.RequestID = r.text(e.RequestID)
	return e
}
