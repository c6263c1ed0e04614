package table_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset/table"
)

// indexed opens and indexes a file.
func indexed(t *testing.T, path string, columns ...string) table.Table {
	t.Helper()
	source, err := table.Open(t.Context(), path, "a.parquet", table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	rows, err := source.Index(t.Context(), table.Wanted{Columns: columns, Bad: &table.Bad{}})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// promptOf is a row's prompt; a row without one is bad.
func promptOf(row table.Row) (string, error) {
	if text, ok := row["prompt"].(string); ok {
		return text, nil
	}
	return "", errors.New("has no prompt")
}

func extractedTexts(t *testing.T, e *table.Extracted) (texts []string) {
	t.Helper()
	for i := range e.Len() {
		row, err := e.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, row[table.ExtractedColumn].(string))
	}
	return texts
}

func TestExtract(t *testing.T) {
	path := parquetFile(t, 2500)
	var want, places []string
	for i := range 2500 {
		if i%10 != 3 {
			want, places = append(want, fmt.Sprint("prompt ", i)), append(places, fmt.Sprintf("a.parquet, row %d", i+1))
		}
	}
	// Of one column of texts the values are read, of several the rows.
	for name, columns := range map[string][]string{"values": {"prompt"}, "rows": {"prompt", "image"}, "all columns": nil} {
		t.Run(name, func(t *testing.T) {
			var bad table.Bad
			told := false
			e, err := table.Extract(t.Context(), indexed(t, path, columns...), "a.parquet", table.Wanted{Bad: &bad, Progress: func(done, total int64) { told = told || done > 1000 && total == 2500 }}, promptOf)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if diff := cmp.Diff(want, extractedTexts(t, e)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var got []string
			for i := range e.Len() {
				got = append(got, e.Place(i))
			}
			if diff := cmp.Diff(places, got); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
			if bad.Count() != 250 || bad.First()[0] != "a.parquet, row 4: has no prompt" {
				t.Errorf("%d bad rows: %q", bad.Count(), bad.First())
			}
			if !told {
				t.Error("nobody was told how far it was")
			}
		})
	}
	t.Run("most", func(t *testing.T) {
		var bad table.Bad
		e, err := table.Extract(t.Context(), indexed(t, path, "prompt"), "a.parquet", table.Wanted{Bad: &bad, Most: 5}, promptOf)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[:5], extractedTexts(t, e)); diff != "" || bad.Count() != 1 {
			t.Errorf("%d bad rows (-want +got):\n%s", bad.Count(), diff)
		}
	})
	t.Run("interrupt", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("enough")
		cancel(reason)
		if _, err := table.Extract(ctx, indexed(t, path, "prompt"), "a.parquet", table.Wanted{Bad: &table.Bad{}}, promptOf); !errors.Is(err, reason) {
			t.Errorf("error %v", err)
		}
	})
}

func TestManyExtractedTextsGoIntoAFile(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	path := parquetFile(t, 50)
	long := strings.Repeat("x", 1<<20)
	e, err := table.Extract(t.Context(), indexed(t, path, "a number"), "a.parquet", table.Wanted{Bad: &table.Bad{}}, func(row table.Row) (string, error) {
		return fmt.Sprint(row["a number"], long), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range extractedTexts(t, e) {
		if text != fmt.Sprint(i, long) {
			t.Fatalf("text %d begins %q and has %d bytes", i, text[:4], len(text))
		}
	}
	left := func() int {
		entries, err := os.ReadDir(temporary)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	if err := e.Close(); err != nil || left() != 0 {
		t.Errorf("after Close: %d temporary files, %v", left(), err)
	}

	t.Setenv("TMPDIR", filepath.Join(temporary, "none"))
	_, err = table.Extract(t.Context(), indexed(t, path, "a number"), "a.parquet", table.Wanted{Bad: &table.Bad{}}, func(table.Row) (string, error) { return long, nil })
	if err == nil || !strings.Contains(err.Error(), "a.parquet: its texts in a temporary file: no such file or directory (set TMPDIR") {
		t.Errorf("error %v", err)
	}
}

func TestADamagedPageIsBadRows(t *testing.T) {
	path := parquetFile(t, 2500)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 { // in the first pages, not in the index at the end
		data[500+i] ^= 0x55
	}
	damaged := write(t, "a.parquet", data)
	var bad table.Bad
	e, err := table.Extract(t.Context(), indexed(t, damaged, "prompt"), "a.parquet", table.Wanted{Bad: &bad}, promptOf)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.Len()+bad.Count() != 2500 || e.Len() == 2250 {
		t.Errorf("%d rows and %d bad ones of 2500, want fewer than the 2250 of the undamaged file", e.Len(), bad.Count())
	}
}
