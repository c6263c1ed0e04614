package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const (
	theSea = `{"candidates": [{"content": {"role": "model", "parts": [{"text": "The sea"}]}}]}`
	isCalm = `{"candidates": [{"content": {"role": "model", "parts": [{"text": " is calm"}]}, "finishReason": "STOP"}],
		"usageMetadata": {"promptTokenCount": 27, "candidatesTokenCount": 11, "thoughtsTokenCount": 3, "totalTokenCount": 41}}`
)

func script(texts ...string) func(context.Context, func(string)) error {
	return func(_ context.Context, send func(string)) error {
		for _, text := range texts {
			send(text)
		}
		return nil
	}
}

// What the gRPC client's own types would lose or stumble over comes out as by
// REST: thoughts, calls, parts that are empty, answers that end for safety.
func TestGRPCAnswers(t *testing.T) {
	type answer struct {
		Text, Reasoning, Tool, Raw string
		Finish                     backend.Finish
		Events                     []backend.Kinds
	}
	calm := answer{Text: "The sea is calm", Raw: "STOP", Finish: backend.FinishStop, Events: []backend.Kinds{backend.Text, backend.Text | backend.FinishReason | backend.UsageReport}}
	for name, tc := range map[string]struct {
		script []string
		whole  bool
		want   answer
	}{
		"text": {[]string{theSea, isCalm}, false, calm},
		"whole": {[]string{strings.Replace(isCalm, " is calm", "The sea is calm", 1)}, true, answer{
			Text: "The sea is calm", Raw: "STOP", Finish: backend.FinishStop, Events: []backend.Kinds{backend.Text | backend.FinishReason | backend.UsageReport},
		}},
		"thoughts": {[]string{`{"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}]}}]}`, theSea, isCalm}, false, answer{
			Text: "The sea is calm", Reasoning: "hm", Raw: "STOP", Finish: backend.FinishStop,
			Events: []backend.Kinds{backend.Reasoning, backend.Text, backend.Text | backend.FinishReason | backend.UsageReport},
		}},
		"a call": {[]string{`{"candidates": [{"content": {"parts": [{"functionCall": {"name": "look", "args": {"at": "sea"}}}]}, "finishReason": "STOP"}]}`}, false, answer{
			Tool: `look{"at":"sea"}`, Raw: "STOP", Finish: backend.FinishTool, Events: []backend.Kinds{backend.Tool | backend.FinishReason},
		}},
		"an empty part": {[]string{`{"candidates": [{"content": {"parts": [{}]}}]}`, theSea, isCalm}, false, answer{
			Text: "The sea is calm", Raw: "STOP", Finish: backend.FinishStop,
			Events: []backend.Kinds{backend.Other, backend.Text, backend.Text | backend.FinishReason | backend.UsageReport},
		}},
		"safety": {[]string{theSea, `{"candidates": [{"finishReason": "SAFETY"}]}`}, false, answer{
			Text: "The sea", Raw: "SAFETY", Finish: backend.FinishContentFilter, Events: []backend.Kinds{backend.Text, backend.FinishReason},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startGRPC(t, script(tc.script...))
			o := perform(t.Context(), openGRPC(t, s.url(), nil), chat(!tc.whole))
			if o.Error != nil || len(o.Choices) != 1 {
				t.Fatalf("%v, %+v", o.Error, o.Choices)
			}
			c := o.Choices[0]
			got := answer{c.Text, c.ReasoningText, strings.ReplaceAll(c.ToolText, " ", ""), c.FinishRaw, c.Finish, nil}
			for _, e := range o.Events {
				got.Events = append(got.Events, e.Kinds)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(tc.script[len(tc.script)-1], "usageMetadata") && (*o.Usage.Input != 27 || *o.Usage.Output != 14 || *o.Usage.Reasoning != 3) {
				t.Errorf("usage %+v", o.Usage)
			}
			if o.Clock != stamp.ClockUser || o.SendStart == 0 || o.Handed < o.SendStart || o.Headers < o.Handed || o.LastByte < o.Headers || o.Connect.TCP <= 0 {
				t.Errorf("moments %+v", o.Exchange)
			}
		})
	}
}

// The message is the body that goes out by REST.
func TestGRPCRequests(t *testing.T) {
	s := startGRPC(t, script(isCalm))
	v := openGRPC(t, s.url(), func(c *backend.Config) {
		c.RequestParams = json.RawMessage(`{"temperature": 0.25, "top_p": 0.5, "ignore_eos": true, "seed": 7, "thinking_config": {"thinkingBudget": 16}, "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}`)
		c.HTTP.Header = []backend.HeaderField{{Name: "X-Team", Value: "bench"}}
	})
	r := chat(true)
	r.Chat.Messages = []backend.Message{
		{Role: "system", Parts: []backend.Part{{Text: "Be brief."}}}, backend.UserText("Hello"),
		{Role: "assistant", Parts: []backend.Part{{Text: "Hi"}}}, {Role: "user", Parts: []backend.Part{{Text: "Look"}, {Image: &backend.Image{Bytes: []byte("picture"), MIME: "image/png"}}}},
	}
	r.Chat.Stop = []string{"END"}
	r.Params = json.RawMessage(`{"topP": 0.75}`)
	if o := perform(t.Context(), v, r); o.Error != nil {
		t.Fatal(o.Error)
	}
	text, err := protojson.Marshal(s.requests[0])
	if err != nil {
		t.Fatal(err)
	}
	want := fields(t, []byte(`{
		"model": "projects/wire-proj/locations/us-central1/publishers/google/models/gemini-wire",
		"systemInstruction": {"parts": [{"text": "Be brief."}]},
		"contents": [
			{"role": "user", "parts": [{"text": "Hello"}]}, {"role": "model", "parts": [{"text": "Hi"}]},
			{"role": "user", "parts": [{"text": "Look"}, {"inlineData": {"mimeType": "image/png", "data": "cGljdHVyZQ=="}}]}],
		"generationConfig": {"temperature": 0.25, "topP": 0.75, "seed": 7, "maxOutputTokens": 8, "stopSequences": ["END"], "thinkingConfig": {"thinkingBudget": 16}},
		"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]}`))
	if diff := cmp.Diff(want, fields(t, text)); diff != "" {
		t.Error(diff)
	}
	header := s.headers[0]
	for name, want := range map[string]string{"x-request-id": "wire-1", "x-team": "bench", "x-goog-api-key": plantedGRPCKey, "authorization": "", "grpc-encoding": ""} {
		if got := strings.Join(header.Get(name), "|"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r = chat(true)
	r.Params = json.RawMessage(`{"nonsense": 1}`)
	if o := perform(t.Context(), v, r); o.Error == nil || o.Error.Class != fault.InvalidRequest || !strings.Contains(o.Error.Message, "nonsense") {
		t.Errorf("%v", o.Error)
	}
}

// Ten events 50 ms apart: each is stamped after the server began to send it and
// before the server began to send the next one. Who buffers or asks again would
// have them late or all at once.
func TestGRPCHidesNothing(t *testing.T) {
	const events, step = 10, 50 * time.Millisecond
	s := startGRPC(t, func(_ context.Context, send func(string)) error {
		for i := range events {
			if i > 0 {
				time.Sleep(step)
			}
			send(map[bool]string{true: isCalm, false: theSea}[i == events-1])
		}
		return nil
	})
	v := openGRPC(t, s.url(), nil)
	o := perform(t.Context(), v, chat(true))
	if o.Error != nil || len(o.Events) != events || s.count() != 1 {
		t.Fatalf("%v, %d events, %d requests", o.Error, len(o.Events), s.count())
	}
	for i, e := range o.Events {
		if e.At < s.sends[i].before {
			t.Errorf("event %d is stamped %v before it was sent", i, s.sends[i].before.Sub(e.At))
		}
		if i+1 < events && e.At > s.sends[i+1].before {
			t.Errorf("event %d is stamped %v after the next one was sent", i, e.At.Sub(s.sends[i+1].before))
		}
	}
}

func TestGRPCFailures(t *testing.T) {
	waits := func(ctx context.Context, send func(string)) error { <-ctx.Done(); return ctx.Err() }
	ends := func(code codes.Code, message string, texts ...string) func(context.Context, func(string)) error {
		return func(_ context.Context, send func(string)) error {
			for _, text := range texts {
				send(text)
			}
			return status.Error(code, message)
		}
	}
	for name, tc := range map[string]struct {
		play    func(context.Context, func(string)) error
		limits  backend.Limits
		class   fault.Class
		code    string
		message string // part of it
		partial bool
	}{
		"no quota":                {play: ends(codes.ResourceExhausted, "Quota exceeded"), class: fault.RateLimited, code: "RESOURCE_EXHAUSTED", message: "Quota exceeded"},
		"overloaded":              {play: ends(codes.Unavailable, "The model is overloaded."), class: fault.Overloaded, code: "UNAVAILABLE"},
		"not allowed":             {play: ends(codes.PermissionDenied, "no"), class: fault.Permission, code: "PERMISSION_DENIED"},
		"a wrong request":         {play: ends(codes.InvalidArgument, "topK is too large"), class: fault.InvalidRequest, code: "INVALID_ARGUMENT", message: "topK"},
		"broken":                  {play: ends(codes.Internal, "Internal error"), class: fault.Server, code: "INTERNAL"},
		"an error in the stream":  {play: ends(codes.ResourceExhausted, "Quota exceeded", theSea), class: fault.RateLimited, code: "RESOURCE_EXHAUSTED", partial: true},
		"a stream without finish": {play: script(theSea), class: fault.Truncated, partial: true},
		"a blocked prompt":        {play: script(`{"promptFeedback": {"blockReason": "SAFETY"}}`), class: fault.ContentFilter, code: "SAFETY"},
		"no head in time":         {play: waits, limits: backend.Limits{ResponseHeader: 100 * time.Millisecond}, class: fault.TimeoutHeaders},
		"nothing in time":         {play: waits, limits: backend.Limits{Total: 100 * time.Millisecond}, class: fault.TimeoutTotal},
		"nothing more in time":    {play: func(ctx context.Context, send func(string)) error { send(theSea); return waits(ctx, send) }, limits: backend.Limits{Idle: 100 * time.Millisecond, ResponseHeader: 20 * time.Second}, class: fault.TimeoutIdle, partial: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := startGRPC(t, tc.play)
			v := openGRPC(t, s.url(), func(c *backend.Config) { tc.limits.Connect = c.Limits.Connect; c.Limits = tc.limits })
			o := perform(t.Context(), v, chat(true))
			if o.Status != backend.StatusError || o.Error.Class != tc.class || o.Error.ProviderCode != tc.code || o.Error.Partial != tc.partial || !strings.Contains(o.Error.Message, tc.message) {
				t.Errorf("%v (partial %v), want %v", o.Error, o.Error != nil && o.Error.Partial, tc)
			}
			if n := s.count(); n != 1 {
				t.Errorf("the server saw %d requests: nothing is repeated", n)
			}
		})
	}
}

func TestGRPCRetryDelay(t *testing.T) {
	s := startGRPC(t, func(context.Context, func(string)) error {
		refusal, err := status.New(codes.ResourceExhausted, "Quota exceeded").WithDetails(
			&errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)}, &errdetails.RequestInfo{RequestId: "google-7"})
		if err != nil {
			return err
		}
		return refusal.Err()
	})
	e := perform(t.Context(), openGRPC(t, s.url(), nil), chat(true)).Error
	if e == nil || e.RetryAfter != 2*time.Second || e.RequestID != "google-7" || !e.Retryable || !strings.Contains(e.Hint, "quota") {
		t.Errorf("%+v", e)
	}
}

