// Package sse reads event streams (text/event-stream) and keeps, with every
// event, the moment at which the byte that completed it arrived.
//
// The rules are those of the WHATWG HTML standard, § 9.2.6 "Interpreting an
// event stream" (https://html.spec.whatwg.org/multipage/server-sent-events.html),
// save that bytes which are no UTF-8 are handed on as they are and that an event
// cut off by the end of the stream is reported instead of dropped: for a
// measuring client an answer that ends in the middle is a finding.
package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// DefaultMaxEventBytes is the limit of one event where NewReader is given none:
// enough for a picture in base64, too little to exhaust a machine.
const DefaultMaxEventBytes = 64 << 20

// ErrUnfinished says that the stream ended inside an event. The Event returned
// with it has what had come until then.
var ErrUnfinished = errors.New("the event stream ended in the middle of an event")

// ErrTooLarge says that one event is larger than the reader's limit. Errors
// that wrap it name the limit.
var ErrTooLarge = errors.New("an event of the stream is too large")

// Event is one event of the stream.
type Event struct {
	// Name is the value of "event:", empty where the event has none (which the
	// standard calls "message"). Data are the "data:" lines joined by line feeds.
	// ID is the last "id:" seen in the stream, as the standard has it. All three
	// are valid until the next call of Next.
	Name, Data, ID []byte
	// Arrival is that of the byte which ended the blank line after the event:
	// its line feed, or its carriage return where the stream uses these, since
	// nothing that can follow would change the event.
	Arrival stamp.Arrival
}

// Reader reads the events of one stream. It is not safe for concurrent use.
type Reader struct {
	src stamp.SpanReader
	max int

	span stamp.Span
	pos  int // of the next unread byte in span
	lf   int // of the first line feed at or after pos; -1: to be searched

	line   []byte // start of a line that began in an earlier span
	skipLF bool   // the line before ended in a carriage return
	begun  bool   // the first line was read: no byte order mark can follow

	name, data, id []byte
	hasData        bool
	hasField       bool // any field line since the last blank line
	err            error
}

// NewReader reads events from src. An event whose lines sum up to more than
// maxEventBytes is an error; 0 or less is DefaultMaxEventBytes.
func NewReader(src stamp.SpanReader, maxEventBytes int) *Reader {
	if maxEventBytes <= 0 {
		maxEventBytes = DefaultMaxEventBytes
	}
	return &Reader{src: src, max: maxEventBytes, lf: -1}
}

// Next returns the next event. The error is io.EOF at the regular end of the
// stream; ErrUnfinished, together with the event so far, where the stream ended
// within an event; one that wraps ErrTooLarge; or that of the source. The event
// returned with any error but io.EOF holds what had come of it. After an error
// Next returns it again, and io.EOF after ErrUnfinished.
func (r *Reader) Next() (Event, error) {
	if r.err != nil {
		return Event{}, r.err
	}
	r.reset()
	for {
		for r.pos < len(r.span.Bytes) {
			complete, err := r.takeLine()
			if err != nil {
				return r.fail(err)
			}
			if complete {
				return r.event(), nil
			}
		}
		span, err := r.src.NextSpan()
		if err != nil {
			return r.end(err)
		}
		r.span, r.pos, r.lf = span, 0, -1
	}
}

func (r *Reader) reset() {
	r.name, r.data = r.name[:0], r.data[:0]
	r.hasData, r.hasField = false, false
}

func (r *Reader) event() Event {
	data := r.data
	if r.hasData {
		data = data[:len(data)-1] // the line feed after the last data line
	}
	return Event{Name: r.name, Data: data, ID: r.id, Arrival: r.span.Arrival}
}

func (r *Reader) fail(err error) (Event, error) {
	r.err = err
	return r.event(), err
}

// end deals with the source's last word, io.EOF or another.
func (r *Reader) end(err error) (Event, error) {
	if len(r.line) > 0 {
		r.takeField(r.line)
		r.line = r.line[:0]
	}
	if !errors.Is(err, io.EOF) {
		return r.fail(err)
	}
	r.err = io.EOF
	if r.hasField {
		return r.event(), ErrUnfinished
	}
	return Event{}, io.EOF
}

// takeLine reads to the end of the line or of the span and tells whether that
// completed an event.
func (r *Reader) takeLine() (complete bool, err error) {
	b := r.span.Bytes
	if r.skipLF {
		r.skipLF = false
		if b[r.pos] == '\n' {
			r.pos++
			return false, nil
		}
	}
	// The position of the line feed is kept over the lines of a stream that
	// ends them with carriage returns, or a span would be searched to its end
	// for every line.
	if r.lf < r.pos {
		r.lf = len(b)
		if i := bytes.IndexByte(b[r.pos:], '\n'); i >= 0 {
			r.lf = r.pos + i
		}
	}
	end := r.lf
	if i := bytes.IndexByte(b[r.pos:end], '\r'); i >= 0 {
		end = r.pos + i
		r.skipLF = true
	}
	rest := b[r.pos:end]
	if len(r.line)+len(rest)+len(r.data)+len(r.name) > r.max {
		return false, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, r.max)
	}
	if end == len(b) {
		r.line = append(r.line, rest...)
		r.pos = end
		return false, nil
	}
	r.pos = end + 1
	line := rest
	if len(r.line) > 0 {
		r.line = append(r.line, rest...)
		line = r.line
	}
	blank := r.takeField(line)
	r.line = r.line[:0]
	if blank {
		if r.hasData {
			return true, nil
		}
		r.reset() // an event without data is none
	}
	return false, nil
}

var byteOrderMark = []byte("\xEF\xBB\xBF")

// takeField takes one line without its end and tells whether it was blank.
func (r *Reader) takeField(line []byte) (blank bool) {
	if !r.begun {
		r.begun = true
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if len(line) == 0 {
		return true
	}
	if line[0] == ':' {
		return false
	}
	r.hasField = true
	name, value, _ := bytes.Cut(line, colon)
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "data":
		r.data = append(append(r.data, value...), '\n')
		r.hasData = true
	case "event":
		r.name = append(r.name[:0], value...)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.id = append(r.id[:0], value...)
		}
	}
	return false
}

var colon = []byte{':'}
