package table

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// TextColumn is the column of files that have none: text files and lists of
// strings. datasets.load_dataset calls it so too.
const TextColumn = "text"

// openText opens a UTF-8 text file, a line a row: each line without the white
// space around it, blank lines dropped. Lines end in LF, CR LF or CR.
func openText(path, name string) (Source, error) {
	f, err := openFile(path, name)
	if err != nil {
		return nil, err
	}
	return &text{f}, nil
}

type text struct{ *file }

func (t *text) Columns() []string { return []string{TextColumn} }

func (t *text) Index(ctx context.Context, wanted Wanted) (Table, error) {
	table := &textTable{file: t.file}
	number := 0
	err := lines(t.pass(ctx, wanted), func(l line) (bool, error) {
		if l.start == 0 && (bytes.HasPrefix(l.data, []byte("\xff\xfe")) || bytes.HasPrefix(l.data, []byte("\xfe\xff"))) {
			return false, fmt.Errorf("%s: is UTF-16 (convert it: iconv -f utf-16 -t utf-8)", t.name)
		}
		if bytes.IndexByte(l.data, 0) >= 0 {
			return false, fmt.Errorf("%s: line %d holds a NUL byte: this is not a text file", t.name, number+1)
		}
		start := l.start
		for rest, more := l.data, true; more; {
			var part []byte
			part, rest, more = cutCR(rest)
			number++
			trimmed := bytes.TrimLeftFunc(part, isSpace)
			at := start + int64(len(part)-len(trimmed))
			trimmed = bytes.TrimRightFunc(trimmed, isSpace)
			start += int64(len(part)) + 1
			if len(trimmed) == 0 {
				continue
			}
			if wanted.Most > 0 && table.at.n >= wanted.Most {
				return false, nil
			}
			why := error(nil)
			switch {
			case l.long:
				why = errTooLong
			case !utf8.Valid(trimmed):
				why = errNotUTF8
			default:
				why = wanted.usable(Row{TextColumn: string(trimmed)})
			}
			if why != nil {
				wanted.Bad.Add(&BadRow{File: t.name, Line: number, Why: why})
				continue
			}
			table.at.add(at, int64(len(trimmed)))
		}
		return true, nil
	})
	if err != nil {
		return nil, fileError(t.name, err)
	}
	return table, nil
}

var errNotUTF8 = errors.New("is not UTF-8 (convert it: iconv -f latin1 -t utf-8)")

// isSpace is unicode.IsSpace for what bytes.TrimSpace trims, and leaves bytes
// that are no UTF-8 alone.
func isSpace(r rune) bool { return r != utf8.RuneError && len(bytes.TrimSpace([]byte(string(r)))) == 0 }

// cutCR cuts at the first CR; more tells whether something follows it.
func cutCR(data []byte) (part, rest []byte, more bool) {
	part, rest, more = bytes.Cut(data, []byte("\r"))
	return part, rest, more && len(rest) > 0
}

type textTable struct {
	*file
	at spans
}

func (t *textTable) Len() int { return t.at.n }

func (t *textTable) Row(i int) (Row, error) {
	data, err := t.piece(t.at.at(i))
	if err != nil {
		return nil, err
	}
	return Row{TextColumn: string(data)}, nil
}

func (t *textTable) Place(i int) string { return t.place(t.at.at(i)) }

// fileError names the file in an error that does not yet.
func fileError(name string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if text := err.Error(); len(text) >= len(name) && text[:len(name)] == name {
		return err
	}
	return fmt.Errorf("%s: %w", name, plain(err))
}
