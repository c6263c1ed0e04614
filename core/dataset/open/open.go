package open

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	pathpkg "path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/table"
	"github.com/genai-bench/genai-bench/core/hub"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Options of Open.
type Options struct {
	// Hub opens the client of the hub, with the token of a configuration where
	// it is set; none says that no token is to be sent. It is called where a
	// dataset is not on this machine, and the client closed with the dataset.
	Hub func(token secret.Secret, none bool) (*hub.Client, error)
	// Progress, which may be nil, is told what takes time: how many bytes of a
	// file were fetched, unpacked or read. total is -1 where it is not known.
	Progress func(what Work, file string, done, total int64)
}

// Work is what takes time.
type Work string

// The works.
const (
	Fetching  Work = "fetching"
	Unpacking Work = "unpacking"
	Reading   Work = "reading"
)

// Dataset is a dataset whose files are known. One of Texts, Records and
// Conversations reads it. It is not safe for concurrent use, what those return
// is.
type Dataset struct {
	description Description
	options     Options

	name    string // for messages and metadata
	parts   []part
	notes   []string
	client  *hub.Client // nil: nothing of the hub
	repo    hub.Repo
	at      string // the revision
	commit  string
	builtIn bool

	table   table.Table
	bad     table.Bad
	sources []table.Source
	// extracted are the tables of files whose rows were taken out of them.
	extracted []*table.Extracted
	facts     Facts
}

// part is a slice of a split and the files that it is in.
type part struct {
	slice
	split
	field string
	comma rune
	root  string // the folder that files are relative to; "" with a client
}

// Facts say what was opened, for the results.
type Facts struct {
	Name    string // path or name on the hub, with config and split
	Config  string
	Split   string
	Commit  string   // of the hub's repository
	Prompt  string   // the column that prompts are in, or "prompt_lambda"
	Image   string   // the column of pictures
	Rows    int      // that are usable, as far as is known
	BadRows int      // found so far
	Bad     []string // the first of them, with file, line and reason
	Files   []FileFacts
}

// FileFacts is a file of a dataset.
type FileFacts struct {
	Name   string
	Bytes  int64
	SHA256 string // in hex; "": it was not read to its end
}

// Open finds the files of a dataset. Those of the hub are fetched when they are
// read. The error is one line and names the dataset.
func Open(ctx context.Context, description Description, options Options) (*Dataset, error) {
	d := &Dataset{description: description, options: options, name: description.Path}
	if err := d.resolve(ctx); err != nil {
		_ = d.Close() // it was only read
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, named(d.name, err)
	}
	return d, nil
}

// named puts the name of a dataset before an error that does not have it.
func named(name string, err error) error {
	if strings.HasPrefix(err.Error(), "dataset "+name) {
		return err
	}
	return fmt.Errorf("dataset %s: %w", name, err)
}

// Close closes the files. What Texts and the like returned is not usable any
// more.
func (d *Dataset) Close() error {
	var errs []error
	for _, s := range d.sources {
		errs = append(errs, s.Close())
	}
	for _, e := range d.extracted {
		errs = append(errs, e.Close())
	}
	d.sources, d.extracted = nil, nil
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
	return errors.Join(errs...)
}

// Notes are what the user should know of the choices that were made.
func (d *Dataset) Notes() []string { return slices.Clone(d.notes) }

func (d *Dataset) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// Facts say what was opened. Bad rows may be found as long as it is read.
func (d *Dataset) Facts() Facts {
	f := d.facts
	f.Name, f.Commit = d.name, d.commit
	if d.table != nil {
		f.Rows = d.table.Len() - d.bad.Rows()
	}
	f.BadRows, f.Bad = d.bad.Count(), d.bad.First()
	return f
}

// resolve finds out what a path is.
func (d *Dataset) resolve(ctx context.Context) error {
	path := d.description.Path
	if d.description.builtIn() {
		d.builtIn, d.name = true, dataset.BuiltInName
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return d.folder(ctx)
	case err == nil:
		return d.file(path)
	case !errors.Is(err, fs.ErrNotExist):
		return plain(err)
	}
	if d.description.Kind == HuggingFace && slices.Contains(readers, path) {
		return d.reader(ctx)
	}
	if d.description.Kind == File || looksLikeFile(path) {
		return fmt.Errorf("there is no such file or folder (%s)", whereLooked(path))
	}
	return d.hub(ctx)
}

func whereLooked(path string) string {
	if filepath.IsAbs(path) {
		return "check the path"
	}
	if wd, err := os.Getwd(); err == nil {
		return "looked in " + wd
	}
	return "check the path"
}

// looksLikeFile tells paths that cannot be names on the hub.
func looksLikeFile(path string) bool {
	return !hub.ValidName(path) || table.FormatOf(path) != "" || table.IsImageName(path)
}

func (d *Dataset) file(path string) error {
	format := d.description.Format
	if format == "" && table.FormatOf(path) == "" {
		return fmt.Errorf("format %q is not known (give a file of %s; a folder of pictures; or a name on the Hugging Face hub)", filepath.Ext(path), table.Supported())
	}
	d.parts = []part{{split: split{name: "train", files: []string{path}}, field: d.description.Arguments.Field, comma: d.description.Arguments.Comma}}
	return nil
}

