package trace

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// csvFormat is a CSV format: its name and its columns, by header.
type csvFormat struct {
	name, at, input, output, session string
	time                             func(text string, unit Unit) (time.Duration, error)
}

func csvFormats() []csvFormat {
	return []csvFormat{
		{Azure, "TIMESTAMP", "ContextTokens", "GeneratedTokens", "", azureTime},
		{BurstGPT, "Timestamp", "Request tokens", "Response tokens", "Session ID", numberTime},
	}
}

func (t *Trace) readCSV(b *bufio.Reader, o Options) ([]Request, error) {
	r := csv.NewReader(b)
	r.ReuseRecord, r.TrimLeadingSpace = true, true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("neither JSONL nor CSV: %w", err)
	}
	columns := map[string]int{}
	var names []string
	for i, name := range header {
		name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
		columns[name] = i
		names = append(names, name)
	}
	for _, f := range csvFormats() {
		at, hasAt := columns[f.at]
		in, hasIn := columns[f.input]
		out, hasOut := columns[f.output]
		if !hasAt || !hasIn || !hasOut {
			continue
		}
		t.Format = f.name
		if o.Format != "" && o.Format != f.name {
			return nil, fmt.Errorf("its columns are those of %s, not of %s as --trace-format says", f.name, o.Format)
		}
		session, hasSession := columns[f.session]
		if !hasSession {
			session = -1
		}
		return t.readRows(r, f, o, [4]int{at, in, out, session})
	}
	return nil, fmt.Errorf("the columns are %s; a trace has TIMESTAMP, ContextTokens, GeneratedTokens (Azure) or Timestamp, Request tokens, Response tokens (BurstGPT)", oneOf(names))
}

// readRows reads the rows behind the header; columns are those of time, input,
// output and session (-1: none).
func (t *Trace) readRows(r *csv.Reader, f csvFormat, o Options, columns [4]int) (rows []Request, err error) {
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var broken *csv.ParseError
		if errors.As(err, &broken) {
			if err := t.leaveOut(broken.StartLine, badRow{broken.Err}); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		number, _ := r.FieldPos(0)
		next, err := f.row(record, o.Unit, columns)
		if err == nil {
			rows = t.take(rows, next)
		} else if err := t.leaveOut(number, err); err != nil {
			return nil, err
		}
	}
}

func (f csvFormat) row(record []string, unit Unit, columns [4]int) (next Request, err error) {
	if next.At, err = f.time(strings.TrimSpace(record[columns[0]]), unit); err != nil {
		return next, fmt.Errorf("%s: %w", f.at, err)
	}
	if next.InputTokens, err = parseTokens(f.input, record[columns[1]]); err != nil {
		return next, err
	}
	if next.OutputTokens, err = parseTokens(f.output, record[columns[2]]); err != nil {
		return next, err
	}
	if columns[3] >= 0 {
		next.Session = strings.Clone(strings.TrimSpace(record[columns[3]]))
	}
	return next, nil
}

func parseTokens(column, text string) (int, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		// Some exports write whole numbers as 12.0.
		whole, fraction, found := strings.Cut(strings.TrimSpace(text), ".")
		if n, err = strconv.ParseInt(whole, 10, 64); err != nil || !found || strings.Trim(fraction, "0") != "" {
			return 0, bad("%s %q is no number of tokens", column, text)
		}
	}
	return checkTokens(column, n)
}

// numberTime is a number of seconds, or of what the user says.
func numberTime(text string, unit Unit) (time.Duration, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		if _, isDate := parseDate(text); isDate {
			return 0, fmt.Errorf("%q is no number of seconds (mixed units of time cannot be replayed)", text)
		}
		return 0, bad("%q is no number of seconds", text)
	}
	if unit == Milliseconds {
		n /= 1000
	}
	return seconds(n)
}

// azureTime is a date and a time of day with up to nine decimals, all of which
// count: "2023-11-16 18:15:46.6805900".
func azureTime(text string, unit Unit) (time.Duration, error) {
	if unit != UnitOfFormat {
		return 0, fmt.Errorf("the times are dates, which have no unit (leave out --trace-time-unit)")
	}
	at, isDate := parseDate(text)
	if !isDate {
		if _, err := strconv.ParseFloat(text, 64); err == nil {
			return 0, fmt.Errorf("%q is no date and time as 2023-11-16 18:15:46.6805900 (mixed units of time cannot be replayed)", text)
		}
		return 0, bad("%q is no date and time as 2023-11-16 18:15:46.6805900", text)
	}
	epoch := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // a duration from the year 1 would overflow
	return at.Sub(epoch), nil
}

func parseDate(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}
