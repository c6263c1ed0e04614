package open_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/open"
)

// folder makes files and returns the folder that they are in.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// parquetOf is a Parquet file of rows.
func parquetOf[T any](t testing.TB, rows ...T) string {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type question struct {
	Question *string `parquet:"question,optional"`
	ID       int64   `parquet:"id"`
}

func questions(texts ...string) (rows []question) {
	for i, text := range texts {
		q := question{ID: int64(i)}
		if text != "" {
			q.Question = &text
		}
		rows = append(rows, q)
	}
	return rows
}

// pictureOf is a PNG file.
func pictureOf(t testing.TB, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// opened opens a dataset that is closed with the test.
func opened(t testing.TB, d open.Description, o open.Options) (*open.Dataset, error) {
	t.Helper()
	set, err := open.Open(t.Context(), d, o)
	if err == nil {
		t.Cleanup(func() {
			if err := set.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return set, err
}

// textsOf reads all prompts of a dataset.
func textsOf(t testing.TB, d open.Description, o open.Options) ([]string, *open.Dataset, error) {
	t.Helper()
	set, err := opened(t, d, o)
	if err != nil {
		return nil, nil, err
	}
	texts, err := set.Texts(t.Context())
	if err != nil {
		return nil, set, err
	}
	var got []string
	for text, err := range dataset.All(texts) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text)
	}
	return got, set, nil
}

// gzipped is a compressed file.
func gzipped(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkError wants one line with the texts in it.
func checkError(t testing.TB, err error, want ...string) {
	t.Helper()
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, want one line with %q", err, want)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
}

func TestTextsOfFiles(t *testing.T) {
	three := []string{"one", "two", "three"}
	for name, c := range map[string]struct {
		file, content, column string
		want                  []string
		bad                   int
		note                  string
		err                   []string
	}{
		"text":                             {file: "a.txt", content: "one\n\ntwo\nthree\n", want: three},
		"suffix in capitals":               {file: "A.TXT", content: "one\ntwo\nthree", want: three},
		"text, with a column":              {file: "a.txt", content: "one\ntwo\nthree\n", column: "prompt", want: three, note: "a text file has no columns"},
		"CSV":                              {file: "a.csv", content: "id,question\n1,one\n2,two\n3,\"three\"\n", column: "question", want: three},
		"CSV, one column":                  {file: "a.csv", content: "question\none\ntwo\nthree\n", want: three},
		"CSV, a column called prompt":      {file: "a.csv", content: "id,prompt\n1,one\n2,two\n3,three\n", want: three},
		"CSV, numbers keep their spelling": {file: "a.csv", content: "n\n007\n1.50\n", want: []string{"007", "1.50"}},
		"CSV, an empty cell is no prompt":  {file: "a.csv", content: "id,q\n1,one\n2,\n3,two\n4,three\n", column: "q", want: three, bad: 1},
		"CSV, no such column":              {file: "a.csv", content: "id,question\n1,x\n", column: "qestion", err: []string{`no column "qestion"`, "--dataset-prompt-column", "it has id, question", "did you mean question?"}},
		"CSV, which column":                {file: "a.csv", content: "id,question\n1,x\n", err: []string{"several columns: id, question", "--dataset-prompt-column"}},
		"TSV":                              {file: "a.tsv", content: "id\tq\n1\tone\n2\ttwo\n3\tthree\n", column: "q", want: three},
		"JSON, texts":                      {file: "a.json", content: `["one", "two", "three"]`, want: three},
		"JSON, objects":                    {file: "a.json", content: `[{"q": "one"}, {"q": "two"}, {"x": 1}, {"q": "three"}]`, column: "q", want: three, bad: 1},
		"JSON lines":                       {file: "a.jsonl", content: "{\"q\": \"one\"}\n{\"q\": \"two\"}\n{\"q\n{\"q\": \"three\"}\n", column: "q", want: three, bad: 1},
		"compressed":                       {file: "a.jsonl.gz", content: gzipped(t, "{\"q\": \"one\"}\n{\"q\": \"two\"}\n{\"q\": \"three\"}\n"), want: three},
		"Parquet":                          {file: "a.parquet", content: parquetOf(t, questions("one", "two", "three")...), column: "question", want: three},
		"ShareGPT": {file: "s.json", content: `[{"id": "a", "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "one"}, {"from": "gpt", "value": "x"}]},
			{"id": "b", "conversations": [{"from": "gpt", "value": "x"}]}, {"id": "c", "conversations": [{"from": "user", "value": "two"}]}]`, want: []string{"one", "two"}, bad: 1},
		"messages":        {file: "m.jsonl", content: `{"messages": [{"role": "user", "content": [{"type": "text", "text": "one"}]}]}`, want: []string{"one"}},
		"nothing":         {file: "a.txt", content: "\n", err: []string{"has no rows"}},
		"all rows bad":    {file: "a.csv", content: "id,q\n1,\n2,\n", column: "q", err: []string{"none of its 2 rows is usable", "a.csv, line 2"}},
		"not JSON":        {file: "a.json", content: `[{"q": "one"}, {"q"`, column: "q", err: []string{"a.json, line 1"}},
		"unknown format":  {file: "a.xyz", content: "x", err: []string{`format ".xyz" is not known`, ".parquet"}},
		"all null":        {file: "a.parquet", content: parquetOf(t, questions("", "")...), column: "question", err: []string{"none of its 2 rows is usable", "a.parquet, row 1: has nothing in column question"}},
		"Parquet, column": {file: "a.parquet", content: parquetOf(t, questions("a")...), column: "x", err: []string{"it has question, id"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t, map[string]string{c.file: c.content}), c.file)
			got, set, err := textsOf(t, open.FromPath(path, c.column, ""), open.Options{})
			if c.err != nil {
				checkError(t, err, append(c.err, "dataset "+path)...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			facts := set.Facts()
			if facts.BadRows != c.bad || facts.Rows != len(c.want) || facts.Name != path {
				t.Errorf("facts %+v, want %d rows, %d bad", facts, len(c.want), c.bad)
			}
			if c.bad > 0 && (len(facts.Bad) != c.bad || !strings.Contains(facts.Bad[0], c.file+", line ")) {
				t.Errorf("bad rows %q name no file and line", facts.Bad)
			}
			if len(facts.Files) != 1 || facts.Files[0].SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte(c.content))) || facts.Files[0].Bytes != int64(len(c.content)) {
				t.Errorf("files %+v", facts.Files)
			}
			if notes := strings.Join(set.Notes(), "\n"); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestRowsOfParquetAreCheckedWhenItIsOpened(t *testing.T) {
	path := filepath.Join(folder(t, map[string]string{"a.parquet": parquetOf(t, questions("one", "", "three")...)}), "a.parquet")
	got, set, err := textsOf(t, open.FromPath(path, "question", ""), open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "three"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if facts := set.Facts(); facts.Rows != 2 || facts.BadRows != 1 || facts.Bad[0] != path+", row 2: has nothing in column question" {
		t.Errorf("facts %+v", facts)
	}
}

type talk struct {
	Conversations []turn `parquet:"conversations,list"`
}

type turn struct {
	From  string `parquet:"from"`
	Value string `parquet:"value"`
}

func TestConversationsOfParquet(t *testing.T) {
	path := filepath.Join(folder(t, map[string]string{"a.parquet": parquetOf(t, talk{[]turn{{"human", "hi"}, {"gpt", "hello"}}}, talk{}, talk{[]turn{{"human", "bye"}}})}), "a.parquet")
	set, err := opened(t, open.FromPath(path, "", ""), open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	talks, err := set.Conversations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := talks.Conversation(0)
	if diff := cmp.Diff([]dataset.Turn{{Role: dataset.RoleUser, Text: "hi"}, {Role: dataset.RoleAssistant, Text: "hello"}}, first); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	second, err := talks.Conversation(1)
	if diff := cmp.Diff([]dataset.Turn{{Role: dataset.RoleUser, Text: "bye"}}, second); diff != "" || err != nil || talks.Len() != 2 {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, _, err := textsOf(t, open.FromPath(path, "", ""), open.Options{}); err != nil || !cmp.Equal(got, []string{"hi", "bye"}) {
		t.Errorf("texts %q, %v", got, err)
	}
}

func TestTheBuiltInText(t *testing.T) {
	for _, path := range []string{"", "default"} {
		got, set, err := textsOf(t, open.FromPath(path, "", ""), open.Options{})
		if err != nil || len(got) != dataset.BuiltIn().Len() || set.Facts().Name != dataset.BuiltInName {
			t.Errorf("%q: %d texts, %v", path, len(got), err)
		}
	}
}

func TestAPathThatIsNotThere(t *testing.T) {
	for path, want := range map[string]string{
		"none.csv":                          "there is no such file or folder (looked in ",
		filepath.Join(t.TempDir(), "nodir"): "there is no such file or folder (check the path)",
		"../data":                           "there is no such file or folder",
		"org/name":                          "is no file or folder here",
	} {
		_, err := opened(t, open.FromPath(path, "", ""), open.Options{})
		checkError(t, err, "dataset "+path, want)
	}
}

func TestConversations(t *testing.T) {
	user, assistant := dataset.RoleUser, dataset.RoleAssistant
	for name, c := range map[string]struct {
		file, content, column string
		want                  [][]dataset.Turn
		bad                   int
		err                   []string
	}{
		"ShareGPT": {file: "s.json", content: `[{"id": 1, "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}, {"id": 2, "conversations": []}]`,
			want: [][]dataset.Turn{{{Role: user, Text: "hi"}, {Role: assistant, Text: "hello"}}}, bad: 1},
		"messages": {file: "m.jsonl", content: `{"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]}` + "\n" + `{"messages": "x"}`,
			want: [][]dataset.Turn{{{Role: "system", Text: "be kind"}, {Role: user, Text: "hi"}}}, bad: 1},
		"lists":           {file: "l.json", content: `[[{"role": "user", "content": "a"}], [{"role": "user", "content": "b"}]]`, want: [][]dataset.Turn{{{Role: user, Text: "a"}}, {{Role: user, Text: "b"}}}},
		"turns of a user": {file: "t.jsonl", content: `{"turns": ["a", "b"]}`, want: [][]dataset.Turn{{{Role: user, Text: "a"}, {Role: user, Text: "b"}}}},
		"a named column":  {file: "c.jsonl", content: `{"chat": [{"role": "human", "content": "a"}], "messages": []}`, column: "chat", want: [][]dataset.Turn{{{Role: user, Text: "a"}}}},
		"no such column":  {file: "c.jsonl", content: `{"chat": []}`, err: []string{"no column of conversations: chat"}},
		"only prompts":    {file: "c.jsonl", content: `{"messages": "hello"}`, err: []string{"none of its 1 rows is usable", "c.jsonl, line 1: column messages is no conversation"}},
		"nobody speaks":   {file: "c.jsonl", content: `{"messages": [{"role": "assistant", "content": "x"}]}`, err: []string{"in which no user says anything"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t, map[string]string{c.file: c.content}), c.file)
			set, err := opened(t, open.FromPath(path, c.column, ""), open.Options{})
			if err != nil {
				t.Fatal(err)
			}
			talks, err := set.Conversations(t.Context())
			if c.err != nil {
				checkError(t, err, c.err...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got [][]dataset.Turn
			for i := range talks.Len() {
				turns, err := talks.Conversation(i)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, turns)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if facts := set.Facts(); facts.BadRows != c.bad {
				t.Errorf("%d bad rows, want %d: %q", facts.BadRows, c.bad, facts.Bad)
			}
		})
	}
}

// shownRecord is a record without the bytes of its pictures.
type shownRecord struct {
	Text     string
	Pictures []string
}

func recordsOf(t testing.TB, d open.Description, o open.Options) ([]shownRecord, *open.Dataset, error) {
	t.Helper()
	set, err := opened(t, d, o)
	if err != nil {
		return nil, nil, err
	}
	records, err := set.Records(t.Context())
	if err != nil {
		return nil, set, err
	}
	var got []shownRecord
	for i := range records.Len() {
		r, err := records.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		shown := shownRecord{Text: r.Text}
		for _, p := range r.Pictures {
			if p.URL != "" {
				shown.Pictures = append(shown.Pictures, p.URL)
			} else {
				shown.Pictures = append(shown.Pictures, fmt.Sprintf("%s %d×%d", p.Format, p.Width, p.Height))
			}
		}
		got = append(got, shown)
	}
	return got, set, nil
}

type pictureCell struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

type pictureRow struct {
	Question string       `parquet:"question"`
	Image    *pictureCell `parquet:"image,optional"`
}

func TestRecords(t *testing.T) {
	small, tall := pictureOf(t, 3, 2), pictureOf(t, 1, 7)
	coded := base64.StdEncoding.EncodeToString([]byte(small))
	for name, c := range map[string]struct {
		files  map[string]string
		path   string // below the folder
		adjust func(*open.Description)
		want   []shownRecord
		bad    []string
		err    []string
	}{
		"a folder":              {files: map[string]string{"b/x.png": small, "a.png": tall, "note.txt": "x"}, want: []shownRecord{{"", []string{"png 1×7"}}, {"", []string{"png 3×2"}}}},
		"a folder with prompts": {files: map[string]string{"a.png": small, "b.png": tall, "metadata.csv": "file_name,text\nb.png,what is b?\n"}, want: []shownRecord{{"what is b?", []string{"png 1×7"}}}},
		"a folder with splits": {files: map[string]string{"train/a.png": small, "train/a-b/c.png": small, "test/b.png": tall, "test/metadata.jsonl": `{"file_name": "b.png", "text": "what is b?"}`, "metadata.csv": "file_name,text\ntrain/a.png,a?\ntrain/a-b/c.png,c?\nnone.png,x\n"},
			adjust: func(d *open.Description) { d.Arguments.Split = "train" }, want: []shownRecord{{"a?", []string{"png 3×2"}}, {"c?", []string{"png 3×2"}}}, bad: []string{"metadata.csv, row 3: there is no picture none.png"}},
		"some files of a folder": {files: map[string]string{"a.png": small, "b.png": tall, "c.png": "no picture"}, adjust: func(d *open.Description) {
			d.Arguments.DataFiles = []open.SplitFile{{Split: "train", Patterns: []string{"[ab].png"}}}
		}, want: []shownRecord{{"", []string{"png 3×2"}}, {"", []string{"png 1×7"}}}},
		"JSON lines with addresses and paths": {files: map[string]string{"q.jsonl": `{"q": "far", "image": "https://example.com/x.png"}` + "\n" + `{"q": "near", "image": "img/a.png"}` + "\n" +
			`{"q": "in it", "image": "data:image/png;base64,` + coded + `"}` + "\n" + `{"q": "both", "image": ["img/a.png", {"url": "http://h/y"}]}`, "img/a.png": tall},
			path: "q.jsonl", adjust: func(d *open.Description) { d.PromptColumn = "q" },
			want: []shownRecord{{"far", []string{"https://example.com/x.png"}}, {"near", []string{"png 1×7"}}, {"in it", []string{"png 3×2"}}, {"both", []string{"png 1×7", "http://h/y"}}}},
		"paths that lead elsewhere are not read": {files: map[string]string{"q.jsonl": `{"image": "../../etc/passwd"}` + "\n" + `{"image": "/etc/passwd"}` + "\n" + `{"image": "http://h/y"}`},
			path: "q.jsonl", want: []shownRecord{{"", []string{"http://h/y"}}, {"", []string{"http://h/y"}}, {"", []string{"http://h/y"}}},
			bad: []string{"q.jsonl, line 1: column image: is the path ../../etc/passwd, which leads out of the dataset's folder", "q.jsonl, line 2: "}},
		"Parquet": {files: map[string]string{"q.parquet": parquetOf(t, pictureRow{"one", &pictureCell{Bytes: []byte(small)}}, pictureRow{"two", nil}, pictureRow{"three", &pictureCell{Bytes: []byte("GIF9")}}, pictureRow{"four", &pictureCell{Bytes: []byte(tall)}})},
			path: "q.parquet", adjust: func(d *open.Description) { d.PromptColumn, d.ImageColumn = "question", "image" },
			want: []shownRecord{{"one", []string{"png 3×2"}}, {"four", []string{"png 1×7"}}},
			bad:  []string{"q.parquet, row 2: has no picture in column image", "q.parquet, row 3: column image: no picture that can be read"}},
		"a lambda": {files: map[string]string{"q.jsonl": `{"c": [{"value": "first"}, {}], "image": "http://h/1"}` + "\n" + `{"c": [], "image": "http://h/2"}` + "\n" + `{"image": "http://h/3"}`},
			path: "q.jsonl", adjust: func(d *open.Description) { d.PromptLambda = "lambda x: x['c'][0]['value'] if len(x['c']) > 1 else ''" },
			want: []shownRecord{{"first", []string{"http://h/1"}}, {"", []string{"http://h/2"}}}, bad: []string{"q.jsonl, line 3: prompt_lambda "}},
		"a prompt for all":       {files: map[string]string{"a.png": small}, adjust: func(d *open.Description) { d.PromptLambda = "What is this?" }, want: []shownRecord{{"What is this?", []string{"png 3×2"}}}},
		"no picture at all":      {files: map[string]string{"a.png": "text", "b.png": "more"}, err: []string{"none of its 2 rows is usable", "a.png: column image: no picture that can be read"}},
		"no column":              {files: map[string]string{"q.csv": "q,picture\nx,http://h/y\n"}, path: "q.csv", err: []string{"no column called image or images, but q, picture", "--dataset-image-column"}},
		"a wrong column":         {files: map[string]string{"q.csv": "q,picture\nx,http://h/y\n"}, path: "q.csv", adjust: func(d *open.Description) { d.ImageColumn = "pictures" }, err: []string{`no column "pictures"`, "did you mean picture?"}},
		"a bomb":                 {files: map[string]string{"a.png": bomb(20_000, 20_000)}, err: []string{"20000×20000 pixels is too large", "unsafe_allow_large_images"}},
		"a bomb that is allowed": {files: map[string]string{"a.png": bomb(20_000, 20_000)}, adjust: func(d *open.Description) { d.LargeImages = true }, want: []shownRecord{{"", []string{"png 20000×20000"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			root := folder(t, c.files)
			d := open.FromPath(filepath.Join(root, c.path), "", "")
			if c.adjust != nil {
				c.adjust(&d)
			}
			got, set, err := recordsOf(t, d, open.Options{})
			if c.err != nil {
				checkError(t, err, c.err...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			facts := set.Facts()
			if facts.BadRows != len(c.bad) {
				t.Fatalf("%d bad rows, want %d: %q", facts.BadRows, len(c.bad), facts.Bad)
			}
			for i, want := range c.bad {
				if !strings.Contains(facts.Bad[i], want) {
					t.Errorf("bad row %q, want %q", facts.Bad[i], want)
				}
			}
		})
	}
}

// bomb is the head of a PNG that claims to be large.
func bomb(width, height uint32) string {
	ihdr := []byte{'I', 'H', 'D', 'R', byte(width >> 24), byte(width >> 16), byte(width >> 8), byte(width), byte(height >> 24), byte(height >> 16), byte(height >> 8), byte(height), 8, 0, 0, 0, 0}
	sum := crc32.ChecksumIEEE(ihdr)
	return "\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + string(ihdr) + string([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func TestRejectedRecords(t *testing.T) {
	root := folder(t, map[string]string{"a.png": pictureOf(t, 1, 1), "b.png": pictureOf(t, 2, 1)})
	set, err := opened(t, open.FromPath(root, "", ""), open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	records, err := set.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("breaks off")
	if err := records.Reject(0, broken); err != nil {
		t.Fatalf("the first: %v", err)
	}
	if r, err := records.Record(0); err != nil || r.Row != 1 {
		t.Errorf("row %d, %v, want the next one", r.Row, err)
	}
	if err := records.Reject(0, broken); err != nil {
		t.Fatalf("again: %v", err)
	}
	checkError(t, records.Reject(1, broken), "none of its 2 rows is usable", "a.png: breaks off")
	_, err = records.Record(1)
	checkError(t, err, "none of its 2 rows is usable")
}

func TestAnInterruptEndsOpening(t *testing.T) {
	path := filepath.Join(folder(t, map[string]string{"a.txt": "x\n"}), "a.txt")
	set, err := opened(t, open.FromPath(path, "", ""), open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if _, err := set.Texts(ctx); !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
}

func BenchmarkParquet(b *testing.B) {
	const rows = 2_000_000
	path := filepath.Join(b.TempDir(), "a.parquet")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := parquet.NewGenericWriter[question](f, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(100_000))
	pad := strings.Repeat("the quick brown fox jumps over the lazy dog and ", 8)
	for i := range rows {
		text := fmt.Sprint("question ", i, " ", pad[:i%300+80])
		if _, err := w.Write([]question{{&text, int64(i)}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		b.Fatal(err)
	}
	texts := func(b *testing.B) (dataset.Texts, *open.Dataset) {
		set, err := open.Open(b.Context(), open.FromPath(path, "question", ""), open.Options{})
		if err != nil {
			b.Fatal(err)
		}
		texts, err := set.Texts(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return texts, set
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			_, set := texts(b)
			set.Close()
		}
	})
	b.Run("row", func(b *testing.B) {
		all, set := texts(b)
		defer set.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := all.Text(i * 7919 % rows); err != nil {
				b.Fatal(err)
			}
		}
	})
}
