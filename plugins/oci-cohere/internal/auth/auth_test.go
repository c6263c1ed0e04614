package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var newKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyFile writes the key, encrypted where there is a phrase.
func keyFile(t testing.TB, phrase string) string {
	t.Helper()
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(newKey())}
	if phrase != "" {
		var err error
		//nolint:staticcheck // what OpenSSL and Oracle's console make
		if block, err = x509.EncryptPEMBlock(rand.Reader, block.Type, block.Bytes, []byte(phrase), x509.PEMCipherAES128); err != nil {
			t.Fatal(err)
		}
	}
	return write(t, filepath.Join(t.TempDir(), "key.pem"), string(pem.EncodeToMemory(block)))
}

func TestProfile(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "config"), "\ufeff# comment\r\n[DEFAULT]\r\nregion = us-ashburn-1\nuser=u\npass_phrase = a=b # c\n\n; more\n[ OTHER ]\nx=1\n[OTHER]\nUser: v\nkey_file=~/k.pem\n")
	t.Setenv("HOME", "/home/somebody")
	p, problem := ReadProfile(path, "OTHER")
	if problem != nil {
		t.Fatal(problem)
	}
	want := map[string]string{"region": "us-ashburn-1", "user": "v", "pass_phrase": "a=b # c", "key_file": "~/k.pem"}
	if diff := cmp.Diff(want, p.values); diff != "" {
		t.Error(diff)
	}
	if got := p.path(keyKeyFile); got != filepath.FromSlash("/home/somebody/k.pem") {
		t.Errorf("key_file %s", got)
	}
}

// Every problem names its option and what to do, on one line.
func TestProblems(t *testing.T) {
	const phrase = "PLANTED-phrase"
	folder := t.TempDir()
	whole := "user=u\ntenancy=t\nfingerprint=f\n"
	for name, tc := range map[string]struct {
		text    string // of the configuration file; "" has none
		profile string
		mode    Mode
		want    []string // parts of the messages
		option  string
	}{
		"no file":                {"", "DEFAULT", UserPrincipal, []string{"cannot be read: no such file"}, OptionConfigFile},
		"no profile":             {"[DEFAULT]\n", "X", UserPrincipal, []string{"no profile [X]"}, OptionProfile},
		"before a profile":       {"user=u\n", "DEFAULT", UserPrincipal, []string{"line 1 stands before the first profile"}, OptionConfigFile},
		"an open bracket":        {"[DEFAULT\n", "DEFAULT", UserPrincipal, []string{"line 1 begins a profile but has no ]"}, OptionConfigFile},
		"all missing":            {"[DEFAULT]\n", "DEFAULT", UserPrincipal, []string{`no "user"`, `no "tenancy"`, `no "fingerprint"`, `no "key_file"`}, OptionConfigFile},
		"no key":                 {"[DEFAULT]\n" + whole + "key_file=/none\n", "DEFAULT", UserPrincipal, []string{"key_file /none of profile [DEFAULT] cannot be read"}, OptionConfigFile},
		"no phrase":              {"[DEFAULT]\n" + whole + "key_file=" + keyFile(t, phrase), "DEFAULT", UserPrincipal, []string{"has no pass_phrase"}, OptionConfigFile},
		"a wrong phrase":         {"[DEFAULT]\n" + whole + "pass_phrase=PLANTED-other\nkey_file=" + keyFile(t, phrase), "DEFAULT", UserPrincipal, []string{"pass_phrase of profile [DEFAULT] does not open it"}, OptionConfigFile},
		"another file":           {"[DEFAULT]\n" + whole + "key_file=" + write(t, filepath.Join(folder, "text"), "hello"), "DEFAULT", UserPrincipal, []string{"is no RSA key in PEM form"}, OptionConfigFile},
		"a session without file": {"[DEFAULT]\n" + whole + "key_file=" + keyFile(t, ""), "DEFAULT", SecurityToken, []string{`no "security_token_file"`}, OptionConfigFile},
		"a session without token": {
			"[DEFAULT]\nkey_file=" + keyFile(t, "") + "\nsecurity_token_file=/none", "DEFAULT", SecurityToken,
			[]string{"security_token_file /none cannot be read"}, OptionConfigFile,
		},
		"an empty token": {
			"[DEFAULT]\nkey_file=" + keyFile(t, "") + "\nsecurity_token_file=" + write(t, filepath.Join(folder, "empty"), "\n"), "DEFAULT", SecurityToken,
			[]string{"holds no token"}, OptionConfigFile,
		},
		"no delegation token": {"", "", InstanceOBOUser, []string{"is missing"}, OptionSecurityToken},
		"an unknown mode":     {"", "", "magic", []string{`"magic" is no way`}, OptionAuth},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			if tc.text != "" {
				write(t, path, tc.text)
			}
			signer, _, problems := Open(Settings{Mode: tc.mode, ConfigFile: path, Profile: tc.profile})
			if signer != nil || len(problems) != len(tc.want) {
				t.Fatalf("signer %v, problems %+v, want %q", signer, problems, tc.want)
			}
			for i, p := range problems {
				if p.Option != tc.option || !strings.Contains(p.Message, tc.want[i]) || p.Hint == "" {
					t.Errorf("%+v, want one of %q with %q", p, tc.option, tc.want[i])
				}
				if strings.ContainsAny(p.Message+p.Hint, "\r\n") || strings.Contains(p.Message+p.Hint, "PLANTED") {
					t.Errorf("%+v has several lines or a secret", p)
				}
			}
		})
	}
}

