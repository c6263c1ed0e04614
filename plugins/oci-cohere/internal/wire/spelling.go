package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object whose values are still text.
type object = map[string]json.RawMessage

// freeForm are fields whose content is the user's own: names in it are not
// OCI's and keep their spelling.
var freeForm = map[string]bool{
	"documents": true, "metadata": true, "logitBias": true,
	"schema": true, "parameters": true, "parameterDefinitions": true, "outputs": true,
}

// ParseParams reads request parameters and brings their names into OCI's
// spelling: top_p is topP, in nested objects too. Empty text has none. Where a
// field is given in both spellings, OCI's own counts.
func ParseParams(text []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var params object
	if err := json.Unmarshal(text, &params); err != nil {
		return nil, fmt.Errorf("is no JSON object: %w", withoutContent(err))
	}
	if params == nil {
		return nil, fmt.Errorf("is no JSON object: it is null")
	}
	return respell(params), nil
}

// withoutContent keeps what a user typed out of the message.
func withoutContent(err error) error {
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		return fmt.Errorf("it is of the type %s", kind.Value)
	}
	return err
}

func respell(o object) object {
	out := make(object, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) { // capitals sort before '_': OCI's own spelling comes first
		camel := camelCase(name)
		if _, taken := out[camel]; taken && camel != name {
			continue
		}
		value := o[name]
		if !freeForm[camel] {
			value = respellValue(value)
		}
		out[camel] = value
	}
	return out
}

// respellValue respells the names in a value, where there are any.
func respellValue(value json.RawMessage) json.RawMessage {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return value
	}
	var changed any
	switch value[0] {
	case '{':
		var o object
		if json.Unmarshal(value, &o) != nil {
			return value
		}
		changed = respell(o)
	case '[':
		var all []json.RawMessage
		if json.Unmarshal(value, &all) != nil {
			return value
		}
		for i := range all {
			all[i] = respellValue(all[i])
		}
		changed = all
	default:
		return value
	}
	text, err := marshal(changed)
	if err != nil {
		return value
	}
	return text
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(value any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// camelCase turns snake_case into camelCase; a name without an underscore
// between letters stays as it is.
func camelCase(name string) string {
	words := strings.Split(name, "_")
	if len(words) == 1 || words[0] == "" || words[len(words)-1] == "" {
		return name
	}
	var b strings.Builder
	b.WriteString(words[0])
	for _, word := range words[1:] {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]))
			b.WriteString(word[1:])
		}
	}
	return b.String()
}

// merge lays a user's value over ours: objects field by field, anything else
// replaces, null takes a field out.
func merge(ours, users json.RawMessage) json.RawMessage {
	var a, b object
	if json.Unmarshal(ours, &a) != nil || json.Unmarshal(users, &b) != nil || a == nil || b == nil {
		return users
	}
	overlay(a, b)
	text, err := marshal(a)
	if err != nil {
		return users
	}
	return text
}

// overlay lays users' fields over ours, in place.
func overlay(ours, users object) {
	for name, value := range users {
		mine, there := ours[name]
		switch {
		case isNull(value):
			delete(ours, name)
		case there:
			ours[name] = merge(mine, value)
		default:
			ours[name] = value
		}
	}
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }
