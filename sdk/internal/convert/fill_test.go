package convert

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// full returns a T all of whose fields are set, so that a field that a
// conversion forgets shows up in the round trip.
func full[T any](t *testing.T) T {
	t.Helper()
	var value T
	f := filler{t: t}
	f.fill(reflect.ValueOf(&value).Elem())
	return value
}

type filler struct {
	t *testing.T
	n int64
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case secret.Secret:
		v.Set(reflect.ValueOf(secret.New(fmt.Sprint("secret ", f.n))))
		return
	case option.Values:
		v.Set(reflect.ValueOf(option.Values{
			"string": "s", "int": int64(-1), "float": 1.5, "bool": true, "duration": time.Minute,
			"list": []string{"a", "b"}, "map": map[string]string{"k": "v"}, "json": []byte(`{}`), "secret": secret.New("x"),
		}))
		return
	case time.Duration:
		v.SetInt(f.n * int64(time.Microsecond)) // what the coarsest field keeps
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.n)
	case reflect.Uint8:
		v.SetUint(1) // an enumeration's first
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) / 2)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	default:
		f.t.Fatalf("cannot fill a %v", v.Type())
	}
}

// unset names the fields of a message, and of those in it, that are not set.
func unset(m proto.Message) []string {
	var names []string
	message := m.ProtoReflect()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !message.Has(field) {
			if field.ContainingOneof() == nil || field.ContainingOneof().IsSynthetic() {
				names = append(names, string(field.FullName()))
			}
			continue
		}
		switch {
		case field.IsMap() || field.Kind() != protoreflect.MessageKind:
		case field.IsList():
			for i := range message.Get(field).List().Len() {
				names = append(names, unset(message.Get(field).List().Get(i).Message().Interface())...)
			}
		default:
			names = append(names, unset(message.Get(field).Message().Interface())...)
		}
	}
	return names
}
