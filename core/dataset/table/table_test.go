package table_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/genai-bench/genai-bench/core/dataset/table"
)

// write makes a file and returns its path.
func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read opens, indexes and reads a file.
func read(t testing.TB, path string, o table.Options, wanted table.Wanted) (rows []table.Row, columns []string, err error) {
	t.Helper()
	source, err := table.Open(t.Context(), path, filepath.Base(path), o)
	if err != nil {
		return nil, nil, err
	}
	defer source.Close()
	if wanted.Bad == nil {
		wanted.Bad = &table.Bad{}
	}
	indexed, err := source.Index(t.Context(), wanted)
	if err != nil {
		return nil, source.Columns(), err
	}
	for i := range indexed.Len() {
		row, err := indexed.Row(i)
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		rows = append(rows, row)
	}
	return rows, source.Columns(), nil
}

func texts(values ...string) (rows []table.Row) {
	for _, v := range values {
		rows = append(rows, table.Row{"text": v})
	}
	return rows
}

func TestFilesAsRows(t *testing.T) {
	long := strings.Repeat("long ", 500_000)
	for name, c := range map[string]struct {
		file    string
		content string
		field   string
		wanted  []string
		rows    []table.Row
		columns []string // where they matter
		bad     []string
		err     string
	}{
		"text":                   {file: "a.txt", content: "one\n\n two \r\nthree\rfour\r\r\n", rows: texts("one", "two", "three", "four"), columns: []string{"text"}},
		"text with mark":         {file: "a.TXT", content: "\xef\xbb\xbfone\ntwo", rows: texts("one", "two")},
		"text not all UTF-8":     {file: "a.txt", content: "one\n\ntw\xff\nthree", rows: texts("one", "three"), bad: []string{"a.txt, line 3: is not UTF-8 (convert it: iconv -f latin1 -t utf-8)"}},
		"text in UTF-16":         {file: "a.txt", content: "\xff\xfeo\x00n\x00", err: "a.txt: is UTF-16 (convert it: iconv"},
		"text with NUL":          {file: "a.txt", content: "a\nb\x00c", err: "a.txt: line 2 holds a NUL byte: this is not a text file"},
		"text of one long line":  {file: "a.txt", content: long + "\nx", rows: texts(strings.TrimSpace(long), "x")},
		"CSV":                    {file: "a.csv", content: "id,prompt\n1,one\n2,\"two, and\n\"\"three\"\"\"\n", rows: []table.Row{{"id": "1", "prompt": "one"}, {"id": "2", "prompt": "two, and\n\"three\""}}, columns: []string{"id", "prompt"}},
		"CSV projected":          {file: "a.csv", content: "id,prompt\n1,one\n", wanted: []string{"prompt"}, rows: []table.Row{{"prompt": "one"}}},
		"CSV with mark and CRLF": {file: "a.csv", content: "\xef\xbb\xbf\"prompt\",n\r\none,1\r\n\r\ntwo,2\r\n", rows: []table.Row{{"prompt": "one", "n": "1"}, {"prompt": "two", "n": "2"}}, columns: []string{"prompt", "n"}},
		"CSV with odd quotes":    {file: "a.csv", content: "prompt,n\na 5\" pipe,1\n\"so \"called\" x\",2\n", rows: []table.Row{{"prompt": `a 5" pipe`, "n": "1"}, {"prompt": `so "called" x`, "n": "2"}}},
		"CSV with open quote":    {file: "a.csv", content: "prompt\none\n\"two\nthree\nfour\n", err: "a.csv, line 3: has a quote that is not closed"},
		"CSV too many fields":    {file: "a.csv", content: "a,b\n1,2\n1,2,3\n4\n", rows: []table.Row{{"a": "1", "b": "2"}, {"a": "4"}}, bad: []string{"a.csv, line 3: has 3 fields, and the first row has 2 (texts that hold the separator need quotes)"}},
		"CSV bad UTF-8":          {file: "a.csv", content: "a,b\n1,\xff\n1,2\n", wanted: []string{"b"}, rows: []table.Row{{"b": "2"}}, bad: []string{"a.csv, line 2: column b: is not UTF-8 (convert it: iconv -f latin1 -t utf-8)"}},
		"CSV empty":              {file: "a.csv", content: "", err: "a.csv: is empty (it needs a first row"},
		"TSV":                    {file: "a.tsv", content: "a\tb\n1\t2, 3\n", rows: []table.Row{{"a": "1", "b": "2, 3"}}},
		"JSON strings":           {file: "a.json", content: "\xef\xbb\xbf [\"one\",\n \"tw\\u006f\"]\n", rows: texts("one", "two"), columns: []string{"text"}},
		"JSON objects":           {file: "a.json", content: `[{"a":1.50,"b":null},{"c":{"d":[true]}}]`, rows: []table.Row{{"a": json.Number("1.50"), "b": nil}, {"c": map[string]any{"d": []any{true}}}}, columns: []string{"a", "b", "c"}},
		"JSON lists":             {file: "a.json", content: `[["a","b"],["c"]]`, rows: []table.Row{{"list": []any{"a", "b"}}, {"list": []any{"c"}}}},
		"JSON odd rows":          {file: "a.json", content: "[\n\"one\",\n3,\nnull]", rows: texts("one"), bad: []string{"a.json, line 3: is 3, not an object, a list or a string", "a.json, line 4: is null, not an object, a list or a string"}},
		"JSON cut off":           {file: "a.json", content: "[\"one\",\n{\"a\":", err: "a.json, line 2: row 2 of the list: ends in the middle"},
		"JSON broken":            {file: "a.json", content: "[\"one\",\n\"two\" \"three\"]", err: "a.json, line 2: row 3 of the list: expected comma"},
		"JSON and more":          {file: "a.json", content: "[1]\n[2]", err: "a.json, line 2: something follows the list"},
		"JSON object":            {file: "a.json", content: `{"data":["x"],"n":1}`, err: "a.json: holds one object with data, n, not a list of rows"},
		"JSON field":             {file: "a.json", content: `{"n":{"data":[0]},"data":["x","y"],"z":[1]}`, field: "data", rows: texts("x", "y")},
		"JSON field missing":     {file: "a.json", content: `{"n":1,"m":2}`, field: "data", err: `a.json: has no field "data", but n, m`},
		"JSON field no list":     {file: "a.json", content: `{"data":1}`, field: "data", err: `a.json: field "data" holds no list`},
		"JSON lines in .json":    {file: "a.json", content: "{\"a\":\"1\"}\n{\"a\":\"2\"}\n", rows: []table.Row{{"a": "1"}, {"a": "2"}}},
		"JSON of nothing":        {file: "a.json", content: " \n", err: "a.json: is empty (it needs a list of rows)"},
		"JSON of text":           {file: "a.json", content: "hello", err: "a.json: is not JSON: invalid character 'h'"},
		"JSON number":            {file: "a.json", content: "17", err: "a.json: begins with 17, not with a list or an object"},
		"JSON lines":             {file: "a.jsonl", content: "{\"a\":\"1\",\"b\":2}\r\n\n  \"text\"  \n[1]", rows: []table.Row{{"a": "1", "b": json.Number("2")}, {"text": "text"}, {"list": []any{json.Number("1")}}}, columns: []string{"a", "b", "text", "list"}},
		"JSON lines, projected":  {file: "a.ndjson", content: `{"a":"1","b":2}`, wanted: []string{"b"}, rows: []table.Row{{"b": json.Number("2")}}},
		"JSON lines, bad ones": {file: "a.jsonl", content: "{\"a\":\"1\"}\n{\"a\":\n{\"a\":\"\xff\"}\n7\n" + strings.Repeat("[", 5000) + "\n{\"a\":\"2\"}", rows: []table.Row{{"a": "1"}, {"a": "2"}},
			bad: []string{"a.jsonl, line 2: is not JSON: character 5: unexpected end of JSON input", "a.jsonl, line 3: is not UTF-8 (convert it: iconv -f latin1 -t utf-8)", "a.jsonl, line 4: is 7, not an object, a list or a string", "a.jsonl, line 5: is nested deeper than 1000"}},
		"unknown":    {file: "a.doc", content: "x", err: `a.doc: format ".doc" is not known (give a file of .txt`},
		"no gzip":    {file: "a.jsonl.gz", content: "{}", err: "a.jsonl.gz: is not compressed as its suffix .gz says"},
		"no Parquet": {file: "a.parquet", content: "PAR1 and nothing PAR1", err: "a.parquet: is "},
		"not there":  {file: "", err: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "none.txt")
			if c.file != "" {
				path = write(t, c.file, []byte(c.content))
			}
			var bad table.Bad
			rows, columns, err := read(t, path, table.Options{Field: c.field}, table.Wanted{Columns: c.wanted, Bad: &bad})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want one line with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.rows, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.columns, columns); diff != "" && c.columns != nil {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.bad, bad.First()); diff != "" {
				t.Errorf("bad rows (-want +got):\n%s", diff)
			}
			if bad.Count() != len(c.bad) {
				t.Errorf("%d bad rows counted, want %d", bad.Count(), len(c.bad))
			}
		})
	}
}

