package tokenizer

import "strings"

// A plan is how a tokenizer's stations run without offsets.
type plan struct {
	stages []stage
	// aligned: the stations are combined in a way that only the way with offsets handles.
	aligned bool
	// neighbours: where a long word may be cut without changing its tokens; nil for nowhere.
	neighbours *neighbourSet
	// single has, where words may be cut, the token of each character that is one: noID for
	// those that bytes or the unknown token stand for.
	single []uint32
}

// encode appends the ids of text to st.ids.
func (t *Tokenizer) encode(st *state, text string) {
	if t.fast.aligned {
		for _, tok := range t.encodeAligned(text) {
			st.ids = append(st.ids, tok.id)
		}
		return
	}
	s, clean := sanitize(text, st.clean)
	st.clean = clean
	f := t.added.raw
	if f == nil {
		t.encodeSegment(st, s, true)
		return
	}
	from, search := 0, 0
	for {
		h, ok := f.find(s, from, search)
		if !ok {
			break
		}
		if from < h.lo {
			t.encodeSegment(st, s[from:h.lo], from == 0)
		}
		st.ids = append(st.ids, h.token.ID)
		from, search = h.hi, h.next
	}
	if from < len(s) {
		t.encodeSegment(st, s[from:], from == 0)
	}
}

// encodeSegment encodes text between added tokens; first is set where the input begins.
func (t *Tokenizer) encodeSegment(st *state, s string, first bool) {
	s = normalize(t.normalizers, &st.normal, s)
	f := t.added.normalized
	if f == nil {
		t.encodePiece(st, s, 0, first)
		return
	}
	from, search := 0, 0
	for {
		h, ok := f.find(s, from, search)
		if !ok {
			break
		}
		if from < h.lo {
			t.encodePiece(st, s[from:h.lo], 0, first && from == 0)
		}
		st.ids = append(st.ids, h.token.ID)
		from, search = h.hi, h.next
	}
	if from < len(s) {
		t.encodePiece(st, s[from:], 0, first && from == 0)
	}
}

// encodePiece takes a piece through the pre-tokenizer's stages from k on.
func (t *Tokenizer) encodePiece(st *state, s string, k int, first bool) {
	if s == "" {
		return
	}
	if k == len(t.fast.stages) {
		t.encodeWord(st, s)
		return
	}
	lv := &st.levels[k]
	switch stage := t.fast.stages[k].(type) {
	case tiler:
		if k == len(t.fast.stages)-1 {
			for i := 0; i < len(s); {
				end := stage.next(s, i)
				t.encodeWord(st, s[i:end])
				i = end
			}
			return
		}
		for i := 0; i < len(s); {
			end := stage.next(s, i)
			t.encodePiece(st, s[i:end], k+1, first && i == 0)
			i = end
		}
	case *metaspaceStage:
		lv.buf = stage.appendTo(lv.buf[:0], s, first)
		text := view(lv.buf)
		if !stage.split {
			t.encodePiece(st, text, k+1, first)
			return
		}
		lv.cuts = stage.cut(lv.cuts[:0], text)
		for _, c := range lv.cuts {
			t.encodePiece(st, text[c.lo:c.hi], k+1, first && c.lo == 0)
		}
	case prefixSpace:
		if s[0] != ' ' {
			lv.buf = append(append(lv.buf[:0], ' '), s...)
			s = view(lv.buf)
		}
		t.encodePiece(st, s, k+1, first)
	case cutter:
		lv.cuts = stage.cut(lv.cuts[:0], s)
		for _, c := range lv.cuts {
			t.encodePiece(st, s[c.lo:c.hi], k+1, first && c.lo == 0)
		}
	}
}

// encodeWord gives a word to the model, in parts where that makes no difference: whole texts of
// SentencePiece models are one word, and only short words are remembered.
func (t *Tokenizer) encodeWord(st *state, w string) {
	if t.fast.neighbours == nil {
		t.appendWordIDs(st, w)
		return
	}
	neighbours := t.fast.neighbours
	for len(w) > 0 {
		// Most characters of Chinese or Japanese stand alone.
		if len(w) >= 3 && w[0]&0xF0 == 0xE0 {
			r := rune(w[0]&0x0F)<<12 | rune(w[1]&0x3F)<<6 | rune(w[2]&0x3F)
			if neighbours.lonely(r) {
				t.appendCharIDs(st, r, w)
				w = w[3:]
				continue
			}
			n := neighbours.prefix(w)
			if n == 3 {
				t.appendCharIDs(st, r, w)
			} else {
				t.appendWordIDs(st, w[:n])
			}
			w = w[n:]
			continue
		}
		n := neighbours.prefix(w)
		t.appendWordIDs(st, w[:n])
		w = w[n:]
	}
}

