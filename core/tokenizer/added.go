package tokenizer

import (
	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
	"unicode/utf8"
)

// An AddedToken is cut out of a text before the model sees it.
type AddedToken struct {
	ID      uint32
	Content string
	// Special tokens are left out by Decode with skipSpecial.
	Special bool
	// SingleWord tokens match only between characters that are not part of a word.
	SingleWord bool
	// LStrip and RStrip tokens swallow the whitespace before and after them.
	LStrip, RStrip bool
	// Normalized tokens are looked for in the normalized text.
	Normalized bool
}

// addedTokens finds added tokens in texts.
type addedTokens struct {
	tokens []AddedToken
	ids    map[string]uint32
	byID   map[uint32]int
	// spelled is how a normalized token reads after normalization, by id, where that differs.
	spelled map[uint32]string
	special map[string]bool
	beyond  int // tokens that the vocabulary does not have
	// ordinary: the tokens are not looked for in texts.
	ordinary bool

	raw, normalized *finder // nil for none
}

// A finder searches for the leftmost, and there the longest, of its strings.
type finder struct {
	trie   trie
	first  [256]bool // bytes that a string begins with
	only   int       // the one such byte, or -1
	tokens *addedTokens
	words  *unicodetables.Table
}

func newAddedTokens() *addedTokens {
	return &addedTokens{ids: map[string]uint32{}, byID: map[uint32]int{}, spelled: map[uint32]string{}, special: map[string]bool{}}
}

// add enters a token, whose id is already settled.
func (a *addedTokens) add(tok AddedToken) {
	a.ids[tok.Content] = tok.ID
	if tok.Special {
		a.special[tok.Content] = true
	}
	if i, ok := a.byID[tok.ID]; ok {
		a.tokens[i] = tok
		return
	}
	a.byID[tok.ID] = len(a.tokens)
	a.tokens = append(a.tokens, tok)
}

// build makes the finders.
func (a *addedTokens) build() {
	a.raw, a.normalized = nil, nil
	if a.ordinary {
		return
	}
	for i, tok := range a.tokens {
		where, text := &a.raw, tok.Content
		if tok.Normalized {
			where = &a.normalized
			if s, ok := a.spelled[tok.ID]; ok {
				text = s
			}
		}
		if text == "" {
			continue
		}
		if *where == nil {
			*where = &finder{tokens: a, words: unicodetables.Properties(), only: -1}
		}
		(*where).trie.add(text, uint32(i))
		(*where).first[text[0]] = true
	}
	for _, f := range []*finder{a.raw, a.normalized} {
		if f == nil {
			continue
		}
		n := 0
		for b, is := range f.first {
			if is {
				f.only = b
				n++
			}
		}
		if n > 1 {
			f.only = -1
		}
	}
}

// A hit is an added token found in a text, with the whitespace that it swallows. next is where
// the search goes on: at the end of the token proper.
type hit struct {
	lo, hi, next int
	token        *AddedToken
}

// find returns the next token at or after search; from is where the text before it begins.
func (f *finder) find(s string, from, search int) (hit, bool) {
	for i := search; i < len(s); {
		if f.only >= 0 {
			n := indexByte(s[i:], byte(f.only))
			if n < 0 {
				return hit{}, false
			}
			i += n
		} else if !f.first[s[i]] {
			i++
			continue
		}
		n, index, found := f.trie.longest(s[i:])
		if !found {
			i++
			continue
		}
		tok := &f.tokens.tokens[index]
		lo, hi := i, i+n
		if tok.SingleWord && (f.wordBefore(s[:lo]) || f.wordAfter(s[hi:])) {
			i = hi
			continue
		}
		if tok.LStrip {
			for lo > from {
				r, n := utf8.DecodeLastRuneInString(s[:lo])
				if !f.space(r) {
					break
				}
				lo -= n
			}
		}
		if tok.RStrip {
			for hi < len(s) {
				r, n := decodeRune(s, hi)
				if !f.space(r) {
					break
				}
				hi += n
			}
		}
		return hit{lo, hi, i + n, tok}, true
	}
	return hit{}, false
}

func (f *finder) space(r rune) bool { return f.words.At(r)&unicodetables.WhiteSpace != 0 }

func (f *finder) wordBefore(s string) bool {
	if s == "" {
		return false
	}
	r, _ := utf8.DecodeLastRuneInString(s)
	return f.words.At(r)&unicodetables.WordChar != 0
}

func (f *finder) wordAfter(s string) bool {
	if s == "" {
		return false
	}
	r, _ := decodeRune(s, 0)
	return f.words.At(r)&unicodetables.WordChar != 0
}
