package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// gate is the runtime's front door with keys that change: each caller's, by the
// id of its key.
type gate struct {
	emulator
	mu   sync.Mutex
	keys map[string]verifier
	used []string // ids of the keys that opened it, in order, without repetitions
}

func (g *gate) admit(v verifier) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.keys == nil {
		g.keys = map[string]verifier{}
	}
	v.service = "bedrock"
	g.keys[v.keyID] = v
}

// Read implements simulator.Protocol.
func (g *gate) Read(r *simulator.Request) simulator.Call {
	e := g.emulator
	if _, credential, ok := strings.Cut(r.HTTP.Header.Get("Authorization"), "Credential="); ok {
		id, _, _ := strings.Cut(credential, "/")
		g.mu.Lock()
		known, ok := g.keys[id]
		if n := len(g.used); n == 0 || g.used[n-1] != id {
			g.used = append(g.used, id)
		}
		g.mu.Unlock()
		if !ok {
			return refuse(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
		}
		e.keys = &known
	}
	return e.Read(r)
}

func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used = nil
}

func (g *gate) openedBy() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.used, " ")
}

// temporary makes the credentials of a role, as the container's endpoint and STS
// hand them out, and makes them known.
func (g *gate) temporary(n int) verifier {
	v := verifier{keyID: fmt.Sprintf("ASIATEMPORARY%d", n), secret: fmt.Sprintf("planted-temporary-secret-%d", n), token: fmt.Sprintf("planted-temporary-token-%d", n), region: "eu-west-1"}
	g.admit(v)
	return v
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// container is the endpoint from which tasks in a container have credentials
// ("Container credential provider" in the AWS SDKs and Tools reference guide).
func container(t *testing.T, g *gate, life time.Duration) (address string, handed func() int) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "planted-container-token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mu.Lock()
		n++
		v := g.temporary(n)
		mu.Unlock()
		text, err := json.Marshal(map[string]string{
			"AccessKeyId": v.keyID, "SecretAccessKey": v.secret, "Token": v.token, "Expiration": time.Now().Add(life).UTC().Format(time.RFC3339),
		})
		if err != nil {
			t.Error(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// tokenService is AWS STS as far as AssumeRoleWithWebIdentity (API reference of
// AWS STS).
func tokenService(t *testing.T, g *gate, identity string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if r.Form.Get("Action") != "AssumeRoleWithWebIdentity" || r.Form.Get("WebIdentityToken") != identity || r.Form.Get("RoleArn") == "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>The web identity token is not known</Message></Error><RequestId>sts-request</RequestId></ErrorResponse>`)
			return
		}
		v := g.temporary(7)
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
			<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, v.keyID, v.secret, v.token, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// sharedFiles are AWS's configuration and credentials files.
func sharedFiles(t *testing.T) []string {
	t.Helper()
	config := writeFile(t, "config", "[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-1\n"+
		"[profile process]\nregion = eu-west-1\ncredential_process = "+writeScript(t)+"\n")
	credentials := writeFile(t, "credentials", "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = planted-default-secret\n"+
		"[work]\naws_access_key_id = ASIAWORK\naws_secret_access_key = planted-work-secret\naws_session_token = planted-work-token\n")
	return []string{"AWS_CONFIG_FILE", config, "AWS_SHARED_CREDENTIALS_FILE", credentials}
}

func writeScript(t *testing.T) string {
	t.Helper()
	answer := writeFile(t, "answer", `{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"planted-process-secret"}`)
	return "cat " + answer
}

// way is one way to authenticate.
type way struct {
	environment []string
	edit        func(*backend.Config)
	id          string // of the key that signs; "" an API key
	mode        string // in the results
}

// TestEveryWayToAuthenticate: keys, temporary keys, profiles, API keys and all
// links of AWS's default chain that need no cloud, with Converse and with
// InvokeModel, against a server that recomputes the signature.
func TestEveryWayToAuthenticate(t *testing.T) {
	option := func(pairs ...string) func(*backend.Config) {
		return func(c *backend.Config) {
			for i := 0; i < len(pairs); i += 2 {
				switch pairs[i] {
				case optionAPIKey:
					c.APIKey = secret.New(pairs[i+1])
				case optionProfile, optionRegion:
					c.Options[pairs[i]] = pairs[i+1]
				default:
					c.Options[pairs[i]] = secret.New(pairs[i+1])
				}
			}
		}
	}
	g := new(gate)
	g.admit(verifier{keyID: testKeyID, secret: testSecret, region: "eu-west-1"})
	g.admit(verifier{keyID: "ASIAGIVEN", secret: testSecret, token: testToken, region: "eu-west-1"})
	g.admit(verifier{keyID: "AKIADEFAULT", secret: "planted-default-secret", region: "eu-west-1"})
	g.admit(verifier{keyID: "ASIAWORK", secret: "planted-work-secret", token: "planted-work-token", region: "eu-west-1"})
	g.admit(verifier{keyID: "AKIAPROCESS", secret: "planted-process-secret", region: "eu-west-1"})
	address, _ := container(t, g, time.Hour)
	identity := writeFile(t, "identity", "planted-web-identity")
	files := sharedFiles(t)
	keysOf := option(optionAccessKey, testKeyID, optionSecretKey, testSecret)
	for name, tc := range map[string]way{
		"keys":                                {nil, option(optionAccessKey, testKeyID, optionSecretKey, testSecret+"\n"), testKeyID, "aws_keys"},
		"temporary keys":                      {nil, option(optionAccessKey, "ASIAGIVEN", optionSecretKey, testSecret, optionToken, testToken), "ASIAGIVEN", "aws_keys"},
		"keys beat a profile":                 {append(files, "AWS_PROFILE", "work"), keysOf, testKeyID, "aws_keys"},
		"a profile":                           {files, option(optionProfile, "work", optionRegion, ""), "ASIAWORK", "aws_profile"},
		"a profile beats the environment":     {append(files, "AWS_ACCESS_KEY_ID", testKeyID, "AWS_SECRET_ACCESS_KEY", "wrong"), option(optionProfile, "work"), "ASIAWORK", "aws_profile"},
		"a profile with a credential_process": {files, option(optionProfile, "process"), "AKIAPROCESS", "aws_profile"},
		"an API key":                          {files, option(optionAPIKey, testBearer), "", "aws_bearer"},
		"the chain: environment":              {[]string{"AWS_ACCESS_KEY_ID", testKeyID, "AWS_SECRET_ACCESS_KEY", testSecret}, option(), testKeyID, "aws_default"},
		"the chain: temporary environment":    {[]string{"AWS_ACCESS_KEY_ID", "ASIAGIVEN", "AWS_SECRET_ACCESS_KEY", testSecret, "AWS_SESSION_TOKEN", testToken}, option(), "ASIAGIVEN", "aws_default"},
		"the chain: AWS_PROFILE":              {append(files, "AWS_PROFILE", "work"), option(), "ASIAWORK", "aws_default"},
		"the chain: profile default":          {files, option(), "AKIADEFAULT", "aws_default"},
		"the chain: a container": {[]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", address, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "planted-container-token"},
			option(), "ASIATEMPORARY", "aws_default"},
		"the chain: a web identity": {[]string{"AWS_WEB_IDENTITY_TOKEN_FILE", identity, "AWS_ROLE_ARN", "arn:aws:iam::1:role/r", "AWS_ENDPOINT_URL_STS", tokenService(t, g, "planted-web-identity")},
			option(), "ASIATEMPORARY7", "aws_default"},
	} {
		for _, api := range []string{apiConverse, apiInvoke} {
			t.Run(name+", "+api, func(t *testing.T) { g.opens(t, tc, api) })
		}
	}
}

// opens authenticates one way and asks one of the APIs.
func (g *gate) opens(t *testing.T, w way, api string) {
	t.Helper()
	awsEnvironment(t, w.environment...)
	g.forget()
	service := emulate(t, g, secret.New(testBearer))
	b := backends()[0]
	c := config(service.URL(), nil)
	delete(c.Options, optionAccessKey)
	delete(c.Options, optionSecretKey)
	c.Options[optionRegion], c.Options[optionAPI] = "eu-west-1", api
	// As core does it: what stands in the environment comes as a value.
	for option, name := range map[string]string{optionAccessKey: envAccessKey, optionSecretKey: envSecretKey, optionToken: envToken} {
		if v := os.Getenv(name); v != "" {
			c.Options[option] = secret.New(v)
		}
	}
	if v := os.Getenv(envProfile); v != "" {
		c.Options[optionProfile] = v
	}
	w.edit(&c)
	opened, err := b.Open(t.Context(), c)
	if err != nil || opened.Failed() {
		t.Fatalf("%v %+v", err, opened.Problems)
	}
	defer b.Close(t.Context())
	if failure := preflight(t, b); failure != nil {
		t.Fatal(failure)
	}
	if out := do(b, chatRequest(true)); out.Status != backend.StatusOK || count(out.Usage.Output) != 8 {
		t.Errorf("%v %v %+v", out.Status, out.Error, out.Usage)
	}
	if got := g.openedBy(); strings.TrimRight(got, "123456789") != strings.TrimRight(w.id, "123456789") {
		t.Errorf("signed with %q, want %q", got, w.id)
	}
	var effective map[string]string
	decodeJSON(t, opened.EffectiveConfig, &effective)
	if effective["auth_type"] != w.mode || effective["region"] != "eu-west-1" {
		t.Errorf("in the results: %v, want %s and eu-west-1", effective, w.mode)
	}
	if text := string(opened.EffectiveConfig); strings.Contains(text, "planted") || strings.Contains(text, "AKIA") || strings.Contains(text, "ASIA") {
		t.Errorf("a secret in the results: %s", text)
	}
}

// TestRenewedWhileARunGoesOn: credentials that are about to end are fetched anew
// beside the requests, none of which fails or waits but the first, which says so.
func TestRenewedWhileARunGoesOn(t *testing.T) {
	g := new(gate)
	// The SDK hands out what ends within five minutes as ended: two seconds are left.
	address, handed := container(t, g, 5*time.Minute+2*time.Second)
	awsEnvironment(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", address, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "planted-container-token")
	service := emulate(t, g, secret.Secret{})
	b := open(t, service.URL(), func(c *backend.Config) {
		delete(c.Options, optionAccessKey)
		delete(c.Options, optionSecretKey)
		c.Options[optionRegion] = "eu-west-1"
	})
	waited := 0
	for deadline := time.Now().Add(30 * time.Second); handed() < 2 || !strings.Contains(g.openedBy(), "ASIATEMPORARY2"); time.Sleep(20 * time.Millisecond) {
		out := do(b, chatRequest(true))
		if out.Status != backend.StatusOK {
			t.Fatalf("with %d credentials: %v", handed(), out.Error)
		}
		if out.Queued > 0 {
			waited++
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d credentials were handed out, signed with %q", handed(), g.openedBy())
		}
	}
	if waited != 1 {
		t.Errorf("%d requests waited for credentials, want the first alone", waited)
	}
}

// TestMissingCredentials: what each failing link of the chain says.
func TestMissingCredentials(t *testing.T) {
	g := new(gate)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	address, _ := container(t, g, time.Hour)
	for name, tc := range map[string]struct {
		environment []string
		want        failed
		id          string
	}{
		"nothing": {nil, failed{fault.Auth, 0, "", "no AWS credentials were found", "--aws-profile", false}, ""},
		"a web identity that is refused": {
			[]string{"AWS_WEB_IDENTITY_TOKEN_FILE", writeFile(t, "identity", "planted-other"), "AWS_ROLE_ARN", "arn:aws:iam::1:role/r", "AWS_ENDPOINT_URL_STS", tokenService(t, g, "planted-web-identity")},
			failed{fault.Auth, 0, "InvalidIdentityToken", "The web identity token is not known", "", false}, "sts-request",
		},
		"a web identity without its file": {
			[]string{"AWS_WEB_IDENTITY_TOKEN_FILE", "/none", "AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
			failed{fault.Auth, 0, "", "/none", "", false}, "",
		},
		"a container that refuses": {
			[]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", address, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "planted-wrong"},
			failed{fault.Auth, 0, "", "the AWS credentials cannot be had", "", false}, "",
		},
		"a profile whose process fails": {
			[]string{"AWS_CONFIG_FILE", writeFile(t, "config", "[default]\ncredential_process = false\n")},
			failed{fault.Auth, 0, "", "process", "credential_process", false}, "",
		},
		"a session of SSO that is over": {
			[]string{"AWS_CONFIG_FILE", writeFile(t, "config", "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://h\n")},
			failed{fault.Auth, 0, "", "SSO", "aws sso login", false}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t, tc.environment...)
			b := open(t, "http://127.0.0.1:1", func(c *backend.Config) {
				delete(c.Options, optionAccessKey)
				delete(c.Options, optionSecretKey)
			})
			failure := preflight(t, b)
			expectFailure(t, failure, tc.want)
			if failure.RequestID != tc.id || failure.Hint == "" {
				t.Errorf("request id %q and hint %q, want %q", failure.RequestID, failure.Hint, tc.id)
			}
			if strings.Contains(failure.Error(), "planted") {
				t.Errorf("a secret in %v", failure)
			}
		})
	}
}

// TestEchoedSecrets: a server that repeats all it was sent gives no secret away:
// not in errors, nor in headers that are kept, nor one that was renewed meanwhile.
func TestEchoedSecrets(t *testing.T) {
	g := new(gate)
	address, _ := container(t, g, time.Hour)
	echo := func(r received) []byte {
		all := r.Header.Get("Authorization") + " " + r.Header.Get("X-Amz-Security-Token") + " " + r.Header.Get("X-Own-Token")
		quoted, err := json.Marshal("you sent " + all + " " + url.QueryEscape(all))
		if err != nil {
			panic(err)
		}
		head := fmt.Sprintf("%sX-Amzn-Errortype: ExpiredTokenException\r\nX-Amzn-Requestid: %s\r\nServer: %s\r\n", jsonType, all, all)
		return response(403, head, `{"message":`+string(quoted)+`}`)
	}
	for name, tc := range map[string]struct {
		environment []string
		edit        func(*backend.Config)
	}{
		"temporary keys": {nil, func(c *backend.Config) { withKeys(c); c.Options[optionToken] = secret.New(testToken) }},
		"an API key":     {nil, func(c *backend.Config) { c.APIKey = secret.New(testBearer) }},
		"renewed ones": {[]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", address, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "planted-container-token"},
			func(*backend.Config) {}},
		"a header": {nil, func(c *backend.Config) {
			c.HTTP.Header = []backend.HeaderField{{Name: "Authorization", Value: "Bearer planted-gateway"}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t, tc.environment...)
			server := startServer(t, 0, echo)
			b := open(t, server.URL(), func(c *backend.Config) {
				delete(c.Options, optionAccessKey)
				delete(c.Options, optionSecretKey)
				tc.edit(c)
			})
			printed := fmt.Sprint(preflight(t, b))
			for range 3 {
				r := chatRequest(true)
				r.Header = []backend.HeaderField{{Name: "X-Own-Token", Value: "planted-own"}}
				out := do(b, r)
				if out.Error == nil || !strings.Contains(out.Error.Message, "you sent ") {
					t.Fatalf("%v", out.Error)
				}
				printed += fmt.Sprintf("%+v %+v %v", out, out.Error, out.ServerHeaders)
			}
			if at := strings.Index(printed, "planted"); at >= 0 {
				t.Errorf("a secret is told: …%.120s", printed[max(0, at-40):])
			}
		})
	}
}
