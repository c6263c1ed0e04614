package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The message types and field numbers are those of sentencepiece_model.proto in Google's
// SentencePiece.

// Types of pieces.
const (
	pieceNormal      = 1
	pieceUnknown     = 2
	pieceControl     = 3
	pieceUserDefined = 4
	pieceUnused      = 5
	pieceByte        = 6
)

type spmPiece struct {
	text  string
	score float32
	kind  int
}

type spmModel struct {
	pieces       []spmPiece
	modelType    uint64 // 1 Unigram, 2 BPE
	byteFallback bool
	bos, eos     int // -1: none
	charsmap     []byte
	dummyPrefix  bool
	collapse     bool // remove_extra_whitespaces
	escape       bool
	suffix       bool // treat_whitespace_as_suffix
}

// fields calls f for each field of a message, with its number, its value if it is a varint or
// 32 bits, and its bytes if it has any.
func fields(data []byte, f func(n protowire.Number, value uint64, bytes []byte) error) error {
	for len(data) > 0 {
		n, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return protowire.ParseError(size)
		}
		data = data[size:]
		var value uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			value, size = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, size = protowire.ConsumeFixed32(data)
			value = uint64(v)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(data)
		default:
			size = protowire.ConsumeFieldValue(n, kind, data)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := f(n, value, bytes); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

func readSentencePiece(data []byte) (*spmModel, error) {
	m := &spmModel{modelType: 1, bos: 1, eos: 2, dummyPrefix: true, collapse: true, escape: true}
	err := fields(data, func(n protowire.Number, _ uint64, b []byte) error {
		switch n {
		case 1:
			p := spmPiece{kind: pieceNormal}
			err := fields(b, func(n protowire.Number, v uint64, b []byte) error {
				switch n {
				case 1:
					p.text = string(b)
				case 2:
					p.score = math.Float32frombits(uint32(v))
				case 3:
					p.kind = int(v)
				}
				return nil
			})
			if err == nil && !utf8.ValidString(p.text) {
				err = errors.New("it is not UTF-8")
			}
			if err != nil {
				return fmt.Errorf("piece %d: %w", len(m.pieces), err)
			}
			m.pieces = append(m.pieces, p)
		case 2:
			return fields(b, func(n protowire.Number, v uint64, _ []byte) error {
				switch n {
				case 3:
					m.modelType = v
				case 24:
					m.suffix = v != 0
				case 35:
					m.byteFallback = v != 0
				case 41:
					m.bos = int(int32(v))
				case 42:
					m.eos = int(int32(v))
				}
				return nil
			})
		case 3:
			return fields(b, func(n protowire.Number, v uint64, b []byte) error {
				switch n {
				case 2:
					m.charsmap = b
				case 3:
					m.dummyPrefix = v != 0
				case 4:
					m.collapse = v != 0
				case 5:
					m.escape = v != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("not a SentencePiece model: %w", err)
	}
	if len(m.pieces) == 0 {
		return nil, errors.New("not a SentencePiece model: it has no pieces")
	}
	return m, nil
}

// parseSentencePiece reads a tokenizer.model. The result normalizes and cuts as SentencePiece
// does; control symbols that stand in a text are recognised, as Hugging Face does.
func parseSentencePiece(data []byte, side sideFiles) (*Tokenizer, error) {
	m, err := readSentencePiece(data)
	if err != nil {
		return nil, err
	}
	if !m.escape || m.suffix {
		return nil, errors.New("models that do not escape whitespace, or put it after words, are not supported")
	}
	v := newVocab(len(m.pieces))
	unk := noID
	for i, p := range m.pieces {
		if err := v.add(p.text, uint32(i)); err != nil {
			return nil, fmt.Errorf("piece %d: %w", i, err)
		}
		if p.kind == pieceUnknown {
			unk = uint32(i)
		}
	}
	t := &Tokenizer{vocab: v, added: newAddedTokens()}
	switch m.modelType {
	case 1:
		err = t.spmUnigram(m, unk)
	case 2:
		t.spmBPE(m, unk)
	default:
		err = fmt.Errorf("models of type %d are not supported (1 is Unigram, 2 is BPE)", m.modelType)
	}
	if err != nil {
		return nil, err
	}
	n := &spmNormalizer{dummyPrefix: m.dummyPrefix, collapse: m.collapse}
	if len(m.charsmap) > 0 {
		if n.charsmap, err = newPrecompiled(m.charsmap); err != nil {
			return nil, err
		}
	}
	for i, p := range m.pieces {
		switch p.kind {
		case pieceUserDefined:
			if p.text == "" {
				continue
			}
			n.keep.add(p.text, uint32(i))
			n.keeps = true
			// Found in the normalized text, where they stand as they are.
			t.added.add(AddedToken{ID: uint32(i), Content: p.text, Normalized: true})
		case pieceControl, pieceUnknown:
			if p.text == "" {
				continue
			}
			t.added.add(AddedToken{ID: uint32(i), Content: p.text, Special: true})
		}
	}
	t.normalizers = []normalizer{n}
	t.decoder = []decodeStep{
		replaceDecoder{&replacer{text: "▁", content: " "}}, byteFallbackDecoder{}, fuseDecoder{},
	}
	if m.collapse {
		t.decoder = append(t.decoder, stripDecoder{' ', math.MaxInt, 0})
	} else if m.dummyPrefix {
		t.decoder = append(t.decoder, stripDecoder{' ', 1, 0})
	}
	t.post = []postStep{{template: m.template(side)}}
	if err := t.addSideTokens(side); err != nil {
		return nil, err
	}
	t.finish()
	return t, nil
}

// template says which special tokens go before and after a text. The model does not tell; the
// classes of transformers do: Llama's family begins a text, T5's ends it.
func (m *spmModel) template(side sideFiles) template {
	bos, eos := side.flag("add_bos_token", m.modelType == 2), side.flag("add_eos_token", m.modelType == 1)
	out := template{}
	add := func(id int) {
		if id >= 0 && id < len(m.pieces) {
			out = append(out, templatePiece{ids: []uint32{uint32(id)}, tokens: []string{m.pieces[id].text}})
		}
	}
	if bos {
		add(m.bos)
	}
	out = append(out, templatePiece{text: true})
	if eos {
		add(m.eos)
	}
	return out
}

func (t *Tokenizer) spmUnigram(m *spmModel, unk uint32) error {
	u := &unigram{vocab: t.vocab, unk: unk, byteFallback: m.byteFallback, single: true, usable: make([]bool, len(m.pieces))}
	for i, p := range m.pieces {
		u.scores = append(u.scores, float64(p.score))
		u.usable[i] = p.kind == pieceNormal
	}
	t.model = u
	return u.build()
}

// spmBPE makes merges of all ways in which two pieces make a third; the score of that one is
// the rank, and equal scores are equal ranks.
func (t *Tokenizer) spmBPE(m *spmModel, unk uint32) {
	b := &bpe{vocab: t.vocab, fuseUnk: true, byteFallback: m.byteFallback}
	order := make([]int, 0, len(m.pieces))
	for i, p := range m.pieces {
		if p.kind == pieceNormal {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(m.pieces[b].score, m.pieces[a].score) })
	usable := func(text string) uint32 {
		id := t.vocab.lookup(text)
		if id == noID || m.pieces[id].kind != pieceNormal {
			return noID
		}
		return id
	}
	b.merges.init(len(m.pieces) * 2)
	rank := uint32(0)
	for n, i := range order {
		if n > 0 && m.pieces[i].score != m.pieces[order[n-1]].score {
			rank++
		}
		text := m.pieces[i].text
		for at := 1; at < len(text); at++ {
			if !utf8.RuneStart(text[at]) {
				continue
			}
			if left := usable(text[:at]); left != noID {
				if right := usable(text[at:]); right != noID {
					b.merges.set(left, right, rank, uint32(i))
				}
			}
		}
	}
	if unk != noID {
		b.unkToken = m.pieces[unk].text
	}
	b.finish()
	t.model = b
}

// spmNormalizer is SentencePiece's normalization: replacements by longest match, blanks
// collapsed, a blank in front, blanks written as U+2581.
type spmNormalizer struct {
	charsmap              *precompiled // nil for none
	keep                  trie         // symbols of the user's, which stay as they are
	keeps                 bool
	dummyPrefix, collapse bool
}

func (n *spmNormalizer) rewrite(w *rewriter) bool {
	const blank = "▁"
	end := len(w.src)
	at := 0
	if n.collapse {
		for at < end {
			size, with := n.next(w.src[at:])
			if with != " " {
				break
			}
			at += size
		}
	}
	if at == end {
		return true // nothing is left
	}
	origin := func(i int) Span {
		if w.origins == nil {
			return Span{}
		}
		return w.origins[min(i, len(w.origins)-1)]
	}
	if n.dummyPrefix {
		w.insert(blank, origin(at))
	}
	afterBlank := n.collapse
	for at < end {
		size, with := n.next(w.src[at:])
		from := origin(at)
		if w.origins != nil {
			from.End = w.origins[at+size-1].End
		}
		for with != "" && afterBlank && with[0] == ' ' {
			with = with[1:]
		}
		if with != "" {
			for i := 0; i < len(with); {
				k := runeLen(with[i])
				if with[i] == ' ' {
					w.insert(blank, from)
				} else {
					w.insert(with[i:i+k], from)
				}
				i += k
			}
			afterBlank = n.collapse && with[len(with)-1] == ' '
		}
		at += size
	}
	if n.collapse {
		for len(w.out) >= len(blank) && view(w.out[len(w.out)-len(blank):]) == blank {
			w.out = w.out[:len(w.out)-len(blank)]
			if w.origins != nil {
				w.outFrom = w.outFrom[:len(w.outFrom)-len(blank)]
			}
		}
	}
	return true
}

// next returns the length of the next unit of s and what it becomes.
func (n *spmNormalizer) next(s string) (int, string) {
	if n.keeps {
		if size, _, ok := n.keep.longest(s); ok {
			return size, s[:size]
		}
	}
	if n.charsmap != nil {
		if size, with, ok := n.charsmap.longest(s); ok {
			return size, with
		}
	}
	size := runeLen(s[0])
	return size, s[:size]
}
