// Package option describes what can be set on a plugin: the schema that a
// plugin declares in its description, from which the host makes command-line
// flags, environment variables and configuration keys, and the typed values
// that come back in Open.
package option

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Type is the type of an option's value; the words are those of the wire.
type Type string

// The Go type of a value in Values stands behind each.
const (
	String   Type = "string"   // string
	Int      Type = "int"      // int64
	Float    Type = "float"    // float64
	Bool     Type = "bool"     // bool
	Duration Type = "duration" // time.Duration; "90s", "5m"
	Bytes    Type = "bytes"    // int64; "64MiB", "10kB", "512"
	Enum     Type = "enum"     // string, one of Option.Allowed
	List     Type = "list"     // []string; a repeatable flag
	Map      Type = "map"      // map[string]string; a repeatable flag of KEY=VALUE
	JSON     Type = "json"     // []byte, valid JSON
	File     Type = "file"     // string, a path; ~ is expanded by the host
	Secret   Type = "secret"   // secret.Secret; never a default, never stored
)

// Option declares one setting.
type Option struct {
	Name     string    `json:"name"` // kebab-case; the flag without its dashes
	Type     Type      `json:"type"`
	Default  string    `json:"default,omitempty"` // as it would be typed; never for a secret
	Env      []string  `json:"env,omitempty"`     // read in this order where the flag is absent
	Allowed  []Allowed `json:"values,omitempty"`  // for Enum
	Required bool      `json:"required,omitempty"`
	Group    string    `json:"group,omitempty"` // heading in --help
	Help     string    `json:"help"`            // one line, no full stop
	Example  string    `json:"example,omitempty"`
	Aliases  []string  `json:"aliases,omitempty"`
	// Deprecated says what to use instead; empty: not deprecated.
	Deprecated string `json:"deprecated,omitempty"`
}

// Allowed is one value of an Enum.
type Allowed struct {
	Value string `json:"value"`
	Help  string `json:"help,omitempty"`
}

// Values holds typed values by option name. A value that was neither given nor
// has a default is absent. The getters return the zero value for an absent
// name, and panic for a name of another type: that is a mistake in the plugin,
// never in what the user typed.
type Values map[string]any

// Has tells whether the option was given or has a default.
func (v Values) Has(name string) bool { _, ok := v[name]; return ok }

func get[T any](v Values, name string) T {
	value, ok := v[name]
	if !ok {
		var zero T
		return zero
	}
	return value.(T)
}

// String returns a String, Enum or File value.
func (v Values) String(name string) string { return get[string](v, name) }

// Int returns an Int or Bytes value.
func (v Values) Int(name string) int64 { return get[int64](v, name) }

// Float returns a Float value.
func (v Values) Float(name string) float64 { return get[float64](v, name) }

// Bool returns a Bool value.
func (v Values) Bool(name string) bool { return get[bool](v, name) }

// Duration returns a Duration value.
func (v Values) Duration(name string) time.Duration { return get[time.Duration](v, name) }

// List returns a List value.
func (v Values) List(name string) []string { return get[[]string](v, name) }

// Map returns a Map value.
func (v Values) Map(name string) map[string]string { return get[map[string]string](v, name) }

// JSON returns a JSON value's text.
func (v Values) JSON(name string) []byte { return get[[]byte](v, name) }

// Secret returns a Secret value.
func (v Values) Secret(name string) secret.Secret { return get[secret.Secret](v, name) }

// Severity of a Problem.
type Severity uint8

// An Error ends Open; a Warning is shown and the run goes on.
const (
	Error Severity = iota
	Warning
)

// Problem is something wrong with one option. Open reports all of them, not
// the first.
type Problem struct {
	Option   string // name of the option; "" concerns none in particular
	Severity Severity
	Message  string // what is wrong: one line, no value of a secret
	Hint     string // what to do: one line
}
