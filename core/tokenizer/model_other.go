package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// buildOther makes the models that are not BPE.
func (m *modelFile) buildOther(kind string) (model, error) {
	switch kind {
	case "WordPiece":
		w := &wordPiece{
			vocab:    m.vocab,
			maxChars: m.field("max_input_chars_per_word").intOr(100),
		}
		if err := w.build(m.field("unk_token").strOr("[UNK]"), m.field("continuing_subword_prefix").strOr("##")); err != nil {
			return nil, err
		}
		return w, nil
	case "WordLevel":
		unk := m.field("unk_token").strOr("<unk>")
		return &wordLevel{m.vocab, m.vocab.lookup(unk)}, nil
	case "Unigram":
		u := &unigram{vocab: m.vocab, scores: m.scores, byteFallback: m.field("byte_fallback").boolOr(false), unk: noID}
		if c := m.field("unk_id"); !c.isNull() {
			if u.unk = uint32(c.intOr(0)); int(u.unk) >= len(m.scores) {
				return nil, fmt.Errorf("model.unk_id: %d is not in the vocabulary of %d tokens", u.unk, len(m.scores))
			}
		}
		if err := u.build(); err != nil {
			return nil, err
		}
		return u, nil
	}
	m.field("type").unknown("model", kind, "BPE", "WordPiece", "WordLevel", "Unigram")
	return nil, m.doc.err
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab *vocab
	unk   uint32 // noID: unknown words vanish
}

func (m *wordLevel) appendWord(_ *wordWork, dst []wordToken, w string) []wordToken {
	id := m.vocab.lookup(w)
	if id == noID {
		if id = m.unk; id == noID {
			return dst
		}
	}
	return append(dst, wordToken{id, 0, len(w)})
}

// wordPiece takes the longest token that a word begins with, again and again; a word of which
// some part is not in the vocabulary is one unknown token.
type wordPiece struct {
	vocab    *vocab
	trie     trie
	inner    uint32 // the node after the prefix of continuations
	hasInner bool
	unk      uint32
	maxChars int
}

func (m *wordPiece) build(unk, prefix string) error {
	if m.unk = m.vocab.lookup(unk); m.unk == noID {
		return fmt.Errorf("model.unk_token: %q is not in the vocabulary", unk)
	}
	for i, e := range m.vocab.entries {
		if e.size > 0 && !m.trie.add(m.vocab.text(uint32(i)), e.id) {
			return fmt.Errorf("model.vocab: the vocabulary is too large")
		}
	}
	if len(m.trie.values) > 0 {
		m.inner, m.hasInner = m.trie.walk(prefix)
	}
	return nil
}

func (m *wordPiece) appendWord(_ *wordWork, dst []wordToken, w string) []wordToken {
	unknown := func() []wordToken { return append(dst, wordToken{m.unk, 0, len(w)}) }
	if len(w) > m.maxChars && utf8.RuneCountInString(w) > m.maxChars {
		return unknown()
	}
	out := dst
	for start := 0; start < len(w); {
		node := uint32(0)
		if start > 0 {
			if !m.hasInner {
				return unknown()
			}
			node = m.inner
		}
		end, id := start, noID
		for i := start; i < len(w); i++ {
			next, ok := m.trie.step(node, w[i])
			if !ok {
				break
			}
			node = next
			if v, is := m.trie.value(node); is {
				end, id = i+1, v
			}
		}
		if end == start {
			return unknown()
		}
		out = append(out, wordToken{id, start, end})
		start = end
	}
	return out
}

// unigram chooses, of all ways to cut a word into tokens, the one with the highest sum of
// scores (Viterbi).
type unigram struct {
	vocab        *vocab
	scores       []float64
	trie         trie
	unk          uint32 // noID for none: unknown characters vanish
	unkScore     float64
	byteFallback bool
	fallback     [256]uint32
	usable       []bool // by id; nil: all tokens may come out of text
	// single: sums are rounded to 32 bits as SentencePiece has them, which decides ties.
	single bool
}

// bestPath is the best way to reach a position: from start by the token id.
type bestPath struct {
	score float64
	start int32
	id    uint32
}

// unkPenalty is what an unknown character costs beyond the least score.
const unkPenalty = 10

// maxUnigramWord bounds a word for bestPath.start.
const maxUnigramWord = math.MaxInt32 - 8

func (m *unigram) build() error {
	least := math.Inf(1)
	for i, s := range m.scores {
		if m.usable == nil || m.usable[i] {
			least = min(least, s)
		}
	}
	m.unkScore = m.sum(least, -unkPenalty)
	for i, e := range m.vocab.entries {
		if m.usable != nil && !m.usable[e.id] {
			continue
		}
		if e.size > 0 && !m.trie.add(m.vocab.text(uint32(i)), e.id) {
			return fmt.Errorf("model.vocab: the vocabulary is too large")
		}
	}
	for b := range m.fallback {
		m.fallback[b] = m.vocab.lookup(fmt.Sprintf("<0x%02X>", b))
	}
	return nil
}

func (m *unigram) appendWord(work *wordWork, dst []wordToken, w string) []wordToken {
	for len(w) > maxUnigramWord {
		dst = m.appendWord(work, dst, w[:1<<30])
		w = w[1<<30:]
	}
	best := slices.Grow(work.best[:0], len(w)+1)[:len(w)+1]
	for i := range best {
		best[i] = bestPath{start: -1}
	}
	work.best = best
	for at := 0; at < len(w); {
		here := best[at].score
		size := runeLen(w[at])
		single := false
		node := uint32(0)
		for i := at; i < len(w); i++ {
			next, ok := m.trie.step(node, w[i])
			if !ok {
				break
			}
			node = next
			id, is := m.trie.value(node)
			if !is {
				continue
			}
			if p, score := &best[i+1], m.sum(m.scores[id], here); p.start < 0 || score > p.score {
				*p = bestPath{score, int32(at), id}
			}
			single = single || i+1-at == size
		}
		if !single {
			if p, score := &best[at+size], m.sum(m.unkScore, here); p.start < 0 || score > p.score {
				*p = bestPath{score, int32(at), m.unk}
			}
		}
		at += size
	}
	return m.backtrack(dst, best, w)
}

func (m *unigram) sum(a, b float64) float64 {
	if m.single {
		return float64(float32(a + b))
	}
	return a + b
}

// backtrack reads the best path from its end; neighbouring unknowns are one token.
func (m *unigram) backtrack(dst []wordToken, best []bestPath, w string) []wordToken {
	first := len(dst)
	for end := len(w); end > 0; {
		id, start := best[end].id, int(best[end].start)
		if id != m.unk {
			dst = append(dst, wordToken{id, start, end})
			end = start
			continue
		}
		for start > 0 && best[start].id == m.unk {
			start = int(best[start].start)
		}
		dst = m.unknown(dst, w, start, end)
		end = start
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// unknown appends the tokens of an unknown part, last first.
func (m *unigram) unknown(dst []wordToken, w string, start, end int) []wordToken {
	if id := m.vocab.lookup(w[start:end]); id != noID {
		return append(dst, wordToken{id, start, end})
	}
	if m.byteFallback {
		known := true
		for i := start; i < end; i++ {
			known = known && m.fallback[w[i]] != noID
		}
		if known {
			for i := end - 1; i >= start; i-- {
				dst = append(dst, wordToken{m.fallback[w[i]], start, end})
			}
			return dst
		}
	}
	if m.unk == noID {
		return dst
	}
	return append(dst, wordToken{m.unk, start, end})
}
