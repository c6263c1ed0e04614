package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// getattr is x.name: an attribute, else an item of that key, else undefined.
func (s *state) getattr(v value, name string) (value, error) {
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	a, ok, err := s.attribute(v, name)
	if ok || err != nil {
		return a, err
	}
	if d, ok := v.(*Dict); ok {
		if item, ok := d.lookup(name); ok {
			return item, nil
		}
	}
	return noAttribute(v, name), nil
}

func noAttribute(v value, name string) *undefined {
	return &undefined{fmt.Sprintf("'%s' has no attribute '%s'", describe(v), name)}
}

// attribute is Python's getattr() as the sandbox allows it.
func (s *state) attribute(v value, name string) (value, bool, error) {
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") && hiddenAttributes[name] {
		return unsafeAttribute(v, name), true, nil
	}
	switch x := v.(type) {
	case string:
		return textMethod(v, x, name)
	case markup:
		return textMethod(v, string(x), name)
	case *Dict:
		return dictMethod(x, name)
	case *List:
		return listMethod(x, x.items, name, true)
	case *tuple:
		if x.group && name == "grouper" {
			return x.items[0], true, nil
		}
		if x.group && name == "list" {
			return x.items[1], true, nil
		}
		return listMethod(x, x.items, name, false)
	case *namespaceOf:
		a, ok := x.attrs.lookup(name)
		return a, ok, nil
	case *loopOf:
		return x.attr(name)
	case *cyclerOf:
		a, ok := x.attr(name)
		return a, ok, nil
	case *macroOf:
		return macroAttribute(x, name)
	case rangeOf:
		switch name {
		case "start":
			return x.start, true, nil
		case "stop":
			return x.stop(), true, nil
		case "step":
			return x.step, true, nil
		case "count", "index":
			items, err := s.items(x)
			if err != nil {
				return nil, false, err
			}
			return listMethod(x, items, name, false)
		}
	case float64:
		if name == "is_integer" {
			return &function{name, func(*state, *callArgs) (value, error) { return x == math.Trunc(x), nil }}, true, nil
		}
	case bool, int64, *big.Int:
		return integerAttribute(x, name)
	}
	return nil, false, nil
}

func integerAttribute(v value, name string) (value, bool, error) {
	switch name {
	case "real", "numerator":
		return normalInt(toBig(v)), true, nil
	case "imag":
		return int64(0), true, nil
	case "denominator":
		return int64(1), true, nil
	case "bit_length":
		return &function{name, func(*state, *callArgs) (value, error) { return int64(toBig(v).BitLen()), nil }}, true, nil
	}
	return nil, false, nil
}

func macroAttribute(m *macroOf, name string) (value, bool, error) {
	switch name {
	case "name":
		if m.def.name == "" {
			return nil, true, nil
		}
		return m.def.name, true, nil
	case "arguments":
		t := &tuple{}
		for _, p := range m.def.params {
			t.items = append(t.items, p)
		}
		return t, true, nil
	case "catch_kwargs":
		return m.def.kwargs, true, nil
	case "catch_varargs":
		return m.def.varargs, true, nil
	case "caller":
		return m.def.caller, true, nil
	}
	return nil, false, nil
}

// hiddenAttributes are those that every Python object has and the sandbox hides.
var hiddenAttributes = map[string]bool{
	"__class__": true, "__dict__": true, "__doc__": true, "__init__": true, "__new__": true, "__repr__": true,
	"__str__": true, "__eq__": true, "__ne__": true, "__lt__": true, "__gt__": true, "__le__": true, "__ge__": true,
	"__hash__": true, "__dir__": true, "__format__": true, "__sizeof__": true, "__reduce__": true,
	"__reduce_ex__": true, "__getattribute__": true, "__setattr__": true, "__delattr__": true,
	"__init_subclass__": true, "__subclasshook__": true, "__call__": true, "__len__": true, "__iter__": true,
	"__getitem__": true, "__setitem__": true, "__contains__": true, "__add__": true, "__mul__": true,
	"__globals__": true, "__code__": true, "__mro__": true, "__subclasses__": true, "__bases__": true,
}

