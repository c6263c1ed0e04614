package table

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
)

// extractedMemory is how many bytes of extracted texts are held in memory; more
// go into a temporary file.
const extractedMemory = 32 << 20

// ExtractedColumn is the column of extracted texts: no column of a file.
const ExtractedColumn = "\x00extracted"

// Extracted is a text for every row of a table that is usable, which is read in
// any order in microseconds. It is for tables that take milliseconds for that,
// because they have to unpack the rows around it, as Parquet does.
type Extracted struct {
	name   string
	from   Table
	at     spans
	absent []int // rows of from that were left out, ascending
	memory []byte
	file   *os.File // nil: all is in memory
	gone   bool     // the file has no name any more
}

// scanner is a table that is read from end to end faster than row by row. do
// returns false where it has enough; row is not used after it.
type scanner interface {
	scan(ctx context.Context, do func(i int, row Row, why error) (more bool)) error
}

// Extract reads a table from end to end. Rows for which text returns an error are
// left out and told to wanted.Bad; wanted.Most and wanted.Progress, which counts
// rows, apply. name is for messages.
func Extract(ctx context.Context, t Table, name string, wanted Wanted, text func(Row) (string, error)) (*Extracted, error) {
	x := &extraction{Extracted: &Extracted{name: name, from: t}}
	each := func(i int, row Row, why error) bool {
		if wanted.Most > 0 && x.at.n >= wanted.Most {
			return false
		}
		if i%1024 == 0 {
			wanted.progress(int64(i), int64(t.Len()))
		}
		var value string
		if why == nil {
			value, why = text(row)
		}
		if why == nil {
			x.keep(value)
			return x.failure == nil
		}
		var placed *BadRow
		if !errors.As(why, &placed) {
			why = fmt.Errorf("%s: %w", t.Place(i), oneLine(why))
		}
		wanted.Bad.Add(why)
		x.absent = append(x.absent, i)
		return true
	}
	var err error
	if s, ok := t.(scanner); ok {
		err = s.scan(ctx, each)
	} else {
		err = scanRows(ctx, t, each)
	}
	if err == nil {
		err = x.end()
	}
	if err != nil {
		_ = x.Close() // the first error is the one that matters
		return nil, err
	}
	return x.Extracted, nil
}

// extraction is an Extracted that is being made.
type extraction struct {
	*Extracted
	out     *bufio.Writer // into file
	size    int64
	failure error // of writing
}

// keep appends a text.
func (x *extraction) keep(value string) {
	if x.file == nil && len(x.memory)+len(value) >= extractedMemory {
		if x.file, x.failure = os.CreateTemp("", "genai-bench-dataset-*.texts"); x.failure != nil {
			return
		}
		// Without a name it goes with the process, however that ends; not
		// everywhere can a file that is open lose its name.
		x.gone = os.Remove(x.file.Name()) == nil
		x.out = bufio.NewWriterSize(x.file, 1<<20)
		_, _ = x.out.Write(x.memory) // Flush has the error
		x.memory = nil
	}
	// A byte between two texts makes their places cheap to remember.
	x.at.add(x.size, int64(len(value)))
	x.size += int64(len(value)) + 1
	if x.file == nil {
		x.memory = append(append(x.memory, value...), '\n')
		return
	}
	_, _ = x.out.WriteString(value)
	x.failure = x.out.WriteByte('\n') // which has the error of what was before
}

// end writes what is left.
func (x *extraction) end() error {
	if x.failure == nil && x.out != nil {
		x.failure = x.out.Flush()
	}
	if x.failure != nil {
		return fmt.Errorf("%s: its texts in a temporary file: %w (set TMPDIR to a folder with room)", x.name, plain(x.failure))
	}
	return nil
}

func scanRows(ctx context.Context, t Table, do func(int, Row, error) bool) error {
	for i := range t.Len() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := t.Row(i)
		var bad *BadRow
		if err != nil && !errors.As(err, &bad) {
			return err
		}
		if !do(i, row, err) {
			return nil
		}
	}
	return nil
}

// Len implements Table.
func (e *Extracted) Len() int { return e.at.n }

// Row implements Table: the text is in ExtractedColumn.
func (e *Extracted) Row(i int) (Row, error) {
	start, length := e.at.at(i)
	if e.file == nil {
		return Row{ExtractedColumn: string(e.memory[start : start+length])}, nil
	}
	data := make([]byte, length)
	if _, err := e.file.ReadAt(data, start); err != nil {
		return nil, fmt.Errorf("%s: its texts in the temporary file %s: %w", e.name, e.file.Name(), plain(err))
	}
	return Row{ExtractedColumn: string(data)}, nil
}

// Place implements Table.
func (e *Extracted) Place(i int) string {
	left := sort.Search(len(e.absent), func(k int) bool { return e.absent[k]-k > i })
	return e.from.Place(i + left)
}

// Close removes the temporary file. Nothing is to be read after it.
func (e *Extracted) Close() error {
	if e.file == nil {
		return nil
	}
	err := e.file.Close()
	if !e.gone {
		err = errors.Join(err, os.Remove(e.file.Name()))
	}
	e.file = nil
	return err
}
