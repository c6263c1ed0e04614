package chattemplate

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokData
	tokBlockBegin
	tokBlockEnd
	tokVariableBegin
	tokVariableEnd
	tokName
	tokString
	tokInteger
	tokFloat
	tokOperator
)

type token struct {
	kind tokenKind
	line int
	text string // of data, name, operator; the value of a string
	num  value  // of integer, float
}

func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "end of template"
	case tokData:
		return "template text"
	case tokBlockBegin:
		return "'{%'"
	case tokBlockEnd:
		return "'%}'"
	case tokVariableBegin:
		return "'{{'"
	case tokVariableEnd:
		return "'}}'"
	case tokInteger, tokFloat:
		return "a number"
	case tokString:
		return "a string"
	}
	return "'" + t.text + "'"
}

type lexer struct {
	src    string
	pos    int
	line   int
	tokens []token
	// lineStarting is whether what was read last ended a line: lstrip_blocks then acts on a tag
	// that only blanks precede.
	lineStarting bool
}

func syntaxError(line int, format string, args ...any) error {
	return &Error{Line: line, Message: fmt.Sprintf(format, args...)}
}

// lex cuts a template into tokens, with trim_blocks and lstrip_blocks as transformers sets them.
func lex(source string) ([]token, error) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{src: source, line: 1, lineStarting: true}
	for l.pos < len(l.src) {
		if err := l.root(); err != nil {
			return nil, err
		}
	}
	l.emit(token{kind: tokEOF})
	return l.tokens, nil
}

func (l *lexer) emit(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// advance moves over n bytes and counts their lines.
func (l *lexer) advance(n int) {
	part := l.src[l.pos : l.pos+n]
	l.line += strings.Count(part, "\n")
	l.pos += n
	l.lineStarting = strings.HasSuffix(part, "\n")
}

func (l *lexer) root() error {
	rest := l.src[l.pos:]
	at := 0
	for {
		i := strings.IndexByte(rest[at:], '{')
		if i < 0 || at+i+1 >= len(rest) {
			l.emit(token{kind: tokData, text: rest})
			l.advance(len(rest))
			return nil
		}
		at += i
		if c := rest[at+1]; c == '%' || c == '{' || c == '#' {
			break
		}
		at++
	}
	data, kind := rest[:at], rest[at+1]
	sign, n := tagSign(rest[at+2:])
	rawLength := -1
	if kind == '%' {
		rawLength = rawBegin(rest[at+2+n:])
	}
	l.data(data, sign, kind != '{')
	l.advance(at + 2 + n)
	switch {
	case rawLength >= 0:
		l.advance(rawLength)
		return l.raw()
	case kind == '#':
		return l.comment()
	case kind == '%':
		l.emit(token{kind: tokBlockBegin})
		return l.tag(false)
	}
	l.emit(token{kind: tokVariableBegin})
	return l.tag(true)
}

// tagSign reads the - or + behind the opening of a tag.
func tagSign(s string) (byte, int) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[0], 1
	}
	return 0, 0
}

// data emits the text before a tag, less the blanks that the tag takes away.
func (l *lexer) data(data string, sign byte, strips bool) {
	switch {
	case sign == '-':
		data = strings.TrimRightFunc(data, isSpace)
	case sign != '+' && strips:
		start := strings.LastIndexByte(data, '\n') + 1
		if (start > 0 || l.lineStarting) && strings.TrimLeftFunc(data[start:], isSpace) == "" {
			data = data[:start]
		}
	}
	if data != "" {
		l.emit(token{kind: tokData, text: data})
	}
}

// spaces returns the length of the white space that s starts with.
func spaces(s string) int { return len(s) - len(strings.TrimLeftFunc(s, isSpace)) }

// rawBegin returns the length of what follows "{%" or "{%-" in "{% raw %}", or -1.
func rawBegin(s string) int {
	n := spaces(s)
	if !strings.HasPrefix(s[n:], "raw") {
		return -1
	}
	n += 3
	n += spaces(s[n:])
	if strings.HasPrefix(s[n:], "-%}") {
		n += 3
		return n + spaces(s[n:])
	}
	if strings.HasPrefix(s[n:], "%}") {
		return n + 2
	}
	return -1
}

