package tokenizer

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/ulikunitz/xz"
)

// goldenNames are the public tokenizers of the golden folder.
var goldenNames = []string{"bert", "deepseek_v3", "gemma3", "gpt2", "gpt4o", "gptoss", "llama2", "llama3", "qwen3", "t5"}

// goldenFolder returns the folder of golden data that may not be committed: the vocabularies
// carry licences of their own. Without it the test is skipped, and fails under CI.
func goldenFolder(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("GENAI_BENCH_GOLDEN")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "golden")
	}
	folder = filepath.Join(folder, "tokenizer")
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
		}
		tb.Skipf("SKIPPED, NOTHING WAS CHECKED: golden data missing: %v (set GENAI_BENCH_GOLDEN)", err)
	}
	return folder
}

// unpacked holds the archives that tests have unpacked into memory, by name of archive.
var unpacked struct {
	sync.Mutex
	files map[string]map[string][]byte
}

// unpack returns the files of a .tar.xz of the golden folder.
func unpack(tb testing.TB, archive string) map[string][]byte {
	tb.Helper()
	path := filepath.Join(goldenFolder(tb), archive)
	unpacked.Lock()
	defer unpacked.Unlock()
	if files, ok := unpacked.files[archive]; ok {
		return files
	}
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	x, err := xz.NewReader(bufio.NewReader(f))
	if err != nil {
		tb.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(x); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		files[filepath.Clean(h.Name)] = data
	}
	if unpacked.files == nil {
		unpacked.files = map[string]map[string][]byte{}
	}
	unpacked.files[archive] = files
	return files
}

// goldenTokenizer loads one of goldenNames.
func goldenTokenizer(tb testing.TB, name string) *Tokenizer {
	tb.Helper()
	data, ok := unpack(tb, "tokenizers.tar.xz")[name+"/tokenizer.json"]
	if !ok {
		tb.Fatalf("tokenizers.tar.xz has no %s", name)
	}
	t, err := parseJSON(data)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// readJSONL reads the lines of a golden file into the type of line.
func readJSONL[T any](tb testing.TB, name string) []T {
	tb.Helper()
	f, err := os.Open(filepath.Join(goldenFolder(tb), name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	var lines []T
	for d := json.NewDecoder(z); ; {
		var line T
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		tb.Fatalf("%s is empty", name)
	}
	return lines
}

// corpusLine is a string of the corpus: its bytes, which need not be UTF-8.
type corpusLine struct {
	ID  int    `json:"id"`
	Raw string `json:"raw_b64"`
}

func readCorpus(tb testing.TB) map[int]string {
	tb.Helper()
	texts := map[int]string{}
	for _, line := range readJSONL[corpusLine](tb, "corpus.jsonl.gz") {
		raw, err := base64.StdEncoding.DecodeString(line.Raw)
		if err != nil {
			tb.Fatal(err)
		}
		texts[line.ID] = string(raw)
	}
	return texts
}

// answer is what Hugging Face's library answers for a string.
type answer struct {
	ID          int      `json:"id"`
	IDs         []uint32 `json:"ids"`
	IDsSpecial  []uint32 `json:"ids_sp"`
	Decoded     string   `json:"dec"`
	DecodedSkip string   `json:"dec_skip"`
	Offsets     [][2]int `json:"off"`
}

// characterSpans turns byte spans into the reference's, which count characters of the text in
// which invalid UTF-8 was replaced.
func characterSpans(text string, spans []Span) [][2]int {
	at := make([]int, len(text)+1)
	chars := 0
	for i := 0; i < len(text); {
		n, _ := validPrefix(text[i:])
		for j := i; j < i+n; j++ {
			at[j] = chars
		}
		i += n
		chars++
		at[i] = chars
	}
	out := make([][2]int, len(spans))
	for i, s := range spans {
		out[i] = [2]int{at[s.Start], at[s.End]}
	}
	return out
}

func TestGoldenTokenizers(t *testing.T) {
	texts := readCorpus(t)
	for _, name := range goldenNames {
		t.Run(name, func(t *testing.T) {
			tok := goldenTokenizer(t, name)
			for _, want := range readJSONL[answer](t, name+".jsonl.gz") {
				text, ok := texts[want.ID]
				if !ok {
					t.Fatalf("the corpus has no string %d", want.ID)
				}
				if got := tok.AppendEncode(nil, text); !slices.Equal(got, want.IDs) {
					t.Errorf("string %d %.60q: ids\n got %v\nwant %v", want.ID, text, got, want.IDs)
				}
				if got := tok.Count(text); got != len(want.IDs) {
					t.Errorf("string %d: count %d, want %d", want.ID, got, len(want.IDs))
				}
				if got := tok.AppendEncodeSpecial(nil, text); !slices.Equal(got, want.IDsSpecial) {
					t.Errorf("string %d %.60q: ids with special tokens\n got %v\nwant %v", want.ID, text, got, want.IDsSpecial)
				}
				if got := tok.Decode(want.IDs, false); got != want.Decoded {
					t.Errorf("string %d: decoded\n got %q\nwant %q", want.ID, got, want.Decoded)
				}
				if got := tok.Decode(want.IDs, true); got != want.DecodedSkip {
					t.Errorf("string %d: decoded without special tokens\n got %q\nwant %q", want.ID, got, want.DecodedSkip)
				}
				ids, spans := tok.AppendEncodeOffsets(nil, nil, text, false)
				if !slices.Equal(ids, want.IDs) {
					t.Errorf("string %d %.60q: ids with offsets\n got %v\nwant %v", want.ID, text, ids, want.IDs)
				} else if got := characterSpans(text, spans); want.Offsets != nil && !slices.Equal(got, want.Offsets) {
					t.Errorf("string %d %.60q: offsets\n got %v\nwant %v", want.ID, text, got, want.Offsets)
				}
			}
		})
	}
}
