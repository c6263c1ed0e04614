package experiment

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// JournalFile is the name of the journal in an experiment's folder.
const JournalFile = "journal.jsonl"

// Journal is the append-only list of what happened, a JSON object a line, each
// written with one write as it happens: what was measured is on file even where
// this process is killed in the next moment. A last line that was cut is
// ignored by ReadJournal. Entry may be called from several goroutines only one
// at a time.
type Journal struct {
	file   *os.File
	buffer []byte
}

// Entry is a line of the journal: the begin of a run, a request, or the end of
// a run.
type Entry struct {
	Begin   *RunBegin     `json:"begin,omitempty"`
	Request *JournaledEnd `json:"request,omitempty"`
	End     *RunEnd       `json:"end,omitempty"`
}

// RunBegin opens a run.
type RunBegin struct {
	Scenario string      `json:"scenario"`
	Level    int         `json:"level"`
	Rate     float64     `json:"rate,omitempty"`
	At       stamp.Nanos `json:"at_ns"`
	// What Recover needs to treat the run as its end would have.
	Warmup   metrics.Cut `json:"warmup,omitzero"`
	Cooldown metrics.Cut `json:"cooldown,omitzero"`
	// Objectives are those of goodput; the requests' verdicts are in the journal.
	Objectives []metrics.Objective `json:"goodput_objectives,omitempty"`
}

// RunEnd closes a run.
type RunEnd struct {
	At   stamp.Nanos `json:"at_ns"`
	File string      `json:"file,omitempty"` // of the run, where it was written
}

// JournaledEnd is one request: its metrics in seconds, and its events.
type JournaledEnd struct {
	Metrics metrics.Request `json:"metrics"`
	Events  *Events         `json:"events,omitempty"`
	Texts   []ChoiceTexts   `json:"texts,omitempty"`
}

// ChoiceTexts is what one choice of an answer said.
type ChoiceTexts struct {
	Text      string `json:"text,omitempty"`
	Reasoning string `json:"reasoning,omitempty"`
	Tool      string `json:"tool,omitempty"`
}

// Events are the events of an answer as parallel arrays.
type Events struct {
	AtDelta []int64  `json:"at_delta_ns"` // since the event before; the first since send_start
	Kinds   []uint16 `json:"kinds"`       // bit sets, see sdk/proto
	Choice  []int32  `json:"choice,omitempty"`
	Bytes   []uint32 `json:"bytes"`
	Tokens  []uint32 `json:"tokens,omitempty"`
	Flags   []uint16 `json:"flags,omitempty"`
	ReadLag []int64  `json:"read_lag_us"`
}

// PackEvents puts events into the journal's form; arrays of nothing but zeros
// are left out.
func PackEvents(sendStart stamp.Nanos, events []backend.Event) *Events {
	return new(Events).Pack(sendStart, events)
}

// Pack is PackEvents into p, whose arrays it uses again. It returns p, or nil
// where there are no events.
func (p *Events) Pack(sendStart stamp.Nanos, events []backend.Event) *Events {
	if len(events) == 0 {
		return nil
	}
	p.AtDelta, p.Kinds, p.Bytes, p.ReadLag = p.AtDelta[:0], p.Kinds[:0], p.Bytes[:0], p.ReadLag[:0]
	p.Choice, p.Tokens, p.Flags = p.Choice[:0], p.Tokens[:0], p.Flags[:0]
	last := sendStart
	var choice, tokens, flags bool
	for i := range events {
		e := &events[i]
		p.AtDelta = append(p.AtDelta, int64(e.At.Sub(last)))
		last = e.At
		p.Kinds, p.Bytes, p.ReadLag = append(p.Kinds, uint16(e.Kinds)), append(p.Bytes, e.Bytes), append(p.ReadLag, e.ReadLag.Microseconds())
		choice = choice || e.Choice != 0
		tokens = tokens || e.Tokens != 0
		flags = flags || e.Flags != 0
	}
	for i := range events {
		e := &events[i]
		if choice {
			p.Choice = append(p.Choice, e.Choice)
		}
		if tokens {
			p.Tokens = append(p.Tokens, e.Tokens)
		}
		if flags {
			p.Flags = append(p.Flags, uint16(e.Flags))
		}
	}
	return p
}

