package tokenizer

import (
	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// The split patterns of the large model families, compiled by hand. They differ in details that
// gptPattern names. patterns.go says which regular expression stands for which.

// Classes of characters that the patterns ask for.
const (
	classLetter  = 1 << iota // \p{L}
	classUpper               // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
	classLower               // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
	classMark                // \p{M}
	classNumber              // \p{N}
	classSpace               // \s
	classNewline             // [\r\n]
	classSymbol              // [\p{P}\p{S}]
)

// gptClasses gives the bits above; scanners keep the table and an array for ASCII.
type gptClasses struct {
	ascii [128]uint8
	table *unicodetables.Table
}

func newGPTClasses() *gptClasses {
	cat, prop := unicodetables.Categories(), unicodetables.Properties()
	c := &gptClasses{}
	c.table = unicodetables.NewTable(func(r rune) uint8 {
		var bits uint8
		switch cat.At(r) {
		case unicodetables.Lu, unicodetables.Lt:
			bits = classLetter | classUpper
		case unicodetables.Ll:
			bits = classLetter | classLower
		case unicodetables.Lm, unicodetables.Lo:
			bits = classLetter | classUpper | classLower
		case unicodetables.Mn, unicodetables.Mc, unicodetables.Me:
			bits = classMark | classUpper | classLower
		case unicodetables.Nd, unicodetables.Nl, unicodetables.No:
			bits = classNumber
		case unicodetables.Pc, unicodetables.Pd, unicodetables.Ps, unicodetables.Pe, unicodetables.Pi,
			unicodetables.Pf, unicodetables.Po, unicodetables.Sm, unicodetables.Sc, unicodetables.Sk, unicodetables.So:
			bits = classSymbol
		}
		if prop.At(r)&unicodetables.RegexSpace != 0 {
			bits |= classSpace
		}
		if r == '\r' || r == '\n' {
			bits |= classNewline
		}
		return bits
	})
	for r := range c.ascii {
		c.ascii[r] = c.table.At(rune(r))
	}
	return c
}

// at returns the class and the length of the character at s[i].
func (c *gptClasses) at(s string, i int) (uint8, int) {
	if b := s[i]; b < 0x80 {
		return c.ascii[b], 1
	}
	r, n := decodeRune(s, i)
	return c.table.At(r), n
}

// run returns the end of the run of characters with one of the bits of class that starts at i.
func (c *gptClasses) run(s string, i int, class uint8) int {
	for i < len(s) {
		if b := s[i]; b < 0x80 {
			if c.ascii[b]&class == 0 {
				return i
			}
			i++
			continue
		}
		r, n := decodeRune(s, i)
		if c.table.At(r)&class == 0 {
			return i
		}
		i += n
	}
	return i
}

// runWithout is run for characters with none of the bits.
func (c *gptClasses) runWithout(s string, i int, class uint8) int {
	for i < len(s) {
		k, n := c.at(s, i)
		if k&class != 0 {
			return i
		}
		i += n
	}
	return i
}

// whitespace ends a piece that begins with whitespace by \s*[\r\n]+|\s+(?!\S)|\s+ (the first
// alternative only with newlines): after the last newline of the run, or before its last
// character unless the run ends the text.
func (c *gptClasses) whitespace(s string, i int, newlines bool) int {
	end, afterNewline, lastStart := i, 0, i
	for end < len(s) {
		k, n := c.at(s, end)
		if k&classSpace == 0 {
			break
		}
		lastStart = end
		end += n
		if k&classNewline != 0 {
			afterNewline = end
		}
	}
	switch {
	case newlines && afterNewline > 0:
		return afterNewline
	case end == len(s) || lastStart == i:
		return end
	}
	return lastStart
}

// contraction returns the end of 's 't 're 've 'm 'll 'd at s[i] or i. Ignoring case, the long
// s counts as an s, as Unicode's case folding has it.
func contraction(s string, i int, anyCase bool) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return i
	}
	a, b := s[i+1], byte(0)
	if i+2 < len(s) {
		b = s[i+2]
	}
	if anyCase {
		if a == 0xC5 && b == 0xBF {
			return i + 3
		}
		if 'A' <= a && a <= 'Z' {
			a |= 0x20
		}
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
	}
	switch {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return i + 2
	case (a == 'r' || a == 'v') && b == 'e' || a == 'l' && b == 'l':
		return i + 3
	}
	return i
}

// cutTiles makes a cutter of a tiler.
func cutTiles(t tiler, dst []cut, s string) []cut {
	for i := 0; i < len(s); {
		end := t.next(s, i)
		dst = append(dst, cut{i, end})
		i = end
	}
	return dst
}

// gpt2Pattern is 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
type gpt2Pattern struct{ c *gptClasses }

func (*gpt2Pattern) isStage()                        {}
func (p *gpt2Pattern) cut(dst []cut, s string) []cut { return cutTiles(p, dst, s) }

