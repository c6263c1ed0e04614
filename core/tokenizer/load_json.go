package tokenizer

import (
	"fmt"
	"strings"
)

// parseJSON reads a tokenizer.json.
func parseJSON(data []byte) (*Tokenizer, error) {
	t, _, err := parseDocument(data, nil)
	return t, err
}

// parseDocument reads a tokenizer.json. With tables, vocabulary and merges are taken from there
// and not from the document. It returns the model as it was read.
func parseDocument(data []byte, tables *modelTables) (*Tokenizer, *modelFile, error) {
	r := &jsonReader{data: data}
	doc := &document{}
	var parts [4]config // normalizer, pre_tokenizer, post_processor, decoder
	for i, name := range []string{"normalizer", "pre_tokenizer", "post_processor", "decoder"} {
		parts[i] = config{doc: doc, path: name}
	}
	added := config{doc: doc, path: "added_tokens"}
	var m *modelFile
	err := r.object(func(key string) error {
		var err error
		switch key {
		case "normalizer":
			parts[0].value, err = r.value(0)
		case "pre_tokenizer":
			parts[1].value, err = r.value(0)
		case "post_processor":
			parts[2].value, err = r.value(0)
		case "decoder":
			parts[3].value, err = r.value(0)
		case "added_tokens":
			added.value, err = r.value(0)
		case "model":
			m, err = readModel(r, doc)
		default: // version; truncation and padding, which are a caller's business
			_, err = r.value(0)
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, nil, err
	}
	if m == nil {
		return nil, nil, fmt.Errorf("there is no \"model\"")
	}
	if tables != nil {
		m.modelTables = *tables
	}
	t := &Tokenizer{}
	if t.model, err = m.build(); err != nil {
		return nil, nil, err
	}
	t.vocab = m.vocab
	t.fast.neighbours = m.neighbours
	t.normalizers = readNormalizers(parts[0])
	t.stages = readPreTokenizer(parts[1])
	t.post = readPostProcessor(parts[2])
	t.decoder = readDecoder(parts[3])
	t.added = newAddedTokens()
	if !added.isNull() {
		for _, c := range added.list() {
			t.addToken(AddedToken{
				ID:         uint32(c.get("id").intOr(0)),
				Content:    c.get("content").str(),
				Special:    c.get("special").boolOr(false),
				SingleWord: c.get("single_word").boolOr(false),
				LStrip:     c.get("lstrip").boolOr(false),
				RStrip:     c.get("rstrip").boolOr(false),
				Normalized: c.get("normalized").boolOr(!c.get("special").boolOr(false)),
			})
		}
	}
	if doc.err != nil {
		return nil, nil, doc.err
	}
	t.finish()
	return t, m, nil
}

// addToken adds a token under the id that the vocabulary knows it by, else under the next one
// after the vocabulary: the file's own ids do not count, as with Hugging Face.
func (t *Tokenizer) addToken(tok AddedToken) {
	if tok.Content == "" {
		return
	}
	if id, ok := t.TokenToID(tok.Content); ok {
		tok.ID = id
	} else {
		tok.ID = uint32(t.vocab.count + t.added.beyond)
		t.added.beyond++
	}
	if tok.Normalized {
		var work normalWork
		if s := normalize(t.normalizers, &work, tok.Content); s != tok.Content {
			t.added.spelled[tok.ID] = strings.Clone(s)
		}
	}
	t.added.add(tok)
}

// A modelFile is the "model" of a tokenizer.json as read.
type modelFile struct {
	modelTables
	doc      *document
	fields   map[string]any
	mergesAt int // position of merges that stand before the vocabulary; 0 for none

	// bulk are the places of vocabulary and merges in the document.
	bulk []cut
}

// modelTables are the parts of a model that take long to read.
type modelTables struct {
	vocab      *vocab
	scores     []float64 // Unigram's
	hasMap     bool      // the vocabulary is a map and not a list of pairs
	merged     bool      // there are merges
	merges     mergeTable
	neighbours *neighbourSet
}

func readModel(r *jsonReader, doc *document) (*modelFile, error) {
	m := &modelFile{doc: doc, fields: map[string]any{}}
	err := r.object(func(key string) error {
		var err error
		if key == "vocab" || key == "merges" {
			r.next()
			start := r.pos
			defer func() { m.bulk = append(m.bulk, cut{start, r.pos}) }()
		}
		switch key {
		case "vocab":
			err = m.readVocab(r)
		case "merges":
			if m.vocab == nil || m.fields["type"] == nil {
				m.mergesAt = r.pos
				_, err = r.value(0)
				return err
			}
			err = m.readMerges(r)
		default:
			m.fields[key], err = r.value(0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if m.vocab == nil {
		return nil, fmt.Errorf("model: there is no \"vocab\"")
	}
	if m.mergesAt > 0 {
		end := r.pos
		r.pos = m.mergesAt
		if err := m.readMerges(r); err != nil {
			return nil, err
		}
		r.pos = end
	}
	return m, nil
}

// readVocab reads a map of token to id, or Unigram's list of token and score.
func (m *modelFile) readVocab(r *jsonReader) error {
	m.vocab = newVocab(1 << 10)
	m.scores, m.hasMap = nil, false
	if r.next() == '[' {
		return r.array(func(i int) error {
			if err := r.expect('['); err != nil {
				return err
			}
			token, err := r.str()
			if err != nil {
				return err
			}
			if err := m.vocab.add(string(token), uint32(i)); err != nil {
				return r.errorf("model.vocab: %v", err)
			}
			if err := r.expect(','); err != nil {
				return err
			}
			v, err := r.value(0)
			if err != nil {
				return err
			}
			score, ok := v.(float64)
			if !ok {
				return r.errorf("model.vocab: the score of token %d should be a number, not %s", i, describeJSON(v))
			}
			m.scores = append(m.scores, score)
			return r.expect(']')
		})
	}
	m.hasMap = true
	m.vocab = newVocab(min(len(r.data)/64, 1<<18))
	if err := r.expect('{'); err != nil {
		return err
	}
	if r.next() == '}' {
		r.pos++
		return nil
	}
	for {
		token, err := r.str()
		if err != nil {
			return err
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		id, err := r.id()
		if err != nil {
			return err
		}
		if err := m.vocab.add(view(token), id); err != nil {
			return r.errorf("model.vocab: %v", err)
		}
		if r.next() != ',' {
			return r.expect('}')
		}
		r.pos++
	}
}

// readMerges reads a list of "left right" or of ["left", "right"].
func (m *modelFile) readMerges(r *jsonReader) error {
	m.merged = true
	m.merges.init(min(len(r.data)/32, m.vocab.count*2))
	prefix, _ := m.fields["continuing_subword_prefix"].(string)
	var joined []byte
	return r.array(func(i int) error {
		var left int
		if r.next() == '[' {
			r.pos++
			s, err := r.str()
			if err != nil {
				return err
			}
			joined = append(joined[:0], s...)
			left = len(s)
			if err := r.expect(','); err != nil {
				return err
			}
			if s, err = r.str(); err != nil {
				return err
			}
			joined = append(joined, s...)
			if err := r.expect(']'); err != nil {
				return err
			}
		} else {
			s, err := r.str()
			if err != nil {
				return err
			}
			left = strings.IndexByte(view(s), ' ')
			if left < 0 || strings.IndexByte(view(s[left+1:]), ' ') >= 0 {
				return r.errorf("model.merges[%d]: %q should be two tokens with a space between", i, s)
			}
			joined = append(append(joined[:0], s[:left]...), s[left+1:]...)
		}
		if err := m.addMerge(joined, left, prefix, i); err != nil {
			return r.errorf("%v", err)
		}
		return nil
	})
}

// addMerge enters the merge of joined[:left] and joined[left:].
func (m *modelFile) addMerge(joined []byte, left int, prefix string, rank int) error {
	a, b := view(joined[:left]), view(joined[left:])
	leftID, rightID := m.vocab.lookup(a), m.vocab.lookup(b)
	for _, t := range []struct {
		token string
		id    uint32
	}{{a, leftID}, {b, rightID}} {
		if t.id == noID {
			return fmt.Errorf("model.merges[%d]: token %q is not in the vocabulary", rank, t.token)
		}
	}
	into := view(joined)
	if prefix != "" {
		if len(b) < len(prefix) {
			return fmt.Errorf("model.merges[%d]: token %q is shorter than continuing_subword_prefix", rank, b)
		}
		into = a + b[len(prefix):]
	}
	id := m.vocab.lookup(into)
	if id == noID {
		return fmt.Errorf("model.merges[%d]: the merged token %q is not in the vocabulary", rank, into)
	}
	m.merges.set(leftID, rightID, uint32(rank), id)
	return nil
}

// field returns a field of the model.
func (m *modelFile) field(key string) config {
	return config{m.doc, "model." + key, m.fields[key]}
}

// build makes the model. Files older than the field "type" are told apart by what they hold.
func (m *modelFile) build() (model, error) {
	kind := m.field("type").strOr("")
	if kind == "" {
		switch {
		case !m.hasMap:
			kind = "Unigram"
		case m.merged:
			kind = "BPE"
		case m.fields["continuing_subword_prefix"] != nil:
			kind = "WordPiece"
		default:
			kind = "WordLevel"
		}
	}
	if m.hasMap == (kind == "Unigram") {
		return nil, fmt.Errorf("model.vocab: should be %s for the model %s", map[bool]string{true: "a list of [token, score]", false: "an object of token: id"}[kind == "Unigram"], kind)
	}
	var out model
	switch kind {
	case "BPE":
		out = m.buildBPE()
	default:
		var err error
		if out, err = m.buildOther(kind); err != nil {
			return nil, err
		}
	}
	return out, m.doc.err
}

func (m *modelFile) buildBPE() *bpe {
	b := &bpe{
		vocab:        m.vocab,
		merges:       m.merges,
		unkToken:     m.field("unk_token").strOr(""),
		fuseUnk:      m.field("fuse_unk").boolOr(false),
		ignoreMerges: m.field("ignore_merges").boolOr(false),
		byteFallback: m.field("byte_fallback").boolOr(false),
		prefix:       m.field("continuing_subword_prefix").strOr(""),
		suffix:       m.field("end_of_word_suffix").strOr(""),
	}
	if !m.merged {
		m.field("merges").fail("is missing")
	}
	if d, ok := m.field("dropout").value.(float64); ok && d != 0 {
		m.field("dropout").fail("is %v: random tokens cannot be counted on (set it to null)", d)
	}
	if b.merges.slots == nil {
		b.merges.init(1)
	}
	b.finish()
	return b
}
