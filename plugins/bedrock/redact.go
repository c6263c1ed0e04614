package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// redactor takes secrets out of what a server says: some echo the key that they
// refuse. It is immutable.
type redactor struct{ forms []string }

const (
	redacted = "[redacted]"
	// secretBytesMin: what is shorter stands in ordinary words as well, and is
	// no key that AWS gives out.
	secretBytesMin = 4
)

func newRedactor(secrets []secret.Secret) *redactor {
	r := new(redactor)
	for _, s := range secrets {
		value := s.Reveal()
		if len(value) < secretBytesMin {
			continue
		}
		forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
		if text, err := json.Marshal(value); err == nil {
			forms = append(forms, strings.Trim(string(text), `"`))
		}
		for _, form := range forms {
			if !slices.Contains(r.forms, form) {
				r.forms = append(r.forms, form)
			}
		}
	}
	// Longest first, so that no part of one is left because it holds another.
	slices.SortFunc(r.forms, func(a, b string) int { return len(b) - len(a) })
	return r
}

func (r *redactor) text(s string) string {
	for _, form := range r.forms {
		s = strings.ReplaceAll(s, form, redacted)
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

// headerSecrets are the values of header lines that authenticate, with and
// without the scheme in front.
func headerSecrets(fields []backend.HeaderField) []secret.Secret {
	var all []secret.Secret
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if !slices.ContainsFunc([]string{"authorization", "api-key", "apikey", "token", "secret", "cookie", "password"},
			func(word string) bool { return strings.Contains(name, word) }) {
			continue
		}
		all = append(all, secret.New(f.Value))
		if _, credential, ok := strings.Cut(f.Value, " "); ok {
			all = append(all, secret.New(strings.TrimSpace(credential)))
		}
	}
	return all
}

// proxySecret is the password in a proxy's address.
func proxySecret(address string) secret.Secret {
	if proxy, err := url.Parse(address); err == nil && proxy.User != nil {
		if password, ok := proxy.User.Password(); ok {
			return secret.New(password)
		}
	}
	return secret.Secret{}
}