// closing returns the length of a closing tag such as "%}" at the start of s, with what + - and
// trim_blocks make it take along, or -1.
func closing(s, end string) int {
	switch {
	case strings.HasPrefix(s, end):
		if n := len(end); strings.HasPrefix(s[n:], "\n") {
			return n + 1
		}
		return len(end)
	case strings.HasPrefix(s, "+") && strings.HasPrefix(s[1:], end):
		return 1 + len(end)
	case strings.HasPrefix(s, "-") && strings.HasPrefix(s[1:], end):
		n := 1 + len(end)
		return n + spaces(s[n:])
	}
	return -1
}

func (l *lexer) raw() error {
	rest := l.src[l.pos:]
	for at := 0; ; at++ {
		i := strings.Index(rest[at:], "{%")
		if i < 0 {
			return syntaxError(l.line, "{%% raw %%} is not closed by {%% endraw %%}")
		}
		at += i
		sign, n := tagSign(rest[at+2:])
		end := at + 2 + n
		end += spaces(rest[end:])
		if !strings.HasPrefix(rest[end:], "endraw") {
			continue
		}
		end += len("endraw")
		end += spaces(rest[end:])
		c := closing(rest[end:], "%}")
		if c < 0 {
			continue
		}
		l.data(rest[:at], sign, true)
		l.advance(end + c)
		return nil
	}
}

func (l *lexer) comment() error {
	rest := l.src[l.pos:]
	end := strings.Index(rest, "#}")
	if end < 0 {
		return syntaxError(l.line, "{# is not closed by #}")
	}
	if end > 0 && (rest[end-1] == '-' || rest[end-1] == '+') {
		end--
	}
	l.advance(end + closing(rest[end:], "#}"))
	return nil
}

// operators, longest first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

// tag reads the inside of a tag and its end.
func (l *lexer) tag(variable bool) error {
	var open []byte
	for {
		rest := l.src[l.pos:]
		if rest == "" {
			return nil // the parser says what is missing
		}
		if len(open) == 0 {
			if n := l.tagEnd(rest, variable); n >= 0 {
				kind := tokBlockEnd
				if variable {
					kind = tokVariableEnd
				}
				l.emit(token{kind: kind})
				l.advance(n)
				return nil
			}
		}
		r, _ := utf8.DecodeRuneInString(rest)
		switch {
		case isSpace(r):
			l.advance(spaces(rest))
		case r >= '0' && r <= '9':
			if err := l.number(rest); err != nil {
				return err
			}
		case r == '"' || r == '\'':
			if err := l.str(rest, byte(r)); err != nil {
				return err
			}
		case isNameStart(r):
			n := strings.IndexFunc(rest, func(r rune) bool { return !isNamePart(r) })
			if n < 0 {
				n = len(rest)
			}
			l.emit(token{kind: tokName, text: rest[:n]})
			l.advance(n)
		default:
			var err error
			if open, err = l.operator(rest, open); err != nil {
				return err
			}
		}
	}
}

func (l *lexer) tagEnd(rest string, variable bool) int {
	if !variable {
		return closing(rest, "%}")
	}
	if strings.HasPrefix(rest, "}}") {
		return 2
	}
	if strings.HasPrefix(rest, "-}}") {
		return 3 + spaces(rest[3:])
	}
	return -1
}

func (l *lexer) operator(rest string, open []byte) ([]byte, error) {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(":
			open = append(open, ')')
		case "[":
			open = append(open, ']')
		case "{":
			open = append(open, '}')
		case ")", "]", "}":
			if len(open) == 0 {
				return nil, syntaxError(l.line, "unexpected '%s'", op)
			}
			if want := open[len(open)-1]; want != op[0] {
				return nil, syntaxError(l.line, "unexpected '%s', expected '%c'", op, want)
			}
			open = open[:len(open)-1]
		}
		l.emit(token{kind: tokOperator, text: op})
		l.advance(len(op))
		return open, nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return nil, syntaxError(l.line, "unexpected character %q", r)
}

func isNameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) }

func isNamePart(r rune) bool {
	return isNameStart(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Mn, r) ||
		unicode.Is(unicode.Mc, r) || unicode.Is(unicode.Pc, r) || r == 0xb7
}

// digits returns the length of digits of a base at the start of s, single underscores between them.
func digits(s string, is func(byte) bool) int {
	n := 0
	for n < len(s) {
		switch {
		case is(s[n]):
			n++
		case s[n] == '_' && n > 0 && n+1 < len(s) && is(s[n+1]):
			n++
		default:
			return n
		}
	}
	return n
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }

func (l *lexer) number(s string) error {
	n := digits(s, isDecimal)
	isFloat := false
	after := l.pos > 0 && l.src[l.pos-1] == '.'
	if !after {
		end := n
		if end < len(s) && s[end] == '.' {
			if f := digits(s[end+1:], isDecimal); f > 0 {
				end += 1 + f
				isFloat = true
			}
		}
		if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
			e := end + 1
			if e < len(s) && (s[e] == '+' || s[e] == '-') {
				e++
			}
			if f := digits(s[e:], isDecimal); f > 0 {
				end = e + f
				isFloat = true
			}
		}
		if isFloat {
			f, err := strconv.ParseFloat(strings.ReplaceAll(s[:end], "_", ""), 64)
			if err != nil && !strings.Contains(err.Error(), "range") {
				return syntaxError(l.line, "malformed number %s", s[:end])
			}
			l.emit(token{kind: tokFloat, num: f})
			l.advance(end)
			return nil
		}
	}
	n = integerLength(s)
	if n > maxIntegerDigits {
		return syntaxError(l.line, "a number has more than %d digits", maxIntegerDigits)
	}
	b, ok := new(big.Int).SetString(strings.ReplaceAll(s[:n], "_", ""), 0)
	if !ok { // zeros only
		b = new(big.Int)
	}
	l.emit(token{kind: tokInteger, num: normalInt(b), text: s[:n]})
	l.advance(n)
	return nil
}

func integerLength(s string) int {
	if len(s) > 2 && s[0] == '0' {
		var is func(byte) bool
		switch s[1] | 0x20 {
		case 'b':
			is = func(c byte) bool { return c == '0' || c == '1' }
		case 'o':
			is = func(c byte) bool { return c >= '0' && c <= '7' }
		case 'x':
			is = func(c byte) bool { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
		}
		if is != nil {
			from := 2
			if s[2] == '_' {
				from = 3
			}
			if n := digits(s[from:], is); n > 0 {
				return from + n
			}
		}
	}
	if s[0] == '0' {
		return digits(s, func(c byte) bool { return c == '0' })
	}
	return digits(s, isDecimal)
}

func (l *lexer) str(s string, quote byte) error {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			v, err := unescape(s[1:i])
			if err != nil {
				return syntaxError(l.line, "%v", err)
			}
			l.emit(token{kind: tokString, text: v})
			l.advance(i + 1)
			return nil
		}
	}
	return syntaxError(l.line, "a string is not closed")
}

// unescape resolves the escapes of a Python string literal; unknown ones stay as they are.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf("a string ends in a backslash")
		}
		if j := strings.IndexByte("ntr\\'\"abfv", s[i]); j >= 0 {
			b.WriteByte("\n\t\r\\'\"\a\b\f\v"[j])
			continue
		}
		switch c := s[i]; {
		case c == '\n':
		case c >= '0' && c <= '7':
			n, v := 0, 0
			for ; n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7'; n++ {
				v = v*8 + int(s[i+n]-'0')
			}
			b.WriteRune(rune(v))
			i += n - 1
		case c == 'x' || c == 'u' || c == 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+n >= len(s) {
				return "", fmt.Errorf(`truncated \%c escape in a string`, c)
			}
			v, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if err != nil || v > unicode.MaxRune {
				return "", fmt.Errorf(`malformed \%c escape in a string`, c)
			}
			b.WriteRune(rune(v))
			i += n
		case c == 'N':
			return "", fmt.Errorf(`\N{…} in a string is not supported: write the character itself`)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
