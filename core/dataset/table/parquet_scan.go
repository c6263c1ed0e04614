package table

import (
	"context"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
)

// texts is a column of texts that is not nested: its values are read without
// making rows of them, some ten times as fast.
type parquetTexts struct {
	name   string
	column int
	groups []parquet.RowGroup
}

// textsOf returns the column where it is the only one of a group and holds
// texts; else nil.
func textsOf(file *parquet.File, group parquet.Group) *parquetTexts {
	if len(group) != 1 {
		return nil
	}
	for name := range group {
		leaf, ok := file.Schema().Lookup(name)
		if !ok || leaf.MaxRepetitionLevel > 0 || !leaf.Node.Leaf() || leaf.Node.Type().Kind() != parquet.ByteArray {
			return nil
		}
		t := &parquetTexts{name: name, column: leaf.ColumnIndex}
		for _, g := range file.RowGroups() {
			if g.NumRows() > 0 {
				t.groups = append(t.groups, g)
			}
		}
		return t
	}
	return nil
}

// scan implements scanner. What cannot be decoded is as many bad rows.
func (t *parquetTable) scan(ctx context.Context, do func(int, Row, error) bool) error {
	first := 0
	for g := range t.groups {
		last := min(t.ends[g], t.rows)
		next, more, err := t.scanGroup(ctx, g, first, last, do)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && more && next < last {
			err = errors.New("is not there: the file is damaged")
		}
		for ; err != nil && more && next < last; next++ {
			more = do(next, nil, err)
		}
		if !more {
			return nil
		}
		first = t.ends[g]
	}
	return nil
}

// scanGroup reads rows first to below last, which are all of a group, and
// returns the row that it came to.
func (t *parquetTable) scanGroup(ctx context.Context, group, first, last int, do func(int, Row, error) bool) (next int, more bool, err error) {
	next = first
	defer caught(&err)
	if t.texts != nil {
		more = true
		err = t.texts.each(ctx, group, func(value any) bool {
			if next >= last {
				return false
			}
			more = do(next, Row{t.texts.name: value}, nil)
			next++
			return more
		})
		return next, more, err
	}
	for more = true; more && next < last && ctx.Err() == nil; {
		rows, _, err := t.read(group, next-first)
		if err != nil {
			return next, more, err
		}
		if len(rows) == 0 {
			return next, more, errors.New("is not there: the file is damaged")
		}
		for _, row := range rows {
			if next >= last || !more {
				break
			}
			more = do(next, row, nil)
			next++
		}
	}
	return next, more, nil
}

// each reads the values of a group.
func (t *parquetTexts) each(ctx context.Context, group int, do func(value any) bool) error {
	pages := t.groups[group].ColumnChunks()[t.column].Pages()
	defer pages.Close()
	var buf [256]parquet.Value
	for ctx.Err() == nil {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return oneLine(err)
		}
		more, err := t.page(page, buf[:], do)
		parquet.Release(page)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (t *parquetTexts) page(page parquet.Page, buf []parquet.Value, do func(value any) bool) (more bool, err error) {
	values := page.Values()
	for {
		n, err := values.ReadValues(buf)
		for _, v := range buf[:n] {
			var value any
			if !v.IsNull() {
				value = string(v.ByteArray()) // the page's own bytes are used again
			}
			if !do(value) {
				return false, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, oneLine(err)
		}
		if n == 0 {
			return false, io.ErrNoProgress
		}
	}
}
