package dataset_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/core/dataset"
)

func entries(t *testing.T, texts dataset.Texts) []string {
	t.Helper()
	var got []string
	for text, err := range dataset.All(texts) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	if len(got) != texts.Len() {
		t.Errorf("%d entries walked, Len is %d", len(got), texts.Len())
	}
	return got
}

func TestBuiltInImagePromptsAreAllDifferent(t *testing.T) {
	seen := map[string]bool{}
	for text, err := range dataset.All(dataset.BuiltInImagePrompts()) {
		if err != nil || seen[text] || len(text) < 20 || len(text) > 120 {
			t.Fatalf("%q, seen before: %t, %v", text, seen[text], err)
		}
		seen[text] = true
	}
	if len(seen) != 4608 {
		t.Errorf("%d prompts", len(seen))
	}
}

func TestBuiltIn(t *testing.T) {
	texts := dataset.BuiltIn()
	got := entries(t, texts)
	if len(got) != 7627 {
		t.Errorf("%d lines", len(got))
	}
	seen := make(map[string]bool)
	for i, line := range got {
		if strings.TrimSpace(line) != line || len(line) < 30 || len(line) > 200 || seen[line] {
			t.Errorf("line %d is too short or long, has white space around it, or stands there twice: %q", i+1, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("line %d is not plain ASCII: %q", i+1, line)
		}
		seen[line] = true
	}
	content := strings.Join(got, "\n") + "\n"
	sum := sha256.Sum256([]byte(content))
	const want = "f03d8db9d5b54e0e4ef5b7502cb946108343e570ce2ffdec7e8a1bd82b6507e0"
	if hex.EncodeToString(sum[:]) != want {
		t.Errorf("the text has changed (SHA-256 %x): every workload made of it changes with it", sum)
	}
	if name, size, hex := dataset.BuiltInFile(); name == "" || size != int64(len(content)) || hex != want {
		t.Errorf("as a file it is %s, %d bytes, %s", name, size, hex)
	}
}
