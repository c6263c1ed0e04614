package prompt_test

import (
	"regexp"
	"sort"
	"strings"
	"sync"

	"github.com/genai-bench/genai-bench/core/dataset"
)

// fake is a tokenizer that takes the longest token that fits, from left to
// right. Its vocabulary is made of the built-in text: every ASCII byte, and
// the commonest runs of characters.
type fake struct {
	ids    map[string]uint32
	tokens []string
	words  *regexp.Regexp // what tokens may not cross; nil: they cross everything
	most   int            // bytes of the longest token
	cache  sync.Map       // word to its []uint32: the expression is slow, above all under the race detector
}

// The borders of GPT-like tokenizers: a word with the space before it, marks
// with the line breaks behind them, white space.
var gptWords = regexp.MustCompile(` ?[\p{L}\p{M}]+| ?\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s+`)

func newFake(words *regexp.Regexp, common map[string]int, size int) *fake {
	f := &fake{ids: make(map[string]uint32), words: words}
	add := func(token string) {
		if _, ok := f.ids[token]; !ok {
			f.ids[token] = uint32(len(f.tokens))
			f.tokens = append(f.tokens, token)
			f.most = max(f.most, len(token))
		}
	}
	for c := range 256 {
		add(string([]byte{byte(c)}))
	}
	var list []string
	for token := range common {
		list = append(list, token)
	}
	sort.Slice(list, func(i, j int) bool {
		if a, b := common[list[i]], common[list[j]]; a != b {
			return a > b
		}
		return list[i] < list[j]
	})
	for _, token := range list[:min(size, len(list))] {
		add(token)
	}
	return f
}

var builtinLines = sync.OnceValue(func() []string {
	var list []string
	for line := range dataset.All(dataset.BuiltIn()) {
		list = append(list, line)
	}
	return list
})

// gptLike has whole words and parts of words, none across borders of words.
var gptLike = sync.OnceValue(func() *fake {
	common := make(map[string]int)
	for _, line := range builtinLines()[:2000] {
		for _, w := range gptWords.FindAllString(line+"\n", -1) {
			common[w]++
			common[strings.TrimPrefix(w, " ")]++
			for i := 1; i < len(w); i++ {
				common[w[:i]]++
			}
		}
	}
	return newFake(gptWords, common, 12_000)
})

// merging has tokens that cross words, marks and lines: "of the", ".\nThe".
var merging = sync.OnceValue(func() *fake {
	common := make(map[string]int)
	text := strings.Join(builtinLines()[:3000], "\n")
	for i := range text {
		for n := 2; n <= 7 && i+n <= len(text); n++ {
			common[text[i:i+n]]++
		}
	}
	return newFake(nil, common, 9_000)
})

// bytewise has a token for each byte and no other.
var bytewise = sync.OnceValue(func() *fake { return newFake(nil, nil, 0) })

func (f *fake) each(text string, token func(id uint32)) {
	if f.words == nil {
		f.greedy(text, token)
		return
	}
	// A line is cut into words as a whole; what follows a line break begins anew.
	for line := range strings.Lines(text) {
		ids, ok := f.cache.Load(line)
		if !ok {
			var list []uint32
			for _, word := range f.words.FindAllString(line, -1) {
				f.greedy(word, func(id uint32) { list = append(list, id) })
			}
			ids, _ = f.cache.LoadOrStore(line, list)
		}
		for _, id := range ids.([]uint32) {
			token(id)
		}
	}
}

func (f *fake) greedy(text string, token func(id uint32)) {
	for len(text) > 0 {
		n := min(len(text), f.most)
		for ; n > 1; n-- {
			if _, ok := f.ids[text[:n]]; ok {
				break
			}
		}
		token(f.ids[text[:n]])
		text = text[n:]
	}
}

func (f *fake) Count(text string) (n int) {
	f.each(text, func(uint32) { n++ })
	return n
}

func (f *fake) AppendEncode(dst []uint32, text string) []uint32 {
	f.each(text, func(id uint32) { dst = append(dst, id) })
	return dst
}

func (f *fake) Decode(ids []uint32, _ bool) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(f.tokens[id])
	}
	return b.String()
}
