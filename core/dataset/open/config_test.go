package open_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/genai-bench/genai-bench/core/dataset/lambda"
	"github.com/genai-bench/genai-bench/core/dataset/open"
	"github.com/genai-bench/genai-bench/core/dataset/table"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// writeConfig writes a configuration and returns its path.
func writeConfig(t testing.TB, text string) string {
	t.Helper()
	return filepath.Join(folder(t, map[string]string{"c.json": text}), "c.json")
}

func TestReadConfig(t *testing.T) {
	hub := func(kwargs string) string {
		return `{"source": {"type": "huggingface", "path": "org/data", "huggingface_kwargs": {` + kwargs + `}}}`
	}
	from := func(a open.Arguments) open.Description {
		return open.Description{Path: "org/data", Kind: open.HuggingFace, Arguments: a}
	}
	train := func(patterns ...string) []open.SplitFile {
		return []open.SplitFile{{Split: "train", Patterns: patterns}}
	}
	for name, c := range map[string]struct {
		text     string
		want     open.Description
		warnings []string
		err      string
	}{
		"a file":        {text: `{"source": {"type": "file", "path": "/data/prompts.csv", "file_format": "csv"}, "prompt_column": "prompt"}`, want: open.Description{Path: "/data/prompts.csv", Kind: open.File, Format: table.CSV, PromptColumn: "prompt"}},
		"nulls":         {text: `{"source": {"type": "file", "path": "a", "file_format": null, "huggingface_kwargs": null, "loader_class": null}, "prompt_column": null}`, want: open.Description{Path: "a", Kind: open.File}},
		"pictures":      {text: `{"source": {"type": "huggingface", "path": "a/b"}, "image_column": "image", "prompt_lambda": "lambda x: x['q']", "unsafe_allow_large_images": true}`, want: open.Description{Path: "a/b", Kind: open.HuggingFace, ImageColumn: "image", PromptLambda: "lambda x: x['q']", LargeImages: true}},
		"byte order":    {text: "\xef\xbb\xbf" + hub(""), want: from(open.Arguments{})},
		"split":         {text: hub(`"split": "train[:1000]", "revision": "main", "name": "en"`), want: from(open.Arguments{Split: "train[:1000]", Revision: "main", Name: "en"})},
		"subset":        {text: hub(`"subset": "en"`), want: from(open.Arguments{Name: "en"})},
		"a data file":   {text: hub(`"data_files": "a/*.csv", "data_dir": "x", "sep": ";"`), want: from(open.Arguments{DataFiles: train("a/*.csv"), DataDir: "x", Comma: ';'})},
		"data files":    {text: hub(`"data_files": ["a.csv", "b.csv"]`), want: from(open.Arguments{DataFiles: train("a.csv", "b.csv")})},
		"splits' files": {text: hub(`"data_files": {"test": "t.json", "train": ["a.json"]}, "field": "data"`), want: from(open.Arguments{Field: "data", DataFiles: []open.SplitFile{{Split: "test", Patterns: []string{"t.json"}}, {Split: "train", Patterns: []string{"a.json"}}}})},
		"a token":       {text: hub(`"token": "hf_x"`), want: from(open.Arguments{Token: secret.New("hf_x")})},
		"no token":      {text: hub(`"use_auth_token": false`), want: from(open.Arguments{NoToken: true})},
		"the Python tool's advanced example": {
			text: hub(`"split": "train[:1000]", "revision": "main", "cache_dir": "/c", "use_auth_token": true, "num_proc": 4, "streaming": false, "trust_remote_code": true, "download_mode": "force_redownload"`),
			want: from(open.Arguments{Split: "train[:1000]", Revision: "main"}), warnings: []string{"cache_dir is ignored", "download_mode is ignored", "num_proc is ignored", "trust_remote_code is ignored"}},
		"the Python tool's CSV example": {text: `{"source": {"type": "file", "path": "p.csv", "csv_column_index": 1}}`, want: open.Description{Path: "p.csv", Kind: open.File}, warnings: []string{"csv_column_index is ignored"}},
		"arguments of a file":           {text: `{"source": {"type": "file", "path": "a", "huggingface_kwargs": {"split": "train"}}}`, want: open.Description{Path: "a", Kind: open.File}, warnings: []string{"huggingface_kwargs are ignored"}},
		"column and lambda":             {text: `{"source": {"type": "file", "path": "a"}, "prompt_column": "q", "prompt_lambda": "lambda x: x['q']"}`, want: open.Description{Path: "a", Kind: open.File, PromptColumn: "q", PromptLambda: "lambda x: x['q']"}, warnings: []string{"prompt_column is ignored"}},

		"empty":              {text: ``, err: "line 1 is not JSON"},
		"not JSON":           {text: "{\n\"source\": }", err: "line 2 is not JSON"},
		"more than one":      {text: `{"source": {"type": "file", "path": "a"}} {}`, err: "line 1 is not JSON"},
		"a list":             {text: `[]`, err: "is a JSON array, not an object"},
		"null":               {text: `null`, err: "is null"},
		"no source":          {text: `{"prompt_column": "a"}`, err: "has no source"},
		"no type":            {text: `{"source": {"path": "a"}}`, err: "source has no type"},
		"another type":       {text: `{"source": {"type": "s3", "path": "a"}}`, err: `source.type "s3" is not known`},
		"a class":            {text: `{"source": {"type": "custom", "loader_class": "a.B"}}`, err: "names a Python class, which cannot be run here (write the data as JSON lines"},
		"no path":            {text: `{"source": {"type": "file"}}`, err: "source has no path"},
		"a number":           {text: `{"source": {"type": "file", "path": 3}}`, err: "path is a number"},
		"another format":     {text: `{"source": {"type": "file", "path": "a", "file_format": "xml"}}`, err: `source.file_format "xml" is not known`},
		"unknown key":        {text: `{"source": {"type": "file", "path": "a"}, "prompt_colum": "x"}`, err: `has no key "prompt_colum" (did you mean prompt_column?)`},
		"unknown source key": {text: `{"source": {"type": "file", "paht": "a"}}`, err: `source has no key "paht" (did you mean path?)`},
		"unknown argument":   {text: hub(`"splits": "train"`), err: `huggingface_kwargs has no key "splits" (did you mean split?)`},
		"features":           {text: hub(`"features": {}`), err: "features is refused"},
		"an address":         {text: hub(`"data_files": "https://example.com/a.csv"`), err: "names an address"},
		"a bad split":        {text: hub(`"split": 3`), err: "split must be a text"},
		"name and subset":    {text: hub(`"name": "a", "subset": "b"`), err: "name and subset differ"},
		"encoding":           {text: hub(`"encoding": "latin1"`), err: "encoding must be utf-8"},
		"a bad separator":    {text: hub(`"sep": ";;"`), err: "sep must be one character"},
		"a bad lambda":       {text: `{"source": {"type": "file", "path": "a"}, "prompt_lambda": "lambda x: x["}`, err: "prompt_lambda "},
		"large images":       {text: `{"source": {"type": "file", "path": "a"}, "unsafe_allow_large_images": "yes"}`, err: "unsafe_allow_large_images is a string"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, c.text)
			d, warnings, err := open.ReadConfig(path)
			if c.err != "" {
				checkError(t, err, path+": ", c.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, d, cmpopts.IgnoreUnexported(open.Description{}), cmp.Comparer(func(a, b secret.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(warnings) != len(c.warnings) {
				t.Fatalf("warnings %q, want %q", warnings, c.warnings)
			}
			for i, want := range c.warnings {
				if !strings.Contains(warnings[i], want) {
					t.Errorf("warning %q, want %q", warnings[i], want)
				}
			}
		})
	}
	_, _, err := open.ReadConfig(filepath.Join(t.TempDir(), "none.json"))
	checkError(t, err, "none.json: no such file")
}

// TestExamples reads what is shipped: each is a block of the user guide or
// stands beside those.
func TestExamples(t *testing.T) {
	dir := "../../../examples/dataset_configs"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"config_llava-bench-in-the-wild.json", "config_govreport-summarization.json", "config_blink-jigsaw.json",
		"config_aesthetic-4k.json", "config_llava-onevision-clevr-math.json", "local_csv.json", "huggingface_simple.json", "local_images.json",
	} {
		d, warnings, err := open.ReadConfig(filepath.Join(dir, want))
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, warnings %q", err, warnings)
		}
		if want == "config_llava-onevision-clevr-math.json" {
			f, err := lambda.Compile(d.PromptLambda)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				conversations []any
				want          string
			}{
				{[]any{map[string]any{"value": "How many?"}, map[string]any{"value": "3"}}, "How many?"},
				{[]any{map[string]any{"value": "How many?"}}, ""},
			} {
				if got, err := f.Call(map[string]any{"conversations": c.conversations}); err != nil || got != c.want {
					t.Errorf("the guide's lambda makes %q, %v, want %q", got, err, c.want)
				}
			}
		}
		entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == want })
	}
	for _, e := range entries {
		t.Errorf("%s is not tested", e.Name())
	}
}

