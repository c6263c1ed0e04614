package tokenizer

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a word begins as single characters (or bytes), and the pair of
// neighbours with the lowest rank is merged until none is left.
type bpe struct {
	vocab  *vocab
	merges mergeTable

	// byteMode: words are raw bytes and stand for the characters of the ByteLevel alphabet.
	byteMode bool
	byteIDs  [256]uint32 // the token of each byte's character
	ascii    [128]uint32 // the token of each ASCII character

	unk          uint32 // noID for none
	unkToken     string
	fuseUnk      bool
	ignoreMerges bool
	byteFallback bool
	fallback     [256]uint32 // the tokens <0x00> to <0xFF>
	prefix       string      // continuing_subword_prefix
	suffix       string      // end_of_word_suffix

}

// finish fills in the tables that follow from the vocabulary.
func (m *bpe) finish() {
	for b := range m.byteIDs {
		m.byteIDs[b] = m.vocab.lookup(string(byteToRune[b]))
		m.fallback[b] = m.vocab.lookup(fmt.Sprintf("<0x%02X>", b))
	}
	for b := range m.ascii {
		m.ascii[b] = m.vocab.lookup(string(rune(b)))
	}
	m.unk = noID
	if m.unkToken != "" {
		m.unk = m.vocab.lookup(m.unkToken)
	}
}

func (m *bpe) appendWord(work *wordWork, dst []wordToken, w string) []wordToken {
	if m.ignoreMerges {
		whole := w
		if m.byteMode {
			work.text = work.text[:0]
			for i := range len(w) {
				work.text = utf8.AppendRune(work.text, byteToRune[w[i]])
			}
			whole = view(work.text)
		}
		if id, ok := m.vocab.id(whole); ok {
			return append(dst, wordToken{id, 0, len(w)})
		}
	}
	sym := slices.Grow(work.symbols[:0], len(w))
	if m.byteMode && m.prefix == "" && m.suffix == "" {
		sym = m.byteSymbols(sym, w)
	} else {
		sym = m.charSymbols(work, sym, w)
	}
	work.symbols = sym
	if len(sym) <= maxShortWord {
		sym = m.merges.mergeShort(sym)
		pos := 0
		for _, s := range sym {
			dst = append(dst, wordToken{s.id, pos, pos + int(s.size)})
			pos += int(s.size)
		}
		return dst
	}
	return m.merges.mergeLong(work, dst, sym)
}

// byteSymbols begins a word of raw bytes.
func (m *bpe) byteSymbols(sym []symbol, w string) []symbol {
	u := unknowns{m: m}
	for i := range len(w) {
		if id := m.byteIDs[w[i]]; id != noID {
			sym = u.flush(sym)
			sym = append(sym, symbol{id: id, size: 1})
		} else {
			sym = u.add(sym, 1)
		}
	}
	return u.flush(sym)
}

// charSymbols begins a word of characters.
func (m *bpe) charSymbols(work *wordWork, sym []symbol, w string) []symbol {
	u := unknowns{m: m}
	for i := 0; i < len(w); {
		n := 1
		var id uint32
		var piece string
		if m.byteMode {
			piece = string(byteToRune[w[i]])
		} else {
			n = runeLen(w[i])
			piece = w[i : i+n]
		}
		if i > 0 && m.prefix != "" {
			piece = m.prefix + piece
		}
		if i+n == len(w) && m.suffix != "" {
			piece += m.suffix
		}
		if len(piece) == 1 && piece[0] < 0x80 {
			id = m.ascii[piece[0]]
		} else {
			id = m.vocab.lookup(piece)
		}
		i += n
		if id != noID {
			sym = u.flush(sym)
			sym = append(sym, symbol{id: id, size: uint32(n)})
			continue
		}
		if m.byteFallback && m.hasFallback(piece) {
			// An unknown that waits to be fused is written after these bytes: so does the
			// reference.
			for j := range len(piece) {
				sym = append(sym, symbol{id: m.fallback[piece[j]], size: 1})
			}
			continue
		}
		sym = u.add(sym, uint32(n))
	}
	return u.flush(sym)
}

func (m *bpe) hasFallback(piece string) bool {
	for i := range len(piece) {
		if m.fallback[piece[i]] == noID {
			return false
		}
	}
	return true
}

// unknowns collects characters that are not in the vocabulary. Without an unknown token they
// vanish.
type unknowns struct {
	m       *bpe
	waiting bool
	size    uint32
}

func (u *unknowns) add(sym []symbol, size uint32) []symbol {
	if u.m.unk == noID {
		return sym
	}
	if u.waiting && u.m.fuseUnk {
		u.size += size
		return sym
	}
	sym = u.flush(sym)
	u.waiting, u.size = true, size
	return sym
}

func (u *unknowns) flush(sym []symbol) []symbol {
	if u.waiting {
		sym = append(sym, symbol{id: u.m.unk, size: u.size})
		u.waiting = false
	}
	return sym
}