func TestGRPCCancel(t *testing.T) {
	s := startGRPC(t, func(ctx context.Context, send func(string)) error { send(theSea); <-ctx.Done(); return ctx.Err() })
	v := openGRPC(t, s.url(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if o := perform(ctx, v, chat(true)); o.Status != backend.StatusCancelled || o.Error.Class != fault.Cancelled {
		t.Errorf("%v, %v", o.Status, o.Error)
	}
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.ended)
		s.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the server was not told")
		}
	}
}

// An abort after some output ends the call, and no limit strikes while messages
// come.
func TestGRPCAborts(t *testing.T) {
	s := startGRPC(t, func(ctx context.Context, send func(string)) error {
		for i := 0; ctx.Err() == nil && i < 500; i++ {
			send(theSea)
			time.Sleep(20 * time.Millisecond)
		}
		return ctx.Err()
	})
	runner := host.Direct(new(vertex))
	defer func() { _ = runner.Close(t.Context()) }()
	opened, err := runner.Open(t.Context(), "gcp-vertex", grpcConfig(s.url(), func(c *backend.Config) { c.Limits.Idle, c.Limits.ResponseHeader = 5*time.Second, 5*time.Second }))
	if err != nil || opened.Failed() {
		t.Fatalf("%v, %+v", err, opened.Problems)
	}
	outcomes := make(chan *backend.Outcome, 1)
	run, err := runner.Run(t.Context(), host.RunOptions{Outcome: func(o *backend.Outcome) { outcomes <- o }})
	if err != nil {
		t.Fatal(err)
	}
	r := chat(true)
	r.Seq, r.Abort.AfterEvents, r.Want = 1, 3, backend.Want{Events: true}
	if err := run.Start(r); err != nil {
		t.Fatal(err)
	}
	if o := <-outcomes; o.Status != backend.StatusAborted || len(o.Events) < 3 || len(o.Events) > 400 {
		t.Errorf("%v (%v), %d events", o.Status, o.Error, len(o.Events))
	}
}

