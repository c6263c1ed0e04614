package tokenizer

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/splitregex"
)

// Nothing may panic or hang, whatever the bytes.

func FuzzEncode(f *testing.F) {
	var all []*Tokenizer
	for _, name := range fixtureNames(f) {
		all = append(all, fixture(f, name))
	}
	for i, text := range plainTexts {
		f.Add(uint8(i), []byte(text))
	}
	f.Add(uint8(9), []byte("\xe6\x97<s>▁▁ a\u0301\u0323"))
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		if len(text) > 4096 {
			t.Skip()
		}
		checkEncoding(t, all[int(which)%len(all)], string(text))
	})
}

func FuzzDecode(f *testing.F) {
	var all []*Tokenizer
	for _, name := range fixtureNames(f) {
		all = append(all, fixture(f, name))
	}
	f.Add(uint8(0), []byte{1, 2, 3, 0, 255, 255})
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		tok := all[int(which)%len(all)]
		var ids []uint32
		for i := 0; i+1 < len(data); i += 2 {
			ids = append(ids, (uint32(data[i])|uint32(data[i+1])<<8)%uint32(tok.VocabSize()+3))
		}
		for _, skip := range []bool{false, true} {
			if s := tok.Decode(ids, skip); !utf8.ValidString(s) {
				t.Fatalf("ids %v decode to %q, which is not UTF-8", ids, s)
			}
		}
	})
}

// tryLoaded uses a tokenizer that came out of damaged data.
func tryLoaded(t *testing.T, tok *Tokenizer, err error) {
	t.Helper()
	if err != nil {
		if err.Error() == "" {
			t.Fatal("an error without words")
		}
		return
	}
	for _, text := range append(plainTexts, "<s> ▁a\u0301 x") {
		ids := tok.AppendEncodeSpecial(nil, text)
		tok.AppendEncodeOffsets(nil, nil, text, true)
		tok.Decode(ids, true)
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	for _, name := range fixtureNames(f) {
		data, err := os.ReadFile(filepath.Join("testdata", "fixtures", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint32(len(data)/2), byte('"'), uint16(0))
		f.Add(data, uint32(40), byte('9'), uint16(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint32, b byte, cut uint16) {
		if len(data) == 0 || len(data) > 64<<10 {
			t.Skip()
		}
		data = append([]byte(nil), data...)
		data[int(at)%len(data)] = b
		data = data[:len(data)-min(int(cut), len(data))]
		tok, err := parseJSON(data)
		tryLoaded(t, tok, err)
	})
}

func FuzzSentencePieceModel(f *testing.F) {
	for _, name := range []string{"spm_bpe", "spm_bpe_user", "spm_unigram"} {
		data, err := os.ReadFile(filepath.Join("testdata", "fixtures", name+".model"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := parseSentencePiece(data, sideFiles{doc: &document{}})
		tryLoaded(t, tok, err)
	})
}

func FuzzTiktoken(f *testing.F) {
	f.Add([]byte("YQ== 0\nYg== 1\nYWI= 2\n"), `\p{L}+`)
	f.Add([]byte("YQ== 4294967295\r\n\n"), "")
	f.Fuzz(func(t *testing.T, data []byte, pattern string) {
		tok, err := parseTiktoken(data, "x.tiktoken", pattern)
		tryLoaded(t, tok, err)
	})
}

func FuzzVocabTxt(f *testing.F) {
	f.Add([]byte("[UNK]\n[CLS]\n[SEP]\na\n##b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := parseVocabTxt(data, sideFiles{doc: &document{}})
		tryLoaded(t, tok, err)
	})
}

func FuzzCacheEntry(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("testdata", "fixtures", "bpe_spm_whole_text.json"))
	if err != nil {
		f.Fatal(err)
	}
	_, m, err := parseDocument(data, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encodeEntry(data, m))
	f.Fuzz(func(t *testing.T, entry []byte) {
		if rest, tables, err := decodeEntry(entry); err == nil {
			tok, _, err := parseDocument(rest, tables)
			tryLoaded(t, tok, err)
		}
	})
}

func FuzzSplitPattern(f *testing.F) {
	for _, pattern := range scanned {
		f.Add(pattern, "It's 12345 naïve\n\n  日本語")
	}
	f.Add(`(?<=a|bc)(?:x?)*+|[[:alpha:]&&[^\p{Lu}]]{2,}?\b`, "abcx")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !utf8.ValidString(text) || len(text) > 256 {
			t.Skip()
		}
		re, err := splitregex.Compile(pattern)
		if err != nil {
			return
		}
		split := &patternSplit{pattern: &replacer{regex: re}, behavior: isolated}
		joined := ""
		for _, c := range split.cut(nil, text) {
			joined += text[c.lo:c.hi]
		}
		if joined != text {
			t.Fatalf("%q with %q: the pieces make %q", text, pattern, joined)
		}
	})
}
