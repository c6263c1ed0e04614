// Package dataset reads what prompts are made of.
//
// Every format ends in the same interface, Texts: numbered entries that can be
// read in any order, because which entry request i takes is a function of the
// seed. A loader for a format that is too large for memory keeps an index of
// where its entries are and reads them when asked.
package dataset

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Texts is a finite, ordered collection of texts. Implementations are safe for
// concurrent use and do not change once made.
type Texts interface {
	// Name says what the collection is, for messages and metadata: a path, a
	// hub name with its split, or BuiltInName.
	Name() string

	// Len is the number of entries, at least 1.
	Len() int

	// Text returns entry i, 0 ≤ i < Len(): valid UTF-8, not blank. The error
	// says file and line; it is final for that entry.
	Text(i int) (string, error)
}

// All walks through the entries in order. It stops after the first error.
func All(t Texts) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for i := range t.Len() {
			text, err := t.Text(i)
			if !yield(text, err) || err != nil {
				return
			}
		}
	}
}

// lines is a collection that is held in memory.
type lines struct {
	name    string
	entries []string
}

// FromLines makes a collection of texts in memory. It keeps the slice.
func FromLines(name string, entries []string) Texts { return lines{name, entries} }

func (l lines) Name() string               { return l.name }
func (l lines) Len() int                   { return len(l.entries) }
func (l lines) Text(i int) (string, error) { return l.entries[i], nil }

// format is one kind of file.
type format struct {
	name     string
	suffixes []string // lower case
	load     func(path string) (Texts, error)
}

func formats() []format {
	return []format{
		{"text, a line an entry", []string{".txt"}, LoadText},
	}
}

// Load reads the collection that --dataset-path names: "" and "default" are
// the built-in text; else it is a file, whose suffix (in any case) tells the
// format.
func Load(path string) (Texts, error) {
	if path == "" || path == BuiltInName {
		return BuiltIn(), nil
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return nil, fmt.Errorf("dataset %s: no such file (give the path of a %s)", path, supported())
	case err != nil:
		return nil, fmt.Errorf("dataset %s: %w", path, plain(err))
	case info.IsDir():
		return nil, fmt.Errorf("dataset %s: is a folder (give the path of a %s)", path, supported())
	}
	suffix := strings.ToLower(filepath.Ext(path))
	for _, f := range formats() {
		if slices.Contains(f.suffixes, suffix) {
			return f.load(path)
		}
	}
	return nil, fmt.Errorf("dataset %s: format %q is not known (give the path of a %s)", path, suffix, supported())
}

// supported says which files Load reads.
func supported() string {
	var texts []string
	for _, f := range formats() {
		texts = append(texts, fmt.Sprintf("%s file (%s)", strings.Join(f.suffixes, ", "), f.name))
	}
	return strings.Join(texts, ", ")
}

// plain takes the path out of an error of package os, where the message names
// it already.
func plain(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
