package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

const wireModel = "wire-model"

// emulate starts OCI's inference service, both APIs of it.
func emulate(t testing.TB, a *account) *simulator.Server {
	t.Helper()
	return backendtest.Serve(t, simulator.Config{
		Models: []string{wireModel}, StepTime: time.Millisecond, KeepBodies: true,
		Protocols: []simulator.Protocol{
			&emulator.API{Keys: a.keys, Compartment: wireCompartment, Endpoints: map[string]string{"endpoint": wireModel}},
			&emulator.Compatible{Keys: a.keys, Compartment: wireCompartment},
		},
	})
}

func chat() *backend.Request {
	return &backend.Request{ID: "wire-1", Task: backend.TextToText, Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("Hello")}, MaxTokens: 4, Stream: true}}
}

func probe(t *testing.T, b backend.Backend) *fault.Error {
	t.Helper()
	p, err := b.(backend.Prober).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.Failure
}

// TestModes: every way to authenticate, with both kinds of API, on the wire.
func TestModes(t *testing.T) {
	const delegation = "PLANTED.delegation.token"
	a := newAccount(t)
	a.session(t, time.Hour)
	a.keys.Delegate(delegation)
	instance, err := emulator.NewInstance(a.keys)
	if err != nil {
		t.Fatal(err)
	}
	services := httptest.NewServer(instance)
	defer services.Close()
	t.Setenv(auth.EnvMetadata, services.URL+"/opc/v2")
	t.Setenv(auth.EnvFederation, services.URL)
	server := emulate(t, a)
	for _, mode := range []auth.Mode{auth.UserPrincipal, auth.SecurityToken, auth.InstancePrincipal, auth.InstanceOBOUser} {
		for _, name := range []string{"oci-cohere", "oci-openai"} {
			t.Run(string(mode)+" "+name, func(t *testing.T) {
				base := server.URL()
				if name == "oci-openai" {
					base += "/openai/v1"
				}
				b := open(t, name, base, a, func(c *backend.Config) {
					c.Options[auth.OptionAuth] = string(mode)
					switch mode {
					case auth.SecurityToken:
						c.Options[auth.OptionProfile] = "SESSION"
					case auth.InstanceOBOUser:
						c.Options[auth.OptionSecurityToken] = secret.New(delegation)
					}
				})
				if failure := probe(t, b); failure != nil {
					t.Fatal(failure)
				}
				if out := do(b, chat()); out.Status != backend.StatusOK || out.Usage.Output == nil || *out.Usage.Output != 4 {
					t.Errorf("%v %v %+v", out.Status, out.Error, out.Usage)
				}
			})
		}
	}
	if failures := instance.Failures(); len(failures) > 0 {
		t.Errorf("the instance's services refused: %q", failures)
	}
}

// A dedicated endpoint has the model; its name on the command line does not count.
func TestDedicated(t *testing.T) {
	a := newAccount(t)
	server := emulate(t, a)
	for id, found := range map[string]bool{"endpoint": true, "other": false} {
		b := open(t, "oci-cohere", server.URL(), a, func(c *backend.Config) {
			c.Model = "any name"
			c.RequestParams = json.RawMessage(fmt.Sprintf(`{"compartmentId":%q,"endpointId":%q,"servingType":"DEDICATED"}`, wireCompartment, id))
		})
		failure := probe(t, b)
		if found != (failure == nil) {
			t.Errorf("%s: %v", id, failure)
		}
		if failure != nil && (failure.Class != fault.NotFound || !strings.Contains(failure.Hint, "endpoint's OCID") || failure.RequestID != "emulated") {
			t.Errorf("%+v", failure)
		}
		if out := do(b, chat()); found != (out.Status == backend.StatusOK) {
			t.Errorf("%s: %v", id, out.Error)
		}
	}
}

