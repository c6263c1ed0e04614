package table

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// RowBytesMax is the longest row that is read: longer ones are left out.
const RowBytesMax = 64 << 20

var errTooLong = fmt.Errorf("is longer than %d MiB (is it one row?)", RowBytesMax>>20)

const byteOrderMark = "\xef\xbb\xbf"

// file is an open file that is read from end to end once and in pieces later.
type file struct {
	name string // for messages
	f    *os.File
	size int64
	sum  string
}

func openFile(path, name string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	return &file{name: name, f: f, size: info.Size()}, nil
}

func (f *file) Close() error   { return f.f.Close() }
func (f *file) SHA256() string { return f.sum }

// piece reads a piece of the file. It may be called by many at a time.
func (f *file) piece(start, length int64) ([]byte, error) {
	data := make([]byte, length)
	if _, err := f.f.ReadAt(data, start); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it has become shorter since it was opened")
		}
		return nil, fmt.Errorf("%s: %w", f.name, plain(err))
	}
	return data, nil
}

// pass reads the file from its start, counting, summing and telling how far it
// is.
type pass struct {
	ctx    context.Context
	file   *file
	wanted Wanted
	sum    hash.Hash
	done   int64
	told   int64
}

// progressBytes is how often progress is told.
const progressBytes = 4 << 20

func (f *file) pass(ctx context.Context, wanted Wanted) *pass {
	return &pass{ctx: ctx, file: f, wanted: wanted, sum: sha256.New()}
}

func (p *pass) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, context.Cause(p.ctx)
	}
	n, err := p.file.f.ReadAt(b, p.done)
	p.sum.Write(b[:n])
	p.done += int64(n)
	if p.done-p.told >= progressBytes {
		p.told = p.done
		p.wanted.progress(p.done, p.file.size)
	}
	if errors.Is(err, io.EOF) {
		p.file.sum = hex.EncodeToString(p.sum.Sum(nil))
		if n > 0 {
			err = nil
		}
	}
	return n, err
}

// line is one line of a file.
type line struct {
	number int
	start  int64
	data   []byte // without its end; valid until the next line
	long   bool   // longer than RowBytesMax: data is its beginning
}

// lines walks through the lines of what r reads, which end in LF. A byte order
// mark at the start is skipped. It stops where do returns false.
func lines(r io.Reader, do func(line) (bool, error)) error {
	br := bufio.NewReaderSize(r, 1<<20)
	at := int64(0)
	if mark, _ := br.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = br.Discard(len(mark)) // they have just been peeked
		at = int64(len(mark))
	}
	var joined []byte // of a line that is longer than the buffer
	for number := 1; ; number++ {
		l := line{number: number, start: at}
		joined = joined[:0]
		data, err := br.ReadSlice('\n')
		at += int64(len(data))
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(joined)+len(data) > RowBytesMax {
				l.long = true
			} else {
				joined = append(joined, data...)
			}
			data, err = br.ReadSlice('\n')
			at += int64(len(data))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(joined) > 0 && !l.long {
			joined = append(joined, data...)
			data = joined
		}
		if errors.Is(err, io.EOF) && at == l.start {
			return nil
		}
		l.data = bytes.TrimSuffix(data, []byte("\n"))
		if l.long {
			l.data = joined
		} else if len(l.data) > RowBytesMax {
			l.long = true
		}
		more, stop := do(l)
		if stop != nil || !more || errors.Is(err, io.EOF) {
			return stop
		}
	}
}
