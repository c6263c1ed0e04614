package lambda

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rewrite turns a Python expression into a Starlark one.
func rewrite(text string) (string, error) {
	tokens, err := scan(text)
	if err != nil {
		return "", err
	}
	w := writer{tokens: tokens}
	out, _, err := w.group("", 0)
	return out, err
}

type kind int

const (
	space kind = iota
	name
	quoted
	other
)

// token is a piece of a Python expression.
type token struct {
	kind kind
	text string
	// Of a quoted text: its prefix in lower case, its quotes and what is between.
	prefix, quotes, body string
}

var errOpenQuote = errors.New("has a quote that is not closed")

// scan cuts a Python expression into tokens.
func scan(text string) ([]token, error) {
	var tokens []token
	for len(text) > 0 {
		r, _ := utf8.DecodeRuneInString(text)
		switch {
		case unicode.IsSpace(r):
			end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) })
			if end < 0 {
				end = len(text)
			}
			// A line break ends a Starlark expression, and has no meaning here.
			tokens = append(tokens, token{kind: space, text: " "})
			text = text[end:]
		case r == '#':
			return nil, errors.New("has a comment, or # outside quotes")
		case r == '\'' || r == '"':
			t, rest, err := scanQuoted("", text)
			if err != nil {
				return nil, err
			}
			tokens, text = append(tokens, t), rest
		case isNameRune(r):
			end := strings.IndexFunc(text, func(r rune) bool { return !isNameRune(r) })
			if end < 0 {
				end = len(text)
			}
			word, rest := text[:end], text[end:]
			if rest != "" && (rest[0] == '\'' || rest[0] == '"') && isPrefix(word) {
				t, after, err := scanQuoted(strings.ToLower(word), rest)
				if err != nil {
					return nil, err
				}
				tokens, text = append(tokens, t), after
				continue
			}
			tokens, text = append(tokens, token{kind: name, text: word}), rest
		default:
			n := utf8.RuneLen(r)
			if r == utf8.RuneError {
				n = 1
			}
			tokens, text = append(tokens, token{kind: other, text: text[:n]}), text[n:]
		}
	}
	return tokens, nil
}

func isNameRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

func isPrefix(word string) bool {
	switch strings.ToLower(word) {
	case "f", "r", "b", "u", "fr", "rf", "br", "rb":
		return true
	}
	return false
}

// scanQuoted takes a quoted text from the start of text.
func scanQuoted(prefix, text string) (t token, rest string, err error) {
	quotes := text[:1]
	if strings.HasPrefix(text, strings.Repeat(quotes, 3)) {
		quotes = text[:3]
	}
	for i := len(quotes); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case len(quotes) == 1 && text[i] == '\n':
			return token{}, "", errOpenQuote
		case strings.HasPrefix(text[i:], quotes):
			end := i + len(quotes)
			return token{kind: quoted, text: text[:end], prefix: prefix, quotes: quotes, body: text[len(quotes):i]}, text[end:], nil
		}
	}
	return token{}, "", errOpenQuote
}

type writer struct {
	tokens []token
	at     int
}

// nestingMax bounds brackets in brackets, and f-strings in f-strings.
const nestingMax = 100

// group writes tokens up to the bracket that closes the group, "" for the end.
// It tells whether the group is a generator expression: a for at its own level.
func (w *writer) group(closing string, depth int) (out string, generator bool, err error) {
	if depth > nestingMax {
		return "", false, fmt.Errorf("is nested deeper than %d", nestingMax)
	}
	var b strings.Builder
	for w.at < len(w.tokens) {
		t := w.tokens[w.at]
		switch {
		case t.kind == quoted:
			text, err := w.texts(depth)
			if err != nil {
				return "", false, err
			}
			b.WriteString(text)
			continue
		case t.kind == name && t.text == "is":
			if w.follows("not") {
				b.WriteString("!=")
			} else {
				b.WriteString("==")
			}
		case t.kind == name:
			generator = generator || t.text == "for"
			b.WriteString(t.text)
		case t.text == "(" || t.text == "[" || t.text == "{":
			end := map[string]string{"(": ")", "[": "]", "{": "}"}[t.text]
			w.at++
			inner, isGenerator, err := w.group(end, depth+1)
			if err != nil {
				return "", false, err
			}
			if t.text == "(" && isGenerator {
				inner = "[" + inner + "]"
			}
			b.WriteString(t.text + inner + end)
		case t.text == ")" || t.text == "]" || t.text == "}":
			if t.text != closing {
				return "", false, fmt.Errorf("has a %s that nothing opens", t.text)
			}
			return b.String(), generator, nil
		default:
			b.WriteString(t.text)
		}
		w.at++
	}
	if closing != "" {
		return "", false, fmt.Errorf("lacks a %s", closing)
	}
	return b.String(), generator, nil
}

