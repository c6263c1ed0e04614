package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// percent is str % args. With marked, what is put in is escaped as Markup does it.
func (s *state) percent(f string, arg value, marked bool) (string, error) {
	args := []value{arg}
	t, isTuple := arg.(*tuple)
	if isTuple {
		args = t.items
	}
	mapping, _ := arg.(*Dict)
	used := 0
	var b strings.Builder
	for f != "" {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			break
		}
		b.WriteString(f[:i])
		f = f[i+1:]
		var sp spec
		var v value
		var err error
		named := false
		if strings.HasPrefix(f, "(") {
			end := strings.IndexByte(f, ')')
			if end < 0 {
				return "", errors.New("incomplete format key")
			}
			if mapping == nil {
				return "", errors.New("format requires a mapping")
			}
			var ok bool
			if v, ok = mapping.lookup(f[1:end]); !ok {
				return "", fmt.Errorf("the format names '%s', which the mapping lacks", f[1:end])
			}
			f, named = f[end+1:], true
		}
		take := func() (value, error) {
			if named {
				return v, nil
			}
			if used >= len(args) {
				return nil, errors.New("not enough arguments for format string")
			}
			used++
			return args[used-1], nil
		}
		if f, err = sp.percent(f, take); err != nil {
			return "", err
		}
		if f == "" {
			return "", errors.New("incomplete format")
		}
		r, n := utf8.DecodeRuneInString(f)
		f = f[n:]
		if r == '%' {
			b.WriteByte('%')
			continue
		}
		if v, err = take(); err != nil {
			return "", err
		}
		out, err := s.percentVerb(sp, r, v, marked)
		if err != nil {
			return "", err
		}
		b.WriteString(out)
		if b.Len() > maxTextBytes {
			return "", errTextTooLong
		}
	}
	b.WriteString(f)
	// Whatever can be subscripted and is no text may be left over, as Python has it.
	subscripted := false
	switch arg.(type) {
	case *Dict, *List, *undefined, rangeOf:
		subscripted = true
	}
	if used < len(args) && !subscripted {
		return "", errors.New("not all arguments converted during string formatting")
	}
	return b.String(), s.allocate(b.Len())
}

// spec is how a value is to be written: of % or of str.format.
type spec struct {
	fill      string
	align     byte
	sign      byte
	alt       bool
	zero      bool
	width     int
	group     byte
	precision int // -1: none
	verb      byte
}

const maxWidth = 1 << 20

// percent reads flags, width and precision.
func (sp *spec) percent(f string, take func() (value, error)) (string, error) {
	sp.precision = -1
	sp.fill, sp.align = " ", '>'
flags:
	for ; f != ""; f = f[1:] {
		switch f[0] {
		case '-':
			sp.align = '<'
		case '+':
			sp.sign = '+'
		case ' ':
			if sp.sign == 0 {
				sp.sign = ' '
			}
		case '#':
			sp.alt = true
		case '0':
			sp.zero = true
		default:
			break flags
		}
	}
	number := func() (int, error) {
		if strings.HasPrefix(f, "*") {
			f = f[1:]
			v, err := take()
			if err != nil {
				return 0, err
			}
			n, err := wantInt("*", v)
			if n > maxWidth {
				return 0, errors.New("a width is too large")
			}
			return n, err
		}
		var n int
		var err error
		n, f, err = leadingInt(f)
		return n, err
	}
	var err error
	if sp.width, err = number(); err != nil {
		return "", err
	}
	if sp.width < 0 {
		sp.width, sp.align = -sp.width, '<'
	}
	if strings.HasPrefix(f, ".") {
		f = f[1:]
		if sp.precision, err = number(); err != nil {
			return "", err
		}
		sp.precision = max(sp.precision, 0)
	}
	return strings.TrimLeft(f, "hlL"), nil
}

func leadingInt(f string) (int, string, error) {
	n := 0
	for f != "" && isDecimal(f[0]) {
		if n = n*10 + int(f[0]-'0'); n > maxWidth {
			return 0, "", errors.New("a width or precision is too large")
		}
		f = f[1:]
	}
	return n, f, nil
}

func (s *state) percentVerb(sp spec, verb rune, v value, marked bool) (string, error) {
	if u, ok := v.(*undefined); ok && verb != 's' && verb != 'r' && verb != 'a' {
		return "", u.err()
	}
	switch verb {
	case 's', 'r', 'a':
		var t string
		var err error
		if verb == 's' {
			t, err = s.str(v)
		} else {
			t, err = s.repr(v)
		}
		if err != nil {
			return "", err
		}
		if _, ok := v.(markup); marked && !(ok && verb == 's') {
			t = escapeHTML(t)
		}
		if sp.precision >= 0 {
			t = sliceRunes(t, 0, sp.precision)
		}
		sp.zero = false
		return sp.pad("", t), nil
	case 'c':
		if t, ok := text(v); ok && runeLen(t) == 1 {
			return sp.pad("", t), nil
		}
		n, ok := integer(v)
		if !ok || n < 0 || n > utf8.MaxRune {
			return "", errors.New("%c requires int or char")
		}
		return sp.pad("", string(rune(n))), nil
	case 'd', 'i', 'u', 'x', 'X', 'o':
		if !isNumber(v) {
			return "", fmt.Errorf("%%%c format: a real number is required, not %s", verb, typeName(v))
		}
		b := toBig(v)
		if f, ok := v.(float64); ok {
			if verb == 'x' || verb == 'X' || verb == 'o' {
				return "", fmt.Errorf("%%%c format: an integer is required, not float", verb)
			}
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return "", errors.New("cannot convert float infinity or NaN to integer")
			}
			b, _ = big.NewFloat(f).Int(nil)
		}
		if verb == 'i' || verb == 'u' {
			verb = 'd'
		}
		sp.verb = byte(verb)
		return sp.integer(b, true)
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if !isNumber(v) {
			return "", fmt.Errorf("must be real number, not %s", typeName(v))
		}
		sp.verb = byte(verb)
		return sp.float(toFloat(v))
	}
	return "", fmt.Errorf("unsupported format character %q", verb)
}

