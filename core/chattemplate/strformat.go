package chattemplate

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

func formatMethod(s *state, v value, t string, a *callArgs) (value, error) {
	f := &formatter{s: s, args: a.pos, marked: v}
	f.named = NewDict()
	for i, n := range a.names {
		f.named.put(n, a.vals[i])
	}
	out, err := f.format(t, 0)
	return wrap(v, out), err
}

func formatMapMethod(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := positional("format_map", a, 1, 1)
	if err != nil {
		return nil, err
	}
	d, ok := args[0].(*Dict)
	if !ok {
		return nil, fmt.Errorf("format_map() needs a mapping, not %s", typeName(args[0]))
	}
	f := &formatter{s: s, named: d, marked: v}
	out, err := f.format(t, 0)
	return wrap(v, out), err
}

// formatter is str.format(): https://docs.python.org/3/library/string.html#format-string-syntax.
type formatter struct {
	s      *state
	args   []value
	named  *Dict
	marked value
	auto   int  // next of {}
	manual bool // {0} was seen
}

func (f *formatter) format(t string, depth int) (string, error) {
	if depth > 2 {
		return "", errors.New("max string recursion exceeded")
	}
	var b strings.Builder
	for t != "" {
		i := strings.IndexAny(t, "{}")
		if i < 0 {
			break
		}
		b.WriteString(t[:i])
		c := t[i]
		t = t[i+1:]
		if t != "" && t[0] == c {
			b.WriteByte(c)
			t = t[1:]
			continue
		}
		if c == '}' {
			return "", errors.New("single '}' encountered in format string")
		}
		end := matchBrace(t)
		if end < 0 {
			return "", errors.New("expected '}' before end of string")
		}
		out, err := f.field(t[:end], depth)
		if err != nil {
			return "", err
		}
		b.WriteString(out)
		if b.Len() > maxTextBytes {
			return "", errTextTooLong
		}
		t = t[end+1:]
	}
	b.WriteString(t)
	return b.String(), f.s.allocate(b.Len())
}

