package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is a request as a server saw it.
type received = backendtest.Received

// startServer answers every request with what answer returns, byte for byte, in
// writes of at most piece bytes (0: at once).
func startServer(t testing.TB, piece int, answer func(received) []byte) *backendtest.RawServer {
	t.Helper()
	return (&backendtest.RawServer{Answer: answer, Piece: piece}).Start(t)
}

// awsEnvironment takes away whatever the environment says of AWS, so that a
// test sees the same on every machine, and sets what it is given.
func awsEnvironment(t testing.TB, pairs ...string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value) // which has it put back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for _, pair := range append([][2]string{
		{"AWS_CONFIG_FILE", none}, {"AWS_SHARED_CREDENTIALS_FILE", none}, {"AWS_EC2_METADATA_DISABLED", "true"},
	}, pairsOf(pairs)...) {
		t.Setenv(pair[0], pair[1])
	}
}

func pairsOf(flat []string) [][2]string {
	var pairs [][2]string
	for i := 0; i < len(flat); i += 2 {
		pairs = append(pairs, [2]string{flat[i], flat[i+1]})
	}
	return pairs
}

// The keys of most tests. Of the session token most tests have none.
const (
	testKeyID  = "AKIAPLANTEDKEYID0001"
	testSecret = "planted/secret+access=key-4c1d"
	testToken  = "planted-session-token//4c1d=="
	testBearer = "planted-bearer-token-4c1d"
)

func withKeys(c *backend.Config) {
	c.Options[optionAccessKey], c.Options[optionSecretKey] = secret.New(testKeyID), secret.New(testSecret)
}

// config is a configuration as core makes it, with every default.
func config(base string, edit func(*backend.Config)) backend.Config {
	c := backend.Config{
		Task: backend.TextToText, Model: "anthropic.claude-3-haiku-20240307-v1:0", APIBase: base,
		Options: option.Values{optionRegion: "us-east-1"}, WorkerCount: 1,
		Limits: backend.Limits{Connect: 5 * time.Second, ResponseHeader: 10 * time.Second, Idle: 10 * time.Second, Total: 30 * time.Second},
		HTTP:   backend.HTTP{Proxy: "none"},
	}
	for _, o := range options() {
		if o.Default != "" {
			c.Options[o.Name] = o.Default // only enums have one here
		}
	}
	withKeys(&c)
	if edit != nil {
		edit(&c)
	}
	return c
}

// open opens a backend, which must work.
func open(t testing.TB, base string, edit func(*backend.Config)) backend.Backend {
	t.Helper()
	b := backends()[0]
	opened, err := b.Open(context.Background(), config(base, edit))
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

// emulate starts the Amazon Bedrock runtime; key is the API key that it takes.
func emulate(t testing.TB, e simulator.Protocol, key secret.Secret) *simulator.Server {
	t.Helper()
	return backendtest.Serve(t, simulator.Config{
		Models: []string{config("", nil).Model}, APIKey: key, StepTime: time.Millisecond, Protocols: []simulator.Protocol{e},
	})
}

func chatRequest(stream bool) *backend.Request {
	return &backend.Request{
		Task: backend.TextToText, ID: "wire-1",
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hello")}, MaxTokens: 8, Stream: stream},
	}
}

// response is an answer as bytes on the wire.
func response(status int, headers, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d Wire\r\n%sContent-Length: %d\r\n\r\n%s", status, headers, len(body), body)
}

const (
	jsonType   = "Content-Type: application/json\r\n"
	streamType = "Content-Type: application/vnd.amazon.eventstream\r\n"
)

// messageOf is one message of an event stream with headers alone.
func messageOf(t testing.TB, headers map[string]string) string {
	t.Helper()
	var m eventstream.Message
	for name, value := range headers {
		m.Headers.Set(name, eventstream.StringValue(value))
	}
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// message is one message of an event stream.
func message(t testing.TB, kind, name, payload string) string {
	t.Helper()
	var m eventstream.Message
	m.Headers.Set(":message-type", eventstream.StringValue(kind))
	m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	m.Payload = []byte(payload)
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wrapped is a chunk of InvokeModelWithResponseStream.
func wrapped(t testing.TB, chunk string) string {
	t.Helper()
	return message(t, "event", "chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(chunk))+`","p":"abcdef"}`)
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
