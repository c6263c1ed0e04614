package trace

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Request is one request of a trace.
type Request struct {
	At           time.Duration // from the first request of the trace
	InputTokens  int           // at least 1
	OutputTokens int           // at least 1
	// Blocks are the ids of the prompt's blocks of Trace.BlockTokens tokens from
	// its beginning; the last may be shorter. nil: nothing is shared.
	Blocks  []uint64
	Session string // conversation that it belongs to; "" where the trace does not say
	Text    string // the prompt itself, where the trace has it
}

// Trace is a trace in memory, in order of time. It is read-only.
type Trace struct {
	Name        string // of the file
	SHA256      string // of the file, in hexadecimal
	Format      string // one of Formats
	BlockTokens int    // tokens a block; 0 where no request has blocks
	Requests    []Request
	// Skipped rows are of requests that had failed (no output) or had no input,
	// which cannot be sent again.
	Skipped int
	// Bad rows could not be read and are left out. FirstBad are the first of them,
	// each with its line and what is wrong.
	Bad      int
	FirstBad []string
}

// The formats, as Trace.Format and Options.Format have them.
const (
	Mooncake = "Mooncake"
	Bailian  = "Bailian"
	BurstGPT = "BurstGPT"
	Azure    = "Azure"
	Own      = "own"
)

// Formats lists the formats that are read.
func Formats() []string { return []string{Mooncake, Bailian, BurstGPT, Azure, Own} }

// badRow is what is wrong with one row, without which the others are as good as
// before. Any other error is of the trace as a whole: what a time means, say.
type badRow struct{ error }

func (b badRow) Unwrap() error { return b.error }

func bad(format string, args ...any) error { return badRow{fmt.Errorf(format, args...)} }

// shown is how many bad rows are remembered with what is wrong.
const shown = 5

// leaveOut counts a row that is bad, at a line. It returns the error where the
// whole trace is.
func (t *Trace) leaveOut(line int, err error) error {
	err = fmt.Errorf("line %d: %w", line, err)
	if row := (badRow{}); !errors.As(err, &row) {
		return err
	}
	t.Bad++
	if len(t.FirstBad) < shown {
		t.FirstBad = append(t.FirstBad, err.Error())
	}
	return nil
}

// Unit is the unit of a trace's times, where its format leaves a doubt.
type Unit string

// The units for Options.Unit.
const (
	UnitOfFormat Unit = "" // what the format says
	Seconds      Unit = "s"
	Milliseconds Unit = "ms"
)

// Options say how a trace is read.
type Options struct {
	Format      string // "" is told by the names of fields
	Unit        Unit   // of times that are numbers
	BlockTokens int    // tokens a block; 0 is what the format says
}

// lineBytesMax bounds a line: hash ids of a prompt of millions of tokens fit.
const lineBytesMax = 16 << 20

// Span is the time from the first request to the last.
func (t *Trace) Span() time.Duration { return t.Requests[len(t.Requests)-1].At }

// MeanRate is the mean rate of arrivals, requests per second; 0 where all came
// at once.
func (t *Trace) MeanRate() float64 {
	if t.Span() == 0 {
		return 0
	}
	return float64(len(t.Requests)-1) / t.Span().Seconds()
}

// String tells what was read, in a line.
func (t *Trace) String() string {
	var in, out float64
	for i := range t.Requests {
		in += float64(t.Requests[i].InputTokens)
		out += float64(t.Requests[i].OutputTokens)
	}
	n := float64(len(t.Requests))
	text := fmt.Sprintf("trace %s (%s): %d requests over %s, %.3g requests/s, on average %.0f tokens in and %.0f out",
		t.Name, t.Format, len(t.Requests), t.Span().Round(time.Millisecond), t.MeanRate(), in/n, out/n)
	if t.Skipped > 0 {
		text += fmt.Sprintf("; %d rows without input or output left out", t.Skipped)
	}
	if t.Bad > 0 {
		text += fmt.Sprintf("; %d bad rows left out", t.Bad)
	}
	return text
}

// Load reads a trace from a file. An error names the file, and the line where
// one is to blame.
func Load(path string, o Options) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	sum := sha256.New()
	t, err := Read(io.TeeReader(f, sum), o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.Name, t.SHA256 = path, hex.EncodeToString(sum.Sum(nil))
	return t, nil
}

// Read reads a trace of any of the formats.
func Read(r io.Reader, o Options) (*Trace, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading: %w", err)
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	var rows []Request
	t := &Trace{}
	switch {
	case len(head) == 0:
		return nil, errors.New("the trace is empty")
	case head[0] == '{':
		rows, err = t.readJSONL(b, o)
	case head[0] == '[':
		return nil, errors.New("the trace is a JSON array; a trace is JSONL, an object a line (jq -c '.[]' makes it so)")
	default:
		rows, err = t.readCSV(b, o)
	}
	if err != nil {
		return nil, err
	}
	return t, t.fill(rows)
}

// fill puts requests, whose times are from wherever the trace counts, in order and
// counts from the first on.
func (t *Trace) fill(rows []Request) error {
	if len(rows) == 0 && t.Bad > 0 {
		return fmt.Errorf("the trace has no request that can be sent: %d rows are bad and %d have no input or output; %s", t.Bad, t.Skipped, strings.Join(t.FirstBad, "; "))
	}
	if len(rows) == 0 {
		return fmt.Errorf("the trace has no request that can be sent (%d rows without input or output)", t.Skipped)
	}
	slices.SortStableFunc(rows, func(a, b Request) int { return cmp.Compare(a.At, b.At) })
	t.Requests = slices.Clip(rows)
	blocks, start := false, rows[0].At
	for i := range rows {
		rows[i].At -= start
		blocks = blocks || len(rows[i].Blocks) > 0
	}
	if !blocks {
		t.BlockTokens = 0
	}
	return nil
}

// take adds a request, or counts one that cannot be sent.
func (t *Trace) take(rows []Request, r Request) []Request {
	if r.Text == "" && r.InputTokens <= 0 || r.OutputTokens <= 0 {
		t.Skipped++
		return rows
	}
	return append(rows, r)
}

// Bounds on what a row may say: more is a mistake of units or of columns.
const (
	tokensMax = 1 << 26
	spanMax   = 100 * 365 * 24 * time.Hour
)

func checkTokens(what string, n int64) (int, error) {
	if n < 0 || n > tokensMax {
		return 0, bad("%s is %d, which is no number of tokens", what, n)
	}
	return int(n), nil
}

// seconds turns a number of seconds into a duration.
func seconds(s float64) (time.Duration, error) {
	if !(s >= -spanMax.Seconds() && s <= spanMax.Seconds()) {
		return 0, bad("the time %v s is out of range (is the unit right? --trace-time-unit)", s)
	}
	return time.Duration(s * float64(time.Second)), nil
}

// oneOf lists words for a sentence.
func oneOf(words []string) string { return strings.Join(words, ", ") }
