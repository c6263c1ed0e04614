package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// emulate starts Vertex AI.
func emulate(t testing.TB, e *emulator) *simulator.Server {
	t.Helper()
	s, err := simulator.New(simulator.Config{Models: []string{"gemini-wire"}, StepTime: time.Millisecond, APIKey: secret.New(plantedGRPCKey), Protocols: []simulator.Protocol{e}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}

func serviceAccountOf(t testing.TB, a *serviceAccount, server string) func(*backend.Config) {
	return func(c *backend.Config) {
		c.APIKey, c.Options[optionCredentials] = secret.Secret{}, a.file(t, server)
	}
}

// A token that ends while a run goes on is replaced; each is used for as long as
// it is good.
func TestTokensAreRenewed(t *testing.T) {
	account := newServiceAccount(t)
	e := &emulator{public: &account.key.PublicKey, lives: 2}
	s := emulate(t, e)
	v := open(t, s.URL(), serviceAccountOf(t, account, s.URL()))
	first := perform(t.Context(), v, chat(true))
	if first.Error != nil || first.Queued <= 0 {
		t.Errorf("%v, queued %v: the first token is waited for, and said so", first.Error, first.Queued)
	}
	e.mu.Lock()
	e.tokens[0] = "" // it has expired: who uses it is refused
	e.mu.Unlock()
	time.Sleep(2100 * time.Millisecond)
	if o := perform(t.Context(), v, chat(true)); o.Error != nil {
		t.Error(o.Error)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.tokens) < 2 {
		t.Errorf("%d tokens were given out, want another one", len(e.tokens))
	}
}

// What the preflight says where there is no token, and why.
func TestWhyThereIsNoToken(t *testing.T) {
	account := newServiceAccount(t)
	e := &emulator{public: &account.key.PublicKey}
	s := emulate(t, e)
	refusing := func(status int, body string) string { return answering(t, status, "application/json", body).URL }
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, tc := range map[string]struct {
		account *serviceAccount
		server  string
		class   fault.Class // 0: there is one
		parts   []string    // of the failure in one line
	}{
		"all is well":              {account, s.URL(), 0, nil},
		"a key that was deleted":   {newServiceAccount(t), s.URL(), fault.Auth, []string{"[invalid_grant]", "Invalid JWT", "--gcp-credentials-path"}},
		"a clock that is wrong":    {account, refusing(400, `{"error": "invalid_grant", "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."}`), fault.Auth, []string{"clock"}},
		"an account that is off":   {account, refusing(401, `{"error": "unauthorized_client", "error_description": "disabled"}`), fault.Auth, []string{"unauthorized_client", "disabled"}},
		"the server has a bad day": {account, refusing(503, `busy`), fault.Overloaded, []string{"503"}},
		"nobody listens":           {account, gone.URL, fault.Connect, []string{"refused"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := open(t, s.URL(), serviceAccountOf(t, tc.account, tc.server))
			p, err := v.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tc.class == 0 {
				if p.Failure != nil {
					t.Error(p.Failure)
				}
				return
			}
			if p.Failure == nil || p.Failure.Class != tc.class {
				t.Fatalf("%v, want %v", p.Failure, tc.class)
			}
			for _, part := range tc.parts {
				if !strings.Contains(p.Failure.Error(), part) {
					t.Errorf("%v does not say %q", p.Failure, part)
				}
			}
			if text := fmt.Sprintf("%+v %v", p.Failure, p.Failure); strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "assertion=") {
				t.Error(text)
			}
		})
	}
}

func TestCredentialsFiles(t *testing.T) {
	account := newServiceAccount(t)
	for name, tc := range map[string]struct {
		text string
		part string // of the problem; "" none
	}{
		"a service account":  {readFile(t, account.file(t, "http://127.0.0.1:1")), ""},
		"a user":             {`{"type": "authorized_user", "client_id": "i", "client_secret": "PLANTED-1", "refresh_token": "PLANTED-2", "token_uri": "http://127.0.0.1:1/token"}`, ""},
		"no JSON":            {`PLANTED-3`, "no JSON file of credentials"},
		"another JSON file":  {`{"installed": {"client_secret": "PLANTED-4"}}`, "not known here"},
		"a key without type": {`{"private_key": "PLANTED-5"}`, "not known here"},
		"half a key":         {`{"type": "service_account", "private_key": "PLANTED-6", "token_uri": "http://127.0.0.1:1/token"}`, ""}, // found out with the first token
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.json")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			v := new(vertex)
			o, err := v.Open(t.Context(), restConfig("http://127.0.0.1:1", func(c *backend.Config) {
				c.APIKey, c.Options[optionCredentials] = secret.Secret{}, path
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = v.Close(t.Context()) }()
			text := fmt.Sprintf("%+v", o)
			if o.Failed() != (tc.part != "") || !strings.Contains(text, tc.part) {
				t.Error(text)
			}
			if !o.Failed() && fields(t, o.EffectiveConfig)["credentials_path"] != path {
				t.Errorf("the metadata does not name the file: %s", o.EffectiveConfig)
			}
			if !o.Failed() {
				p, err := v.Probe(t.Context())
				text += fmt.Sprintf("%+v %v %v", p.Failure, p.Failure, err)
			}
			if strings.Contains(text, "PLANTED") || strings.Contains(text, "PRIVATE KEY") {
				t.Errorf("a secret in %s", text)
			}
		})
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Application default credentials: the file that the environment names, a
// user's whom gcloud signed in, and a machine's of Google's.
func TestApplicationDefaultCredentials(t *testing.T) {
	account := newServiceAccount(t)
	e := &emulator{public: &account.key.PublicKey, tokens: []string{plantedToken}}
	s := emulate(t, e)
	exchange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refresh := r.FormValue("grant_type") == "refresh_token" && r.FormValue("refresh_token") == "PLANTED-REFRESH" && r.URL.Path == "/token"
		machine := strings.HasPrefix(r.URL.Path, "/computeMetadata/v1/instance/service-accounts/default/token") && r.Header.Get("Metadata-Flavor") == "Google"
		if !refresh && !machine {
			http.Error(w, "what?", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Metadata-Flavor", "Google")
		fmt.Fprintf(w, `{"access_token": %q, "expires_in": 3599, "token_type": "Bearer"}`, plantedToken)
	}))
	defer exchange.Close()
	for name, set := range map[string]func(t *testing.T){
		"a file that the environment names": func(t *testing.T) { t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", account.file(t, s.URL())) },
		"a user": func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
			folder := t.TempDir()
			text := fmt.Sprintf(`{"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "PLANTED-REFRESH", "token_uri": %q}`, exchange.URL+"/token")
			path := filepath.Join(folder, ".config", "gcloud", "application_default_credentials.json")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("HOME", folder)
		},
		"a machine of Google's": func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
			t.Setenv("HOME", t.TempDir())
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(exchange.URL, "http://"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			set(t)
			v := open(t, s.URL(), func(c *backend.Config) { c.APIKey, c.Options[optionAuth] = secret.Secret{}, authADC })
			if p, err := v.Probe(t.Context()); err != nil || p.Failure != nil {
				t.Fatal(err, p.Failure)
			}
			if o := perform(t.Context(), v, chat(true)); o.Error != nil {
				t.Error(o.Error)
			}
		})
	}
}
