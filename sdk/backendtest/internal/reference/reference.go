// Package reference is a small backend over net/http by which the conformance
// suite itself is tested: the suite must pass it as it is, and must fail it with
// each of its Defects. It shows the least that a backend has to do; its clock is
// the user's, and it is not fast.
package reference

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Defect is something that the backend does wrong on purpose.
type Defect string

// The defects. The empty one is none.
const (
	NeverAnswers     Defect = "never answers a cancelled request"
	Retries          Defect = "sends a failed request again"
	FollowsRedirects Defect = "follows redirects"
	StoresKey        Defect = "puts the key into its effective configuration"
	EchoesKey        Defect = "passes on a key that the server repeats"
	FirstProblemOnly Defect = "tells the first problem only"
	DialsInOpen      Defect = "connects in Open"
	EarlyStamps      Defect = "says that events came before they were sent"
	LosesText        Defect = "loses the last event's text"
	InventsUsage     Defect = "reports zeros where the server reported nothing"
	RoleIsOutput     Defect = "takes the role for output"
	AcceptsTruncated Defect = "takes a stream without its end for a success"
	PanicsOnOddForms Defect = "panics where it cannot make a request"
	SendsNoID        Defect = "sends no X-Request-Id"
	NewConnections   Defect = "makes a connection for each request"
	LeaksGoroutine   Defect = "leaves a goroutine behind"
	SendsEarly       Defect = "does not wait for StartAt"
	HidesPartial     Defect = "forgets what had come before a failure"
	ClosesOnce       Defect = "fails when closed twice"
	WrongClass       Defect = "calls every failure a server's"
	Buffers          Defect = "shows events two at a time"
	AsksForGzip      Defect = "asks for packed answers"
)

// Backend is the reference backend.
type Backend struct {
	defect Defect

	mu     sync.Mutex
	config backend.Config
	client *http.Client
	params map[string]any
	closed int
	stop   chan struct{}
}

var _ backend.Backend = (*Backend)(nil)

// New makes a backend with a defect, or none.
func New(defect Defect) *Backend { return &Backend{defect: defect, stop: make(chan struct{})} }

// Describe implements backend.Backend.
func (b *Backend) Describe() backend.Description {
	return backend.Description{
		Name:    "reference",
		Summary: "the conformance suite's own backend",
		Tasks: []backend.TaskSupport{{
			Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional, Parts: []string{"text"},
		}},
		Capabilities: []backend.Capability{backend.CanCancel, backend.CanFixOutputLength},
		APIBase:      backend.Required, APIKey: backend.Required,
		Options: []option.Option{
			{Name: "reference-note", Type: option.String, Help: "a note that nobody reads"},
			{Name: "reference-secret", Type: option.Secret, Help: "a secret that nobody needs"},
		},
	}
}

// Open implements backend.Backend.
func (b *Backend) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	var problems []option.Problem
	refuse := func(name, message string) {
		if b.defect != FirstProblemOnly || len(problems) == 0 {
			problems = append(problems, option.Problem{Option: name, Message: message})
		}
	}
	if config.Task != backend.TextToText {
		refuse("task", fmt.Sprintf("cannot do %q", config.Task))
	}
	if config.Model == "" {
		refuse("api-model-name", "is missing")
	}
	if config.APIKey.IsZero() {
		refuse("api-key", "is missing")
	}
	if u, err := url.Parse(config.APIBase); err != nil || u.Host == "" {
		refuse("api-base", "is no address")
	}
	b.params = nil
	if len(config.RequestParams) > 0 && json.Unmarshal(config.RequestParams, &b.params) != nil {
		refuse("additional-request-params", "is no JSON object")
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: config.Limits.Connect}).DialContext,
		ResponseHeaderTimeout: config.Limits.ResponseHeader,
		DisableCompression:    true, MaxIdleConnsPerHost: 1024,
		DisableKeepAlives: b.defect == NewConnections,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if file := config.TLS.CAFile; file != "" {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if pem, err := os.ReadFile(file); err != nil || !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			refuse("ca-file", "cannot be read: "+file)
		}
	}
	b.client = &http.Client{Transport: transport}
	if b.defect != FollowsRedirects {
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	b.config = config
	if b.defect == DialsInOpen {
		if conn, err := net.Dial("tcp", strings.TrimPrefix(config.APIBase, "http://")); err == nil {
			time.Sleep(20 * time.Millisecond)
			_ = conn.Close()
		}
	}
	if b.defect == LeaksGoroutine {
		go func() { time.Sleep(time.Hour) }()
	}
	effective := map[string]any{"api_base": config.APIBase, "api_key": config.APIKey, "model": config.Model}
	if b.defect == StoresKey {
		effective["api_key"] = config.APIKey.Reveal()
	}
	text, err := json.Marshal(effective)
	return backend.Opened{Problems: problems, EffectiveConfig: text, Endpoint: b.endpoint(), Clock: stamp.ClockUser}, err
}

