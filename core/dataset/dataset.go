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

// Records is a finite, ordered collection of prompts with pictures.
// Implementations are safe for concurrent use.
type Records interface {
	// Name is as in Texts.
	Name() string

	// Len is the number of rows, at least 1. Some may turn out to be unusable.
	Len() int

	// Record returns row i, 0 ≤ i < Len(), or, where that is not usable, the
	// next one that is, round the end: always the same for the same i. A row
	// without a picture that can be read is not usable; it is counted once.
	// The error means that no row is left, or that reading failed.
	Record(i int) (Record, error)

	// Reject says that a row is not usable after all: its picture has a good
	// header and cannot be decoded. Ask Record(i) again for the next one. The
	// error means that no row is left.
	Reject(row int, reason error) error
}

// Record is a prompt with pictures.
type Record struct {
	Row      int    // where it is in the collection; not always what was asked for
	Text     string // may be empty: a folder of pictures has no prompts
	Pictures []Picture
}

// Picture is one of a record. It has an address or data, never both.
type Picture struct {
	URL    string // http(s), for the server to fetch
	Data   []byte // an encoded picture whose header has been read; not to be changed
	Format string // of Data: "png", "jpeg", "gif", "webp", "bmp" or "tiff"
	Width  int    // of Data, in pixels
	Height int
}

// Roles of turns. Other roles of a dataset, such as "tool", keep their names.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Turn is one message of a conversation.
type Turn struct {
	Role string // RoleUser also for "human", RoleAssistant for "gpt" and the like
	Text string // valid UTF-8, not blank
}

// Conversations is a finite, ordered collection of conversations.
// Implementations are safe for concurrent use.
type Conversations interface {
	// Name is as in Texts.
	Name() string

	// Len is the number of conversations, at least 1.
	Len() int

	// Conversation returns conversation i, 0 ≤ i < Len(), in its order. At least
	// one turn is the user's.
	Conversation(i int) ([]Turn, error)
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
