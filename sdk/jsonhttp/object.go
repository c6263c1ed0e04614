package jsonhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Object is a JSON object whose fields keep their order, so that the same
// request is the same bytes.
type Object []Member

// Member is one field of an Object.
type Member struct {
	Name  string
	Value json.RawMessage // compact
}

// ParseObject reads an object; of a name given twice the last value counts.
// Empty text is an empty object. The error does not quote the text, which may
// hold secrets.
func ParseObject(text []byte) (Object, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(&compact)
	open, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, fmt.Errorf("it is %s", kindOf(text))
	}
	var o Object
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		o.Set(name.(string), value)
	}
	return o, nil
}

// kindOf names what a valid JSON text is.
func kindOf(text []byte) string {
	switch bytes.TrimSpace(text)[0] {
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

func (o Object) index(name string) int {
	return slices.IndexFunc(o, func(m Member) bool { return m.Name == name })
}

// Get returns a field's value; nil where there is none.
func (o Object) Get(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o[i].Value
	}
	return nil
}

// Set sets a field, at its place or, where it is new, at the end.
func (o *Object) Set(name string, value json.RawMessage) {
	if i := o.index(name); i >= 0 {
		(*o)[i].Value = value
		return
	}
	*o = append(*o, Member{name, value})
}

// Remove takes a field out.
func (o *Object) Remove(name string) {
	if i := o.index(name); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

// Merge lays a user's fields over ours: objects field by field, anything else
// replaces, null leaves a field of ours out.
func (o *Object) Merge(users Object) {
	for _, p := range users {
		i := o.index(p.Name)
		switch {
		case i < 0 && isNull(p.Value):
		case i < 0:
			*o = append(*o, p)
		case isNull(p.Value):
			*o = slices.Delete(*o, i, i+1)
		case isObject((*o)[i].Value) && isObject(p.Value):
			ours, err := ParseObject((*o)[i].Value)
			patch, err2 := ParseObject(p.Value)
			if err != nil || err2 != nil {
				(*o)[i].Value = p.Value
				continue
			}
			ours.Merge(patch)
			(*o)[i].Value = ours.Text()
		default:
			(*o)[i].Value = p.Value
		}
	}
}

// MergeAt lays one field over ours at "name", or at "outer.name" within an
// object, which is made where it is missing and left out where nothing is in it.
func (o *Object) MergeAt(path string, value json.RawMessage) {
	outer, name, nested := strings.Cut(path, ".")
	if !nested {
		o.Merge(Object{{path, value}})
		return
	}
	within, err := ParseObject(o.Get(outer))
	if err != nil { // the user gave something else there: the API will say so
		return
	}
	within.Merge(Object{{name, value}})
	if len(within) == 0 {
		o.Remove(outer)
		return
	}
	o.Set(outer, within.Text())
}

func isNull(value []byte) bool   { return string(value) == "null" }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// Text writes the object.
func (o Object) Text() json.RawMessage {
	size := 2
	for _, m := range o {
		size += len(m.Name) + len(m.Value) + 8
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendQuoted(b, m.Name), ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}

// Quoted is s as a JSON string.
func Quoted(s string) json.RawMessage { return AppendQuoted(make([]byte, 0, len(s)+2), s) }

// AppendQuoted appends s as a JSON string; bytes that are no UTF-8 become
// U+FFFD, as with encoding/json, and nothing is escaped for HTML.
func AppendQuoted(dst []byte, s string) []byte {
	plain := utf8.ValidString(s)
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= 0x20 && s[i] != '"' && s[i] != '\\'
	}
	if plain {
		dst = append(slices.Grow(dst, len(s)+2), '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // strings always marshal
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...)
}

// Number is a whole number as JSON.
func Number[N int | int64 | uint32](n N) json.RawMessage {
	return strconv.AppendInt(nil, int64(n), 10)
}

// List is a JSON list of values.
func List(values ...json.RawMessage) json.RawMessage {
	size := 2
	for _, v := range values {
		size += len(v) + 1
	}
	b := append(make([]byte, 0, size), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// QuotedList is a JSON list of strings.
func QuotedList(all []string) json.RawMessage {
	values := make([]json.RawMessage, len(all))
	for i, s := range all {
		values[i] = Quoted(s)
	}
	return List(values...)
}