func (b *Backend) endpoint() string { return b.config.APIBase + "/v1/chat/completions" }

// Close implements backend.Backend.
func (b *Backend) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed++; b.closed == 1 {
		close(b.stop)
	} else if b.defect == ClosesOnce {
		return errors.New("closed already")
	}
	if b.client != nil {
		b.client.CloseIdleConnections()
	}
	return nil
}

// body makes the request's body.
func (b *Backend) body(r *backend.Request) ([]byte, error) {
	body := map[string]any{"model": b.config.Model, "stream": r.Chat.Stream}
	if r.Model != "" {
		body["model"] = r.Model
	}
	var messages []map[string]string
	for _, m := range r.Chat.Messages {
		messages = append(messages, map[string]string{"role": m.Role, "content": m.TextOf()})
	}
	body["messages"] = messages
	if r.Chat.MaxTokens > 0 {
		body["max_tokens"] = r.Chat.MaxTokens
	}
	if r.Chat.Stream {
		body["stream_options"] = map[string]bool{"include_usage": true}
	}
	if r.FixOutputLength {
		body["ignore_eos"] = true
	}
	maps.Copy(body, b.params)
	if len(r.Params) > 0 {
		var own map[string]any
		if err := json.Unmarshal(r.Params, &own); err != nil {
			return nil, err
		}
		maps.Copy(body, own)
	}
	return json.Marshal(body)
}

// Do implements backend.Backend.
func (b *Backend) Do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	if r.Chat == nil {
		if b.defect == PanicsOnOddForms {
			panic("no chat")
		}
		rec.Fail(fault.New(fault.InvalidRequest, "only chat can be sent"))
		return
	}
	body, err := b.body(r)
	if err != nil {
		rec.Fail(fault.New(fault.InvalidRequest, "parameters: %v", err))
		return
	}
	failure := b.try(ctx, r, body, rec)
	if failure != nil && b.defect == Retries {
		failure = b.try(ctx, r, body, rec)
	}
	if failure == nil {
		return
	}
	if ctx.Err() != nil && b.defect == NeverAnswers {
		select {}
	}
	if b.defect == WrongClass {
		failure.Class = fault.Server
	}
	if b.defect != EchoesKey {
		failure.Message = strings.ReplaceAll(failure.Message, b.config.APIKey.Reveal(), "[redacted]")
	}
	rec.Fail(failure)
}

// errIdle ends a request whose body stands still.
var errIdle = errors.New("the answer stands still")

