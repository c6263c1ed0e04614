package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// modelOf reads the model of a fixture.
func modelOf(t *testing.T, name string) (vocab map[string]int, merges [][2]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Model struct {
			Vocab  map[string]int `json:"vocab"`
			Merges [][2]string    `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Model.Vocab, doc.Model.Merges
}

var plainTexts = []string{
	"", "Hello, world!", "  It's a truth\nuniversally acknowledged ", "naïve café 日本語", "12345 x<y", "[CLS] [MASK]", "\xff\xfe",
}

// The older files hold the same vocabularies and answer the same.
func TestVocabTxt(t *testing.T) {
	vocab, _ := modelOf(t, "wordpiece_bert")
	lines := make([]string, len(vocab))
	for token, id := range vocab {
		lines[id] = token
	}
	tok, err := Load(writeFiles(t, map[string]string{"vocab.txt": strings.Join(lines, "\r\n") + "\n"}))
	if err != nil {
		t.Fatal(err)
	}
	want := fixture(t, "wordpiece_bert")
	for _, text := range plainTexts[:5] {
		if got, want := tok.AppendEncodeSpecial(nil, text), want.AppendEncodeSpecial(nil, text); !slices.Equal(got, want) {
			t.Errorf("%q: ids %v, want %v", text, got, want)
		}
	}
	if ids := tok.AppendEncode(nil, "[CLS]"); len(ids) != 1 || ids[0] != 1 {
		t.Errorf("[CLS] in a text gives %v, want its id 1", ids)
	}
	cased, err := Load(writeFiles(t, map[string]string{
		"vocab.txt":             strings.Join(lines, "\n"),
		"tokenizer_config.json": `{"do_lower_case": false, "added_tokens_decoder": {"900": {"content": "<new>", "special": true}}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := cased.AppendEncode(nil, "THE"), tok.AppendEncode(nil, "THE"); slices.Equal(a, b) {
		t.Errorf("do_lower_case false changes nothing: %v", a)
	}
	if ids := cased.AppendEncode(nil, "<new>"); !slices.Equal(ids, []uint32{900}) {
		t.Errorf("an added token gives %v, want 900", ids)
	}
}

func TestVocabJSON(t *testing.T) {
	vocab, merges := modelOf(t, "bpe_bytelevel")
	data, err := json.Marshal(vocab)
	if err != nil {
		t.Fatal(err)
	}
	text := "#version: 0.2\n"
	for _, m := range merges {
		text += m[0] + " " + m[1] + "\n"
	}
	files := map[string]string{"vocab.json": string(data), "merges.txt": text}
	tok, err := Load(writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	want := fixture(t, "bpe_bytelevel")
	for _, text := range plainTexts {
		if got, want := tok.AppendEncode(nil, text), want.AppendEncode(nil, text); !slices.Equal(got, want) {
			t.Errorf("%q: ids %v, want %v", text, got, want)
		}
	}
	files["tokenizer_config.json"] = `{"tokenizer_class": "RobertaTokenizerFast"}`
	roberta, err := Load(writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if ids := roberta.AppendEncodeSpecial(nil, "a"); len(ids) != 3 || ids[0] != idOf(vocab, "<s>") || ids[2] != idOf(vocab, "</s>") {
		t.Errorf("RoBERTa's special tokens are missing: %v", ids)
	}
	files["tokenizer_config.json"] = `{"tokenizer_class": "Qwen2Tokenizer"}`
	qwen, err := Load(writeFiles(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := qwen.AppendEncode(nil, "e\u0301"), tok.AppendEncode(nil, "\u00e9"); !slices.Equal(a, b) {
		t.Errorf("Qwen composes characters: ids %v, want %v", a, b)
	}
}

func idOf(vocab map[string]int, token string) uint32 { return uint32(vocab[token]) }

// tokenizer.model answers as SentencePiece itself does.
func TestSentencePiece(t *testing.T) {
	answers := fixtureAnswers(t)
	for _, name := range []string{"spm_bpe", "spm_bpe_user", "spm_unigram", "spm_unigram_bytes"} {
		t.Run(name, func(t *testing.T) {
			tok, err := Load(filepath.Join("testdata", "fixtures", name+".model"))
			if err != nil {
				t.Fatal(err)
			}
			if len(answers[name]) == 0 {
				t.Fatal("there are no answers for the model")
			}
			for _, want := range answers[name] {
				if got := tok.AppendEncode(nil, want.Text); !slices.Equal(got, want.IDs) {
					t.Errorf("%.60q: ids\n got %v\nwant %v", want.Text, got, want.IDs)
				}
				if ids, _ := tok.AppendEncodeOffsets(nil, nil, want.Text, false); !slices.Equal(ids, want.IDs) {
					t.Errorf("%.60q: ids with offsets\n got %v\nwant %v", want.Text, ids, want.IDs)
				}
			}
			// Llama's family begins a text with <s>, T5's ends it with </s>.
			ids := tok.AppendEncodeSpecial(nil, "a")
			if strings.Contains(name, "bpe") && ids[0] != 1 || strings.Contains(name, "unigram") && ids[len(ids)-1] != 2 {
				t.Errorf("ids with special tokens %v", ids)
			}
		})
	}
}

func TestLoadChooses(t *testing.T) {
	for name, c := range map[string]struct {
		files   []string
		wantErr string
	}{
		"an empty folder":      {nil, "holds no tokenizer (none of tokenizer.json, tokenizer.model, vocab.txt, vocab.json, *.tiktoken)"},
		"two rank files":       {[]string{"a.tiktoken", "b.tiktoken"}, "holds several .tiktoken files (name one of them)"},
		"vocabulary alone":     {[]string{"vocab.json"}, "merges.txt should stand beside it"},
		"another kind of file": {[]string{"tokenizer.model"}, "not a SentencePiece model"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, f := range c.files {
				files[f] = "{}"
			}
			folder := writeFiles(t, files)
			_, err := Load(folder)
			if err == nil || !strings.Contains(err.Error(), c.wantErr) || !strings.Contains(err.Error(), folder) {
				t.Errorf("error %v, want one with %q and the folder", err, c.wantErr)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing file: error %v", err)
	}
	if _, err := Load(filepath.Join(writeFiles(t, map[string]string{"weights.bin": "x"}), "weights.bin")); err == nil ||
		!strings.Contains(err.Error(), "its name is none of tokenizer.json") {
		t.Errorf("a file of another kind: error %v", err)
	}
}

// Errors name what is wrong and where.
func TestMalformedJSON(t *testing.T) {
	doc := func(part, value string) string {
		parts := map[string]string{
			"model": `{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}`,
		}
		parts[part] = value
		var fields []string
		for _, key := range slices.Sorted(maps.Keys(parts)) {
			fields = append(fields, fmt.Sprintf("%q:%s", key, parts[key]))
		}
		return "{" + strings.Join(fields, ",\n") + "}"
	}
	for name, c := range map[string]struct{ data, want string }{
		"empty":                   {"", "line 1, column 1: the file ends where '{' should be"},
		"not an object":           {"[]", `line 1, column 1: found '[' where '{' should be`},
		"cut short":               {`{"model": {"type": "BPE", "vocab": {"a`, "line 1, column 39: the file ends inside a string"},
		"no model":                {`{"version": "1.0"}`, `there is no "model"`},
		"no vocabulary":           {doc("model", `{"type":"BPE"}`), `model: there is no "vocab"`},
		"trailing text":           {doc("x", "1") + "x", "where the end of the file should be"},
		"an id below zero":        {doc("model", `{"type":"BPE","vocab":{"a":-1},"merges":[]}`), `found '-' where a token id should be`},
		"an id with a fraction":   {doc("model", `{"type":"BPE","vocab":{"a":1.5},"merges":[]}`), "not a whole number"},
		"an id out of range":      {doc("model", `{"type":"BPE","vocab":{"a":4294967295},"merges":[]}`), "model.vocab: id 4294967295 of token \"a\" is out of range"},
		"a merge of one token":    {doc("model", `{"type":"BPE","vocab":{"a":0},"merges":["a"]}`), `model.merges[0]: "a" should be two tokens`},
		"a merge of unknowns":     {doc("model", `{"type":"BPE","vocab":{"a":0},"merges":["a z"]}`), `model.merges[0]: token "z" is not in the vocabulary`},
		"a merge into an unknown": {doc("model", `{"type":"BPE","vocab":{"a":0},"merges":["a a"]}`), `model.merges[0]: the merged token "aa" is not in the vocabulary`},
		"merges before the vocab": {doc("model", `{"type":"BPE","merges":["a z"],"vocab":{"a":0}}`), `token "z" is not in the vocabulary`},
		"no merges":               {doc("model", `{"type":"BPE","vocab":{"a":0}}`), "model.merges: is missing"},
		"dropout":                 {doc("model", `{"type":"BPE","dropout":0.1,"vocab":{"a":0},"merges":[]}`), "model.dropout: is 0.1"},
		"an unknown model":        {doc("model", `{"type":"LSTM","vocab":{"a":0}}`), `model.type: unknown model "LSTM" (known: BPE`},
		"the wrong vocabulary":    {doc("model", `{"type":"Unigram","vocab":{"a":0}}`), "should be a list of [token, score]"},
		"an unknown id":           {doc("model", `{"type":"Unigram","unk_id":7,"vocab":[["a",0.5]]}`), "model.unk_id: 7 is not in the vocabulary of 1"},
		"no unknown token":        {doc("model", `{"type":"WordPiece","unk_token":"?","vocab":{"a":0}}`), `model.unk_token: "?" is not in the vocabulary`},
		"an unknown component":    {doc("normalizer", `{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Rot13"}]}`), `normalizer.normalizers[1]: unknown normalizer "Rot13"`},
		"a component of no type":  {doc("decoder", `{"prefix":"##"}`), "decoder.type: should be a string, not null or missing"},
		"a component of no kind":  {doc("pre_tokenizer", `[]`), "pre_tokenizer: should be an object with a \"type\", not a list"},
		"a bad pattern":           {doc("pre_tokenizer", `{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"}`), "pre_tokenizer.pattern: regular expression, at byte 2: a group is not closed"},
		"a back-reference":        {doc("pre_tokenizer", `{"type":"Split","pattern":{"Regex":"(a)\\1"},"behavior":"Isolated"}`), `\1 is not supported`},
		"a bad behavior":          {doc("pre_tokenizer", `{"type":"Split","pattern":{"String":"a"},"behavior":"Eaten"}`), `pre_tokenizer.behavior: unknown behavior "Eaten"`},
		"a long replacement":      {doc("pre_tokenizer", `{"type":"Metaspace","replacement":"__"}`), `pre_tokenizer.replacement: should be a single character, not "__"`},
		"bad base64":              {doc("normalizer", `{"type":"Precompiled","precompiled_charsmap":"%"}`), "normalizer.precompiled_charsmap: illegal base64"},
		"a short map":             {doc("normalizer", `{"type":"Precompiled","precompiled_charsmap":"AAAAAA=="}`), "normalizer.precompiled_charsmap: the character map is cut short"},
		"a token of no template":  {doc("post_processor", `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{}}`), `post_processor.single[0]: names the token "<s>", which special_tokens does not have`},
		"a second text":           {doc("post_processor", `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}`), `names the sequence "B"`},
		"an added token":          {doc("added_tokens", `[{"id":0,"content":7}]`), "added_tokens[0].content: should be a string, not a number"},
		"half a surrogate pair":   {doc("model", `{"type":"BPE","vocab":{"\ud800":0},"merges":[]}`), "half a surrogate pair"},
		"deep nesting":            {strings.Repeat("[", 5), "where '{' should be"},
		"deep nesting inside":     {`{"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + "}", "values nest deeper than 200"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseJSON([]byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v\nwant one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %v", err)
			}
		})
	}
}
