package splitregex

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A node is a parsed expression.
type node interface{}

type (
	empty  struct{}
	chars  struct{ ranges []rune } // one character
	concat []node
	either []node
	repeat struct {
		of     node
		lo, hi int
		mode   quantifierMode
	}
	anchor struct{ kind int }
	look   struct {
		of             node
		negate, behind bool
	}
	atomic struct{ of node }
)

const (
	infinite  = math.MaxInt32
	maxRepeat = 1000 // of a group; of a single character, infinite
	maxNest   = 100
	maxLength = 1 << 16
)

// options of (?imx).
type options struct{ ignoreCase, dotAll, extended bool }

type parser struct {
	src   string
	pos   int
	opt   options
	depth int
}

func (p *parser) errorf(format string, args ...any) error {
	return fmt.Errorf("regular expression, at byte %d: %s", p.pos, fmt.Sprintf(format, args...))
}

func (p *parser) more() bool { return p.pos < len(p.src) }

func (p *parser) peek() rune {
	if !p.more() {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return r
}

func (p *parser) take() rune {
	r, n := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += n
	return r
}

func (p *parser) accept(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

// alternatives parses up to the end or a closing parenthesis.
func (p *parser) alternatives() (node, error) {
	if p.depth++; p.depth > maxNest {
		return nil, p.errorf("groups nest deeper than %d", maxNest)
	}
	defer func() { p.depth-- }()
	saved := p.opt
	defer func() { p.opt = saved }()
	var list either
	for {
		n, err := p.sequence()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !p.accept("|") {
			break
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) sequence() (node, error) {
	var list concat
	for p.more() && p.peek() != '|' && p.peek() != ')' {
		if p.opt.extended {
			if r := p.peek(); r == ' ' || '\t' <= r && r <= '\r' {
				p.take()
				continue
			} else if r == '#' {
				for p.more() && p.take() != '\n' {
				}
				continue
			}
		}
		n, err := p.quantified()
		if err != nil {
			return nil, err
		}
		if n != nil {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return empty{}, nil
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

func (p *parser) quantified() (node, error) {
	n, err := p.atom()
	if err != nil || n == nil {
		return n, err
	}
	for p.more() {
		start := p.pos
		lo, hi, braces := 0, 0, false
		switch {
		case p.accept("*"):
			lo, hi = 0, infinite
		case p.accept("+"):
			lo, hi = 1, infinite
		case p.accept("?"):
			lo, hi = 0, 1
		case p.peek() == '{':
			var ok bool
			if lo, hi, ok = p.braces(); !ok {
				return n, nil
			}
			braces = true
		default:
			return n, nil
		}
		if _, is := n.(anchor); is {
			return nil, p.errorf("a quantifier after an anchor")
		}
		mode := greedy
		if p.accept("?") {
			mode = lazy
		} else if !braces && p.accept("+") {
			mode = possessive
		}
		if _, single := n.(chars); !single && (lo > maxRepeat || hi > maxRepeat && hi != infinite) {
			p.pos = start
			return nil, p.errorf("a group is repeated more than %d times", maxRepeat)
		}
		n = repeat{n, lo, hi, mode}
	}
	return n, nil
}

// braces reads {n}, {n,}, {,m} or {n,m}; anything else is literal text.
func (p *parser) braces() (lo, hi int, ok bool) {
	end := strings.IndexByte(p.src[p.pos:], '}')
	if end < 0 {
		return 0, 0, false
	}
	first, second, comma := strings.Cut(p.src[p.pos+1:p.pos+end], ",")
	number := func(s string, absent int) (int, bool) {
		if s == "" {
			return absent, true
		}
		n, err := strconv.ParseUint(s, 10, 31)
		return int(n), err == nil && n <= 100000
	}
	lo, okLo := number(first, 0)
	hi, okHi := number(second, infinite)
	if !comma {
		hi = lo
	}
	if !okLo || !okHi || first == "" && second == "" || hi < lo {
		return 0, 0, false
	}
	p.pos += end + 1
	return lo, hi, true
}

func (p *parser) atom() (node, error) {
	switch r := p.take(); r {
	case '(':
		return p.group()
	case '[':
		ranges, err := p.class()
		if err != nil {
			return nil, err
		}
		return p.chars(ranges), nil
	case '.':
		if p.opt.dotAll {
			return chars{[]rune{0, unicode.MaxRune}}, nil
		}
		return chars{complement([]rune{'\n', '\n'})}, nil
	case '^':
		return anchor{lineBegin}, nil
	case '$':
		return anchor{lineEnd}, nil
	case '*', '+', '?':
		return nil, p.errorf("%q has nothing to repeat", r)
	case '\\':
		return p.escape()
	default:
		return p.chars([]rune{r, r}), nil
	}
}

// chars is one character of ranges, in any case where the options say so.
func (p *parser) chars(ranges []rune) node {
	if p.opt.ignoreCase {
		ranges = foldCase(ranges)
	}
	return chars{ranges}
}

func (p *parser) group() (node, error) {
	kind := "("
	if p.accept("?") {
		switch {
		case p.accept("#"):
			end := strings.IndexByte(p.src[p.pos:], ')')
			if end < 0 {
				return nil, p.errorf("a comment is not closed")
			}
			p.pos += end + 1
			return nil, nil
		case p.accept(":"):
		case p.accept("="), p.accept("!"), p.accept("<="), p.accept("<!"), p.accept(">"):
			kind = p.src[strings.LastIndexByte(p.src[:p.pos], '?')+1 : p.pos]
		case p.accept("<"), p.accept("P<"), p.accept("'"):
			end := strings.IndexAny(p.src[p.pos:], ">'")
			if end < 0 {
				return nil, p.errorf("a group's name is not closed")
			}
			p.pos += end + 1
		default:
			return p.optionGroup()
		}
	}
	of, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, p.errorf("a group is not closed")
	}
	switch kind {
	case "=", "!":
		return look{of, kind == "!", false}, nil
	case "<=", "<!":
		return look{of, kind == "<!", true}, nil
	case ">":
		return atomic{of}, nil
	}
	return of, nil
}

// optionGroup parses (?i-m:…) or (?i), which holds to the end of the enclosing group.
func (p *parser) optionGroup() (node, error) {
	opt, on := p.opt, true
	for p.more() {
		switch r := p.take(); r {
		case '-':
			on = false
		case 'i':
			opt.ignoreCase = on
		case 'm':
			opt.dotAll = on
		case 'x':
			opt.extended = on
		case ')', ':':
			saved := p.opt
			p.opt = opt
			of, err := p.alternatives()
			p.opt = saved
			if err != nil {
				return nil, err
			}
			if r == ':' && !p.accept(")") {
				return nil, p.errorf("a group is not closed")
			}
			return of, nil
		default:
			return nil, p.errorf("groups of the kind (?%c are not supported", r)
		}
	}
	return nil, p.errorf("a group is not closed")
}

// escape parses what follows a backslash outside a class.
func (p *parser) escape() (node, error) {
	if !p.more() {
		return nil, p.errorf("the pattern ends in a backslash")
	}
	switch p.peek() {
	case 'A':
		p.take()
		return anchor{textBegin}, nil
	case 'z':
		p.take()
		return anchor{textEnd}, nil
	case 'Z':
		p.take()
		return anchor{textEndNewline}, nil
	case 'b':
		p.take()
		return anchor{wordBoundary}, nil
	case 'B':
		p.take()
		return anchor{noWordBoundary}, nil
	case 'R':
		p.take()
		return atomic{either{
			concat{chars{[]rune{'\r', '\r'}}, chars{[]rune{'\n', '\n'}}},
			chars{[]rune{'\n', '\r', 0x85, 0x85, 0x2028, 0x2029}},
		}}, nil
	case 'G', 'K', 'X', 'k', 'g', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return nil, p.errorf("\\%c is not supported", p.peek())
	}
	ranges, err := p.escapedChars()
	if err != nil {
		return nil, err
	}
	return p.chars(ranges), nil
}
