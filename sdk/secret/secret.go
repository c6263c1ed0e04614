// Package secret holds values that must never be printed: API keys, tokens,
// pass phrases.
package secret

import (
	"fmt"
	"log/slog"
)

// redacted is what every printed form of a non-empty secret shows.
const redacted = "[redacted]"

// Secret is a string that prints as "[redacted]" whatever prints it: fmt with
// any verb, encoding/json, encoding.TextMarshaler users (YAML, flags) and
// log/slog. Only Reveal gives the value away. The zero value is the empty,
// unset secret. A Secret is immutable and safe for concurrent use.
type Secret struct{ value string }

// New wraps a value.
func New(value string) Secret { return Secret{value: value} }

// Reveal returns the value. Call it where the value is put on the wire and
// nowhere else.
func (s Secret) Reveal() string { return s.value }

// IsZero tells whether the secret is unset or empty.
func (s Secret) IsZero() bool { return s.value == "" }

// String shows that a secret is set, never which; an unset one prints as "".
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// Format covers every fmt verb: %#v would otherwise print the field.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' {
		fmt.Fprintf(f, "%q", s.String())
		return
	}
	fmt.Fprint(f, s.String())
}

// MarshalText implements encoding.TextMarshaler (and by it encoding/json).
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
