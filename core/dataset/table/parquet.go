package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"

	"github.com/parquet-go/parquet-go"
)

// Rows of Parquet are decoded by the block; the blocks used last are kept.
const (
	blockBytes    = 4 << 20  // of columns, decoded: how large a block may be
	blockRowsMax  = 1024     //
	cacheBytesMax = 64 << 20 // of all blocks that are kept of one file
)

type parquetFile struct {
	*file
	parquet *parquet.File
	columns []string
}

func openParquet(path, name string) (s Source, err error) {
	f, err := openFile(path, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it was only read
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	defer caught(&err)
	opened, err := parquet.OpenFile(f.f, f.size, parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("is not Parquet, or not whole: %w", oneLine(err))
	}
	p := &parquetFile{file: f, parquet: opened}
	for _, field := range opened.Schema().Fields() {
		p.columns = append(p.columns, field.Name())
	}
	return p, nil
}

// caught makes an error of a panic: the library does not expect every damage
// that a file can have.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("is damaged: %v", p)
		*err = oneLine(*err)
	}
}

func (p *parquetFile) Columns() []string { return p.columns }

func (p *parquetFile) Index(_ context.Context, wanted Wanted) (t Table, err error) {
	defer caught(&err)
	group := parquet.Group{}
	for _, field := range p.parquet.Schema().Fields() {
		if wanted.Columns == nil || slices.Contains(wanted.Columns, field.Name()) {
			group[field.Name()] = field
		}
	}
	if len(group) == 0 {
		return nil, fmt.Errorf("%s: has none of the columns %s, but %s", p.name, list(wanted.Columns), list(p.columns))
	}
	table := &parquetTable{name: p.name, schema: parquet.NewSchema("row", group)}
	conversion, err := parquet.Convert(table.schema, p.parquet.Schema())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, oneLine(err))
	}
	total := int64(0)
	for i, rg := range p.parquet.RowGroups() {
		n := rg.NumRows()
		if n < 0 || total > math.MaxInt32-n {
			return nil, fmt.Errorf("%s: is damaged: a row group of %d rows", p.name, n)
		}
		if n == 0 {
			continue
		}
		total += n
		table.groups = append(table.groups, parquet.ConvertRowGroup(rg, conversion))
		table.ends = append(table.ends, int(total))
		table.block = append(table.block, p.blockRows(i, group))
	}
	if wanted.Most > 0 {
		total = min(total, int64(wanted.Most))
	}
	table.rows, table.texts = int(total), textsOf(p.parquet, group)
	table.cache = blockCache{limit: cacheBytesMax, blocks: map[blockKey]*block{}}
	wanted.progress(p.size, p.size)
	return table, nil
}

// blockRows is how many rows of a group make blockBytes.
func (p *parquetFile) blockRows(group int, columns parquet.Group) int {
	meta := p.parquet.Metadata().RowGroups[group]
	size := int64(0)
	for _, chunk := range meta.Columns {
		if path := chunk.MetaData.PathInSchema; len(path) > 0 && columns[path[0]] != nil {
			size += max(chunk.MetaData.TotalUncompressedSize, 0)
		}
	}
	mean := size/max(meta.NumRows, 1) + 1
	return int(min(max(blockBytes/mean, 1), blockRowsMax))
}

type parquetTable struct {
	name   string
	schema *parquet.Schema
	groups []parquet.RowGroup
	ends   []int // of the groups, in rows
	block  []int // rows of a block, by group
	rows   int
	texts  *parquetTexts // nil: rows are made
	cache  blockCache
}

func (t *parquetTable) Len() int { return t.rows }

func (t *parquetTable) Place(i int) string { return fmt.Sprintf("%s, row %d", t.name, i+1) }

func (t *parquetTable) Row(i int) (Row, error) {
	g := sort.SearchInts(t.ends, i+1)
	first := 0
	if g > 0 {
		first = t.ends[g-1]
	}
	n := (i - first) / t.block[g]
	b := t.cache.get(blockKey{g, n}, func() ([]Row, int64, error) { return t.read(g, n*t.block[g]) })
	if b.err != nil {
		return nil, &BadRow{File: t.name, Line: i + 1, Unit: "row", Why: b.err}
	}
	at := i - first - n*t.block[g]
	if at >= len(b.rows) {
		return nil, &BadRow{File: t.name, Line: i + 1, Unit: "row", Why: errors.New("is not there: the file is damaged")}
	}
	return b.rows[at], nil
}

// read decodes a block of a group, from a row on, and says about how many bytes
// it takes.
func (t *parquetTable) read(group, from int) (rows []Row, size int64, err error) {
	defer caught(&err)
	r := t.groups[group].Rows()
	defer r.Close()
	if err := r.SeekToRow(int64(from)); err != nil {
		return nil, 0, oneLine(err)
	}
	wanted := min(t.block[group], int(t.groups[group].NumRows())-from)
	buf := make([]parquet.Row, min(wanted, 64))
	for len(rows) < wanted {
		n, err := r.ReadRows(buf[:min(len(buf), wanted-len(rows))])
		for _, row := range buf[:n] {
			values := map[string]any{}
			if err := t.schema.Reconstruct(&values, row); err != nil {
				return nil, 0, oneLine(err)
			}
			size += sizeOf(values)
			rows = append(rows, values)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, oneLine(err)
		}
		if n == 0 {
			break
		}
	}
	return rows, size, nil
}

// sizeOf is about what a value takes in memory, in bytes.
func sizeOf(v any) int64 {
	const overhead = 16
	switch v := v.(type) {
	case string:
		return overhead + int64(len(v))
	case []byte:
		return overhead + int64(len(v))
	case []any:
		size := int64(overhead)
		for _, item := range v {
			size += sizeOf(item)
		}
		return size
	case map[string]any:
		size := int64(4 * overhead)
		for key, item := range v {
			size += 2*overhead + int64(len(key)) + sizeOf(item)
		}
		return size
	}
	return overhead
}

type blockKey struct{ group, n int }

// block is decoded rows; whoever asks first decodes.
type block struct {
	once sync.Once
	rows []Row
	size int64
	err  error
	used int64
}

// blockCache keeps blocks up to a number of bytes. It is safe for concurrent
// use.
type blockCache struct {
	limit int64

	mu     sync.Mutex
	clock  int64
	size   int64
	blocks map[blockKey]*block
}

func (c *blockCache) get(key blockKey, read func() ([]Row, int64, error)) *block {
	c.mu.Lock()
	b, ok := c.blocks[key]
	if !ok {
		b = &block{}
		c.blocks[key] = b
	}
	c.clock++
	b.used = c.clock
	c.mu.Unlock()
	b.once.Do(func() {
		b.rows, b.size, b.err = read()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.size += b.size
		c.shrink(key)
	})
	return b
}

// shrink drops the blocks that were not used for longest. One that is being
// decoded has no size yet and stays.
func (c *blockCache) shrink(keep blockKey) {
	for c.size > c.limit {
		var oldest blockKey
		found := false
		for key, b := range c.blocks {
			if key != keep && b.size > 0 && (!found || b.used < c.blocks[oldest].used) {
				oldest, found = key, true
			}
		}
		if !found {
			return
		}
		c.size -= c.blocks[oldest].size
		delete(c.blocks, oldest)
	}
}
