package openaiwire

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

// redactor takes secrets out of what a server says: some echo the key they
// refuse. It is immutable.
type redactor struct {
	long  []string // removed wherever they stand
	short []string // removed where they stand alone; a dummy key "x" is in every word
	also  func(string) string
}

const (
	redacted       = "[redacted]"
	shortSecretMax = 7
)

func newRedactor(secrets []secret.Secret) *redactor {
	r := new(redactor)
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

// secrets are all that a server may echo: what the plugin names, the values of
// headers that authenticate, and the proxy's password.
func (s *Settings) secrets() []secret.Secret {
	all := slices.Clone(s.Secrets)
	all = append(all, secretsOfHeader(s.Header)...)
	all = append(all, secretsOfFields(s.Config.HTTP.Header)...)
	if proxy, err := url.Parse(s.Config.HTTP.Proxy); err == nil && proxy.User != nil {
		if password, ok := proxy.User.Password(); ok {
			all = append(all, secret.New(password))
		}
	}
	return all
}

// secretsOfFields returns the values of those header lines that authenticate.
func secretsOfFields(fields []backend.HeaderField) []secret.Secret {
	var all []secret.Secret
	for _, f := range fields {
		if authenticates(f.Name) {
			all = append(all, secretsOf(f.Value)...)
		}
	}
	return all
}

// secretsOfHeader returns the values of the fields that authenticate.
func secretsOfHeader(header http.Header) []secret.Secret {
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
	for _, word := range []string{"authorization", "api-key", "apikey", "token", "secret", "cookie", "password"} {
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

// text returns s without secrets.
func (r *redactor) text(s string) string {
	for _, form := range r.long {
		s = strings.ReplaceAll(s, form, redacted)
	}
	for _, form := range r.short {
		s = replaceWord(s, form)
	}
	if r.also != nil {
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
