package metrics

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Spool is where a Table keeps its rows; an *os.File is one.
type Spool interface {
	io.ReaderAt
	io.WriterAt
}

// NewMemory returns a spool in memory, for runs that are known to be small.
func NewMemory() Spool { return &memory{} }

type memory struct{ data []byte }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if end := at + int64(len(p)); end > int64(len(m.data)) {
		m.data = append(m.data, make([]byte, end-int64(len(m.data)))...)
	}
	return copy(m.data[at:], p), nil
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(m.data)) {
		return 0, io.EOF
	}
	n := copy(p, m.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Table keeps the metrics of a run's requests outside the memory of this
// process, laid out so that one metric of all requests is read without the
// others: in memory are a block of rows being filled and a few bytes for each
// block written. Statistics over a million requests take the 8 MB of one metric
// at a time. It is not safe for concurrent use.
//
// A block on the spool is the numbers of its rows, 8 bytes each and column by
// column; then the texts of its rows; then their events, where those are kept.
type Table struct {
	spool      Spool
	keepEvents bool
	blocks     []block
	written    int64 // bytes on the spool
	rows       int

	// The block being filled.
	numbers [][]uint64 // by number field
	texts   []byte
	packed  []byte // events
	buffer  []byte // of the last block encoded or read

	tally  tally
	events *EventStats
	phases []class // by row; set by Aggregate
}

type block struct {
	at                  int64 // offset on the spool
	first, rows         int
	textBytes, evtBytes int
}

const (
	blockRows = 2048
	// blockEventBytes ends a block of fewer rows where answers have many events.
	blockEventBytes = 4 << 20
)

// NewTable returns an empty table. Statistics of single events cover all
// successful requests, added as they come, unless keepEvents asks for them to
// be kept on the spool: only then can those of warm-up and cool-down, which are
// known when the run is over, be left out.
func NewTable(spool Spool, keepEvents bool) *Table {
	t := &Table{spool: spool, keepEvents: keepEvents, tally: newTally(), events: NewEventStats()}
	t.numbers = make([][]uint64, len(requestLayout().numbers))
	for i := range t.numbers {
		t.numbers[i] = make([]uint64, 0, blockRows)
	}
	return t
}

// Len is the number of requests.
func (t *Table) Len() int { return t.rows + len(t.numbers[0]) }

// Add appends a request with the events of its answer.
func (t *Table) Add(r *Request, events []backend.Event) error {
	t.tally.add(r)
	v := reflect.ValueOf(r).Elem()
	layout := requestLayout()
	for i, f := range layout.numbers {
		t.numbers[i] = append(t.numbers[i], f.word(v.Field(f.index)))
	}
	for _, f := range layout.texts {
		field := v.Field(f.index)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				t.texts = binary.AppendUvarint(t.texts, 0)
				continue
			}
			field = field.Elem()
			t.texts = binary.AppendUvarint(t.texts, uint64(field.Len())+1)
		} else {
			t.texts = binary.AppendUvarint(t.texts, uint64(field.Len()))
		}
		t.texts = append(t.texts, field.String()...)
	}
	if r.OK() && !t.keepEvents {
		t.events.add(events)
	}
	if t.keepEvents {
		if !r.OK() {
			events = nil
		}
		t.packed = packOutputs(t.packed, events)
	}
	if len(t.numbers[0]) == blockRows || len(t.packed) >= blockEventBytes {
		return t.flush()
	}
	return nil
}

// flush writes the block being filled.
func (t *Table) flush() error {
	rows := len(t.numbers[0])
	if rows == 0 {
		return nil
	}
	b := t.buffer[:0]
	for _, column := range t.numbers {
		for _, word := range column {
			b = binary.LittleEndian.AppendUint64(b, word)
		}
	}
	b = append(append(b, t.texts...), t.packed...)
	t.buffer = b
	if _, err := t.spool.WriteAt(b, t.written); err != nil {
		return fmt.Errorf("keeping the run's requests: %w", err)
	}
	t.blocks = append(t.blocks, block{at: t.written, first: t.rows, rows: rows, textBytes: len(t.texts), evtBytes: len(t.packed)})
	t.written += int64(len(b))
	t.rows += rows
	for i := range t.numbers {
		t.numbers[i] = t.numbers[i][:0]
	}
	t.texts, t.packed = t.texts[:0], t.packed[:0]
	return nil
}

