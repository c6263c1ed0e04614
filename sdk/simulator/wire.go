package simulator

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// wire carries one answer to the client and notes each write. Its methods are
// called by one goroutine. After an error nothing more can be sent.
type wire interface {
	// begin sends the head. length is the body's; -1: not known.
	begin(status int, header []headerField, framing string, length int64) error
	// beginHalf sends the first half of a head.
	beginHalf(status int, header []headerField) error
	// piece sends a part of the body as a chunk of its own and in one write,
	// and returns the write's index.
	piece(p []byte) (write int, err error)
	// trickle sends the parts with a pause between, as one chunk where there
	// are chunks, and returns the index of the last write.
	trickle(parts [][]byte, pause func()) (write int, err error)
	// end ends the body regularly.
	end() error
	// cut closes the connection, or resets the stream.
	cut(reset bool)
}

// kernel is what a wire asks of the system about its connection.
type kernel interface{ keptBack() bool }

type headerField struct{ name, value string }

// record notes a write that carried some bytes of the body.
func (r *Record) note(before, after stamp.Nanos, bytes int) int {
	r.Writes = append(r.Writes, Write{Before: before, After: after, Offset: r.ResponseBytes, Bytes: bytes})
	r.ResponseBytes += int64(bytes)
	return len(r.Writes) - 1
}

// h1Wire writes HTTP/1.1 to the connection itself: the moments around a write
// are those around the system call (TLS: and its encryption).
type h1Wire struct {
	conn   net.Conn
	kernel kernel // nil: is not asked
	record *Record
	buf    []byte
	keep   bool // the connection can take another request
	http10 bool
	noBody bool // HEAD

	chunked  bool
	nextHead bool // the size of a one-byte chunk was sent ahead (sendAhead)
}

var _ wire = (*h1Wire)(nil)

func (w *h1Wire) write(p []byte, bodyBytes int) (int, error) {
	before := stamp.Now()
	_, err := w.conn.Write(p)
	if err != nil {
		w.keep = false
		return -1, err
	}
	queued := w.kernel != nil && w.kernel.keptBack()
	n := w.record.note(before, stamp.Now(), bodyBytes)
	w.record.Writes[n].Queued = queued
	return n, nil
}

func (w *h1Wire) head(status int, header []headerField) {
	w.buf = append(w.buf[:0], "HTTP/1.1 "...)
	w.buf = strconv.AppendInt(w.buf, int64(status), 10)
	w.buf = append(append(append(w.buf, ' '), http.StatusText(status)...), "\r\ndate: "...)
	w.buf = time.Now().UTC().AppendFormat(w.buf, http.TimeFormat)
	w.buf = append(w.buf, "\r\nserver: genai-bench-simulator\r\n"...)
	for _, h := range header {
		w.buf = append(append(append(append(w.buf, h.name...), ": "...), h.value...), "\r\n"...)
	}
}

func (w *h1Wire) begin(status int, header []headerField, framing string, length int64) error {
	if w.http10 && length < 0 {
		framing = "close"
	}
	w.head(status, header)
	switch {
	case framing == "close":
		w.keep = false
	case length >= 0:
		w.buf = append(strconv.AppendInt(append(w.buf, "content-length: "...), length, 10), "\r\n"...)
	default:
		w.chunked = true
		w.buf = append(w.buf, "transfer-encoding: chunked\r\n"...)
	}
	if !w.keep {
		w.buf = append(w.buf, "connection: close\r\n"...)
	}
	w.buf = append(w.buf, "\r\n"...)
	w.record.Status = status
	_, err := w.write(w.buf, 0)
	return err
}

func (w *h1Wire) beginHalf(status int, header []headerField) error {
	w.head(status, header)
	_, err := w.write(w.buf[:len(w.buf)/2], 0)
	return err
}

func (w *h1Wire) piece(p []byte) (int, error) {
	switch {
	case w.noBody:
		return max(0, len(w.record.Writes)-1), nil
	case !w.chunked:
		return w.write(p, len(p))
	}
	w.buf = w.buf[:0]
	if w.nextHead {
		// The chunk head that was sent ahead is for the first byte.
		w.buf = append(w.buf, p[0], '\r', '\n')
		p, w.nextHead = p[1:], false
		if len(p) == 0 {
			return w.write(w.buf, 1)
		}
		w.buf = appendChunk(w.buf, p)
		return w.write(w.buf, 1+len(p))
	}
	w.buf = appendChunk(w.buf, p)
	return w.write(w.buf, len(p))
}

