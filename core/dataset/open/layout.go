package open

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/genai-bench/genai-bench/core/dataset/table"
	"github.com/genai-bench/genai-bench/core/nearest"
)

// layout is what a repository has, by the rules of the datasets library.
type layout struct{ configs []config }

// config is a subset of a dataset with columns of its own.
type config struct {
	name      string
	preferred bool // "default: true"
	splits    []split
	field     string
	comma     rune
	absent    error // why it cannot be read
}

// split is the files of a split, in the order of their names.
type split struct {
	name     string
	files    []string
	pictures bool  // files are pictures, and what a table says of them
	absent   error // why it cannot be read
}

const defaultConfig = "default"

// config finds the config of a name; "" is the only or the default one.
func (l layout) config(name string) (config, error) {
	var names []string
	for _, c := range l.configs {
		if c.name == name || name == "" && (c.preferred || len(l.configs) == 1) {
			return c, nil
		}
		names = append(names, c.name)
	}
	if name == "" {
		if i := slices.Index(names, defaultConfig); i >= 0 {
			return l.configs[i], nil
		}
		return config{}, fmt.Errorf("has several configs: %s (say which with huggingface_kwargs.name of --dataset-config)", enumerate(names))
	}
	hint := "it has " + enumerate(names)
	if near := nearest.Words(name, names); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? it has " + enumerate(names)
	}
	return config{}, fmt.Errorf("has no config %q (%s)", clip(name), hint)
}

