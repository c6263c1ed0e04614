package openaiwire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// member is one field of a JSON object whose order is kept.
type member struct {
	name  string
	value json.RawMessage // compact
}

// parseObject reads a JSON object with its order; of a name given twice the
// last value counts, at the first one's place. Empty text is an empty object.
func parseObject(text []byte) ([]member, error) {
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
	var members []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members = put(members, member{name.(string), value})
	}
	return members, nil
}

// jsonKind names what a valid JSON text is.
func jsonKind(text []byte) string {
	switch bytes.TrimSpace(text)[0] {
	case '{':
		return "an object"
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

func put(members []member, m member) []member {
	if i := indexOf(members, m.name); i >= 0 {
		members[i].value = m.value
		return members
	}
	return append(members, m)
}

func indexOf(members []member, name string) int {
	return slices.IndexFunc(members, func(m member) bool { return m.name == name })
}

func isNull(value []byte) bool   { return string(value) == "null" }
func isObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// mergeValue lays a user's value over ours: objects field by field, anything
// else replaces. Both are compact and valid.
func mergeValue(ours, users json.RawMessage) json.RawMessage {
	if !isObject(ours) || !isObject(users) {
		return users
	}
	merged, err := parseObject(ours)
	if err != nil {
		return users
	}
	patch, err := parseObject(users)
	if err != nil {
		return users
	}
	for _, p := range patch {
		i := indexOf(merged, p.name)
		switch {
		case i < 0:
			merged = append(merged, p)
		case isNull(p.value):
			merged = slices.Delete(merged, i, i+1)
		default:
			merged[i].value = mergeValue(merged[i].value, p.value)
		}
	}
	return appendObject(nil, merged)
}

func appendObject(dst []byte, members []member) []byte {
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMember(dst, m)
	}
	return append(dst, '}')
}

func appendMember(dst []byte, m member) []byte {
	dst = appendString(dst, m.name)
	dst = append(dst, ':')
	return append(dst, m.value...)
}

// field is one field of a body: of a fixed value, or written for each request.
type field struct {
	name string
	// value is the fixed value; nil where write makes it.
	value json.RawMessage
	// write appends the value for a request, or returns false to leave the
	// field out. It is used where value is nil.
	write func(dst []byte, in *bodyInput) ([]byte, bool)
}

// bodyInput is what the writers of fields see.
type bodyInput struct {
	request *backend.Request
	model   string // of Open
}

// segment is a run of fixed fields, or one field that is written.
type segment struct {
	text  []byte // members with commas between, or `"name":` where write is set
	write func(dst []byte, in *bodyInput) ([]byte, bool)
}

// template is a body of which everything fixed is already JSON. It is
// immutable.
type template struct {
	segments []segment
	stream   bool // the body asks for a stream
}

// buildTemplate lays the users' parameters over the fields, in order.
func buildTemplate(fields []field, params ...[]member) *template {
	fields = slices.Clone(fields)
	for _, patch := range params {
		for _, p := range patch {
			i := slices.IndexFunc(fields, func(f field) bool { return f.name == p.name })
			switch {
			case i < 0 && isNull(p.value):
			case i < 0:
				fields = append(fields, field{name: p.name, value: p.value})
			case isNull(p.value):
				fields = slices.Delete(fields, i, i+1)
			default:
				fields[i] = field{name: p.name, value: mergeValue(fields[i].value, p.value)}
			}
		}
	}
	t := new(template)
	var fixed []byte
	flush := func() {
		if fixed != nil {
			t.segments = append(t.segments, segment{text: fixed})
			fixed = nil
		}
	}
	for _, f := range fields {
		if f.value == nil {
			flush()
			t.segments = append(t.segments, segment{text: append(appendString(nil, f.name), ':'), write: f.write})
			continue
		}
		if f.name == "stream" {
			t.stream = string(f.value) == "true"
		}
		if fixed != nil {
			fixed = append(fixed, ',')
		}
		fixed = appendMember(fixed, member{f.name, f.value})
	}
	flush()
	return t
}

// append appends the body of one request.
func (t *template) append(dst []byte, in *bodyInput) []byte {
	dst = append(dst, '{')
	empty := true
	for _, s := range t.segments {
		before := len(dst)
		if !empty {
			dst = append(dst, ',')
		}
		dst = append(dst, s.text...)
		if s.write != nil {
			written, ok := s.write(dst, in)
			if !ok {
				dst = dst[:before]
				continue
			}
			dst = written
		}
		empty = false
	}
	return append(dst, '}')
}
