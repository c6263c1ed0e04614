package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decodeStep is one step of a decoder: it rewrites the list of tokens.
type decodeStep interface {
	decode(tokens []string) []string
}

// Decode returns the text of ids. With skipSpecial, special tokens are left out. Ids that the
// vocabulary does not have are left out as well, as Hugging Face does; bytes that are not UTF-8
// become U+FFFD.
func (t *Tokenizer) Decode(ids []uint32, skipSpecial bool) string {
	if len(t.decoder) == 1 {
		if _, ok := t.decoder[0].(byteLevelDecoder); ok {
			return t.decodeBytes(ids, skipSpecial)
		}
	}
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if token, ok := t.decodable(id, skipSpecial); ok {
			tokens = append(tokens, token)
		}
	}
	if t.decoder == nil {
		return strings.Join(tokens, " ")
	}
	for _, step := range t.decoder {
		tokens = step.decode(tokens)
	}
	return strings.Join(tokens, "")
}

// decodable returns the token of id as decoders want it.
func (t *Tokenizer) decodable(id uint32, skipSpecial bool) (string, bool) {
	var token string
	if i, ok := t.added.byID[id]; ok {
		token = t.added.tokens[i].Content
		if s, ok := t.added.spelled[id]; ok {
			token = s
		}
	} else if token, ok = t.vocab.token(id); !ok {
		return "", false
	}
	if skipSpecial && t.added.special[token] {
		return "", false
	}
	return token, true
}

// decodeBytes is Decode for the most common decoder.
func (t *Tokenizer) decodeBytes(ids []uint32, skipSpecial bool) string {
	buf := make([]byte, 0, len(ids)*4)
	for _, id := range ids {
		if token, ok := t.decodable(id, skipSpecial); ok {
			buf = appendBytes(buf, token)
		}
	}
	text, _ := sanitize(view(buf), nil)
	return text
}

type byteLevelDecoder struct{}

func (byteLevelDecoder) decode(tokens []string) []string {
	var buf []byte
	for _, token := range tokens {
		buf = appendBytes(buf, token)
	}
	text, _ := sanitize(view(buf), nil)
	return []string{text}
}

// wordPieceDecoder joins continuations, puts spaces between words and may tidy punctuation.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d wordPieceDecoder) decode(tokens []string) []string {
	for i, token := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, d.prefix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if d.cleanup {
			token = cleanUp(token)
		}
		tokens[i] = token
	}
	return tokens
}

// cleanUp removes the spaces that tokenization put before English punctuation.
func cleanUp(s string) string {
	for _, pair := range [][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// metaspaceDecoder turns replacements into spaces; those of the first token vanish where the
// pre-tokenizer put one there.
type metaspaceDecoder struct {
	replacement string
	scheme      prependScheme
}

func (d metaspaceDecoder) decode(tokens []string) []string {
	for i, token := range tokens {
		with := " "
		if i == 0 && d.scheme != prependNever {
			with = ""
		}
		tokens[i] = strings.ReplaceAll(token, d.replacement, with)
	}
	return tokens
}

// ctcDecoder reads the output of connectionist temporal classification.
type ctcDecoder struct {
	pad, delimiter string
	cleanup        bool
}

func (d ctcDecoder) decode(tokens []string) []string {
	var out []string
	for i, token := range tokens {
		if i > 0 && token == tokens[i-1] {
			continue
		}
		token = replaceText(token, d.pad, "")
		if d.cleanup {
			token = replaceText(cleanUp(token), d.delimiter, " ")
		}
		if token != "" {
			out = append(out, token)
		}
	}
	return out
}

// replaceText is strings.ReplaceAll, with Rust's meaning of an empty old string kept out.
func replaceText(s, old, with string) string {
	if old == "" {
		return s
	}
	return strings.ReplaceAll(s, old, with)
}

type replaceDecoder struct{ *replacer }

func (d replaceDecoder) decode(tokens []string) []string {
	for i, token := range tokens {
		tokens[i] = d.replaceAll(token)
	}
	return tokens
}

type fuseDecoder struct{}

func (fuseDecoder) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// stripDecoder removes up to start and stop copies of a character from the ends of each token.
type stripDecoder struct {
	content     rune
	start, stop int
}

func (d stripDecoder) decode(tokens []string) []string {
	for i, token := range tokens {
		for n := 0; n < d.start; n++ {
			r, size := utf8.DecodeRuneInString(token)
			if size == 0 || r != d.content {
				break
			}
			token = token[size:]
		}
		for n := 0; n < d.stop; n++ {
			r, size := utf8.DecodeLastRuneInString(token)
			if size == 0 || r != d.content {
				break
			}
			token = token[:len(token)-size]
		}
		tokens[i] = token
	}
	return tokens
}

// byteFallbackDecoder turns runs of tokens such as <0xE4> into text; a run that is not UTF-8
// becomes one U+FFFD a byte.
type byteFallbackDecoder struct{}

func (byteFallbackDecoder) decode(tokens []string) []string {
	out := make([]string, 0, len(tokens))
	var run []byte
	flush := func() {
		if utf8.Valid(run) && len(run) > 0 {
			out = append(out, string(run))
		} else {
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := fallbackByte(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

// fallbackByte reads a token such as <0xE4>.
func fallbackByte(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	digits := token[3:5]
	if digits[0] == '+' { // as Rust reads numbers
		digits = digits[1:]
	}
	b, err := strconv.ParseUint(digits, 16, 8)
	return byte(b), err == nil
}

// bpeDecoder turns the end-of-word suffix into spaces.
type bpeDecoder struct{ suffix string }

func (d bpeDecoder) decode(tokens []string) []string {
	for i, token := range tokens {
		with := " "
		if i == len(tokens)-1 {
			with = ""
		}
		tokens[i] = replaceText(token, d.suffix, with)
	}
	return tokens
}