// enumerate lists names, not all where they are many.
func enumerate(names []string) string {
	const most = 30
	if len(names) > most {
		return fmt.Sprintf("%s and %d others", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// errNoData: nothing in a repository is a file of data.
var errNoData = errors.New("has no files of data that can be read: " + table.Supported() + ", or pictures")

// layoutOf says what the files of a repository are; readme is its README.md, nil
// where it has none.
func layoutOf(files []string, readme []byte, a Arguments) (layout, error) {
	if a.DataFiles != nil {
		c := config{name: defaultConfig, preferred: true}
		for _, f := range a.DataFiles {
			s, err := matching(files, a.DataDir, f)
			if err != nil {
				return layout{}, err
			}
			c.splits = append(c.splits, s)
		}
		return layout{[]config{c}}, nil
	}
	if a.DataDir == "" && readme != nil {
		declared, err := readmeConfigs(readme)
		if err != nil {
			return layout{}, err
		}
		if len(declared) > 0 {
			return declaredLayout(files, declared)
		}
	}
	splits, err := conventional(files, a.DataDir)
	if err != nil {
		return layout{}, err
	}
	return layout{[]config{{name: defaultConfig, preferred: true, splits: splits}}}, nil
}

// declaredLayout finds the files of the configs that a README declares. What has
// none says so when it is chosen: a cache may have some of them and not others.
func declaredLayout(files []string, declared []declaredConfig) (l layout, err error) {
	var problem error
	usable := false
	for _, d := range declared {
		c := config{name: d.name, preferred: d.preferred, field: d.field, comma: d.comma}
		if d.files == nil {
			c.splits, c.absent = conventional(files, d.dir)
		}
		for _, f := range d.files {
			s, err := matching(files, d.dir, f)
			s.absent = err
			c.splits = append(c.splits, s)
		}
		for _, s := range c.splits {
			usable = usable || s.absent == nil
			problem = errors.Join(problem, s.absent)
		}
		problem = errors.Join(problem, c.absent)
		l.configs = append(l.configs, c)
	}
	if !usable {
		first, _, _ := strings.Cut(problem.Error(), "\n")
		return l, errors.New(first)
	}
	return l, nil
}

// ignoredFiles are never data.
var ignoredFiles = []string{"README.md", "config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "dummy_data.zip"}

// hidden tells files that nobody means: their name or a folder begins with a dot
// or two underscores.
func hidden(file string) bool {
	for part := range strings.SplitSeq(file, "/") {
		if strings.HasPrefix(part, ".") || strings.HasPrefix(part, "__") {
			return true
		}
	}
	return slices.Contains(ignoredFiles, path.Base(file))
}

// matching finds the files of a split's patterns, which are relative to dir.
func matching(files []string, dir string, f SplitFile) (split, error) {
	s := split{name: f.Split}
	for _, pattern := range f.Patterns {
		full := path.Join(dir, pattern)
		if !doublestar.ValidatePattern(full) {
			return s, fmt.Errorf("%q is not a pattern of files", clip(pattern))
		}
		found := false
		for _, file := range files {
			match := file == full
			if !match && !hidden(file) {
				match, _ = doublestar.Match(full, file) // it is valid
			}
			if !match || table.FormatOf(file) == "" && !table.IsImageName(file) {
				continue
			}
			found = true
			if !slices.Contains(s.files, file) {
				s.files = append(s.files, file)
			}
		}
		if !found {
			return s, fmt.Errorf("has no file %s of data that can be read", clip(full))
		}
	}
	if len(s.files) > 0 && !slices.ContainsFunc(s.files, func(f string) bool { return !table.IsImageName(f) && !isMetadata(f) }) {
		s.pictures = true
	}
	return s, nil
}

// isMetadata tells the table beside the pictures of a folder.
func isMetadata(file string) bool {
	name := path.Base(file)
	return strings.HasPrefix(name, "metadata.") && table.FormatOf(name) != ""
}

// reader groups the formats that one reader of the datasets library reads.
func reader(file string) string {
	switch f := table.FormatOf(file); f {
	case table.TSV:
		return string(table.CSV)
	case table.JSONLines:
		return string(table.JSON)
	case "":
		if table.IsImageName(file) {
			return pictureReader
		}
		return ""
	default:
		return string(f)
	}
}

const pictureReader = "pictures"

// conventional finds splits by the names of files below dir: those that
// data/train-00000-of-00001.parquet and the like name; else folders, else files
// with train, validation or test in their names; else all is train.
func conventional(files []string, dir string) ([]split, error) {
	dir = strings.Trim(path.Clean("/"+dir), "/")
	below := func(file string) (string, bool) {
		if dir == "" {
			return file, true
		}
		return strings.CutPrefix(file, dir+"/")
	}
	// The reader of most files is the dataset's.
	count, order := map[string]int{}, []string{}
	var data []string
	for _, file := range files {
		relative, ok := below(file)
		if !ok || hidden(relative) || reader(file) == "" {
			continue
		}
		data = append(data, file)
		if isMetadata(file) {
			continue
		}
		if count[reader(file)]++; count[reader(file)] == 1 {
			order = append(order, reader(file))
		}
	}
	if len(order) == 0 && len(data) > 0 {
		order = []string{reader(data[0])}
	}
	if len(order) == 0 {
		if dir != "" {
			return nil, fmt.Errorf("%w; below %s", errNoData, clip(dir))
		}
		return nil, errNoData
	}
	most := slices.MaxFunc(order, func(a, b string) int { return count[a] - count[b] })
	data = slices.DeleteFunc(data, func(f string) bool {
		return reader(f) != most || most != pictureReader && isMetadata(f) && len(order) > 0 && count[pictureReader] > 0
	})
	slices.Sort(data)
	relative := make([]string, len(data))
	for i, f := range data {
		relative[i], _ = below(f)
	}
	splits := splitsOf(data, relative)
	for i := range splits {
		splits[i].pictures = most == pictureReader
	}
	return splits, nil
}

var sharded = regexp.MustCompile(`^data/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*\.[^/]*$`)

// keywords of splits, in the order of the splits.
var keywords = []struct {
	split string
	words *regexp.Regexp // a whole part of a path that is a keyword, or has it between signs
}{
	{"train", keyword("train|training")},
	{"validation", keyword("validation|valid|dev|val")},
	{"test", keyword("test|testing|eval|evaluation")},
}

func keyword(words string) *regexp.Regexp {
	return regexp.MustCompile(`(?:^|[-._ 0-9])(?:` + words + `)(?:[-._ 0-9]|$)`)
}

// splitsOf sorts files into splits; relative are their paths below the folder
// that is looked at.
func splitsOf(files, relative []string) []split {
	named := map[string][]string{}
	for i, f := range relative {
		if m := sharded.FindStringSubmatch(f); m != nil {
			named[m[1]] = append(named[m[1]], files[i])
		}
	}
	if len(named) > 0 {
		return ordered(named)
	}
	inFolder := func(f string) []string { parts := strings.Split(f, "/"); return parts[:len(parts)-1] }
	inName := func(f string) []string { return []string{path.Base(f)} }
	for _, where := range []func(string) []string{inFolder, inName} {
		for i, f := range relative {
			for _, k := range keywords {
				if slices.ContainsFunc(where(f), k.words.MatchString) {
					named[k.split] = append(named[k.split], files[i])
				}
			}
		}
		if len(named) > 0 {
			return ordered(named)
		}
	}
	return []split{{name: "train", files: files}}
}

// ordered is train, validation, test and the others by name.
func ordered(named map[string][]string) (splits []split) {
	for _, k := range keywords {
		if files := named[k.split]; files != nil {
			splits = append(splits, split{name: k.split, files: files})
			delete(named, k.split)
		}
	}
	var rest []string
	for name := range named {
		rest = append(rest, name)
	}
	slices.Sort(rest)
	for _, name := range rest {
		splits = append(splits, split{name: name, files: named[name]})
	}
	return splits
}

// parquetBranch is where the hub keeps the Parquet that it made of a dataset, as
// CONFIG/SPLIT/0000.parquet, or CONFIG/partial-SPLIT/… where it made a part.
const parquetBranch = "refs/convert/parquet"

// convertedLayout says what that branch has, and which splits are only begun.
func convertedLayout(files []string) (l layout, partial []string) {
	files = slices.Clone(files)
	slices.Sort(files)
	for _, f := range files {
		parts := strings.Split(f, "/")
		if len(parts) != 3 || table.FormatOf(f) != table.Parquet {
			continue
		}
		name, begun := strings.CutPrefix(parts[1], "partial-")
		if begun && !slices.Contains(partial, parts[0]+"/"+name) {
			partial = append(partial, parts[0]+"/"+name)
		}
		i := slices.IndexFunc(l.configs, func(c config) bool { return c.name == parts[0] })
		if i < 0 {
			i = len(l.configs)
			l.configs = append(l.configs, config{name: parts[0]})
		}
		c := &l.configs[i]
		k := slices.IndexFunc(c.splits, func(s split) bool { return s.name == name })
		if k < 0 {
			k = len(c.splits)
			c.splits = append(c.splits, split{name: name})
		}
		c.splits[k].files = append(c.splits[k].files, f)
	}
	return l, partial
}

var shard = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})(.*)$`)

// absentShards tells which parts of numbered files are not there, as
// train-00001-of-00003.parquet says that there are three.
func absentShards(files []string) (absent []string) {
	type series struct{ before, total string }
	seen := map[series]map[string]bool{}
	var order []series
	for _, f := range files {
		m := shard.FindStringSubmatch(f)
		if m == nil {
			continue
		}
		s := series{m[1], m[3]}
		if seen[s] == nil {
			seen[s] = map[string]bool{}
			order = append(order, s)
		}
		seen[s][m[2]] = true
	}
	for _, s := range order {
		for n := 0; n < 100_000 && fmt.Sprintf("%05d", n) < s.total; n++ {
			if number := fmt.Sprintf("%05d", n); !seen[s][number] {
				absent = append(absent, s.before+"-"+number+"-of-"+s.total)
			}
		}
	}
	return absent
}
