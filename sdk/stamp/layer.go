package stamp

import "io"

// recordMax is the most plaintext that one TLS record holds (RFC 8446, § 5.1).
const recordMax = 16 << 10

// Layer is the byte stream of a protocol above a Conn that delivers what it
// reads in records, as TLS does. A record is deliverable when its last byte
// came: the arrival of plaintext is that of the read of the Conn below that
// completed the record, however much of the next record that read had too.
type Layer struct {
	below *Conn
	above io.Reader
	buf   []byte
}

// NewLayer makes spans of what above (a *tls.Conn) delivers. above must read
// from below, through OneRecordAtATime, and only when asked.
func NewLayer(below *Conn, above io.Reader) *Layer {
	return &Layer{below: below, above: above}
}

// NextSpan implements SpanReader.
func (l *Layer) NextSpan() (Span, error) {
	if l.buf == nil {
		l.buf = make([]byte, readBufferFirst)
	}
	n, err := l.above.Read(l.buf)
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return Span{}, err
	}
	// An error that came along comes again with the next call.
	s := Span{Bytes: l.buf[:n], Arrival: l.below.last}
	if n == len(l.buf) && n < recordMax {
		l.buf = make([]byte, recordMax)
	}
	return s, nil
}