// appendCharIDs appends the ids of the character r of three bytes, with which w begins.
func (t *Tokenizer) appendCharIDs(st *state, r rune, w string) {
	if id := t.fast.single[r]; id != noID {
		st.ids = append(st.ids, id)
		return
	}
	m := t.model.(*bpe) // only BPE has neighbours
	if m.byteFallback {
		st.ids = append(st.ids, m.fallback[w[0]], m.fallback[w[1]], m.fallback[w[2]])
		return
	}
	st.ids = append(st.ids, m.unk)
}

// prepends tells whether a piece gets a replacement in front.
func (m *metaspaceStage) prepends(s string, first bool) bool {
	return (m.scheme == prependAlways || m.scheme == prependFirst && first) &&
		s[0] != ' ' && !strings.HasPrefix(s, m.replacement)
}

// appendTo appends the piece with its spaces replaced.
func (m *metaspaceStage) appendTo(dst []byte, s string, first bool) []byte {
	if m.prepends(s, first) {
		dst = append(dst, m.replacement...)
	}
	for {
		i := strings.IndexByte(s, ' ')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, m.replacement...)
		s = s[i+1:]
	}
}

// cut cuts before each replacement; a run of them is cut into single ones.
func (m *metaspaceStage) cut(dst []cut, s string) []cut {
	start := 0
	for i := 0; i < len(s); {
		n := strings.Index(s[i:], m.replacement)
		if n < 0 {
			break
		}
		i += n
		dst = appendCut(dst, cut{start, i})
		start = i
		i += len(m.replacement)
	}
	return appendCut(dst, cut{start, len(s)})
}

// A neighbourSet holds the pairs of characters that stand side by side in some token, in a
// table of bits under their hash. Where a pair is not in the set no merge reaches across.
type neighbourSet struct {
	ascii [128][2]uint64
	bits  []uint64
	// paired marks the characters of the Basic Multilingual Plane that are in any pair.
	paired [1 << 16 / 64]uint64
}

const neighbourBits = 22

func newNeighbourSet() *neighbourSet {
	return &neighbourSet{bits: make([]uint64, 1<<neighbourBits/64)}
}

func neighbourHash(a, b rune) uint64 {
	return (uint64(a)<<32 | uint64(b)) * mix1 >> (64 - neighbourBits)
}

func (n *neighbourSet) add(a, b rune) {
	if a < 128 && b < 128 {
		n.ascii[a][b>>6] |= 1 << (b & 63)
	}
	h := neighbourHash(a, b)
	n.bits[h>>6] |= 1 << (h & 63)
	for _, r := range [2]rune{a, b} {
		if r < 1<<16 {
			n.paired[r>>6] |= 1 << (r & 63)
		}
	}
}

// lonely tells that r is in no pair.
func (n *neighbourSet) lonely(r rune) bool {
	return r < 1<<16 && n.paired[r>>6]>>(r&63)&1 == 0
}

// prefix returns the length of the first part of w that may be cut off; w is not empty.
func (n *neighbourSet) prefix(w string) int {
	a, i := decodeRune(w, 0)
	if n.lonely(a) {
		return i
	}
	for i < len(w) {
		var b rune
		size := 1
		switch c := w[i]; {
		case c < 0x80:
			b = rune(c)
			if a < 128 {
				if n.ascii[a][b>>6]>>(b&63)&1 == 0 {
					return i
				}
				a = b
				i++
				continue
			}
		case c&0xF0 == 0xE0:
			_ = w[i+2]
			b, size = rune(c&0x0F)<<12|rune(w[i+1]&0x3F)<<6|rune(w[i+2]&0x3F), 3
		default:
			b, size = decodeRune(w, i)
		}
		if h := neighbourHash(a, b); n.bits[h>>6]>>(h&63)&1 == 0 {
			return i
		}
		a = b
		i += size
	}
	return i
}
