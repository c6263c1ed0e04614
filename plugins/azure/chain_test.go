package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

const (
	tenant              = "11111111-2222-3333-4444-555555555555"
	clientID            = "99999999-8888-7777-6666-555555555555"
	plantedClientSecret = "PLANTED-CLIENT-SECRET-c3d4"
	plantedAssertion    = "PLANTED.FEDERATED.ASSERTION-77e0"
)

// startEntra is Microsoft Entra ID, over TLS: the client credentials flow of
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
// with a secret or with an assertion. It verifies tenant, client, credential and
// scope; a refusal repeats what it was given, as a careless service would.
func startEntra(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	var s *httptest.Server
	mux.HandleFunc("GET /"+tenant+"/v2.0/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		base := s.URL + "/" + tenant
		writeJSON(t, w, http.StatusOK, map[string]string{
			"token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize", "issuer": base + "/v2.0",
		})
	})
	mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		credential := r.Form.Get("client_secret")
		good := credential == plantedClientSecret
		if kind := r.Form.Get("client_assertion_type"); kind != "" {
			credential = r.Form.Get("client_assertion")
			good = credential == plantedAssertion && kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
		}
		if !good || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("client_id") != clientID ||
			!slices.Contains(strings.Fields(r.Form.Get("scope")), resource+"/.default") {
			writeJSON(t, w, http.StatusUnauthorized, map[string]string{
				"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided: " + credential,
			})
			return
		}
		writeJSON(t, w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": plantedToken})
	})
	s = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func writeJSON(t *testing.T, w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		t.Error(err)
	}
}

// startResource is a resource that takes one token.
func startResource(t *testing.T, e *emulator) *simulator.Server {
	s, err := simulator.New(simulator.Config{Models: []string{"m"}, APIKey: secret.New("another way in"), Protocols: []simulator.Protocol{e}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}

// openChain opens the backend with azidentity's own chain, which trusts the
// certificate of an Entra of ours, if there is one.
func openChain(t *testing.T, base string, entra *httptest.Server) *azure {
	t.Helper()
	config := backend.Config{
		Task: backend.TextToText, Model: "m", APIBase: base, HTTP: backend.HTTP{Proxy: "none"}, Options: option.Values{optionAuth: authDefault},
	}
	a := newAzure()
	if entra != nil {
		config.TLS.CAFile = filepath.Join(t.TempDir(), "ca.pem")
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: entra.Certificate().Raw})
		if err := os.WriteFile(config.TLS.CAFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
		a.chain = func(config backend.Config) (azcore.TokenCredential, error) {
			o := chainOptions(config)
			o.DisableInstanceDiscovery = true // it would ask Microsoft whether our Entra is one
			return azidentity.NewDefaultAzureCredential(o)
		}
	}
	o, err := a.Open(t.Context(), config)
	if err != nil || o.Failed() {
		t.Fatalf("%v, %+v", err, o.Problems)
	}
	t.Cleanup(func() { _ = a.Close(t.Context()) })
	return a
}

func TestTokensComeTheUsersWay(t *testing.T) {
	for proxy, want := range map[string]map[string]string{
		"http://proxy:3128": {"https://login.microsoftonline.com": "http://proxy:3128", "http://169.254.169.254/metadata": "", "http://127.0.0.1:41741/msi": ""},
		"none":              {"https://login.microsoftonline.com": ""},
	} {
		o := chainOptions(backend.Config{HTTP: backend.HTTP{Proxy: proxy}, TLS: backend.TLS{Insecure: true}})
		transport := o.Transport.(*http.Client).Transport.(*http.Transport)
		if settings := transport.TLSClientConfig; settings != nil && settings.InsecureSkipVerify {
			t.Errorf("a token's server is not verified")
		}
		for address, by := range want {
			got := ""
			if transport.Proxy != nil {
				r, err := http.NewRequest(http.MethodGet, address, nil)
				if err != nil {
					t.Fatal(err)
				}
				if u, err := transport.Proxy(r); err != nil {
					t.Error(err)
				} else if u != nil {
					got = u.String()
				}
			}
			if got != by {
				t.Errorf("--proxy %s: %s by %q, want %q", proxy, address, got, by)
			}
		}
	}
}

// unset takes variables out of the environment for the test.
func unset(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Setenv(name, "") // restores it
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

func chatWith(t *testing.T, a *azure) *backend.Outcome {
	t.Helper()
	r := &backend.Request{
		Seq: 1, ID: "chain", Task: backend.TextToText, Want: backend.Want{Text: true},
		Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("hello")}, MaxTokens: 2, Stream: true},
	}
	rec := backend.NewRecorder(r, 0, nil, nil)
	a.Do(t.Context(), r, rec)
	return rec.Outcome(t.Context())
}

