package jsonhttp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Redactor takes secrets out of what a server says: some echo the key they
// refuse. It is immutable.
type Redactor struct {
	long  []string // removed wherever they stand
	short []string // removed where they stand alone; a dummy key "x" is in every word
}

const (
	redacted       = "[redacted]"
	shortSecretMax = 7
)

// NewRedactor returns what takes these secrets out, in every form in which a
// server may repeat them.
func NewRedactor(secrets []secret.Secret) *Redactor {
	r := new(Redactor)
	for _, s := range secrets {
		value := s.Reveal()
		if value == "" {
			continue
		}
		forms := []string{value, url.QueryEscape(value), url.PathEscape(value)}
		if quoted, err := json.Marshal(value); err == nil {
			forms = append(forms, strings.Trim(string(quoted), `"`))
		}
		for _, form := range forms {
			list := &r.long
			if len(form) <= shortSecretMax {
				list = &r.short
			}
			if !slices.Contains(*list, form) {
				*list = append(*list, form)
			}
		}
	}
	// Longest first, so that no part of one is left because it holds another.
	slices.SortFunc(r.long, func(a, b string) int { return len(b) - len(a) })
	return r
}

// SecretsOfConfig are those secrets of a configuration that a server or a proxy
// may echo: the headers that authenticate, and the proxy's password.
func SecretsOfConfig(config backend.Config) []secret.Secret {
	all := SecretsOfFields(config.HTTP.Header)
	if proxy, err := url.Parse(config.HTTP.Proxy); err == nil && proxy.User != nil {
		if password, ok := proxy.User.Password(); ok {
			all = append(all, secret.New(password))
		}
	}
	return all
}

// SecretsOfFields returns the values of those header lines that authenticate.
func SecretsOfFields(fields []backend.HeaderField) []secret.Secret {
	var all []secret.Secret
	for _, f := range fields {
		if authenticates(f.Name) {
			all = append(all, secretsOf(f.Value)...)
		}
	}
	return all
}

// SecretsOfHeader returns the values of the fields that authenticate.
func SecretsOfHeader(header http.Header) []secret.Secret {
	var all []secret.Secret
	for name, values := range header {
		if authenticates(name) {
			all = append(all, secretsOf(values...)...)
		}
	}
	return all
}

// authenticates tells whether a header's value is a secret.
func authenticates(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"authorization", "-key", "apikey", "token", "secret", "cookie", "password"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// secretsOf returns header values as secrets, the scheme in front of a
// credential ("Bearer ") as well as without.
func secretsOf(values ...string) []secret.Secret {
	var all []secret.Secret
	for _, v := range values {
		all = append(all, secret.New(v))
		if _, credential, ok := strings.Cut(v, " "); ok {
			all = append(all, secret.New(strings.TrimSpace(credential)))
		}
	}
	return all
}

// Text returns s without secrets.
func (r *Redactor) Text(s string) string {
	for _, form := range r.long {
		s = strings.ReplaceAll(s, form, redacted)
	}
	for _, form := range r.short {
		s = replaceWord(s, form)
	}
	return s
}

// Fault takes the secrets out of an error, in place, and returns it.
func (r *Redactor) Fault(e *fault.Error) *fault.Error {
	e.Message = fault.Clip(r.Text(e.Message))
	e.ProviderCode = r.Text(e.ProviderCode)
	e.Hint = r.Text(e.Hint)
	e.RequestID = r.Text(e.RequestID)
	return e
}

// replaceWord redacts word where no letter, digit or sign of a key touches it.
func replaceWord(s, word string) string {
	var b strings.Builder
	for from := 0; ; {
		i := strings.Index(s[from:], word)
		if i < 0 {
			if b.Len() == 0 {
				return s
			}
			b.WriteString(s[from:])
			return b.String()
		}
		start, end := from+i, from+i+len(word)
		alone := (start == 0 || !wordByte(s[start-1])) && (end == len(s) || !wordByte(s[end]))
		b.WriteString(s[from:start])
		if alone {
			b.WriteString(redacted)
		} else {
			b.WriteString(word)
		}
		from = end
	}
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c >= 0x80
}