// pad lays out digits or text with its sign or prefix in front.
func (sp *spec) pad(sign, t string) string {
	n := sp.width - runeLen(sign) - runeLen(t)
	if n <= 0 {
		return sign + t
	}
	fill := sp.fill
	align := sp.align
	if sp.zero && align != '<' {
		fill, align = "0", '='
	}
	switch align {
	case '<':
		return sign + t + strings.Repeat(fill, n)
	case '=':
		return sign + strings.Repeat(fill, n) + t
	case '^':
		return strings.Repeat(fill, n/2) + sign + t + strings.Repeat(fill, n-n/2)
	}
	return strings.Repeat(fill, n) + sign + t
}

func (sp *spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case sp.sign == '+' || sp.sign == ' ':
		return string(sp.sign)
	}
	return ""
}

func (sp *spec) integer(b *big.Int, percent bool) (string, error) {
	sign := sp.signOf(b.Sign() < 0)
	b = new(big.Int).Abs(b)
	var t string
	every := 3
	switch sp.verb {
	case 'b':
		t, every = b.Text(2), 4
	case 'o':
		t, every = b.Text(8), 4
	case 'x':
		t, every = b.Text(16), 4
	case 'X':
		t, every = strings.ToUpper(b.Text(16)), 4
	default:
		var err error
		if t, err = intText(b); err != nil {
			return "", err
		}
	}
	if sp.alt && sp.verb != 'd' && sp.verb != 0 {
		sign += "0" + string(sp.verb)
	}
	if percent && sp.precision > len(t) {
		t = strings.Repeat("0", sp.precision-len(t)) + t
	}
	if sp.group != 0 {
		t = grouped(t, sp.group, every)
	}
	return sp.pad(sign, t), nil
}

func grouped(t string, sep byte, every int) string {
	var b []byte
	for i := range len(t) {
		if i > 0 && (len(t)-i)%every == 0 {
			b = append(b, sep)
		}
		b = append(b, t[i])
	}
	return string(b)
}

func (sp *spec) float(f float64) (string, error) {
	sign := sp.signOf(math.Signbit(f) && !math.IsNaN(f))
	a := math.Abs(f)
	p := sp.precision
	if p > 5000 {
		return "", errors.New("a precision is too large")
	}
	var t string
	verb := sp.verb
	switch {
	case math.IsNaN(f):
		t = "nan"
	case math.IsInf(f, 0):
		t = "inf"
	case verb == 0 && p < 0:
		t = floatRepr(a)
	case verb == '%':
		t = strconv.FormatFloat(a*100, 'f', precisionOr(p, 6), 64) + "%"
	case verb == 'f' || verb == 'F':
		t = strconv.FormatFloat(a, 'f', precisionOr(p, 6), 64)
	case verb == 'e' || verb == 'E':
		t = strconv.FormatFloat(a, 'e', precisionOr(p, 6), 64)
	default:
		t = general(a, max(precisionOr(p, 6), 1), verb == 0)
	}
	if verb == 'E' || verb == 'G' || verb == 'F' {
		t = strings.ToUpper(t)
	}
	if sp.group != 0 && t[0] >= '0' && t[0] <= '9' {
		n := strings.IndexFunc(t, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(t)
		}
		t = grouped(t[:n], sp.group, 3) + t[n:]
	}
	return sp.pad(sign, t), nil
}

func precisionOr(p, otherwise int) int {
	if p < 0 {
		return otherwise
	}
	return p
}

// general is the format g with p significant digits; point keeps one digit behind the point, as
// str.format without a type does.
func general(a float64, p int, point bool) string {
	e := strconv.FormatFloat(a, 'e', p-1, 64)
	i := strings.IndexByte(e, 'e')
	exp, _ := strconv.Atoi(e[i+1:])
	trim := func(t string) string {
		if strings.Contains(t, ".") {
			t = strings.TrimRight(strings.TrimRight(t, "0"), ".")
		}
		return t
	}
	limit := p
	if point {
		limit = p - 1
	}
	if exp < -4 || exp >= max(limit, 1) && (exp >= p || point) {
		return trim(e[:i]) + e[i:]
	}
	t := trim(strconv.FormatFloat(a, 'f', max(p-1-exp, 0), 64))
	if point && !strings.Contains(t, ".") {
		t += ".0"
	}
	return t
}