func unsafeAttribute(v value, name string) *undefined {
	return &undefined{fmt.Sprintf("access to attribute '%s' of '%s' object is unsafe", name, typeName(v))}
}

// getitem is x[key]: an item, else for a string an attribute of that name, else undefined.
func (s *state) getitem(v, key value) (value, error) {
	switch x := v.(type) {
	case *undefined:
		return nil, x.err()
	case *Dict:
		if item, ok := x.lookup(key); ok {
			return item, nil
		}
	case *List:
		if i, ok := index(key, len(x.items)); ok {
			return x.items[i], nil
		}
	case *tuple:
		if i, ok := index(key, len(x.items)); ok {
			return x.items[i], nil
		}
	case string:
		if c, ok := charAt(x, key); ok {
			return c, s.step(len(x) / 64)
		}
	case markup:
		if c, ok := charAt(string(x), key); ok {
			return markup(c), s.step(len(x) / 64)
		}
	case rangeOf:
		if i, ok := index(key, int(x.n)); ok {
			return x.at(int64(i)), nil
		}
	}
	name, ok := text(key)
	if !ok {
		r, err := s.repr(key)
		if err != nil {
			r = typeName(key)
		}
		return &undefined{fmt.Sprintf("%s has no element %s", describe(v), oneLine(r))}, nil
	}
	a, ok, err := s.attribute(v, name)
	if ok || err != nil {
		return a, err
	}
	return noAttribute(v, name), nil
}

