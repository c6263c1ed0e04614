package table

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// separated is a file of fields with a separator between them and the names of
// the columns in the first row. Fields that hold separators, quotes or line
// ends are in quotes (RFC 4180); a quote inside a field that is not is text.
type separated struct {
	*file
	comma   rune
	columns []string
}

func openCSV(path, name string, comma rune) (Source, error) {
	f, err := openFile(path, name)
	if err != nil {
		return nil, err
	}
	s := &separated{file: f, comma: comma}
	if err := s.header(); err != nil {
		_ = f.Close() // it was only read
		return nil, fileError(name, err)
	}
	return s, nil
}

func (s *separated) header() error {
	r := s.reader(context.Background(), Wanted{})
	names, err := r.Read()
	s.sum = ""
	if errors.Is(err, io.EOF) {
		return errors.New("is empty (it needs a first row with the names of its columns)")
	}
	if err != nil {
		return oneLine(err)
	}
	for i, name := range names {
		if !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
			return errors.New("the first row, with the names of the columns, is not UTF-8 text (convert it: iconv -f latin1 -t utf-8)")
		}
		if name = strings.TrimSpace(name); name == "" {
			name = fmt.Sprintf("Unnamed: %d", i) // as pandas calls it
		}
		s.columns = append(s.columns, name)
	}
	return nil
}

func (s *separated) Columns() []string { return s.columns }

// csvReader reads records, each of which may take no more than RowBytesMax.
type csvReader struct {
	*csv.Reader
	m       *meter
	skipped int64 // of a byte order mark
}

func (s *separated) reader(ctx context.Context, wanted Wanted) *csvReader {
	m := &meter{r: s.pass(ctx, wanted), left: RowBytesMax}
	br, skipped := skipMark(m)
	r := newCSV(br, s.comma)
	return &csvReader{r, m, skipped}
}

func newCSV(r io.Reader, comma rune) *csv.Reader {
	c := csv.NewReader(r)
	c.Comma, c.LazyQuotes, c.FieldsPerRecord, c.ReuseRecord = comma, true, -1, true
	return c
}

func (r *csvReader) Read() ([]string, error) {
	r.m.left = RowBytesMax
	return r.Reader.Read()
}

func (r *csvReader) offset() int64 { return r.InputOffset() + r.skipped }

func (s *separated) Index(ctx context.Context, wanted Wanted) (Table, error) {
	table := &csvTable{file: s.file, comma: s.comma, names: s.columns, columns: wanted.Columns}
	r := s.reader(ctx, wanted)
	if _, err := r.Read(); err != nil {
		return nil, fileError(s.name, oneLine(err))
	}
	for {
		start := r.offset()
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return table, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, errTooLong) {
			return nil, &BadRow{File: s.name, Line: s.lineAt(start), Why: errors.New("begins a row of more than 64 MiB (a quote that is not closed?)")}
		}
		if err != nil {
			return nil, fileError(s.name, oneLine(err))
		}
		if wanted.Most > 0 && table.at.n >= wanted.Most {
			return table, nil
		}
		at, _ := r.FieldPos(0)
		if r.offset() == s.size && slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(f, "\n") }) {
			if err := s.closed(start); err != nil {
				return nil, &BadRow{File: s.name, Line: at, Why: err}
			}
		}
		row, why := pick(fields, s.columns, wanted.Columns)
		if why == nil {
			why = wanted.usable(row)
		}
		if why != nil {
			wanted.Bad.Add(&BadRow{File: s.name, Line: at, Why: oneLine(why)})
			continue
		}
		table.at.add(start, r.offset()-start)
	}
}

// closed checks the last record, from start: without the laxness an open quote
// is an error. It would have swallowed the rest of the file.
func (s *separated) closed(start int64) error {
	data, err := s.piece(start, s.size-start)
	if err != nil {
		return err
	}
	r := newCSV(bytes.NewReader(data), s.comma)
	r.LazyQuotes = false
	if _, err := r.Read(); errors.Is(err, csv.ErrQuote) {
		return errors.New(`has a quote that is not closed, so that the rest of the file is one field (add the closing quote)`)
	}
	return nil
}

// pick takes the wanted columns out of a record. A record may be shorter than
// the header, not longer.
func pick(fields, names, columns []string) (Row, error) {
	if len(fields) > len(names) {
		return nil, fmt.Errorf("has %d fields, and the first row has %d (texts that hold the separator need quotes)", len(fields), len(names))
	}
	row := Row{}
	for i, field := range fields {
		name := names[i]
		if columns != nil && !slices.Contains(columns, name) {
			continue
		}
		if _, double := row[name]; double {
			continue
		}
		if !utf8.ValidString(field) {
			return nil, fmt.Errorf("column %s: %w", Clip(name), errNotUTF8)
		}
		row[name] = strings.Clone(field)
	}
	return row, nil
}

type csvTable struct {
	*file
	comma   rune
	names   []string
	columns []string
	at      spans
}

func (t *csvTable) Len() int { return t.at.n }

func (t *csvTable) Place(i int) string { return t.place(t.at.at(i)) }

func (t *csvTable) Row(i int) (Row, error) {
	data, err := t.piece(t.at.at(i))
	if err != nil {
		return nil, err
	}
	fields, err := newCSV(bytes.NewReader(data), t.comma).Read()
	if err == nil {
		var row Row
		if row, err = pick(fields, t.names, t.columns); err == nil {
			return row, nil
		}
	}
	return nil, &BadRow{File: t.name, Line: i + 1, Unit: "row", Why: oneLine(err)}
}
