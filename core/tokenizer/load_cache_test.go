package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A tokenizer from the cache answers like one from the file; a damaged entry is made anew and
// another file finds no entry.
func TestCache(t *testing.T) {
	const text = "The quick brown fox, 12345 привет 日本語"
	names := []string{"gptoss", "gemma3", "llama3"}
	if underRace {
		names = names[2:] // the others take a minute; `make test` runs them without the detector
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			data := unpack(t, "tokenizers.tar.xz")[name+"/tokenizer.json"]
			folder := t.TempDir()
			fresh, err := parseJSON(data)
			if err != nil {
				t.Fatal(err)
			}
			want := fresh.AppendEncodeSpecial(nil, text)
			check := func(when string) {
				t.Helper()
				tok, err := cachedJSON(data, folder)
				if err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				if got := tok.AppendEncodeSpecial(nil, text); !slices.Equal(got, want) {
					t.Errorf("%s: ids %v, want %v", when, got, want)
				}
				if got := tok.Decode(want, true); got != fresh.Decode(want, true) {
					t.Errorf("%s: decoded %q", when, got)
				}
				if got, want := tok.VocabSize(), fresh.VocabSize(); got != want {
					t.Errorf("%s: %d tokens, want %d", when, got, want)
				}
				if (tok.fast.neighbours == nil) != (fresh.fast.neighbours == nil) {
					t.Errorf("%s: words are cut differently", when)
				}
			}
			check("without an entry")
			entries, err := filepath.Glob(filepath.Join(folder, "*"))
			if err != nil || len(entries) != 1 {
				t.Fatalf("entries %v (%v), want one", entries, err)
			}
			check("with the entry")
			good, err := os.ReadFile(entries[0])
			if err != nil {
				t.Fatal(err)
			}
			for kind, bad := range map[string][]byte{
				"cut short": good[:len(good)/2], "a bit changed": flip(good, len(good)/3), "empty": {}, "other": []byte("other"),
			} {
				if err := os.WriteFile(entries[0], bad, 0o600); err != nil {
					t.Fatal(err)
				}
				check(kind)
				if now, err := os.ReadFile(entries[0]); err != nil || !slices.Equal(now, good) {
					t.Errorf("%s: the entry was not made anew (%v)", kind, err)
				}
			}
			changed := []byte(strings.Replace(string(data), `"content"`, ` "content"`, 1))
			if _, err := cachedJSON(changed, folder); err != nil {
				t.Fatal(err)
			}
			if entries, _ := filepath.Glob(filepath.Join(folder, "*")); len(entries) != 2 {
				t.Errorf("a changed file made %d entries, want 2", len(entries))
			}
		})
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// A folder that cannot be written costs the cache and nothing else.
func TestCacheUnwritable(t *testing.T) {
	data := unpack(t, "tokenizers.tar.xz")["llama3/tokenizer.json"]
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cachedJSON(data, filepath.Join(file, "folder")); err != nil {
		t.Error(err)
	}
}

func BenchmarkLoadCached(b *testing.B) {
	files := unpack(b, "tokenizers.tar.xz")
	for _, name := range goldenNames {
		data := files[name+"/tokenizer.json"]
		if len(data) < cacheFrom {
			continue
		}
		b.Run(name, func(b *testing.B) {
			folder := b.TempDir()
			b.ReportAllocs()
			if _, err := cachedJSON(data, folder); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := cachedJSON(data, folder); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