// pieceAndNextHead sends a chunk and, in the same write, the size line of the
// next one, which will have one byte: a reader that looks ahead for the next
// chunk has it, but not its data.
func (w *h1Wire) pieceAndNextHead(p []byte) (int, error) {
	if !w.chunked {
		return w.piece(p)
	}
	sent := len(p)
	w.buf = w.buf[:0]
	if w.nextHead {
		w.buf = append(w.buf, p[0], '\r', '\n')
		p = p[1:]
	}
	if len(p) > 0 {
		w.buf = appendChunk(w.buf, p)
	}
	w.buf = append(w.buf, "1\r\n"...)
	w.nextHead = true
	return w.write(w.buf, sent)
}

func appendChunk(buf, p []byte) []byte {
	buf = strconv.AppendInt(buf, int64(len(p)), 16)
	buf = append(buf, "\r\n"...)
	buf = append(buf, p...)
	return append(buf, "\r\n"...)
}

func (w *h1Wire) trickle(parts [][]byte, pause func()) (last int, err error) {
	total := 0
	for _, p := range parts {
		total += len(p)
	}
	for i, p := range parts {
		w.buf = w.buf[:0]
		if w.chunked && i == 0 {
			w.buf = append(strconv.AppendInt(w.buf, int64(total), 16), "\r\n"...)
		}
		w.buf = append(w.buf, p...)
		if w.chunked && i == len(parts)-1 {
			w.buf = append(w.buf, "\r\n"...)
		}
		if i > 0 {
			pause()
		}
		if last, err = w.write(w.buf, len(p)); err != nil {
			return last, err
		}
	}
	return last, nil
}

func (w *h1Wire) end() error {
	if !w.chunked {
		return nil
	}
	_, err := w.write([]byte("0\r\n\r\n"), 0)
	return err
}

func (w *h1Wire) cut(reset bool) {
	w.keep = false
	conn := w.conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn() // a TLS close_notify would make it look regular
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // where it fails, the close below still cuts the answer
	}
	_ = conn.Close()
}

// handlerWire answers through an http.ResponseWriter: HTTP/2, and Server.Handler
// in another server.
type handlerWire struct {
	w      http.ResponseWriter
	flush  *http.ResponseController
	record *Record
	noBody bool
}

var _ wire = (*handlerWire)(nil)

func (w *handlerWire) begin(status int, header []headerField, framing string, length int64) error {
	h := w.w.Header()
	for _, f := range header {
		h.Set(f.name, f.value)
	}
	h.Set("Server", "genai-bench-simulator")
	if length >= 0 && framing != "close" {
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	before := stamp.Now()
	w.w.WriteHeader(status)
	err := w.flush.Flush()
	w.record.Status = status
	w.record.note(before, stamp.Now(), 0)
	return err
}

func (w *handlerWire) beginHalf(int, []headerField) error { return nil } // a HEADERS frame has no half

func (w *handlerWire) piece(p []byte) (int, error) {
	if w.noBody {
		return max(0, len(w.record.Writes)-1), nil
	}
	before := stamp.Now()
	_, err := w.w.Write(p)
	if err == nil {
		err = w.flush.Flush()
	}
	if err != nil {
		return -1, fmt.Errorf("simulator: writing the answer: %w", err)
	}
	return w.record.note(before, stamp.Now(), len(p)), nil
}

func (w *handlerWire) trickle(parts [][]byte, pause func()) (last int, err error) {
	for i, p := range parts {
		if i > 0 {
			pause()
		}
		if last, err = w.piece(p); err != nil {
			return last, err
		}
	}
	return last, nil
}

func (w *handlerWire) end() error { return nil }

// cut does nothing: net/http resets a stream by way of a panic, which
// Server.serveHandler raises when all else is done.
func (w *handlerWire) cut(bool) {}

// peekedConn is a connection of which some bytes were read ahead.
type peekedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *peekedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
