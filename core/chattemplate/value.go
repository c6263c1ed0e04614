package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// A value is what a template computes with: nil (None), bool, int64, *big.Int (only outside the
// range of int64), float64, string, markup, *List, *tuple, *Dict, *undefined, or one of the objects
// below. Lists and dictionaries are never changed once a template can see them.
type value = any

// markup is a string that |safe or |escape has marked: joining it to a plain string escapes that.
type markup string

// List is a Python list.
type List struct{ items []value }

type tuple struct {
	items []value
	group bool // of the groupby filter: has .grouper and .list
}

// undefined is the value of a name or attribute that is not there.
type undefined struct {
	message string
}

func undefinedName(name string) *undefined {
	return &undefined{"'" + name + "' is undefined"}
}

func (u *undefined) err() error { return errors.New(u.message) }

// iterator is a Python generator: its items can be had once, in order.
type iterator struct {
	kind  string
	next  func() (value, bool, error)
	depth int // of generators that feed it
}

// generator makes a generator that reads from another value. They can feed one another only so
// deep, since each takes stack when the last one is read.
func generator(source value, next nextFunc) (value, error) {
	depth := 1
	if it, ok := source.(*iterator); ok {
		if depth += it.depth; depth > maxGenerators {
			return nil, fmt.Errorf("more than %d generators are nested", maxGenerators)
		}
	}
	return &iterator{"generator", next, depth}, nil
}

type rangeOf struct{ start, step, n int64 }

func (r rangeOf) at(i int64) int64 { return r.start + i*r.step }

// dictView is dict.keys(), .values() or .items().
type dictView struct {
	d    *Dict
	kind string // keys, values, items
}

func (v dictView) at(i int) value {
	e := v.d.entries[i]
	switch v.kind {
	case "keys":
		return e.key
	case "values":
		return e.val
	}
	return &tuple{items: []value{e.key, e.val}}
}

// namespaceOf is what namespace() makes: the one object that a template may change.
type namespaceOf struct{ attrs *Dict }

// function is anything that a template can call.
type function struct {
	name string
	call func(s *state, a *callArgs) (value, error)
}

// Dict is a Python dict: it keeps the order in which keys were first set. It must not be changed
// while it is being rendered; any number of renderings may share it.
type Dict struct {
	entries []dictEntry
	index   map[any]int // from dictIndexed entries on
}

type dictEntry struct {
	key, val value
}

const dictIndexed = 9

// NewDict returns an empty dictionary.
func NewDict() *Dict { return &Dict{} }

// Len is the number of keys.
func (d *Dict) Len() int { return len(d.entries) }

// Get returns the value of a key.
func (d *Dict) Get(key string) (any, bool) { return d.lookup(key) }

// Set sets a key to a Go value: nil, bool, an integer, a float, string, []any, []string, *Dict, *List
// or map[string]any (whose keys are taken in sorted order). It panics on any other type, which is a
// mistake of the caller and never comes from data.
func (d *Dict) Set(key string, v any) {
	converted, err := fromGo(v)
	if err != nil {
		panic("chattemplate: Dict.Set: " + err.Error())
	}
	d.put(key, converted)
}

func fromGo(v any) (value, error) {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *Dict, *List:
		return v, nil
	case int:
		return int64(v), nil
	case *big.Int:
		return normalInt(v), nil
	case []string:
		l := &List{items: make([]value, len(v))}
		for i, s := range v {
			l.items[i] = s
		}
		return l, nil
	case []any:
		l := &List{items: make([]value, len(v))}
		for i, x := range v {
			c, err := fromGo(x)
			if err != nil {
				return nil, err
			}
			l.items[i] = c
		}
		return l, nil
	case map[string]any:
		d := NewDict()
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			c, err := fromGo(v[k])
			if err != nil {
				return nil, err
			}
			d.put(k, c)
		}
		return d, nil
	}
	return nil, fmt.Errorf("a %T has no counterpart in a template", v)
}

// put sets a key that hashes (see hashKey); unhashable keys are the caller's to refuse.
func (d *Dict) put(key, v value) {
	h, err := hashKey(key, 0)
	if err != nil {
		return
	}
	if i := d.find(key, h); i >= 0 {
		d.entries[i].val = v
		return
	}
	d.entries = append(d.entries, dictEntry{key, v})
	switch {
	case d.index != nil:
		d.index[h] = len(d.entries) - 1
	case len(d.entries) >= dictIndexed:
		d.index = make(map[any]int, 2*dictIndexed)
		for i, e := range d.entries {
			eh, _ := hashKey(e.key, 0)
			d.index[eh] = i
		}
	}
}

