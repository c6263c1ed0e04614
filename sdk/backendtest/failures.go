package backendtest

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// failure is how a request must fail.
type failure struct {
	name    string
	fault   string
	classes []fault.Class // any of these
	status  int           // 0: not asserted
	code    string        // provider code; "": not asserted
	message string        // part of the message
	stream  bool          // only where there is a stream
	partial bool          // output had come; asserted both ways for streams
	retry   time.Duration // retry after
	again   bool          // retryable
}

func classes(c ...fault.Class) []fault.Class { return c }

func failureTable() []failure {
	return []failure{
		{name: "400", fault: "error=400; message=bad temperature", classes: classes(fault.InvalidRequest), status: 400, message: "bad temperature"},
		{name: "401", fault: "error=401", classes: classes(fault.Auth), status: 401},
		{name: "401 with the key in it", fault: "error=401; echo-key", classes: classes(fault.Auth), status: 401},
		{name: "401 in text with the key in it", fault: "error=401; echo-key; error-body=text", classes: classes(fault.Auth), status: 401},
		{name: "403", fault: "error=403", classes: classes(fault.Permission), status: 403},
		{name: "404", fault: "error=404; code=model_not_found", classes: classes(fault.NotFound), status: 404, code: "model_not_found"},
		{name: "413", fault: "error=413", classes: classes(fault.InvalidRequest), status: 413},
		{name: "422", fault: "error=422; error-body=detail; message=wrong type", classes: classes(fault.InvalidRequest), status: 422, message: "wrong type"},
		{name: "429", fault: "error=429; retry-after=2s; code=rate_limit_exceeded", classes: classes(fault.RateLimited), status: 429, code: "rate_limit_exceeded", retry: 2 * time.Second, again: true},
		{name: "500", fault: "error=500; message=CUDA error", classes: classes(fault.Server), status: 500, message: "CUDA error", again: true},
		{name: "500 as a string", fault: "error=500; error-body=string; message=out of memory", classes: classes(fault.Server), status: 500, message: "out of memory", again: true},
		{name: "500 without body", fault: "error=500; error-body=empty", classes: classes(fault.Server), status: 500, again: true},
		{name: "502 in HTML", fault: "error=502; error-body=html", classes: classes(fault.Server), status: 502, again: true},
		{name: "503 in text", fault: "error=503; error-body=text; message=loading", classes: classes(fault.Overloaded), status: 503, message: "loading", again: true},
		{name: "redirect", fault: "redirect=302", classes: classes(fault.Protocol), status: 302},
		{name: "permanent redirect", fault: "redirect=307", classes: classes(fault.Protocol), status: 307},
		{name: "empty body", fault: "body=empty", classes: classes(fault.Protocol, fault.Truncated)},
		{name: "HTML", fault: "body=html", classes: classes(fault.Protocol)},
		{name: "garbage", fault: "body=garbage", classes: classes(fault.Protocol)},
		{name: "half an object", fault: "body=truncated-json", classes: classes(fault.Protocol, fault.Truncated)},
		{name: "disconnect before the head", fault: "disconnect=before-head", classes: classes(fault.Connect, fault.Truncated), again: true},
		{name: "reset before the head", fault: "disconnect=before-head; reset", classes: classes(fault.Connect, fault.Truncated), again: true},
		{name: "disconnect in the head", fault: "disconnect=mid-head", classes: classes(fault.Truncated, fault.Protocol)},
		{name: "disconnect in the body", fault: "disconnect=mid-body; after=3", classes: classes(fault.Truncated), partial: true},
		{name: "reset in the body", fault: "disconnect=mid-body; after=3; reset", classes: classes(fault.Truncated, fault.Connect), partial: true},
		{name: "disconnect before any output", fault: "disconnect=mid-body; after=0", classes: classes(fault.Truncated), stream: true},
		{name: "less than Content-Length", fault: "framing=length; cut=finish", classes: classes(fault.Truncated), stream: true, partial: true},
		{name: "a stream without finish", fault: "cut=finish; after=3", classes: classes(fault.Truncated), stream: true, partial: true},
		{name: "a stream that ends in an event", fault: "cut=event; after=3", classes: classes(fault.Truncated, fault.Protocol), stream: true, partial: true},
		{name: "a close-delimited stream without finish", fault: "framing=close; cut=finish; after=3", classes: classes(fault.Truncated), stream: true, partial: true},
		{name: "a broken event", fault: "garbage=json; after=3", classes: classes(fault.Protocol), stream: true, partial: true},
		{name: "an error in the stream", fault: "stream-error=500; after=3; message=engine died", classes: classes(fault.Server), code: "500", message: "engine died", stream: true, partial: true},
		{name: "an error before any output", fault: "stream-error=400; after=0", classes: classes(fault.InvalidRequest), code: "400", stream: true},
		{name: "an error in words in the stream", fault: "stream-error=rate_limit_exceeded; after=3", classes: classes(fault.RateLimited), code: "rate_limit_exceeded", stream: true, partial: true},
		{name: "an error in the answer", fault: "stream-error=500", classes: classes(fault.Server), code: "500", partial: true},
	}
}

