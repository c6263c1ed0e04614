package prompt_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/tokenizer"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
)

// publicTokenizers unpacks the public tokenizers of the golden folder, whose
// vocabularies carry licences of their own and are not committed, and loads
// them. Without the folder the test is skipped, and fails under CI.
func publicTokenizers(t testing.TB, names ...string) map[string]*tokenizer.Tokenizer {
	t.Helper()
	folder := os.Getenv("GENAI_BENCH_GOLDEN")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "golden")
	}
	archive := filepath.Join(folder, "tokenizer", "tokenizers.tar.xz")
	if _, err := os.Stat(archive); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
		}
		t.Skipf("SKIPPED, NOTHING WAS CHECKED: golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
	}
	loaded := make(map[string]*tokenizer.Tokenizer)
	for r := tar.NewReader(unpack(t, archive)); len(names) == 0 || len(loaded) < len(names); {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Dir(filepath.Clean(h.Name))
		if filepath.Base(h.Name) != "tokenizer.json" || len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		file, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(file, r); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if loaded[name], err = tokenizer.Load(path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if len(loaded) == 0 || len(names) > 0 && len(loaded) < len(names) {
		t.Fatalf("the archive has %d of the tokenizers", len(loaded))
	}
	return loaded
}

// countingOnce tells how often a prompt had to be counted.
type countingOnce struct {
	prompt.Tokenizer
	mu     sync.Mutex
	counts int
}

func (c *countingOnce) Count(text string) int {
	c.mu.Lock()
	c.counts++
	c.mu.Unlock()
	return c.Tokenizer.Count(text)
}

func TestPromptsAreExactForTheDemoTokenizer(t *testing.T) {
	own, err := demo.Load()
	if err != nil {
		t.Fatal(err)
	}
	checkExact(t, own)
}

func TestPromptsAreExactForPublicTokenizers(t *testing.T) {
	for name, public := range publicTokenizers(t) {
		t.Run(name, func(t *testing.T) { checkExact(t, public) })
	}
}

// unpack decompresses a file: by the xz program where there is one, because the
// Go package takes most of a minute under the race detector.
func unpack(t testing.TB, archive string) io.Reader {
	t.Helper()
	if program, err := exec.LookPath("xz"); err == nil {
		unpacked, err := exec.CommandContext(t.Context(), program, "-dc", archive).Output()
		if err != nil {
			t.Fatal(err)
		}
		return bytes.NewReader(unpacked)
	}
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	unpacked, err := xz.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	return unpacked
}

// checkExact counts prompts of many sizes, and prompts behind a prefix.
func checkExact(t *testing.T, public *tokenizer.Tokenizer) {
	t.Helper()
	watched := &countingOnce{Tokenizer: public}
	corpus := mustCorpus(t, watched, dataset.BuiltIn())
	watched.counts = 0
	requests := 0
	for _, size := range []int{1, 2, 3, 5, 20, 100, 480, 2000, 7800} {
		source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, fmt.Sprintf("D(%d,9)", size)), Seed: 1})
		for i := range uint64(max(5, min(50, 50_000/size))) {
			item := mustRequest(t, source, i)
			requests++
			if got := public.Count(promptOf(item)); got != size || item.InputTokens != size {
				t.Fatalf("D(%d,9), request %d: %d tokens, recorded %d: %q", size, i, got, item.InputTokens, promptOf(item))
			}
		}
	}
	if perPrompt := float64(watched.counts) / float64(requests); perPrompt > 1.1 {
		t.Errorf("a prompt is counted %.2f times: lines are not additive, or their counts are wrong", perPrompt)
	}
	source := mustSource(t, corpus, prompt.Config{Scenario: mustScenario(t, "D(300,9)"), Prefix: prompt.Prefix{Tokens: 200}, Seed: 1})
	first := public.AppendEncode(nil, promptOf(mustRequest(t, source, 0)))
	for i := range uint64(20) {
		ids := public.AppendEncode(nil, promptOf(mustRequest(t, source, i+1)))
		if len(ids) != 300 || !slices.Equal(ids[:200], first[:200]) || ids[200] == first[200] {
			t.Fatalf("request %d: %d tokens, prefix shared: %v, then apart: %v",
				i+1, len(ids), slices.Equal(ids[:200], first[:200]), ids[200] != first[200])
		}
	}
}

func BenchmarkPublicTokenizer(b *testing.B) {
	for name, public := range publicTokenizers(b, "llama3", "qwen3", "t5") {
		corpus := mustCorpus(b, public, dataset.BuiltIn())
		for _, n := range []int{100, 2000, 7800} {
			source := mustSource(b, corpus, prompt.Config{Scenario: mustScenario(b, fmt.Sprintf("D(%d,100)", n)), Seed: 1})
			b.Run(fmt.Sprintf("%s/D(%d)", name, n), func(b *testing.B) {
				b.ReportAllocs()
				var i uint64
				for b.Loop() {
					mustRequest(b, source, i)
					i++
				}
				b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "prompts/s")
			})
		}
		b.Run(name+"/NewCorpus", func(b *testing.B) {
			for b.Loop() {
				mustCorpus(b, public, dataset.BuiltIn())
			}
		})
	}
}

// How fast requests can be taken when they are made ahead by two workers.
func BenchmarkAhead(b *testing.B) {
	for _, public := range publicTokenizers(b, "llama3") {
		source := mustSource(b, mustCorpus(b, public, dataset.BuiltIn()), prompt.Config{Scenario: mustScenario(b, "D(2000,200)"), Seed: 1})
		ahead := prompt.NewAhead(source, prompt.AheadOptions{})
		defer ahead.Close()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ahead.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		b.ReportMetric(float64(ahead.Stats().PeakBytes)/1e6, "MB-held")
	}
}
