package open

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/core/hub"
)

// mainBranch is what a revision means where none is named.
const mainBranch = "main"

// hub finds a dataset of the hub: its files at the revision where they can be
// read, else the Parquet that the hub made of it.
func (d *Dataset) hub(ctx context.Context) (err error) {
	a := d.description.Arguments
	if d.options.Hub == nil {
		return errors.New("is no file or folder here")
	}
	if d.client, err = d.options.Hub(a.Token, a.NoToken); err != nil {
		return err
	}
	d.repo, d.at = hub.Dataset(d.description.Path), a.Revision
	if d.at == "" {
		d.at = mainBranch
	}
	problem := d.repository(ctx, a)
	if problem == nil || ctx.Err() != nil {
		return problem
	}
	if a.Revision != "" && a.Revision != mainBranch || a.DataFiles != nil || a.DataDir != "" || errors.Is(problem, hub.ErrDenied) || isChoice(problem) {
		return d.notFound(problem)
	}
	if errors.Is(problem, hub.ErrNotFound) {
		return d.notFound(problem)
	}
	if errors.Is(problem, hub.ErrUnreachable) {
		if _, _, err := d.client.Snapshot(d.repo, parquetBranch); err != nil {
			return d.notFound(problem) // and nobody waits for the hub twice
		}
	}
	converted := d.converted(ctx, a)
	switch {
	case converted == nil, isChoice(converted):
		return converted
	case errors.Is(converted, hub.ErrNotFound) || errors.Is(converted, hub.ErrOffline) || errors.Is(converted, hub.ErrUnreachable):
		return d.notFound(problem)
	}
	return converted
}

// choice is an error of what the user chose, which no other branch can mend.
type choice struct{ error }

func (c choice) Unwrap() error { return c.error }

func isChoice(err error) bool {
	var c choice
	return errors.As(err, &c)
}

// notFound says where else a dataset could have been.
func (d *Dataset) notFound(err error) error {
	if d.description.Kind == Anywhere && (errors.Is(err, hub.ErrNotFound) || errors.Is(err, hub.ErrOffline) || errors.Is(err, hub.ErrUnreachable) || errors.Is(err, hub.ErrDenied)) {
		return fmt.Errorf("is no file or folder here, and the Hugging Face hub gives none: %w", err)
	}
	return err
}

// repository uses the files of the repository itself.
func (d *Dataset) repository(ctx context.Context, a Arguments) error {
	listing, err := d.client.List(ctx, d.repo, d.at)
	if err != nil {
		return err
	}
	d.commit = listing.Commit
	var readme []byte
	if slices.Contains(listing.Files, "README.md") {
		path, err := d.fetch(ctx, "README.md")
		if err != nil {
			return err
		}
		if readme, err = readSome(path); err != nil {
			return err
		}
	}
	l, err := layoutOf(listing.Files, readme, a)
	if err != nil {
		return d.incomplete(listing, err)
	}
	if a.Name != "" && len(l.configs) == 1 && l.configs[0].name == defaultConfig && a.Name != defaultConfig {
		// Without configs of its own it may have a script that knows some.
		_, err := l.config(a.Name)
		return err
	}
	if err := d.take(l, a, ""); err != nil {
		if listing.Unasked != nil {
			return d.incomplete(listing, err)
		}
		return choice{err}
	}
	if slices.ContainsFunc(d.parts, func(p part) bool { return p.pictures }) {
		// Thousands of small files: the hub's Parquet has them in a few.
		d.parts, d.notes = nil, nil
		return errors.New("has pictures as single files, and the hub made no Parquet of it (clone it, and give the folder)")
	}
	if listing.Unasked != nil {
		for _, p := range d.parts {
			if absent := absentShards(p.files); len(absent) > 0 {
				d.parts, d.notes = nil, nil
				return d.incomplete(listing, fmt.Errorf("the cache lacks %s", enumerate(absent)))
			}
		}
		d.note("dataset %s: the hub was not asked (%v): its files in the cache are taken to be all", d.description.Path, listing.Unasked)
	}
	return nil
}

// incomplete words what is missing of a dataset of which only the cache is known.
func (d *Dataset) incomplete(listing hub.Listing, err error) error {
	if listing.Unasked == nil {
		return err
	}
	return fmt.Errorf("%w (only the cache was looked in, %s: %w)", err,
		filepath.Join(d.client.CacheDir(), "datasets--"+strings.ReplaceAll(d.repo.Name(), "/", "--"), "snapshots", listing.Commit), listing.Unasked)
}

// converted uses the Parquet that the hub made.
func (d *Dataset) converted(ctx context.Context, a Arguments) error {
	listing, err := d.client.List(ctx, d.repo, parquetBranch)
	if err != nil {
		return err
	}
	l, partial := convertedLayout(listing.Files)
	if len(l.configs) == 0 {
		return d.incomplete(listing, errNoData)
	}
	d.at, d.commit = parquetBranch, listing.Commit
	if err := d.take(l, a, ""); err != nil {
		return choice{d.incomplete(listing, err)}
	}
	if listing.Unasked != nil {
		d.note("dataset %s: the hub was not asked (%v): its files in the cache are taken to be all", d.description.Path, listing.Unasked)
	}
	c, err := l.config(a.Name)
	for _, p := range d.parts {
		if err == nil && slices.Contains(partial, c.name+"/"+p.split.name) {
			d.note("dataset %s: the hub made Parquet of a part of split %s only, which is what is read", d.description.Path, p.split.name)
		}
	}
	return nil
}

// fetch returns the path of a file of the repository.
func (d *Dataset) fetch(ctx context.Context, file string) (string, error) {
	return d.client.Fetch(ctx, d.repo, d.at, d.commit, file, func(file string, done, total int64) {
		d.progress(Fetching, file, done, total)
	})
}

func (d *Dataset) progress(what Work, file string, done, total int64) {
	if d.options.Progress != nil {
		d.options.Progress(what, file, done, total)
	}
}
