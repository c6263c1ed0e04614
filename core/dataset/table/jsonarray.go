package table

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// jsonArray is a file with one list of rows; field names the object's key that
// holds it, "" where the list is the file.
type jsonArray struct {
	*file
	field   string
	columns []string
}

// openJSON opens a .json file: one list, one object with the list under field,
// or, as is common, JSON lines.
func openJSON(path, name, field string) (Source, error) {
	f, err := openFile(path, name)
	if err != nil {
		return nil, err
	}
	if field == "" {
		isLines, err := looksLikeJSONLines(f)
		if err != nil {
			_ = f.Close() // it was only read
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if isLines {
			_ = f.Close() // it was only read
			return openJSONLines(path, name)
		}
	}
	s := &jsonArray{file: f, field: field}
	rows := 0
	err = s.walk(context.Background(), Wanted{}, func(_ int64, data []byte) (bool, error) {
		s.columns = jsonColumns(s.columns, data)
		rows++
		return rows < sniffed, nil
	})
	if err != nil && rows == 0 {
		_ = f.Close() // it was only read
		return nil, err
	}
	f.sum = ""
	return s, nil
}

// looksLikeJSONLines tells JSON lines from a list: an object, and another one
// behind it.
func looksLikeJSONLines(f *file) (bool, error) {
	m := &meter{r: f.pass(context.Background(), Wanted{}), left: RowBytesMax}
	br, _ := skipMark(m)
	dec := json.NewDecoder(br)
	first, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return false, errors.New("is empty (it needs a list of rows)")
	case err != nil:
		return false, fmt.Errorf("is not JSON: %w", oneLine(err))
	case first == json.Delim('['):
		return false, nil
	case first != json.Delim('{'):
		return false, fmt.Errorf("begins with %s, not with a list or an object", Clip(fmt.Sprint(first)))
	}
	for depth := 1; depth > 0; {
		token, err := dec.Token()
		if err != nil {
			return false, nil // reading it as a list says what is wrong, and where
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	second, err := dec.Token()
	return err == nil && second == json.Delim('{'), nil
}

// skipMark leaves out a byte order mark and says how long it was.
func skipMark(r io.Reader) (*bufio.Reader, int64) {
	br := bufio.NewReader(r)
	if mark, _ := br.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		n, _ := br.Discard(len(mark)) // they have just been peeked
		return br, int64(n)
	}
	return br, 0
}

func (s *jsonArray) Columns() []string { return s.columns }

// meter fails when one row takes more bytes than a row may have.
type meter struct {
	r    io.Reader
	left int64
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errTooLong
	}
	n, err := m.r.Read(p)
	m.left -= int64(n)
	return n, err
}

// walk calls do with every element of the list, its place and its text.
func (s *jsonArray) walk(ctx context.Context, wanted Wanted, do func(start int64, data []byte) (bool, error)) error {
	m := &meter{r: s.pass(ctx, wanted), left: RowBytesMax}
	br, skipped := skipMark(m)
	dec := json.NewDecoder(br)
	dec.UseNumber()
	rows := 0
	fail := func(err error) error {
		var syntax *json.SyntaxError
		at := dec.InputOffset()
		if errors.As(err, &syntax) {
			at = syntax.Offset
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err, at = errUnexpectedEnd, s.size-skipped
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &BadRow{File: s.name, Line: s.lineAt(at + skipped), Why: fmt.Errorf("row %d of the list: %w", rows+1, oneLine(err))}
	}
	if err := s.enter(dec); err != nil {
		var bad *BadRow
		if errors.As(err, &bad) {
			return err
		}
		return fail(err)
	}
	for dec.More() {
		m.left = RowBytesMax
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fail(err)
		}
		rows++
		more, err := do(dec.InputOffset()+skipped-int64(len(raw)), raw)
		if err != nil || !more {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fail(err)
	}
	return s.drain(dec, m)
}

// drain reads what follows the list, for the checksum; only an object that held
// the list may go on.
func (s *jsonArray) drain(dec *json.Decoder, m *meter) error {
	m.left = 1 << 62
	if s.field == "" {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return &BadRow{File: s.name, Line: s.lineAt(dec.InputOffset()), Why: errors.New("something follows the list (a file holds one list, or a value on every line)")}
		}
		return nil
	}
	if _, err := io.Copy(io.Discard, io.MultiReader(dec.Buffered(), m)); err != nil {
		return plain(err)
	}
	return nil
}