func (k *kit) failures() []test {
	group := func(stream bool) func(t *testing.T) {
		return func(t *testing.T) {
			s := k.open(t, setup{})
			for _, f := range failureTable() {
				if f.stream && !stream {
					continue
				}
				k.sub(t, f.name, func(t *testing.T) {
					if why := k.lacks(f.fault, stream); why != "" {
						t.Skip(why)
					}
					k.fails(t, s, f, stream)
					s.doOK(t, s.request("")) // a failure does not spoil what follows
				})
			}
		}
	}
	return []test{
		{name: "stream", skip: k.streams(true), run: group(true)},
		{name: "whole", skip: k.streams(false), run: group(false)},
		{name: "nobody listens", skip: k.generates(), run: k.nobodyListens},
		{name: "an unknown certificate", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{tls: true})
			expectClass(t, s.do(t, s.request("")), fault.TLS)
		}},
		{name: "a certificate from a file", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{tls: true, config: func(c *backend.Config, u *simulator.Server) { c.TLS.CAFile = certificate(t, u) }})
			s.doOK(t, s.request(""))
			if o, _ := s.doOK(t, s.request("")); !o.Connect.Reused {
				t.Error("the connection is not used again")
			}
		}},
		{name: "an unknown model", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			r.Model = "no-such-model"
			expectClass(t, s.do(t, r), fault.NotFound)
		}},
		{name: "a request that it cannot make", run: k.refusesForms},
	}
}

func (k *kit) fails(t *testing.T, s *session, f failure, stream bool) {
	before := s.requests()
	r := s.request(f.fault)
	setStream(r, stream)
	o := s.do(t, r)
	expectClass(t, o, f.classes...)
	e := o.Error
	if f.status != 0 && e.HTTPStatus != f.status {
		t.Errorf("HTTP status %d, want %d", e.HTTPStatus, f.status)
	}
	if !strings.Contains(e.Message, f.message) || e.Message == "" {
		t.Errorf("message %q, want one with %q", e.Message, f.message)
	}
	if len(e.Message) > fault.MessageBytesMax {
		t.Errorf("a message of %d bytes", len(e.Message))
	}
	if stream && e.Partial != f.partial {
		t.Errorf("partial is %v, want %v", e.Partial, f.partial)
	}
	if e.RetryAfter != f.retry {
		t.Errorf("retry after %v, want %v", e.RetryAfter, f.retry)
	}
	if f.again && !e.Retryable {
		t.Error("it is not called retryable")
	}
	record := s.truth(t, r) // asks that it was sent once
	if f.code != "" {
		if len(k.Upstream.Protocols) == 0 && record.ErrorCode != f.code {
			t.Errorf("the simulator sent the code %q, want %q", record.ErrorCode, f.code)
		}
		if e.ProviderCode != record.ErrorCode {
			t.Errorf("provider code %q, want %q", e.ProviderCode, record.ErrorCode)
		}
	}
	if stream && f.partial {
		comparePartial(t, o, record)
	}
	if n := s.requests() - before; n != 1 {
		t.Errorf("the server saw %d requests, want 1: nothing is repeated, no redirect followed", n)
	}
}

// requests is how many the server has seen, without those for a token.
func (s *session) requests() uint64 {
	stats := s.upstream.Stats()
	return stats.Requests - stats.Aside
}

// comparePartial: what had come before a failure is kept. The server may have
// sent more after what the client could not read.
func comparePartial(t *testing.T, o *backend.Outcome, r *simulator.Record) {
	t.Helper()
	want, words := 0, 0
	for _, e := range r.Events {
		if e.Kinds&(simulator.Garbage|simulator.Error) != 0 {
			break
		}
		want += e.Tokens
	}
	outputs := 0
	for _, e := range o.Events {
		if e.Kinds&backend.Output != 0 {
			outputs++
		}
	}
	if outputs != want {
		t.Errorf("%d events with output are kept, want %d", outputs, want)
	}
	if len(r.Choices) == 0 || len(o.Choices) == 0 || o.Choices[0].Text == "" ||
		!strings.HasPrefix(r.Choices[0].Text, o.Choices[0].Text) {
		t.Fatalf("the outcome has kept %s, want the start of what was sent: %+v", printAll(o.Choices), r.Choices)
	}
	for _, e := range o.Events {
		words += int(e.Bytes)
	}
	if words != len(o.Choices[0].Text) {
		t.Errorf("the events have %d bytes of output, the text %d", words, len(o.Choices[0].Text))
	}
	if o.SendStart == 0 || o.Headers == 0 {
		t.Errorf("the moments of sending (%d) and of the head (%d) are lost", o.SendStart, o.Headers)
	}
}

func expectClass(t *testing.T, o *backend.Outcome, want ...fault.Class) {
	t.Helper()
	if o.Status != backend.StatusError || o.Error == nil {
		t.Fatalf("status %v, error %v; want an error of class %v", o.Status, o.Error, want)
	}
	if !slices.Contains(want, o.Error.Class) {
		t.Errorf("error of class %v (%v), want %v", o.Error.Class, o.Error, want)
	}
}

func (k *kit) nobodyListens(t *testing.T) {
	// A port that a connection has keeps others from listening there.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	address := "http://" + taken.LocalAddr().String()
	s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) { c.APIBase = address }})
	o := s.do(t, s.request(""))
	expectClass(t, o, fault.Connect)
	if o.Error.HTTPStatus != 0 || o.Error.Partial {
		t.Errorf("error %s of a connection that never was", printAll(o.Error))
	}
}

// refusesForms sends what the backend does not declare: an error, no panic.
func (k *kit) refusesForms(t *testing.T) {
	s := k.open(t, setup{})
	declared := make(map[backend.Kind]bool)
	for _, support := range k.description.Tasks {
		for _, kind := range support.Requests {
			declared[kind] = true
		}
	}
	for _, kind := range []backend.Kind{backend.KindChat, backend.KindCompletion, backend.KindEmbed, backend.KindRerank, backend.KindImage, backend.KindSpeech} {
		if declared[kind] {
			continue
		}
		r := k.request(backend.TextToText, kind)
		o := s.do(t, r)
		expectClass(t, o, fault.InvalidRequest, fault.NotFound)
	}
	r := k.request(backend.TextToText, backend.KindChat)
	r.Params = json.RawMessage(`["no object"]`)
	expectClass(t, s.do(t, r), fault.InvalidRequest)
}