func (p *gpt2Pattern) next(s string, i int) int {
	if end := contraction(s, i, false); end > i {
		return end
	}
	start := i
	if s[i] == ' ' && i+1 < len(s) {
		start++
	}
	k, n := p.c.at(s, start)
	switch {
	case k&classLetter != 0:
		return p.c.run(s, start+n, classLetter)
	case k&classNumber != 0:
		return p.c.run(s, start+n, classNumber)
	case k&classSpace == 0:
		return p.c.runWithout(s, start+n, classSpace|classLetter|classNumber)
	}
	return p.c.whitespace(s, i, false)
}

// clPattern is the family of cl100k, Llama 3 and Qwen:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// with a digit limit of its own (0 for none).
type clPattern struct {
	c      *gptClasses
	digits int
	// marks: [\p{L}\p{M}] wherever \p{L} stands alone, and marks are no symbols (Qwen 3.5).
	marks bool
}

func (*clPattern) isStage()                        {}
func (p *clPattern) cut(dst []cut, s string) []cut { return cutTiles(p, dst, s) }

func (p *clPattern) next(s string, i int) int {
	if s[i] == '\'' {
		if end := contraction(s, i, true); end > i {
			return end
		}
	}
	letter := uint8(classLetter)
	if p.marks {
		letter |= classMark
	}
	k, n := p.c.at(s, i)
	if k&letter != 0 {
		return p.c.run(s, i+n, letter)
	}
	if k&(classNumber|classNewline) == 0 && i+n < len(s) {
		if k2, n2 := p.c.at(s, i+n); k2&letter != 0 {
			return p.c.run(s, i+n+n2, letter)
		}
	}
	if k&classNumber != 0 {
		return p.c.numbers(s, i+n, p.digits)
	}
	if end := p.c.symbols(s, i, letter); end > i {
		return p.c.run(s, end, classNewline)
	}
	return p.c.whitespace(s, i, true)
}

// numbers continues a run of digits of which one is read.
func (c *gptClasses) numbers(s string, i, limit int) int {
	for read := 1; i < len(s) && (limit == 0 || read < limit); read++ {
		k, n := c.at(s, i)
		if k&classNumber == 0 {
			break
		}
		i += n
	}
	return i
}

// symbols matches ` ?[^\s\p{N}letter]+` or returns i.
func (c *gptClasses) symbols(s string, i int, letter uint8) int {
	start := i
	if s[i] == ' ' {
		start++
	}
	if end := c.runWithout(s, start, classSpace|classNumber|letter); end > start {
		return end
	}
	return i
}

// oPattern is the family of o200k, which tells upper from lower case:
//
//	[^\r\n\p{L}\p{N}]?[U]*[L]+(?i:'s|…)?|[^\r\n\p{L}\p{N}]?[U]+[L]*(?i:'s|…)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// where U is \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M} and L is \p{Ll}\p{Lm}\p{Lo}\p{M}.
type oPattern struct {
	c            *gptClasses
	digits       int
	contractions bool
}

func (*oPattern) isStage()                        {}
func (p *oPattern) cut(dst []cut, s string) []cut { return cutTiles(p, dst, s) }

func (p *oPattern) next(s string, i int) int {
	k, n := p.c.at(s, i)
	if end := p.word(s, i, k, n); end > i {
		if p.contractions && end < len(s) && s[end] == '\'' {
			return contraction(s, end, true)
		}
		return end
	}
	if k&classNumber != 0 {
		return p.c.numbers(s, i+n, p.digits)
	}
	if end := p.c.symbols(s, i, classLetter); end > i {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n' || s[end] == '/') {
			end++
		}
		return end
	}
	return p.c.whitespace(s, i, true)
}

// word matches the first two alternatives or returns i; k and n belong to the character there.
func (p *oPattern) word(s string, i int, k uint8, n int) int {
	prefixed := k&(classLetter|classNumber|classNewline) == 0 && i+n < len(s)
	if prefixed {
		if end := p.c.upperThenLower(s, i+n); end > i+n {
			return end
		}
	}
	if k&(classLetter|classMark) != 0 {
		if end := p.c.upperThenLower(s, i); end > i {
			return end
		}
	}
	if prefixed {
		if end := p.c.run(s, i+n, classUpper); end > i+n {
			return end
		}
	}
	if k&(classLetter|classMark) != 0 {
		return p.c.run(s, i, classUpper)
	}
	return i
}

// upperThenLower matches [U]*[L]+ or returns i. Characters of both classes (those without case)
// go to the first part as long as one is left for the second.
func (c *gptClasses) upperThenLower(s string, i int) int {
	end, afterBoth := i, i
	for end < len(s) {
		k, n := c.at(s, end)
		if k&classUpper == 0 {
			if k&classLower != 0 {
				return c.run(s, end, classLower)
			}
			break
		}
		end += n
		if k&classLower != 0 {
			afterBoth = end
		}
	}
	return afterBoth
}
