package table

import (
	"bytes"
	"context"
	"errors"
)

// sniffed is how many rows tell the columns of a file without a header.
const sniffed = 100

// jsonLines is a file with a JSON value on every line; blank lines are dropped.
type jsonLines struct {
	*file
	columns []string
}

func openJSONLines(path, name string) (Source, error) {
	f, err := openFile(path, name)
	if err != nil {
		return nil, err
	}
	s := &jsonLines{file: f}
	rows := 0
	err = lines(f.pass(context.Background(), Wanted{}), func(l line) (bool, error) {
		if data := bytes.TrimSpace(l.data); len(data) > 0 && !l.long {
			s.columns = jsonColumns(s.columns, data)
			rows++
		}
		return rows < sniffed, nil
	})
	if err != nil {
		_ = f.Close() // it was only read
		return nil, fileError(name, err)
	}
	f.sum = ""
	return s, nil
}

func (s *jsonLines) Columns() []string { return s.columns }

func (s *jsonLines) Index(ctx context.Context, wanted Wanted) (Table, error) {
	table := &jsonTable{file: s.file, columns: wanted.Columns}
	err := lines(s.pass(ctx, wanted), func(l line) (bool, error) {
		data := bytes.TrimSpace(l.data)
		if len(data) == 0 {
			return true, nil
		}
		if wanted.Most > 0 && table.at.n >= wanted.Most {
			return false, nil
		}
		why := errTooLong
		if !l.long {
			var row Row
			if row, why = parseJSON(data, wanted.Columns); why == nil {
				why = wanted.usable(row)
			}
		}
		if why != nil {
			wanted.Bad.Add(&BadRow{File: s.name, Line: l.number, Why: oneLine(why)})
			return true, nil
		}
		before := len(l.data) - len(bytes.TrimLeft(l.data, " \t\r\v\f"))
		table.at.add(l.start+int64(before), int64(len(data)))
		return true, nil
	})
	if err != nil {
		return nil, fileError(s.name, err)
	}
	return table, nil
}

var errUnexpectedEnd = errors.New("ends in the middle (is it whole?)")