func TestALineThatIsTooLongIsLeftOut(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("{\"a\":\"1\"}\n{\"a\":\"")
	for b.Len() < table.RowBytesMax+100 {
		b.WriteString(strings.Repeat("x", 1<<20))
	}
	b.WriteString("\"}\n{\"a\":\"2\"}\n")
	var bad table.Bad
	rows, _, err := read(t, write(t, "a.jsonl", b.Bytes()), table.Options{}, table.Wanted{Bad: &bad})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]table.Row{{"a": "1"}, {"a": "2"}}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.jsonl, line 2: is longer than 64 MiB (is it one row?)"}, bad.First()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUsableRowsAndLimits(t *testing.T) {
	content := map[string]string{
		"a.txt":   "r0\nr1\nr2\nr3\nr4\nr5\n",
		"a.jsonl": "{\"text\":\"r0\"}\n{\"text\":\"r1\"}\n{\"text\":\"r2\"}\n{\"text\":\"r3\"}\n{\"text\":\"r4\"}\n{\"text\":\"r5\"}\n",
		"a.json":  `["r0","r1","r2","r3","r4","r5"]`,
		"a.csv":   "text\nr0\nr1\nr2\nr3\nr4\nr5\n",
	}
	for file, text := range content {
		t.Run(file, func(t *testing.T) {
			var bad table.Bad
			usable := func(row table.Row) error {
				if row["text"] == "r1" {
					return fmt.Errorf("no %s, please", row["text"])
				}
				return nil
			}
			rows, _, err := read(t, write(t, file, []byte(text)), table.Options{}, table.Wanted{Usable: usable, Bad: &bad, Most: 3})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(texts("r0", "r2", "r3"), rows); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if bad.Count() != 1 || !strings.HasSuffix(bad.First()[0], ": no r1, please") {
				t.Errorf("bad rows %q", bad.First())
			}
		})
	}
}

