package backendtest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Received is a request as a RawServer saw it.
type Received struct {
	Method, Path, Host string // Path with its query, as it stands in the request line
	Header             http.Header
	Body               []byte
}

// RawServer answers every request on a connection with what Answer returns, byte
// for byte: recorded answers, broken ones, any framing. Its methods may be called
// concurrently.
type RawServer struct {
	Answer func(Received) []byte // nil bytes: hang up without a word
	Piece  int                   // most bytes of one write; 0: all at once
	HangUp bool                  // close the connection after each answer

	listener net.Listener
	wait     sync.WaitGroup

	mu          sync.Mutex
	requests    []Received
	connections map[net.Conn]bool
	accepted    int
}

// Start listens on the loopback until the test ends.
func (s *RawServer) Start(t testing.TB) *RawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.connections = listener, map[net.Conn]bool{}
	s.wait.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// URL is the server's address.
func (s *RawServer) URL() string { return "http://" + s.listener.Addr().String() }

// Last returns the latest request; the zero value where there was none.
func (s *RawServer) Last() Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return Received{}
	}
	return s.requests[len(s.requests)-1]
}

// Requests is how many requests came.
func (s *RawServer) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// Connections is how many connections were accepted.
func (s *RawServer) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

func (s *RawServer) close() {
	_ = s.listener.Close() // nobody waits for it
	s.mu.Lock()
	for c := range s.connections {
		_ = c.Close() // it may be closed
	}
	s.mu.Unlock()
	s.wait.Wait()
}

func (s *RawServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		s.accepted++
		s.connections[conn] = true
		s.mu.Unlock()
		s.wait.Go(func() {
			s.serve(conn)
			_ = conn.Close() // it may be closed
			s.mu.Lock()
			delete(s.connections, conn)
			s.mu.Unlock()
		})
	}
}

func (s *RawServer) serve(conn net.Conn) {
	reader := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		got := Received{request.Method, request.RequestURI, request.Host, request.Header, body}
		s.mu.Lock()
		s.requests = append(s.requests, got)
		s.mu.Unlock()
		text := s.Answer(got)
		if text == nil {
			return
		}
		for len(text) > 0 {
			n := len(text)
			if s.Piece > 0 {
				n = min(n, s.Piece)
			}
			if _, err := conn.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
		if s.HangUp {
			return
		}
	}
}
