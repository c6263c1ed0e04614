package open

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/dataset/table"
	"github.com/genai-bench/genai-bench/core/nearest"
)

// reading is what a kind of collection wants of rows.
type reading struct {
	// columns chooses the columns to be read from those that there are; nil is
	// all of them.
	columns func(there []string) ([]string, error)
	// usable is asked for rows when they are indexed, and again when they are
	// read.
	usable func(table.Row) error
	// extract, which may be nil, makes of a row the text that is all that is
	// wanted of it: Parquet's rows are then read once, not one by one.
	extract func(table.Row) (string, error)
	// extractMost bounds, in bytes, the files that this is done with; 0: all.
	extractMost int64
}

// index finds the rows of all parts.
func (d *Dataset) index(ctx context.Context, r reading) error {
	if d.table != nil {
		return errors.New("is being read already")
	}
	var all []table.Part
	var opened []partTables
	for _, p := range d.parts {
		// Slices of one split share its files.
		i := slices.IndexFunc(opened, func(o partTables) bool { return o.split == p.split.name && o.most == p.most() })
		if i < 0 {
			tables, err := d.indexFiles(ctx, p, r)
			if err != nil {
				return err
			}
			i = len(opened)
			opened = append(opened, partTables{p.split.name, p.most(), table.Join(tables)})
		}
		t := opened[i].table
		from, to := p.of(t.Len())
		all = append(all, table.Part{Table: t, From: from, To: to})
	}
	d.table = table.Join(all)
	if d.table.Len() == 0 {
		if first := d.bad.First(); len(first) > 0 {
			return fmt.Errorf("none of its %d rows is usable; the first: %s", d.bad.Count(), first[0])
		}
		return errors.New("has no rows")
	}
	return nil
}

type partTables struct {
	split string
	most  int
	table table.Table
}

// indexFiles indexes the files of a split, as many as are needed.
func (d *Dataset) indexFiles(ctx context.Context, p part, r reading) (parts []table.Part, err error) {
	most, found := p.most(), 0
	files := p.files
	if p.pictures {
		files = files[:1]
	}
	for _, file := range files {
		source, path, err := d.openFile(ctx, p, file)
		if err != nil {
			return nil, err
		}
		d.sources = append(d.sources, source)
		columns, err := r.columns(source.Columns())
		if err != nil {
			return nil, err
		}
		wanted := table.Wanted{Columns: columns, Usable: r.usable, Bad: &d.bad, Progress: func(done, total int64) { d.progress(Reading, file, done, total) }}
		if most > 0 {
			wanted.Most = most - found
		}
		t, err := d.indexSource(ctx, source, path, file, wanted, r)
		if err != nil {
			return nil, err
		}
		parts = append(parts, table.Part{Table: t, From: 0, To: t.Len()})
		found += t.Len()
		if !p.pictures {
			if err := d.remember(ctx, file, path, source); err != nil {
				return nil, err
			}
		}
		if _, ok := t.(*table.Extracted); ok {
			// Nothing more is read of it, and there may be many.
			if err := source.Close(); err != nil {
				return nil, fmt.Errorf("%s: %w", file, plain(err))
			}
			d.sources = d.sources[:len(d.sources)-1]
		}
		if most > 0 && found >= most {
			break
		}
	}
	return parts, nil
}

// indexSource indexes a file, or takes out of it what is wanted.
func (d *Dataset) indexSource(ctx context.Context, source table.Source, path, file string, wanted table.Wanted, r reading) (table.Table, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, plain(err))
	}
	if r.extract == nil || d.formatOf(file) != table.Parquet || r.extractMost > 0 && info.Size() > r.extractMost {
		return source.Index(ctx, wanted)
	}
	all := wanted
	all.Most = 0 // that many usable rows are wanted
	t, err := source.Index(ctx, all)
	if err != nil {
		return nil, err
	}
	wanted.Progress = func(row, rows int64) {
		d.progress(Reading, file, int64(float64(info.Size())*float64(row)/float64(max(rows, 1))), info.Size())
	}
	name := file
	if d.client == nil {
		name = path
	}
	e, err := table.Extract(ctx, t, name, wanted, r.extract)
	if err != nil {
		return nil, err
	}
	d.extracted = append(d.extracted, e)
	return e, nil
}

// openFile opens a file of a part, or its folder of pictures.
func (d *Dataset) openFile(ctx context.Context, p part, file string) (source table.Source, path string, err error) {
	if p.pictures {
		wanted := make(map[string]struct{}, len(p.files))
		for _, f := range p.files {
			wanted[f] = struct{}{}
		}
		source, err = table.OpenFolder(ctx, p.root, p.root, func(path string) bool { _, ok := wanted[path]; return ok })
		return source, p.root, err
	}
	path, name := filepath.Join(p.root, filepath.FromSlash(file)), ""
	switch {
	case d.client != nil:
		if path, err = d.fetch(ctx, file); err != nil {
			return nil, "", err
		}
		name = d.repo.Name() + "/" + file
	case p.root == "":
		path, name = file, file
	default:
		name = path
	}
	o := table.Options{Format: d.formatOf(file), Field: p.field, Comma: p.comma, Progress: func(done, total int64) { d.progress(Unpacking, file, done, total) }}
	source, err = table.Open(ctx, path, name, o)
	return source, path, err
}

func (d *Dataset) formatOf(file string) table.Format {
	if d.description.Format != "" {
		return d.description.Format
	}
	return table.FormatOf(file)
}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// remember notes a file's size and checksum.
func (d *Dataset) remember(ctx context.Context, name, path string, source table.Source) error {
	f := FileFacts{Name: name, SHA256: source.SHA256()}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s: %w", name, plain(err))
	}
	f.Bytes = info.Size()
	if f.SHA256 == "" && d.client != nil {
		// The cache names large files by what the hub says is their checksum, and
		// they were verified when they came.
		if blob, err := filepath.EvalSymlinks(path); err == nil && hexSHA256.MatchString(filepath.Base(blob)) {
			f.SHA256 = filepath.Base(blob)
		}
	}
	if f.SHA256 == "" && d.formatOf(name) == table.Parquet {
		if f.SHA256, err = d.checksum(ctx, name, path, f.Bytes); err != nil {
			return err
		}
	}
	d.facts.Files = append(d.facts.Files, f)
	return nil
}

// checksum reads a file for its checksum alone: Parquet is not read otherwise.
func (d *Dataset) checksum(ctx context.Context, name, path string, size int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, plain(err))
	}
	defer f.Close()
	sum, buf, done := sha256.New(), make([]byte, 1<<20), int64(0)
	for {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := f.Read(buf)
		sum.Write(buf[:n])
		done += int64(n)
		d.progress(Reading, name, done, size)
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, plain(err))
		}
	}
}

// noColumn is the error of a column that is not there.
func noColumn(flag, name string, there []string) error {
	hint := "it has " + enumerate(clipAll(there))
	if near := nearest.Words(name, there); len(near) > 0 {
		hint += "; did you mean " + strings.Join(clipAll(near), " or ") + "?"
	}
	return fmt.Errorf("has no column %q, which %s names (%s)", clip(name), flag, hint)
}

func clipAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = clip(n)
	}
	return out
}