// TestProbe: each thing that can be wrong is told before a run, with the
// provider's own message, its request id and what to do.
func TestProbe(t *testing.T) {
	a := newAccount(t)
	stranger := a.stranger(t)
	server := emulate(t, a)
	for name, tc := range map[string]struct {
		edit  func(*backend.Config)
		class fault.Class
		parts []string // of the failure in one line
	}{
		"a key that OCI does not know": {
			func(c *backend.Config) { c.Options[auth.OptionConfigFile] = stranger }, fault.Auth,
			[]string{"HTTP 401", "NotAuthenticated", "required information to complete authentication", "fingerprint and key_file of profile [DEFAULT]"},
		},
		"a model without access": {
			func(c *backend.Config) { c.Model = "no-such-model" }, fault.NotFound,
			[]string{"HTTP 404", "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found.", "offered in us-chicago-1", "generative-ai-family"},
		},
		"another compartment": {
			func(c *backend.Config) { c.RequestParams = json.RawMessage(`{"compartmentId":"other"}`) }, fault.NotFound,
			[]string{"NotAuthorizedOrNotFound", "compartment's OCID"},
		},
		"a session that is over": {
			func(c *backend.Config) {
				a.session(t, -time.Hour)
				c.Options[auth.OptionAuth], c.Options[auth.OptionProfile] = string(auth.SecurityToken), "SESSION"
			}, fault.Auth, []string{"expired at", "oci session refresh --profile SESSION"},
		},
		"a region that is none": {
			func(c *backend.Config) { c.APIBase, c.Options[auth.OptionRegion] = "", "xx-nowhere-1" }, fault.DNS,
			[]string{`is there a region "xx-nowhere-1"`},
		},
		"nobody": {
			func(c *backend.Config) { c.APIBase = "http://127.0.0.1:1" }, fault.Connect, []string{"is --api-base right"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			failure := probe(t, open(t, "oci-cohere", server.URL(), a, tc.edit))
			if failure == nil || failure.Class != tc.class {
				t.Fatalf("%v, want class %v", failure, tc.class)
			}
			for _, part := range tc.parts {
				if !strings.Contains(failure.Error(), part) {
					t.Errorf("%q lacks %q", failure.Error(), part)
				}
			}
			if failure.HTTPStatus != 0 && failure.RequestID != "emulated" {
				t.Errorf("request id %q", failure.RequestID)
			}
		})
	}
	if n := server.Stats().OutputTokens; n > 0 {
		t.Errorf("the probes generated %d tokens", n)
	}
}

// TestProbeOfTheCompatible: the same of the OpenAI-compatible endpoints, of each
// task.
func TestProbeOfTheCompatible(t *testing.T) {
	a := newAccount(t)
	stranger := a.stranger(t)
	server := emulate(t, a)
	for name, tc := range map[string]struct {
		edit  func(*backend.Config)
		class fault.Class // 0: all is well
		part  string
	}{
		"all is well":                  {func(*backend.Config) {}, 0, ""},
		"a key that OCI does not know": {func(c *backend.Config) { c.Options[auth.OptionConfigFile] = stranger }, fault.Auth, "fingerprint and key_file"},
		"another compartment":          {func(c *backend.Config) { c.RequestParams = json.RawMessage(`{"compartmentId":"other"}`) }, fault.NotFound, "compartment's OCID"},
		"a model without access":       {func(c *backend.Config) { c.Model = "no-such-model" }, fault.NotFound, "--api-model-name"},
		"a region that is none":        {func(c *backend.Config) { c.APIBase, c.Options[auth.OptionRegion] = "", "xx-nowhere-1" }, fault.DNS, `is there a region "xx-nowhere-1"`},
	} {
		for _, task := range compatibleTasks {
			t.Run(name+", "+string(task), func(t *testing.T) {
				failure := probe(t, open(t, "oci-openai", server.URL()+"/openai/v1", a, func(c *backend.Config) {
					c.Task = task
					tc.edit(c)
				}))
				if (failure == nil) != (tc.class == 0) || failure != nil && (failure.Class != tc.class || !strings.Contains(failure.Hint, tc.part)) {
					t.Errorf("%v, want class %v and a hint with %q", failure, tc.class, tc.part)
				}
			})
		}
	}
	if n := server.Stats().OutputTokens; n > 0 {
		t.Errorf("the probes generated %d tokens", n)
	}
}

