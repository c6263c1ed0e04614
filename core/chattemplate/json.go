package chattemplate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeContext reads a JSON object as a context: the order of keys is kept, and integers stay
// apart from floats, since 1 and 1.0 print differently.
func DecodeContext(jsonText []byte) (*Dict, error) {
	v, err := decodeJSON(jsonText)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("a template's context must be a JSON object, not %s", jsonKind(v))
	}
	return d, nil
}

// DecodeValue reads any JSON text as a value for [Dict.Set].
func DecodeValue(jsonText []byte) (any, error) { return decodeJSON(jsonText) }

func jsonKind(v value) string {
	switch v.(type) {
	case nil:
		return "null"
	case *List:
		return "an array"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}

func decodeJSON(jsonText []byte) (value, error) {
	if !utf8.Valid(jsonText) {
		return nil, errors.New("the JSON is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(jsonText))
	d.UseNumber()
	v, err := decodeJSONValue(d, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("malformed JSON at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("malformed JSON at byte %d: text follows the value", d.InputOffset())
	}
	return v, nil
}

func decodeJSONValue(d *json.Decoder, depth int) (value, error) {
	if depth > maxNesting {
		return nil, errTooNested
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return jsonNumber(string(t))
	case json.Delim:
		if t == '[' {
			l := &List{}
			for d.More() {
				v, err := decodeJSONValue(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, v)
			}
			_, err := d.Token()
			return l, err
		}
		o := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeJSONValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			o.put(k, v)
		}
		_, err := d.Token()
		return o, err
	}
	return t, nil // nil, bool, string
}

func jsonNumber(t string) (value, error) {
	if strings.ContainsAny(t, ".eE") {
		f, err := strconv.ParseFloat(t, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil, err
		}
		return f, nil
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n, nil
	}
	if len(t) > maxIntegerDigits {
		return nil, fmt.Errorf("an integer has more than %d digits", maxIntegerDigits)
	}
	b, ok := new(big.Int).SetString(t, 10)
	if !ok {
		return nil, fmt.Errorf("malformed number %s", t)
	}
	return normalInt(b), nil
}

// jsonWriter is json.dumps() with the arguments that transformers passes on.
type jsonWriter struct {
	s         *state
	buf       []byte
	ascii     bool
	indent    string
	indented  bool
	itemSep   string
	keySep    string
	sortNames bool
}

// toJSON is the filter tojson of transformers: tojson(ensure_ascii=False, indent=None,
// separators=None, sort_keys=False). Unlike Jinja's own it escapes nothing for HTML.
func toJSON(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys")
	if err != nil {
		return nil, err
	}
	w := &jsonWriter{s: s, itemSep: ", ", keySep: ": "}
	if args[0] != missing {
		if w.ascii, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	if args[1] != missing && args[1] != nil {
		w.indented = true
		w.itemSep = ","
		if t, ok := text(args[1]); ok {
			w.indent = t
		} else {
			n, err := wantInt("tojson indent", args[1])
			if err != nil {
				return nil, err
			}
			if n > 1000 {
				return nil, errors.New("tojson indents by at most 1000")
			}
			w.indent = strings.Repeat(" ", max(n, 0))
		}
	}
	if args[2] != missing && args[2] != nil {
		seps, err := s.items(args[2])
		if err != nil || len(seps) != 2 {
			return nil, errors.New("tojson needs two separators")
		}
		if w.itemSep, err = wantText("tojson separators", seps[0]); err != nil {
			return nil, err
		}
		if w.keySep, err = wantText("tojson separators", seps[1]); err != nil {
			return nil, err
		}
	}
	if args[3] != missing {
		if w.sortNames, err = truth(args[3]); err != nil {
			return nil, err
		}
	}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	return string(w.buf), s.allocate(len(w.buf))
}

func (w *jsonWriter) write(v value, depth int) error {
	if depth > maxNesting {
		return errTooNested
	}
	if len(w.buf) > maxTextBytes {
		return errTextTooLong
	}
	if err := w.s.step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case string:
		w.quote(v)
	case markup:
		w.quote(string(v))
	case *List:
		return w.list(v.items, depth)
	case *tuple:
		return w.list(v.items, depth)
	case *Dict:
		return w.dict(v, depth)
	default:
		t, ok, err := jsonScalar(v)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("a value of type %s cannot be written as JSON", typeName(v))
		}
		w.buf = append(w.buf, t...)
	}
	return nil
}

func jsonScalar(v value) (string, bool, error) {
	switch v := v.(type) {
	case nil:
		return "null", true, nil
	case bool:
		return strconv.FormatBool(v), true, nil
	case int64:
		return strconv.FormatInt(v, 10), true, nil
	case *big.Int:
		t, err := intText(v)
		return t, true, err
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", true, nil
		case math.IsInf(v, 1):
			return "Infinity", true, nil
		case math.IsInf(v, -1):
			return "-Infinity", true, nil
		}
		return floatRepr(v), true, nil
	}
	return "", false, nil
}

func (w *jsonWriter) newline(depth int) {
	if !w.indented {
		return
	}
	w.buf = append(w.buf, '\n')
	for range depth {
		w.buf = append(w.buf, w.indent...)
	}
}

func (w *jsonWriter) list(items []value, depth int) error {
	if len(items) == 0 {
		w.buf = append(w.buf, "[]"...)
		return nil
	}
	w.buf = append(w.buf, '[')
	for i, x := range items {
		if i > 0 {
			w.buf = append(w.buf, w.itemSep...)
		}
		w.newline(depth + 1)
		if err := w.write(x, depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.buf = append(w.buf, ']')
	return nil
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	if d.Len() == 0 {
		w.buf = append(w.buf, "{}"...)
		return nil
	}
	entries := d.entries
	if w.sortNames {
		var failed error
		entries = slices.Clone(entries)
		slices.SortStableFunc(entries, func(a, b dictEntry) int {
			less, err := w.s.order("<", a.key, b.key, 0)
			if err != nil {
				failed = err
			}
			if less {
				return -1
			}
			if more, _ := w.s.order(">", a.key, b.key, 0); more {
				return 1
			}
			return 0
		})
		if failed != nil {
			return failed
		}
	}
	w.buf = append(w.buf, '{')
	for i, e := range entries {
		if i > 0 {
			w.buf = append(w.buf, w.itemSep...)
		}
		w.newline(depth + 1)
		key, ok := text(e.key)
		if !ok {
			var err error
			if key, ok, err = jsonScalar(e.key); err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("keys must be str, int, float, bool or None, not %s", typeName(e.key))
			}
		}
		w.quote(key)
		w.buf = append(w.buf, w.keySep...)
		if err := w.write(e.val, depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.buf = append(w.buf, '}')
	return nil
}

func (w *jsonWriter) quote(s string) {
	b := append(w.buf, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ' || w.ascii && r >= 0x7f && r <= 0xffff && (r != 0x7f):
			b = fmt.Appendf(b, `\u%04x`, r)
		case w.ascii && r > 0xffff:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	w.buf = append(b, '"')
}
