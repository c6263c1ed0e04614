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

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a request as a server saw it.
type received struct {
	Method, Path string
	Header       http.Header
	Body         []byte
	KeyID        string // of the signature
	Unsigned     error  // what is wrong with it
}

// rawServer answers every request on a connection with what answer returns,
// byte for byte.
type rawServer struct {
	listener net.Listener
	answer   func(received) []byte
	keys     *emulator.Keyring // nil: signatures are not verified
	wait     sync.WaitGroup

	mu          sync.Mutex
	requests    []received
	connections map[net.Conn]bool
}

func startServer(t testing.TB, keys *emulator.Keyring, answer func(received) []byte) *rawServer {
	t.Helper()
	s := &rawServer{answer: answer, keys: keys}
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
		request.RequestURI = request.URL.RequestURI()
		got := received{Method: request.Method, Path: request.RequestURI, Header: request.Header, Body: body}
		if s.keys != nil {
			got.KeyID, got.Unsigned = s.keys.Verify(request, body)
		}
		s.mu.Lock()
		s.requests = append(s.requests, got)
		s.mu.Unlock()
		text := s.answer(got)
		if text == nil { // hang up without a word
			return
		}
		if _, err := conn.Write(text); err != nil {
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

// find returns the backend of a name.
func find(t testing.TB, name string) backend.Backend {
	t.Helper()
	for _, b := range backends() {
		if b.Describe().Answers(name) {
			return b
		}
	}
	t.Fatalf("no backend %q", name)
	return nil
}

// config is a configuration as core makes it, with every default, of an account.
func config(b backend.Backend, base string, a *account, edit func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "wire-model", APIBase: base,
		Options: option.Values{}, WorkerCount: 1, RequestParams: json.RawMessage(`{"compartmentId":"` + wireCompartment + `"}`),
		Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Total: 30 * time.Second},
		HTTP:   backend.HTTP{Proxy: "none"},
	}
	for _, o := range b.Describe().Options {
		if o.Default != "" {
			c.Options[o.Name] = o.Default // only texts have one here
		}
	}
	if a != nil {
		c.Options[auth.OptionConfigFile] = a.path("config")
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

// open opens a backend, which must work.
func open(t testing.TB, name, base string, a *account, edit func(*backend.Config)) backend.Backend {
	t.Helper()
	b := find(t, name)
	opened, err := b.Open(context.Background(), config(b, base, a, edit))
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

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeJSON(t testing.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
}
