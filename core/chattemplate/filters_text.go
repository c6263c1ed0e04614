package chattemplate

import (
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

func textFilter(name string) filterFunc {
	switch name {
	case "upper", "lower", "capitalize":
		return onText(name, transforms[name])
	case "title":
		return onText(name, titleFilter)
	case "trim":
		return func(s *state, v value, a *callArgs) (value, error) {
			args, err := a.bind(name, 0, "chars")
			if err != nil {
				return nil, err
			}
			if args[0] == missing {
				args[0] = nil
			}
			v, t, err := s.softText(v)
			if err != nil {
				return nil, err
			}
			out, err := stripped(name, t, args[0], true, true)
			return wrap(v, out), err
		}
	case "string":
		return plain(name, func(s *state, v value) (value, error) {
			v, _, err := s.softText(v)
			return v, err
		})
	case "safe":
		return plain(name, func(s *state, v value) (value, error) {
			t, err := s.str(v)
			return markup(t), err
		})
	case "e", "escape", "forceescape":
		return plain(name, func(s *state, v value) (value, error) {
			if m, ok := v.(markup); ok && name != "forceescape" {
				return m, nil
			}
			t, err := s.str(v)
			if err != nil {
				return nil, err
			}
			t = escapeHTML(t)
			return markup(t), s.allocate(len(t))
		})
	case "striptags":
		return plain(name, func(s *state, v value) (value, error) {
			t, err := s.str(v)
			if err != nil {
				return nil, err
			}
			return stripTags(t), s.step(len(t) / 8)
		})
	case "center":
		return centerFilter
	case "format":
		return func(s *state, v value, a *callArgs) (value, error) { return formatFilter(s, v, a) }
	case "indent":
		return indent
	case "replace":
		return replaceFilter
	case "truncate":
		return truncate
	case "urlencode":
		return plain(name, urlEncode)
	case "wordcount":
		return plain(name, wordCount)
	case "wordwrap":
		return wordWrap
	}
	return nil
}

// softText turns a value into text, and leaves marked text marked.
func (s *state) softText(v value) (value, string, error) {
	if t, ok := text(v); ok {
		return v, t, nil
	}
	t, err := s.str(v)
	return t, t, err
}

func onText(name string, f func(string) string) filterFunc {
	return plain(name, func(s *state, v value) (value, error) {
		v, t, err := s.softText(v)
		if err != nil {
			return nil, err
		}
		out := f(t)
		return wrap(v, out), s.allocate(len(out) + len(t))
	})
}

// titleFilter starts a word after - white space ( { [ <, unlike str.title().
func titleFilter(s string) string {
	var b strings.Builder
	start := 0
	flush := func(end int) {
		if word := s[start:end]; word != "" {
			r, n := utf8.DecodeRuneInString(word)
			b.WriteString(upper(string(r)))
			b.WriteString(lower(word[n:]))
		}
	}
	for i, r := range s {
		if isSpace(r) || strings.ContainsRune("-({[<", r) {
			flush(i)
			b.WriteRune(r)
			start = i + utf8.RuneLen(r)
		}
	}
	flush(len(s))
	return b.String()
}

func stripTags(t string) value {
	t = dropBetween(t, "<!--", "-->")
	t = dropBetween(t, "<", ">")
	return unescapeHTML(strings.Join(splitSpace(t, -1, false), " "))
}

func dropBetween(t, start, end string) string {
	var b strings.Builder
	for {
		i := strings.Index(t, start)
		if i < 0 {
			break
		}
		j := strings.Index(t[i:], end)
		if j < 0 {
			break
		}
		b.WriteString(t[:i])
		t = t[i+j+len(end):]
	}
	return b.String() + t
}

func unescapeHTML(t string) string { return html.UnescapeString(t) }

func centerFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("center", 0, "width")
	if err != nil {
		return nil, err
	}
	width := 80
	if args[0] != missing {
		if width, err = wantInt("center", args[0]); err != nil {
			return nil, err
		}
	}
	v, t, err := s.softText(v)
	if err != nil {
		return nil, err
	}
	out, err := s.padded("center", t, width, " ")
	return wrap(v, out), err
}

func formatFilter(s *state, v value, a *callArgs) (value, error) {
	if len(a.pos) > 0 && len(a.names) > 0 {
		return nil, errors.New("format takes positional or keyword arguments, not both")
	}
	v, _, err := s.softText(v)
	if err != nil {
		return nil, err
	}
	if len(a.names) > 0 {
		d := NewDict()
		for i, n := range a.names {
			d.put(n, a.vals[i])
		}
		return s.binary("%", v, d)
	}
	return s.binary("%", v, &tuple{items: a.pos})
}