// A server whose clock differs by more than OCI allows says so by its Date.
func TestClockSkew(t *testing.T) {
	a := newAccount(t)
	for offset, want := range map[time.Duration]string{time.Hour: "behind the server's", -time.Hour: "ahead of the server's"} {
		server := startServer(t, a.keys, func(received) []byte {
			body := `{"code":"NotAuthenticated","message":"Date 'x' is not within allowed clock skew."}`
			return fmt.Appendf(nil, "HTTP/1.1 401 Unauthorized\r\nDate: %s\r\nOpc-Request-Id: skewed\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				time.Now().Add(offset).UTC().Format(http.TimeFormat), len(body), body)
		})
		for _, name := range []string{"oci-cohere", "oci-openai"} {
			b := open(t, name, server.URL(), a, nil)
			for _, failure := range []*fault.Error{probe(t, b), do(b, chat()).Error} {
				if failure == nil || failure.Class != fault.Auth || !strings.Contains(failure.Hint, want) || !strings.Contains(failure.Message, "clock skew") || failure.RequestID != "skewed" {
					t.Errorf("%s: %+v, want a hint with %q", name, failure, want)
				}
			}
		}
	}
}

// A server that repeats what it was sent gives no secret away: not the session
// token, not one that came while the run went on, not the delegation token.
func TestEchoedSecrets(t *testing.T) {
	a := newAccount(t)
	first := a.session(t, time.Hour)
	server := startServer(t, a.keys, func(r received) []byte {
		text, err := json.Marshal(map[string]string{"code": "InvalidParameter", "message": "you sent " + r.Header.Get("Authorization")})
		if err != nil {
			panic(err)
		}
		return fmt.Appendf(nil, "HTTP/1.1 400 Bad\r\nOpc-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s", strings.TrimPrefix(r.KeyID, "ST$"), len(text), text)
	})
	for _, name := range []string{"oci-cohere", "oci-cohere-v2", "oci-genai", "oci-openai"} {
		b := open(t, name, server.URL(), a, func(c *backend.Config) {
			c.Options[auth.OptionAuth], c.Options[auth.OptionProfile] = string(auth.SecurityToken), "SESSION"
		})
		tokens := []string{first, plantedPhrase}
		for range 2 {
			out := do(b, chat())
			printed := fmt.Sprintf("%+v %+v", out, out.Error)
			if out.Error == nil || !strings.Contains(out.Error.Message, "you sent ") {
				t.Fatalf("%s: %v", name, out.Error)
			}
			for _, token := range tokens {
				if strings.Contains(printed, token) {
					t.Errorf("%s: the outcome has a secret: %s", name, printed)
				}
			}
			tokens = append(tokens, a.session(t, time.Hour+time.Minute))
			time.Sleep(1100 * time.Millisecond) // the files are looked at once a second
		}
		first = tokens[len(tokens)-1]
	}
}

// A token that is waited for is queued time, not time of the request.
func TestQueuedForAToken(t *testing.T) {
	a := newAccount(t)
	instance, err := emulator.NewInstance(a.keys)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	instance.Hold(gate)
	services := httptest.NewServer(instance)
	defer services.Close()
	t.Setenv(auth.EnvMetadata, services.URL+"/opc/v2")
	t.Setenv(auth.EnvFederation, services.URL)
	server := emulate(t, a)
	for _, name := range []string{"oci-genai", "oci-openai"} {
		base := server.URL()
		if name == "oci-openai" {
			base += "/openai/v1"
		}
		b := open(t, name, base, a, func(c *backend.Config) { c.Options[auth.OptionAuth] = string(auth.InstancePrincipal) })
		const hold = 150 * time.Millisecond
		if name == "oci-genai" {
			time.AfterFunc(hold, func() { close(gate); instance.Hold(nil) })
		}
		began := time.Now()
		out := do(b, chat())
		took := time.Since(began)
		if out.Status != backend.StatusOK {
			t.Fatal(out.Error)
		}
		if name == "oci-genai" && out.Queued < hold/2 || out.Queued <= 0 || out.Queued > took {
			t.Errorf("%s: queued %v of %v", name, out.Queued, took)
		}
		if total := out.LastByte.Sub(out.SendStart); total > took-out.Queued {
			t.Errorf("%s: the wait of %v is within the request's %v", name, out.Queued, total)
		}
		if out = do(b, chat()); out.Queued != 0 {
			t.Errorf("%s: queued %v with a good token", name, out.Queued)
		}
	}
}

// A request that ends while it waits for a token is cancelled, at once.
func TestCancelledWhileQueued(t *testing.T) {
	a := newAccount(t)
	instance, err := emulator.NewInstance(a.keys)
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	instance.Hold(gate)
	services := httptest.NewServer(instance)
	defer services.Close()
	defer close(gate)
	t.Setenv(auth.EnvMetadata, services.URL+"/opc/v2")
	t.Setenv(auth.EnvFederation, services.URL)
	b := find(t, "oci-genai")
	if opened, err := b.Open(t.Context(), config(b, "http://127.0.0.1:1", a, func(c *backend.Config) {
		c.Options[auth.OptionAuth] = string(auth.InstancePrincipal)
	})); err != nil || opened.Failed() {
		t.Fatal(err, opened.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	request := chat()
	rec := backend.NewRecorder(request, 0, nil, nil)
	b.Do(ctx, request, rec)
	if out := rec.Outcome(ctx); out.Status != backend.StatusCancelled || out.Queued <= 0 {
		t.Errorf("%v %v, queued %v", out.Status, out.Error, out.Queued)
	}
	closed := make(chan struct{})
	go func() {
		_ = b.Close(context.Background()) // never fails
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(15 * time.Second):
		t.Error("Close waits for the auth service")
	}
}
