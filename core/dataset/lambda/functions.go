package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// environment is what a lambda sees beside Starlark's own functions.
func environment() starlark.StringDict {
	env := starlark.StringDict{}
	for name, f := range map[string]func(args starlark.Tuple) (starlark.Value, error){
		callIndex: index, callSlice: slice, callBinary: binary, callAttribute: attribute,
		"len": length, "str": str, "repr": repr, "sum": sum, "range": boundedRange,
	} {
		env[name] = starlark.NewBuiltin(name, func(_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
			if len(named) > 0 {
				return nil, fmt.Errorf("%s: takes no named arguments", name)
			}
			return f(args)
		})
	}
	for _, name := range []string{"getattr", "hasattr", "dir", "fail", "print"} {
		env[name] = starlark.NewBuiltin(name, func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
			return nil, fmt.Errorf("%s is not available", name)
		})
	}
	env[callMethod] = starlark.NewBuiltin(callMethod, method)
	return env
}

var errTooLarge = fmt.Errorf("makes a value of more than %d MiB", valueBytesMax>>20)

// fits refuses values whose text would be too large.
func fits(values ...starlark.Value) error {
	left := int64(valueBytesMax)
	for _, v := range values {
		if left -= sizeOf(v, left); left < 0 {
			return errTooLarge
		}
	}
	return nil
}

// sizeOf is about the length of a value's text; it stops counting above most.
func sizeOf(v starlark.Value, most int64) int64 {
	switch v := v.(type) {
	case starlark.String:
		return int64(len(v)) + 2
	case starlark.Bytes:
		return 4 * int64(len(v))
	case starlark.Int:
		return int64(v.BigInt().BitLen()/3) + 2
	case *record:
		return most + 1 // its text is of no use
	case *starlark.Dict:
		size := int64(2)
		for _, item := range v.Items() {
			if size += 4 + sizeOf(item[0], most-size) + sizeOf(item[1], most-size); size > most {
				return size
			}
		}
		return size
	case starlark.Iterable:
		size := int64(2)
		iter := v.Iterate()
		defer iter.Done()
		for item := starlark.Value(nil); iter.Next(&item); {
			if size += 2 + sizeOf(item, most-size); size > most {
				return size
			}
		}
		return size
	}
	return 16
}

func arguments(name string, args starlark.Tuple, least, most int) error {
	if len(args) < least || len(args) > most {
		return fmt.Errorf("%s: wrong number of arguments: %d", name, len(args))
	}
	return nil
}

// index is x[key]: of texts by characters.
func index(args starlark.Tuple) (starlark.Value, error) {
	x, key := args[0], args[1]
	if mapping, ok := x.(starlark.Mapping); ok {
		value, found, err := mapping.Get(key)
		if err == nil && !found {
			err = fmt.Errorf("there is no key %s", key)
			if r, ok := x.(*record); ok {
				err = fmt.Errorf("there is no column %s (the row has %s)", key, strings.Join(r.names(), ", "))
			}
		}
		return value, err
	}
	i, err := starlark.AsInt32(key)
	if err != nil {
		return nil, fmt.Errorf("%s is no index of a %s", clip(key.String()), x.Type())
	}
	at := func(n int) (int, error) {
		k := i
		if k < 0 {
			k += n
		}
		if k < 0 || k >= n {
			return 0, fmt.Errorf("index %d is out of range, of %d", i, n)
		}
		return k, nil
	}
	switch x := x.(type) {
	case starlark.String:
		runes := []rune(string(x))
		k, err := at(len(runes))
		if err != nil {
			return nil, err
		}
		return starlark.String(runes[k]), nil
	case starlark.Indexable:
		k, err := at(x.Len())
		if err != nil {
			return nil, err
		}
		return x.Index(k), nil
	}
	return nil, fmt.Errorf("a %s has no elements", x.Type())
}

