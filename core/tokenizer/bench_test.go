package tokenizer

import (
	"strings"
	"testing"
)

// benchmarkText is a document of about 64 kB of the golden speed texts.
func benchmarkText(b *testing.B, name string) string {
	b.Helper()
	data := unpack(b, "speed-texts.tar.xz")[name]
	if len(data) < 64<<10 {
		b.Fatalf("speed-texts.tar.xz has no %s", name)
	}
	text := string(data[:64<<10])
	return text[:strings.LastIndexByte(text, '\n')+1]
}

func BenchmarkCount(b *testing.B) {
	for _, name := range goldenNames {
		for _, text := range []string{"en.txt", "code.txt", "cjk.txt", "ru.txt"} {
			b.Run(name+"/"+strings.TrimSuffix(text, ".txt"), func(b *testing.B) {
				tok, doc := goldenTokenizer(b, name), benchmarkText(b, text)
				tok.Count(doc)
				b.SetBytes(int64(len(doc)))
				b.ReportAllocs()
				for b.Loop() {
					tok.Count(doc)
				}
			})
		}
	}
}

// BenchmarkCold counts a document whose words were never seen.
func BenchmarkCold(b *testing.B) {
	for _, name := range goldenNames {
		b.Run(name, func(b *testing.B) {
			tok, doc := goldenTokenizer(b, name), benchmarkText(b, "en.txt")
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				tok.cache = &wordCache{}
				tok.Count(doc)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	files := unpack(b, "tokenizers.tar.xz")
	for _, name := range goldenNames {
		b.Run(name, func(b *testing.B) {
			data := files[name+"/tokenizer.json"]
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseJSON(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkAdversarial counts a megabyte that makes naive tokenizers quadratic.
func BenchmarkAdversarial(b *testing.B) {
	for _, name := range goldenNames {
		for kind, unit := range adversarial {
			b.Run(name+"/"+kind, func(b *testing.B) {
				tok, doc := goldenTokenizer(b, name), strings.Repeat(unit, 1<<20/len(unit))
				tok.Count(doc)
				b.SetBytes(int64(len(doc)))
				for b.Loop() {
					tok.Count(doc)
				}
			})
		}
	}
}

var adversarial = map[string]string{
	"a": "a", "space": " ", "word": "abcdefghijklmnopqrstuvwxyzetaoinshrdlu", "mark": "\u0301", "marks": "\u0301\u0323",
	"newline": "\n", "spaced newline": " \n", "digit": "7", "emoji": "😀", "hangul": "각", "apostrophe": "'", "upper lower": "aB",
}
