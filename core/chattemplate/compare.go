package chattemplate

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// equal is Python's ==.
func (s *state) equal(a, b value, depth int) (bool, error) {
	if depth > maxNesting {
		return false, errTooNested
	}
	if err := s.step(1); err != nil {
		return false, err
	}
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && c == 0, nil
	}
	if x, ok := text(a); ok {
		y, ok := text(b)
		return ok && x == y, s.step(len(x) / 64)
	}
	switch x := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case *List:
		y, ok := b.(*List)
		if !ok {
			return false, nil
		}
		return s.equalItems(x.items, y.items, depth)
	case *tuple:
		y, ok := b.(*tuple)
		if !ok {
			return false, nil
		}
		return s.equalItems(x.items, y.items, depth)
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || x.Len() != y.Len() {
			return false, nil
		}
		for _, e := range x.entries {
			other, ok := y.lookup(e.key)
			if !ok {
				return false, nil
			}
			if same, err := s.equal(e.val, other, depth+1); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case rangeOf:
		y, ok := b.(rangeOf)
		return ok && x.n == y.n && (x.n == 0 || x.start == y.start && (x.n == 1 || x.step == y.step)), nil
	case dictView:
		y, ok := b.(dictView)
		if !ok || x.kind == "values" || y.kind == "values" {
			return ok && x == y, nil
		}
		if x.d.Len() != y.d.Len() {
			return false, nil
		}
		for i := range x.d.entries {
			if in, err := s.contains(y, x.at(i)); !in || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	if isNumber(b) || b == nil {
		return false, nil
	}
	if _, ok := b.(string); ok {
		return false, nil
	}
	return a == b, nil
}

func (s *state) equalItems(x, y []value, depth int) (bool, error) {
	if len(x) != len(y) {
		return false, nil
	}
	for i := range x {
		if same, err := s.equal(x[i], y[i], depth+1); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// compareNumbers orders two numbers exactly; false where one is not a number (NaN).
func compareNumbers(a, b value) (int, bool) {
	x, xInt := integer(a)
	y, yInt := integer(b)
	if xInt && yInt {
		return cmp.Compare(x, y), true
	}
	fx, xFloat := a.(float64)
	fy, yFloat := b.(float64)
	switch {
	case xFloat && math.IsNaN(fx), yFloat && math.IsNaN(fy):
		return 0, false
	case xFloat && yFloat:
		return cmp.Compare(fx, fy), true
	case xFloat && math.IsInf(fx, 0):
		return int(math.Copysign(1, fx)), true
	case yFloat && math.IsInf(fy, 0):
		return -int(math.Copysign(1, fy)), true
	case xFloat:
		return big.NewFloat(fx).Cmp(new(big.Float).SetInt(toBig(b))), true
	case yFloat:
		return new(big.Float).SetInt(toBig(a)).Cmp(big.NewFloat(fy)), true
	}
	return toBig(a).Cmp(toBig(b)), true
}

// order answers a < b, a <= b, a > b or a >= b as Python does.
func (s *state) order(op string, a, b value, depth int) (bool, error) {
	if depth > maxNesting {
		return false, errTooNested
	}
	if err := s.step(1); err != nil {
		return false, err
	}
	for _, v := range []value{a, b} {
		if u, ok := v.(*undefined); ok {
			return false, u.err()
		}
	}
	if isNumber(a) && isNumber(b) {
		c, ok := compareNumbers(a, b)
		return ok && holds(op, c), nil
	}
	if x, ok := text(a); ok {
		if y, ok := text(b); ok {
			return holds(op, strings.Compare(x, y)), s.step(min(len(x), len(y)) / 64)
		}
	}
	var x, y []value
	if l, ok := a.(*List); ok {
		if m, ok := b.(*List); ok {
			x, y = l.items, m.items
			return s.orderItems(op, x, y, depth)
		}
	}
	if l, ok := a.(*tuple); ok {
		if m, ok := b.(*tuple); ok {
			x, y = l.items, m.items
			return s.orderItems(op, x, y, depth)
		}
	}
	return false, fmt.Errorf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

func (s *state) orderItems(op string, x, y []value, depth int) (bool, error) {
	for i := range min(len(x), len(y)) {
		same, err := s.equal(x[i], y[i], depth+1)
		if err != nil {
			return false, err
		}
		if !same {
			return s.order(op, x[i], y[i], depth+1)
		}
	}
	return holds(op, cmp.Compare(len(x), len(y))), nil
}

func holds(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// contains is Python's "item in container".
func (s *state) contains(container, item value) (bool, error) {
	switch c := container.(type) {
	case string, markup:
		whole, _ := text(c)
		part, ok := text(item)
		if !ok {
			if u, ok := item.(*undefined); ok {
				return false, u.err()
			}
			return false, fmt.Errorf("'in <string>' requires string as left operand, not %s", typeName(item))
		}
		return strings.Contains(whole, part), s.step(len(whole) / 64)
	case *Dict:
		if _, err := hashKey(item, 0); err != nil {
			return false, err
		}
		_, ok := c.lookup(item)
		return ok, nil
	case dictView:
		if c.kind == "keys" {
			return s.contains(c.d, item)
		}
	case *namespaceOf:
		return false, fmt.Errorf("argument of type '%s' is not iterable", typeName(c))
	}
	it, _, err := s.iterate(container)
	if err != nil {
		return false, fmt.Errorf("argument of type '%s' is not iterable", typeName(container))
	}
	for {
		x, ok, err := it()
		if err != nil || !ok {
			return false, err
		}
		if same, err := s.equal(x, item, 0); same || err != nil {
			return same, err
		}
	}
}