// read reads part of a block into the table's buffer.
func (t *Table) read(at int64, size int) ([]byte, error) {
	if cap(t.buffer) < size {
		t.buffer = make([]byte, size)
	}
	part := t.buffer[:size]
	if n, err := t.spool.ReadAt(part, at); err != nil && (n < size || !errors.Is(err, io.EOF)) {
		return nil, fmt.Errorf("reading the run's requests: %w", err)
	}
	return part, nil
}

// words calls each with every word of a number field, by row. The block being
// filled must have been flushed.
func (t *Table) words(field int, each func(row int, word uint64)) error {
	for _, b := range t.blocks {
		part, err := t.read(b.at+int64(field)*int64(b.rows)*8, b.rows*8)
		if err != nil {
			return err
		}
		for i := range b.rows {
			each(b.first+i, binary.LittleEndian.Uint64(part[8*i:]))
		}
	}
	return nil
}

// values calls each with every value of the metric of a key.
func (t *Table) values(key string, each func(row int, v Value)) error {
	return t.words(requestLayout().number(key), func(row int, word uint64) { each(row, Value(math.Float64frombits(word))) })
}

// moments returns the moments of a key, by row.
func (t *Table) moments(key string) ([]stamp.Nanos, error) {
	at := make([]stamp.Nanos, t.rows)
	err := t.words(requestLayout().number(key), func(row int, word uint64) { at[row] = stamp.Nanos(word) })
	return at, err
}

// Requests goes over the requests in the order in which they were added, each
// with its phase once Aggregate has been called. The request is only good until
// the next one comes.
func (t *Table) Requests() iter.Seq2[*Request, error] {
	return func(yield func(*Request, error) bool) {
		if err := t.flush(); err != nil {
			yield(nil, err)
			return
		}
		known := interned{}
		for _, b := range t.blocks {
			part, err := t.read(b.at, b.rows*8*len(t.numbers)+b.textBytes)
			if err != nil {
				yield(nil, err)
				return
			}
			texts := part[b.rows*8*len(t.numbers):]
			var r Request
			for i := range b.rows {
				if texts, err = r.unpack(part, texts, b.rows, i, known); err != nil {
					yield(nil, err)
					return
				}
				if t.phases != nil {
					r.Phase = t.phases[b.first+i].phase()
				}
				if !yield(&r, nil) {
					return
				}
			}
		}
	}
}

// unpack fills r with row i of a block and returns the texts of the rows after.
func (r *Request) unpack(numbers, texts []byte, rows, i int, known interned) ([]byte, error) {
	*r = Request{}
	v := reflect.ValueOf(r).Elem()
	layout := requestLayout()
	for c, f := range layout.numbers {
		f.set(v.Field(f.index), binary.LittleEndian.Uint64(numbers[8*(c*rows+i):]))
	}
	for _, f := range layout.texts {
		n, used := binary.Uvarint(texts)
		pointer := v.Field(f.index).Kind() == reflect.Pointer
		if pointer && n > 0 {
			n--
		} else if pointer {
			texts = texts[max(used, 0):]
			continue
		}
		if used <= 0 || n > uint64(len(texts)-used) {
			return nil, errors.New("reading the run's requests: what was written is not what is read")
		}
		text := known.string(texts[used : used+int(n)])
		texts = texts[used+int(n):]
		if pointer {
			v.Field(f.index).Set(reflect.ValueOf(&text))
		} else {
			v.Field(f.index).SetString(text)
		}
	}
	return texts, nil
}

// interned keeps one copy of each short text that comes again and again.
type interned map[string]string

func (m interned) string(b []byte) string {
	if s, ok := m[string(b)]; ok {
		return s
	}
	s := string(b)
	const longest, most = 24, 256
	if len(s) <= longest && len(m) < most {
		m[s] = s
	}
	return s
}