// TestTheDefaultChain gets a token by each of the chain's ways but managed
// identity, which has the conformance suite, and by them an answer.
func TestTheDefaultChain(t *testing.T) {
	assertion := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(assertion, []byte(plantedAssertion), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		fail string // part of the message; "": it works
	}{
		"a service principal with a secret": {map[string]string{
			"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": plantedClientSecret}, ""},
		"a service principal with a wrong secret": {map[string]string{
			"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": "PLANTED-WRONG-SECRET-0b"}, "AADSTS7000215"},
		"a workload's identity": {map[string]string{
			"AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential", "AZURE_CLIENT_ID": clientID, "AZURE_TENANT_ID": tenant, "AZURE_FEDERATED_TOKEN_FILE": assertion}, ""},
		"no service principal": {map[string]string{"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}, "AZURE_TENANT_ID"},
		"no such chain":        {map[string]string{"AZURE_TOKEN_CREDENTIALS": "Somebody"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			entra := startEntra(t)
			unset(t, "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE")
			t.Setenv("AZURE_AUTHORITY_HOST", entra.URL)
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			if name == "no such chain" {
				expectNoChain(t)
				return
			}
			s := startResource(t, &emulator{token: plantedToken})
			a := openChain(t, s.URL(), entra)
			probe, err := a.Probe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			o := chatWith(t, a)
			if c.fail == "" {
				if probe.Failure != nil || o.Status != backend.StatusOK {
					t.Errorf("preflight %v, request %v", probe.Failure, o.Error)
				}
				return
			}
			for _, failure := range []*fault.Error{probe.Failure, o.Error} {
				if failure == nil || failure.Class != fault.Auth || !strings.Contains(failure.Message, c.fail) || strings.Contains(failure.Message, "\n") ||
					!strings.Contains(failure.Hint, "AZURE_CLIENT_SECRET") || !strings.Contains(failure.Hint, "AZURE_OPENAI_API_KEY") {
					t.Errorf("%v, want a failure with %q", failure, c.fail)
				} else if strings.Contains(failure.Error(), "PLANTED") {
					t.Errorf("the failure has a secret: %v", failure)
				}
			}
		})
	}
}

func expectNoChain(t *testing.T) {
	t.Helper()
	o, err := newAzure().Open(t.Context(), backend.Config{
		Task: backend.TextToText, Model: "m", APIBase: "https://r.openai.azure.com", Options: option.Values{optionAuth: authDefault},
	})
	if err != nil || len(o.Problems) != 1 || o.Problems[0].Option != optionAuth || !strings.Contains(o.Problems[0].Message, "AZURE_TOKEN_CREDENTIALS") {
		t.Errorf("%v, %+v", err, o.Problems)
	}
}

// TestTheAzureCLI: the chain runs az, here a script that says what it was asked.
func TestTheAzureCLI(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the script is for a Unix shell")
	}
	folder := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
[ "$*" = "account get-access-token -o json --resource %s" ] || { echo "ERROR: az $*" >&2; exit 1; }
echo '{"accessToken": "%s", "expires_on": %d, "tokenType": "Bearer"}'
`, resource, plantedToken, time.Now().Add(time.Hour).Unix())
	if err := os.WriteFile(filepath.Join(folder, "az"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "AzureCLICredential")
	s := startResource(t, &emulator{token: plantedToken})
	if o := chatWith(t, openChain(t, s.URL(), nil)); o.Status != backend.StatusOK {
		t.Errorf("%v", o.Error)
	}
}

// TestTheTokenIsRenewedWhileARunGoesOn: a managed identity's first token is about
// to end. Requests go on with it while the next one is fetched, which takes
// longer than a request; none waits, none fails.
func TestTheTokenIsRenewedWhileARunGoesOn(t *testing.T) {
	const fetch = 300 * time.Millisecond
	var asked atomic.Int64
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != identityHeader || r.URL.Query().Get("client_id") != clientID {
			http.Error(w, "who?", http.StatusBadRequest)
			return
		}
		n := asked.Add(1)
		ends := time.Now().Add(time.Hour)
		if n == 1 {
			ends = time.Now().Add(5*time.Minute + 2*time.Second) // renewed five minutes before its end
		} else {
			time.Sleep(fetch)
		}
		_, _ = io.WriteString(w, fmt.Sprintf(`{"access_token": "token-%d", "expires_on": "%d", "resource": %q, "token_type": "Bearer"}`, n, ends.Unix(), resource))
	}))
	t.Cleanup(identity.Close)
	t.Setenv("IDENTITY_ENDPOINT", identity.URL)
	t.Setenv("IDENTITY_HEADER", identityHeader)
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
	t.Setenv("AZURE_CLIENT_ID", clientID) // an identity of its own: azidentity keeps tokens for the whole process
	used := make(chan string, 1)
	s := startResource(t, &emulator{takes: func(bearer string) bool {
		used <- bearer
		return bearer == "token-1" || bearer == "token-2"
	}})
	a := openChain(t, s.URL(), nil)
	for n, last, deadline := 0, "", time.Now().Add(30*time.Second); last != "token-2"; n++ {
		if time.Now().After(deadline) {
			t.Fatalf("after %d requests the token is still %s", n, last)
		}
		o := chatWith(t, a)
		if o.Status != backend.StatusOK {
			t.Fatalf("request %d after %s: %v", n, last, o.Error)
		}
		token := <-used
		if token < last {
			t.Errorf("request %d has %s after %s", n, token, last)
		}
		if n > 0 && o.Queued != 0 {
			t.Errorf("request %d waited %v for a token", n, o.Queued)
		}
		if n == 0 && token != "token-1" {
			t.Errorf("the first token is %s", token)
		}
		last = token
		time.Sleep(20 * time.Millisecond)
	}
}

func TestATokenThatHasEnded(t *testing.T) {
	const ended = "e30.eyJleHAiOjE3NjAwMDAwMDB9.s" // {"exp":1760000000}
	_, o := opened(t, func(c *backend.Config) { c.APIKey, c.Options[optionADToken] = secret.Secret{}, secret.New(ended) })
	if len(o.Problems) != 1 || o.Problems[0].Option != optionADToken || o.Problems[0].Severity != option.Warning ||
		!strings.Contains(o.Problems[0].Message, "expired at 2025-10-09T08:53:20Z") || !strings.Contains(o.Problems[0].Hint, "--azure-auth default") {
		t.Errorf("%+v", o.Problems)
	}
	for _, token := range []string{"opaque", "a.b.c", "e30.e30.s", "e30.eyJleHAiOiJ4In0.s", "e30.eyJleHAiOi0xfQ.s"} {
		if end := expiry(token); !end.IsZero() {
			t.Errorf("%s ends at %v", token, end)
		}
	}
}
