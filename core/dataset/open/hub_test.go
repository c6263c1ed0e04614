package open_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/core/dataset/open"
	"github.com/genai-bench/genai-bench/core/hub"
	"github.com/genai-bench/genai-bench/core/hub/hubtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// commits of the hub below.
var (
	mainCommit      = strings.Repeat("a", 40)
	convertedCommit = strings.Repeat("b", 40)
)

// files of a repository; Parquet is kept as large files are.
func files(list map[string]string) map[string]hubtest.File {
	out := map[string]hubtest.File{}
	for name, content := range list {
		out[name] = hubtest.File{Data: []byte(content), Large: strings.HasSuffix(name, ".parquet")}
	}
	return out
}

// startHub is a hub with datasets of several kinds.
func startHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := hubtest.Start()
	t.Cleanup(h.Close)
	put := func(name string, list map[string]string, branches ...map[string]string) {
		r := hubtest.Repo{Commit: mainCommit, Files: files(list)}
		if len(branches) > 0 {
			r.Branches = map[string]hubtest.Branch{"refs/convert/parquet": {Commit: convertedCommit, Files: files(branches[0])}}
		}
		h.Put("datasets/"+name, r)
	}
	put("squad", map[string]string{
		"README.md": "---\nconfigs:\n- config_name: plain_text\n  data_files:\n  - split: train\n    path: plain_text/train-*\n  - split: validation\n    path: plain_text/validation-*\n---\n",
		"plain_text/train-00000-of-00002.parquet":      parquetOf(t, questions("t1", "t2", "t3")...),
		"plain_text/train-00001-of-00002.parquet":      parquetOf(t, questions("t4", "t5")...),
		"plain_text/validation-00000-of-00001.parquet": parquetOf(t, questions("v1")...),
	})
	put("org/lines", map[string]string{"README.md": "# no head", "train.jsonl": `{"q": "a"}` + "\n" + `{"q": "b"}` + "\n", "test.jsonl": `{"q": "c"}` + "\n", "fr/x.csv": "q\nd\n"})
	put("org/script", map[string]string{"README.md": "# old", "script.py": "import os"}, map[string]string{
		"en/train/0000.parquet": parquetOf(t, questions("e1")...), "en/train/0001.parquet": parquetOf(t, questions("e2")...),
		"fr/partial-train/0000.parquet": parquetOf(t, questions("f1")...),
	})
	put("org/pictures", map[string]string{"train/1.png": pictureOf(t, 1, 1), "train/2.png": pictureOf(t, 2, 2)}, map[string]string{
		"default/train/0000.parquet": parquetOf(t, pictureRow{"what?", &pictureCell{Bytes: []byte(pictureOf(t, 4, 5))}}),
	})
	put("org/loose", map[string]string{"1.png": pictureOf(t, 1, 1)})
	put("org/empty", map[string]string{"README.md": "# nothing", "data.zip": "PK"})
	h.Put("datasets/org/gated", hubtest.Repo{Commit: mainCommit, Files: files(map[string]string{"train.txt": "secret text\n"}), Token: "hf_planted", Gated: true})
	return h
}

// hubOptions opens clients of a hub with one cache.
func hubOptions(endpoint, cache string, offline bool) open.Options {
	return open.Options{Hub: func(token secret.Secret, _ bool) (*hub.Client, error) {
		return hub.New(hub.Config{Endpoint: endpoint, CacheDir: cache, Offline: offline, Token: token})
	}}
}

// onHub describes a dataset as --dataset-config does.
func onHub(name, column string, a open.Arguments) open.Description {
	return open.Description{Path: name, Kind: open.HuggingFace, PromptColumn: column, Arguments: a}
}

