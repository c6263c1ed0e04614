package splitregex

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// Sets of characters, as first, last pairs.

// wordSet is \w.
var wordSet = sync.OnceValue(func() *set { return newSet(runes(unicodetables.RegexWords())) })

func runes(ranges []uint32) []rune {
	out := make([]rune, len(ranges))
	for i, r := range ranges {
		out[i] = rune(r)
	}
	return out
}

// union sorts and joins ranges.
func union(ranges []rune) []rune {
	type pair struct{ lo, hi rune }
	pairs := make([]pair, 0, len(ranges)/2)
	for i := 0; i+1 < len(ranges); i += 2 {
		pairs = append(pairs, pair{ranges[i], ranges[i+1]})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return int(a.lo - b.lo) })
	var out []rune
	for _, p := range pairs {
		if n := len(out); n > 0 && p.lo <= out[n-1]+1 {
			out[n-1] = max(out[n-1], p.hi)
		} else {
			out = append(out, p.lo, p.hi)
		}
	}
	return out
}

func complement(ranges []rune) []rune {
	var out []rune
	next := rune(0)
	for i := 0; i+1 < len(ranges); i += 2 {
		if next < ranges[i] {
			out = append(out, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, next, unicode.MaxRune)
	}
	return out
}

func intersect(a, b []rune) []rune {
	return complement(union(append(complement(a), complement(b)...)))
}

// foldCase adds the other cases of each character. Large ranges are properties, which hold all
// cases already or mean one of them.
func foldCase(ranges []rune) []rune {
	out := slices.Clone(ranges)
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i+1]-ranges[i] > 4096 {
			continue
		}
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				out = append(out, f, f)
			}
		}
	}
	return union(out)
}

// class parses a bracketed class after its opening bracket.
func (p *parser) class() ([]rune, error) {
	if p.depth++; p.depth > maxNest {
		return nil, p.errorf("classes nest deeper than %d", maxNest)
	}
	defer func() { p.depth-- }()
	negate := p.accept("^")
	var all []rune // the intersection so far
	intersected := false
	var current []rune
	first := true
	for {
		if !p.more() {
			return nil, p.errorf("a class is not closed")
		}
		if p.peek() == ']' && !first {
			p.take()
			break
		}
		first = false
		if p.accept("&&") {
			if current = union(current); intersected {
				all = intersect(all, current)
			} else {
				all, intersected = current, true
			}
			current = nil
			continue
		}
		item, single, err := p.classItem()
		if err != nil {
			return nil, err
		}
		if single && p.peek() == '-' && !strings.HasPrefix(p.src[p.pos:], "-]") {
			at := p.pos
			p.take()
			to, single, err := p.classItem()
			if err != nil {
				return nil, err
			}
			if single {
				if to[0] < item[0] {
					p.pos = at
					return nil, p.errorf("the range %c-%c is empty", item[0], to[0])
				}
				current = append(current, item[0], to[0])
				continue
			}
			p.pos = at // a literal hyphen
		}
		current = append(current, item...)
	}
	current = union(current)
	if intersected {
		current = intersect(all, current)
	}
	if negate {
		if p.opt.ignoreCase {
			current = foldCase(current)
		}
		current = complement(current)
	}
	return current, nil
}

// classItem parses one member of a class; single says that it is one character.
func (p *parser) classItem() (ranges []rune, single bool, err error) {
	if p.accept("[:") {
		end := strings.Index(p.src[p.pos:], ":]")
		if end >= 0 {
			name, negate := strings.CutPrefix(p.src[p.pos:p.pos+end], "^")
			if set, ok := property(name); ok {
				p.pos += end + 2
				if negate {
					set = complement(set)
				}
				return set, false, nil
			}
		}
		p.pos -= 2
	}
	switch r := p.take(); r {
	case '[':
		set, err := p.class()
		return set, false, err
	case '\\':
		if !p.more() {
			return nil, false, p.errorf("a class is not closed")
		}
		if p.accept("b") {
			return []rune{'\b', '\b'}, true, nil
		}
		set, err := p.escapedChars()
		return set, err == nil && len(set) == 2 && set[0] == set[1], err
	default:
		return []rune{r, r}, true, nil
	}
}

// escapedChars parses an escape that stands for characters, after its backslash.
func (p *parser) escapedChars() ([]rune, error) {
	simple := map[rune]rune{'t': '\t', 'n': '\n', 'r': '\r', 'f': '\f', 'v': '\v', 'a': '\a', 'e': 0x1B}
	r := p.take()
	if c, ok := simple[r]; ok {
		return []rune{c, c}, nil
	}
	var set []rune
	switch r {
	case 'd', 'D':
		set = runes(unicodetables.CategoryRanges(1 << unicodetables.Nd))
	case 's', 'S':
		set = runes(unicodetables.RegexSpaces())
	case 'w', 'W':
		set = wordSet().ranges
	case 'h', 'H':
		set = []rune{'0', '9', 'A', 'F', 'a', 'f'}
	case 'p', 'P':
		return p.property(r == 'P')
	case 'x', 'u', '0':
		c, err := p.codePoint(r)
		return []rune{c, c}, err
	default:
		return []rune{r, r}, nil
	}
	if unicode.IsUpper(r) {
		set = complement(set)
	}
	return set, nil
}