// slice is x[low:high:step], of texts by characters.
func slice(args starlark.Tuple) (starlark.Value, error) {
	var numbers [3]*int
	for i, a := range args[1:] {
		if a == starlark.None {
			continue
		}
		n, err := starlark.AsInt32(a)
		if err != nil {
			return nil, fmt.Errorf("%s is no bound of a slice", clip(a.String()))
		}
		numbers[i] = &n
	}
	step := 1
	if numbers[2] != nil {
		step = *numbers[2]
	}
	if step == 0 {
		return nil, errors.New("the step of a slice is 0")
	}
	switch x := args[0].(type) {
	case starlark.String:
		var out []rune
		runes := []rune(string(x))
		low, high := bounds(len(runes), numbers[0], numbers[1], step)
		for i := low; step > 0 && i < high || step < 0 && i > high; i += step {
			out = append(out, runes[i])
		}
		return starlark.String(out), nil
	case starlark.Sliceable:
		low, high := bounds(x.Len(), numbers[0], numbers[1], step)
		return x.Slice(low, high, step), nil
	}
	return nil, fmt.Errorf("a %s cannot be cut", args[0].Type())
}

// bounds are Python's of a slice of n elements.
func bounds(n int, low, high *int, step int) (from, to int) {
	least, most := 0, n
	from, to = 0, n
	if step < 0 {
		least, most = -1, n-1
		from, to = n-1, -1
	}
	limit := func(given *int, other int) int {
		if given == nil {
			return other
		}
		k := *given
		if k < 0 {
			k += n
		}
		return max(least, min(k, most))
	}
	from, to = limit(low, from), limit(high, to)
	if step > 0 && to < from || step < 0 && to > from {
		to = from
	}
	return from, to
}

// binary is +, * and % with bounds.
func binary(args starlark.Tuple) (starlark.Value, error) {
	op, _ := starlark.AsString(args[0])
	x, y := args[1], args[2]
	token := map[string]syntax.Token{"+": syntax.PLUS, "*": syntax.STAR, "%": syntax.PERCENT}[op]
	switch token {
	case syntax.PLUS, syntax.PERCENT:
		if _, isText := x.(starlark.String); isText || token == syntax.PLUS {
			if err := fits(x, y); err != nil {
				return nil, err
			}
		}
	case syntax.STAR:
		if err := timesFits(x, y); err != nil {
			return nil, err
		}
	}
	return starlark.Binary(token, x, y)
}

// timesFits bounds x * y: of a sequence by a number, and of numbers.
func timesFits(x, y starlark.Value) error {
	n, isNumber := y.(starlark.Int)
	if !isNumber {
		n, isNumber = x.(starlark.Int)
		x, y = y, x
	}
	if !isNumber {
		return nil
	}
	if z, both := x.(starlark.Int); both {
		if z.BigInt().BitLen()+n.BigInt().BitLen() > 1<<16 {
			return errTooLarge
		}
		return nil
	}
	times, err := starlark.AsInt32(y)
	if err != nil {
		return errTooLarge
	}
	if size := sizeOf(x, valueBytesMax); times > 0 && size > int64(valueBytesMax/times) {
		return errTooLarge
	}
	return nil
}

func attribute(args starlark.Tuple) (starlark.Value, error) {
	name, _ := starlark.AsString(args[0])
	return nil, fmt.Errorf(".%s is not called (write .%s(…), or ['%s'] for a column)", name, name, name)
}

func length(args starlark.Tuple) (starlark.Value, error) {
	if err := arguments("len", args, 1, 1); err != nil {
		return nil, err
	}
	if s, ok := args[0].(starlark.String); ok {
		return starlark.MakeInt(utf8.RuneCountInString(string(s))), nil
	}
	n := starlark.Len(args[0])
	if n < 0 {
		return nil, fmt.Errorf("a %s has no length", args[0].Type())
	}
	return starlark.MakeInt(n), nil
}