func TestDatasetsOfTheHub(t *testing.T) {
	h := startHub(t)
	for name, c := range map[string]struct {
		d                   open.Description
		want                []string
		config, split, name string
		commit              string
		note                string
		err                 []string
	}{
		"a bare name":            {d: open.FromPath("squad", "question", ""), want: []string{"t1", "t2", "t3", "t4", "t5"}, config: "plain_text", split: "train", name: "squad, plain_text, train", note: "no split was named: train is used, of train, validation"},
		"a split":                {d: onHub("squad", "question", open.Arguments{Split: "validation", Name: "plain_text", Revision: "main"}), want: []string{"v1"}, config: "plain_text", split: "validation", name: "squad, plain_text, validation"},
		"a slice":                {d: onHub("squad", "question", open.Arguments{Split: "train[:4]"}), want: []string{"t1", "t2", "t3", "t4"}, config: "plain_text", split: "train[:4]", name: "squad, plain_text, train[:4]"},
		"the last percents":      {d: onHub("squad", "question", open.Arguments{Split: "train[80%:]+validation"}), want: []string{"t5", "v1"}, config: "plain_text", split: "train[80%:]+validation", name: "squad, plain_text, train[80%:]+validation"},
		"a split that is not":    {d: onHub("squad", "question", open.Arguments{Split: "test"}), err: []string{"dataset squad: ", `has no split "test" (it has train, validation)`}},
		"a config that is not":   {d: onHub("squad", "question", open.Arguments{Name: "plain"}), err: []string{`has no config "plain" (did you mean plain_text? it has plain_text)`}},
		"a column that is not":   {d: onHub("squad", "questions", open.Arguments{Split: "validation"}), err: []string{`no column "questions", which --dataset-prompt-column names (it has question, id; did you mean question?)`}},
		"JSON lines by name":     {d: onHub("org/lines", "q", open.Arguments{Split: "test"}), want: []string{"c"}, split: "test", name: "org/lines, test"},
		"a folder":               {d: onHub("org/lines", "", open.Arguments{DataDir: "fr"}), want: []string{"d"}, split: "train", name: "org/lines"},
		"data files":             {d: onHub("org/lines", "q", open.Arguments{DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{"t*.jsonl"}}}}), want: []string{"c", "a", "b"}, split: "train", name: "org/lines"},
		"a script":               {d: onHub("org/script", "question", open.Arguments{Name: "en"}), want: []string{"e1", "e2"}, config: "en", split: "train", name: "org/script, en", commit: convertedCommit},
		"a script, partly":       {d: onHub("org/script", "question", open.Arguments{Name: "fr"}), want: []string{"f1"}, config: "fr", split: "train", name: "org/script, fr", commit: convertedCommit, note: "Parquet of a part of split train only"},
		"a script's config":      {d: onHub("org/script", "question", open.Arguments{Name: "de"}), err: []string{`has no config "de" (it has en, fr)`}},
		"a config where none is": {d: onHub("org/lines", "q", open.Arguments{Name: "en"}), err: []string{`has no config "en" (it has default)`}},
		"a script, which":        {d: onHub("org/script", "question", open.Arguments{}), err: []string{"has several configs: en, fr"}},
		"nothing":                {d: onHub("org/empty", "", open.Arguments{}), err: []string{"dataset org/empty: has no files of data that can be read"}},
		"loose pictures":         {d: onHub("org/loose", "", open.Arguments{}), err: []string{"has pictures as single files, and the hub made no Parquet of it (clone it"}},
		"unknown":                {d: open.FromPath("org/none", "", ""), err: []string{"dataset org/none: is no file or folder here, and the Hugging Face hub gives none: ", "check the name"}},
		"an unknown revision":    {d: onHub("squad", "", open.Arguments{Revision: "v9"}), err: []string{`dataset squad has no revision "v9"`}},
		"gated":                  {d: open.FromPath("org/gated", "", ""), err: []string{"dataset org/gated is gated: 403", "HF_TOKEN"}},
		"gated, with its token":  {d: onHub("org/gated", "", open.Arguments{Token: secret.New("hf_planted")}), want: []string{"secret text"}, split: "train", name: "org/gated"},
	} {
		t.Run(name, func(t *testing.T) {
			got, set, err := textsOf(t, c.d, hubOptions(h.URL(), t.TempDir(), false))
			if c.err != nil {
				checkError(t, err, c.err...)
				if strings.Contains(err.Error(), "hf_planted") {
					t.Error("the token is shown")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			f := set.Facts()
			if c.commit == "" {
				c.commit = mainCommit
			}
			if f.Name != c.name || f.Config != c.config || f.Split != c.split || f.Commit != c.commit || f.Rows != len(c.want) {
				t.Errorf("facts %+v", f)
			}
			for _, file := range f.Files {
				if len(file.SHA256) != 64 || file.Bytes == 0 {
					t.Errorf("file %+v", file)
				}
			}
			if notes := strings.Join(set.Notes(), "\n"); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestASliceFetchesOnlyTheFilesItNeeds(t *testing.T) {
	h := startHub(t)
	_, _, err := textsOf(t, onHub("squad", "question", open.Arguments{Split: "train[:2]"}), hubOptions(h.URL(), t.TempDir(), false))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range h.Requests() {
		if strings.Contains(r.Path, "train-00001") || strings.Contains(r.Path, "validation") {
			t.Errorf("%s %s was not needed", r.Method, r.Path)
		}
	}
}

func TestPicturesOfTheHub(t *testing.T) {
	h := startHub(t)
	d := onHub("org/pictures", "question", open.Arguments{Split: "train"})
	d.ImageColumn = "image"
	got, _, err := recordsOf(t, d, hubOptions(h.URL(), t.TempDir(), false))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]shownRecord{{"what?", []string{"png 4×5"}}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheCacheServesOffline(t *testing.T) {
	h := startHub(t)
	cache := t.TempDir()
	online, offline := hubOptions(h.URL(), cache, false), hubOptions(h.URL(), cache, true)
	unreachable := hubOptions("http://127.0.0.1:9", cache, false)

	_, _, err := textsOf(t, open.FromPath("squad", "question", ""), offline)
	checkError(t, err, "dataset squad: is no file or folder here", filepath.Join(cache, "datasets--squad", "snapshots"), "HF_HUB_OFFLINE")

	for _, d := range []open.Description{
		onHub("squad", "question", open.Arguments{Split: "validation"}), onHub("org/lines", "q", open.Arguments{Split: "train"}), onHub("org/script", "question", open.Arguments{Name: "en"}),
	} {
		want, _, err := textsOf(t, d, online)
		if err != nil {
			t.Fatal(err)
		}
		for name, o := range map[string]open.Options{"offline": offline, "unreachable": unreachable} {
			got, set, err := textsOf(t, d, o)
			if err != nil {
				t.Errorf("%s, %s: %v", d.Path, name, err)
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", d.Path, name, diff)
			}
			if !strings.Contains(strings.Join(set.Notes(), "\n"), "the hub was not asked") {
				t.Errorf("%s, %s: notes %q", d.Path, name, set.Notes())
			}
		}
	}

	// Of squad the cache has one split only.
	_, _, err = textsOf(t, onHub("squad", "question", open.Arguments{Split: "train"}), offline)
	checkError(t, err, "dataset squad: ", "only the cache was looked in", "HF_HUB_OFFLINE")
	// Or a part of a split.
	if _, _, err := textsOf(t, onHub("squad", "question", open.Arguments{Split: "train[:1]"}), online); err != nil {
		t.Fatal(err)
	}
	_, _, err = textsOf(t, onHub("squad", "question", open.Arguments{Split: "train"}), offline)
	checkError(t, err, "the cache lacks plain_text/train-00001-of-00002")
}

func TestAFolderInTheHubsLayout(t *testing.T) {
	root := folder(t, map[string]string{
		"README.md": "---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/*.csv\n  - split: test\n    path: t.csv\n- config_name: fr\n  data_files: fr.tsv\n---\n",
		"en/1.csv":  "q,a\none,1\n", "en/2.csv": "q,a\ntwo,2\n", "t.csv": "q,a\nthree,3\n", "fr.tsv": "q\ta\nun\t1\n",
	})
	for name, c := range map[string]struct {
		a    open.Arguments
		want []string
		err  string
	}{
		"config and split": {a: open.Arguments{Name: "en", Split: "test"}, want: []string{"three"}},
		"all files":        {a: open.Arguments{Name: "en", Split: "train"}, want: []string{"one", "two"}},
		"another config":   {a: open.Arguments{Name: "fr"}, want: []string{"un"}},
		"which config":     {err: "has several configs: en, fr"},
		"no such split":    {a: open.Arguments{Name: "fr", Split: "test"}, err: `has no split "test" (it has train)`},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := textsOf(t, onHub(root, "q", c.a), open.Options{})
			if c.err != "" {
				checkError(t, err, "dataset "+root, c.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, err := opened(t, open.FromPath(folder(t, map[string]string{"state.json": "{}", "data-00000-of-00001.arrow": "x", "dataset_info.json": "{}"}), "", ""), open.Options{})
	checkError(t, err, "was written by save_to_disk", "to_parquet")
	_, err = opened(t, open.FromPath(folder(t, map[string]string{"a.zip": "x"}), "", ""), open.Options{})
	checkError(t, err, "has no files of data that can be read")
}

func TestReadersOfTheDatasetsLibrary(t *testing.T) {
	root := folder(t, map[string]string{"a.jsonl": `{"q": "one"}` + "\n", "b.jsonl": `{"q": "two"}` + "\n", "data.json": `{"rows": [{"q": "three"}]}`, "c.csv": "q;n\nfour;1\n"})
	for name, c := range map[string]struct {
		reader string
		a      open.Arguments
		want   []string
	}{
		"json":      {"json", open.Arguments{DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{filepath.Join(root, "*.jsonl")}}}}, []string{"one", "two"}},
		"any depth": {"json", open.Arguments{DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{filepath.Join(root, "**", "a.jsonl")}}}}, []string{"one"}},
		"two files": {"json", open.Arguments{DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{filepath.Join(root, "b.jsonl"), filepath.Join(root, "a.jsonl")}}}}, []string{"two", "one"}},
		"a folder":  {"json", open.Arguments{DataDir: root, DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{"?.jsonl"}}}}, []string{"one", "two"}},
		"field":     {"json", open.Arguments{Field: "rows", DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{filepath.Join(root, "data.json")}}}}, []string{"three"}},
		"separator": {"csv", open.Arguments{Comma: ';', DataDir: root, DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{"c.csv"}}}}, []string{"four"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := textsOf(t, onHub(c.reader, "q", c.a), open.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	_, err := opened(t, onHub("json", "", open.Arguments{}), open.Options{})
	checkError(t, err, "needs data_files or data_dir")
	_, err = opened(t, onHub("csv", "", open.Arguments{DataFiles: []open.SplitFile{{Split: "train", Patterns: []string{"/*.csv"}}}}), open.Options{})
	checkError(t, err, "data_files are all over the machine")
}

func TestProgressTellsOfWhatIsFetchedAndRead(t *testing.T) {
	h := startHub(t)
	o := hubOptions(h.URL(), t.TempDir(), false)
	seen := map[string]bool{}
	o.Progress = func(what open.Work, file string, done, total int64) {
		if done > total && total >= 0 {
			t.Errorf("%s %s: %d of %d", what, file, done, total)
		}
		seen[fmt.Sprint(what, " ", file)] = true
	}
	if _, _, err := textsOf(t, onHub("squad", "question", open.Arguments{Split: "validation"}), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fetching plain_text/validation-00000-of-00001.parquet", "reading plain_text/validation-00000-of-00001.parquet"} {
		if !seen[want] {
			t.Errorf("nobody was told of %s: %v", want, seen)
		}
	}
}

func TestAnInterruptEndsADownload(t *testing.T) {
	h := startHub(t)
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan struct{})
	h.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/-/") { // the contents of a large file
			cancel(reason)
			<-over
		}
		return false
	})
	defer close(over)
	set, err := open.Open(ctx, onHub("squad", "question", open.Arguments{Split: "train"}), hubOptions(h.URL(), t.TempDir(), false))
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if _, err := set.Texts(ctx); !errors.Is(err, reason) {
		t.Errorf("error %v, want %v", err, reason)
	}
}
