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

// fixtureAnswer is what the reference answers for a string with a fixture.
type fixtureAnswer struct {
	answer
	Fixture string `json:"fixture"`
	Text    string `json:"text"`
}

// fixtureAnswers returns the answers by name of fixture.
func fixtureAnswers(t *testing.T) map[string][]fixtureAnswer {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "fixtures", "answers.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]fixtureAnswer{}
	for d := json.NewDecoder(z); ; {
		var a fixtureAnswer
		if err := d.Decode(&a); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[a.Fixture] = append(all[a.Fixture], a)
	}
}

// Every component of the format answers as Hugging Face's library does.
func TestFixtures(t *testing.T) {
	byFixture := fixtureAnswers(t)
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