func str(args starlark.Tuple) (starlark.Value, error) {
	if err := arguments("str", args, 0, 1); err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return starlark.String(""), nil
	}
	if s, ok := args[0].(starlark.String); ok {
		return s, nil
	}
	return repr(args)
}

func repr(args starlark.Tuple) (starlark.Value, error) {
	if err := arguments("repr", args, 1, 1); err != nil {
		return nil, err
	}
	if err := fits(args...); err != nil {
		return nil, err
	}
	return starlark.String(args[0].String()), nil
}

// sum adds numbers, beginning with the second argument or 0.
func sum(args starlark.Tuple) (starlark.Value, error) {
	if err := arguments("sum", args, 1, 2); err != nil {
		return nil, err
	}
	items, ok := args[0].(starlark.Iterable)
	if !ok {
		return nil, fmt.Errorf("sum: a %s has no elements", args[0].Type())
	}
	total := starlark.Value(starlark.MakeInt(0))
	if len(args) == 2 {
		total = args[1]
	}
	if _, isText := total.(starlark.String); isText {
		return nil, errors.New("sum: texts are put together by ''.join")
	}
	iter := items.Iterate()
	defer iter.Done()
	for item := starlark.Value(nil); iter.Next(&item); {
		next, err := binary(starlark.Tuple{starlark.String("+"), total, item})
		if err != nil {
			return nil, fmt.Errorf("sum: %w", err)
		}
		total = next
	}
	return total, nil
}

// boundedRange is range with a bound on its length: functions that take it
// whole count no steps.
func boundedRange(args starlark.Tuple) (starlark.Value, error) {
	if err := arguments("range", args, 1, 3); err != nil {
		return nil, err
	}
	numbers := make([]int64, len(args))
	for i, a := range args {
		n, err := starlark.AsInt32(a)
		if err != nil {
			return nil, fmt.Errorf("range: %s is out of range", clip(a.String()))
		}
		numbers[i] = int64(n)
	}
	from, to, step := int64(0), numbers[0], int64(1)
	if len(numbers) > 1 {
		from, to = numbers[0], numbers[1]
	}
	if len(numbers) > 2 {
		step = numbers[2]
	}
	if step != 0 && (to-from)/step > rangeMax {
		return nil, fmt.Errorf("range: has more than %d elements", rangeMax)
	}
	return starlark.Call(&starlark.Thread{}, starlark.Universe["range"], args, nil)
}

// method is x.name(args…): texts are searched by characters, and made within
// bounds.
func method(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, named []starlark.Tuple) (starlark.Value, error) {
	x := args[0]
	name, _ := starlark.AsString(args[1])
	args = args[2:]
	holder, ok := x.(starlark.HasAttrs)
	var function starlark.Value
	if ok {
		var err error
		if function, err = holder.Attr(name); err != nil {
			return nil, err
		}
	}
	if function == nil {
		return nil, fmt.Errorf("a %s has no method %s", x.Type(), name)
	}
	if s, isText := x.(starlark.String); isText {
		switch name {
		case "find", "rfind", "index", "rindex":
			if len(args) > 1 {
				return nil, fmt.Errorf("%s: only one argument is supported (cut the text before)", name)
			}
			at, err := starlark.Call(thread, function, args, named)
			if err != nil {
				return nil, err
			}
			if i, err := starlark.AsInt32(at); err == nil && i > 0 {
				return starlark.MakeInt(utf8.RuneCountInString(string(s[:i]))), nil
			}
			return at, nil
		case "join", "format", "replace":
			if err := madeFits(s, name, args, named); err != nil {
				return nil, err
			}
		}
	}
	return starlark.Call(thread, function, args, named)
}

