package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strings"
)

// binary is Python's arithmetic: + - * / // % **.
func (s *state) binary(op string, a, b value) (value, error) {
	for _, v := range []value{a, b} {
		if u, ok := v.(*undefined); ok && !(op == "%" && isText(a)) {
			return nil, u.err()
		}
	}
	if isNumber(a) && isNumber(b) {
		return s.arithmetic(op, a, b)
	}
	switch op {
	case "+":
		return s.add(a, b)
	case "*":
		if isSequence(a) {
			return s.repeat(a, b)
		}
		if isSequence(b) {
			return s.repeat(b, a)
		}
	case "%":
		if t, ok := a.(string); ok {
			out, err := s.percent(t, b, false)
			return out, err
		}
		if t, ok := a.(markup); ok {
			out, err := s.percent(string(t), b, true)
			return markup(out), err
		}
	}
	return nil, unsupported(op, a, b)
}

func unsupported(op string, a, b value) error {
	return fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

func isSequence(v value) bool {
	switch v.(type) {
	case string, markup, *List, *tuple:
		return true
	}
	return false
}

func (s *state) add(a, b value) (value, error) {
	x, xText := text(a)
	y, yText := text(b)
	if xText && yText {
		_, xMark := a.(markup)
		_, yMark := b.(markup)
		if xMark || yMark {
			if !xMark {
				x = escapeHTML(x)
			}
			if !yMark {
				y = escapeHTML(y)
			}
			return markup(x + y), s.allocate(len(x) + len(y))
		}
		if err := s.allocate(len(x) + len(y)); err != nil {
			return nil, err
		}
		return x + y, nil
	}
	if l, ok := a.(*List); ok {
		if m, ok := b.(*List); ok {
			items, err := s.join(l.items, m.items)
			return &List{items: items}, err
		}
	}
	if l, ok := a.(*tuple); ok {
		if m, ok := b.(*tuple); ok {
			items, err := s.join(l.items, m.items)
			return &tuple{items: items}, err
		}
	}
	if xText || isList(a) {
		return nil, fmt.Errorf("can only concatenate %s (not \"%s\") to %s", typeName(a), typeName(b), typeName(a))
	}
	return nil, unsupported("+", a, b)
}

func isText(v value) bool {
	_, ok := text(v)
	return ok
}

func isList(v value) bool {
	_, ok := v.(*List)
	return ok
}

func (s *state) join(x, y []value) ([]value, error) {
	if err := s.allocateItems(len(x) + len(y)); err != nil {
		return nil, err
	}
	return append(append(make([]value, 0, len(x)+len(y)), x...), y...), nil
}

func (s *state) repeat(seq, times value) (value, error) {
	n, ok := integer(times)
	if !ok {
		if _, big := times.(*big.Int); big {
			return nil, errTextTooLong
		}
		return nil, fmt.Errorf("can't multiply sequence by non-int of type '%s'", typeName(times))
	}
	n = max(n, 0)
	if t, ok := text(seq); ok {
		if hi, lo := bits.Mul64(uint64(n), uint64(len(t))); hi != 0 || lo > maxTextBytes {
			return nil, errTextTooLong
		}
		if t == "" {
			n = 0
		}
		if err := s.allocate(int(n) * len(t)); err != nil {
			return nil, err
		}
		if _, marked := seq.(markup); marked {
			return markup(strings.Repeat(t, int(n))), nil
		}
		return strings.Repeat(t, int(n)), nil
	}
	var items []value
	switch l := seq.(type) {
	case *List:
		items = l.items
	case *tuple:
		items = l.items
	}
	if hi, lo := bits.Mul64(uint64(n), uint64(len(items))); hi != 0 || lo > maxItems {
		return nil, fmt.Errorf("a list has more than %d items", maxItems)
	}
	if err := s.allocateItems(int(n) * len(items)); err != nil {
		return nil, err
	}
	out := make([]value, 0, int(n)*len(items))
	if len(items) > 0 {
		for range n {
			out = append(out, items...)
		}
	}
	if isList(seq) {
		return &List{items: out}, nil
	}
	return &tuple{items: out}, nil
}

func (s *state) arithmetic(op string, a, b value) (value, error) {
	_, fa := a.(float64)
	_, fb := b.(float64)
	if fa || fb {
		for _, v := range []value{a, b} {
			if x, ok := v.(*big.Int); ok && math.IsInf(toFloat(x), 0) {
				return nil, errors.New("an integer is too large for a float")
			}
		}
		return floatArithmetic(op, toFloat(a), toFloat(b))
	}
	x, xOK := integer(a)
	y, yOK := integer(b)
	if xOK && yOK && op != "**" {
		if v, ok, err := smallArithmetic(op, x, y); ok || err != nil {
			return v, err
		}
	}
	return s.bigArithmetic(op, toBig(a), toBig(b))
}

var errZeroDivision = errors.New("division by zero")

// smallArithmetic works in 64 bits and is not ok where the result may not fit.
func smallArithmetic(op string, x, y int64) (value, bool, error) {
	switch op {
	case "+":
		r := x + y
		return r, (r > x) == (y > 0), nil
	case "-":
		r := x - y
		return r, (r < x) == (y > 0), nil
	case "*":
		if x == 0 || y == 0 {
			return int64(0), true, nil
		}
		r := x * y
		return r, max(x, -x) < 1<<31 && max(y, -y) < 1<<31 && x != math.MinInt64 && y != math.MinInt64, nil
	}
	if y == 0 {
		return nil, false, errZeroDivision
	}
	if x == math.MinInt64 || y == math.MinInt64 {
		return nil, false, nil
	}
	switch op {
	case "/":
		if max(x, -x) < 1<<53 && max(y, -y) < 1<<53 {
			return float64(x) / float64(y), true, nil
		}
		return nil, false, nil
	case "//":
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q, true, nil
	case "%":
		r := x % y
		if r != 0 && (r < 0) != (y < 0) {
			r += y
		}
		return r, true, nil
	}
	return nil, false, nil
}

func (s *state) bigArithmetic(op string, x, y *big.Int) (value, error) {
	if err := s.step((x.BitLen() + y.BitLen()) / 16); err != nil {
		return nil, err
	}
	r := new(big.Int)
	switch op {
	case "+":
		r.Add(x, y)
	case "-":
		r.Sub(x, y)
	case "*":
		r.Mul(x, y)
	case "**":
		return s.power(x, y)
	default:
		if y.Sign() == 0 {
			return nil, errZeroDivision
		}
		if op == "/" {
			f, _ := new(big.Rat).SetFrac(x, y).Float64()
			if math.IsInf(f, 0) {
				return nil, errors.New("integer division result too large for a float")
			}
			return f, nil
		}
		q, m := new(big.Int).QuoRem(x, y, new(big.Int))
		if m.Sign() != 0 && m.Sign() != y.Sign() {
			q.Sub(q, big.NewInt(1))
			m.Add(m, y)
		}
		r = q
		if op == "%" {
			r = m
		}
	}
	if r.BitLen() > maxIntegerBits {
		return nil, fmt.Errorf("an integer has more than %d bits", maxIntegerBits)
	}
	return normalInt(r), nil
}

func (s *state) power(x, y *big.Int) (value, error) {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			return nil, errors.New("0.0 cannot be raised to a negative power")
		}
		return math.Pow(toFloat(x), toFloat(y)), nil
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxIntegerBits || int64(x.BitLen()-1)*y.Int64() > maxIntegerBits) {
		return nil, fmt.Errorf("an integer has more than %d bits", maxIntegerBits)
	}
	if x.BitLen() <= 1 { // -1, 0, 1
		if x.Sign() < 0 && y.Bit(0) == 0 {
			return int64(1), nil
		}
		if y.Sign() == 0 {
			return int64(1), nil
		}
		return normalInt(x), nil
	}
	if err := s.step(maxIntegerBits / 16); err != nil {
		return nil, err
	}
	return normalInt(new(big.Int).Exp(x, y, nil)), nil
}

