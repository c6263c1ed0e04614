package tokenizer

import (
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// A normalizer rewrites a text. Normalizers are immutable.
type normalizer interface {
	// rewrite writes the normalized form of w.src to w and returns true, or leaves w alone and
	// returns false where nothing changes.
	rewrite(w *rewriter) bool
}

// A rewriter collects the output of a normalizer and, where origins are wanted, which bytes of
// the raw text each byte of the output came from.
type rewriter struct {
	src     string
	origins []Span // by byte of src; nil where they are not wanted
	out     []byte
	outFrom []Span
	off     int // emit's position in src

	changes []unicodetables.Change
	forms   unicodetables.Normalizer
}

// emit appends a character in the manner of the reference's transformations: by 0 it replaces
// the next character of src, by -n it also swallows the n after that, by 1 it is additional.
func (w *rewriter) emit(r rune, by int32) {
	before := len(w.out)
	w.out = utf8.AppendRune(w.out, r)
	if w.origins == nil {
		return
	}
	var from Span
	switch {
	case len(w.origins) == 0:
	case by > 0:
		from = w.originBefore(w.off)
	default:
		from = w.origins[min(w.off, len(w.origins)-1)]
		for n := 1 - by; n > 0 && w.off < len(w.src); n-- {
			w.off += runeLen(w.src[w.off])
		}
	}
	for range len(w.out) - before {
		w.outFrom = append(w.outFrom, from)
	}
}

// originBefore is the origin of the byte before src[i].
func (w *rewriter) originBefore(i int) Span {
	if i < 1 {
		return Span{w.origins[0].Start, w.origins[0].Start}
	}
	return w.origins[min(i, len(w.origins))-1]
}

// copy appends src[lo:hi] as it is.
func (w *rewriter) copy(lo, hi int) {
	w.out = append(w.out, w.src[lo:hi]...)
	if w.origins != nil {
		w.outFrom = append(w.outFrom, w.origins[lo:hi]...)
	}
}

// insert appends text whose every byte has one origin.
func (w *rewriter) insert(text string, from Span) {
	w.out = append(w.out, text...)
	if w.origins != nil {
		for range len(text) {
			w.outFrom = append(w.outFrom, from)
		}
	}
}

// normalWork holds the buffers of normalization: two, used in turn.
type normalWork struct {
	rewriter
	spare []byte
}

// normalize applies the normalizers without keeping origins. The result is valid until the
// next call with the same work.
func normalize(list []normalizer, work *normalWork, s string) string {
	for _, n := range list {
		work.src, work.origins, work.off = s, nil, 0
		work.out = work.out[:0]
		if n.rewrite(&work.rewriter) {
			s = view(work.out)
			work.out, work.spare = work.spare, work.out
		}
	}
	return s
}

// formNormalizer is a Unicode normalization form.
type formNormalizer struct {
	form   unicodetables.Form
	tables *unicodetables.Normalization
}

func (n *formNormalizer) rewrite(w *rewriter) bool {
	done := n.tables.Unchanged(w.src, n.form)
	if done == len(w.src) {
		return false
	}
	w.forms.Tables = n.tables
	if w.origins != nil {
		w.changes = w.forms.Append(w.changes[:0], w.src, n.form)
		for _, c := range w.changes {
			w.emit(c.Rune, c.By)
		}
		return true
	}
	// Nothing reaches across the start of an ASCII character.
	for from := 0; from < len(w.src); {
		keep := from + n.tables.Unchanged(w.src[from:], n.form)
		w.out = append(w.out, w.src[from:keep]...)
		end := keep
		if end < len(w.src) {
			end += runeLen(w.src[end])
		}
		for end < len(w.src) && w.src[end] >= utf8.RuneSelf {
			end++
		}
		w.changes = w.forms.Append(w.changes[:0], w.src[keep:end], n.form)
		for _, c := range w.changes {
			w.out = utf8.AppendRune(w.out, c.Rune)
		}
		from = end
	}
	return true
}

// lowercaser maps each character to its lower case.
type lowercaser struct {
	lower   map[rune]string
	changes *unicodetables.Table // 1 for characters that lower holds
}

func newLowercaser() *lowercaser {
	lower := unicodetables.Lowercase()
	return &lowercaser{lower, unicodetables.NewTable(func(r rune) uint8 {
		if _, ok := lower[r]; ok {
			return 1
		}
		return 0
	})}
}

func (n *lowercaser) rewrite(w *rewriter) bool {
	for i := 0; i < len(w.src); {
		b := w.src[i]
		if b < utf8.RuneSelf && w.origins == nil {
			if 'A' <= b && b <= 'Z' {
				b |= 0x20
			}
			w.out = append(w.out, b)
			i++
			continue
		}
		r, size := decodeRune(w.src, i)
		i += size
		if n.changes.At(r) == 0 {
			w.emit(r, 0)
			continue
		}
		by := int32(0)
		for _, l := range n.lower[r] {
			w.emit(l, by)
			by = 1
		}
	}
	return true
}

// characterFilter drops characters and maps others.
type characterFilter struct {
	keep func(r rune) bool
	to   func(r rune) rune // nil: as they are
}

func (n *characterFilter) rewrite(w *rewriter) bool {
	for i := 0; i < len(w.src); {
		r, size := decodeRune(w.src, i)
		if n.keep(r) {
			if n.to != nil {
				r = n.to(r)
			}
			w.off = i
			w.emit(r, 0)
		}
		i += size
	}
	return true
}

func newStripAccents() *characterFilter {
	is := hasProperty(unicodetables.CombiningMark)
	return &characterFilter{keep: func(r rune) bool { return !is(r) }}
}

// newNmt is the normalization of Google's neural machine translation system: control characters
// go, other blanks become spaces.
func newNmt() *characterFilter {
	return &characterFilter{
		keep: func(r rune) bool {
			return !(0x01 <= r && r <= 0x08 || r == 0x0B || 0x0E <= r && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
		},
		to: func(r rune) rune {
			switch r {
			case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
				return ' '
			}
			if 0x200B <= r && r <= 0x200F {
				return ' '
			}
			return r
		},
	}
}

// stripper removes whitespace at the ends.
type stripper struct {
	left, right bool
	space       func(r rune) bool
}

func (n *stripper) rewrite(w *rewriter) bool {
	lo, hi := 0, len(w.src)
	if n.left {
		lo = len(w.src) - len(strings.TrimLeftFunc(w.src, n.space))
	}
	if n.right {
		hi = lo + len(strings.TrimRightFunc(w.src[lo:], n.space))
	}
	if lo == 0 && hi == len(w.src) {
		return false
	}
	w.copy(lo, hi)
	return true
}

// prepender puts a string before a text that is not empty.
type prepender struct{ text string }

func (n *prepender) rewrite(w *rewriter) bool {
	if w.src == "" || n.text == "" {
		return false
	}
	var from Span
	if w.origins != nil {
		from = w.origins[0]
	}
	w.insert(n.text, from)
	w.copy(0, len(w.src))
	return true
}

// replacer replaces the matches of a pattern.
type replacer struct {
	text    string // the pattern, where it is plain text
	regex   searcher
	content string
}

// A searcher finds the next match of a regular expression at or after from. last is where the
// match before ended (-1 for none): an empty match there does not count.
type searcher interface {
	Find(s string, from, last int) (lo, hi int, ok bool)
}

// next returns the next match at or after from.
func (n *replacer) next(s string, from, last int) (lo, hi int, ok bool) {
	if n.regex != nil {
		return n.regex.Find(s, from, last)
	}
	i := strings.Index(s[from:], n.text)
	return from + i, from + i + len(n.text), i >= 0
}

func (n *replacer) rewrite(w *rewriter) bool {
	lo, hi, ok := n.next(w.src, 0, -1)
	if !ok {
		return false
	}
	done := 0
	for ok {
		w.copy(done, lo)
		var from Span
		if w.origins != nil {
			from = w.originBefore(hi)
		}
		w.insert(n.content, from)
		done = hi
		lo, hi, ok = n.next(w.src, done, done)
	}
	w.copy(done, len(w.src))
	return true
}

// replaceAll is rewrite for a decoder.
func (n *replacer) replaceAll(s string) string {
	w := rewriter{src: s}
	if !n.rewrite(&w) {
		return s
	}
	return string(w.out)
}

// byteLevelNormalizer spells bytes in the ByteLevel alphabet.
type byteLevelNormalizer struct{}

func (byteLevelNormalizer) rewrite(w *rewriter) bool {
	for i := 0; i < len(w.src); {
		size := runeLen(w.src[i])
		by := int32(0)
		for j := i; j < i+size; j++ {
			w.emit(byteToRune[w.src[j]], by)
			by = 1
		}
		i += size
	}
	return w.src != ""
}