// madeFits bounds the text that a method makes.
func madeFits(s starlark.String, name string, args starlark.Tuple, named []starlark.Tuple) error {
	size := float64(0)
	for _, a := range args {
		size += float64(sizeOf(a, valueBytesMax))
	}
	for _, n := range named {
		size += float64(sizeOf(n[1], valueBytesMax))
	}
	switch name {
	case "join":
		if len(args) == 1 {
			size += float64(len(s)) * math.Max(float64(starlark.Len(args[0])), 0)
		}
	case "format":
		size = float64(len(s)) + size*float64(1+strings.Count(string(s), "{"))
	case "replace":
		if len(args) < 2 {
			return nil
		}
		if old, ok := starlark.AsString(args[0]); ok {
			size = float64(len(s)) + float64(strings.Count(string(s), old))*float64(sizeOf(args[1], valueBytesMax))
		}
	}
	if size > valueBytesMax {
		return errTooLarge
	}
	return nil
}

func clip(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// record is a row as a lambda sees it: like a dict that cannot be changed. Its
// values become Starlark's when they are asked for.
type record struct {
	row map[string]any
}

var (
	_ starlark.IterableMapping = (*record)(nil)
	_ starlark.HasAttrs        = (*record)(nil)
)

func (r *record) names() []string {
	names := make([]string, 0, len(r.row))
	for name := range r.row {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *record) String() string        { return "<row>" }
func (r *record) Type() string          { return "row" }
func (r *record) Freeze()               {}
func (r *record) Truth() starlark.Bool  { return len(r.row) > 0 }
func (r *record) Hash() (uint32, error) { return 0, errors.New("a row is not hashable") }
func (r *record) Len() int              { return len(r.row) }

func (r *record) Get(key starlark.Value) (starlark.Value, bool, error) {
	name, ok := starlark.AsString(key)
	if !ok {
		return nil, false, fmt.Errorf("%s is no name of a column", clip(key.String()))
	}
	value, found := r.row[name]
	if !found {
		return nil, false, nil
	}
	return toStarlark(value), true, nil
}

func (r *record) dict() *starlark.Dict {
	d := starlark.NewDict(len(r.row))
	for _, name := range r.names() {
		_ = d.SetKey(starlark.String(name), toStarlark(r.row[name])) // texts are hashable
	}
	return d
}

func (r *record) Iterate() starlark.Iterator               { return r.dict().Iterate() }
func (r *record) Items() []starlark.Tuple                  { return r.dict().Items() }
func (r *record) Attr(name string) (starlark.Value, error) { return r.dict().Attr(name) }
func (r *record) AttrNames() []string                      { return r.dict().AttrNames() }

// toStarlark turns a value of a row into one of Starlark's.
func toStarlark(v any) starlark.Value {
	switch v := v.(type) {
	case nil:
		return starlark.None
	case bool:
		return starlark.Bool(v)
	case string:
		return starlark.String(v)
	case []byte:
		if utf8.Valid(v) {
			return starlark.String(v)
		}
		return starlark.Bytes(v)
	case json.Number:
		return number(string(v))
	case int32:
		return starlark.MakeInt64(int64(v))
	case int64:
		return starlark.MakeInt64(v)
	case float32:
		return starlark.Float(v)
	case float64:
		return starlark.Float(v)
	case []any:
		items := make([]starlark.Value, len(v))
		for i, item := range v {
			items[i] = toStarlark(item)
		}
		return starlark.NewList(items)
	case map[string]any:
		d := starlark.NewDict(len(v))
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			_ = d.SetKey(starlark.String(key), toStarlark(v[key])) // texts are hashable
		}
		return d
	}
	return starlark.String(fmt.Sprint(v))
}

// number reads a number of JSON.
func number(text string) starlark.Value {
	if !strings.ContainsAny(text, ".eE") && len(text) <= 4096 {
		if n, ok := new(big.Int).SetString(text, 10); ok {
			return starlark.MakeBigInt(n)
		}
	}
	f, err := json.Number(text).Float64()
	if err != nil && !math.IsInf(f, 0) {
		return starlark.String(text)
	}
	return starlark.Float(f)
}
