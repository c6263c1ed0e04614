package tokenizer

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonReader reads JSON front to back. encoding/json would take seconds for the 30 MB files
// of large vocabularies; this reader hands out tokens and merges without building a tree.
type jsonReader struct {
	data []byte
	pos  int
	buf  []byte // the last string, where it had escapes
}

const maxJSONDepth = 200

// A syntaxError says where in a file something is wrong.
type syntaxError struct {
	line, column int
	what         string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.line, e.column, e.what)
}

func (r *jsonReader) errorf(format string, args ...any) error {
	pos := min(r.pos, len(r.data))
	before := r.data[:pos]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return &syntaxError{line, column, fmt.Sprintf(format, args...)}
}

// next skips blanks and returns the next byte without consuming it; 0 at the end.
func (r *jsonReader) next() byte {
	for ; r.pos < len(r.data); r.pos++ {
		switch b := r.data[r.pos]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// expect consumes the byte b.
func (r *jsonReader) expect(b byte) error {
	if got := r.next(); got != b {
		return r.unexpected(strconv.QuoteRune(rune(b)))
	}
	r.pos++
	return nil
}

func (r *jsonReader) unexpected(want string) error {
	if r.next() == 0 && r.pos >= len(r.data) {
		return r.errorf("the file ends where %s should be", want)
	}
	c, _ := utf8.DecodeRune(r.data[r.pos:])
	return r.errorf("found %q where %s should be", c, want)
}

// object calls field for each key of an object; field must consume the value.
func (r *jsonReader) object(field func(key string) error) error {
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.next() == '}' {
		r.pos++
		return nil
	}
	for {
		raw, err := r.str()
		if err != nil {
			return err
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		if err := field(string(raw)); err != nil {
			return err
		}
		if r.next() == ',' {
			r.pos++
			continue
		}
		return r.expect('}')
	}
}

// array calls element for each element of an array; element must consume it.
func (r *jsonReader) array(element func(i int) error) error {
	if err := r.expect('['); err != nil {
		return err
	}
	if r.next() == ']' {
		r.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		if r.next() == ',' {
			r.pos++
			continue
		}
		return r.expect(']')
	}
}

// str reads a string. The result is valid until the next call.
func (r *jsonReader) str() ([]byte, error) {
	if r.next() != '"' {
		return nil, r.unexpected("a string")
	}
	r.pos++
	start := r.pos
	ascii := true
	for i := start; i < len(r.data); i++ {
		switch b := r.data[i]; {
		case b == '"':
			r.pos = i + 1
			if s := r.data[start:i]; ascii || utf8.Valid(s) {
				return s, nil
			}
			return nil, r.errorf("the string is not UTF-8")
		case b == '\\':
			return r.escaped(start, i)
		case b < ' ':
			r.pos = i
			return nil, r.errorf("a control character in a string")
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	r.pos = len(r.data)
	return nil, r.errorf("the file ends inside a string")
}

// escaped continues a string at its first escape.
func (r *jsonReader) escaped(start, i int) ([]byte, error) {
	out := append(r.buf[:0], r.data[start:i]...)
	for i < len(r.data) {
		b := r.data[i]
		switch {
		case b == '"':
			r.pos, r.buf = i+1, out
			if !utf8.Valid(out) {
				return nil, r.errorf("the string is not UTF-8")
			}
			return out, nil
		case b < ' ':
			r.pos = i
			return nil, r.errorf("a control character in a string")
		case b != '\\':
			out = append(out, b)
			i++
			continue
		}
		r.pos = i
		if i+1 >= len(r.data) {
			break
		}
		i += 2
		switch r.data[i-1] {
		case '"', '\\', '/':
			out = append(out, r.data[i-1])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			c, ok := r.hex4(i)
			if !ok {
				return nil, r.errorf("a bad \\u escape in a string")
			}
			i += 4
			if utf16.IsSurrogate(c) {
				low, ok := rune(0), false
				if i+1 < len(r.data) && r.data[i] == '\\' && r.data[i+1] == 'u' {
					low, ok = r.hex4(i + 2)
				}
				if c = utf16.DecodeRune(c, low); !ok || c == utf8.RuneError {
					return nil, r.errorf("half a surrogate pair in a string")
				}
				i += 6
			}
			out = utf8.AppendRune(out, c)
		default:
			return nil, r.errorf("an unknown escape in a string")
		}
	}
	r.pos = len(r.data)
	return nil, r.errorf("the file ends inside a string")
}

func (r *jsonReader) hex4(i int) (rune, bool) {
	if i+4 > len(r.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(r.data[i:i+4]), 16, 16)
	return rune(n), err == nil
}

// number reads a number as it is written.
func (r *jsonReader) number() (string, error) {
	r.next()
	start := r.pos
	for r.pos < len(r.data) {
		switch b := r.data[r.pos]; {
		case '0' <= b && b <= '9', b == '-', b == '+', b == '.', b == 'e', b == 'E':
			r.pos++
			continue
		}
		break
	}
	if start == r.pos {
		return "", r.unexpected("a number")
	}
	return string(r.data[start:r.pos]), nil
}

// id reads a token id.
func (r *jsonReader) id() (uint32, error) {
	c := r.next()
	if c < '0' || c > '9' {
		return 0, r.unexpected("a token id")
	}
	n := uint64(0)
	for ; r.pos < len(r.data); r.pos++ {
		b := r.data[r.pos]
		if b < '0' || b > '9' {
			break
		}
		if n = n*10 + uint64(b-'0'); n > 1<<32-1 {
			return 0, r.errorf("a token id over 32 bits")
		}
	}
	if r.pos < len(r.data) {
		if b := r.data[r.pos]; b == '.' || b == 'e' || b == 'E' {
			return 0, r.errorf("a token id that is not a whole number")
		}
	}
	return uint32(n), nil
}

// value reads any value: map[string]any, []any, string, float64, bool or nil.
func (r *jsonReader) value(depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, r.errorf("values nest deeper than %d", maxJSONDepth)
	}
	switch c := r.next(); {
	case c == '{':
		m := map[string]any{}
		err := r.object(func(key string) error {
			v, err := r.value(depth + 1)
			m[key] = v
			return err
		})
		return m, err
	case c == '[':
		list := []any{}
		err := r.array(func(int) error {
			v, err := r.value(depth + 1)
			list = append(list, v)
			return err
		})
		return list, err
	case c == '"':
		s, err := r.str()
		return string(s), err
	case c == '-' || '0' <= c && c <= '9':
		start := r.pos
		s, err := r.number()
		if err != nil {
			return nil, err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			r.pos = start
			return nil, r.errorf("a malformed number")
		}
		return f, nil
	}
	for _, word := range []struct {
		text  string
		value any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if bytes.HasPrefix(r.data[r.pos:], []byte(word.text)) {
			r.pos += len(word.text)
			return word.value, nil
		}
	}
	return nil, r.unexpected("a value")
}

// end checks that nothing follows.
func (r *jsonReader) end() error {
	if r.next(); r.pos < len(r.data) {
		return r.unexpected("the end of the file")
	}
	return nil
}
