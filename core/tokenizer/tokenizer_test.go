package tokenizer

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// Count and a warm AppendEncode allocate nothing.
func TestWarmCountAllocatesNothing(t *testing.T) {
	if underRace {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	text := strings.Repeat("It is a truth universally acknowledged — naïve café, 日本語 🙂 12345.\n\t\tif (x != y) {}\n", 40)
	for _, name := range []string{
		"bpe_bytelevel", "bpe_bytelevel_prefix_roberta", "bpe_bytelevel_nfc_regex", "bpe_spm_whole_text", "bpe_spm_metaspace_first",
		"wordpiece_bert", "wordlevel", "unigram_nmt", "unigram_strip", "unigram_precompiled", "punctuation_Contiguous",
		"split_regex_MergedWithNext_False", "digits_contiguous",
	} {
		t.Run(name, func(t *testing.T) {
			tok := fixture(t, name)
			ids := tok.AppendEncode(nil, text)
			if n := testing.AllocsPerRun(20, func() { tok.Count(text) }); n != 0 {
				t.Errorf("Count allocates %v times", n)
			}
			if n := testing.AllocsPerRun(20, func() { ids = tok.AppendEncode(ids[:0], text) }); n != 0 {
				t.Errorf("AppendEncode allocates %v times", n)
			}
		})
	}
}

// Goroutines that share a tokenizer, and so its cache, agree with one that has it alone.
func TestConcurrentUse(t *testing.T) {
	for _, name := range []string{"bpe_bytelevel", "wordpiece_bert", "unigram_precompiled"} {
		shared, alone := fixture(t, name), fixture(t, name)
		var texts []string
		var want [][]uint32
		r := rand.New(rand.NewPCG(3, 4))
		for range 300 {
			texts = append(texts, randomText(r, 60))
			want = append(want, alone.AppendEncode(nil, texts[len(texts)-1]))
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range texts {
					i = (i*7 + g*31) % len(texts)
					if got := shared.AppendEncode(nil, texts[i]); !slices.Equal(got, want[i]) {
						t.Errorf("%s: %q: ids %v, want %v", name, texts[i], got, want[i])
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

// The way without offsets, which is fast, agrees with the way with offsets, which is plain.
func TestBothWaysAgree(t *testing.T) {
	for _, name := range fixtureNames(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok := fixture(t, name)
			r := rand.New(rand.NewPCG(5, 6))
			for range 500 {
				text := randomText(r, 40)
				if r.IntN(4) == 0 {
					text += strings.Repeat(randomText(r, 4), r.IntN(80))
				}
				checkEncoding(t, tok, text)
			}
		})
	}
}

// checkEncoding checks what holds for every text.
func checkEncoding(tb testing.TB, tok *Tokenizer, text string) {
	tb.Helper()
	ids := tok.AppendEncode(nil, text)
	with, spans := tok.AppendEncodeOffsets(nil, nil, text, false)
	if !slices.Equal(ids, with) {
		tb.Fatalf("%q: ids %v, with offsets %v", text, ids, with)
	}
	if n := tok.Count(text); n != len(ids) {
		tb.Fatalf("%q: count %d, but %d ids", text, n, len(ids))
	}
	if again := tok.AppendEncode(nil, text); !slices.Equal(ids, again) {
		tb.Fatalf("%q: ids %v, the second time %v", text, ids, again)
	}
	for i, s := range spans {
		if s.Start < 0 || s.Start > s.End || s.End > len(text) {
			tb.Fatalf("%q: span %d is %v", text, i, s)
		}
	}
	if s := tok.Decode(ids, false); !utf8.ValidString(s) {
		tb.Fatalf("%q: decoded to %q, which is not UTF-8", text, s)
	}
}

// A byte-level vocabulary without a normalizer gives back every text.
func TestRoundTrip(t *testing.T) {
	tok := fixture(t, "bpe_bytelevel")
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		text := randomText(r, 50)
		if got := tok.Decode(tok.AppendEncode(nil, text), false); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	}
}

// Long words take the heap and short ones do not; both merge alike.
func TestLongWordsMergeLikeShortOnes(t *testing.T) {
	m, ok := fixture(t, "bpe_bytelevel").model.(*bpe)
	if !ok {
		t.Fatal("the fixture is no BPE")
	}
	r := rand.New(rand.NewPCG(9, 10))
	var work wordWork
	for range 3000 {
		word := strings.ReplaceAll(randomText(r, 60)+"there", " ", "e")
		short := m.merges.mergeShort(m.byteSymbols(nil, word))
		long := m.merges.mergeLong(&work, nil, m.byteSymbols(nil, word))
		var a, b []uint32
		for _, s := range short {
			a = append(a, s.id)
		}
		for _, s := range long {
			b = append(b, s.id)
		}
		if !slices.Equal(a, b) {
			t.Fatalf("%q: short %v, long %v", word, a, b)
		}
	}
}

// Time grows with the text and not with its square.
func TestAdversarialTextsTakeLinearTime(t *testing.T) {
	if underRace {
		t.Skip("the race detector's own time is what would be measured; `make test` runs this without it")
	}
	for _, name := range []string{"bpe_bytelevel", "bpe_spm_whole_text", "bpe_bytelevel_nfc_regex", "wordpiece_bert", "unigram_nmt"} {
		tok := fixture(t, name)
		for kind, unit := range adversarial {
			// Quadratic time would be 1,024 times as long. Some more than 32 times is due to a
			// heap that leaves the processor's caches.
			small := strings.Repeat(unit, (16<<10)/len(unit))
			large := strings.Repeat(unit, (16<<10)/len(unit)*32)
			if a, b := leastTime(tok, small), leastTime(tok, large); b > 15*32*a+20e6 {
				t.Errorf("%s, %s: 16 kB take %v ns, 32 times as much takes %v ns", name, kind, a, b)
			}
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"valid":             {"añ日🙂", "añ日🙂"},
		"a stray byte":      {"a\xffb", "a\uFFFDb"},
		"two stray bytes":   {"\xff\xfe", "\uFFFD\uFFFD"},
		"cut short":         {"\xe6\x97", "\uFFFD"},
		"cut short by one":  {"\xf0\x9f\x99x", "\uFFFDx"},
		"overlong":          {"\xc0\x80", "\uFFFD\uFFFD"},
		"overlong of three": {"\xe0\x80\x80", "\uFFFD\uFFFD\uFFFD"},
		"a surrogate":       {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		"beyond Unicode":    {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
		"begun anew":        {"\xe6\xe6\x97\xa5", "\uFFFD日"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := sanitize(c.in, nil); got != c.want {
				t.Errorf("%q became %q, want %q", c.in, got, c.want)
			}
			tok := fixture(t, "bpe_bytelevel")
			if got, want := tok.AppendEncode(nil, c.in), tok.AppendEncode(nil, c.want); !slices.Equal(got, want) {
				t.Errorf("ids %v, want %v", got, want)
			}
		})
	}
}

func TestLookups(t *testing.T) {
	tok := fixture(t, "bpe_bytelevel_prefix_roberta")
	id, ok := tok.TokenToID("<mask>")
	if token, known := tok.IDToToken(id); !ok || !known || token != "<mask>" {
		t.Errorf("<mask> is %d, which is %q", id, token)
	}
	if _, ok := tok.TokenToID("no such token"); ok {
		t.Error("an unknown token has an id")
	}
	for _, id := range []uint32{uint32(tok.VocabSize()), 1 << 31, noID} {
		if token, ok := tok.IDToToken(id); ok {
			t.Errorf("id %d has the token %q", id, token)
		}
	}
	if got := tok.Decode([]uint32{noID, 1 << 30}, false); got != "" {
		t.Errorf("unknown ids decode to %q", got)
	}
	var special int
	for _, a := range tok.AddedTokens() {
		if a.Special {
			special++
		}
	}
	if special != 3 {
		t.Errorf("%d special tokens, want 3", special)
	}
}

// The cache gives words back as they went in, also when sets overflow.
func TestWordCache(t *testing.T) {
	c := &wordCache{}
	r := rand.New(rand.NewPCG(11, 12))
	words := map[string][]uint32{}
	for range 200_000 {
		w := make([]byte, 1+r.IntN(40))
		for i := range w {
			w[i] = "ab\x00\xff"[r.IntN(4)]
		}
		ids := make([]uint32, r.IntN(8))
		for i := range ids {
			ids[i] = r.Uint32()
		}
		word := string(w)
		if old, ok := words[word]; ok {
			ids = old
		}
		words[word] = ids
		key := keyOf(word)
		if e := c.find(word, key, key.hash()); e != nil {
			if got := e.appendTo(nil); !slices.Equal(got, ids) {
				t.Fatalf("%q: ids %v, want %v", word, got, ids)
			}
			continue
		}
		c.add(word, key, key.hash(), ids)
	}
}

func TestFixtureFilesAreSmall(t *testing.T) {
	err := filepath.WalkDir("testdata", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if info, err := entry.Info(); err == nil && info.Size() > 200<<10 {
			t.Errorf("%s has %d bytes", path, info.Size())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
