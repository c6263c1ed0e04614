package demo_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/genai-bench/genai-bench/core/tokenizer"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
)

func TestDemoTokenizer(t *testing.T) {
	tok, err := demo.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.VocabSize(); got != 8192 {
		t.Errorf("vocabulary of %d tokens, want 8192", got)
	}
	text := "Shall I compare thee to a summer's day?\n<|end|>日本語 \xff"
	ids := tok.AppendEncode(nil, text)
	if got, want := tok.Decode(ids, false), "Shall I compare thee to a summer's day?\n<|end|>日本語 \uFFFD"; got != want {
		t.Errorf("decoded %q, want %q", got, want)
	}
	end, ok := tok.TokenToID("<|end|>")
	if !ok || !slices.Contains(ids, end) {
		t.Errorf("ids %v lack the token <|end|> (%d, known: %t)", ids, end, ok)
	}
}

func TestWriteToServesPrograms(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	if err := demo.WriteTo(folder); err != nil {
		t.Fatal(err)
	}
	fromFolder, err := tokenizer.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := demo.Load()
	if err != nil {
		t.Fatal(err)
	}
	const text = "When in disgrace with fortune and men's eyes"
	if a, b := fromFolder.AppendEncode(nil, text), embedded.AppendEncode(nil, text); !slices.Equal(a, b) {
		t.Errorf("written files give %v, embedded ones %v", a, b)
	}
	if _, err := os.Stat(filepath.Join(folder, "tokenizer_config.json")); err != nil {
		t.Error(err)
	}
}
