package chattemplate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// wrap gives a text the kind that the text it was made from has.
func wrap(like value, s string) value {
	if _, ok := like.(markup); ok {
		return markup(s)
	}
	return s
}

func wrapAll(s *state, like value, parts []string) (value, error) {
	if err := s.allocateItems(len(parts)); err != nil {
		return nil, err
	}
	l := &List{items: make([]value, len(parts))}
	for i, p := range parts {
		l.items[i] = wrap(like, p)
	}
	return l, nil
}

func wantText(fn string, v value) (string, error) {
	if t, ok := text(v); ok {
		return t, nil
	}
	if u, ok := v.(*undefined); ok {
		return "", u.err()
	}
	return "", fmt.Errorf("%s() needs a str, not %s", fn, typeName(v))
}

func wantInt(fn string, v value) (int, error) {
	if n, ok := integer(v); ok {
		return int(min(max(n, -1<<40), 1<<40)), nil
	}
	if u, ok := v.(*undefined); ok {
		return 0, u.err()
	}
	return 0, fmt.Errorf("%s() needs an integer, not %s", fn, typeName(v))
}

// textMethod returns a method of str or Markup.
func textMethod(v value, t, name string) (value, bool, error) {
	if f := transforms[name]; f != nil {
		return method(name, 0, 0, func(s *state, _ []value) (value, error) {
			out := f(t)
			return wrap(v, out), s.allocate(len(out) + len(t))
		})
	}
	if f := predicates[name]; f != nil {
		return method(name, 0, 0, func(s *state, _ []value) (value, error) {
			return f(t), s.step(len(t) / 64)
		})
	}
	if f := textMethodNamed(name); f != nil {
		return &function{name, func(s *state, a *callArgs) (value, error) {
			if err := s.step(len(t) / 64); err != nil {
				return nil, err
			}
			return f(s, v, t, a)
		}}, true, nil
	}
	switch name {
	case "encode", "maketrans", "translate":
		return &function{name, func(*state, *callArgs) (value, error) {
			return nil, fmt.Errorf("str.%s() is not supported", name)
		}}, true, nil
	}
	if _, ok := v.(markup); ok {
		switch name {
		case "striptags":
			return method(name, 0, 0, func(s *state, _ []value) (value, error) {
				return stripTags(t), s.step(len(t) / 8)
			})
		case "unescape":
			return method(name, 0, 0, func(s *state, _ []value) (value, error) {
				return unescapeHTML(t), s.allocate(len(t))
			})
		}
	}
	return nil, false, nil
}

type textFunc = func(s *state, v value, t string, a *callArgs) (value, error)

// textMethodNamed returns a method of str that takes arguments, or nil.
func textMethodNamed(name string) textFunc {
	switch name {
	case "strip", "lstrip", "rstrip":
		return func(_ *state, v value, t string, a *callArgs) (value, error) {
			return strip(name, v, t, a, name != "rstrip", name != "lstrip")
		}
	case "split", "rsplit":
		return func(s *state, v value, t string, a *callArgs) (value, error) { return splitMethod(s, name, v, t, a) }
	case "splitlines":
		return splitLinesMethod
	case "partition", "rpartition":
		return func(_ *state, v value, t string, a *callArgs) (value, error) {
			return partition(v, t, a, name == "rpartition")
		}
	case "startswith", "endswith":
		return func(_ *state, _ value, t string, a *callArgs) (value, error) { return affix(name, t, a) }
	case "find", "rfind", "index", "rindex", "count":
		return func(_ *state, _ value, t string, a *callArgs) (value, error) { return find(name, t, a) }
	case "replace":
		return replaceMethod
	case "join":
		return joinMethod
	case "format":
		return formatMethod
	case "format_map":
		return formatMapMethod
	case "removeprefix", "removesuffix":
		return func(_ *state, v value, t string, a *callArgs) (value, error) {
			return removeAffix(v, t, a, name == "removeprefix")
		}
	case "center", "ljust", "rjust":
		return func(s *state, v value, t string, a *callArgs) (value, error) { return pad(s, name, v, t, a) }
	case "zfill":
		return zfill
	case "expandtabs":
		return expandTabs
	}
	return nil
}

