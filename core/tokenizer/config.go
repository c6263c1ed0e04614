package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// A config is a component of tokenizer.json being read. The first thing that is wrong is kept
// in its document, with the path to it, and everything after that yields zero values.
type config struct {
	doc   *document
	path  string
	value any
}

// A document collects the first error of a file's configs.
type document struct{ err error }

func (d *document) fail(path, format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
}

func (c config) fail(format string, args ...any) { c.doc.fail(c.path, format, args...) }

// isNull tells whether the component is absent.
func (c config) isNull() bool { return c.value == nil }

// get returns a field.
func (c config) get(key string) config {
	m, _ := c.value.(map[string]any)
	return config{c.doc, c.path + "." + key, m[key]}
}

func describeJSON(v any) string {
	switch v.(type) {
	case nil:
		return "null or missing"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case float64:
		return "a number"
	}
	return "true or false"
}

// kind returns the field "type" of an object.
func (c config) kind() string {
	if _, ok := c.value.(map[string]any); !ok {
		c.fail("should be an object with a \"type\", not %s", describeJSON(c.value))
		return ""
	}
	return c.get("type").str()
}

// str reads a string that must be there.
func (c config) str() string {
	s, ok := c.value.(string)
	if !ok {
		c.fail("should be a string, not %s", describeJSON(c.value))
	}
	return s
}

// strOr reads a string that may be absent.
func (c config) strOr(absent string) string {
	if c.isNull() {
		return absent
	}
	return c.str()
}

// char reads a string of one character.
func (c config) char() rune {
	s := c.str()
	r, n := utf8.DecodeRuneInString(s)
	if n != len(s) || n == 0 {
		c.fail("should be a single character, not %q", s)
	}
	return r
}

// boolOr reads a truth value that may be absent.
func (c config) boolOr(absent bool) bool {
	if c.isNull() {
		return absent
	}
	b, ok := c.value.(bool)
	if !ok {
		c.fail("should be true or false, not %s", describeJSON(c.value))
	}
	return b
}

// intOr reads a whole number from 0 to 2^32-1 that may be absent.
func (c config) intOr(absent int) int {
	if c.isNull() {
		return absent
	}
	f, ok := c.value.(float64)
	if !ok || f != float64(int64(f)) || f < 0 || f > 1<<32-1 {
		c.fail("should be a whole number from 0 to %d, not %v", uint32(1<<32-1), c.value)
		return 0
	}
	return int(f)
}

// list returns the elements of a list.
func (c config) list() []config {
	l, ok := c.value.([]any)
	if !ok {
		c.fail("should be a list, not %s", describeJSON(c.value))
	}
	out := make([]config, len(l))
	for i, v := range l {
		out[i] = config{c.doc, fmt.Sprintf("%s[%d]", c.path, i), v}
	}
	return out
}

// keys returns the fields of an object in order of name.
func (c config) keys() []string {
	m, ok := c.value.(map[string]any)
	if !ok {
		c.fail("should be an object, not %s", describeJSON(c.value))
	}
	return slices.Sorted(maps.Keys(m))
}

// unknown fails for a value that is none of those known.
func (c config) unknown(what, got string, known ...string) {
	c.fail("unknown %s %q (known: %s)", what, got, strings.Join(known, ", "))
}

// pattern reads {"String": …} or {"Regex": …}.
func (c config) pattern() (text, regex string) {
	switch p := c.value.(type) {
	case string:
		return p, ""
	case map[string]any:
		if _, ok := p["Regex"]; ok {
			return "", c.get("Regex").str()
		}
		if _, ok := p["String"]; ok {
			return c.get("String").str(), ""
		}
	}
	c.fail("should be {\"String\": …} or {\"Regex\": …}")
	return "", ""
}
