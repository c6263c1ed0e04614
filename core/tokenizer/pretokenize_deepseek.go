package tokenizer

// DeepSeek-V3 splits three times, and each pattern sees only the pieces of the one before.

// digitGroups isolates \p{N}{1,3} (or any limit; 0 for none).
type digitGroups struct {
	c     *gptClasses
	limit int
}

func (*digitGroups) isStage() {}

func (p *digitGroups) cut(dst []cut, s string) []cut {
	start := 0
	for i := 0; i < len(s); {
		k, n := p.c.at(s, i)
		if k&classNumber == 0 {
			i += n
			continue
		}
		dst = appendCut(dst, cut{start, i})
		start = p.c.numbers(s, i+n, p.limit)
		dst = append(dst, cut{i, start})
		i = start
	}
	return appendCut(dst, cut{start, len(s)})
}

// runeRuns isolates runs of characters of the given ranges, all above U+07FF.
type runeRuns struct{ ranges [][2]rune }

func (*runeRuns) isStage() {}

func (p *runeRuns) has(r rune) bool {
	for _, x := range p.ranges {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return false
}

func (p *runeRuns) cut(dst []cut, s string) []cut {
	start, inside := 0, false
	for i := 0; i < len(s); {
		if s[i] < 0xE0 {
			if inside {
				dst = append(dst, cut{start, i})
				start, inside = i, false
			}
			i++
			for i < len(s) && s[i] < 0xE0 {
				i++
			}
			continue
		}
		r, n := decodeRune(s, i)
		if p.has(r) != inside {
			dst = appendCut(dst, cut{start, i})
			start, inside = i, !inside
		}
		i += n
	}
	return appendCut(dst, cut{start, len(s)})
}

// deepseekPattern is
//
//	[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Characters that no alternative matches (digits, format characters, unassigned ones) form
// pieces of their own.
type deepseekPattern struct{ c *gptClasses }

func (*deepseekPattern) isStage() {}

func (p *deepseekPattern) cut(dst []cut, s string) []cut { return cutTiles(p, dst, s) }

func (p *deepseekPattern) next(s string, i int) int {
	if end := p.match(s, i); end > i {
		return end
	}
	for {
		_, n := p.c.at(s, i)
		i += n
		if i == len(s) || p.match(s, i) > i {
			return i
		}
	}
}

// match returns the end of the match at i, or i.
func (p *deepseekPattern) match(s string, i int) int {
	k, n := p.c.at(s, i)
	if k&classSymbol != 0 && n == 1 {
		end := i + 1
		for end < len(s) && (s[end]|0x20) >= 'a' && (s[end]|0x20) <= 'z' {
			end++
		}
		if end > i+1 {
			return end
		}
	}
	if k&(classLetter|classMark) != 0 {
		return p.c.run(s, i+n, classLetter|classMark)
	}
	if k&(classNewline|classSymbol) == 0 && i+n < len(s) {
		if k2, n2 := p.c.at(s, i+n); k2&(classLetter|classMark) != 0 {
			return p.c.run(s, i+n+n2, classLetter|classMark)
		}
	}
	start := i
	if s[i] == ' ' {
		start++
	}
	if end := p.c.run(s, start, classSymbol); end > start {
		return p.c.run(s, end, classNewline)
	}
	if k&classSpace != 0 {
		return p.c.whitespace(s, i, true)
	}
	return i
}
