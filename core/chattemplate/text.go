package chattemplate

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSpace is str.isspace() of one character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func runeLen(s string) int { return utf8.RuneCountInString(s) }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// floatRepr is repr() of a float: the shortest digits that read back the same.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func intText(v *big.Int) (string, error) {
	if v.BitLen() > maxIntegerDigits*10/3+8 {
		return "", fmt.Errorf("an integer has more than %d digits", maxIntegerDigits)
	}
	return v.String(), nil
}

// str is Python's str().
func (s *state) str(v value) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case markup:
		return string(v), nil
	case *undefined:
		return "", nil
	}
	return s.repr(v)
}

// repr is Python's repr().
func (s *state) repr(v value) (string, error) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case nil:
		return "None", nil
	}
	w := reprWriter{s: s}
	if err := w.write(v, 0); err != nil {
		return "", err
	}
	return string(w.buf), s.allocate(len(w.buf))
}

type reprWriter struct {
	s   *state
	buf []byte
}

func (w *reprWriter) write(v value, depth int) error {
	if depth > maxNesting {
		return errTooNested
	}
	if len(w.buf) > maxTextBytes {
		return errTextTooLong
	}
	if err := w.s.step(1); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		w.buf = append(w.buf, "None"...)
	case bool:
		if v {
			w.buf = append(w.buf, "True"...)
		} else {
			w.buf = append(w.buf, "False"...)
		}
	case int64:
		w.buf = strconv.AppendInt(w.buf, v, 10)
	case *big.Int:
		t, err := intText(v)
		if err != nil {
			return err
		}
		w.buf = append(w.buf, t...)
	case float64:
		w.buf = append(w.buf, floatRepr(v)...)
	case string:
		w.buf = appendQuoted(w.buf, v)
	case markup:
		w.buf = append(w.buf, "Markup("...)
		w.buf = append(appendQuoted(w.buf, string(v)), ')')
	case *undefined:
		w.buf = append(w.buf, "Undefined"...)
	case *List:
		return w.items('[', v.items, "]", depth)
	case *tuple:
		if len(v.items) == 1 {
			return w.items('(', v.items, ",)", depth)
		}
		return w.items('(', v.items, ")", depth)
	case *Dict:
		return w.dict(v, depth)
	case rangeOf:
		return w.rangeOf(v)
	case dictView:
		w.buf = append(w.buf, "dict_"+v.kind+"("...)
		l := make([]value, v.d.Len())
		for i := range l {
			l[i] = v.at(i)
		}
		return w.items('[', l, "])", depth)
	case *namespaceOf:
		w.buf = append(w.buf, "<Namespace "...)
		if err := w.dict(v.attrs, depth); err != nil {
			return err
		}
		w.buf = append(w.buf, '>')
	case *macroOf:
		w.buf = append(w.buf, "<Macro "...)
		if v.def.name == "" {
			w.buf = append(w.buf, "anonymous>"...)
		} else {
			w.buf = append(appendQuoted(w.buf, v.def.name), '>')
		}
	case *loopOf:
		n, err := v.length()
		if err != nil {
			return err
		}
		w.buf = fmt.Appendf(w.buf, "<LoopContext %d/%d>", v.index0+1, n)
	default:
		// Python prints an address here, which no template can mean.
		return fmt.Errorf("a %s has no text", typeName(v))
	}
	return nil
}

func (w *reprWriter) rangeOf(v rangeOf) error {
	w.buf = fmt.Appendf(w.buf, "range(%d, %d", v.start, v.stop())
	if v.step != 1 {
		w.buf = fmt.Appendf(w.buf, ", %d", v.step)
	}
	w.buf = append(w.buf, ')')
	return nil
}

func (w *reprWriter) items(open byte, items []value, end string, depth int) error {
	w.buf = append(w.buf, open)
	for i, x := range items {
		if i > 0 {
			w.buf = append(w.buf, ", "...)
		}
		if err := w.write(x, depth+1); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, end...)
	return nil
}

func (w *reprWriter) dict(d *Dict, depth int) error {
	w.buf = append(w.buf, '{')
	for i, e := range d.entries {
		if i > 0 {
			w.buf = append(w.buf, ", "...)
		}
		if err := w.write(e.key, depth+1); err != nil {
			return err
		}
		w.buf = append(w.buf, ": "...)
		if err := w.write(e.val, depth+1); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, '}')
	return nil
}

// appendQuoted is repr() of a str.
func appendQuoted(b []byte, s string) []byte {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	b = append(b, quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ' || r == 0x7f:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x7f || isPrintable(r):
			b = utf8.AppendRune(b, r)
		case r <= 0xff:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return append(b, quote)
}

// isPrintable is str.isprintable() of one character.
func isPrintable(r rune) bool { return r == ' ' || unicode.IsPrint(r) }

var errTextTooLong = errors.New("a text grows beyond 64 MiB")

// escapeHTML is markupsafe's escape().
func escapeHTML(s string) string { return htmlEscapes.Replace(s) }

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// sliceRunes returns characters i..j of a string.
func sliceRunes(s string, i, j int) string {
	if i >= j {
		return ""
	}
	if isASCII(s) {
		return s[min(i, len(s)):min(j, len(s))]
	}
	r := []rune(s)
	return string(r[min(i, len(r)):min(j, len(r))])
}

// splitLines is str.splitlines().
func splitLines(s string, keepEnds bool) []string {
	var lines []string
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch r {
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		case '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				n = 2
			}
		default:
			i += n
			continue
		}
		end := i
		if keepEnds {
			end = i + n
		}
		lines = append(lines, s[start:end])
		i += n
		start = i
	}
	if start < len(s) {
		lines = append(lines, s[start:])
	}
	return lines
}