// verify signs a call and has its signature held against the keys, as a server
// would see it.
func verify(t *testing.T, s *Signer, keys *emulator.Keyring, call *httpclient.Call) string {
	t.Helper()
	if err := s.Sign(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	got := httptest.NewRequest(call.Method, call.URL, bytes.NewReader(call.Body))
	got.RequestURI = got.URL.RequestURI()
	got.Header = call.Header
	id, err := keys.Verify(got, call.Body)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func post() *httpclient.Call {
	return &httpclient.Call{
		Method: http.MethodPost, URL: "http://127.0.0.1:7/a/b?c=d%20e", Body: []byte(`{"a":1}`), Header: http.Header{"Content-Type": {"application/json"}},
	}
}

func TestSignature(t *testing.T) {
	keys := emulator.NewKeyring()
	keys.Add("t/u/f", &newKey().PublicKey)
	path := write(t, filepath.Join(t.TempDir(), "config"), "[DEFAULT]\nuser=u\ntenancy=t\nfingerprint=f\nregion=us-chicago-1\npass_phrase=x\nkey_file="+keyFile(t, "x"))
	s, region, problems := Open(Settings{Mode: UserPrincipal, ConfigFile: path})
	if len(problems) > 0 || region != "us-chicago-1" {
		t.Fatal(region, problems)
	}
	defer s.Close()
	call := post()
	before := call.Header
	verify(t, s, keys, call)
	if len(before) != 1 {
		t.Errorf("the caller's header was written to: %v", before)
	}
	if call.Header.Get("Content-Length") != "" {
		t.Error("the length is the transport's to send")
	}
	verify(t, s, keys, &httpclient.Call{Method: http.MethodGet, URL: "https://h.example/x", Header: http.Header{}})
	for name, spoil := range map[string]func(c *httpclient.Call){
		"the body": func(c *httpclient.Call) { c.Body = []byte(`{"a":2}`) },
		"the path": func(c *httpclient.Call) { c.URL = strings.Replace(c.URL, "/a/", "/z/", 1) },
		"the date": func(c *httpclient.Call) {
			c.Header.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		},
		"the type":    func(c *httpclient.Call) { c.Header.Set("Content-Type", "text/plain") },
		"the whole":   func(c *httpclient.Call) { c.Header.Del("Authorization") },
		"the address": func(c *httpclient.Call) { c.URL = strings.Replace(c.URL, ":7", ":8", 1) },
	} {
		call := post()
		if err := s.Sign(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		spoil(call)
		got := httptest.NewRequest(call.Method, call.URL, bytes.NewReader(call.Body))
		got.RequestURI, got.Header = got.URL.RequestURI(), call.Header
		if _, err := keys.Verify(got, call.Body); err == nil {
			t.Errorf("%s was changed, and the signature still holds", name)
		}
	}
}

// Where requests go out with another Host header, that one is signed.
func TestSignatureOfAnotherHost(t *testing.T) {
	keys := emulator.NewKeyring()
	keys.Add("id", &newKey().PublicKey)
	s := newSigner(fixed{&identity{keyID: "id", key: newKey()}}, nil)
	s.SetHost("other.example")
	call := post()
	if err := s.Sign(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	got := httptest.NewRequest(call.Method, call.URL, bytes.NewReader(call.Body))
	got.RequestURI, got.Header = got.URL.RequestURI(), call.Header
	if _, err := keys.Verify(got, call.Body); err == nil {
		t.Error("the signature is for the URL's host")
	}
	got.Host = "other.example"
	if _, err := keys.Verify(got, call.Body); err != nil {
		t.Error(err)
	}
}

// A session's files are read again when they change, and a half-written one
// does no harm.
func TestSessionIsReadAgain(t *testing.T) {
	keys := emulator.NewKeyring()
	folder := t.TempDir()
	token := func(life time.Duration) string {
		text := emulator.Token(time.Now().Add(life), "u")
		keys.Add("ST$"+text, &newKey().PublicKey)
		return text
	}
	first := token(time.Hour)
	file := write(t, filepath.Join(folder, "token"), first)
	path := write(t, filepath.Join(folder, "config"), "[S]\nkey_file="+keyFile(t, "")+"\nsecurity_token_file="+file)
	s, _, problems := Open(Settings{Mode: SecurityToken, ConfigFile: path, Profile: "S"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	defer s.Close()
	expect := func(want string) {
		t.Helper()
		if got := verify(t, s, keys, post()); got != "ST$"+want {
			t.Errorf("signed by %q, want %q", got, "ST$"+want)
		}
	}
	look := func() { s.from.(*session).next.Store(0) } // as if a second had gone by
	touch := func(text string, age time.Duration) {
		t.Helper()
		write(t, file, text)
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(age)); err != nil {
			t.Fatal(err)
		}
		look()
	}
	expect(first)
	touch("", time.Second)
	expect(first)
	second := token(-time.Minute)
	touch(second, 2*time.Second)
	expect(second) // whether it is over is the server's to say
	failure := s.Check(t.Context())
	if failure == nil || failure.Class != fault.Auth || !strings.Contains(failure.Message, "expired at") || !strings.Contains(failure.Hint, "oci session refresh --profile S") {
		t.Errorf("an expired token is not noticed: %v", failure)
	}
	third := token(time.Hour)
	touch(third, 3*time.Second)
	expect(third)
	if failure := s.Check(t.Context()); failure != nil {
		t.Error(failure)
	}
	if got := s.Redact("a " + first + " b " + third); strings.Contains(got, first) || strings.Contains(got, third) {
		t.Errorf("%q", got)
	}
}

// onInstance starts the services of an instance and points the SDK at them.
func onInstance(t *testing.T, keys *emulator.Keyring) *emulator.Instance {
	t.Helper()
	instance, err := emulator.NewInstance(keys)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(instance)
	t.Cleanup(func() {
		server.Close()
		if failures := instance.Failures(); len(failures) > 0 {
			t.Errorf("the instance's services refused: %q", failures)
		}
	})
	t.Setenv(EnvMetadata, server.URL+"/opc/v2")
	t.Setenv(EnvFederation, server.URL)
	return instance
}

func openOn(t *testing.T, s Settings) *Signer {
	t.Helper()
	signer, _, problems := Open(s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	t.Cleanup(signer.Close)
	return signer
}

func TestInstancePrincipal(t *testing.T) {
	keys := emulator.NewKeyring()
	instance := onInstance(t, keys)
	instance.Life = renewBefore + 3*time.Second
	s := openOn(t, Settings{Mode: InstancePrincipal, Proxy: "none"})
	if n := len(instance.Issued()); n > 0 {
		t.Fatalf("Open asked for %d tokens", n)
	}
	call := post()
	first := verify(t, s, keys, call)
	if issued := instance.Issued(); len(issued) != 1 || issued[0] != first {
		t.Errorf("signed by %q, issued %q", first, issued)
	}
	if call.Queued <= 0 {
		t.Error("the first request waited for a token, and does not say so")
	}
	call = post()
	if verify(t, s, keys, call); call.Queued != 0 {
		t.Errorf("a request with a good token waited %v", call.Queued)
	}
	// The next token is fetched beside the requests, before the first one ends.
	source := s.from.(*instanceSource)
	source.mu.Lock()
	source.renewed = time.Now().Add(-renewPause)
	source.mu.Unlock()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		call := post()
		now := verify(t, s, keys, call)
		if call.Queued != 0 {
			t.Errorf("a renewal held a request up for %v", call.Queued)
		}
		if now != first {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the token was not renewed")
		}
	}
}

// A token that is over is waited for, by all requests together, and the wait is
// told. Nothing is locked meanwhile: a request that ends gets away.
func TestWaitForAToken(t *testing.T) {
	keys := emulator.NewKeyring()
	instance := onInstance(t, keys)
	gate := make(chan struct{})
	instance.Hold(gate)
	s := openOn(t, Settings{Mode: InstancePrincipal, Proxy: "none"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	call := post()
	err := s.Sign(ctx, call)
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Cancelled || call.Queued < 50*time.Millisecond {
		t.Errorf("%v after %v, want a cancellation after 50 ms", err, call.Queued)
	}
	const callers = 8
	calls := make([]*httpclient.Call, callers)
	var wait sync.WaitGroup
	began := time.Now()
	for i := range calls {
		calls[i] = post()
		wait.Go(func() {
			if err := s.Sign(t.Context(), calls[i]); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	held := time.Since(began)
	close(gate)
	wait.Wait()
	for _, call := range calls {
		if call.Queued < held/2 {
			t.Errorf("a request says that it waited %v, it was about %v", call.Queued, held)
		}
	}
	if n := len(instance.Issued()); n != 1 {
		t.Errorf("%d tokens were asked for, want one", n)
	}
}

func TestOnBehalfOfAUser(t *testing.T) {
	const delegation = "PLANTED.delegation.token"
	keys := emulator.NewKeyring()
	keys.Delegate(delegation)
	onInstance(t, keys)
	s := openOn(t, Settings{Mode: InstanceOBOUser, SecurityToken: secret.New(delegation + "\n"), Region: "us-chicago-1", Proxy: "none"})
	call := post()
	verify(t, s, keys, call)
	if call.Header.Get("Opc-Obo-Token") != delegation || !strings.Contains(call.Header.Get("Authorization"), "opc-obo-token") {
		t.Errorf("the delegation token is not sent or not signed: %v", call.Header)
	}
	if got := s.Redact("said " + delegation); strings.Contains(got, "PLANTED") {
		t.Error(got)
	}
}

func TestInstanceThatIsNone(t *testing.T) {
	region := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "us-chicago-1") }
	token := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"token":"PLANTED-token"}`)
	}
	for name, tc := range map[string]struct {
		metadata   http.HandlerFunc // nil: the emulated one
		federation http.HandlerFunc // nil: none is asked
		gone       bool             // the metadata service is not there any more
		want       string
	}{
		"nobody answers":     {metadata: region, gone: true, want: "metadata service at http://127.0.0.1"},
		"another service":    {metadata: http.NotFound, want: "answers HTTP 404"},
		"an odd certificate": {metadata: region, want: "failed to"},
		"an odd token":       {federation: token, want: "the token cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			onInstance(t, emulator.NewKeyring())
			if tc.metadata != nil {
				server := httptest.NewServer(tc.metadata)
				t.Cleanup(server.Close)
				t.Setenv(EnvMetadata, server.URL+"/opc/v2")
				if tc.gone {
					server.Close()
				}
			}
			if tc.federation != nil {
				server := httptest.NewServer(tc.federation)
				t.Cleanup(server.Close)
				t.Setenv(EnvFederation, server.URL)
			}
			s := openOn(t, Settings{Mode: InstancePrincipal, Proxy: "none"})
			failure := s.Check(t.Context())
			if failure == nil || failure.Class != fault.Auth || !strings.Contains(failure.Message, tc.want) || failure.Hint == "" {
				t.Fatalf("%v, want %q", failure, tc.want)
			}
			if strings.Contains(failure.Error(), "PLANTED") || strings.Contains(failure.Message, "\n") {
				t.Errorf("a secret or several lines: %v", failure)
			}
		})
	}
}

func TestFederationRefuses(t *testing.T) {
	instance := onInstance(t, emulator.NewKeyring())
	instance.Refuse("the dynamic group does not know you")
	s := openOn(t, Settings{Mode: InstancePrincipal, Proxy: "none"})
	failure := s.Check(t.Context())
	if failure == nil || !strings.Contains(failure.Message, "401") || !strings.Contains(failure.Message, "the dynamic group does not know you") || !strings.Contains(failure.Message, "emulated-federation") {
		t.Fatalf("%v lacks the service's status, message or request id", failure)
	}
	instance.Refuse("")
	time.Sleep(retryPause)
	if failure := s.Check(t.Context()); failure != nil {
		t.Errorf("it does not recover: %v", failure)
	}
}

func FuzzParseSections(f *testing.F) {
	f.Add([]byte("[DEFAULT]\nuser=u\n#x\n[A]\nk: v\n"))
	f.Add([]byte("[\n=\n:\n]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sections, err := parseSections(text)
		if err != nil {
			return
		}
		for _, values := range sections {
			for key, value := range values {
				if key != strings.TrimSpace(key) || value != strings.TrimSpace(value) {
					t.Errorf("%q = %q", key, value)
				}
			}
		}
	})
}

func FuzzExpiry(f *testing.F) {
	f.Add(emulator.Token(time.Unix(2e9, 0), "x"))
	f.Add("a.eyJleHAiOjFlOTl9.c")
	f.Fuzz(func(t *testing.T, token string) {
		if at := expiryOf(token); !at.IsZero() && at.Unix() <= 0 {
			t.Errorf("%v", at)
		}
	})
}
