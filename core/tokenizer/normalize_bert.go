package tokenizer

import (
	"sync/atomic"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// bertNormalizer is BERT's: controls go, blanks become spaces, Chinese characters are set apart
// by spaces, accents go, letters are lowered.
//
// It is a list of simple normalizers. On the way without origins, characters that the whole list
// treats one by one are looked up in a table of their results.
type bertNormalizer struct {
	list  []normalizer
	table *bertTable
}

func newBertNormalizer(clean, chinese, strip, lower bool) *bertNormalizer {
	classes := unicodetables.BertClasses()
	n := &bertNormalizer{}
	if clean {
		n.list = append(n.list, &characterFilter{
			keep: func(r rune) bool { return classes.At(r)&unicodetables.BertDropped == 0 },
			to: func(r rune) rune {
				if classes.At(r)&unicodetables.BertSpace != 0 {
					return ' '
				}
				return r
			},
		})
	}
	if chinese {
		n.list = append(n.list, &chineseSpacer{classes})
	}
	if strip {
		is := hasProperty(unicodetables.NonspacingMark)
		n.list = append(n.list, &formNormalizer{unicodetables.NFD, unicodetables.Normalizations()},
			&characterFilter{keep: func(r rune) bool { return !is(r) }})
	}
	if lower {
		n.list = append(n.list, newLowercaser())
	}
	n.table = &bertTable{list: n.list, strips: strip}
	return n
}

// chineseSpacer puts spaces around Chinese characters.
type chineseSpacer struct{ classes *unicodetables.Table }

func (n *chineseSpacer) rewrite(w *rewriter) bool {
	for i := 0; i < len(w.src); {
		r, size := decodeRune(w.src, i)
		if n.classes.At(r)&unicodetables.BertChinese != 0 {
			w.emit(' ', 0)
			w.emit(r, 1)
			w.emit(' ', 1)
		} else {
			w.emit(r, 0)
		}
		i += size
	}
	return true
}

// A bertTable holds what each character becomes, in blocks that are computed when a character
// of theirs first appears.
type bertTable struct {
	list   []normalizer
	strips bool // accents: characters that are not of class 0 may change places
	blocks [0x1100]atomic.Pointer[bertBlock]
}

// A bertBlock holds results as off<<4 | length in text.
type bertBlock struct {
	results [256]uint16
	text    []byte
}

// reorders marks characters for which no table holds, as they may change places.
const reorders = ^uint16(0)

func (t *bertTable) build(hi int) *bertBlock {
	b := &bertBlock{}
	marks := unicodetables.Normalizations()
	var work normalWork
	var buf [4]byte
	for lo := range b.results {
		r := rune(hi<<8 | lo)
		if 0xD800 <= r && r <= 0xDFFF {
			continue
		}
		n := utf8.EncodeRune(buf[:], r)
		out := normalize(t.list, &work, view(buf[:n]))
		if len(out) > 15 || len(b.text)+len(out) >= 0xFFF || t.strips && out != "" && marks.Class(r) != 0 {
			b.results[lo] = reorders
			continue
		}
		b.results[lo] = uint16(len(b.text)<<4 | len(out))
		b.text = append(b.text, out...)
	}
	t.blocks[hi].Store(b)
	return b
}

func (n *bertNormalizer) rewrite(w *rewriter) bool {
	if w.origins == nil {
		if out, ok := n.table.appendAll(w.out, w.src); ok {
			w.out = out
			return true
		}
		work := normalWork{}
		w.out = append(w.out[:0], normalize(n.list, &work, w.src)...)
		return true
	}
	step := rewriter{}
	src, origins := w.src, w.origins
	for _, part := range n.list {
		step = rewriter{src: src, origins: origins}
		if part.rewrite(&step) {
			src, origins = string(step.out), step.outFrom
			if origins == nil {
				origins = []Span{}
			}
		}
	}
	w.out, w.outFrom = append(w.out, src...), append(w.outFrom, origins...)
	return true
}

// appendAll appends the results of s, or returns false where a character needs the long way.
func (t *bertTable) appendAll(dst []byte, s string) ([]byte, bool) {
	ascii := t.block(0)
	for i := 0; i < len(s); {
		b, lo, n := ascii, s[i], 1
		if lo >= utf8.RuneSelf {
			var r rune
			r, n = decodeRune(s, i)
			b, lo = t.block(r>>8), uint8(r)
		}
		at := b.results[lo]
		if at == reorders {
			return dst, false
		}
		switch off := at >> 4; at & 15 {
		case 0:
		case 1:
			dst = append(dst, b.text[off])
		case 2:
			dst = append(dst, b.text[off], b.text[off+1])
		default:
			dst = append(dst, b.text[off:off+(at&15)]...)
		}
		i += n
	}
	return dst, true
}

func (t *bertTable) block(hi rune) *bertBlock {
	if b := t.blocks[hi].Load(); b != nil {
		return b
	}
	return t.build(int(hi))
}