// Each way to authenticate, and what the preflight says of it.
func TestGRPCCredentials(t *testing.T) {
	account := newServiceAccount(t)
	e := &emulator{public: &account.key.PublicKey}
	tokens := startTokens(t, e)
	s := startGRPC(t, func(ctx context.Context, send func(string)) error { send(theSea); send(isCalm); return nil })
	for name, tc := range map[string]struct {
		change func(*backend.Config)
		class  fault.Class // 0: it works
		hint   string
	}{
		"a key":       {func(*backend.Config) {}, 0, ""},
		"a wrong key": {func(c *backend.Config) { c.APIKey = secret.New("wrong") }, fault.Auth, "--model-api-key"},
		"a token": {func(c *backend.Config) {
			c.Options[optionAuth], c.Options[optionToken] = authToken, secret.New(plantedToken)
		}, 0, ""},
		"an expired token": {func(c *backend.Config) {
			c.Options[optionAuth], c.Options[optionToken] = authToken, secret.New("old")
		}, fault.Auth, "--gcp-access-token"},
		"a service account": {func(c *backend.Config) {
			c.Options[optionAuth], c.Options[optionCredentials] = authServiceAccount, account.file(t, tokens.URL)
		}, 0, ""},
		"a stranger's key file": {func(c *backend.Config) {
			c.Options[optionAuth], c.Options[optionCredentials] = authServiceAccount, newServiceAccount(t).file(t, tokens.URL)
		}, fault.Auth, "--gcp-credentials-path"},
		"nothing":           {func(c *backend.Config) { c.Options[optionAuth] = authNone }, fault.Auth, "--gcp-auth"},
		"no such model":     {func(c *backend.Config) { c.Model = "gemini-none" }, fault.NotFound, "--api-model-name"},
		"another's project": {func(c *backend.Config) { c.Options[optionProject] = "other" }, fault.Permission, "Vertex AI User"},
	} {
		t.Run(name, func(t *testing.T) {
			v := openGRPC(t, s.url(), tc.change)
			p, err := v.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tc.class == 0 {
				if o := perform(t.Context(), v, chat(true)); p.Failure != nil || o.Error != nil {
					t.Errorf("probe %v, request %v", p.Failure, o.Error)
				}
				return
			}
			if p.Failure == nil || p.Failure.Class != tc.class || !strings.Contains(p.Failure.Hint, tc.hint) {
				t.Errorf("%v, want %v with %q", p.Failure, tc.class, tc.hint)
			}
		})
	}
}