var update = flag.Bool("update", false, "write the generated part of docs/datasets.md")

// TestTheTableOfArgumentsInTheDocs holds docs/datasets.md against the code.
func TestTheTableOfArgumentsInTheDocs(t *testing.T) {
	const path, begin, end = "../../../docs/datasets.md", "<!-- arguments: begin -->\n", "<!-- arguments: end -->"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks around its table of arguments", path)
	}
	want := "| argument | here | |\n|---|---|---|\n"
	for _, a := range open.LoadDatasetArguments() {
		want += fmt.Sprintf("| `%s` | %s | %s |\n", a.Name, a.Treatment, a.Note)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (go test ./core/dataset/open -run Docs -update):\n%s", path, diff)
	}
}

// TestArgumentsAreTreatedAsTheTableSays gives every argument of the table to a
// configuration.
func TestArgumentsAreTreatedAsTheTableSays(t *testing.T) {
	values := map[string]string{"sep": `";"`, "delimiter": `"\t"`, "encoding": `"utf-8"`, "token": `true`, "use_auth_token": `true`, "data_files": `"a.csv"`}
	for _, a := range open.LoadDatasetArguments() {
		t.Run(a.Name, func(t *testing.T) {
			value := values[a.Name]
			if value == "" {
				value = `"x"`
			}
			_, warnings, err := open.ReadConfig(writeConfig(t, fmt.Sprintf(`{"source": {"type": "huggingface", "path": "a", "huggingface_kwargs": {%q: %s}}}`, a.Name, value)))
			switch a.Treatment {
			case open.Honoured:
				if err != nil || len(warnings) > 0 {
					t.Errorf("%v, warnings %q", err, warnings)
				}
			case open.Ignored:
				if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], a.Name+" is ignored: "+a.Note) {
					t.Errorf("%v, warnings %q", err, warnings)
				}
			case open.Refused:
				checkError(t, err, a.Name+" is refused: "+a.Note)
			default:
				t.Errorf("treatment %q", a.Treatment)
			}
			// Not given is not given.
			if _, warnings, err := open.ReadConfig(writeConfig(t, fmt.Sprintf(`{"source": {"type": "huggingface", "path": "a", "huggingface_kwargs": {%q: null}}}`, a.Name))); err != nil || len(warnings) > 0 {
				t.Errorf("null: %v, warnings %q", err, warnings)
			}
		})
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(`{"source": {"type": "huggingface", "path": "a/b", "huggingface_kwargs": {"split": "train[:10%]", "data_files": {"train": ["a", "b"]}, "sep": ";"}}, "prompt_lambda": "lambda x: x['a']"}`))
	f.Add([]byte(`{"source": {"type": "file", "path": "a"}, "x": {}}`))
	path := filepath.Join(f.TempDir(), "c.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		d, warnings, err := open.ReadConfig(path)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("error %q", err)
			}
			return
		}
		if d.Path == "" || d.Kind == open.Anywhere {
			t.Errorf("%q is accepted as %+v", data, d)
		}
		for _, w := range warnings {
			if strings.ContainsAny(w, "\n\r\x1b") {
				t.Errorf("warning %q", w)
			}
		}
	})
}