func strip(fn string, v value, t string, a *callArgs, left, right bool) (value, error) {
	args, err := positional(fn, a, 0, 1)
	if err != nil {
		return nil, err
	}
	out, err := stripped(fn, t, optional(args, 0), left, right)
	return wrap(v, out), err
}

func stripped(fn, t string, chars value, left, right bool) (string, error) {
	cut := isSpace
	if chars != nil {
		set, err := wantText(fn, chars)
		if err != nil {
			return "", err
		}
		in := map[rune]bool{}
		for _, r := range set {
			in[r] = true
		}
		cut = func(r rune) bool { return in[r] }
	}
	if left {
		t = strings.TrimLeftFunc(t, cut)
	}
	if right {
		t = strings.TrimRightFunc(t, cut)
	}
	return t, nil
}

func positional(fn string, a *callArgs, least, most int) ([]value, error) {
	if len(a.names) > 0 {
		return nil, fmt.Errorf("%s() takes no keyword arguments", fn)
	}
	if len(a.pos) < least || len(a.pos) > most {
		return nil, fmt.Errorf("%s() takes %d to %d arguments (%d given)", fn, least, most, len(a.pos))
	}
	return a.pos, nil
}

func splitMethod(s *state, fn string, v value, t string, a *callArgs) (value, error) {
	args, err := a.bind(fn+"()", 0, "sep", "maxsplit")
	if err != nil {
		return nil, err
	}
	limit := -1
	if args[1] != missing {
		if limit, err = wantInt(fn, args[1]); err != nil {
			return nil, err
		}
	}
	var parts []string
	if args[0] == missing || args[0] == nil {
		parts = splitSpace(t, limit, fn == "rsplit")
		return wrapAll(s, v, parts)
	}
	sep, err := wantText(fn, args[0])
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, errors.New("empty separator")
	}
	if fn == "split" {
		if limit >= 0 {
			limit++
		}
		return wrapAll(s, v, strings.SplitN(t, sep, limit))
	}
	for limit != 0 {
		i := strings.LastIndex(t, sep)
		if i < 0 {
			break
		}
		parts = append(parts, t[i+len(sep):])
		t = t[:i]
		limit--
	}
	parts = append(parts, t)
	reverse(parts)
	return wrapAll(s, v, parts)
}

func reverse[T any](x []T) {
	for i, j := 0, len(x)-1; i < j; i, j = i+1, j-1 {
		x[i], x[j] = x[j], x[i]
	}
}

// splitSpace splits at runs of white space, at most limit times, from the left or the right.
func splitSpace(t string, limit int, right bool) []string {
	var parts []string
	for limit != 0 {
		if right {
			t = strings.TrimRightFunc(t, isSpace)
			i := strings.LastIndexFunc(t, isSpace)
			if i < 0 {
				break
			}
			_, n := utf8.DecodeRuneInString(t[i:])
			parts = append(parts, t[i+n:])
			t = t[:i]
		} else {
			t = strings.TrimLeftFunc(t, isSpace)
			i := strings.IndexFunc(t, isSpace)
			if i < 0 {
				break
			}
			parts = append(parts, t[:i])
			t = t[i:]
		}
		limit--
	}
	if right {
		t = strings.TrimRightFunc(t, isSpace)
	} else {
		t = strings.TrimLeftFunc(t, isSpace)
	}
	if t != "" {
		parts = append(parts, t)
	}
	if right {
		reverse(parts)
	}
	return parts
}