// readers are the datasets library's own "datasets", which read files.
var readers = []string{"csv", "json", "text", "parquet", "imagefolder"}

// reader reads data_files by a reader's name, as in load_dataset("json",
// data_files="a.jsonl").
func (d *Dataset) reader(ctx context.Context) error {
	a := d.description.Arguments
	if a.DataFiles == nil && a.DataDir == "" {
		return errors.New("is a reader of the datasets library, which needs data_files or data_dir in huggingface_kwargs (or give the file as source.path)")
	}
	root := "."
	if a.DataDir != "" {
		root, a.DataDir = a.DataDir, ""
	}
	root, files, err := below(root, a.DataFiles)
	if err != nil {
		return err
	}
	a.DataFiles = files
	return d.local(ctx, root, a)
}

// below makes patterns relative to the deepest folder that they are all in.
func below(root string, files []SplitFile) (string, []SplitFile, error) {
	var all []string
	common := ""
	for _, f := range files {
		for _, pattern := range f.Patterns {
			full := filepath.ToSlash(pattern)
			if !filepath.IsAbs(pattern) {
				full = filepath.ToSlash(filepath.Join(root, pattern))
			}
			base, _ := doublestar.SplitPattern(full)
			if len(all) == 0 {
				common = base
			}
			for common != base && !strings.HasPrefix(base, strings.TrimSuffix(common, "/")+"/") && common != "." && common != "/" {
				common = pathpkg.Dir(common)
			}
			all = append(all, full)
		}
	}
	if len(all) == 0 {
		return root, nil, nil
	}
	if common == "/" {
		return "", nil, errors.New("data_files are all over the machine (give a folder that they are in)")
	}
	relative := make([]SplitFile, len(files))
	for i, f := range files {
		relative[i].Split = f.Split
		for range f.Patterns {
			pattern := all[0]
			if common != "." {
				pattern = strings.TrimPrefix(pattern, strings.TrimSuffix(common, "/")+"/")
			}
			relative[i].Patterns = append(relative[i].Patterns, pattern)
			all = all[1:]
		}
	}
	return filepath.FromSlash(common), relative, nil
}

// folder opens a folder: of the hub's layout, or of pictures.
func (d *Dataset) folder(ctx context.Context) error {
	return d.local(ctx, d.description.Path, d.description.Arguments)
}

// local opens files below a folder.
func (d *Dataset) local(ctx context.Context, root string, a Arguments) error {
	files, err := filesBelow(ctx, root)
	if err != nil {
		return err
	}
	if slices.Contains(files, "state.json") && slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".arrow") }) {
		return errors.New("was written by save_to_disk, in Arrow, which is not read (write it with to_parquet or to_json)")
	}
	var readme []byte
	if slices.Contains(files, "README.md") {
		if readme, err = readSome(filepath.Join(root, "README.md")); err != nil {
			return err
		}
	}
	l, err := layoutOf(files, readme, a)
	if err != nil {
		return err
	}
	if a.Revision != "" {
		d.note("huggingface_kwargs.revision is ignored: the dataset is a folder of this machine")
	}
	return d.take(l, a, root)
}

// localFilesMax bounds the files of a folder.
const localFilesMax = 5_000_000

func filesBelow(ctx context.Context, root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", path, plain(err))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if path != root && e.IsDir() && (strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "__")) {
			return fs.SkipDir
		}
		if e.IsDir() {
			return nil
		}
		if e.Type()&fs.ModeSymlink != 0 { // as in a snapshot of the hub's cache
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				return nil
			}
		} else if !e.Type().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if files = append(files, filepath.ToSlash(relative)); len(files) > localFilesMax {
			return fmt.Errorf("has more than %d files", localFilesMax)
		}
		return nil
	})
	return files, err
}

func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, readmeBytesMax))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	return data, nil
}

// take chooses config and splits.
func (d *Dataset) take(l layout, a Arguments, root string) error {
	c, err := l.config(a.Name)
	if err != nil {
		return err
	}
	if c.absent != nil {
		return c.absent
	}
	chosen, note, err := c.choose(a.Split)
	if err != nil {
		return err
	}
	if note != "" {
		d.note("dataset %s: %s", d.description.Path, note)
	}
	var names []string
	for _, s := range chosen {
		i := slices.IndexFunc(c.splits, func(other split) bool { return other.name == s.split })
		if absent := c.splits[i].absent; absent != nil {
			return fmt.Errorf("split %s: %w", s.split, absent)
		}
		p := part{slice: s, split: c.splits[i], field: c.field, comma: c.comma, root: root}
		if a.Field != "" {
			p.field = a.Field
		}
		if a.Comma != 0 {
			p.comma = a.Comma
		}
		d.parts = append(d.parts, p)
		names = append(names, s.split)
	}
	d.facts.Split = strings.Join(names, "+")
	if a.Split != "" {
		d.facts.Split = a.Split
	}
	if c.name != defaultConfig {
		d.facts.Config = c.name
	}
	d.name = d.description.Path
	if d.facts.Config != "" {
		d.name += ", " + d.facts.Config
	}
	if len(c.splits) > 1 || a.Split != "" {
		d.name += ", " + d.facts.Split
	}
	return nil
}
