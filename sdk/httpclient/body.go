package httpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// framing is how the end of a body is told, and for a chunked one the place in
// it.
type framing uint8

const (
	ended framing = iota
	byLength
	byClose
	chunkSize    // in the line with the next chunk's size
	chunkData    // remaining bytes of a chunk
	chunkDataEnd // CR LF after a chunk
	chunkTrailer // lines after the last chunk
)

const (
	chunkLineMax = 4096     // a chunk's size with its extensions
	trailerMax   = 64 << 10 // all lines after the last chunk
)

// Body is the body of an answer. It is not safe for concurrent use.
type Body struct {
	r         *request
	state     framing
	remaining int64 // of the body or the chunk
	reusable  bool
	line      []byte // start of a line that began in an earlier span
	trailer   int    // bytes of trailer lines
	heard     stamp.Nanos
	err       error
	finished  bool
}

func (b *Body) start(r *request, h head, sentWhole bool) {
	b.r = r
	b.heard = r.x.ReadEnd
	b.reusable = h.persistent && sentWhole && !r.conn.closing && !r.conn.single
	b.frame(h)
	if b.state == ended {
		b.finish()
		return
	}
	r.conn.readBy(b.nextDeadline())
}

// frame sets out how the end of the body will be told.
func (b *Body) frame(h head) {
	switch {
	case b.r.call.Method == http.MethodHead || h.bodiless() || h.length == 0:
		b.state = ended
	case h.chunked:
		b.state = chunkSize
	case h.length > 0:
		b.state, b.remaining = byLength, h.length
	default:
		b.state = byClose
		b.reusable = false
	}
}

// nextDeadline is that of the whole request or of the wait for the next byte.
func (b *Body) nextDeadline() time.Time {
	idle := b.r.client.limits.Idle
	if idle <= 0 {
		return b.r.deadline
	}
	return earliest(b.r.deadline, b.heard.Add(idle).Time())
}

// NextSpan implements stamp.SpanReader. Bytes are handed out as soon as they
// are deliverable, and those of one span have one arrival. Errors are io.EOF
// and *fault.Error.
func (b *Body) NextSpan() (stamp.Span, error) {
	if b.err != nil {
		return stamp.Span{}, b.err
	}
	for b.state != ended {
		c := b.r.conn
		if len(c.rest.Bytes) == 0 {
			if err := b.receive(); err != nil {
				if errors.Is(err, io.EOF) && b.state == byClose {
					break
				}
				return stamp.Span{}, b.fail(err)
			}
		}
		span, ok, err := b.step()
		if err != nil {
			return stamp.Span{}, b.fail(err)
		}
		if ok {
			return span, nil
		}
	}
	b.finish()
	b.err = io.EOF
	return stamp.Span{}, io.EOF
}