// enter reads up to the first element of the list.
func (s *jsonArray) enter(dec *json.Decoder) error {
	first, err := dec.Token()
	if err != nil {
		return err
	}
	if s.field == "" {
		if first == json.Delim('[') {
			return nil
		}
		return s.noList(dec)
	}
	if first != json.Delim('{') {
		return &BadRow{File: s.name, Why: fmt.Errorf("is a list, so that there is no field %q (leave field out)", s.field)}
	}
	var keys []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string) // keys are strings, says Token
		if name == s.field {
			if first, err = dec.Token(); err != nil {
				return err
			}
			if first != json.Delim('[') {
				return &BadRow{File: s.name, Why: fmt.Errorf("field %q holds no list", s.field)}
			}
			return nil
		}
		keys = append(keys, name)
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
	}
	return &BadRow{File: s.name, Why: fmt.Errorf("has no field %q, but %s", s.field, list(keys))}
}

// noList says what the file holds where it is an object.
func (s *jsonArray) noList(dec *json.Decoder) error {
	var keys []string
	for dec.More() && len(keys) < 20 {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		keys = append(keys, fmt.Sprint(key))
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
	}
	return &BadRow{File: s.name, Why: fmt.Errorf(`holds one object with %s, not a list of rows (where one of them holds the list, name it in a --dataset-config: "huggingface_kwargs": {"field": "%s"}, with source type huggingface and path json)`,
		list(keys), firstOf(keys, "data"))}
}

func firstOf(keys []string, other string) string {
	if len(keys) > 0 {
		return keys[0]
	}
	return other
}

// list names keys or columns for a message.
func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	short := make([]string, 0, len(names))
	for i, name := range names {
		if i == 20 {
			short = append(short, fmt.Sprintf("and %d more", len(names)-i))
			break
		}
		short = append(short, Clip(name))
	}
	return strings.Join(short, ", ")
}

// place names the line of a piece of the file.
func (f *file) place(start, _ int64) string {
	return fmt.Sprintf("%s, line %d", f.name, f.lineAt(start))
}

// lineAt counts the lines before a place of the file.
func (f *file) lineAt(offset int64) int {
	n, buf := 1, make([]byte, 64<<10)
	for at := int64(0); at < offset; {
		got, err := f.f.ReadAt(buf[:min(int64(len(buf)), offset-at)], at)
		n += bytes.Count(buf[:got], []byte("\n"))
		at += int64(got)
		if err != nil {
			break
		}
	}
	return n
}

func (s *jsonArray) Index(ctx context.Context, wanted Wanted) (Table, error) {
	table := &jsonTable{file: s.file, columns: wanted.Columns}
	rows := 0
	err := s.walk(ctx, wanted, func(start int64, data []byte) (bool, error) {
		rows++
		if wanted.Most > 0 && table.at.n >= wanted.Most {
			return false, nil
		}
		row, why := parseJSON(data, wanted.Columns)
		if why == nil {
			why = wanted.usable(row)
		}
		if why != nil {
			bad := &BadRow{File: s.name, Line: rows, Unit: "row", Why: oneLine(why)}
			if wanted.Bad.Count() < shown { // counting lines reads the file again
				bad.Line, bad.Unit = s.lineAt(start), ""
			}
			wanted.Bad.Add(bad)
			return true, nil
		}
		table.at.add(start, int64(len(data)))
		return true, nil
	})
	if err != nil {
		return nil, fileError(s.name, err)
	}
	return table, nil
}