func matchBrace(t string) int {
	depth := 0
	for i := range len(t) {
		switch t[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

func (f *formatter) field(t string, depth int) (string, error) {
	name, sp := t, ""
	if i := strings.IndexAny(t, "!:"); i >= 0 {
		name, sp = t[:i], t[i:]
	}
	var conversion byte
	if strings.HasPrefix(sp, "!") {
		if len(sp) < 2 || len(sp) > 2 && sp[2] != ':' {
			return "", errors.New("expected ':' after conversion specifier")
		}
		conversion, sp = sp[1], sp[2:]
	}
	sp = strings.TrimPrefix(sp, ":")
	v, err := f.lookup(name)
	if err != nil {
		return "", err
	}
	switch conversion {
	case 0:
	case 's':
		if v, err = f.text(v); err != nil {
			return "", err
		}
	case 'r':
		if v, err = f.repr(v); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("unknown conversion specifier %q", conversion)
	}
	if sp, err = f.format(sp, depth+1); err != nil {
		return "", err
	}
	out, err := f.s.formatValue(v, sp)
	if _, ok := f.marked.(markup); ok && err == nil {
		if _, ok := v.(markup); !ok {
			out = escapeHTML(out)
		}
	}
	return out, err
}

func (f *formatter) text(v value) (value, error) {
	t, err := f.s.str(v)
	return t, err
}

func (f *formatter) repr(v value) (value, error) {
	t, err := f.s.repr(v)
	return t, err
}

// lookup resolves what {…} names: an argument, then attributes and items of it.
func (f *formatter) lookup(name string) (value, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	head, rest := name[:end], name[end:]
	v, err := f.argument(head)
	for err == nil && rest != "" {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			if end < 0 {
				end = len(rest) - 1
			}
			v, err = f.s.getattr(v, rest[1:end+1])
			rest = rest[end+1:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			return nil, errors.New("missing ']' in format string")
		}
		var key value = rest[1:end]
		if n, ok := parseInt(rest[1:end], 10); ok && isDecimal(rest[1]) {
			key = n
		}
		v, err = f.s.getitem(v, key)
		rest = rest[end+1:]
	}
	return v, err
}

func (f *formatter) argument(head string) (value, error) {
	var i int
	switch {
	case head == "":
		if f.manual {
			return nil, errors.New("cannot switch from manual field specification to automatic field numbering")
		}
		i = f.auto
		f.auto++
	case every(func(r rune) bool { return r >= '0' && r <= '9' })(head):
		if f.auto > 0 {
			return nil, errors.New("cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
		n, _, err := leadingInt(head)
		if err != nil {
			return nil, err
		}
		i = n
	default:
		v, ok := f.named.lookup(head)
		if !ok {
			return nil, fmt.Errorf("the format names '%s', which is not given", oneLine(head))
		}
		return v, nil
	}
	if i >= len(f.args) {
		return nil, fmt.Errorf("replacement index %d out of range for positional args tuple", i)
	}
	return f.args[i], nil
}

// formatValue is format(v, spec).
func (s *state) formatValue(v value, t string) (string, error) {
	if t == "" {
		return s.str(v)
	}
	sp, err := parseSpec(t)
	if err != nil {
		return "", err
	}
	bad := func() error {
		return fmt.Errorf("unknown format code '%c' for object of type '%s'", sp.verb, typeName(v))
	}
	alignDefault := func(c byte) {
		if sp.align == 0 {
			sp.align = c
		}
	}
	if x, ok := v.(bool); ok && sp.verb == 0 && !sp.zero {
		v = int64(toFloat(x))
	}
	switch x := v.(type) {
	case string, markup:
		if sp.verb != 0 && sp.verb != 's' {
			return "", bad()
		}
		if sp.sign != 0 || sp.alt || sp.align == '=' || sp.group != 0 {
			return "", errors.New("this format specifier is not allowed for a string")
		}
		out, _ := text(x)
		if sp.precision >= 0 {
			out = sliceRunes(out, 0, sp.precision)
		}
		if sp.zero && sp.align == 0 {
			sp.fill = "0"
		}
		sp.zero = false
		alignDefault('<')
		return sp.pad("", out), nil
	case bool, int64, *big.Int:
		if strings.IndexByte("eEfFgG%", sp.verb) >= 0 && sp.verb != 0 {
			alignDefault('>')
			return sp.float(toFloat(x))
		}
		if sp.verb != 0 && strings.IndexByte("bcdoxXn", sp.verb) < 0 {
			return "", bad()
		}
		if sp.precision >= 0 {
			return "", errors.New("precision not allowed in integer format specifier")
		}
		alignDefault('>')
		if sp.verb == 'c' {
			n, ok := integer(x)
			if !ok || n < 0 || n > utf8.MaxRune {
				return "", errors.New("%c arg not in range(0x110000)")
			}
			return sp.pad("", string(rune(n))), nil
		}
		if sp.verb == 'n' {
			sp.verb = 'd'
		}
		return sp.integer(toBig(x), false)
	case float64:
		if sp.verb != 0 && strings.IndexByte("eEfFgGn%", sp.verb) < 0 {
			return "", bad()
		}
		alignDefault('>')
		return sp.float(x)
	}
	return "", fmt.Errorf("unsupported format string passed to %s.__format__", typeName(v))
}

// parseSpec reads [[fill]align][sign][#][0][width][group][.precision][type].
func parseSpec(t string) (spec, error) {
	sp := spec{fill: " ", precision: -1}
	r, n := utf8.DecodeRuneInString(t)
	if len(t) > n && strings.IndexByte("<>=^", t[n]) >= 0 {
		sp.fill, sp.align = string(r), t[n]
		t = t[n+1:]
	} else if strings.IndexByte("<>=^", t[0]) >= 0 {
		sp.align = t[0]
		t = t[1:]
	}
	if t != "" && strings.IndexByte("+- ", t[0]) >= 0 {
		sp.sign = t[0]
		t = t[1:]
	}
	if strings.HasPrefix(t, "#") {
		sp.alt = true
		t = t[1:]
	}
	if strings.HasPrefix(t, "0") {
		sp.zero = sp.align == 0
		t = t[1:]
	}
	var err error
	if sp.width, t, err = leadingInt(t); err != nil {
		return sp, err
	}
	if t != "" && (t[0] == ',' || t[0] == '_') {
		sp.group = t[0]
		t = t[1:]
	}
	if strings.HasPrefix(t, ".") {
		if len(t) < 2 || !isDecimal(t[1]) {
			return sp, errors.New("format specifier missing precision")
		}
		if sp.precision, t, err = leadingInt(t[1:]); err != nil {
			return sp, err
		}
	}
	if len(t) > 1 {
		return sp, errors.New("invalid format specifier")
	}
	if t != "" {
		sp.verb = t[0]
	}
	return sp, nil
}
