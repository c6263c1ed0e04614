package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixtureNames lists testdata/fixtures, small files of our own (see make_fixtures.py).
func fixtureNames(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "fixtures", "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no fixtures: %v", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return files
}

func fixture(tb testing.TB, name string) *Tokenizer {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "fixtures", name+".json"))
	if err != nil {
		tb.Fatal(err)
	}
	tok, err := parseJSON(data)
	if err != nil {
		tb.Fatal(err)
	}
	return tok
}

// Every component of the format answers as Hugging Face's library does.
func TestFixtures(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "fixtures", "answers.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		answer
		Fixture string `json:"fixture"`
		Text    string `json:"text"`
	}
	byFixture := map[string][]line{}
	for d := json.NewDecoder(z); ; {
		var l line
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		byFixture[l.Fixture] = append(byFixture[l.Fixture], l)
	}
	for _, name := range fixtureNames(t) {
		t.Run(name, func(t *testing.T) {
			tok := fixture(t, name)
			if len(byFixture[name]) == 0 {
				t.Fatal("there are no answers for the fixture")
			}
			for _, want := range byFixture[name] {
				if got := tok.AppendEncode(nil, want.Text); !slices.Equal(got, want.IDs) {
					t.Errorf("%.60q: ids\n got %v\nwant %v", want.Text, got, want.IDs)
				}
				if got := tok.AppendEncodeSpecial(nil, want.Text); !slices.Equal(got, want.IDsSpecial) {
					t.Errorf("%.60q: ids with special tokens\n got %v\nwant %v", want.Text, got, want.IDsSpecial)
				}
				ids, spans := tok.AppendEncodeOffsets(nil, nil, want.Text, true)
				if !slices.Equal(ids, want.IDsSpecial) {
					t.Errorf("%.60q: ids with offsets\n got %v\nwant %v", want.Text, ids, want.IDsSpecial)
				} else if got := characterSpans(want.Text, spans); !slices.Equal(got, want.Offsets) {
					t.Errorf("%.60q: offsets\n got %v\nwant %v", want.Text, got, want.Offsets)
				}
				if got := tok.Decode(want.IDs, false); got != want.Decoded {
					t.Errorf("%.60q: decoded\n got %q\nwant %q", want.Text, got, want.Decoded)
				}
				if got := tok.Decode(want.IDs, true); got != want.DecodedSkip {
					t.Errorf("%.60q: decoded without special tokens\n got %q\nwant %q", want.Text, got, want.DecodedSkip)
				}
			}
		})
	}
}