func (d *Dict) find(key value, h any) int {
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	if s, ok := key.(string); ok {
		for i := range d.entries {
			if k, ok := d.entries[i].key.(string); ok && k == s {
				return i
			}
			if k, ok := d.entries[i].key.(markup); ok && string(k) == s {
				return i
			}
		}
		return -1
	}
	for i := range d.entries {
		if eh, _ := hashKey(d.entries[i].key, 0); eh == h {
			return i
		}
	}
	return -1
}

// lookup finds a key that is known to hash.
func (d *Dict) lookup(key value) (value, bool) {
	h, err := hashKey(key, 0)
	if err != nil {
		return nil, false
	}
	if i := d.find(key, h); i >= 0 {
		return d.entries[i].val, true
	}
	return nil, false
}

func (d *Dict) copy() *Dict {
	c := NewDict()
	c.entries = slices.Grow(c.entries, len(d.entries))
	for _, e := range d.entries {
		c.put(e.key, e.val)
	}
	return c
}

type (
	noneKey  struct{}
	tupleKey string
	bigKey   string
)

// hashKey maps equal values to equal Go map keys: 1, 1.0 and True are one key in Python.
func hashKey(v value, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errTooNested
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case markup:
		return string(v), nil
	case nil:
		return noneKey{}, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v), nil
		}
		return math.Float64bits(v), nil
	case *big.Int:
		return bigKey(v.Text(62)), nil
	case *tuple:
		var b strings.Builder
		for _, x := range v.items {
			h, err := hashKey(x, depth+1)
			if err != nil {
				return nil, err
			}
			s := fmt.Sprintf("%T:%v", h, h)
			b.WriteString(strconv.Itoa(len(s)))
			b.WriteByte(':')
			b.WriteString(s)
			if b.Len() > 1<<20 {
				return nil, errors.New("a tuple is too long for a key")
			}
		}
		return tupleKey(b.String()), nil
	case *undefined:
		return undefined{}, nil
	case *List, *Dict, dictView, *namespaceOf:
		return nil, fmt.Errorf("unhashable type: '%s'", typeName(v))
	case rangeOf:
		return v, nil
	}
	return v, nil // objects: by identity
}

var errTooNested = errors.New("values are nested too deeply")

// typeName is the name that Python gives the type, for messages.
func typeName(v value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *List:
		return "list"
	case *tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *iterator:
		return v.kind
	case rangeOf:
		return "range"
	case dictView:
		return "dict_" + v.kind
	case *namespaceOf:
		return "Namespace"
	case *loopOf:
		return "LoopContext"
	case *macroOf:
		return "Macro"
	case *cyclerOf:
		return "Cycler"
	case *joinerOf:
		return "Joiner"
	}
	return "function"
}

// describe names an object as messages about a missing attribute do.
func describe(v value) string {
	switch v.(type) {
	case nil:
		return "None"
	case *Dict, *List, string, int64, *big.Int, float64, bool, *tuple:
		return typeName(v) + " object"
	}
	return typeName(v) + " object"
}

func truth(v value) (bool, error) {
	switch v := v.(type) {
	case nil, *undefined:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case *big.Int:
		return v.Sign() != 0, nil
	case float64:
		return v != 0, nil
	case string:
		return v != "", nil
	case markup:
		return v != "", nil
	case *List:
		return len(v.items) > 0, nil
	case *tuple:
		return len(v.items) > 0, nil
	case *Dict:
		return len(v.entries) > 0, nil
	case dictView:
		return len(v.d.entries) > 0, nil
	case rangeOf:
		return v.n > 0, nil
	case *loopOf:
		n, err := v.length()
		return n > 0, err
	}
	return true, nil
}

// text returns the text of a string or markup.
func text(v value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// integer returns the value of an int or bool that fits 64 bits.
func integer(v value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func isNumber(v value) bool {
	switch v.(type) {
	case bool, int64, float64, *big.Int:
		return true
	}
	return false
}

func normalInt(b *big.Int) value {
	if b.IsInt64() {
		return b.Int64()
	}
	return b
}

func toBig(v value) *big.Int {
	switch v := v.(type) {
	case *big.Int:
		return v
	case int64:
		return big.NewInt(v)
	case bool:
		if v {
			return big.NewInt(1)
		}
	}
	return new(big.Int)
}

func toFloat(v value) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	}
	n, _ := integer(v)
	return float64(n)
}
