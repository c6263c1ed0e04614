package table_test

import (
	"slices"
	"testing"

	"github.com/genai-bench/genai-bench/core/dataset/table"
)

// fuzzFile reads a file twice, over its index and while indexing, and compares.
func fuzzFile(t *testing.T, name string, content []byte) {
	var seen []table.Row
	usable := func(row table.Row) error { seen = append(seen, row); return nil }
	rows, columns, err := read(t, write(t, name, content), table.Options{}, table.Wanted{Usable: usable})
	if err != nil {
		return
	}
	if len(rows) != len(seen) {
		t.Fatalf("%q: %d rows read, %d seen while indexing", content, len(rows), len(seen))
	}
	for i, row := range rows {
		for column, value := range row {
			if !slices.Contains(columns, column) && i < 100 {
				t.Fatalf("%q: row %d has column %q, not among %q", content, i, column, columns)
			}
			text, ok := value.(string)
			if again, _ := seen[i][column].(string); ok && again != text {
				t.Fatalf("%q: row %d, column %q is %q, was %q while indexing", content, i, column, text, again)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("one\r\ntwo\rthree"))
	f.Add([]byte("\xff\xfea"))
	f.Add([]byte("\xef\xbb\xbf x \u00a0\n\xffa\u2029"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "f.txt", content) })
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\n3\"\n"))
	f.Add([]byte("\xef\xbb\xbf\"a\",b\r\n\r\n5\" x,\"y\"z\"\n\"open"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "f.csv", content) })
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`["a",{"b":1},[2]]`))
	f.Add([]byte("{\"a\":1}\n{\"a\":2}"))
	f.Add([]byte("\xef\xbb\xbf[1] x"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "f.json", content) })
}

func FuzzJSONLines(f *testing.F) {
	f.Add([]byte("{\"a\":\"b\"}\r\n\"x\"\n [1] \n"))
	f.Fuzz(func(t *testing.T, content []byte) { fuzzFile(t, "f.jsonl", content) })
}
