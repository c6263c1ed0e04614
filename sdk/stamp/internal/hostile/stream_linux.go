package hostile

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Stream is an HTTP server's side of a connection, with TLS or without, whose
// answers are event streams.
type Stream struct {
	*Conn
	// RequestEnd is the length of the client's stream when the last request had
	// come whole, its last byte included.
	RequestEnd int64
	// requestStart is the number of the first byte of the last request, where there
	// is no TLS.
	requestStart int64

	over   io.ReadWriter // the connection, or TLS on it
	in     *bufio.Reader
	events []int64 // number of the byte that completes each event
	begun  int     // of these, those of earlier answers
	head   int64   // number of the byte that completes the head in hand
	last   int64   // and of that which completes its answer
}

// Scripted makes a Listen.Serve of a script.
func Scripted(t testing.TB, config *tls.Config, script func(*Stream)) func(*Conn) {
	return func(c *Conn) {
		s := &Stream{Conn: c, over: c}
		if config != nil {
			secure := tls.Server(c, config)
			if err := secure.Handshake(); err != nil {
				t.Errorf("the handshake with the client: %v", err)
				return
			}
			s.over = secure
		}
		s.in = bufio.NewReader(s.over)
		script(s)
	}
}

// Secure tells whether there is TLS.
func (s *Stream) Secure() bool { return s.over != io.ReadWriter(s.Conn) }

// Request reads one request. From then on nothing is sent but by the script.
// false: the client sends no more.
func (s *Stream) Request() bool {
	s.requestStart = s.RequestEnd
	r, err := http.ReadRequest(s.in)
	if err != nil {
		return false
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return false
	}
	s.RequestEnd = s.Received()
	s.Prompt(false)
	s.begun = len(s.events)
	return true
}

// Head is the head of an answer that is an event stream in chunks.
const Head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// End of an answer in chunks.
const End = "0\r\n\r\n"

// Chunk is a chunk of an answer.
func Chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// Put puts text at the end of the stream, in a TLS record of its own where
// there is TLS, and returns what it has become. Nothing is sent.
func (s *Stream) Put(text string) Piece {
	from := s.Size()
	if _, err := io.WriteString(s.over, text); err != nil {
		return Piece{from, from}
	}
	if head := strings.Index(text, Head); head >= 0 {
		s.head = s.Size() - 1
		if !s.Secure() {
			s.head = from + int64(head+len(Head)) - 1
		}
	}
	if strings.HasSuffix(text, End) {
		s.last = s.Size() - 1
	}
	return Piece{from, s.Size()}
}

// Event puts a chunk with one event.
func (s *Stream) Event(data string) Piece {
	p := s.Put(Chunk("data: " + data + "\n\n"))
	s.mark(p.To - 3) // the chunk's own end is not the event's
	return p
}

// Ends puts text whose last byte completes an event.
func (s *Stream) Ends(text string) Piece {
	p := s.Put(text)
	s.mark(p.To - 1)
	return p
}

// CloseNotify puts the alert with which TLS ends a stream.
func (s *Stream) CloseNotify() Piece {
	from := s.Size()
	if secure, ok := s.over.(*tls.Conn); ok {
		_ = secure.CloseWrite() // fails like Put: the connection is over
	}
	return Piece{from, s.Size()}
}

// mark notes the byte that completes an event; a TLS record is deliverable as a
// whole.
func (s *Stream) mark(number int64) {
	if s.Secure() {
		number = s.Size() - 1
	}
	s.events = append(s.events, number)
}

// Completed are the bytes that complete the events of the answer in hand.
func (s *Stream) Completed() []int64 { return s.events[s.begun:] }
