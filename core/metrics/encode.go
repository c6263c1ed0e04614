package metrics

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// AppendJSON appends the request as a JSON object, as encoding/json would
// write it, without its cost: one is written for every request of a benchmark
// while it runs.
func (r *Request) AppendJSON(b []byte) []byte {
	v := reflect.ValueOf(r).Elem()
	b = append(b, '{')
	first := true
	for _, f := range requestFields() {
		field := v.Field(f.index)
		if f.omitEmpty && field.IsZero() {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(append(b, f.key...), ':')
		b = appendScalar(b, field)
	}
	return append(b, '}')
}

// MarshalJSON writes what AppendJSON does.
func (r Request) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

type requestField struct {
	index     int
	key       string // quoted
	omitEmpty bool
}

// requestFields are the fields of Request by their tags.
var requestFields = sync.OnceValue(func() []requestField {
	t := reflect.TypeFor[Request]()
	var fields []requestField
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields = append(fields, requestField{i, strconv.Quote(name), options == "omitempty"})
	}
	return fields
})

func appendScalar(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Float64:
		return appendNumber(b, v.Float())
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Pointer:
		if v.IsNil() {
			return append(b, "null"...)
		}
		return appendScalar(b, v.Elem())
	}
	panic("metrics: a field of Request has type " + v.Type().String() + ", which AppendJSON does not know")
}

// appendNumber writes a number as encoding/json does, and null for none.
func appendNumber(b []byte, f float64) []byte {
	if !Value(f).Exists() {
		return append(b, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // encoding/json writes every string
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