// receive waits for bytes. The deadline is moved when it strikes and not with
// every read: that is a lock and a heap operation less per event.
func (b *Body) receive() error {
	for {
		err := b.r.conn.receive()
		if err == nil {
			b.heard = b.r.conn.rest.Read
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		next := b.nextDeadline()
		if !time.Now().Before(next) {
			return err
		}
		b.r.conn.readBy(next)
	}
}

// step consumes some of what was received. ok: it is part of the body.
func (b *Body) step() (span stamp.Span, ok bool, err error) {
	c := b.r.conn
	in := c.rest.Bytes
	used := len(in)
	switch b.state {
	case byLength, chunkData:
		used = int(min(int64(len(in)), b.remaining))
		b.remaining -= int64(used)
		if b.remaining == 0 {
			if b.state == byLength {
				b.state = ended
			} else {
				b.state = chunkDataEnd
			}
		}
		ok = true
	case byClose:
		ok = true
	case chunkDataEnd:
		var line []byte
		if line, used = b.takeLine(in); line != nil {
			if len(line) != 0 {
				return span, false, malformed("a chunk is longer than its size says")
			}
			b.state = chunkSize
		} else if len(b.line) > 0 && b.line[0] != '\r' || len(b.line) > 1 {
			return span, false, malformed("a chunk is longer than its size says")
		}
	case chunkSize:
		var line []byte
		if line, used = b.takeLine(in); line != nil {
			if b.remaining, err = parseChunkSize(line); err != nil {
				return span, false, err
			}
			b.state = chunkData
			if b.remaining == 0 {
				b.state = chunkTrailer
			}
		}
		if len(b.line) > chunkLineMax || used > chunkLineMax {
			return span, false, malformed("the line with a chunk's size is longer than %d bytes", chunkLineMax)
		}
	case chunkTrailer:
		var line []byte
		line, used = b.takeLine(in)
		if b.trailer += used; b.trailer > trailerMax {
			return span, false, malformed("the trailer is larger than %d bytes", trailerMax)
		}
		if line != nil && len(line) == 0 {
			b.state = ended
		}
	}
	x := b.r.x
	x.BytesReceived += int64(used)
	x.LastByte, x.LastByteFlags, x.ReadEnd = c.rest.At, c.rest.Flags, c.rest.Read
	span = stamp.Span{Bytes: in[:used], Arrival: c.rest.Arrival}
	c.rest.Bytes = in[used:]
	return span, ok, nil
}

// takeLine returns a line without its end, or nil where the end has not come.
// The line is valid until the next call. A line feed alone is no end here:
// peers that differ about that is how requests are smuggled.
func (b *Body) takeLine(in []byte) (line []byte, used int) {
	i := bytes.IndexByte(in, '\n')
	if i < 0 {
		b.line = append(b.line, in...)
		return nil, len(in)
	}
	used = i + 1
	line = in[:used]
	if len(b.line) > 0 {
		b.line = append(b.line, line...)
		line = b.line
		b.line = b.line[:0]
	}
	if n := len(line); n >= 2 && line[n-2] == '\r' {
		return line[:n-2], used
	}
	return line, used // its line feed makes it malformed for every caller
}

// parseChunkSize reads the hexadecimal size at the start of a line; what
// follows a semicolon is an extension (RFC 9112, § 7.1.1).
func parseChunkSize(line []byte) (int64, error) {
	shown := line[:min(len(line), shownBytesOfAnswer)]
	if bytes.ContainsAny(line, "\r\n") {
		return 0, malformed("malformed chunk size %q", shown)
	}
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 16 {
		return 0, malformed("malformed chunk size %q", shown)
	}
	var n uint64
	for _, d := range digits {
		switch {
		case d >= '0' && d <= '9':
			d -= '0'
		case d >= 'a' && d <= 'f':
			d -= 'a' - 10
		case d >= 'A' && d <= 'F':
			d -= 'A' - 10
		default:
			return 0, malformed("malformed chunk size %q", shown)
		}
		n = n<<4 | uint64(d)
	}
	if n > 1<<62 {
		return 0, malformed("the chunk size %q is absurd", shown)
	}
	return int64(n), nil
}

// fail ends the body with an error.
func (b *Body) fail(err error) error {
	b.reusable = false
	fail := b.r.failure(err, phaseBody)
	b.err = fail
	b.finish()
	return fail
}

// finish completes the record of the exchange and lets go of the connection.
func (b *Body) finish() {
	if b.finished {
		return
	}
	b.finished = true
	r := b.r
	r.observe()
	// Bytes beyond the answer belong to no request: the two sides differ about
	// where it ended.
	intact := b.state == ended && len(r.conn.rest.Bytes) == 0 && r.conn.raw.Buffered() == 0
	if r.detach() && b.reusable && intact {
		r.client.pool.put(r.conn)
	} else {
		r.conn.close()
	}
}

// Close ends the body. Where it was read to its end, or the rest of it is at
// hand, the connection is kept; else it is closed, which tells the server that
// nobody listens any more. Close does not wait. It always returns nil.
func (b *Body) Close() error {
	for !b.finished && b.state != ended && len(b.r.conn.rest.Bytes) > 0 {
		if _, _, err := b.step(); err != nil {
			b.reusable = false
			break
		}
	}
	b.finish()
	if b.err == nil {
		b.err = io.EOF
		if b.state != ended {
			b.err = errors.New("httpclient: the body was closed")
		}
	}
	return nil
}

// ReadAll reads the body to its end. One of more than limitBytes is a
// *fault.Error of class protocol; 0 or less is no limit. The bytes read so far
// are returned with an error too.
func (b *Body) ReadAll(limitBytes int64) ([]byte, error) {
	size := int64(512)
	if b.state == byLength {
		size = b.remaining
		if limitBytes > 0 {
			size = min(size, limitBytes)
		}
		size = min(size, 1<<20) // a length is only a promise
	}
	all := make([]byte, 0, size)
	for {
		span, err := b.NextSpan()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if limitBytes > 0 && int64(len(all)+len(span.Bytes)) > limitBytes {
			return all, b.fail(&protocolError{what: fmt.Sprintf("the answer is larger than %d bytes", limitBytes)})
		}
		all = append(all, span.Bytes...)
	}
}