// Unpack is the reverse of PackEvents.
func (p *Events) Unpack(sendStart stamp.Nanos) []backend.Event {
	if p == nil {
		return nil
	}
	events := make([]backend.Event, len(p.AtDelta))
	last := sendStart
	for i := range events {
		last = last.Add(time.Duration(p.AtDelta[i]))
		events[i].At = last
		if i < len(p.Kinds) {
			events[i].Kinds = backend.Kinds(p.Kinds[i])
		}
		if i < len(p.Bytes) {
			events[i].Bytes = p.Bytes[i]
		}
		if i < len(p.ReadLag) {
			events[i].ReadLag = time.Duration(p.ReadLag[i]) * time.Microsecond
		}
		if i < len(p.Choice) {
			events[i].Choice = p.Choice[i]
		}
		if i < len(p.Tokens) {
			events[i].Tokens = p.Tokens[i]
		}
		if i < len(p.Flags) {
			events[i].Flags = stamp.Flags(p.Flags[i])
		}
	}
	return events
}

// OpenJournal opens the folder's journal for appending.
func (f *Folder) OpenJournal() (*Journal, error) {
	file, err := os.OpenFile(f.File(JournalFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Journal{file: file}, nil
}

// Write appends an entry.
func (j *Journal) Write(e Entry) error {
	line, err := e.appendJSON(j.buffer[:0])
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.buffer = append(line, '\n')
	if _, err := j.file.Write(j.buffer); err != nil {
		return fmt.Errorf("journal %s: %w", j.file.Name(), pathReason(err))
	}
	return nil
}

// appendJSON writes an entry as encoding/json would, a request without its
// cost.
func (e *Entry) appendJSON(b []byte) ([]byte, error) {
	r := e.Request
	if r == nil {
		line, err := json.Marshal(e)
		return append(b, line...), err
	}
	b = r.Metrics.AppendJSON(append(b, `{"request":{"metrics":`...))
	if r.Events != nil {
		b = r.Events.appendJSON(append(b, `,"events":`...))
	}
	if len(r.Texts) > 0 {
		texts, err := json.Marshal(r.Texts)
		if err != nil {
			return b, err
		}
		b = append(append(b, `,"texts":`...), texts...)
	}
	return append(b, "}}"...), nil
}

func (p *Events) appendJSON(b []byte) []byte {
	b = appendArray(append(b, `{"at_delta_ns":`...), p.AtDelta)
	b = appendArray(append(b, `,"kinds":`...), p.Kinds)
	if len(p.Choice) > 0 {
		b = appendArray(append(b, `,"choice":`...), p.Choice)
	}
	b = appendArray(append(b, `,"bytes":`...), p.Bytes)
	if len(p.Tokens) > 0 {
		b = appendArray(append(b, `,"tokens":`...), p.Tokens)
	}
	if len(p.Flags) > 0 {
		b = appendArray(append(b, `,"flags":`...), p.Flags)
	}
	b = appendArray(append(b, `,"read_lag_us":`...), p.ReadLag)
	return append(b, '}')
}

func appendArray[T int64 | int32 | uint32 | uint16](b []byte, numbers []T) []byte {
	b = append(b, '[')
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

// Close closes the journal.
func (j *Journal) Close() error { return j.file.Close() }

// ReadJournal calls each for every entry of a journal, in order. A last line
// that was cut, because the writer was killed, is reported as torn and is no
// error.
func ReadJournal(path string, each func(Entry) error) (torn bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return false, fmt.Errorf("journal %s: %w", path, pathReason(err))
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return len(line) > 0, nil
		}
		if err != nil {
			return false, fmt.Errorf("journal %s: line %d: %w", path, n, err)
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return false, fmt.Errorf("journal %s: line %d: %w", path, n, err)
		}
		if err := each(e); err != nil {
			return false, err
		}
	}
}
