// Package frame reads the binary event streams of AWS
// (application/vnd.amazon.eventstream) and keeps, with every message, the
// moment at which the byte that completed it arrived.
//
// The format is that of "Amazon Event Stream Specification" in the Smithy
// documentation (https://smithy.io/2.0/aws/amazon-eventstream.html): a message
// is
//
//	uint32 total length   of the whole message, these bytes included
//	uint32 headers length
//	uint32 CRC-32 of the eight bytes before
//	headers
//	payload
//	uint32 CRC-32 of all bytes before
//
// all big-endian. Both checksums are verified: the first as soon as its twelve
// bytes are there, so that garbage is told from a long message at once.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const (
	preludeBytes = 12
	minBytes     = preludeBytes + 4
	// HeadersBytesMax is the specification's limit of a message's headers.
	HeadersBytesMax = 128 << 10
	// MessageBytesMax is the specification's limit of a message's payload, 24
	// MiB, with the largest headers around it.
	MessageBytesMax = 24<<20 + HeadersBytesMax + minBytes
)

// ErrUnfinished says that the stream ended inside a message.
var ErrUnfinished = errors.New("the event stream ended in the middle of a message")

// ErrMalformed says that the bytes are no event stream. Errors that wrap it say
// why.
var ErrMalformed = errors.New("malformed event stream")

// Message is one message of the stream. Its bytes are valid until the next
// call of Next.
type Message struct {
	Payload []byte
	// The headers that event streams of services use; nil where they are
	// absent or no strings.
	MessageType   []byte // :message-type: event, exception or error
	EventType     []byte // :event-type
	ExceptionType []byte // :exception-type
	ErrorCode     []byte // :error-code
	ErrorMessage  []byte // :error-message
	// Arrival is that of the message's last byte.
	Arrival stamp.Arrival
}

// Reader reads the messages of one stream. It is not safe for concurrent use.
type Reader struct {
	src     stamp.SpanReader
	span    stamp.Span
	pending []byte // start of a message that began in an earlier span
	need    int    // length of the pending message; 0: not known yet
	err     error
}

// NewReader reads messages from src.
func NewReader(src stamp.SpanReader) *Reader { return &Reader{src: src} }

// Next returns the next message. The error is io.EOF at the end of the stream,
// ErrUnfinished where it ended within a message, one that wraps ErrMalformed,
// or that of the source. After an error Next returns it again.
func (r *Reader) Next() (Message, error) {
	if r.err != nil {
		return Message{}, r.err
	}
	m, err := r.next()
	r.err = err
	return m, err
}

func (r *Reader) next() (Message, error) {
	if r.need != 0 { // the message before is done with
		r.pending, r.need = r.pending[:0], 0
	}
	for {
		if raw, err := r.take(); raw != nil || err != nil {
			if err != nil {
				return Message{}, err
			}
			m, err := parse(raw)
			m.Arrival = r.span.Arrival
			return m, err
		}
		span, err := r.src.NextSpan()
		if err != nil {
			if errors.Is(err, io.EOF) && len(r.pending) > 0 {
				return Message{}, ErrUnfinished
			}
			return Message{}, err
		}
		r.span = span
	}
}

// take returns a whole message, or nil where more bytes are needed. A message
// that lies in one span is not copied.
func (r *Reader) take() ([]byte, error) {
	if len(r.pending) == 0 {
		length, err := lengthOf(r.span.Bytes)
		if err != nil {
			return nil, err
		}
		if length > 0 && length <= len(r.span.Bytes) {
			raw := r.span.Bytes[:length]
			r.span.Bytes = r.span.Bytes[length:]
			return raw, nil
		}
	}
	for len(r.span.Bytes) > 0 {
		want := preludeBytes
		if r.need > 0 {
			want = r.need
		}
		n := min(want-len(r.pending), len(r.span.Bytes))
		r.pending = append(r.pending, r.span.Bytes[:n]...)
		r.span.Bytes = r.span.Bytes[n:]
		switch {
		case len(r.pending) < want:
			return nil, nil
		case r.need > 0:
			return r.pending, nil
		}
		length, err := lengthOf(r.pending)
		if err != nil {
			return nil, err
		}
		r.need = length
	}
	return nil, nil
}

// lengthOf reads the length of the message that starts with b; 0 where b is too
// short to tell.
func lengthOf(b []byte) (int, error) {
	if len(b) < preludeBytes {
		return 0, nil
	}
	length, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0, fmt.Errorf("%w: the checksum of a message's length is wrong", ErrMalformed)
	}
	if length < minBytes || length > MessageBytesMax || headers > HeadersBytesMax || headers > length-minBytes {
		return 0, fmt.Errorf("%w: a message of %d bytes with %d bytes of headers", ErrMalformed, length, headers)
	}
	return int(length), nil
}

// parse reads a whole message.
func parse(raw []byte) (Message, error) {
	end := len(raw) - 4
	if crc32.ChecksumIEEE(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
		return Message{}, fmt.Errorf("%w: the checksum of a message is wrong", ErrMalformed)
	}
	headers := int(binary.BigEndian.Uint32(raw[4:]))
	m := Message{Payload: raw[preludeBytes+headers : end]}
	return m, m.headers(raw[preludeBytes : preludeBytes+headers])
}

// Types of header values and the length of the fixed ones.
const (
	typeBytes  = 6
	typeString = 7
)

var fixedBytes = map[byte]int{
	0: 0, 1: 0, // true, false
	2: 1, 3: 2, 4: 4, 5: 8, // integers
	8: 8, 9: 16, // time stamp, UUID
}

// headers reads name and value pairs: a byte with the name's length, the name,
// a byte with the value's type, the value.
func (m *Message) headers(b []byte) error {
	for len(b) > 0 {
		n := int(b[0])
		if n == 0 || len(b) < n+2 {
			return fmt.Errorf("%w: a header is cut off", ErrMalformed)
		}
		name, kind := b[1:1+n], b[1+n]
		b = b[n+2:]
		size, fixed := fixedBytes[kind]
		if !fixed {
			if kind != typeBytes && kind != typeString {
				return fmt.Errorf("%w: no header's value is of type %d", ErrMalformed, kind)
			}
			if len(b) < 2 {
				return fmt.Errorf("%w: a header is cut off", ErrMalformed)
			}
			size = int(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if len(b) < size {
			return fmt.Errorf("%w: a header is cut off", ErrMalformed)
		}
		if kind == typeString {
			m.header(name, b[:size])
		}
		b = b[size:]
	}
	return nil
}

func (m *Message) header(name, value []byte) {
	switch string(name) {
	case ":message-type":
		m.MessageType = value
	case ":event-type":
		m.EventType = value
	case ":exception-type":
		m.ExceptionType = value
	case ":error-code":
		m.ErrorCode = value
	case ":error-message":
		m.ErrorMessage = value
	}
}
