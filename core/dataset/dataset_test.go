package dataset_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	sum := sha256.Sum256([]byte(strings.Join(got, "\n") + "\n"))
	const want = "f03d8db9d5b54e0e4ef5b7502cb946108343e570ce2ffdec7e8a1bd82b6507e0"
	if hex.EncodeToString(sum[:]) != want {
		t.Errorf("the text has changed (SHA-256 %x): every workload made of it changes with it", sum)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file, content string
		want          []string
		err           string // "" for none
	}{
		"lines":              {file: "a.txt", content: "one\ntwo\n", want: []string{"one", "two"}},
		"no end of line":     {file: "a.txt", content: "one\ntwo", want: []string{"one", "two"}},
		"suffix in capitals": {file: "A.TXT", content: "one", want: []string{"one"}},
		"white space":        {file: "a.txt", content: "  one \t\n \n\n\u00a0two\r\nthree\rfour\r\r\n", want: []string{"one", "two", "three", "four"}},
		"byte order mark":    {file: "a.txt", content: "\xef\xbb\xbfone\n", want: []string{"one"}},
		"not only ASCII":     {file: "a.txt", content: "日本語\nça\n", want: []string{"日本語", "ça"}},
		"empty":              {file: "a.txt", content: "", err: "has no text in it"},
		"blank":              {file: "a.txt", content: "\n \n\t\n", err: "has no text in it"},
		"not UTF-8":          {file: "a.txt", content: "one\n\ntw\xff\n", err: "line 3 is not UTF-8"},
		"UTF-16":             {file: "a.txt", content: "\xff\xfeo\x00n\x00", err: "is UTF-16 (convert it"},
		"binary":             {file: "a.txt", content: "a\nb\x00c", err: "line 2 holds a NUL byte"},
		"another format":     {file: "a.xyz", content: "x", err: `format ".xyz" is not known (give the path of a .txt file`},
		"no suffix":          {file: "a", content: "x", err: `format "" is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+"-"+c.file)
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			texts, err := dataset.Load(path)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want one line with the path and %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, entries(t, texts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if texts.Name() != path {
				t.Errorf("name %q, want the path", texts.Name())
			}
		})
	}
}

func TestLoadWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none.txt"): "no such file (give the path of a .txt file (text, a line an entry))",
		dir:                            "is a folder",
	} {
		if _, err := dataset.Load(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
	for _, path := range []string{"", "default"} {
		if texts, err := dataset.Load(path); err != nil || texts.Name() != dataset.BuiltInName {
			t.Errorf("%q: %v, %v, want the built-in text", path, texts, err)
		}
	}
}

func FuzzLoadText(f *testing.F) {
	f.Add([]byte("one\r\ntwo\rthree"))
	f.Add([]byte("\xff\xfea"))
	path := filepath.Join(f.TempDir(), "f.txt")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		texts, err := dataset.LoadText(path)
		if err != nil {
			return
		}
		for _, line := range entries(t, texts) {
			if strings.TrimSpace(line) != line || line == "" || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%q gives the entry %q", content, line)
			}
		}
	})
}
