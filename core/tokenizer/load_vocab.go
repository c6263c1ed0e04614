package tokenizer

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// parseVocabTxt reads BERT's vocab.txt: a token a line, its id the line's number from 0.
func parseVocabTxt(data []byte, side sideFiles) (*Tokenizer, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	blank := hasProperty(unicodetables.WhiteSpace)
	m := &modelFile{doc: side.doc, fields: map[string]any{"type": "WordPiece"},
		modelTables: modelTables{hasMap: true, vocab: newVocab(bytes.Count(data, []byte{'\n'}) + 1)}}
	for id := uint32(0); len(data) > 0; id++ {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte{'\n'})
		if err := m.vocab.add(strings.TrimRightFunc(string(line), blank), id); err != nil {
			return nil, fmt.Errorf("line %d: %w", id+1, err)
		}
	}
	m.fields["unk_token"] = side.token("unk_token", "[UNK]")
	var err error
	t := &Tokenizer{vocab: m.vocab, added: newAddedTokens()}
	if t.model, err = m.build(); err != nil {
		return nil, err
	}
	strip := side.config.get("strip_accents")
	lower := side.flag("do_lower_case", true)
	t.normalizers = []normalizer{newBertNormalizer(true, side.flag("tokenize_chinese_chars", true), strip.boolOr(lower), lower)}
	t.stages = []stage{
		&runeSplit{hasProperty(unicodetables.WhiteSpace), removed},
		&runeSplit{hasProperty(unicodetables.Punctuation), isolated},
	}
	t.decoder = []decodeStep{wordPieceDecoder{"##", true}}
	t.addKnown(side.token("pad_token", "[PAD]"), side.token("unk_token", "[UNK]"), side.token("cls_token", "[CLS]"),
		side.token("sep_token", "[SEP]"), side.token("mask_token", "[MASK]"))
	t.post = t.around(side.token("cls_token", "[CLS]"), side.token("sep_token", "[SEP]"))
	if err := t.addSideTokens(side); err != nil {
		return nil, err
	}
	t.finish()
	return t, nil
}

// around is a post-processor that puts one token before and one after a text, as far as the
// vocabulary has both.
func (t *Tokenizer) around(before, after string) []postStep {
	first, ok := t.TokenToID(before)
	last, also := t.TokenToID(after)
	if !ok || !also {
		return nil
	}
	return []postStep{{template: template{
		{ids: []uint32{first}, tokens: []string{before}}, {text: true}, {ids: []uint32{last}, tokens: []string{after}},
	}}}
}

// parseVocabJSON reads GPT-2's vocab.json and merges.txt. Which split pattern and special tokens
// go with them depends on the class that tokenizer_config.json names: GPT-2's unless it is one
// of RoBERTa's or Qwen's family.
func parseVocabJSON(data, merges []byte, side sideFiles) (*Tokenizer, error) {
	m := &modelFile{doc: side.doc, fields: map[string]any{"type": "BPE"}}
	r := &jsonReader{data: data}
	err := m.readVocab(r)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	if err := m.readMergesTxt(merges); err != nil {
		return nil, fmt.Errorf("merges.txt beside it: %w", err)
	}
	t := &Tokenizer{vocab: m.vocab, added: newAddedTokens(), decoder: []decodeStep{byteLevelDecoder{}}}
	if t.model, err = m.build(); err != nil {
		return nil, err
	}
	var pattern stage = &gpt2Pattern{classes()}
	class := strings.TrimSuffix(side.class(), "Fast")
	if strings.HasPrefix(class, "Qwen") {
		t.normalizers = []normalizer{&formNormalizer{unicodetables.NFC, unicodetables.Normalizations()}}
		pattern = &clPattern{c: classes(), digits: 1}
	}
	if side.flag("add_prefix_space", false) {
		t.stages = append(t.stages, prefixSpace{})
	}
	t.stages = append(t.stages, pattern, byteLevelStage{})
	switch class {
	case "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer", "MPNetTokenizer":
		t.addKnown("<s>", "<pad>", "</s>", "<unk>")
		if id, ok := t.vocab.id("<mask>"); ok {
			t.added.add(AddedToken{ID: id, Content: "<mask>", Special: true, LStrip: true})
		}
		t.post = t.around("<s>", "</s>")
	default:
		t.addKnown("<|endoftext|>")
	}
	for _, key := range []string{"bos_token", "eos_token", "unk_token", "pad_token"} {
		t.addKnown(side.token(key, ""))
	}
	if err := t.addSideTokens(side); err != nil {
		return nil, err
	}
	t.finish()
	return t, nil
}

// readMergesTxt reads a merge a line: two tokens with a space between.
func (m *modelFile) readMergesTxt(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("it is not UTF-8")
	}
	m.merged = true
	m.merges.init(m.vocab.count)
	rank := 0
	var joined []byte
	for line := 1; len(data) > 0; line++ {
		var text []byte
		text, data, _ = bytes.Cut(data, []byte{'\n'})
		text = bytes.TrimSuffix(text, []byte{'\r'})
		if bytes.HasPrefix(text, []byte("#version")) || len(text) == 0 && len(data) == 0 {
			continue
		}
		left, right, ok := bytes.Cut(text, []byte{' '})
		if !ok || bytes.IndexByte(right, ' ') >= 0 {
			return fmt.Errorf("line %d: %q should be two tokens with a space between", line, text)
		}
		joined = append(append(joined[:0], left...), right...)
		if err := m.addMerge(joined, len(left), "", rank); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		rank++
	}
	return nil
}
