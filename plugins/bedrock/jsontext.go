package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// member is one field of a JSON object.
type member struct {
	name  string
	value json.RawMessage // compact
}

// object is a JSON object whose order is kept: the same request is the same
// bytes.
type object []member

// parseObject reads an object; of a name given twice the last value counts.
// Empty text is an empty object. The error does not quote the text.
func parseObject(text []byte) (object, error) {
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
		return nil, fmt.Errorf("it is %s", jsonKind(text))
	}
	var o object
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		o.set(name.(string), value)
	}
	return o, nil
}

// jsonKind names what a valid JSON text is.
func jsonKind(text []byte) string {
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

func (o object) index(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

// get returns a field's value; nil where there is none.
func (o object) get(name string) json.RawMessage {
	if i := o.index(name); i >= 0 {
		return o[i].value
	}
	return nil
}

func (o *object) set(name string, value json.RawMessage) {
	if i := o.index(name); i >= 0 {
		(*o)[i].value = value
		return
	}
	*o = append(*o, member{name, value})
}

func (o *object) remove(name string) {
	if i := o.index(name); i >= 0 {
		*o = slices.Delete(*o, i, i+1)
	}
}

// mergeAt lays one field over ours at "name", or at "outer.name" within an
// object, which is made where it is missing and left out where nothing is in it.
func (o *object) mergeAt(path string, value json.RawMessage) {
	outer, name, nested := strings.Cut(path, ".")
	if !nested {
		o.merge(object{{path, value}})
		return
	}
	within, err := parseObject(o.get(outer))
	if err != nil { // the user gave something else there: the API will say so
		return
	}
	within.merge(object{{name, value}})
	if len(within) == 0 {
		o.remove(outer)
		return
	}
	o.set(outer, within.text())
}

func isNull(value []byte) bool   { return string(value) == "null" }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// merge lays a user's fields over ours: objects field by field, anything else
// replaces, null leaves a field of ours out.
func (o *object) merge(users object) {
	for _, p := range users {
		i := o.index(p.name)
		switch {
		case i < 0 && isNull(p.value):
		case i < 0:
			*o = append(*o, p)
		case isNull(p.value):
			*o = slices.Delete(*o, i, i+1)
		case isObject((*o)[i].value) && isObject(p.value):
			ours, err := parseObject((*o)[i].value)
			patch, err2 := parseObject(p.value)
			if err != nil || err2 != nil {
				(*o)[i].value = p.value
				continue
			}
			ours.merge(patch)
			(*o)[i].value = ours.text()
		default:
			(*o)[i].value = p.value
		}
	}
}

func (o object) text() json.RawMessage {
	size := 2
	for _, m := range o {
		size += len(m.name) + len(m.value) + 8
	}
	b := append(make([]byte, 0, size), '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, m.name), ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

// quoted is s as a JSON string.
func quoted(s string) json.RawMessage { return appendQuoted(make([]byte, 0, len(s)+2), s) }

// appendQuoted appends s as a JSON string; bytes that are no UTF-8 become
// U+FFFD, as with encoding/json.
func appendQuoted(dst []byte, s string) []byte {
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

func number(n uint32) json.RawMessage { return strconv.AppendUint(nil, uint64(n), 10) }

// list is a JSON list of values.
func list(values []json.RawMessage) json.RawMessage {
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

func quotedList(all []string) json.RawMessage {
	values := make([]json.RawMessage, len(all))
	for i, s := range all {
		values[i] = quoted(s)
	}
	return list(values)
}