// codePoint parses \xHH, \x{H…}, \uHHHH or \0oo.
func (p *parser) codePoint(kind rune) (rune, error) {
	base, digits := 16, 2
	switch {
	case kind == '0':
		base, digits = 8, 2
	case kind == 'u':
		digits = 4
	case p.accept("{"):
		end := strings.IndexByte(p.src[p.pos:], '}')
		if end < 0 {
			return 0, p.errorf("\\x{ is not closed")
		}
		n, err := strconv.ParseUint(p.src[p.pos:p.pos+end], 16, 32)
		if err != nil || n > unicode.MaxRune {
			return 0, p.errorf("\\x{%s} is not a code point", p.src[p.pos:p.pos+end])
		}
		p.pos += end + 1
		return rune(n), nil
	}
	end := p.pos
	for end < len(p.src) && end < p.pos+digits {
		if _, err := strconv.ParseUint(p.src[end:end+1], base, 8); err != nil {
			break
		}
		end++
	}
	n, err := strconv.ParseUint("0"+p.src[p.pos:end], base, 32)
	if err != nil || kind == 'u' && end != p.pos+4 {
		return 0, p.errorf("a malformed \\%c escape", kind)
	}
	p.pos = end
	return rune(n), nil
}

// property parses {Name} or {^Name}.
func (p *parser) property(negate bool) ([]rune, error) {
	if !p.accept("{") {
		return nil, p.errorf("\\p should be followed by {")
	}
	end := strings.IndexByte(p.src[p.pos:], '}')
	if end < 0 {
		return nil, p.errorf("\\p{ is not closed")
	}
	name := p.src[p.pos : p.pos+end]
	if rest, ok := strings.CutPrefix(name, "^"); ok {
		name, negate = rest, !negate
	}
	set, ok := property(name)
	if !ok {
		return nil, p.errorf("the property %q is not known", name)
	}
	p.pos += end + 1
	if negate {
		set = complement(set)
	}
	return set, nil
}

// longNames are the categories' names in words.
var longNames = map[string]string{
	"letter": "L", "uppercaseletter": "Lu", "lowercaseletter": "Ll", "titlecaseletter": "Lt", "modifierletter": "Lm",
	"otherletter": "Lo", "mark": "M", "nonspacingmark": "Mn", "spacingmark": "Mc", "enclosingmark": "Me", "number": "N",
	"decimalnumber": "Nd", "letternumber": "Nl", "othernumber": "No", "punctuation": "P", "connectorpunctuation": "Pc",
	"dashpunctuation": "Pd", "openpunctuation": "Ps", "closepunctuation": "Pe", "initialpunctuation": "Pi",
	"finalpunctuation": "Pf", "otherpunctuation": "Po", "symbol": "S", "mathsymbol": "Sm", "currencysymbol": "Sc",
	"modifiersymbol": "Sk", "othersymbol": "So", "separator": "Z", "spaceseparator": "Zs", "lineseparator": "Zl",
	"paragraphseparator": "Zp", "other": "C", "control": "Cc", "format": "Cf", "privateuse": "Co", "surrogate": "Cs",
	"unassigned": "Cn",
}

// property returns the characters of a category, a script or another property.
func property(name string) ([]rune, bool) {
	plain := strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(name))
	switch plain {
	case "any":
		return []rune{0, unicode.MaxRune}, true
	case "ascii":
		return []rune{0, 0x7F}, true
	case "assigned":
		return complement(runes(unicodetables.CategoryRanges(1 << unicodetables.Cn))), true
	case "space":
		return runes(unicodetables.RegexSpaces()), true
	case "word":
		return wordSet().ranges, true
	case "digit":
		plain = "nd"
	case "lc":
		return runes(unicodetables.CategoryRanges(1<<unicodetables.Lu | 1<<unicodetables.Ll | 1<<unicodetables.Lt)), true
	}
	if short, ok := longNames[plain]; ok {
		plain = strings.ToLower(short)
	}
	mask := uint32(0)
	for i, c := range unicodetables.CategoryNames {
		if c := strings.ToLower(c); c == plain || c[:1] == plain {
			mask |= 1 << i
		}
	}
	if mask != 0 {
		return runes(unicodetables.CategoryRanges(mask)), true
	}
	ranges, ok := unicodetables.Property(name)
	return runes(ranges), ok
}
