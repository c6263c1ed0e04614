package unicodetables

import (
	"sync"
	"unicode/utf8"
)

// Normalization holds the tables of Unicode normalization forms; Hangul is computed (Unicode
// Standard, section 3.12).
type Normalization struct {
	canonical, compatible map[rune]string
	composites            map[uint64]rune
	classes               *Table
	// inert marks code points below which nothing happens: class 0, no decomposition, never
	// the second part of a composition.
	inert *Table
}

// Bits of the inert table.
const (
	changesNFC = 1 << iota
	changesNFD
	changesNFKC
	changesNFKD
)

// Form is a Unicode normalization form.
type Form uint8

// The four forms.
const (
	NFC  Form = changesNFC
	NFD  Form = changesNFD
	NFKC Form = changesNFKC
	NFKD Form = changesNFKD
)

const (
	hangulBase, hangulEnd      = 0xAC00, 0xD7A4
	leadBase, leadCount        = 0x1100, 19
	vowelBase, vowelCount      = 0x1161, 21
	trailBase, trailCount      = 0x11A7, 28
	syllablesPerLead           = vowelCount * trailCount
	firstAffected         rune = 0xA0 // nothing below has a decomposition or a class
)

// Normalizations returns the tables, built at the first call.
var Normalizations = sync.OnceValue(func() *Normalization {
	n := &Normalization{
		canonical:  parseMap(canonicalDecompositions),
		compatible: parseMap(compatibilityDecompositions),
		composites: make(map[uint64]rune, len(compositions)/3),
	}
	class := make([]uint8, utf8.MaxRune+1)
	for i := 0; i+2 < len(combiningClasses); i += 3 {
		for r := combiningClasses[i]; r <= combiningClasses[i+1]; r++ {
			class[r] = uint8(combiningClasses[i+2])
		}
	}
	n.classes = NewTable(func(r rune) uint8 { return class[r] })
	bits := make([]uint8, utf8.MaxRune+1)
	for i := 0; i+2 < len(compositions); i += 3 {
		n.composites[uint64(compositions[i])<<32|uint64(compositions[i+1])] = rune(compositions[i+2])
		bits[compositions[i+1]] |= changesNFC | changesNFKC
	}
	for r := vowelBase; r < vowelBase+vowelCount; r++ {
		bits[r] |= changesNFC | changesNFKC
	}
	for r := trailBase + 1; r < trailBase+trailCount; r++ {
		bits[r] |= changesNFC | changesNFKC
	}
	for r := hangulBase; r < hangulEnd; r++ {
		bits[r] |= changesNFD | changesNFKD
	}
	for r, k := range class {
		if k != 0 {
			bits[r] |= changesNFC | changesNFD | changesNFKC | changesNFKD
		}
	}
	for r, d := range n.canonical {
		bits[r] |= changesNFD | changesNFKD
		if n.compose(d) != r {
			bits[r] |= changesNFC | changesNFKC
		}
	}
	for r := range n.compatible {
		bits[r] |= changesNFKC | changesNFKD
	}
	n.inert = NewTable(func(r rune) uint8 { return bits[r] })
	return n
})

// compose composes a canonical decomposition back into one character, or returns -1.
func (n *Normalization) compose(decomposition string) rune {
	first := rune(-1)
	for _, r := range decomposition {
		if first < 0 {
			first = r
			continue
		}
		c, ok := n.composites[uint64(first)<<32|uint64(r)]
		if !ok {
			return -1
		}
		first = c
	}
	return first
}

// Unchanged returns the length of the longest prefix of s that form certainly leaves alone,
// whatever follows; it ends before a character that something after it may change.
// s must be valid UTF-8.
func (n *Normalization) Unchanged(s string, form Form) int {
	last := 0 // start of the last character seen: what follows may combine with it
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			last = i
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if n.inert.At(r)&uint8(form) != 0 {
			return last
		}
		last = i
		i += size
	}
	return len(s)
}

// A Change is a character of the normalized text and how it came about: 0 replaces one
// character, +1 is an additional one, -n replaces one and swallows the n after it.
type Change struct {
	Rune rune
	By   int32
}

type decomposed struct {
	r     rune
	by    int32
	class uint8
}

