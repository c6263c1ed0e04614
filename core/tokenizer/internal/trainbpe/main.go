// Command trainbpe trains a byte-level BPE vocabulary on a text and writes it as tokenizer.json.
// The demo vocabulary is made by it (see core/tokenizer/demo), so that the project has one that
// is free of anyone else's licence.
//
//	trainbpe -size 8192 -out demo/tokenizer.json text.txt
//
// The outcome depends on the text and the size alone.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/splitregex"
)

// pattern cuts the text into words. Spaces are runs of their own or lead a word.
const pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// special are the tokens beyond the text's: the ends of a text and the marks of a chat.
var special = []string{"<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|pad|>"}

func main() {
	size := flag.Int("size", 8192, "tokens in the vocabulary, special ones included")
	out := flag.String("out", "tokenizer.json", "file to write")
	flag.Parse()
	if err := run(*size, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "trainbpe:", err)
		os.Exit(1)
	}
}

func run(size int, out string, files []string) error {
	if len(files) == 0 || size < 256+len(special) {
		return errors.New("usage: trainbpe [-size N] [-out FILE] TEXT... (N at least 263)")
	}
	var text []byte
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		text = append(text, bytes.ToValidUTF8(data, nil)...)
	}
	words, err := count(string(text))
	if err != nil {
		return err
	}
	data, err := document(train(words, size-len(special)))
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644)
}

// A word is a sequence of tokens and how often the text has it.
type word struct {
	tokens []int
	times  int
}

func count(text string) ([]word, error) {
	re, err := splitregex.Compile(pattern)
	if err != nil {
		return nil, err
	}
	times := map[string]int{}
	for at := 0; ; {
		lo, hi, ok := re.Find(text, at, at)
		if !ok {
			break
		}
		times[text[lo:hi]]++
		at = hi
	}
	var words []word
	for _, w := range slices.Sorted(maps.Keys(times)) {
		tokens := make([]int, len(w))
		for i := range len(w) {
			tokens[i] = int(w[i])
		}
		words = append(words, word{tokens, times[w]})
	}
	return words, nil
}

type pair struct{ left, right int }

// train merges the most frequent pair until there are size tokens. The first 256 are the bytes.
func train(words []word, size int) (tokens []string, merges []pair) {
	for b := range 256 {
		tokens = append(tokens, string([]byte{byte(b)}))
	}
	for len(tokens) < size {
		times := map[pair]int{}
		for _, w := range words {
			for i := 1; i < len(w.tokens); i++ {
				times[pair{w.tokens[i-1], w.tokens[i]}] += w.times
			}
		}
		best, most := pair{}, 1
		for p, n := range times {
			if n > most || n == most && most > 1 && cmp.Or(cmp.Compare(p.left, best.left), cmp.Compare(p.right, best.right)) < 0 {
				best, most = p, n
			}
		}
		if most == 1 {
			break // every pair is rare
		}
		into := len(tokens)
		tokens = append(tokens, tokens[best.left]+tokens[best.right])
		merges = append(merges, best)
		for i := range words {
			words[i].tokens = merge(words[i].tokens, best, into)
		}
	}
	return tokens, merges
}

func merge(tokens []int, p pair, into int) []int {
	out := tokens[:0]
	for i := 0; i < len(tokens); i++ {
		if i+1 < len(tokens) && tokens[i] == p.left && tokens[i+1] == p.right {
			out = append(out, into)
			i++
		} else {
			out = append(out, tokens[i])
		}
	}
	return out
}

// spell writes bytes in GPT-2's printable alphabet.
func spell(token string) string {
	var out []rune
	for i := range len(token) {
		out = append(out, alphabet[token[i]])
	}
	return string(out)
}

var alphabet = func() (table [256]rune) {
	next := rune(0x100)
	for b := range table {
		r := rune(b)
		if '!' <= r && r <= '~' || 0xA1 <= r && r <= 0xAC || 0xAE <= r && r <= 0xFF {
			table[b] = r
		} else {
			table[b] = next
			next++
		}
	}
	return table
}()

// document writes a tokenizer.json.
func document(tokens []string, merges []pair) ([]byte, error) {
	type object = map[string]any
	byteLevel := func(regex bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
	}
	vocab := object{}
	for i, t := range tokens {
		vocab[spell(t)] = i
	}
	var lines []string
	for _, m := range merges {
		lines = append(lines, spell(tokens[m.left])+" "+spell(tokens[m.right]))
	}
	var added []object
	for i, s := range special {
		added = append(added, object{
			"id": len(tokens) + i, "content": s, "single_word": false, "lstrip": false, "rstrip": false,
			"normalized": false, "special": true,
		})
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil,
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Split", "pattern": object{"Regex": pattern}, "behavior": "Isolated", "invert": false},
			byteLevel(false),
		}},
		"post_processor": byteLevel(false),
		"decoder":        byteLevel(false),
		"model": object{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
			"end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
			"vocab": vocab, "merges": lines,
		},
	})
	return buf.Bytes(), err
}
