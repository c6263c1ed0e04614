package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a request as a server saw it.
type received struct {
	Method, Path string
	Header       http.Header
	Body         []byte
}

// rawServer answers every request on a connection with what answer returns,
// byte for byte, in writes of at most piece bytes (0: at once).
type rawServer struct {
	listener net.Listener
	answer   func(received) []byte
	piece    int
	hangUp   bool // close the connection after each answer
	wait     sync.WaitGroup

	mu          sync.Mutex
	requests    []received
	connections map[net.Conn]bool
	accepted    int
}

func startServer(t *testing.T, piece int, answer func(received) []byte) *rawServer {
	t.Helper()
	return start(t, &rawServer{answer: answer, piece: piece})
}

func start(t *testing.T, s *rawServer) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener, s.connections = listener, map[net.Conn]bool{}
	s.wait.Add(1)
	go s.accept()
	t.Cleanup(s.close)
	return s
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() }

func (s *rawServer) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.connections {
		c.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

func (s *rawServer) accept() {
	defer s.wait.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.accepted++
		s.connections[conn] = true
		s.mu.Unlock()
		s.wait.Add(1)
		go s.serve(conn)
	}
}

func (s *rawServer) serve(conn net.Conn) {
	defer s.wait.Done()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.connections, conn)
		s.mu.Unlock()
	}()
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
		got := received{request.Method, request.URL.RequestURI(), request.Header, body}
		s.mu.Lock()
		s.requests = append(s.requests, got)
		s.mu.Unlock()
		text := s.answer(got)
		if text == nil { // hang up without a word
			return
		}
		for len(text) > 0 {
			n := len(text)
			if s.piece > 0 {
				n = min(n, s.piece)
			}
			if _, err := conn.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
		if s.hangUp {
			return
		}
	}
}

// last returns the latest request.
func (s *rawServer) last() received {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return received{}
	}
	return s.requests[len(s.requests)-1]
}

func (s *rawServer) connectionsAccepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// find returns the backend of a name.
func find(t *testing.T, name string) backend.Backend {
	t.Helper()
	for _, b := range backends() {
		if b.Describe().Answers(name) {
			return b
		}
	}
	t.Fatalf("no backend %q", name)
	return nil
}

// config is a configuration as core makes it, with every default.
func config(b backend.Backend, base string, edit func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "wire-model", APIBase: base, APIKey: secret.New("wire-key"),
		Options: option.Values{}, WorkerCount: 1,
		Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Total: 30 * time.Second},
		HTTP:   backend.HTTP{Proxy: "none"},
	}
	for _, o := range b.Describe().Options {
		if o.Default != "" {
			c.Options[o.Name] = o.Default // only enums have one here
		}
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

// open opens a backend, which must work.
func open(t *testing.T, name, base string, edit func(*backend.Config)) backend.Backend {
	t.Helper()
	b := find(t, name)
	opened, err := b.Open(context.Background(), config(b, base, edit))
	if err != nil || opened.Failed() {
		t.Fatalf("Open: %v %+v", err, opened.Problems)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// do performs a request.
func do(b backend.Backend, request *backend.Request) *backend.Outcome {
	ctx := context.Background()
	request.Want = backend.Want{Events: true, Text: true}
	rec := backend.NewRecorder(request, 0, nil, nil)
	b.Do(ctx, request, rec)
	return rec.Outcome(ctx)
}

func chatRequest(stream bool) *backend.Request {
	return &backend.Request{
		Task: backend.TextToText, ID: "wire-1",
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hello")}, MaxTokens: 8, Stream: stream},
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeJSON(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
