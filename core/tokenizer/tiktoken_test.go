package tokenizer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestGoldenOpenAI(t *testing.T) {
	texts := readCorpus(t)
	for _, name := range []string{"r50k_base", "p50k_base", "cl100k_base", "o200k_base"} {
		t.Run(name, func(t *testing.T) {
			tok, err := OpenAI(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range readJSONL[answer](t, "tiktoken_"+name+".jsonl.gz") {
				text, ok := texts[want.ID]
				if !ok {
					t.Fatalf("the corpus has no string %d", want.ID)
				}
				if got := tok.AppendEncode(nil, text); !slices.Equal(got, want.IDs) {
					t.Errorf("string %d %.60q: ids\n got %v\nwant %v", want.ID, text, got, want.IDs)
				}
				if got := tok.Decode(want.IDs, false); got != want.Decoded {
					t.Errorf("string %d: decoded\n got %q\nwant %q", want.ID, got, want.Decoded)
				}
				ids, _ := tok.AppendEncodeOffsets(nil, nil, text, true)
				if !slices.Equal(ids, want.IDs) {
					t.Errorf("string %d %.60q: ids with offsets\n got %v\nwant %v", want.ID, text, ids, want.IDs)
				}
			}
		})
	}
}

func TestOpenAINames(t *testing.T) {
	for name, end := range map[string]uint32{
		"gpt2": 50256, "gpt-4": 100257, "gpt-4o-2024-08-06": 199999, "gpt-oss-120b": 199999, "code-davinci-edit-001": 50256,
		"o200k_harmony": 199999,
	} {
		tok, err := OpenAI(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if id, ok := tok.TokenToID("<|endoftext|>"); !ok || id != end {
			t.Errorf("%s: <|endoftext|> is %d (known: %t), want %d", name, id, ok, end)
		}
		if got := tok.Decode([]uint32{end}, false); got != "<|endoftext|>" {
			t.Errorf("%s: the end of text decodes to %q", name, got)
		}
		if ids := tok.AppendEncode(nil, "<|endoftext|>"); slices.Contains(ids, end) {
			t.Errorf("%s: text that reads like a special token became one: %v", name, ids)
		}
	}
	if _, err := OpenAI("llama"); err == nil || !strings.Contains(err.Error(), "cl100k_base") {
		t.Errorf("unknown name: error %v, want one that lists the encodings", err)
	}
}

func TestTiktokenFile(t *testing.T) {
	const ranks = "YQ== 0\nYg== 1\nYWI= 2\nIA== 3\nIGFi 4\n"
	for name, c := range map[string]struct {
		file, data string
		options    []Option
		ids        []uint32
		wantErr    string
	}{
		"with a pattern":       {"own.tiktoken", ranks, []Option{SplitPattern(` ?\p{L}+`)}, []uint32{2, 4, 4}, ""},
		"as tokenizer.model":   {"tokenizer.model", ranks, []Option{SplitPattern(` ?\p{L}+`)}, []uint32{2, 4, 4}, ""},
		"without a pattern":    {"own.tiktoken", ranks, nil, nil, "neither the file's name nor its 5 tokens tell the split pattern (name it with SplitPattern)"},
		"a bad pattern":        {"own.tiktoken", ranks, []Option{SplitPattern(`(`)}, nil, "a group is not closed"},
		"bad base64":           {"own.tiktoken", "YQ== 0\n*** 1\n", nil, nil, "line 2: the token: illegal base64"},
		"a bad rank":           {"own.tiktoken", "YQ== 0\nYg== x\n", nil, nil, `line 2: the rank "x" is not a whole number`},
		"no rank":              {"own.tiktoken", "YQ==\n", nil, nil, "line 1: should be a token in base64"},
		"a token twice":        {"own.tiktoken", "YQ== 0\nYQ== 1\n", nil, nil, `line 2: the token "a" stands there twice`},
		"a rank out of bounds": {"own.tiktoken", "YQ== 4000000000\n", nil, nil, "line 1: id 4000000000 of token"},
		"nothing":              {"own.tiktoken", "\n\n", nil, nil, "there are no tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
				t.Fatal(err)
			}
			tok, err := Load(path, c.options...)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) || !strings.Contains(err.Error(), path) {
					t.Fatalf("error %v, want one with %q and the path", err, c.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tok.AppendEncode(nil, "ab ab ab"); !slices.Equal(got, c.ids) {
				t.Errorf("ids %v, want %v", got, c.ids)
			}
		})
	}
}