// layout is how the fields of Request lie in a table.
type layout struct {
	numbers, texts []layoutField
	byKey          map[string]int // of numbers
}

type layoutField struct {
	index int // of the field in Request
	kind  reflect.Kind
}

// number is the column of the number field with a key.
func (l *layout) number(key string) int {
	i, ok := l.byKey[key]
	if !ok {
		panic("metrics: Request has no number " + key)
	}
	return i
}

var requestLayout = sync.OnceValue(func() *layout {
	t := reflect.TypeFor[Request]()
	l := &layout{byKey: map[string]int{}}
	for i := range t.NumField() {
		f := layoutField{i, t.Field(i).Type.Kind()}
		kind := f.kind
		if kind == reflect.Pointer {
			kind = t.Field(i).Type.Elem().Kind()
		}
		if kind == reflect.String {
			l.texts = append(l.texts, f)
			continue
		}
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		l.byKey[name] = len(l.numbers)
		l.numbers = append(l.numbers, f)
	}
	return l
})

// noInt is the word of an *int that is nil.
const noInt = uint64(1) << 63

func (f layoutField) word(v reflect.Value) uint64 {
	switch f.kind {
	case reflect.Float64:
		return math.Float64bits(v.Float())
	case reflect.Int, reflect.Int32, reflect.Int64:
		return uint64(v.Int())
	case reflect.Uint64:
		return v.Uint()
	case reflect.Bool:
		if v.Bool() {
			return 1
		}
		return 0
	case reflect.Pointer:
		if v.IsNil() {
			return noInt
		}
		return uint64(v.Elem().Int())
	}
	panic("metrics: a field of Request has type " + v.Type().String() + ", which Table does not know")
}

func (f layoutField) set(v reflect.Value, word uint64) {
	switch f.kind {
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(word))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(word))
	case reflect.Uint64:
		v.SetUint(word)
	case reflect.Bool:
		v.SetBool(word != 0)
	case reflect.Pointer:
		if word != noInt {
			n := int(int64(word))
			v.Set(reflect.ValueOf(&n))
		}
	}
}

// packOutputs appends what EventStats wants to know of the output events of one
// request: their number, then for each the time since the one before, how long
// it waited to be read, its tokens and whether it was bundled.
func packOutputs(b []byte, events []backend.Event) []byte {
	n := 0
	for i := range events {
		if events[i].Kinds&backend.Output != 0 {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	var last stamp.Nanos
	for i := range events {
		e := &events[i]
		if e.Kinds&backend.Output == 0 {
			continue
		}
		b = binary.AppendVarint(b, int64(e.At-last))
		last = e.At
		b = binary.AppendVarint(b, int64(e.ReadLag))
		b = binary.AppendUvarint(b, uint64(e.Tokens)<<1|uint64(e.Flags&stamp.Bundled)/uint64(stamp.Bundled))
	}
	return b
}

// eachEvents calls each with the output events of every row, read back into a
// slice that is used again.
func (t *Table) eachEvents(each func(row int, events []backend.Event)) error {
	var events []backend.Event
	for _, b := range t.blocks {
		part, err := t.read(b.at+int64(b.rows*8*len(t.numbers)+b.textBytes), b.evtBytes)
		if err != nil {
			return err
		}
		for i := range b.rows {
			events = events[:0]
			n, used := binary.Uvarint(part)
			part = part[max(used, 0):]
			var last stamp.Nanos
			for range n {
				gap, a := binary.Varint(part)
				lag, b := binary.Varint(part[max(a, 0):])
				tokens, c := binary.Uvarint(part[max(a, 0)+max(b, 0):])
				if a <= 0 || b <= 0 || c <= 0 {
					return errors.New("reading the run's events: what was written is not what is read")
				}
				part = part[a+b+c:]
				last += stamp.Nanos(gap)
				e := backend.Event{At: last, ReadLag: time.Duration(lag), Kinds: backend.Text, Tokens: uint32(tokens >> 1)}
				if tokens&1 != 0 {
					e.Flags = stamp.Bundled
				}
				events = append(events, e)
			}
			each(b.first+i, events)
		}
	}
	return nil
}
