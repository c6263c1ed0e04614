package table

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
)

// Row is some or all columns of a row: nil, bool, string, []byte, json.Number,
// int32, int64, float32, float64, []any, map[string]any, and picture paths as
// Path. A column that the row does not have is not in it.
type Row map[string]any

// Path is a file of this machine, as a folder of pictures has.
type Path string

// Table is indexed rows. It is safe for concurrent use.
type Table interface {
	// Len is the number of rows; it may be 0.
	Len() int
	// Row reads row i, 0 ≤ i < Len(), with the columns that the table was
	// indexed for. The error is a *BadRow where others may still be good.
	Row(i int) (Row, error)
	// Place says where row i is: file and line. It may read the file up to
	// there.
	Place(i int) string
}

// Source is an open file or folder whose rows are not indexed yet.
type Source interface {
	// Columns are the names of the columns, in the file's order. Files without
	// a header tell those of their first rows.
	Columns() []string
	// Index finds the rows. The table reads from the source, so that it is used
	// up to Close.
	Index(ctx context.Context, wanted Wanted) (Table, error)
	// SHA256 is the checksum of the file in hex, where Index has read it to its
	// end; else "".
	SHA256() string
	Close() error
}

// Wanted is what a table is indexed for.
type Wanted struct {
	// Columns to read; nil for all. Names that are not there are ignored.
	Columns []string
	// Usable tells whether a row is good; nil: all are. Parquet and folders do
	// not ask it: their rows are checked by whoever reads them.
	Usable func(Row) error
	// Bad is told of every row that is left out.
	Bad *Bad
	// Most rows that are wanted; 0: all. Where so many were found the rest is
	// not read.
	Most int
	// Progress, which may be nil, is told how many of the file's bytes were read.
	Progress func(done, total int64)
}

func (w Wanted) usable(row Row) error {
	if w.Usable == nil {
		return nil
	}
	return w.Usable(row)
}

func (w Wanted) progress(done, total int64) {
	if w.Progress != nil {
		w.Progress(done, total)
	}
}

// BadRow is a row that cannot be used, and where it is.
type BadRow struct {
	File string
	Line int    // counted from 1; 0: not known
	Unit string // what Line counts; "" is lines
	Why  error
}

func (b *BadRow) Error() string {
	unit := b.Unit
	if unit == "" {
		unit = "line"
	}
	if b.Line == 0 {
		return fmt.Sprintf("%s: %v", b.File, b.Why)
	}
	return fmt.Sprintf("%s, %s %d: %v", b.File, unit, b.Line, b.Why)
}

func (b *BadRow) Unwrap() error { return b.Why }

// shown is how many bad rows are remembered with their reasons.
const shown = 5

// Bad counts rows that were left out. It is safe for concurrent use.
type Bad struct {
	mu    sync.Mutex
	count int
	first []string
	rows  map[int]struct{} // those found while reading, by index
}

// Add counts a row.
func (b *Bad) Add(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(err)
}

func (b *Bad) add(err error) {
	b.count++
	if len(b.first) < shown {
		b.first = append(b.first, err.Error())
	}
}

// AddRow counts row i of a table once, however often it is found to be bad.
func (b *Bad) AddRow(t Table, i int, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.rows[i]; known {
		return
	}
	if b.rows == nil {
		b.rows = map[int]struct{}{}
	}
	b.rows[i] = struct{}{}
	var placed *BadRow
	if !errors.As(why, &placed) && len(b.first) < shown {
		why = fmt.Errorf("%s: %w", t.Place(i), oneLine(why))
	}
	b.add(why)
}

// Has tells whether row i was counted by AddRow.
func (b *Bad) Has(i int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, known := b.rows[i]
	return known
}

// Rows is how many rows of the table were counted by AddRow.
func (b *Bad) Rows() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rows)
}

// Count is how many rows were left out.
func (b *Bad) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// First are the first few of them, each with file, line and reason.
func (b *Bad) First() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.first...)
}

// Part is a piece of a table: rows From to below To.
type Part struct {
	Table
	From, To int
}

// Join puts parts after one another.
func Join(parts []Part) Table {
	if len(parts) == 1 && parts[0].From == 0 && parts[0].To == parts[0].Table.Len() {
		return parts[0].Table
	}
	j := &joined{parts: parts, ends: make([]int, len(parts))}
	total := 0
	for i, p := range parts {
		total += p.To - p.From
		j.ends[i] = total
	}
	return j
}

type joined struct {
	parts []Part
	ends  []int
}

func (j *joined) Len() int {
	if len(j.ends) == 0 {
		return 0
	}
	return j.ends[len(j.ends)-1]
}

// find returns the part that row i is in, and its number there.
func (j *joined) find(i int) (Table, int) {
	k := sort.SearchInts(j.ends, i+1)
	p := j.parts[k]
	return p.Table, p.To - (j.ends[k] - i)
}

func (j *joined) Row(i int) (Row, error) {
	t, k := j.find(i)
	return t.Row(k)
}

func (j *joined) Place(i int) string {
	t, k := j.find(i)
	return t.Place(k)
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

// oneLine makes an error's text fit a message's line.
func oneLine(err error) error {
	text := err.Error()
	if !strings.ContainsAny(text, "\n\r") {
		return err
	}
	return errors.New(strings.Join(strings.Fields(text), " "))
}

// Clip cuts a text that comes from a file to what fits an error's line.
func Clip(text string) string {
	const most = 40
	runes := 0
	for i := range text {
		if runes == most {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}
