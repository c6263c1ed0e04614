package chattemplate

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// transforms are the methods of str that take nothing and make a str.
var transforms = map[string]func(string) string{
	"upper":      upper,
	"lower":      lower,
	"title":      title,
	"capitalize": capitalize,
	"casefold":   func(s string) string { return cases.Fold().String(s) },
	"swapcase":   swapCase,
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

// titleRune is the title case of one character, which can be several: ß is Ss.
func titleRune(r rune) string {
	if r < 0x80 {
		return string(unicode.ToUpper(r))
	}
	return cases.Title(language.Und, cases.NoLower).String(string(r))
}

func isCased(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

// lowerRest lowers what follows a letter: there a last sigma has a form of its own.
func lowerRest(s string) string { return lower("a" + s)[1:] }

func title(s string) string {
	var b strings.Builder
	for s != "" {
		start := strings.IndexFunc(s, isCased)
		if start < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[start:]
		end := strings.IndexFunc(s, func(r rune) bool { return !isCased(r) })
		if end < 0 {
			end = len(s)
		}
		r, n := utf8.DecodeRuneInString(s)
		b.WriteString(titleRune(r))
		b.WriteString(lowerRest(s[n:end]))
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}

func capitalize(s string) string {
	for i, r := range s {
		if i > 0 {
			return titleRune([]rune(s[:i])[0]) + lowerRest(s[i:])
		}
		if len(string(r)) == len(s) {
			return titleRune(r)
		}
	}
	return s
}

func swapCase(s string) string {
	lowered := []rune(lower(s)) // as a whole: a last sigma has a form of its own
	whole := len(lowered) == runeLen(s)
	var b strings.Builder
	i := -1
	for _, r := range s {
		i++
		switch {
		case unicode.IsUpper(r) && whole:
			b.WriteRune(lowered[i])
		case unicode.IsUpper(r):
			b.WriteString(lower(string(r)))
		case unicode.IsLower(r):
			b.WriteString(upper(string(r)))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
