package prompt

import (
	"fmt"
	"math/rand/v2"
	"sort"

	"github.com/genai-bench/genai-bench/core/seeded"
)

// How often the end of a text is mended before another is begun, and how many
// are begun, the later ones of words alone.
const (
	mendings   = 12
	beginnings = 6
)

// counter counts a text whole. It returns ok false where the text will not do
// for another reason than its size.
type counter func(text string) (tokens int, ok bool)

// compose makes a text of exactly n tokens as count counts them, n ≥ 1. It
// begins with the words of head, as many as n has room for. With wordAtEnd the
// text ends in a word, not in a mark that might merge with what follows.
func (c *Corpus) compose(r *rand.Rand, head func(words int) []string, n int, wordAtEnd bool, count counter) (string, error) {
	nearest := 0
	for begun := range beginnings {
		d := draft{corpus: c, rand: r}
		d.begin(head(min(n, c.headLen)))
		rest := n - min(n, c.headLen)
		if wordAtEnd && rest > 0 {
			rest--
		}
		if begun < beginnings/2 {
			rest = d.addPieces(rest)
		}
		d.addWords(rest)
		if wordAtEnd && n > c.headLen {
			d.addWords(1)
		}
		text, tokens, done := d.mend(n, wordAtEnd, count)
		if done {
			return text, nil
		}
		if nearest == 0 || abs(tokens-n) < abs(nearest-n) {
			nearest = tokens
		}
	}
	return "", fmt.Errorf("tokenizer %s: made no text of exactly %d tokens (nearest: %d); another size or tokenizer may do", c.name, n, nearest)
}

func abs(n int) int { return max(n, -n) }

// head returns the function that gives the i-th text of a stream its first
// words: different ones for each i below 2^uniqueBits, or, of fewer words, for
// as many as these can tell apart. Already the first word is another one for
// as many texts in a row as there are words.
func (c *Corpus) head(s seeded.Stream, i uint64) func(words int) []string {
	return func(words int) []string {
		n := uint64(len(c.words))
		list := make([]string, words)
		list[0] = c.words[s.Permute(i%n, n)]
		all := uint64(1)
		for range words - 1 {
			all *= n
		}
		code := s.Permute(i/n, all)
		for k := range list[1:] {
			list[1+k] = c.words[code%n]
			code /= n
		}
		return list
	}
}

// draft is a text in the making: a first line of words, then pieces, a line
// each, then words behind the last.
type draft struct {
	corpus *Corpus
	rand   *rand.Rand
	text   []byte
	pieces []int // where each piece begins, its line break included
	words  []int // where each word behind the last piece begins
	sep    int   // tokens of a line break put here
}

func (d *draft) begin(words []string) {
	for i, w := range words {
		if i > 0 {
			d.text = append(d.text, d.corpus.joiner...)
		}
		d.text = append(d.text, w...)
	}
	d.sep = d.corpus.afterTop
}

// addPieces adds pieces that together cost at most rest tokens by their known
// counts, the last one so that nothing is left if that can be, and returns
// what is left.
func (d *draft) addPieces(rest int) int {
	c := d.corpus
	largest := c.sizes[len(c.sizes)-1]
	for {
		room := rest - d.sep
		if room < c.sizes[0] {
			return rest
		}
		var chosen int32
		if room <= largest && c.byLast[room] != nil {
			chosen = c.byLast[room][d.rand.IntN(len(c.byLast[room]))]
		} else {
			chosen = int32(d.rand.IntN(len(c.pieces)))
			for tries := 0; int(c.pieces[chosen].last) > room; tries++ {
				if tries == 8 {
					fitting := c.sizes[sort.SearchInts(c.sizes, room+1)-1]
					chosen = c.byLast[fitting][d.rand.IntN(len(c.byLast[fitting]))]
					break
				}
				chosen = int32(d.rand.IntN(len(c.pieces)))
			}
		}
		p := &c.pieces[chosen]
		d.pieces = append(d.pieces, len(d.text))
		d.text = append(append(d.text, '\n'), p.text...)
		rest = room - int(p.last)
		d.sep = int(p.sep)
	}
}

func (d *draft) addWords(n int) {
	for range n {
		d.words = append(d.words, len(d.text))
		if len(d.text) > 0 {
			d.text = append(d.text, d.corpus.joiner...)
		}
		d.text = append(d.text, d.corpus.words[d.rand.IntN(len(d.corpus.words))]...)
	}
}

// cut takes up to n words off the end; where there are fewer, the last piece
// goes instead. It reports false where only the head is left.
func (d *draft) cut(n int) bool {
	if keep := len(d.words) - n; keep >= 0 && n > 0 {
		if keep < len(d.words) {
			d.text = d.text[:d.words[keep]]
			d.words = d.words[:keep]
		}
		return true
	}
	d.words = d.words[:0]
	if last := len(d.pieces) - 1; last >= 0 {
		d.text = d.text[:d.pieces[last]]
		d.pieces = d.pieces[:last]
		return true
	}
	return false
}

// mend counts the whole text and adds and takes off words at its end until it
// has n tokens. It returns what it had at last.
func (d *draft) mend(n int, wordAtEnd bool, count counter) (text string, tokens int, done bool) {
	for range mendings {
		text = string(d.text)
		var ok bool
		tokens, ok = count(text)
		switch {
		case !ok:
			return "", tokens, false
		case tokens == n && (!wordAtEnd || len(d.words) > 0 || len(d.pieces) == 0):
			return text, tokens, true
		case tokens < n:
			d.addWords(n - tokens)
		default:
			// A word more than is over, so that another one takes the place of the
			// last, which may be what merges.
			if !d.cut(tokens - n + 1) {
				return "", tokens, false
			}
		}
	}
	return "", tokens, false
}
