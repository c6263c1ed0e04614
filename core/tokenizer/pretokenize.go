package tokenizer

import (
	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// A cut is a piece [lo, hi) of a string.
type cut struct{ lo, hi int }

// A stage is one step of the pre-tokenizer. Most stages only cut; some write as well.
type stage interface{ isStage() }

// A cutter is a stage that cuts: it appends the pieces of s to dst, in order and without the
// empty ones. What it leaves out is removed from the text. Cutters are immutable.
type cutter interface {
	stage
	cut(dst []cut, s string) []cut
}

// A tiler is a cutter whose pieces cover the text. next returns the end of the piece that
// begins at s[i]; i < len(s).
type tiler interface {
	cutter
	next(s string, i int) int
}

// byteLevelStage maps bytes to the ByteLevel alphabet; cutting by GPT-2's pattern is a stage of
// its own after prefixSpace.
type byteLevelStage struct{}

// prefixSpace puts a space before each piece that has none.
type prefixSpace struct{}

// metaspaceStage replaces spaces and may put a replacement before the piece and cut at them.
type metaspaceStage struct {
	replacement string
	scheme      prependScheme
	split       bool
}

type prependScheme uint8

const (
	prependAlways prependScheme = iota
	prependFirst                // only where the text begins
	prependNever
)

func (byteLevelStage) isStage()  {}
func (prefixSpace) isStage()     {}
func (*metaspaceStage) isStage() {}

// A behavior says what a split does with the matches of its pattern.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous
)

// A match is a piece and whether the pattern matched it; matches cover the text.
type match struct {
	cut
	matched bool
}

// appendCuts applies a behavior to matches.
func (b behavior) appendCuts(dst []cut, matches []match) []cut {
	start := len(dst)
	previous := false
	switch b {
	case removed:
		for _, m := range matches {
			if !m.matched {
				dst = appendCut(dst, m.cut)
			}
		}
		return dst
	case isolated:
		for _, m := range matches {
			dst = appendCut(dst, m.cut)
		}
		return dst
	case contiguous, mergedWithPrevious:
		for _, m := range matches {
			joins := m.matched && !previous
			if b == contiguous {
				joins = m.matched == previous
			}
			if joins && len(dst) > start {
				dst[len(dst)-1].hi = m.hi
			} else {
				dst = append(dst, m.cut)
			}
			previous = m.matched
		}
	case mergedWithNext:
		for i, m := range matches {
			// A match joins what follows unless that is a match as well.
			if i > 0 && matches[i-1].matched && !(matches[i].matched) {
				dst[len(dst)-1].hi = m.hi
			} else {
				dst = append(dst, m.cut)
			}
		}
	}
	kept := dst[:start]
	for _, c := range dst[start:] {
		kept = appendCut(kept, c)
	}
	return kept
}

func appendCut(dst []cut, c cut) []cut {
	if c.lo == c.hi {
		return dst
	}
	return append(dst, c)
}

// runeSplit splits at single characters of a class.
type runeSplit struct {
	is       func(r rune) bool
	behavior behavior
}

func (*runeSplit) isStage() {}

func (p *runeSplit) cut(dst []cut, s string) []cut {
	if p.behavior == removed || p.behavior == isolated {
		return p.cutPlain(dst, s)
	}
	kept, ok := matchLists.Get().(*[]match)
	if !ok {
		kept = new([]match)
	}
	matches := (*kept)[:0]
	last := 0
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		if p.is(r) {
			if last < i {
				matches = append(matches, match{cut{last, i}, false})
			}
			matches = append(matches, match{cut{i, i + n}, true})
			last = i + n
		}
		i += n
	}
	if last < len(s) {
		matches = append(matches, match{cut{last, len(s)}, false})
	}
	dst = p.behavior.appendCuts(dst, matches)
	*kept = matches
	matchLists.Put(kept)
	return dst
}

// cutPlain is cut for the two common behaviors, without a list of matches.
func (p *runeSplit) cutPlain(dst []cut, s string) []cut {
	last := 0
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		if p.is(r) {
			dst = appendCut(dst, cut{last, i})
			if p.behavior == isolated {
				dst = append(dst, cut{i, i + n})
			}
			last = i + n
		}
		i += n
	}
	return appendCut(dst, cut{last, len(s)})
}

// hasProperty is a test for one bit of the Rust library's character properties.
func hasProperty(bit uint8) func(rune) bool {
	table := unicodetables.Properties()
	return func(r rune) bool { return table.At(r)&bit != 0 }
}

// wordSplit is the pre-tokenizer Whitespace: runs of word characters and runs of other visible
// ones, \w+|[^\w\s]+.
type wordSplit struct{ properties *unicodetables.Table }

func (*wordSplit) isStage() {}

func (p *wordSplit) cut(dst []cut, s string) []cut {
	const space, word, other = 0, 1, 2
	class, start := space, 0
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		c := other
		switch bits := p.properties.At(r); {
		case bits&unicodetables.WordChar != 0:
			c = word
		case bits&unicodetables.WhiteSpace != 0:
			c = space
		}
		if c != class {
			if class != space {
				dst = appendCut(dst, cut{start, i})
			}
			class, start = c, i
		}
		i += n
	}
	if class != space {
		dst = appendCut(dst, cut{start, len(s)})
	}
	return dst
}

// scriptSplit is the pre-tokenizer UnicodeScripts: a cut where the script changes.
type scriptSplit struct{ scripts *unicodetables.Table }

func (*scriptSplit) isStage() {}

func (p *scriptSplit) cut(dst []cut, s string) []cut {
	// What precedes the first character that has a script belongs to no piece unless the text
	// begins with one: so does the reference.
	last, start, open := uint8(0), 0, false
	for i := 0; i < len(s); {
		r, n := decodeRune(s, i)
		script := p.scripts.At(r)
		if r == 0x30FC { // the long-vowel mark counts as Han
			script = p.scripts.At(0x4E00)
		}
		if script != 0 && script != last {
			if open {
				dst = appendCut(dst, cut{start, i})
			}
			start, open = i, true
		}
		if script != 0 {
			last = script
		}
		i += n
	}
	if open {
		dst = appendCut(dst, cut{start, len(s)})
	}
	return dst
}

// fixedLength cuts after every so many characters.
type fixedLength struct{ length int }

func (*fixedLength) isStage() {}

func (p *fixedLength) cut(dst []cut, s string) []cut {
	start, chars := 0, 0
	for i := 0; i < len(s); {
		i += runeLen(s[i])
		if chars++; chars == p.length {
			dst = append(dst, cut{start, i})
			start, chars = i, 0
		}
	}
	return appendCut(dst, cut{start, len(s)})
}
