package prompt

import (
	"fmt"
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/dataset"
)

// Tokenizer counts and encodes without special tokens. It must be safe for
// concurrent use. core/tokenizer's is one.
type Tokenizer interface {
	Count(text string) int
	AppendEncode(dst []uint32, text string) []uint32
	Decode(ids []uint32, skipSpecial bool) string
}

// Bounds of a corpus. What a dataset has beyond them is not used for prompts
// of a given size; scenario "dataset" reads all of it.
const (
	piecesMax     = 1 << 16
	corpusBytes   = 32 << 20
	pieceBytes    = 400  // longer lines are cut: a prompt of 100 tokens must find lines that fit
	wordsMax      = 4096 // a power of two
	uniqueBits    = 36   // the head of a prompt is unique among 2^36
	wordsWanted   = 256  // fewer in the dataset: the built-in text is asked too
	wordsProbed   = 1 << 15
	wordRunes     = 14
	shortestWords = 3
)

// Corpus is a dataset as a tokenizer sees it: lines with their token counts,
// and words of one token. It is made once for all runs and safe for concurrent
// use. Making it counts every line once, 10 to 100 ms for the built-in text.
type Corpus struct {
	tokenizer Tokenizer
	name      string // the tokenizer's, for errors
	texts     dataset.Texts

	pieces []piece
	byLast [][]int32 // pieces by what they cost at the end of a prompt
	sizes  []int     // the costs that some piece has, ascending

	words    []string // each is one token; their number is a power of two
	joiner   string   // what stands before a word
	afterTop int      // tokens of a line break after words
	headLen  int      // words that make a prompt unique
}

// piece is a line of text and the tokens that it adds to a text that ends in a
// line break.
type piece struct {
	text string
	last int32 // where nothing follows
	sep  int32 // what a line break behind it adds; 0 where it merges into the last token
}

// NewCorpus counts the lines of texts. name is the tokenizer's, for messages.
// tokenizer may be nil for tasks without tokens; a Source that needs one
// refuses such a corpus.
func NewCorpus(tokenizer Tokenizer, name string, texts dataset.Texts) (*Corpus, error) {
	c := &Corpus{tokenizer: tokenizer, name: name, texts: texts}
	if err := c.readPieces(); err != nil {
		return nil, err
	}
	if tokenizer == nil {
		return c, nil
	}
	if err := c.countPieces(); err != nil {
		return nil, err
	}
	return c, c.findWords()
}

// readPieces takes entries, evenly spaced where there are too many, and cuts
// them into lines.
func (c *Corpus) readPieces() error {
	step := (c.texts.Len() + piecesMax - 1) / piecesMax
	size := 0
	for i := 0; i < c.texts.Len() && len(c.pieces) < piecesMax && size < corpusBytes; i += step {
		text, err := c.texts.Text(i)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			for line = strings.TrimSpace(line); line != "" && len(c.pieces) < piecesMax; {
				var p string
				p, line = cutPiece(line)
				c.pieces = append(c.pieces, piece{text: p})
				size += len(p)
			}
		}
	}
	return nil
}

// cutPiece returns the longest beginning of line of at most pieceBytes that
// ends before white space, or between runes where there is none, and the rest.
func cutPiece(line string) (first, rest string) {
	if len(line) <= pieceBytes {
		return line, ""
	}
	end := strings.LastIndexFunc(line[:pieceBytes], unicode.IsSpace)
	if end <= 0 {
		for end = pieceBytes; !utf8.RuneStart(line[end]); end-- {
		}
	}
	return strings.TrimSpace(line[:end]), strings.TrimSpace(line[end:])
}

