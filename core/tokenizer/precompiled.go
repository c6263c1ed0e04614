package tokenizer

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// precompiled is SentencePiece's table of replacements: a double-array trie (Darts) over the
// sources, whose values are offsets of NUL-terminated strings.
//
// As with Hugging Face, a grapheme cluster of less than six bytes is looked up whole, anything
// else character by character, and the shortest source that it begins with decides.
type precompiled struct {
	trie    []uint32
	strings string
	// ascii holds the replacement of each ASCII character; hasASCII where there is one.
	ascii    [128]string
	hasASCII [128]bool
}

func newPrecompiled(blob []byte) (*precompiled, error) {
	bad := errors.New("the character map is cut short")
	if len(blob) < 4 {
		return nil, bad
	}
	size := uint64(binary.LittleEndian.Uint32(blob))
	if size > uint64(len(blob)-4) || size < 4 {
		return nil, bad
	}
	p := &precompiled{trie: make([]uint32, size/4), strings: string(blob[4+size/4*4:])}
	for i := range p.trie {
		p.trie[i] = binary.LittleEndian.Uint32(blob[4+4*i:])
	}
	if !utf8.ValidString(p.strings) {
		return nil, errors.New("the character map's strings are not UTF-8")
	}
	for b := range p.ascii {
		p.ascii[b], p.hasASCII[b] = p.lookup(string(rune(b)))
	}
	return p, nil
}

// lookup returns the replacement of the shortest source that s begins with.
func (p *precompiled) lookup(s string) (string, bool) {
	pos := offsetOf(p.trie[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		pos ^= uint32(s[i])
		if int(pos) >= len(p.trie) {
			return "", false
		}
		unit := p.trie[pos]
		if unit&(1<<31|0xFF) != uint32(s[i]) {
			return "", false
		}
		pos ^= offsetOf(unit)
		if unit>>8&1 == 1 {
			if int(pos) >= len(p.trie) {
				return "", false
			}
			return p.stringAt(p.trie[pos] & (1<<31 - 1))
		}
	}
	return "", false
}

// longest returns the replacement of the longest source that s begins with.
func (p *precompiled) longest(s string) (size int, with string, ok bool) {
	pos := offsetOf(p.trie[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		pos ^= uint32(s[i])
		if int(pos) >= len(p.trie) {
			break
		}
		unit := p.trie[pos]
		if unit&(1<<31|0xFF) != uint32(s[i]) {
			break
		}
		pos ^= offsetOf(unit)
		if unit>>8&1 == 1 && int(pos) < len(p.trie) {
			if found, valid := p.stringAt(p.trie[pos] & (1<<31 - 1)); valid {
				size, with, ok = i+1, found, true
			}
		}
	}
	return size, with, ok
}

func offsetOf(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

func (p *precompiled) stringAt(off uint32) (string, bool) {
	if int(off) > len(p.strings) {
		return "", false
	}
	s := p.strings[off:]
	n := indexByte(s, 0)
	if n >= 0 {
		s = s[:n]
	}
	return s, utf8.ValidString(s)
}

func (p *precompiled) rewrite(w *rewriter) bool {
	z := precompiledRun{p: p, w: w}
	for i := 0; i < len(w.src); {
		b := w.src[i]
		if b < utf8.RuneSelf && w.breaksAfter(i) {
			if p.hasASCII[b] {
				z.replace(w.src[i:i+1], p.ascii[b])
			} else {
				z.keep(rune(b))
			}
			i++
			continue
		}
		// Clusters may begin or end anywhere up to the next two ASCII characters.
		end := i + 1
		for end < len(w.src) && (w.src[end-1] >= utf8.RuneSelf || !w.breaksAfter(end-1)) {
			end++
		}
		z.clusters(w.src[i:end])
		i = end
	}
	z.flush()
	return true
}

// breaksAfter tells whether there is certainly a cluster boundary after the ASCII character at i.
func (w *rewriter) breaksAfter(i int) bool {
	return i+1 == len(w.src) || w.src[i+1] < utf8.RuneSelf && (w.src[i] != '\r' || w.src[i+1] != '\n')
}

// A precompiledRun writes the result. The last character is held back, since a replacement
// that is shorter than its source changes what the character before it swallows.
type precompiledRun struct {
	p       *precompiled
	w       *rewriter
	held    rune
	heldBy  int32
	holding bool
}

func (z *precompiledRun) flush() {
	if z.holding {
		z.w.emit(z.held, z.heldBy)
	}
	z.holding = false
}

func (z *precompiledRun) hold(r rune, by int32) {
	z.flush()
	z.held, z.heldBy, z.holding = r, by, true
}

func (z *precompiledRun) keep(r rune) {
	if z.w.origins == nil {
		z.w.out = utf8.AppendRune(z.w.out, r)
		return
	}
	z.hold(r, 0)
}

func (z *precompiledRun) replace(source, with string) {
	if z.w.origins == nil {
		z.w.out = append(z.w.out, with...)
		return
	}
	sources, n := utf8.RuneCountInString(source), utf8.RuneCountInString(with)
	i := 0
	for _, r := range with {
		by := int32(0)
		if i >= sources {
			by = 1
		}
		z.hold(r, by)
		i++
	}
	if n < sources && z.holding {
		z.heldBy -= int32(sources - n)
	}
}

func (z *precompiledRun) clusters(s string) {
	// A cluster of one character is by far the most frequent; the iterator lives on the stack.
	g := graphemes.FromString(s)
	for g.Next() {
		cluster := g.Value()
		if len(cluster) < 6 {
			if with, ok := z.p.lookup(cluster); ok {
				z.replace(cluster, with)
				continue
			}
		}
		for i := 0; i < len(cluster); {
			r, n := decodeRune(cluster, i)
			if with, ok := z.p.lookup(cluster[i : i+n]); ok {
				z.replace(cluster[i:i+n], with)
			} else {
				z.keep(r)
			}
			i += n
		}
	}
}
