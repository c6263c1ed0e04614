package tokenizer

import (
	"sync"
	"unsafe"
)

// A Tokenizer encodes and decodes text. It is safe for concurrent use.
type Tokenizer struct {
	vocab       *vocab
	model       model
	added       *addedTokens
	normalizers []normalizer
	stages      []stage // the pre-tokenizer
	post        []postStep
	decoder     []decodeStep // nil: tokens are joined by spaces
	special     template     // post, reduced to what is put before and after

	// spelled is model for words in the spelling of the vocabulary: the way with offsets.
	spelled model
	fast    plan // the way without

	states sync.Pool // *state
	cache  *wordCache
}

// A Span is a range of bytes of the text that was encoded.
type Span struct{ Start, End int }

// Count returns the number of tokens of text, without special tokens added. It allocates
// nothing once the words of such texts have been seen.
func (t *Tokenizer) Count(text string) int {
	st := t.acquire()
	st.ids = st.ids[:0]
	t.encode(st, text)
	n := len(st.ids)
	t.release(st)
	return n
}

// AppendEncode appends the ids of text to dst, without special tokens added. Special tokens that
// stand in the text are recognised, as Hugging Face does.
func (t *Tokenizer) AppendEncode(dst []uint32, text string) []uint32 {
	st := t.acquire()
	own := st.ids
	st.ids = dst
	t.encode(st, text)
	dst, st.ids = st.ids, own
	t.release(st)
	return dst
}

// AppendEncodeSpecial appends the ids of text to dst with the special tokens that the
// post-processor adds, such as a beginning-of-text token.
func (t *Tokenizer) AppendEncodeSpecial(dst []uint32, text string) []uint32 {
	for _, piece := range t.special {
		if piece.text {
			dst = t.AppendEncode(dst, text)
		} else {
			dst = append(dst, piece.ids...)
		}
	}
	return dst
}

// AppendEncodeOffsets appends the ids of text and, for each, the bytes of text it came from.
// With special set the post-processor's tokens are added; their span is empty. It is several
// times slower than AppendEncode.
func (t *Tokenizer) AppendEncodeOffsets(ids []uint32, spans []Span, text string, special bool) ([]uint32, []Span) {
	tokens := t.postProcess(text, t.encodeAligned(text), special)
	for _, tok := range tokens {
		ids = append(ids, tok.id)
		spans = append(spans, tok.span)
	}
	return ids, spans
}

// TokenToID returns the id of a token, spelled as in the vocabulary.
func (t *Tokenizer) TokenToID(token string) (uint32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	return t.vocab.id(token)
}

// IDToToken returns the token of an id, spelled as in the vocabulary.
func (t *Tokenizer) IDToToken(id uint32) (string, bool) {
	if i, ok := t.added.byID[id]; ok {
		return t.added.tokens[i].Content, true
	}
	return t.vocab.token(id)
}

// VocabSize returns the number of tokens, added ones included.
func (t *Tokenizer) VocabSize() int {
	return t.vocab.count + t.added.beyond
}

// AddedTokens returns the tokens that are cut out of a text before the model sees it.
func (t *Tokenizer) AddedTokens() []AddedToken {
	return append([]AddedToken(nil), t.added.tokens...)
}

// A state holds the buffers of one call.
type state struct {
	ids    []uint32
	clean  []byte   // the text with invalid UTF-8 replaced
	norm   []byte   // the normalized segment
	levels []level  // per pre-tokenizer stage
	word   wordWork // the model's
	normal normalWork
}

// level is what one pre-tokenizer stage needs.
type level struct {
	cuts []cut
	buf  []byte
}

// maxKept bounds the elements of each buffer that a state carries from call to call. The garbage
// collector takes unused states all the same.
const maxKept = 4 << 20

func (t *Tokenizer) acquire() *state {
	if st, ok := t.states.Get().(*state); ok {
		return st
	}
	return &state{levels: make([]level, len(t.fast.stages)+1)}
}

func (t *Tokenizer) release(st *state) {
	if cap(st.ids) > maxKept || cap(st.clean) > maxKept || cap(st.norm) > maxKept || st.word.large() {
		return
	}
	t.states.Put(st)
}

// view is the bytes as a string, without a copy; they must not change while it is in use.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
