package tokenizer

// A model cuts one word into tokens. Models are immutable.
type model interface {
	// appendWord appends the tokens of w, which is not empty. In byte mode (BPE after a
	// ByteLevel pre-tokenizer) w holds the raw bytes, else characters of the vocabulary.
	appendWord(work *wordWork, dst []wordToken, w string) []wordToken
}

// A wordToken is a token and the bytes of the word that it covers.
type wordToken struct {
	id         uint32
	start, end int
}

// wordWork holds the buffers of a model.
type wordWork struct {
	tokens  []wordToken
	symbols []symbol
	nodes   []mergeNode
	heap    []uint64
	best    []bestPath
	text    []byte
}

func (w *wordWork) large() bool {
	return max(cap(w.nodes), cap(w.best), cap(w.tokens), cap(w.symbols)) > maxKept
}

// appendWordIDs appends the ids of a word by way of the cache.
func (t *Tokenizer) appendWordIDs(st *state, w string) {
	if len(w) > maxCacheKey {
		st.word.tokens = t.model.appendWord(&st.word, st.word.tokens[:0], w)
		for _, tok := range st.word.tokens {
			st.ids = append(st.ids, tok.id)
		}
		return
	}
	key := keyOf(w)
	hash := key.hash()
	if e := t.cache.find(w, key, hash); e != nil {
		if e.n == 1 {
			st.ids = append(st.ids, e.ids[0])
			return
		}
		st.ids = e.appendTo(st.ids)
		return
	}
	st.word.tokens = t.model.appendWord(&st.word, st.word.tokens[:0], w)
	before := len(st.ids)
	for _, tok := range st.word.tokens {
		st.ids = append(st.ids, tok.id)
	}
	t.cache.add(w, key, hash, st.ids[before:])
}
