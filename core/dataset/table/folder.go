package table

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Columns of a folder of pictures, beside those of its metadata file.
const (
	ImageColumn = "image"
	fileColumn  = "file_name"
)

// metadataFiles hold captions and the like, a row for each picture, with its
// path relative to them in file_name, as in the datasets library's imagefolder.
var metadataFiles = []string{"metadata.csv", "metadata.jsonl", "metadata.parquet"}

// metadataRowsMax bounds a metadata file, which is held in memory.
const metadataRowsMax = 5_000_000

// ImageSuffixes are those of files that count as pictures in a folder, in lower
// case.
var ImageSuffixes = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// IsImageName tells a picture by its suffix.
func IsImageName(name string) bool {
	return slices.Contains(ImageSuffixes, strings.ToLower(filepath.Ext(name)))
}

// folder is the pictures below a folder, in the order of their paths.
type folder struct {
	name    string
	files   []string // relative
	root    string
	left    map[string]struct{} // pictures that are not wanted
	rows    map[string]Row      // of the metadata file, by relative path
	order   []string            // paths of the metadata file, in its order
	columns []string            // of the metadata file
	bad     []error             // rows of the metadata file that cannot be used
}

// OpenFolder opens a folder of pictures; name is for messages. keep tells by its
// path, relative and with slashes, whether a picture is wanted; nil: all are.
func OpenFolder(ctx context.Context, root, name string, keep func(path string) bool) (Source, error) {
	f := &folder{name: name, root: root, left: map[string]struct{}{}}
	var metadata []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", path, plain(err))
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case path != root && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch relative = filepath.ToSlash(relative); {
		case IsImageName(path) && keep != nil && !keep(relative):
			f.left[relative] = struct{}{}
		case IsImageName(path):
			f.files = append(f.files, relative)
		case slices.Contains(metadataFiles, strings.ToLower(e.Name())):
			metadata = append(metadata, relative)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(f.files) == 0 {
		return nil, fmt.Errorf("%s: has no picture in it (%s)", name, strings.Join(ImageSuffixes, ", "))
	}
	slices.Sort(f.files) // a walk sorts folder by folder: a/x is before a-b/x
	for _, m := range metadata {
		if err := f.readMetadata(ctx, m); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *folder) readMetadata(ctx context.Context, relative string) error {
	name := f.name + "/" + relative
	source, err := Open(ctx, filepath.Join(f.root, filepath.FromSlash(relative)), name, Options{})
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }() // it is only read
	if !slices.Contains(source.Columns(), fileColumn) {
		return fmt.Errorf("%s: has no column %s, but %s (it says which picture a row is about)", name, fileColumn, list(source.Columns()))
	}
	var bad Bad
	table, err := source.Index(ctx, Wanted{Bad: &bad, Most: metadataRowsMax})
	if err != nil {
		return err
	}
	for _, c := range source.Columns() {
		if c != fileColumn && c != ImageColumn && !slices.Contains(f.columns, c) {
			f.columns = append(f.columns, c)
		}
	}
	if f.rows == nil {
		f.rows = map[string]Row{}
	}
	dir := filepath.ToSlash(filepath.Dir(filepath.FromSlash(relative)))
	for i := range table.Len() {
		row, err := table.Row(i)
		if err != nil {
			return err
		}
		picture, ok := row[fileColumn].(string)
		if !ok {
			f.bad = append(f.bad, &BadRow{File: name, Line: i + 1, Unit: "row", Why: errors.New("file_name is no text")})
			continue
		}
		path := filepath.ToSlash(filepath.Join(filepath.FromSlash(dir), filepath.FromSlash(picture)))
		if _, left := f.left[path]; left {
			continue
		}
		if _, found := slices.BinarySearch(f.files, path); !found {
			f.bad = append(f.bad, &BadRow{File: name, Line: i + 1, Unit: "row", Why: fmt.Errorf("there is no picture %s", Clip(picture))})
			continue
		}
		delete(row, fileColumn)
		if _, double := f.rows[path]; !double {
			f.order = append(f.order, path)
		}
		f.rows[path] = row
	}
	for _, text := range bad.First() {
		f.bad = append(f.bad, errors.New(text))
	}
	for range bad.Count() - len(bad.First()) {
		f.bad = append(f.bad, fmt.Errorf("%s: more rows are bad", name))
	}
	return nil
}

func (f *folder) Columns() []string { return append([]string{ImageColumn}, f.columns...) }
func (f *folder) SHA256() string    { return "" }
func (f *folder) Close() error      { return nil }

func (f *folder) Index(_ context.Context, wanted Wanted) (Table, error) {
	if wanted.Bad != nil {
		for _, b := range f.bad {
			wanted.Bad.Add(b)
		}
	}
	t := &folderTable{folder: f, files: f.files}
	if f.rows != nil {
		t.files = f.order
	}
	if wanted.Most > 0 {
		t.files = t.files[:min(len(t.files), wanted.Most)]
	}
	return t, nil
}

type folderTable struct {
	*folder
	files []string
}

func (t *folderTable) Len() int { return len(t.files) }

func (t *folderTable) Place(i int) string { return t.name + "/" + t.files[i] }

func (t *folderTable) Row(i int) (Row, error) {
	row := Row{ImageColumn: Path(filepath.Join(t.root, filepath.FromSlash(t.files[i])))}
	for name, value := range t.rows[t.files[i]] {
		if name != ImageColumn {
			row[name] = value
		}
	}
	return row, nil
}