func TestCompressedFiles(t *testing.T) {
	const text = "{\"a\":\"1\"}\n{\"a\":\"2\"}\n"
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []interface {
		Write([]byte) (int, error)
		Close() error
	}{g, z} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for name, data := range map[string][]byte{"a.jsonl.gz": gz.Bytes(), "a.jsonl.zst": zst.Bytes()} {
		rows, _, err := read(t, write(t, name, data), table.Options{}, table.Wanted{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]table.Row{{"a": "1"}, {"a": "2"}}, rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if _, _, err := read(t, write(t, name, data[:len(data)-6]), table.Options{}, table.Wanted{}); err == nil || !strings.Contains(err.Error(), "unpacking it") {
			t.Errorf("%s cut off: error %v", name, err)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

func TestTheChecksumIsTheFiles(t *testing.T) {
	path := write(t, "a.jsonl", []byte("{}\n"))
	source, err := table.Open(t.Context(), path, "a", table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if source.SHA256() != "" {
		t.Error("a checksum before the file was read")
	}
	if _, err := source.Index(t.Context(), table.Wanted{Bad: &table.Bad{}}); err != nil {
		t.Fatal(err)
	}
	if want := "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"; source.SHA256() != want {
		t.Errorf("SHA-256 %s, want %s", source.SHA256(), want)
	}
}

func TestAnInterruptStopsIndexing(t *testing.T) {
	source, err := table.Open(t.Context(), write(t, "a.txt", []byte("x\n")), "a", table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := fmt.Errorf("enough")
	cancel(reason)
	if _, err := source.Index(ctx, table.Wanted{Bad: &table.Bad{}}); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("error %v", err)
	}
}

type picture struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

type turn struct {
	From  string `parquet:"from,optional"`
	Value string `parquet:"value,optional"`
}

type parquetRow struct {
	Prompt        *string  `parquet:"prompt,optional"`
	Number        int64    `parquet:"a number"`
	Image         *picture `parquet:"image,optional"`
	Conversations []turn   `parquet:"conversations,list"`
}

func parquetFile(t testing.TB, rows int, o ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b, append(o, parquet.MaxRowsPerRowGroup(1000), parquet.PageBufferSize(4096))...)
	for i := range rows {
		prompt := fmt.Sprint("prompt ", i)
		row := parquetRow{&prompt, int64(i), &picture{[]byte{byte(i), 1}, "x.png"}, []turn{{"human", fmt.Sprint("hello ", i)}, {"gpt", "hi"}}}
		if i%10 == 3 {
			row.Prompt, row.Image = nil, nil
		}
		if _, err := w.Write([]parquetRow{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, "a.parquet", b.Bytes())
}

func TestParquetInAnyOrder(t *testing.T) {
	for name, codec := range map[string]parquet.WriterOption{
		"snappy": parquet.Compression(&parquet.Snappy), "zstd": parquet.Compression(&parquet.Zstd), "gzip": parquet.Compression(&parquet.Gzip), "plain": parquet.Compression(&parquet.Uncompressed),
	} {
		t.Run(name, func(t *testing.T) {
			source, err := table.Open(t.Context(), parquetFile(t, 2500, codec), "a.parquet", table.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			if diff := cmp.Diff([]string{"prompt", "a number", "image", "conversations"}, source.Columns()); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			rows, err := source.Index(t.Context(), table.Wanted{Columns: []string{"prompt", "image", "conversations", "a number", "none"}, Bad: &table.Bad{}})
			if err != nil {
				t.Fatal(err)
			}
			if rows.Len() != 2500 {
				t.Fatalf("%d rows", rows.Len())
			}
			for _, i := range rand.Perm(2500) {
				row, err := rows.Row(i)
				if err != nil {
					t.Fatal(err)
				}
				if i%10 == 3 {
					if row["prompt"] != nil {
						t.Fatalf("row %d: prompt %v, want nil", i, row["prompt"])
					}
					continue
				}
				image, _ := row["image"].(map[string]any)
				turns, _ := row["conversations"].([]any)
				if row["prompt"] != fmt.Sprint("prompt ", i) || row["a number"] != int64(i) || len(turns) != 2 || turns[0].(map[string]any)["value"] != fmt.Sprint("hello ", i) ||
					fmt.Sprintf("%s", image["bytes"]) != string([]byte{byte(i), 1}) {
					t.Fatalf("row %d is %v", i, row)
				}
			}
		})
	}
}

func TestParquetReadsTheWantedColumnsOnly(t *testing.T) {
	source, err := table.Open(t.Context(), parquetFile(t, 10), "a.parquet", table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	rows, err := source.Index(t.Context(), table.Wanted{Columns: []string{"a number"}, Bad: &table.Bad{}, Most: 2})
	if err != nil {
		t.Fatal(err)
	}
	row, err := rows.Row(1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table.Row{"a number": int64(1)}, row); diff != "" || rows.Len() != 2 {
		t.Errorf("%d rows (-want +got):\n%s", rows.Len(), diff)
	}
	if _, err := source.Index(t.Context(), table.Wanted{Columns: []string{"none"}, Bad: &table.Bad{}}); err == nil || !strings.Contains(err.Error(), "has none of the columns none, but prompt, a number, image, conversations") {
		t.Errorf("error %v", err)
	}
}

func TestDamagedParquetIsAnError(t *testing.T) {
	whole, err := os.ReadFile(parquetFile(t, 200))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		damaged := bytes.Clone(whole)
		for range 1 + r.IntN(20) {
			damaged[r.IntN(len(damaged))] = byte(r.Uint32())
		}
		source, err := table.Open(t.Context(), write(t, "a.parquet", damaged), "a.parquet", table.Options{})
		if err != nil {
			continue
		}
		if rows, err := source.Index(t.Context(), table.Wanted{Bad: &table.Bad{}}); err == nil {
			for i := range min(rows.Len(), 200) {
				_, _ = rows.Row(i) // an error or a row, and no panic
			}
		}
		source.Close()
	}
}

func TestFolderOfPictures(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b.PNG", "a.jpg", "sub/c.webp", ".hidden/d.png", "notes.txt"} {
		put(name, "x")
	}
	open := func() ([]table.Row, []string, *table.Bad) {
		t.Helper()
		source, err := table.OpenFolder(t.Context(), dir, "pictures", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		bad := &table.Bad{}
		indexed, err := source.Index(t.Context(), table.Wanted{Bad: bad})
		if err != nil {
			t.Fatal(err)
		}
		var rows []table.Row
		for i := range indexed.Len() {
			row, err := indexed.Row(i)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		return rows, source.Columns(), bad
	}
	at := func(name string) table.Path { return table.Path(filepath.Join(dir, name)) }

	rows, columns, _ := open()
	if diff := cmp.Diff([]table.Row{{"image": at("a.jpg")}, {"image": at("b.PNG")}, {"image": at("sub/c.webp")}}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"image"}, columns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	put("metadata.csv", "file_name,text\nsub/c.webp,a cat\nnone.png,nothing\nb.PNG,a dog\n../../etc/passwd,x\n")
	rows, columns, bad := open()
	if diff := cmp.Diff([]table.Row{{"image": at("sub/c.webp"), "text": "a cat"}, {"image": at("b.PNG"), "text": "a dog"}}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"image", "text"}, columns); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pictures/metadata.csv, row 2: there is no picture none.png", "pictures/metadata.csv, row 4: there is no picture ../../etc/passwd"}, bad.First()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	put("metadata.csv", "file,text\nb.PNG,a dog\n")
	if _, err := table.OpenFolder(t.Context(), dir, "pictures", nil); err == nil || !strings.Contains(err.Error(), "has no column file_name, but file, text") {
		t.Errorf("error %v", err)
	}
	if _, err := table.OpenFolder(t.Context(), t.TempDir(), "pictures", nil); err == nil || !strings.Contains(err.Error(), "has no picture in it") {
		t.Errorf("error %v", err)
	}
}

func TestJoin(t *testing.T) {
	part := func(content string) table.Table {
		source, err := table.Open(t.Context(), write(t, "a.txt", []byte(content)), "a", table.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { source.Close() })
		indexed, err := source.Index(t.Context(), table.Wanted{Bad: &table.Bad{}})
		if err != nil {
			t.Fatal(err)
		}
		return indexed
	}
	joined := table.Join([]table.Part{{part("a\nb\nc"), 1, 3}, {part("x"), 0, 0}, {part("d\ne"), 0, 2}})
	var got []string
	for i := range joined.Len() {
		row, err := joined.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row["text"].(string))
	}
	if diff := cmp.Diff([]string{"b", "c", "d", "e"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