// follows consumes a name that comes next, if it does.
func (w *writer) follows(word string) bool {
	for i := w.at + 1; i < len(w.tokens); i++ {
		if t := w.tokens[i]; t.kind == name && t.text == word {
			w.at = i
			return true
		} else if t.kind != space {
			return false
		}
	}
	return false
}

// texts writes quoted texts, several side by side as a sum.
func (w *writer) texts(depth int) (string, error) {
	var parts []string
	for end := w.at; end < len(w.tokens) && (w.tokens[end].kind == quoted || w.tokens[end].kind == space); end++ {
		if w.tokens[end].kind == space {
			continue
		}
		part, err := quote(w.tokens[end], depth)
		if err != nil {
			return "", err
		}
		parts = append(parts, part)
		w.at = end + 1
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return "(" + strings.Join(parts, " + ") + ")", nil
}

// quote writes one quoted text.
func quote(t token, depth int) (string, error) {
	raw := strings.ReplaceAll(strings.ReplaceAll(t.prefix, "f", ""), "u", "")
	if raw == "br" {
		raw = "rb"
	}
	if !strings.Contains(t.prefix, "f") {
		return raw + t.quotes + t.body + t.quotes, nil
	}
	format, values, err := fString(t.body, depth)
	if err != nil {
		return "", err
	}
	text := raw + t.quotes + format + t.quotes
	if len(values) == 0 {
		return "(" + text + " % ())", nil
	}
	return "(" + text + " % (" + strings.Join(values, ", ") + ",))", nil
}

// fString turns the inside of an f-string into a format of % and its values.
func fString(body string, depth int) (format string, values []string, err error) {
	if depth > nestingMax {
		return "", nil, fmt.Errorf("is nested deeper than %d", nestingMax)
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '%':
			b.WriteString("%%")
		case (c == '{' || c == '}') && i+1 < len(body) && body[i+1] == c:
			b.WriteByte(c)
			i++
		case c == '}':
			return "", nil, errors.New("has an f-string with a } that nothing opens (write }} for the sign itself)")
		case c == '{':
			end, err := fieldEnd(body[i+1:])
			if err != nil {
				return "", nil, err
			}
			value, err := field(body[i+1:i+1+end], depth)
			if err != nil {
				return "", nil, err
			}
			b.WriteString("%s")
			values = append(values, value)
			i += 1 + end
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), values, nil
}

// fieldEnd finds the } that ends a field of an f-string.
func fieldEnd(text string) (int, error) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'', '"':
			t, _, err := scanQuoted("", text[i:])
			if err != nil {
				return 0, err
			}
			i += len(t.text) - 1
		case '(', '[', '{':
			depth++
		case ')', ']':
			depth--
		case '}':
			if depth == 0 {
				return i, nil
			}
			depth--
		}
	}
	return 0, errors.New("has an f-string with a { that is not closed (write {{ for the sign itself)")
}

// field writes the value of a field: EXPRESSION, EXPRESSION!r or EXPRESSION!s.
func field(text string, depth int) (string, error) {
	call, depthHere := "str", 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			t, _, err := scanQuoted("", text[i:])
			if err != nil {
				return "", err
			}
			i += len(t.text) - 1
		case c == '(' || c == '[' || c == '{':
			depthHere++
		case c == ')' || c == ']' || c == '}':
			depthHere--
		case depthHere > 0:
		case c == ':':
			return "", fmt.Errorf("has an f-string with the format %q, which is not supported (leave out the colon and what follows it)", text[i:])
		case c == '!' && (i+1 >= len(text) || text[i+1] != '='):
			switch strings.TrimSpace(text[i+1:]) {
			case "s":
			case "r":
				call = "repr"
			default:
				return "", fmt.Errorf("has an f-string with %q, which is not supported (only !s and !r are)", text[i:])
			}
			text = text[:i]
		}
	}
	if strings.TrimSpace(text) == "" {
		return "", errors.New("has an f-string with an empty {}")
	}
	tokens, err := scan(text)
	if err != nil {
		return "", err
	}
	w := writer{tokens: tokens}
	inner, _, err := w.group("", depth+1)
	if err != nil {
		return "", err
	}
	return call + "(" + inner + ")", nil
}
