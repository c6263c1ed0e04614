// Package dataset says what prompts are made of, and has the built-in text.
//
// Every format ends in one of three interfaces, Texts, Records or Conversations:
// numbered entries that can be read in any order, because which entry request i
// takes is a function of the seed. Package open makes them of files and of
// datasets of the hub.
package dataset

import "iter"

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