// What a server repeats of a credential goes nowhere.
func TestGRPCEchoes(t *testing.T) {
	s := startGRPC(t, func(context.Context, func(string)) error {
		return status.Error(codes.Internal, "your "+plantedGRPCKey+" and "+"own-PLANTED-41")
	})
	r := chat(true)
	r.Header = []backend.HeaderField{{Name: "Authorization", Value: "Bearer own-PLANTED-41"}}
	o := perform(t.Context(), openGRPC(t, s.url(), nil), r)
	if text := fmt.Sprintf("%+v %v", o, o.Error); strings.Contains(text, "PLANTED") || o.Error.Class != fault.Server {
		t.Error(text)
	}
}

func TestGRPCProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*backend.Config)
		want   string // the option of the error; "" none
	}{
		"all is well":    {func(*backend.Config) {}, ""},
		"no project":     {func(c *backend.Config) { delete(c.Options, optionProject) }, optionProject},
		"kernel stamps":  {func(c *backend.Config) { c.Clock = backend.ClockPacket }, "clock"},
		"a path":         {func(c *backend.Config) { c.APIBase += "/gateway" }, optionAPIBase},
		"no CA file":     {func(c *backend.Config) { c.TLS.CAFile = "/nonexistent/ca.pem" }, "ca-file"},
		"another model":  {func(c *backend.Config) { c.Model = "claude-sonnet-4" }, optionTransport},
		"embeddings":     {func(c *backend.Config) { c.Task = backend.TextToEmbeddings }, optionTransport},
		"wrong JSON too": {func(c *backend.Config) { c.RequestParams = json.RawMessage(`[]`) }, optionParams},
	} {
		t.Run(name, func(t *testing.T) {
			v := new(vertex)
			opened, err := v.Open(t.Context(), grpcConfig("http://127.0.0.1:1", tc.change))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = v.Close(t.Context()) }()
			found := slices.ContainsFunc(opened.Problems, func(p option.Problem) bool { return p.Severity == option.Error && p.Option == tc.want })
			if opened.Failed() != (tc.want != "") || found != (tc.want != "") {
				t.Errorf("%+v", opened.Problems)
			}
			if tc.want != "" {
				return
			}
			warned := slices.ContainsFunc(opened.Problems, func(p option.Problem) bool {
				return p.Severity == option.Warning && strings.Contains(p.Message, "deprecated")
			})
			if !warned || opened.Clock != stamp.ClockUser || opened.ClockNote == "" || !strings.HasSuffix(opened.Endpoint, "/google.cloud.aiplatform.v1beta1.PredictionService/StreamGenerateContent") {
				t.Errorf("%+v", opened)
			}
		})
	}
}

// The plugin as a process of its own.
func TestGRPCOfTheBinary(t *testing.T) {
	s := startGRPC(t, script(theSea, isCalm))
	runner, err := host.Launch(t.Context(), host.Options{Path: backendtest.Build(".")(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = runner.Close(t.Context()) }()
	opened, err := runner.Open(t.Context(), "gcp-vertex", grpcConfig(s.url(), nil))
	if err != nil || opened.Failed() {
		t.Fatalf("%v, %+v", err, opened.Problems)
	}
	outcomes := make(chan *backend.Outcome, 1)
	run, err := runner.Run(t.Context(), host.RunOptions{Outcome: func(o *backend.Outcome) { outcomes <- o }})
	if err != nil {
		t.Fatal(err)
	}
	r := chat(true)
	r.Seq, r.Want = 1, backend.Want{Events: true, Text: true}
	if err := run.Start(r); err != nil {
		t.Fatal(err)
	}
	if o := <-outcomes; o.Error != nil || len(o.Events) != 2 || o.Choices[0].Text != "The sea is calm" || o.Clock != stamp.ClockUser {
		t.Errorf("%v, %+v", o.Error, o)
	}
}
