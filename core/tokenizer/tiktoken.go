package tokenizer

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pkoukk/tiktoken-go-loader/assets"
)

// parseTiktoken reads a file of OpenAI's format: on each line a token in base64 and its rank.
// pattern is the regular expression that cuts words; where it is empty, the name of the file
// or the number of tokens must tell the encoding.
func parseTiktoken(data []byte, name, pattern string) (*Tokenizer, error) {
	v := newVocab(bytes.Count(data, []byte{'\n'}) + 1)
	var raw, spelled []byte
	for line := 1; len(data) > 0; line++ {
		var text []byte
		text, data, _ = bytes.Cut(data, []byte{'\n'})
		text = bytes.TrimRight(text, "\r")
		if len(text) == 0 {
			continue
		}
		token, rank, ok := bytes.Cut(text, []byte{' '})
		if !ok {
			return nil, fmt.Errorf("line %d: should be a token in base64, a space and a rank", line)
		}
		raw = append(raw[:0], make([]byte, base64.StdEncoding.DecodedLen(len(token)))...)
		n, err := base64.StdEncoding.Decode(raw, token)
		if err != nil {
			return nil, fmt.Errorf("line %d: the token: %w", line, err)
		}
		id, err := strconv.ParseUint(view(rank), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("line %d: the rank %q is not a whole number", line, rank)
		}
		spelled = spelled[:0]
		for _, b := range raw[:n] {
			spelled = utf8.AppendRune(spelled, byteToRune[b])
		}
		if v.lookup(view(spelled)) != noID {
			return nil, fmt.Errorf("line %d: the token %q stands there twice", line, raw[:n])
		}
		if err := v.add(string(spelled), uint32(id)); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if v.count == 0 {
		return nil, fmt.Errorf("there are no tokens")
	}
	enc := encodingOf(name, v.count)
	if pattern == "" {
		if enc == nil {
			return nil, fmt.Errorf("neither the file's name nor its %d tokens tell the split pattern (name it with SplitPattern)", v.count)
		}
		pattern = enc.pattern
	}
	t, err := newTiktoken(v, pattern)
	if err != nil {
		return nil, err
	}
	if enc != nil {
		for token, id := range enc.special {
			t.added.add(AddedToken{ID: id, Content: token, Special: true})
		}
		t.added.beyond = len(t.added.tokens)
	}
	t.finish()
	return t, nil
}

// newTiktoken makes a tokenizer of a vocabulary in ByteLevel spelling, whose ids are ranks. Text
// that reads like a special token is text, as in a user's message to OpenAI.
func newTiktoken(v *vocab, pattern string) (*Tokenizer, error) {
	// Tiktoken merges any two neighbours that make a token, lowest rank first.
	m := &bpe{vocab: v, ignoreMerges: true}
	m.merges.init(v.count * 3)
	for i, e := range v.entries {
		token := v.text(uint32(i))
		for at := 1; at < len(token); at++ {
			if !utf8.RuneStart(token[at]) {
				continue
			}
			left := v.lookup(token[:at])
			if left == noID {
				continue
			}
			if right := v.lookup(token[at:]); right != noID {
				m.merges.set(left, right, e.id, e.id)
			}
		}
	}
	m.finish()
	doc := &document{}
	split := config{doc, "pattern", map[string]any{"pattern": map[string]any{"Regex": pattern}, "behavior": "Removed", "invert": true}}
	t := &Tokenizer{
		vocab: v, model: m, added: newAddedTokens(),
		stages:  []stage{readSplit(split), byteLevelStage{}},
		decoder: []decodeStep{byteLevelDecoder{}},
	}
	t.added.ordinary = true
	return t, doc.err
}

// An encoding is one of OpenAI's.
type encoding struct {
	file    string // of the ranks, in the loader's module
	pattern string
	tokens  int
	special map[string]uint32
}

func reserved(special map[string]uint32, first, last uint32) map[string]uint32 {
	for id := first; id <= last; id++ {
		special[fmt.Sprintf("<|reserved_%d|>", id)] = id
	}
	return special
}

// encodings returns OpenAI's encodings by name, with the split patterns in Hugging Face's
// spelling, which cuts the same and has a scanner.
func encodings() map[string]*encoding {
	cl100k := clRegex(`\p{N}{1,3}`)
	o200k := oRegex(anyContraction+`?`, `\p{N}{1,3}`)
	end := map[string]uint32{"<|endoftext|>": 50256}
	return map[string]*encoding{
		"gpt2":      {"r50k_base", gpt2Regex, 50256, end},
		"r50k_base": {"r50k_base", gpt2Regex, 50256, end},
		"p50k_base": {"p50k_base", gpt2Regex, 50280, end},
		"p50k_edit": {"p50k_base", gpt2Regex, 50280, map[string]uint32{
			"<|endoftext|>": 50256, "<|fim_prefix|>": 50281, "<|fim_middle|>": 50282, "<|fim_suffix|>": 50283,
		}},
		"cl100k_base": {"cl100k_base", cl100k, 100256, map[string]uint32{
			"<|endoftext|>": 100257, "<|fim_prefix|>": 100258, "<|fim_middle|>": 100259, "<|fim_suffix|>": 100260,
			"<|endofprompt|>": 100276,
		}},
		"o200k_base": {"o200k_base", o200k, 199998, map[string]uint32{"<|endoftext|>": 199999, "<|endofprompt|>": 200018}},
		"o200k_harmony": {"o200k_base", o200k, 199998, reserved(reserved(reserved(reserved(map[string]uint32{
			"<|startoftext|>": 199998, "<|endoftext|>": 199999, "<|return|>": 200002, "<|constrain|>": 200003,
			"<|channel|>": 200005, "<|start|>": 200006, "<|end|>": 200007, "<|message|>": 200008, "<|call|>": 200012,
		}, 200000, 200001), 200004, 200004), 200009, 200011), 200013, 201087)},
	}
}

// encodingOf tells the encoding of a file by its name or its size.
func encodingOf(file string, tokens int) *encoding {
	all := encodings()
	stem, _, _ := strings.Cut(file, ".")
	if e := all[stem]; e != nil && e.tokens == tokens {
		return e
	}
	for _, name := range []string{"r50k_base", "p50k_base", "cl100k_base", "o200k_base"} {
		if e := all[name]; e.tokens == tokens {
			return e
		}
	}
	switch tokens {
	case 128000: // Llama 3 as Meta ships it
		return &encoding{pattern: clRegex(`\p{N}{1,3}`)}
	case 151643: // Qwen
		return &encoding{pattern: clRegex(`\p{N}`)}
	}
	return nil
}

// OpenAI returns the tokenizer of one of OpenAI's encodings (gpt2, r50k_base, p50k_base, p50k_edit,
// cl100k_base, o200k_base, o200k_harmony) or models (gpt-4o, gpt-3.5-turbo-0125, …). The ranks are
// part of the program.
func OpenAI(name string) (*Tokenizer, error) {
	all := encodings()
	e := all[name]
	if e == nil {
		if encoding, ok := encodingOfModel(name); ok {
			e = all[encoding]
		}
	}
	if e == nil {
		return nil, fmt.Errorf("OpenAI tokenizer: %q is neither an encoding nor a model known here (encodings: gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony)", name)
	}
	data, err := assets.Assets.ReadFile(e.file + ".tiktoken")
	if err != nil {
		return nil, fmt.Errorf("OpenAI tokenizer %s: %w", name, err)
	}
	t, err := parseTiktoken(data, e.file, e.pattern)
	if err != nil {
		return nil, fmt.Errorf("OpenAI tokenizer %s: %w", name, err)
	}
	t.added = newAddedTokens()
	t.added.ordinary = true
	for token, id := range e.special {
		t.added.add(AddedToken{ID: id, Content: token, Special: true})
		if _, ok := t.vocab.token(id); !ok {
			t.added.beyond++
		}
	}
	return t, nil
}

// encodingOfModel returns the encoding that OpenAI documents for a model.
func encodingOfModel(model string) (string, bool) {
	exact := map[string]string{
		"o1": "o200k_base", "o3": "o200k_base", "o4-mini": "o200k_base", "gpt-5": "o200k_base", "gpt-4.1": "o200k_base",
		"gpt-4o": "o200k_base", "gpt-4": "cl100k_base", "gpt-3.5-turbo": "cl100k_base", "gpt-3.5": "cl100k_base",
		"gpt-35-turbo": "cl100k_base", "davinci-002": "cl100k_base", "babbage-002": "cl100k_base",
		"text-embedding-ada-002": "cl100k_base", "text-embedding-3-small": "cl100k_base", "text-embedding-3-large": "cl100k_base",
		"text-davinci-003": "p50k_base", "text-davinci-002": "p50k_base", "text-davinci-001": "r50k_base",
		"text-curie-001": "r50k_base", "text-babbage-001": "r50k_base", "text-ada-001": "r50k_base", "davinci": "r50k_base",
		"curie": "r50k_base", "babbage": "r50k_base", "ada": "r50k_base", "code-davinci-002": "p50k_base",
		"code-davinci-001": "p50k_base", "code-cushman-002": "p50k_base", "code-cushman-001": "p50k_base",
		"davinci-codex": "p50k_base", "cushman-codex": "p50k_base", "text-davinci-edit-001": "p50k_edit",
		"code-davinci-edit-001": "p50k_edit", "gpt-2": "gpt2",
	}
	if e, ok := exact[model]; ok {
		return e, true
	}
	for _, p := range []struct{ prefix, encoding string }{
		{"gpt-oss-", "o200k_harmony"}, {"o1-", "o200k_base"}, {"o3-", "o200k_base"}, {"o4-mini-", "o200k_base"},
		{"gpt-5", "o200k_base"}, {"gpt-4.5-", "o200k_base"}, {"gpt-4.1-", "o200k_base"}, {"chatgpt-4o-", "o200k_base"},
		{"gpt-4o-", "o200k_base"}, {"gpt-4-", "cl100k_base"}, {"gpt-3.5-turbo-", "cl100k_base"},
		{"gpt-35-turbo-", "cl100k_base"}, {"ft:gpt-4o", "o200k_base"}, {"ft:gpt-4", "cl100k_base"},
		{"ft:gpt-3.5-turbo", "cl100k_base"}, {"ft:davinci-002", "cl100k_base"}, {"ft:babbage-002", "cl100k_base"},
		{"text-similarity-", "r50k_base"}, {"text-search-", "r50k_base"}, {"code-search-", "r50k_base"},
	} {
		if strings.HasPrefix(model, p.prefix) {
			return p.encoding, true
		}
	}
	return "", false
}
