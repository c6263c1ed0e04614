package open

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shownLayout is a layout as a test writes it: config, then split, then files.
func shownLayout(l layout) map[string]map[string]string {
	shown := map[string]map[string]string{}
	for _, c := range l.configs {
		shown[c.name] = map[string]string{}
		for _, s := range c.splits {
			text := strings.Join(s.files, " ")
			if s.absent != nil {
				text = "(absent)"
			}
			if s.pictures {
				text = "pictures " + text
			}
			shown[c.name][s.name] = text
		}
	}
	return shown
}

func readmeOf(yaml string) []byte { return []byte("---\n" + yaml + "\n---\n# A dataset\n") }

func TestLayoutOfARepository(t *testing.T) {
	one := func(splits ...string) map[string]map[string]string {
		m := map[string]string{}
		for i := 0; i < len(splits); i += 2 {
			m[splits[i]] = splits[i+1]
		}
		return map[string]map[string]string{"default": m}
	}
	for name, c := range map[string]struct {
		files     string
		readme    []byte
		arguments Arguments
		want      map[string]map[string]string
		err       string
	}{
		"numbered files": {files: "README.md data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet data/dev_extra-00000-of-00001.parquet other.parquet",
			want: one("train", "data/train-00000-of-00002.parquet data/train-00001-of-00002.parquet", "dev_extra", "data/dev_extra-00000-of-00001.parquet")},
		"numbered files with a sum":     {files: "data/test-00000-of-00001-abcdef0123.parquet", want: one("test", "data/test-00000-of-00001-abcdef0123.parquet")},
		"names of files":                {files: "train.csv my_test_file.csv validation-1.csv", want: one("train", "train.csv", "test", "my_test_file.csv", "validation", "validation-1.csv")},
		"words inside of others":        {files: "training_data.jsonl contest.jsonl", want: one("train", "training_data.jsonl")},
		"folders":                       {files: "train/a.jsonl train/b.jsonl x/eval/c.jsonl", want: one("train", "train/a.jsonl train/b.jsonl", "test", "x/eval/c.jsonl")},
		"folders before names":          {files: "train/test_1.txt", want: one("train", "train/test_1.txt")},
		"no words":                      {files: "a.jsonl b.json", want: one("train", "a.jsonl b.json")},
		"the reader of most files":      {files: "LICENSE.txt a.csv b.tsv config.json", want: one("train", "a.csv b.tsv")},
		"hidden ones":                   {files: ".git/a.csv __pycache__/b.csv c.csv .d.csv dataset_infos.json", want: one("train", "c.csv")},
		"pictures":                      {files: "a/1.jpg a/2.JPG b/3.png metadata.csv", want: one("train", "pictures a/1.jpg a/2.JPG b/3.png")},
		"pictures by split":             {files: "train/1.jpg train/metadata.jsonl test/2.jpg test/3.jpg", want: one("train", "pictures train/1.jpg", "test", "pictures test/2.jpg test/3.jpg")},
		"a folder":                      {files: "en/train.csv en/test.csv fr/train.csv", arguments: Arguments{DataDir: "fr"}, want: one("train", "fr/train.csv")},
		"a folder that is not there":    {files: "en/train.csv", arguments: Arguments{DataDir: "./de/"}, err: "has no files of data that can be read"},
		"data files":                    {files: "x/a.csv x/b.csv y.csv", arguments: Arguments{DataFiles: []SplitFile{{"train", []string{"x/*.csv"}}, {"test", []string{"y.csv"}}}}, want: one("train", "x/a.csv x/b.csv", "test", "y.csv")},
		"data files below a folder":     {files: "x/a.csv a.csv", arguments: Arguments{DataDir: "x", DataFiles: []SplitFile{{"train", []string{"a.csv"}}}}, want: one("train", "x/a.csv")},
		"data files at any depth":       {files: "a.parquet x/y/b.parquet", arguments: Arguments{DataFiles: []SplitFile{{"all", []string{"**/*.parquet"}}}}, want: one("all", "a.parquet x/y/b.parquet")},
		"data files that are not there": {files: "a.csv", arguments: Arguments{DataFiles: []SplitFile{{"train", []string{"b.csv"}}}}, err: "has no file b.csv of data that can be read"},
		"a pattern that is none":        {files: "a.csv", arguments: Arguments{DataFiles: []SplitFile{{"train", []string{"[a.csv"}}}}, err: `"[a.csv" is not a pattern`},
		"nothing to read":               {files: "README.md data.zip script.py", err: "has no files of data that can be read: .txt"},
		"a README without configs":      {files: "README.md train.csv", readme: []byte("# just text\n---\nconfigs: 1\n"), want: one("train", "train.csv")},
		"a README with an empty head":   {files: "README.md train.csv", readme: readmeOf("license: mit"), want: one("train", "train.csv")},
		"configs of a README": {files: "README.md en/a.parquet en/b.parquet fr/test.parquet extra.csv",
			readme: readmeOf("configs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en/a*\n  - split: test\n    path: [en/b.parquet]\n  default: true\n- config_name: fr\n  data_dir: fr\n- config_name: x\n  data_files: extra.csv\n  sep: \"\\t\""),
			want:   map[string]map[string]string{"en": {"train": "en/a.parquet", "test": "en/b.parquet"}, "fr": {"test": "fr/test.parquet"}, "x": {"train": "extra.csv"}}},
		"a README in Windows' lines":       {files: "README.md q.csv", readme: []byte("---\r\nconfigs:\r\n- config_name: a\r\n  data_files: q.csv\r\n---\r\n"), want: map[string]map[string]string{"a": {"train": "q.csv"}}},
		"a README that is no YAML":         {files: "README.md q.csv", readme: readmeOf("configs: [\n"), err: "README.md: its YAML head cannot be read"},
		"data_files of a README are wrong": {files: "README.md q.csv", readme: readmeOf("configs:\n- data_files: 3"), err: "README.md: config default: data_files must be a path"},
		"files of a README are not there":  {files: "README.md q.csv", readme: readmeOf("configs:\n- config_name: a\n  data_files: p.csv"), err: "has no file p.csv"},
		"a config whose files are missing": {files: "README.md q.csv", readme: readmeOf("configs:\n- config_name: a\n  data_files: p.csv\n- config_name: b\n  data_files: q.csv"), want: map[string]map[string]string{"a": {"train": "(absent)"}, "b": {"train": "q.csv"}}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := layoutOf(strings.Fields(c.files), c.readme, c.arguments)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, shownLayout(l)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConvertedLayout(t *testing.T) {
	l, partial := convertedLayout(strings.Fields(".gitattributes en/train/0001.parquet en/train/0000.parquet en/test/0000.parquet fr/partial-train/0000.parquet"))
	want := map[string]map[string]string{"en": {"train": "en/train/0000.parquet en/train/0001.parquet", "test": "en/test/0000.parquet"}, "fr": {"train": "fr/partial-train/0000.parquet"}}
	if diff := cmp.Diff(want, shownLayout(l)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fr/train"}, partial); diff != "" {
		t.Errorf("partial (-want +got):\n%s", diff)
	}
}

func TestConfigs(t *testing.T) {
	of := func(names ...string) (l layout) {
		for _, n := range names {
			l.configs = append(l.configs, config{name: n, preferred: strings.HasPrefix(n, "*")})
		}
		return l
	}
	for name, c := range map[string]struct {
		layout    layout
		ask, want string
		err       string
	}{
		"the only one":    {of("plain_text"), "", "plain_text", ""},
		"by name":         {of("en", "fr"), "fr", "fr", ""},
		"the default one": {of("en", "default"), "", "default", ""},
		"the marked one":  {of("en", "*fr"), "", "*fr", ""},
		"several":         {of("en", "fr"), "", "", "has several configs: en, fr (say which with huggingface_kwargs.name"},
		"unknown":         {of("jigsaw", "counting"), "jigsw", "", `has no config "jigsw" (did you mean jigsaw? it has jigsaw, counting)`},
		"nothing like it": {of("en", "fr"), "zulu", "", `has no config "zulu" (it has en, fr)`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.layout.config(c.ask)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || got.name != c.want {
				t.Errorf("%q, %v, want %q", got.name, err, c.want)
			}
		})
	}
}

func TestSplits(t *testing.T) {
	c := config{splits: []split{{name: "test"}, {name: "train"}}}
	type part struct {
		Split    string
		From, To int // of 200 rows
	}
	for expression, want := range map[string]any{
		"":                       []part{{"train", 0, 200}},
		"test":                   []part{{"test", 0, 200}},
		"train[:50]":             []part{{"train", 0, 50}},
		"train[50:]":             []part{{"train", 50, 200}},
		"train[-20:]":            []part{{"train", 180, 200}},
		"train[:-20]":            []part{{"train", 0, 180}},
		"train[10%:20%]":         []part{{"train", 20, 40}},
		"train[-10%:]":           []part{{"train", 180, 200}},
		"train[:1000]":           []part{{"train", 0, 200}},
		"train[60:50]":           []part{{"train", 60, 60}},
		"train[:10] + test[:1%]": []part{{"train", 0, 10}, {"test", 0, 2}},
		"all":                    []part{{"test", 0, 200}, {"train", 0, 200}},
		"validation":             `has no split "validation" (it has test, train)`,
		"train[":                 "is not understood",
		"train[:101%]":           "out of range",
		"train[:10](closest)":    "is not understood",
		"+":                      "is not understood",
	} {
		t.Run(expression, func(t *testing.T) {
			slices, note, err := c.choose(expression)
			if text, ok := want.(string); ok {
				if err == nil || !strings.Contains(err.Error(), text) {
					t.Errorf("error %v, want %q", err, text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []part
			for _, s := range slices {
				from, to := s.of(200)
				got = append(got, part{s.split, from, to})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (note != "") != (expression == "") {
				t.Errorf("note %q", note)
			}
		})
	}
}

func TestAbsentShards(t *testing.T) {
	got := absentShards(strings.Fields("data/train-00000-of-00003.parquet data/train-00002-of-00003.parquet data/test-00000-of-00001.parquet other.csv"))
	if diff := cmp.Diff([]string{"data/train-00001-of-00003"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzReadme(f *testing.F) {
	f.Add([]byte("---\nconfigs:\n- config_name: a\n  data_files:\n  - split: train\n    path: [x, y]\n---\n"))
	f.Add([]byte("---\nconfigs: &a [*a]\n---\n"))
	f.Add([]byte("---\nconfigs:\n- data_files: {a: b}\n  sep: ';'\n---\n"))
	files := []string{"x", "a.csv", "data/train-00000-of-00001.parquet", "b/c.jpg"}
	f.Fuzz(func(t *testing.T, readme []byte) {
		l, err := layoutOf(files, readme, Arguments{})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error %q", err)
			}
			return
		}
		for _, c := range l.configs {
			for _, s := range c.splits {
				if len(s.files) == 0 && s.absent == nil {
					t.Errorf("config %q, split %q has no files", c.name, s.name)
				}
			}
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("train[:10%]+test", 7)
	f.Add("a[-3:9]", 100)
	f.Fuzz(func(t *testing.T, expression string, n int) {
		slices, err := parseSplit(expression)
		if err != nil || n < 0 {
			return
		}
		for _, s := range slices {
			if from, to := s.of(n); from < 0 || from > to || to > n {
				t.Errorf("%q of %d rows is %d to %d", expression, n, from, to)
			}
		}
	})
}
