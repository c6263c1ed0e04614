package backendtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// Planted values.
const (
	model        = "conformance-model"
	plantedKey   = "sk-PLANTED-API-KEY-3f9a"
	plantedValue = "PLANTED-OPTION-SECRET-77c1"
	plantedProxy = "PLANTED-PROXY-PASSWORD-5e2d"
)

func (k *kit) secrets() []string {
	return append([]string{plantedKey, plantedValue, plantedProxy}, k.Secrets...)
}

// kit is the suite run one way.
type kit struct {
	Suite
	start       func(t *testing.T, log hclog.Logger) host.Runner
	description backend.Description
	seq         atomic.Uint64
}

// task is the one whose requests the tests of behaviour are made of.
func (k *kit) support() (backend.TaskSupport, bool) { return k.description.Support(backend.TextToText) }

// generates tells whether there is anything to chat with.
func (k *kit) generates() string {
	_, ok := k.support()
	return unless(ok, "the backend does not declare "+string(backend.TextToText))
}

// streams is the reason not to ask for a stream.
func (k *kit) streams(stream bool) string {
	s, _ := k.support()
	switch {
	case k.generates() != "":
		return k.generates()
	case stream && s.Streaming == backend.StreamingNo:
		return "the backend does not stream"
	case !stream && s.Streaming == backend.StreamingYes:
		return "the backend always streams"
	}
	return ""
}

// upstream starts a simulator.
func (k *kit) upstream(t *testing.T, tls bool, change func(*simulator.Config)) *simulator.Server {
	t.Helper()
	config := k.Upstream
	config.Models, config.APIKey, config.KeepBodies = []string{model}, secret.New(plantedKey), true
	if k.description.APIKey == backend.Unused {
		config.APIKey = secret.Secret{}
	}
	if config.StepTime == 0 {
		config.StepTime = 500 * time.Microsecond
	}
	if change != nil {
		change(&config)
	}
	s, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	listen := s.Listen
	if tls {
		listen = s.ListenTLS
	}
	if err := listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}

// config is a good configuration.
func (k *kit) config(t *testing.T, apiBase string) backend.Config {
	t.Helper()
	config := backend.Config{
		Task: backend.TextToText, Model: model, APIBase: apiBase, APIKey: secret.New(plantedKey),
		Options: option.Values{}, Clock: backend.ClockAuto, WorkerCount: 1, MaxInFlight: 16,
		HTTP:   backend.HTTP{Proxy: "none"},
		Limits: backend.Limits{Connect: 10 * time.Second},
	}
	if len(k.description.Tasks) > 0 && k.generates() != "" {
		config.Task = k.description.Tasks[0].Task
	}
	if k.Configure != nil {
		k.Configure(t, &config)
	}
	return config
}

// runner starts the backend; it is closed with the test.
func (k *kit) runner(t *testing.T) (host.Runner, *logs) {
	t.Helper()
	captured := &logs{}
	r := k.start(t, hclog.New(&hclog.LoggerOptions{Name: "conformance", Level: hclog.Trace, Output: captured}))
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close: %v", err)
		}
		k.expectNoSecret(t, "the log", captured.String())
	})
	return r, captured
}

// session is an opened backend with a simulator behind it.
type session struct {
	kit      *kit
	upstream *simulator.Server
	runner   host.Runner
	opened   backend.Opened
	run      *host.Session

	mu       sync.Mutex
	outcomes map[uint64][]*backend.Outcome
	came     chan struct{} // closed and replaced at each outcome
}

// setup says how open shall differ from the usual.
type setup struct {
	tls      bool
	upstream func(*simulator.Config)
	config   func(*backend.Config, *simulator.Server)
}

// open opens the backend against a simulator of its own and starts a run.
func (k *kit) open(t *testing.T, with setup) *session {
	t.Helper()
	s := &session{kit: k, outcomes: make(map[uint64][]*backend.Outcome), came: make(chan struct{})}
	s.upstream = k.upstream(t, with.tls, with.upstream)
	s.runner, _ = k.runner(t)
	config := k.config(t, s.upstream.URL())
	if with.config != nil {
		with.config(&config, s.upstream)
	}
	opened, err := s.runner.Open(t.Context(), k.Component, config)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if opened.Failed() {
		t.Fatalf("Open refuses a good configuration: %+v", opened.Problems)
	}
	s.opened = opened
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // t's ends before its cleanups
	s.run, err = s.runner.Run(ctx, host.RunOptions{Outcome: s.take})
	if err != nil {
		cancel()
		t.Fatalf("Run: %v", err)
	}
	t.Cleanup(func() {
		defer cancel()
		if err := s.run.Drain(ctx, k.Patience); err != nil {
			t.Errorf("Drain: %v", err)
		}
		if n := s.run.Strays(); n > 0 {
			t.Errorf("%d outcomes for requests that were not open", n)
		}
		for seq, all := range s.outcomes {
			if len(all) != 1 {
				t.Errorf("request %d has %d outcomes, want exactly one", seq, len(all))
			}
		}
	})
	return s
}

func (s *session) take(o *backend.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes[o.Seq] = append(s.outcomes[o.Seq], o)
	close(s.came)
	s.came = make(chan struct{})
}

