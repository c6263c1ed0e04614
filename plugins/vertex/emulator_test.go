package main

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// Planted values.
const (
	plantedToken = "ya29.PLANTED-ACCESS-TOKEN-7f31"
	account      = "bench@wire-proj.iam.gserviceaccount.com"
	project      = "wire-proj"
)

// emulator answers as Vertex AI does and verifies what it gets: the API key, or
// an access token that it gave out itself for an assertion which it verified;
// project, location and publisher in the path; that bodies have only fields of
// the documented API. Shapes follow the documents that the shapes of the plugin
// name; the words of messages are from memory.
type emulator struct {
	public *rsa.PublicKey // of the service account
	lives  int            // seconds that a token is good for; 0: an hour
	claude bool           // what is lacking is what Anthropic's messages lack
	maas   bool           // what is lacking is what OpenAI's completions lack

	mu     sync.Mutex
	tokens []string // given out
}

func (e *emulator) Match(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/v1/projects/") || strings.HasPrefix(r.URL.Path, "/v1/publishers/") || r.URL.Path == "/token"
}

func (e *emulator) Lacks() []simulator.Lack {
	none := simulator.Lack{What: "usage=null", Why: "Google's JSON leaves out what is null"}
	switch {
	case e.maas:
		return nil
	case e.claude:
		return []simulator.Lack{
			none,
			{What: "usage=finish", Why: "usage comes with message_start and message_delta"},
			{What: "usage=last", Why: "usage comes with message_start and message_delta"},
			{What: "usage=cumulative", Why: "usage comes with message_start and message_delta"},
			{What: "usage.reasoning", Why: "thinking is not counted apart"},
			{What: "first=none", Why: "every stream begins with message_start"},
			{What: "first=early-role", Why: "every stream begins with message_start"},
			{What: "first=no-choices", Why: "every stream begins with message_start"},
			{What: "output=refusal", Why: "a refusal is a stop reason"},
			{What: "output=tool", Only: "whole", Why: "a call has its arguments as an object there, not as the model's own text"},
			{What: "n", Why: "there is one choice"},
			{What: "stream-error", Only: "whole", Why: "an answer with status 200 holds no error"},
		}
	}
	return []simulator.Lack{
		none,
		{What: "usage=finish", Why: "usage comes with the end of the last candidate"},
		{What: "usage=last", Why: "usage comes with the end of the last candidate"},
		{What: "first=none", Why: "no stream has an event of its own for the role"},
		{What: "first=early-role", Why: "no stream has an event of its own for the role"},
		{What: "first=no-choices", Why: "no stream has an event of its own before the first candidate"},
		{What: "output=refusal", Why: "a refusal is a finish reason"},
		{What: "output=none", Why: "an answer without parts ends in one event of its own, which the renderer has no tokens for"},
		{What: "output=tool", Only: "whole", Why: "a call has its arguments as an object there, not as the model's own text"},
		{What: "cut=done", Why: "there is no mark of the end"},
		{What: "stream-error", Only: "whole", Why: "an answer with status 200 holds no error"},
	}
}

// canonical are the codes of Google's errors by status.
var canonical = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED", 413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT",
	429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

// codeOf is the code of a failure, which is a status or one of OpenAI's words.
func codeOf(f simulator.Failure) (status int, code string) {
	status = f.Status
	switch f.Code {
	case "rate_limit_exceeded":
		return max(status, 429), "RESOURCE_EXHAUSTED"
	case "model_not_found":
		return max(status, 404), "NOT_FOUND"
	}
	if _, err := fmt.Sscan(f.Code, &status); err == nil && status < 400 {
		status = f.Status
	}
	if code = canonical[status]; code == "" {
		code = "UNKNOWN"
	}
	return status, code
}

func errorText(f simulator.Failure) (text []byte, code string) {
	status, code := codeOf(f)
	text, err := json.Marshal(map[string]any{"error": map[string]any{"code": status, "message": f.Message, "status": code}})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return text, code
}

func (e *emulator) Error(f simulator.Failure) simulator.Reply {
	text, code := errorText(f)
	return simulator.Reply{Status: f.Status, Body: text, Code: code}
}

func refuse(status int, format string, args ...any) simulator.Call {
	text, code := errorText(simulator.Failure{Status: status, Message: fmt.Sprintf(format, args...)})
	return simulator.Call{Reply: &simulator.Reply{Status: status, Body: text, Code: code}}
}

func (e *emulator) Read(r *simulator.Request) simulator.Call {
	if r.HTTP.URL.Path == "/token" {
		return e.token(r)
	}
	credential, refusal := e.authenticate(r)
	if refusal != nil {
		return *refusal
	}
	call := e.route(r)
	call.Credential = credential
	return call
}

