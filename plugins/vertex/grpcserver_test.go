package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	security "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const plantedGRPCKey = "AIza-PLANTED-KEY-88e0"

// grpcServer is Vertex AI's PredictionService as far as Gemini needs it, by
// google/cloud/aiplatform/v1beta1/prediction_service.proto. It verifies the key
// or the token, the routing header and the model, and then plays a script.
type grpcServer struct {
	pb.UnimplementedPredictionServiceServer
	*grpc.Server
	address string
	tokens  []string
	// play sends messages, in REST's form, and returns how the call ends.
	play func(ctx context.Context, send func(text string)) error

	mu       sync.Mutex
	requests []*pb.GenerateContentRequest
	headers  []metadata.MD
	sends    []interval // of all messages
	ended    []error    // of the clients' contexts, after their calls
}

type interval struct{ before, after stamp.Nanos }

func startGRPC(t testing.TB, play func(ctx context.Context, send func(text string)) error, options ...grpc.ServerOption) *grpcServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startGRPCOn(t, listener, play, options...)
}

func startGRPCOn(t testing.TB, listener net.Listener, play func(ctx context.Context, send func(text string)) error, options ...grpc.ServerOption) *grpcServer {
	t.Helper()
	s := &grpcServer{Server: grpc.NewServer(options...), address: listener.Addr().String(), play: play, tokens: []string{plantedToken, plantedToken + "-0"}}
	pb.RegisterPredictionServiceServer(s.Server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(listener) // ends with Stop
	}()
	t.Cleanup(func() {
		s.Stop()
		<-done
	})
	return s
}

func (s *grpcServer) url() string { return "http://" + s.address }

func (s *grpcServer) check(ctx context.Context, r *pb.GenerateContentRequest) error {
	header, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	s.requests, s.headers = append(s.requests, r), append(s.headers, header)
	s.mu.Unlock()
	one := func(name string) string { return strings.Join(header.Get(name), "|") }
	bearer, key := strings.TrimPrefix(one("authorization"), "Bearer "), one("x-goog-api-key")
	const prefix = "projects/" + project + "/locations/" + defaultLocation + "/publishers/google/models/"
	model, ours := strings.CutPrefix(r.GetModel(), prefix)
	switch {
	case key != "" && key != plantedGRPCKey:
		return status.Error(codes.InvalidArgument, "API key not valid. Please pass a valid API key.")
	case key == "" && !slices.Contains(s.tokens, bearer):
		return status.Error(codes.Unauthenticated, "Request had invalid authentication credentials.")
	case !strings.Contains(one("x-goog-request-params"), "model="):
		return status.Error(codes.Internal, "no routing header")
	case !ours:
		return status.Errorf(codes.PermissionDenied, "Permission denied on resource %s (or it may not exist).", r.GetModel())
	case model != "gemini-wire":
		return status.Errorf(codes.NotFound, "Publisher Model `%s` was not found", r.GetModel())
	case len(r.GetContents()) == 0 || len(r.GetContents()[0].GetParts()) == 0:
		return status.Error(codes.InvalidArgument, "Unable to submit request because at least one contents field is required.")
	}
	return nil
}

func read(text string) *pb.GenerateContentResponse {
	m := new(pb.GenerateContentResponse)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		panic(err) // a script's mistake
	}
	return m
}

func (s *grpcServer) StreamGenerateContent(r *pb.GenerateContentRequest, stream pb.PredictionService_StreamGenerateContentServer) error {
	if err := s.check(stream.Context(), r); err != nil {
		return err
	}
	err := s.play(stream.Context(), func(text string) {
		m := read(text)
		before := stamp.Now()
		_ = stream.Send(m) // a client that is gone ends the script by its context
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sends = append(s.sends, interval{before, stamp.Now()})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, stream.Context().Err())
	return err
}

func (s *grpcServer) GenerateContent(ctx context.Context, r *pb.GenerateContentRequest) (*pb.GenerateContentResponse, error) {
	if err := s.check(ctx, r); err != nil {
		return nil, err
	}
	var last *pb.GenerateContentResponse
	err := s.play(ctx, func(text string) { last = read(text) })
	return last, err
}

func (s *grpcServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// certificate makes a server's own certificate; file is its PEM.
func certificate(t testing.TB) (pair security.TransportCredentials, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return security.NewServerTLSFromCert(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}), file
}

// grpcConfig is a configuration as core makes it.
func grpcConfig(base string, change func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "gemini-wire", APIBase: base, APIKey: secret.New(plantedGRPCKey), WorkerCount: 1, MaxInFlight: 4,
		Clock: backend.ClockAuto, HTTP: backend.HTTP{Proxy: "none"},
		Limits:  backend.Limits{Connect: 5 * time.Second, Total: 30 * time.Second},
		Options: option.Values{optionProject: project, optionTransport: transportGRPC},
	}
	if change != nil {
		change(&c)
	}
	return c
}

// openGRPC opens a backend, which must work.
func openGRPC(t testing.TB, base string, change func(*backend.Config)) *vertex {
	t.Helper()
	v := new(vertex)
	opened, err := v.Open(context.Background(), grpcConfig(base, change))
	if err != nil || opened.Failed() {
		t.Fatalf("Open: %v %+v", err, opened.Problems)
	}
	t.Cleanup(func() {
		if err := v.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return v
}

// perform performs a request.
func perform(ctx context.Context, b backend.Backend, r *backend.Request) *backend.Outcome {
	r.Want = backend.Want{Events: true, Text: true}
	rec := backend.NewRecorder(r, stamp.Now(), nil, nil)
	b.Do(ctx, r, rec)
	return rec.Outcome(ctx)
}

func chat(stream bool) *backend.Request {
	return &backend.Request{
		Task: backend.TextToText, ID: "wire-1",
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hello")}, MaxTokens: 8, Stream: stream},
	}
}

// startTokens gives out tokens for assertions that an emulator verifies.
func startTokens(t testing.TB, e *emulator) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		reply := e.token(&simulator.Request{HTTP: r, Body: body}).Reply
		w.Header().Set("Content-Type", "application/json")
		if reply.Status != 0 {
			w.WriteHeader(reply.Status)
		}
		_, _ = w.Write(reply.Body)
	}))
	t.Cleanup(s.Close)
	return s
}

// join copies between two connections until one of them ends.
func join(down net.Conn, buffered *bufio.ReadWriter, up net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(up, buffered)
		_ = up.Close()
	}()
	_, _ = io.Copy(down, up)
	_ = down.Close()
	<-done
}