// request makes a request with the fault, which the simulator reads from a
// header. The test may change it before it is started.
func (s *session) request(faults string) *backend.Request {
	r := s.kit.request(backend.TextToText, backend.KindChat)
	if support, ok := s.kit.support(); ok {
		r = s.kit.request(backend.TextToText, support.Requests[0])
		setStream(r, support.Streaming != backend.StreamingNo)
	}
	if faults != "" {
		r.Header = []backend.HeaderField{{Name: "X-Simulate", Value: faults}}
	}
	return r
}

// request makes a request of a kind.
func (k *kit) request(task backend.Task, kind backend.Kind) *backend.Request {
	seq := k.seq.Add(1)
	r := &backend.Request{
		Seq: seq, Task: task, ID: fmt.Sprintf("conformance-%d", seq), Timeout: k.Patience,
		Want: backend.Want{Events: true, Text: true},
	}
	switch kind {
	case backend.KindChat:
		r.Chat = &backend.Chat{Messages: []backend.Message{backend.UserText("Say something, please.")}, MaxTokens: 8}
	case backend.KindCompletion:
		r.Completion = &backend.Completion{Prompt: "Once upon a time", MaxTokens: 8}
	case backend.KindEmbed:
		r.Embed = &backend.Embed{Inputs: []string{"one", "two", "three"}}
		if task == backend.ImageToEmbedding {
			r.Embed = &backend.Embed{Images: []backend.Image{*picture()}}
		}
	case backend.KindRerank:
		r.Rerank = &backend.Rerank{Query: "which?", Documents: []string{"this", "that"}}
	case backend.KindImage:
		r.Image = &backend.ImageGeneration{Prompt: "a cat", N: 2, Width: 64, Height: 64}
	case backend.KindSpeech:
		r.Speech = &backend.Speech{Text: "Good morning, all of you.", Voice: "alloy"}
	}
	return r
}

// picture is the smallest that a server may take for one.
func picture() *backend.Image {
	return &backend.Image{Bytes: []byte("\xff\xd8\xff\xe0"), MIME: "image/jpeg"}
}

func setStream(r *backend.Request, stream bool) {
	switch {
	case r.Chat != nil:
		r.Chat.Stream = stream
	case r.Completion != nil:
		r.Completion.Stream = stream
	}
}

func setMaxTokens(r *backend.Request, n uint32) {
	switch {
	case r.Chat != nil:
		r.Chat.MaxTokens = n
	case r.Completion != nil:
		r.Completion.MaxTokens = n
	}
}

func setPrompt(r *backend.Request, text string) {
	switch {
	case r.Chat != nil:
		r.Chat.Messages = []backend.Message{backend.UserText(text)}
	case r.Completion != nil:
		r.Completion.Prompt = text
	}
}

func (s *session) begin(t *testing.T, r *backend.Request) {
	t.Helper()
	if err := s.run.Start(r); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

// wait waits for the outcome of a request that was begun.
func (s *session) wait(t *testing.T, r *backend.Request) *backend.Outcome {
	t.Helper()
	o := s.outcomeWithin(r, s.kit.Patience)
	if o == nil {
		t.Fatalf("request %d has no outcome after %v", r.Seq, s.kit.Patience)
	}
	if o.Status == backend.StatusUnspecified {
		t.Errorf("the outcome has no status: %+v", o)
	}
	if (o.Error != nil) != (o.Status != backend.StatusOK) {
		t.Errorf("status %v with error %v", o.Status, o.Error)
	}
	s.kit.expectNoSecret(t, "the outcome", o)
	return o
}

func (s *session) outcomeWithin(r *backend.Request, patience time.Duration) *backend.Outcome {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		all, came := s.outcomes[r.Seq], s.came
		s.mu.Unlock()
		if len(all) > 0 {
			return all[0]
		}
		select {
		case <-came:
		case <-timer.C:
			return nil
		}
	}
}

func (s *session) do(t *testing.T, r *backend.Request) *backend.Outcome {
	t.Helper()
	s.begin(t, r)
	return s.wait(t, r)
}

// truth returns what the simulator knows of a request. It also asks that the
// request was sent once: a backend never repeats one.
func (s *session) truth(t *testing.T, r *backend.Request) *simulator.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.kit.Patience)
	defer cancel()
	records, err := s.upstream.Await(ctx, r.ID)
	if err != nil {
		t.Fatalf("the simulator saw no request with X-Request-Id %q: %v", r.ID, err)
	}
	if len(records) > 1 {
		t.Errorf("the request was sent %d times", len(records))
	}
	return records[0]
}

// doOK does a request that must succeed and holds it against the truth.
func (s *session) doOK(t *testing.T, r *backend.Request) (*backend.Outcome, *simulator.Record) {
	t.Helper()
	o := s.do(t, r)
	if o.Status != backend.StatusOK {
		t.Fatalf("status %v: %v", o.Status, o.Error)
	}
	record := s.truth(t, r)
	s.kit.compare(t, o, record)
	return o, record
}

// logs collects what a plugin process logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// expectNoSecret looks for planted secrets in every printed form of a value.
func (k *kit) expectNoSecret(t *testing.T, what string, value any) {
	t.Helper()
	printed := printAll(value)
	for _, s := range k.secrets() {
		if strings.Contains(printed, s) {
			t.Errorf("%s has the planted secret %q", what, s)
		}
	}
}

// certificate writes the simulator's certificate to a file.
func certificate(t *testing.T, s *simulator.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, s.CertificatePEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
