package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// errUnfinishedObject says that a body ended inside of an object.
var errUnfinishedObject = errors.New("the body ended in the middle of a JSON object")

// objects splits a body into the JSON objects that stand in it at the top, or in
// a list at the top, each with the arrival of its closing brace. What lies
// between them is passed over; what is no object at all is returned as it is, at
// the end, for whoever reads it to refuse.
type objects struct {
	src     stamp.SpanReader
	span    stamp.Span
	rest    []byte // of span, not looked at yet
	buf     []byte // the object so far
	depth   int    // of braces and brackets within the object
	quoted  bool   // within a string
	escaped bool   // after a backslash in it
	stray   []byte // what is neither an object nor between objects
	ended   bool
}

// objectBytesMax bounds one object.
const objectBytesMax = 64 << 20

func newObjects(src stamp.SpanReader) *objects { return &objects{src: src} }

// next returns the next object; io.EOF after the last.
func (o *objects) next() ([]byte, stamp.Arrival, error) {
	if o.depth == 0 {
		o.buf = o.buf[:0]
	}
	for {
		for len(o.rest) > 0 {
			b := o.rest[0]
			o.rest = o.rest[1:]
			if o.take(b) {
				return o.buf, o.span.Arrival, nil
			}
			if len(o.buf) > objectBytesMax || len(o.stray) > objectBytesMax {
				return nil, stamp.Arrival{}, fmt.Errorf("a JSON object of more than %d MiB", objectBytesMax>>20)
			}
		}
		if o.ended {
			return nil, stamp.Arrival{}, io.EOF
		}
		span, err := o.src.NextSpan()
		if errors.Is(err, io.EOF) {
			o.ended = true
			switch {
			case o.depth > 0 && !beginsJSON(o.buf):
				return o.buf, o.span.Arrival, nil
			case o.depth > 0:
				return nil, stamp.Arrival{}, errUnfinishedObject
			case len(o.stray) > 0:
				return o.stray, o.span.Arrival, nil
			}
			return nil, stamp.Arrival{}, io.EOF
		}
		if err != nil {
			return nil, stamp.Arrival{}, err
		}
		o.span, o.rest = span, span.Bytes
	}
}

// beginsJSON tells whether text is the beginning of a JSON value, as one that was
// cut is, and garbage with a brace in it is not.
func beginsJSON(text []byte) bool {
	var value json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&value), io.ErrUnexpectedEOF)
}

// take takes one byte and tells whether it completed an object.
func (o *objects) take(b byte) bool {
	if o.depth == 0 {
		switch b {
		case '{':
			o.depth = 1
			o.buf = append(o.buf[:0], b)
		case '[', ']', ',', ' ', '\t', '\r', '\n':
		default:
			o.stray = append(o.stray, b)
		}
		return false
	}
	o.buf = append(o.buf, b)
	switch {
	case o.escaped:
		o.escaped = false
	case o.quoted:
		o.escaped = b == '\\'
		o.quoted = b != '"'
	case b == '"':
		o.quoted = true
	case b == '{' || b == '[':
		o.depth++
	case b == '}' || b == ']':
		o.depth--
		return o.depth == 0
	}
	return false
}