func floatArithmetic(op string, x, y float64) (value, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return floatPower(x, y)
	}
	if y == 0 {
		return nil, errZeroDivision
	}
	if op == "/" {
		return x / y, nil
	}
	m := math.Mod(x, y)
	if m != 0 {
		if (y < 0) != (m < 0) {
			m += y
		}
	} else {
		m = math.Copysign(0, y)
	}
	if op == "%" {
		return m, nil
	}
	if math.IsInf(x, 0) {
		return math.NaN(), nil
	}
	q := (x - m) / y
	if q == 0 {
		return math.Copysign(0, x/y), nil
	}
	f := math.Floor(q)
	if q-f > 0.5 {
		f++
	}
	return f, nil
}

func floatPower(x, y float64) (value, error) {
	if x == 0 && y < 0 {
		return nil, errors.New("0.0 cannot be raised to a negative power")
	}
	if x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) {
		return nil, errors.New("a power of a negative number would be complex")
	}
	r := math.Pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, errors.New("the result of a power is too large")
	}
	return r, nil
}

func unary(op string, v value) (value, error) {
	switch v := v.(type) {
	case *undefined:
		return nil, v.err()
	case float64:
		if op == "-" {
			return -v, nil
		}
		return v, nil
	case bool, int64, *big.Int:
		b := toBig(v)
		if op == "-" {
			b = new(big.Int).Neg(b)
		}
		return normalInt(b), nil
	}
	return nil, fmt.Errorf("bad operand type for unary %s: '%s'", op, typeName(v))
}
