package open

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset"
)

// recorded reads what testdata/record.py wrote down of the datasets library.
func recorded[T any](t *testing.T, name string) (cases []T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("nothing is recorded")
	}
	return cases
}

func TestLayoutsAreThoseOfTheDatasetsLibrary(t *testing.T) {
	type layoutCase struct {
		Files  []string            `json:"files"`
		Readme string              `json:"readme"`
		Kwargs json.RawMessage     `json:"kwargs"`
		Splits map[string][]string `json:"splits"`
		Error  string              `json:"error"`
	}
	for _, c := range recorded[layoutCase](t, "layouts.json") {
		t.Run(strings.Join(c.Files, " ")+c.Readme+string(c.Kwargs), func(t *testing.T) {
			var a Arguments
			var readme []byte
			if c.Readme != "" {
				readme = []byte("---\n" + c.Readme + "---\n")
			}
			if c.Kwargs != nil {
				var err error
				if a, _, err = readArguments(c.Kwargs); err != nil {
					t.Fatal(err)
				}
			}
			l, err := layoutOf(c.Files, readme, a)
			var chosen config
			if err == nil {
				chosen, err = l.config("")
			}
			if c.Error != "" {
				if err == nil {
					t.Errorf("the library raises %s, here is %v", c.Error, shownLayout(l))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]string{}
			for _, s := range chosen.splits {
				got[s.name] = slices.Sorted(slices.Values(s.files))
			}
			if diff := cmp.Diff(c.Splits, got); diff != "" {
				t.Errorf("(-library +here):\n%s", diff)
			}
		})
	}
}

func TestSlicesAreThoseOfTheDatasetsLibrary(t *testing.T) {
	type sliceCase struct {
		Split string `json:"split"`
		Rows  []int  `json:"rows"`
		Error string `json:"error"`
	}
	length := map[string]int{"train": 157, "test": 40}
	c := config{splits: []split{{name: "train"}, {name: "test"}}}
	for _, recorded := range recorded[sliceCase](t, "slices.json") {
		t.Run(recorded.Split, func(t *testing.T) {
			parts, _, err := c.choose(recorded.Split)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, p := range parts {
				from, to := p.of(length[p.split])
				for i := from; i < to; i++ {
					got = append(got, i)
				}
			}
			// The library raises an error where no row is left; here it is the
			// dataset that has none.
			if diff := cmp.Diff(recorded.Rows, got); diff != "" {
				t.Errorf("(-library +here):\n%s", diff)
			}
		})
	}
}

func TestParquetOfTheDatasetsLibrary(t *testing.T) {
	open := func(prompt, picture, lambda string) *Dataset {
		t.Helper()
		d := FromPath("testdata/hub.parquet", prompt, picture)
		d.PromptLambda = lambda
		set, err := Open(t.Context(), d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { set.Close() })
		return set
	}
	texts := func(prompt, lambda string, want ...string) {
		t.Helper()
		all, err := open(prompt, "", lambda).Texts(t.Context())
		if err != nil {
			t.Errorf("%s%s: %v", prompt, lambda, err)
			return
		}
		var got []string
		for text, err := range dataset.All(all) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s%s (-want +got):\n%s", prompt, lambda, diff)
		}
	}
	texts("question", "", "question 0", "question 1", "question 3")
	texts("long", "", "long 0", "long 1", "long 2", "long 3")
	texts("id", "", "0", "1", "2", "3")
	texts("conversations", "", "hello 0", "hello 1", "hello 2", "hello 3")
	texts("", "lambda x: x['conversations'][0]['value'] if len(x['conversations']) > 1 else ''", "hello 0", "hello 1", "hello 2", "hello 3")
	texts("", "lambda row: f\"{row['label']}: {row['answers']['text'][0]} {row['id']}\"", "0: x 0", "1: x 1", "0: x 2", "1: x 3")

	for column, want := range map[string][]string{"image": {"png 5×4", "png 6×3", "png 5×4", "png 6×3"}, "images": {"png 5×4", "png 5×4 png 6×3"}} {
		records, err := open("long", column, "").Records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range records.Len() {
			r, err := records.Record(i)
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, p := range r.Pictures {
				all = append(all, fmt.Sprintf("%s %d×%d", p.Format, p.Width, p.Height))
			}
			got = append(got, strings.Join(all, " "))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", column, diff)
		}
	}
}

// TestPicturesOfParquetRowByRow reads pictures as those of files that are too
// large to be taken out.
func TestPicturesOfParquetRowByRow(t *testing.T) {
	set, err := Open(t.Context(), FromPath("testdata/hub.parquet", "long", "images"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	r := &records{Dataset: set, prompt: prompter{column: "long"}, column: "images"}
	if err := set.index(t.Context(), reading{columns: func([]string) ([]string, error) { return []string{"long", "images"}, nil }}); err != nil {
		t.Fatal(err)
	}
	var rows []int
	for i := range r.Len() {
		record, err := r.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, record.Row)
	}
	// Rows 0 and 3 have no pictures: the next one that has stands in, round the end.
	if diff := cmp.Diff([]int{1, 1, 2, 1}, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f := set.Facts(); f.BadRows != 2 || f.Rows != 2 || f.Bad[0] != "testdata/hub.parquet, row 1: has no picture in column images" {
		t.Errorf("facts %+v", f)
	}
}