func (c *Corpus) countPieces() error {
	base := c.tokenizer.Count("x\n")
	c.afterTop = base - c.tokenizer.Count("x")
	kept := c.pieces[:0]
	for _, p := range c.pieces {
		text := "x\n" + p.text + "\n"
		p.last = int32(c.tokenizer.Count(text[:len(text)-1]) - base)
		p.sep = int32(c.tokenizer.Count(text)-base) - p.last
		if p.last < 1 || p.sep < 0 {
			continue // nothing that the tokenizer sees
		}
		for int(p.last) >= len(c.byLast) {
			c.byLast = append(c.byLast, nil)
		}
		c.byLast[p.last] = append(c.byLast[p.last], int32(len(kept)))
		kept = append(kept, p)
	}
	if len(kept) == 0 {
		return fmt.Errorf("dataset %s: tokenizer %s finds no token in it", c.texts.Name(), c.name)
	}
	c.pieces = kept
	for size, list := range c.byLast {
		if list != nil {
			c.sizes = append(c.sizes, size)
		}
	}
	return nil
}

// findWords looks for texts of exactly one token that stay so side by side.
func (c *Corpus) findWords() error {
	own := make([]string, len(c.pieces))
	for i, p := range c.pieces {
		own[i] = p.text
	}
	spaced := c.oneToken(" ", candidates(own, nil))
	if len(spaced) < wordsWanted {
		var builtin []string
		for line, err := range dataset.All(dataset.BuiltIn()) {
			if err != nil {
				return err
			}
			builtin = append(builtin, line)
		}
		spaced = c.oneToken(" ", candidates(builtin, spaced))
	}
	c.joiner, c.words = " ", spaced
	if len(spaced) < 16 {
		// A vocabulary without words: of bytes, or of single signs.
		if signs := c.oneToken("", signs(own)); len(signs) > len(spaced) {
			c.joiner, c.words = "", signs
		}
	}
	if len(c.words) < 2 {
		return fmt.Errorf("tokenizer %s: found no two texts of one token each, so prompts of an exact size cannot be made (is it the model's tokenizer?)", c.name)
	}
	c.words = c.words[:1<<(bits.Len(uint(len(c.words)))-1)]
	perWord := bits.TrailingZeros(uint(len(c.words)))
	c.headLen = (uniqueBits + perWord - 1) / perWord
	return nil
}

// candidates lists the distinct words of lower-case letters in lines, after
// those given already.
func candidates(lines []string, given []string) []string {
	seen := make(map[string]bool)
	list := given
	for _, w := range given {
		seen[w] = true
	}
	for _, line := range lines {
		for w := range strings.FieldsFuncSeq(line, func(r rune) bool { return !unicode.IsLetter(r) }) {
			if len(list) >= wordsProbed {
				return list
			}
			runes := utf8.RuneCountInString(w)
			if runes >= shortestWords && runes <= wordRunes && !seen[w] && strings.ToLower(w) == w {
				seen[w] = true
				list = append(list, w)
			}
		}
	}
	return list
}

// signs lists single characters: printable ASCII, then those of the text.
func signs(lines []string) []string {
	seen := make(map[rune]bool)
	var list []string
	add := func(r rune) {
		if !seen[r] && unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != utf8.RuneError && len(list) < wordsProbed {
			seen[r] = true
			list = append(list, string(r))
		}
	}
	for r := '!'; r <= '~'; r++ {
		add(r)
	}
	for _, line := range lines {
		for _, r := range line {
			add(r)
		}
	}
	return list
}

// oneToken keeps the words that are one token alone, after a joiner, after a
// line break, and beside each other.
func (c *Corpus) oneToken(joiner string, words []string) []string {
	count := c.tokenizer.Count
	x, xBreak := count("x"), count("x\n")
	var kept []string
	for _, w := range words {
		if count(w) == 1 && count("x"+joiner+w) == x+1 && count("x\n"+w) == xBreak+1 {
			kept = append(kept, w)
			if len(kept) >= 2*wordsMax {
				break
			}
		}
	}
	var lasting []string
	for i, w := range kept {
		if other := kept[(i*7+1)%len(kept)]; count(other+joiner+w+joiner+other) == 3 && len(lasting) < wordsMax {
			lasting = append(lasting, w)
		}
	}
	return lasting
}