// A Normalizer carries the buffers of a normalization. The zero value with Tables set is ready;
// it is not safe for concurrent use.
type Normalizer struct {
	Tables *Normalization
	runes  []decomposed
	marks  []decomposed
}

// Append appends the normalized form of s, as changes to its characters, to dst.
// Invalid UTF-8 counts as U+FFFD per byte.
func (z *Normalizer) Append(dst []Change, s string, form Form) []Change {
	z.decompose(s, form == NFKC || form == NFKD)
	if form == NFD || form == NFKD {
		for _, d := range z.runes {
			dst = append(dst, Change{d.r, d.by})
		}
		return dst
	}
	return z.compose(dst)
}

func (z *Normalizer) decompose(s string, compatible bool) {
	n := z.Tables
	z.runes = z.runes[:0]
	start := 0 // of the run of marks to be sorted
	for _, r := range s {
		if r < firstAffected {
			start = z.push(r, 0, 0, start)
			continue
		}
		if hangulBase <= r && r < hangulEnd {
			i := r - hangulBase
			start = z.push(leadBase+i/syllablesPerLead, 0, 0, start)
			start = z.push(vowelBase+i%syllablesPerLead/trailCount, 1, 0, start)
			if t := i % trailCount; t != 0 {
				start = z.push(trailBase+t, 1, 0, start)
			}
			continue
		}
		d, ok := "", false
		if compatible {
			d, ok = n.compatible[r]
		}
		if !ok {
			d, ok = n.canonical[r]
		}
		if !ok {
			start = z.push(r, 0, n.classes.At(r), start)
			continue
		}
		by := int32(0)
		for _, r := range d {
			start = z.push(r, by, n.classes.At(r), start)
			by = 1
		}
	}
	z.sortMarks(start)
}

// push appends a character; one of class 0 ends the run of marks that began at start.
func (z *Normalizer) push(r rune, by int32, class uint8, start int) int {
	if class == 0 {
		z.sortMarks(start)
		z.runes = append(z.runes, decomposed{r, by, 0})
		return len(z.runes)
	}
	z.runes = append(z.runes, decomposed{r, by, class})
	return start
}

// sortMarks puts the marks from start on into canonical order, stably and in linear time: a
// text may be one long run of marks.
func (z *Normalizer) sortMarks(start int) {
	run := z.runes[start:]
	sorted := true
	for i := 1; i < len(run); i++ {
		if run[i-1].class > run[i].class {
			sorted = false
			break
		}
	}
	if sorted {
		return
	}
	var count [257]int
	for _, d := range run {
		count[int(d.class)+1]++
	}
	for i := 1; i < len(count); i++ {
		count[i] += count[i-1]
	}
	z.marks = append(z.marks[:0], run...)
	for _, d := range z.marks {
		run[count[d.class]] = d
		count[d.class]++
	}
}

// pair composes two characters.
func (n *Normalization) pair(a, b rune) (rune, bool) {
	if b < firstAffected {
		return 0, false
	}
	if leadBase <= a && a < leadBase+leadCount && vowelBase <= b && b < vowelBase+vowelCount {
		return hangulBase + (a-leadBase)*syllablesPerLead + (b-vowelBase)*trailCount, true
	}
	if hangulBase <= a && a < hangulEnd && (a-hangulBase)%trailCount == 0 && trailBase < b && b < trailBase+trailCount {
		return a + b - trailBase, true
	}
	c, ok := n.composites[uint64(a)<<32|uint64(b)]
	return c, ok
}

func (z *Normalizer) compose(dst []Change) []Change {
	starter := -1 // index in dst of the last character of class 0
	last := -1    // class of the last mark kept after it, -1 for none
	for _, d := range z.runes {
		if starter >= 0 && last < int(d.class) {
			if c, ok := z.Tables.pair(dst[starter].Rune, d.r); ok {
				dst[starter].Rune = c
				dst[starter].By += d.by - 1
				continue
			}
		}
		dst = append(dst, Change{d.r, d.by})
		if d.class == 0 {
			starter, last = len(dst)-1, -1
		} else {
			last = int(d.class)
		}
	}
	return dst
}

// Class returns the canonical combining class of r.
func (n *Normalization) Class(r rune) uint8 { return n.classes.At(r) }