func splitLinesMethod(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := a.bind("splitlines()", 0, "keepends")
	if err != nil {
		return nil, err
	}
	keep := false
	if args[0] != missing {
		if keep, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	return wrapAll(s, v, splitLines(t, keep))
}

func partition(v value, t string, a *callArgs, last bool) (value, error) {
	args, err := positional("partition", a, 1, 1)
	if err != nil {
		return nil, err
	}
	sep, err := wantText("partition", args[0])
	if err != nil {
		return nil, err
	}
	if sep == "" {
		return nil, errors.New("empty separator")
	}
	parts := []string{t, "", ""}
	i := strings.Index(t, sep)
	if last {
		i = strings.LastIndex(t, sep)
		parts = []string{"", "", t}
	}
	if i >= 0 {
		parts = []string{t[:i], sep, t[i+len(sep):]}
	}
	return &tuple{items: []value{wrap(v, parts[0]), wrap(v, parts[1]), wrap(v, parts[2])}}, nil
}

func joinMethod(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := positional("join", a, 1, 1)
	if err != nil {
		return nil, err
	}
	items, err := s.items(args[0])
	if err != nil {
		return nil, errors.New("can only join an iterable")
	}
	_, marked := v.(markup)
	parts := make([]string, len(items))
	n := 0
	for i, x := range items {
		p, ok := text(x)
		switch {
		case marked && !ok:
			if p, err = s.str(x); err != nil {
				return nil, err
			}
			p = escapeHTML(p)
		case marked:
			p = escaped(x)
		case !ok:
			return nil, fmt.Errorf("sequence item %d: expected str instance, %s found", i, typeName(x))
		}
		parts[i] = p
		n += len(p) + len(t)
		if n > maxTextBytes {
			return nil, errTextTooLong
		}
	}
	return wrap(v, strings.Join(parts, t)), s.allocate(n)
}

func pad(s *state, fn string, v value, t string, a *callArgs) (value, error) {
	args, err := positional(fn, a, 1, 2)
	if err != nil {
		return nil, err
	}
	width, err := wantInt(fn, args[0])
	if err != nil {
		return nil, err
	}
	fill := " "
	if len(args) == 2 {
		if fill, err = wantText(fn, args[1]); err != nil {
			return nil, err
		}
		if runeLen(fill) != 1 {
			return nil, errors.New("the fill character must be exactly one character long")
		}
	}
	out, err := s.padded(fn, t, width, fill)
	return wrap(v, out), err
}

func (s *state) padded(fn, t string, width int, fill string) (string, error) {
	n := width - runeLen(t)
	if n <= 0 {
		return t, nil
	}
	if n > maxTextBytes/len(fill) {
		return "", errTextTooLong
	}
	if err := s.allocate(len(t) + n*len(fill)); err != nil {
		return "", err
	}
	left := 0
	switch fn {
	case "rjust":
		left = n
	case "center":
		left = n/2 + n&width&1
	}
	return strings.Repeat(fill, left) + t + strings.Repeat(fill, n-left), nil
}

func zfill(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := positional("zfill", a, 1, 1)
	if err != nil {
		return nil, err
	}
	width, err := wantInt("zfill", args[0])
	if err != nil {
		return nil, err
	}
	sign := ""
	if strings.HasPrefix(t, "-") || strings.HasPrefix(t, "+") {
		sign = t[:1]
	}
	out, err := s.padded("rjust", t[len(sign):], width-len(sign), "0")
	return wrap(v, sign+out), err
}

func expandTabs(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := a.bind("expandtabs()", 0, "tabsize")
	if err != nil {
		return nil, err
	}
	size := 8
	if args[0] != missing {
		if size, err = wantInt("expandtabs", args[0]); err != nil {
			return nil, err
		}
	}
	if size > 1000 {
		return nil, errors.New("expandtabs() takes up to 1000 columns a tab")
	}
	if err := s.allocate(len(t) + strings.Count(t, "\t")*max(size, 0)); err != nil {
		return nil, err
	}
	var b strings.Builder
	column := 0
	for _, r := range t {
		switch {
		case r == '\t':
			if size > 0 {
				n := size - column%size
				b.WriteString(strings.Repeat(" ", n))
				column += n
			}
		case r == '\n' || r == '\r':
			b.WriteRune(r)
			column = 0
		default:
			b.WriteRune(r)
			column++
		}
	}
	return wrap(v, b.String()), nil
}
