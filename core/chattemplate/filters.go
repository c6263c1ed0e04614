package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

type filterFunc = func(s *state, v value, a *callArgs) (value, error)

// lookupFilter returns a filter by name, nil where there is none. It is a switch, not a table: map
// and its kin look filters up while they run.
func lookupFilter(name string) filterFunc {
	if f := textFilter(name); f != nil {
		return f
	}
	if f := sequenceFilter(name); f != nil {
		return f
	}
	switch name {
	case "abs":
		return plain(name, absolute)
	case "attr":
		return attrFilter
	case "count", "length":
		return plain(name, length)
	case "d", "default":
		return defaultFilter
	case "filesizeformat":
		return fileSize
	case "float":
		return floatFilter
	case "int":
		return intFilter
	case "round":
		return roundFilter
	case "pprint":
		return plain(name, pprint)
	case "tojson":
		return toJSON
	case "xmlattr":
		return xmlAttr
	case "random", "urlize":
		return func(*state, value, *callArgs) (value, error) {
			return nil, fmt.Errorf("the filter %s is refused", name)
		}
	}
	return nil
}

// plain makes a filter of a function that takes no arguments.
func plain(name string, f func(s *state, v value) (value, error)) filterFunc {
	return func(s *state, v value, a *callArgs) (value, error) {
		if len(a.pos)+len(a.names) > 0 {
			return nil, fmt.Errorf("the filter %s takes no arguments", name)
		}
		return f(s, v)
	}
}

func absolute(_ *state, v value) (value, error) {
	switch v := v.(type) {
	case float64:
		return math.Abs(v), nil
	case bool, int64, *big.Int:
		return normalInt(new(big.Int).Abs(toBig(v))), nil
	case *undefined:
		return nil, v.err()
	}
	return nil, fmt.Errorf("bad operand type for abs(): '%s'", typeName(v))
}

func length(_ *state, v value) (value, error) {
	switch v := v.(type) {
	case string:
		return int64(runeLen(v)), nil
	case markup:
		return int64(runeLen(string(v))), nil
	case *List:
		return int64(len(v.items)), nil
	case *tuple:
		return int64(len(v.items)), nil
	case *Dict:
		return int64(v.Len()), nil
	case dictView:
		return int64(v.d.Len()), nil
	case rangeOf:
		return v.n, nil
	case *undefined:
		return int64(0), nil
	case *loopOf:
		n, err := v.length()
		return int64(n), err
	}
	return nil, fmt.Errorf("object of type '%s' has no len()", typeName(v))
}

func attrFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("attr", 1, "name")
	if err != nil {
		return nil, err
	}
	name, err := wantText("attr", args[0])
	if err != nil {
		return nil, err
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	x, ok, err := s.attribute(v, name)
	if ok || err != nil {
		return x, err
	}
	return noAttribute(v, name), nil
}

func defaultFilter(_ *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("default", 0, "default_value", "boolean")
	if err != nil {
		return nil, err
	}
	if args[0] == missing {
		args[0] = ""
	}
	if _, ok := v.(*undefined); ok {
		return args[0], nil
	}
	if args[1] != missing {
		boolean, err := truth(args[1])
		if err != nil {
			return nil, err
		}
		if boolean {
			yes, err := truth(v)
			if !yes || err != nil {
				return args[0], err
			}
		}
	}
	return v, nil
}

// parseFloat is Python's float() of a string.
func parseFloat(t string) (float64, bool) {
	t = strings.TrimFunc(t, isSpace)
	low := strings.TrimLeft(strings.ToLower(t), "+-")
	if strings.HasPrefix(low, "0x") || strings.HasPrefix(t, "_") || strings.HasSuffix(t, "_") || strings.Contains(t, "__") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0)
}

func floatFilter(_ *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("float", 0, "default")
	if err != nil {
		return nil, err
	}
	if args[0] == missing {
		args[0] = 0.0
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	if isNumber(v) {
		return toFloat(v), nil
	}
	if t, ok := text(v); ok {
		if f, ok := parseFloat(t); ok {
			return f, nil
		}
	}
	return args[0], nil
}

func floatToInt(f float64) (value, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	b, _ := big.NewFloat(f).Int(nil)
	return normalInt(b), true
}

func intFilter(_ *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("int", 0, "default", "base")
	if err != nil {
		return nil, err
	}
	if args[0] == missing {
		args[0] = int64(0)
	}
	base := 10
	if args[1] != missing {
		if base, err = wantInt("int", args[1]); err != nil {
			return nil, err
		}
	}
	switch x := v.(type) {
	case *undefined:
		return nil, x.err()
	case float64:
		if math.IsInf(x, 0) { // Python's int() raises what the filter does not catch, then it does
			return args[0], nil
		}
		if n, ok := floatToInt(x); ok {
			return n, nil
		}
	case bool, int64, *big.Int:
		return normalInt(toBig(x)), nil
	case string, markup:
		t, _ := text(x)
		if n, ok := parseInt(t, base); ok {
			return n, nil
		}
		if f, ok := parseFloat(t); ok {
			if n, ok := floatToInt(f); ok {
				return n, nil
			}
		}
	}
	return args[0], nil
}

// parseInt is Python's int() of a string.
func parseInt(t string, base int) (value, bool) {
	t = strings.TrimFunc(t, isSpace)
	sign := ""
	if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
		sign, t = t[:1], t[1:]
	}
	if base != 0 && base < 2 || base > 36 || len(t) > maxIntegerDigits {
		return nil, false
	}
	if len(t) > 2 && t[0] == '0' && (base == 16 && t[1]|32 == 'x' || base == 8 && t[1]|32 == 'o' || base == 2 && t[1]|32 == 'b') {
		t = strings.TrimPrefix(t[2:], "_")
	}
	if strings.HasPrefix(t, "_") || strings.HasSuffix(t, "_") || strings.Contains(t, "__") || strings.HasPrefix(t, "+") || strings.HasPrefix(t, "-") {
		return nil, false
	}
	if base == 0 && len(t) > 1 && t[0] == '0' && isDecimal(t[1]) && strings.Trim(t, "0_") != "" {
		return nil, false
	}
	b, ok := new(big.Int).SetString(sign+strings.ReplaceAll(t, "_", ""), base)
	if !ok {
		return nil, false
	}
	return normalInt(b), true
}

func roundFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("round", 0, "precision", "method")
	if err != nil {
		return nil, err
	}
	precision := 0
	if args[0] != missing {
		if precision, err = wantInt("round", args[0]); err != nil {
			return nil, err
		}
	}
	method := "common"
	if args[1] != missing {
		if method, err = wantText("round", args[1]); err != nil {
			return nil, err
		}
	}
	if u, ok := v.(*undefined); ok {
		return nil, u.err()
	}
	if !isNumber(v) {
		return nil, fmt.Errorf("type %s has no rounding", typeName(v))
	}
	switch method {
	case "common":
		return roundHalfEven(v, precision)
	case "ceil", "floor":
		if precision > 300 || precision < -300 {
			return nil, errors.New("a precision is too large")
		}
		factor := math.Pow(10, float64(precision))
		f := math.Floor
		if method == "ceil" {
			f = math.Ceil
		}
		n, ok := floatToInt(f(toFloat(v) * factor))
		if !ok {
			return nil, errors.New("cannot round infinity or NaN")
		}
		return s.arithmetic("/", n, powerOfTen(precision))
	}
	return nil, errors.New("method must be common, ceil or floor")
}

func powerOfTen(p int) value {
	if p < 0 {
		return math.Pow(10, float64(p))
	}
	return normalInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil))
}

// roundHalfEven is round(v, precision).
func roundHalfEven(v value, precision int) (value, error) {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) || math.IsInf(f, 0) || precision > 323 {
			return f, nil
		}
		if precision >= 0 {
			r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', precision, 64), 64)
			return r, err
		}
		if precision < -308 {
			return math.Copysign(0, f), nil
		}
		e := math.Pow(10, float64(-precision))
		return math.RoundToEven(f/e) * e, nil
	}
	b := toBig(v)
	if precision >= 0 {
		return normalInt(b), nil
	}
	if precision < -maxIntegerDigits {
		return int64(0), nil
	}
	e := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-precision)), nil)
	q, m := new(big.Int).DivMod(b, e, new(big.Int))
	twice := m.Mul(m, big.NewInt(2))
	if c := twice.Cmp(e); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return normalInt(q.Mul(q, e)), nil
}

func fileSize(_ *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("filesizeformat", 0, "binary")
	if err != nil {
		return nil, err
	}
	binary := false
	if args[0] != missing {
		if binary, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	bytes := toFloat(v)
	if t, ok := text(v); ok {
		if bytes, ok = parseFloat(t); !ok {
			return nil, fmt.Errorf("could not convert string to float: %s", oneLine(t))
		}
	} else if !isNumber(v) {
		return nil, fmt.Errorf("filesizeformat needs a number, not %s", typeName(v))
	}
	base, suffix := 1000.0, "B"
	prefixes := []string{"k", "M", "G", "T", "P", "E", "Z", "Y"}
	if binary {
		base, suffix, prefixes[0] = 1024, "iB", "K"
	}
	if bytes == 1 {
		return "1 Byte", nil
	}
	if bytes < base {
		n, ok := floatToInt(bytes)
		if !ok {
			return nil, errors.New("cannot convert float infinity or NaN to integer")
		}
		return fmt.Sprintf("%v Bytes", n), nil
	}
	unit := base
	for i, p := range prefixes {
		unit *= base
		if bytes < unit || i == len(prefixes)-1 {
			return strconv.FormatFloat(base*bytes/unit, 'f', 1, 64) + " " + p + suffix, nil
		}
	}
	return nil, errors.New("cannot convert float NaN to a size")
}

func xmlAttr(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("xmlattr", 0, "autospace")
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("xmlattr needs a mapping, not %s", typeName(v))
	}
	var parts []string
	for _, e := range d.entries {
		if _, ok := e.val.(*undefined); ok || e.val == nil {
			continue
		}
		key, err := wantText("xmlattr", e.key)
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			return nil, fmt.Errorf("invalid character in attribute name: %q", key)
		}
		t, err := s.str(e.val)
		if err != nil {
			return nil, err
		}
		if _, ok := e.val.(markup); !ok {
			t = escapeHTML(t)
		}
		parts = append(parts, escapeHTML(key)+`="`+t+`"`)
	}
	out := strings.Join(parts, " ")
	space := true
	if args[0] != missing {
		if space, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	if space && out != "" {
		out = " " + out
	}
	return out, s.allocate(len(out))
}
