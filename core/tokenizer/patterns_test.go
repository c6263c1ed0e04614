package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/splitregex"
)

// scanned are the patterns with scanners of their own.
var scanned = map[string]string{
	"gpt2":            gpt2Regex,
	"cl100k":          clRegex(`\p{N}{1,3}`),
	"qwen":            clRegex(`\p{N}`),
	"unlimited":       clRegex(`\p{N}+`),
	"qwen with marks": anyContraction + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + spaces,
	"o200k":           oRegex(anyContraction+`?`, `\p{N}{1,3}`),
	"tekken":          oRegex(``, `\p{N}`),
	"o without 's":    oRegex(``, `\p{N}{1,3}`),
	"digit groups":    `\p{N}{1,3}`,
	"digits":          `\p{N}`,
	"numbers":         `\p{N}+`,
	"han and kana":    deepseekHanRegex,
	"deepseek":        deepseekRegex,
}

// alphabet are characters that the patterns tell apart, and those on the borders.
var alphabet = []string{
	"a", "b", "Z", "É", "ß", "ǅ", "ʰ", "中", "あ", "ー", "\u0301", "\u0903", "1", "7", "٣", "Ⅷ", "½", " ", " ", "\t",
	"\n", "\r", "\u00a0", "\u2003", "\u0085", "\u200b", "\u001c", "'", "'", "s", "S", "ſ", "t", "re", "VE", "ll", "d",
	".", ",", "/", "$", "€", "_", "-", "\u00ad", "\U0001F600", "\U00013000", "\U0001E4F0", "\u0378", "\uE000", "l", "m", "K",
}

func randomText(r *rand.Rand, n int) string {
	var b strings.Builder
	for range r.IntN(n) {
		b.WriteString(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

// The scanners cut as the regular expressions do that they stand for.
func TestScannersMatchTheirPatterns(t *testing.T) {
	for name, pattern := range scanned {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			re, err := splitregex.Compile(pattern)
			if err != nil {
				t.Fatal(err)
			}
			slow := &patternSplit{pattern: &replacer{regex: re}, behavior: isolated}
			var fast cutter
			if tiler := knownTiler(pattern, classes()); tiler != nil {
				fast = tiler
			} else if fast = knownIsolated(pattern, classes()); fast == nil {
				t.Fatal("there is no scanner for the pattern")
			}
			check := func(s string) {
				t.Helper()
				if got, want := fast.cut(nil, s), slow.cut(nil, s); !slices.Equal(got, want) {
					t.Fatalf("%q:\n got %v\nwant %v", s, pieces(s, got), pieces(s, want))
				}
			}
			r := rand.New(rand.NewPCG(1, 2))
			rounds, stride := 20000, 7
			if underRace { // a tenth: `make test` does it all without the detector
				rounds, stride = 2000, 70
			}
			for range rounds {
				check(randomText(r, 24))
			}
			for c := rune(0); c <= utf8.MaxRune; c += 1 + rune(r.IntN(stride)) {
				if utf8.ValidRune(c) {
					s := string(c)
					check(s + "a" + s + " " + s + s + "1" + s + "\n" + s + "A" + s)
				}
			}
		})
	}
}

func pieces(s string, cuts []cut) []string {
	var out []string
	for _, c := range cuts {
		out = append(out, s[c.lo:c.hi])
	}
	return out
}