// try sends the request once.
func (b *Backend) try(ctx context.Context, r *backend.Request, body []byte, rec *backend.Recorder) *fault.Error {
	x := stamp.Exchange{Clock: stamp.ClockUser, Retransmits: -1, BytesSent: int64(len(body))}
	defer func() { rec.Exchange(x) }()
	if limit := b.config.Limits.Total; limit > 0 && r.Timeout == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if wait := r.StartAt.Sub(stamp.Now()); r.StartAt > 0 && wait > 0 && b.defect != SendsEarly {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	response, err := b.client.Do(b.request(ctx, r, body, &x))
	if err != nil {
		return b.transportFault(ctx, err, false)
	}
	defer response.Body.Close()
	x.Headers = stamp.Now()
	spans := &spans{body: response.Body, x: &x, idle: b.config.Limits.Idle, stop: stop}
	a := answer{rec: rec, defect: b.defect}
	failure := a.read(response, spans)
	if failure != nil && failure.Class == fault.Unspecified { // reading broke
		failure = b.transportFault(ctx, spans.err, true)
	}
	if b.defect == HidesPartial && failure != nil {
		*rec = *backend.NewRecorder(r, stamp.Now(), nil, nil)
	}
	return failure
}

func (b *Backend) request(ctx context.Context, r *backend.Request, body []byte, x *stamp.Exchange) *http.Request {
	// net/http goes on dialling after the request has found another connection.
	var dialled, connected atomic.Int64
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(string, string) { dialled.Store(int64(stamp.Now())) },
		ConnectDone:  func(string, string, error) { connected.Store(int64(stamp.Now())) },
		GotConn: func(info httptrace.GotConnInfo) {
			x.Connect.Reused = info.Reused
			x.Connect.TCP = time.Duration(max(connected.Load()-dialled.Load(), 0))
			x.SendStart = stamp.Now()
			x.Handed = x.SendStart // one write
		},
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.endpoint(), bytes.NewReader(body))
	if err != nil {
		panic(err) // Open has checked the address
	}
	request.GetBody = nil // or net/http would send a request again by itself
	h := request.Header
	h.Set("Content-Type", "application/json")
	h.Set("Authorization", "Bearer "+b.config.APIKey.Reveal())
	if b.defect == AsksForGzip {
		h.Set("Accept-Encoding", "gzip, deflate")
	}
	if b.defect != SendsNoID {
		h.Set("X-Request-Id", r.ID)
	}
	for _, f := range append(b.config.HTTP.Header, r.Header...) {
		h.Set(f.Name, f.Value)
	}
	return request
}

// transportFault gives an error of net/http its class.
func (b *Backend) transportFault(ctx context.Context, err error, inBody bool) *fault.Error {
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch {
	case errors.Is(context.Cause(ctx), errIdle):
		return fault.New(fault.TimeoutIdle, "%v", errIdle)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.TimeoutTotal, "%v", context.Cause(ctx))
	case ctx.Err() != nil:
		return fault.New(fault.Cancelled, "%v", context.Cause(ctx))
	case errors.As(err, &certificate):
		return fault.New(fault.TLS, "%v", err)
	case errors.As(err, &network) && network.Timeout():
		return fault.New(fault.TimeoutHeaders, "%v", err)
	case inBody, errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Truncated, "%v", err)
	case strings.Contains(err.Error(), "malformed"):
		return fault.New(fault.Protocol, "%v", err)
	}
	e := fault.New(fault.Connect, "%v", err)
	e.Retryable = true
	return e
}

// spans reads a body with the moment after each read.
type spans struct {
	body io.Reader
	x    *stamp.Exchange
	idle time.Duration
	stop context.CancelCauseFunc
	buf  [16 << 10]byte
	err  error
}

func (s *spans) NextSpan() (stamp.Span, error) {
	for {
		if s.idle > 0 {
			timer := time.AfterFunc(s.idle, func() { s.stop(errIdle) })
			defer timer.Stop()
		}
		n, err := s.body.Read(s.buf[:])
		now := stamp.Now()
		if n > 0 {
			s.x.LastByte, s.x.ReadEnd = now, now
			s.x.BytesReceived += int64(n)
			return stamp.Span{Bytes: s.buf[:n], Arrival: stamp.Arrival{At: now, Read: now}}, nil
		}
		if err != nil {
			s.err = err
			return stamp.Span{}, err
		}
	}
}

func statusFault(response *http.Response, body []byte) *fault.Error {
	status := response.StatusCode
	e := fault.New(fault.OfHTTPStatus(status), "%s", body)
	e.HTTPStatus, e.Retryable = status, fault.RetryableStatus(status)
	var object struct{ Error json.RawMessage }
	if json.Unmarshal(body, &object) == nil {
		if inner := streamFault(object.Error); inner != nil {
			e.ProviderCode, e.Message = inner.ProviderCode, inner.Message
		}
	}
	if e.Message == "" {
		e.Message = response.Status
	}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// streamFault reads an error object; nil where it is none.
func streamFault(raw json.RawMessage) *fault.Error {
	var object struct {
		Message string
		Code    any
	}
	if len(raw) == 0 || json.Unmarshal(raw, &object) != nil {
		return nil
	}
	code := fmt.Sprint(object.Code)
	e := fault.New(fault.Server, "%s", object.Message)
	e.ProviderCode = code
	if status, err := strconv.Atoi(code); err == nil {
		e.Class = fault.OfHTTPStatus(status)
	} else if code == "rate_limit_exceeded" {
		e.Class = fault.RateLimited
	}
	return e
}