func indent(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("indent", 0, "width", "first", "blank")
	if err != nil {
		return nil, err
	}
	by := "    "
	if args[0] != missing {
		if t, ok := text(args[0]); ok {
			by = t
		} else {
			n, err := wantInt("indent", args[0])
			if err != nil {
				return nil, err
			}
			if by, err = s.padded("ljust", "", n, " "); err != nil {
				return nil, err
			}
		}
	}
	firstToo, err := flag(args[1], false)
	if err != nil {
		return nil, err
	}
	blank, err := flag(args[2], false)
	if err != nil {
		return nil, err
	}
	t, err := wantText("indent", v)
	if err != nil {
		return nil, err
	}
	lines := splitLines(t+"\n", false)
	if n := len(t) + len(lines)*(len(by)+1); len(by) > maxTextBytes/len(lines) {
		return nil, errTextTooLong
	} else if err := s.allocate(n); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && firstToo || i > 0 && (blank || line != "") {
			b.WriteString(by)
		}
		b.WriteString(line)
	}
	return wrap(v, b.String()), nil
}

func replaceFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("replace", 2, "old", "new", "count")
	if err != nil {
		return nil, err
	}
	limit := -1
	if args[2] != missing && args[2] != nil {
		if limit, err = wantInt("replace", args[2]); err != nil {
			return nil, err
		}
	}
	var t [3]string
	for i, x := range []value{v, args[0], args[1]} {
		if t[i], err = s.str(x); err != nil {
			return nil, err
		}
	}
	return s.replace(t[0], t[1], t[2], limit)
}

func truncate(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("truncate", 0, "length", "killwords", "end", "leeway")
	if err != nil {
		return nil, err
	}
	n, leeway, end := 255, 5, "..."
	if args[0] != missing {
		if n, err = wantInt("truncate", args[0]); err != nil {
			return nil, err
		}
	}
	kill, err := flag(args[1], false)
	if err != nil {
		return nil, err
	}
	if args[2] != missing {
		if end, err = wantText("truncate", args[2]); err != nil {
			return nil, err
		}
	}
	if args[3] != missing && args[3] != nil {
		if leeway, err = wantInt("truncate", args[3]); err != nil {
			return nil, err
		}
	}
	if n < runeLen(end) || leeway < 0 {
		return nil, fmt.Errorf("truncate needs a length of at least %d and a leeway of at least 0", runeLen(end))
	}
	// What is short enough is left as it is, text or not.
	if size, err := length(s, v); err == nil && size.(int64) <= int64(n)+int64(leeway) {
		return v, nil
	}
	t, err := wantText("truncate", v)
	if err != nil {
		return nil, err
	}
	if err := s.allocate(len(t)); err != nil {
		return nil, err
	}
	cut := sliceRunes(t, 0, n-runeLen(end))
	if !kill {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return wrap(v, cut+end), nil
}

func urlEncode(s *state, v value) (value, error) {
	quote := func(x value, query bool) (string, error) {
		t, err := s.str(x)
		if err != nil {
			return "", err
		}
		if err := s.allocate(3 * len(t)); err != nil {
			return "", err
		}
		out := strings.ReplaceAll(url.QueryEscape(t), "%7E", "~")
		if !query {
			out = strings.ReplaceAll(strings.ReplaceAll(out, "+", "%20"), "%2F", "/")
		}
		return out, nil
	}
	if _, ok := text(v); ok {
		return quote(v, false)
	}
	if d, ok := v.(*Dict); ok {
		v = dictView{d, "items"}
	} else if _, _, err := s.iterate(v); err != nil {
		return quote(v, false)
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, x := range items {
		pair, err := s.items(x)
		if err != nil || len(pair) != 2 {
			return nil, errors.New("urlencode needs pairs of name and value")
		}
		k, err := quote(pair[0], true)
		if err != nil {
			return nil, err
		}
		w, err := quote(pair[1], true)
		if err != nil {
			return nil, err
		}
		parts = append(parts, k+"="+w)
	}
	return strings.Join(parts, "&"), nil
}

func wordCount(s *state, v value) (value, error) {
	_, t, err := s.softText(v)
	if err != nil {
		return nil, err
	}
	n, inWord := int64(0), false
	for _, r := range t {
		is := r == '_' || unicode.IsLetter(r) || isNumeric(r)
		if is && !inWord {
			n++
		}
		inWord = is
	}
	return n, s.step(len(t) / 64)
}