// token exchanges an assertion for an access token, by
// https://developers.google.com/identity/protocols/oauth2/service-account.
func (e *emulator) token(r *simulator.Request) simulator.Call {
	form, err := url.ParseQuery(string(r.Body))
	if err != nil || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return simulator.Call{Reply: &simulator.Reply{Status: 400, Body: []byte(`{"error": "unsupported_grant_type", "error_description": "Invalid grant_type"}`)}}
	}
	if err := e.verify(form.Get("assertion"), r.HTTP.Host+"/token"); err != nil {
		return simulator.Call{Reply: &simulator.Reply{Status: 400, Body: fmt.Appendf(nil, `{"error": "invalid_grant", "error_description": %q}`, "Invalid JWT: "+err.Error())}}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	token := fmt.Sprintf("%s-%d", plantedToken, len(e.tokens))
	e.tokens = append(e.tokens, token)
	return simulator.Call{Reply: &simulator.Reply{Body: fmt.Appendf(nil, `{"access_token": %q, "expires_in": %d, "token_type": "Bearer"}`, token, cmp.Or(e.lives, 3599))}}
}

// verify checks an assertion: RS256 with the account's key, and its claims.
// audience is an address without its scheme.
func (e *emulator) verify(assertion, audience string) error {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return fmt.Errorf("%d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(e.public, crypto.SHA256, sum[:], signature); err != nil {
		return fmt.Errorf("Signature: %w", err)
	}
	var claims struct {
		Issuer  string `json:"iss"`
		Scope   string `json:"scope"`
		Aud     string `json:"aud"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	now := time.Now().Unix()
	switch {
	case err != nil:
		return err
	case claims.Issuer != account || claims.Scope != scope || strings.TrimPrefix(strings.TrimPrefix(claims.Aud, "https://"), "http://") != audience:
		return fmt.Errorf("claims %+v, want audience %s", claims, audience)
	case claims.Issued > now+60 || claims.Expires < now || claims.Expires > claims.Issued+3600:
		return fmt.Errorf("Token must be a short-lived token (60 minutes) and in a reasonable timeframe: %+v at %d", claims, now)
	}
	return nil
}

func (e *emulator) authenticate(r *simulator.Request) (credential string, refusal *simulator.Call) {
	key := r.HTTP.Header.Get("X-Goog-Api-Key")
	bearer := strings.TrimPrefix(r.HTTP.Header.Get("Authorization"), "Bearer ")
	no := func(c simulator.Call) (string, *simulator.Call) { return "", &c }
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case key != "" && bearer != "":
		return no(refuse(400, "both a key and a token"))
	case bearer != "" && slices.Contains(e.tokens, bearer):
		return bearer, nil
	case key != "" && key == r.Config.APIKey.Reveal():
		return key, nil
	case key != "":
		return no(refuse(400, "API key not valid. Please pass a valid API key."))
	}
	return no(refuse(401, "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."))
}

// route finds the method and the model of a path.
func (e *emulator) route(r *simulator.Request) simulator.Call {
	path := strings.TrimPrefix(r.HTTP.URL.Path, "/v1/projects/"+project+"/locations/"+defaultLocation)
	if strings.HasPrefix(path, "/v1/projects/") {
		return refuse(403, "Permission 'aiplatform.endpoints.predict' denied on resource '%s' (or it may not exist).", path)
	}
	path = strings.TrimPrefix(path, "/v1")
	if path == "/endpoints/openapi/chat/completions" {
		return simulator.Call{OpenAI: "/v1/chat/completions"}
	}
	publisher, rest, _ := strings.Cut(strings.TrimPrefix(path, "/publishers/"), "/models/")
	at := strings.LastIndex(rest, ":")
	if at < 0 {
		return refuse(404, "Not Found")
	}
	model, method := rest[:at], rest[at+1:]
	// The model is looked for before the body is.
	if !slices.Contains(r.Config.Models, model) {
		return refuse(404, "Publisher Model `projects/%s/locations/%s/publishers/%s/models/%s` was not found or your project does not have access to it.", project, defaultLocation, publisher, model)
	}
	var call simulator.Call
	switch publisher + ":" + method {
	case "google:generateContent", "google:streamGenerateContent":
		call = readGemini(r, method == "streamGenerateContent")
	case "anthropic:rawPredict", "anthropic:streamRawPredict":
		call = readAnthropic(r, method == "streamRawPredict")
	case "google:predict":
		call = readPredict(r)
	default:
		return refuse(404, "no method %s of %s", method, publisher)
	}
	call.Model = model
	return call
}

// strict decodes a body that may have only the fields of into.
func strict(data []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

type geminiBody struct {
	Contents []struct {
		Role  string
		Parts []struct {
			Text       string
			InlineData *struct{ MimeType, Data string }
			FileData   *struct{ MimeType, FileURI string }
		}
	}
	SystemInstruction *struct{ Parts []struct{ Text string } }
	GenerationConfig  struct {
		MaxOutputTokens, CandidateCount   int
		Temperature, TopP, TopK           *float64
		Seed                              *int64
		StopSequences                     []string
		PresencePenalty, FrequencyPenalty *float64
		ThinkingConfig                    any
	}
	SafetySettings, Tools, ToolConfig, Labels any
	CachedContent                             string
}

func readGemini(r *simulator.Request, stream bool) simulator.Call {
	var body geminiBody
	if err := strict(r.Body, &body); err != nil {
		return refuse(400, "Invalid JSON payload received. Unknown name: %v", err)
	}
	if stream && r.HTTP.URL.RawQuery != "alt=sse" {
		return refuse(400, "this emulator streams with alt=sse only")
	}
	if len(body.Contents) == 0 {
		return refuse(400, "Unable to submit request because at least one contents field is required.")
	}
	g := &simulator.Generate{
		MaxTokens: body.GenerationConfig.MaxOutputTokens, N: body.GenerationConfig.CandidateCount, Seed: body.GenerationConfig.Seed,
		Stream: stream, Usage: true, Renderer: func() simulator.Renderer { return &geminiRenderer{} },
	}
	for _, c := range body.Contents {
		if c.Role != "user" && c.Role != "model" {
			return refuse(400, "Please use a valid role: user, model.")
		}
		p := simulator.Prompt{}
		for _, part := range c.Parts {
			p.Text += part.Text
			if part.InlineData != nil || part.FileData != nil {
				p.Images++
			}
		}
		g.Prompts = append(g.Prompts, p)
	}
	return simulator.Call{Generate: g}
}

type anthropicBody struct {
	Version  string `json:"anthropic_version"`
	Messages []struct {
		Role    string
		Content json.RawMessage
	}
	MaxTokens     int      `json:"max_tokens"`
	System        string   `json:"system"`
	StopSequences []string `json:"stop_sequences"`
	Stream        bool
	Temperature   *float64
	TopP          *float64 `json:"top_p"`
	TopK          *int     `json:"top_k"`
	Thinking      any
	Metadata      any
}

func readAnthropic(r *simulator.Request, stream bool) simulator.Call {
	var body anthropicBody
	if err := strict(r.Body, &body); err != nil {
		return refuse(400, "Extra inputs are not permitted: %v", err)
	}
	switch {
	case body.Version != anthropicVersion:
		return refuse(400, "anthropic_version: Field required")
	case body.MaxTokens == 0 || len(body.Messages) == 0:
		return refuse(400, "max_tokens: Field required")
	case body.Stream != stream:
		return refuse(400, "stream is %v", body.Stream)
	}
	g := &simulator.Generate{MaxTokens: body.MaxTokens, Stream: stream, Usage: true, Renderer: func() simulator.Renderer { return &anthropicRenderer{} }}
	for _, m := range body.Messages {
		p := simulator.Prompt{}
		var blocks []struct {
			Type, Text string
			Source     any
		}
		if json.Unmarshal(m.Content, &p.Text) != nil {
			if err := json.Unmarshal(m.Content, &blocks); err != nil {
				return refuse(400, "messages.0.content: Input should be a valid list")
			}
		}
		for _, b := range blocks {
			p.Text += b.Text
			if b.Type == "image" {
				p.Images++
			}
		}
		g.Prompts = append(g.Prompts, p)
	}
	return simulator.Call{Generate: g}
}

func readPredict(r *simulator.Request) simulator.Call {
	var body struct {
		Instances []struct {
			Content  string
			TaskType string `json:"task_type"`
		}
		Parameters struct {
			OutputDimensionality int
			AutoTruncate         *bool
			Temperature, TopP    *float64
			Seed                 *int64
		}
	}
	if err := strict(r.Body, &body); err != nil {
		return refuse(400, "Invalid JSON payload received: %v", err)
	}
	if len(body.Instances) == 0 {
		return refuse(400, "Empty instances.")
	}
	embed := &simulator.Embed{Dimensions: body.Parameters.OutputDimensionality}
	var counts []int
	for _, i := range body.Instances {
		embed.Prompts = append(embed.Prompts, simulator.Prompt{Text: i.Content})
		counts = append(counts, r.Config.CountTokens(i.Content))
	}
	embed.Render = func(v simulator.Vectors) simulator.Reply {
		var list []any
		for i, vector := range v.Vectors {
			list = append(list, map[string]any{"embeddings": map[string]any{"values": vector, "statistics": map[string]any{"token_count": counts[i], "truncated": false}}})
		}
		text, err := json.Marshal(map[string]any{"predictions": list})
		if err != nil {
			panic(err) // numbers always marshal
		}
		return simulator.Reply{Body: text, Usage: true}
	}
	return simulator.Call{Embed: embed}
}

// serviceAccount is a key that nobody else has, as the console hands it out.
type serviceAccount struct {
	key  *rsa.PrivateKey
	text string // of the private key, which must not be seen anywhere
}

func newServiceAccount(t testing.TB) *serviceAccount {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &serviceAccount{key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

// file writes the key file, whose tokens come from a server.
func (s *serviceAccount) file(t testing.TB, server string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": "1", "private_key": s.text, "client_email": account,
		"client_id": "1", "token_uri": server + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