func index(key value, n int) (int, bool) {
	i, ok := integer(key)
	if !ok {
		return 0, false
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func charAt(s string, key value) (string, bool) {
	if _, ok := integer(key); !ok {
		return "", false
	}
	if isASCII(s) {
		if i, ok := index(key, len(s)); ok {
			return s[i : i+1], true
		}
		return "", false
	}
	r := []rune(s)
	if i, ok := index(key, len(r)); ok {
		return string(r[i]), true
	}
	return "", false
}

// slice is x[start:stop:step]; a bound that is nil is absent.
func (s *state) slice(v value, bounds [3]value) (value, error) {
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	n := 0
	var items []value
	var runes []rune
	t, isText := text(v)
	switch x := v.(type) {
	case string, markup:
		if err := s.allocate(len(t)); err != nil {
			return nil, err
		}
		if isASCII(t) {
			n = len(t)
		} else {
			runes = []rune(t)
			n = len(runes)
		}
	case *List:
		items, n = x.items, len(x.items)
	case *tuple:
		items, n = x.items, len(x.items)
	case rangeOf:
		n = int(x.n)
	default:
		return nil, fmt.Errorf("'%s' object is not subscriptable", typeName(v))
	}
	start, step, count, err := sliceBounds(bounds, n)
	if err != nil {
		return nil, err
	}
	if r, ok := v.(rangeOf); ok {
		return rangeOf{start: r.at(int64(start)), step: r.step * int64(step), n: int64(count)}, nil
	}
	if isText {
		out := pick(t, runes, start, step, count)
		if _, ok := v.(markup); ok {
			return markup(out), nil
		}
		return out, nil
	}
	if err := s.allocateItems(count); err != nil {
		return nil, err
	}
	out := make([]value, count)
	for i := range out {
		out[i] = items[start+i*step]
	}
	if isList(v) {
		return &List{items: out}, nil
	}
	return &tuple{items: out}, nil
}

// pick takes count characters of a text, which is given as runes unless it is ASCII.
func pick(t string, runes []rune, start, step, count int) string {
	if count == 0 {
		return ""
	}
	if runes == nil {
		if step == 1 {
			return t[start : start+count]
		}
		out := make([]byte, count)
		for i := range out {
			out[i] = t[start+i*step]
		}
		return string(out)
	}
	if step == 1 {
		return string(runes[start : start+count])
	}
	out := make([]rune, count)
	for i := range out {
		out[i] = runes[start+i*step]
	}
	return string(out)
}

// sliceBounds resolves a slice of n items to its first index, its step and its number of items.
func sliceBounds(bounds [3]value, n int) (start, step, count int, err error) {
	var given [3]*int
	for i, b := range bounds {
		switch b := b.(type) {
		case nil:
		case *undefined:
			return 0, 0, 0, b.err()
		case *big.Int:
			x := math.MaxInt32
			if b.Sign() < 0 {
				x = -x
			}
			given[i] = &x
		default:
			k, ok := integer(b)
			if !ok {
				return 0, 0, 0, errors.New("slice indices must be integers or None")
			}
			x := int(min(max(k, -math.MaxInt32), math.MaxInt32))
			given[i] = &x
		}
	}
	step = 1
	if given[2] != nil {
		if step = *given[2]; step == 0 {
			return 0, 0, 0, errors.New("slice step cannot be zero")
		}
	}
	low, high := 0, n
	start, stop := 0, n
	if step < 0 {
		low, high = -1, n-1
		start, stop = n-1, -1
	}
	clamp := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	start, stop = clamp(given[0], start), clamp(given[1], stop)
	switch {
	case step > 0 && stop > start:
		count = (stop-start-1)/step + 1
	case step < 0 && stop < start:
		count = (start-stop-1)/-step + 1
	}
	if count == 0 {
		start = 0
	}
	return start, step, count, nil
}

// method wraps a function that takes positional arguments only, between least and most of them.
func method(name string, least, most int, f func(s *state, a []value) (value, error)) (value, bool, error) {
	return &function{name, func(s *state, a *callArgs) (value, error) {
		if len(a.names) > 0 {
			return nil, fmt.Errorf("%s() takes no keyword arguments", name)
		}
		if len(a.pos) < least || len(a.pos) > most {
			return nil, fmt.Errorf("%s() takes %d to %d arguments (%d given)", name, least, most, len(a.pos))
		}
		return f(s, a.pos)
	}}, true, nil
}

func dictMethod(d *Dict, name string) (value, bool, error) {
	switch name {
	case "get":
		return method(name, 1, 2, func(_ *state, a []value) (value, error) {
			if _, err := hashKey(a[0], 0); err != nil {
				return nil, err
			}
			if v, ok := d.lookup(a[0]); ok {
				return v, nil
			}
			if len(a) == 2 {
				return a[1], nil
			}
			return nil, nil
		})
	case "items", "keys", "values":
		return method(name, 0, 0, func(*state, []value) (value, error) { return dictView{d, name}, nil })
	case "copy":
		return method(name, 0, 0, func(s *state, _ []value) (value, error) {
			return d.copy(), s.allocateItems(2 * d.Len())
		})
	case "clear", "pop", "popitem", "setdefault", "update", "fromkeys":
		return unsafeAttribute(d, name), true, nil
	}
	return nil, false, nil
}

func listMethod(v value, items []value, name string, isList bool) (value, bool, error) {
	switch name {
	case "count":
		return method(name, 1, 1, func(s *state, a []value) (value, error) {
			n := int64(0)
			for _, x := range items {
				same, err := s.equal(x, a[0], 0)
				if err != nil {
					return nil, err
				}
				if same {
					n++
				}
			}
			return n, nil
		})
	case "index":
		return method(name, 1, 3, func(s *state, a []value) (value, error) {
			start, _, count, err := sliceBounds([3]value{optional(a, 1), optional(a, 2), nil}, len(items))
			if err != nil {
				return nil, err
			}
			for i := start; i < start+count; i++ {
				same, err := s.equal(items[i], a[0], 0)
				if same || err != nil {
					return int64(i), err
				}
			}
			return nil, errors.New("the item looked for by index() is not in the list")
		})
	}
	if !isList {
		return nil, false, nil
	}
	switch name {
	case "copy":
		return method(name, 0, 0, func(s *state, _ []value) (value, error) {
			c, err := s.join(items, nil)
			return &List{items: c}, err
		})
	case "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort":
		return unsafeAttribute(v, name), true, nil
	}
	return nil, false, nil
}

// optional returns an optional argument, nil where it is absent.
func optional(a []value, i int) value {
	if i < len(a) {
		return a[i]
	}
	return nil
}
