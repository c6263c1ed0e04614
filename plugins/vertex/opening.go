package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// opening checks a configuration and collects every problem.
type opening struct {
	config   backend.Config
	problems []option.Problem
}

func (o *opening) refuse(name, hint, format string, args ...any) {
	o.problems = append(o.problems, option.Problem{Option: name, Severity: option.Error, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (o *opening) warn(name, hint, format string, args ...any) {
	o.problems = append(o.problems, option.Problem{Option: name, Severity: option.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (o *opening) failed() bool {
	for _, p := range o.problems {
		if p.Severity == option.Error {
			return true
		}
	}
	return false
}

// target is where requests go.
type target struct {
	address           openaiwire.Address
	project, location string
	endpoint          string // in OpenAI's form
	google            bool   // the address is Google's own
}

// location names a region: "us-central1", "europe-west4", "global".
var locationForm = regexp.MustCompile(`^[a-z]+(-[a-z]+\d*)*$`)

func (o *opening) target(auth string) target {
	t := target{
		project: o.config.Options.String(optionProject), location: o.config.Options.String(optionLocation), endpoint: o.config.Options.String(optionEndpoint),
	}
	if t.endpoint == "" {
		t.endpoint = "openapi"
	}
	if t.location == "" {
		t.location = defaultLocation
	}
	if !locationForm.MatchString(t.location) {
		o.refuse(optionLocation, "for example us-central1, europe-west4 or global", "%q is no region", t.location)
		return t
	}
	base := o.config.APIBase
	if base == "" {
		base = "https://" + t.location + "-aiplatform.googleapis.com"
		switch {
		case t.location == "global" || t.project == "": // express mode has no regions
			base = "https://aiplatform.googleapis.com"
		case t.location == "us" || t.location == "eu":
			base = "https://aiplatform." + t.location + ".rep.googleapis.com"
		}
	}
	address, err := openaiwire.ParseAddress(base)
	if err != nil {
		o.refuse(optionAPIBase, "leave it out for Google's own, or give that of a gateway", "%v", err)
		return t
	}
	t.address = address
	t.google = strings.HasSuffix(strings.ToLower(hostOf(address.Host())), ".googleapis.com")
	if t.project == "" && auth != authAPIKey {
		o.refuse(optionProject, "give it by --"+optionProject+" or GCP_PROJECT_ID (gcloud config get-value project)", "is missing")
	}
	return t
}

func hostOf(hostport string) string {
	host, _, _ := strings.Cut(hostport, ":")
	return host
}

// model is the address of a publisher's model, by
// https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.publishers.models.
func (t target) model(publisher, model, method string) string {
	path := "/publishers/" + publisher + "/models/" + url.PathEscape(bareModel(model)) + ":" + method
	if t.project != "" {
		path = "/projects/" + url.PathEscape(t.project) + "/locations/" + t.location + path
	}
	return t.address.V1(path)
}

// openAI is the address of an endpoint in OpenAI's form.
func (t target) openAI(kind backend.Kind, _ string) string {
	return t.address.V1("/projects/" + url.PathEscape(t.project) + "/locations/" + t.location + "/endpoints/" + url.PathEscape(t.endpoint) + openaiwire.Path(kind))
}

// resourceName is a model's name as the console copies it.
var resourceName = regexp.MustCompile(`^(projects/[^/]+/locations/[^/]+/)?(publishers/[^/]+/)?models/`)

// bareModel is a model's name without the resource it stands in.
func bareModel(name string) string { return resourceName.ReplaceAllString(name, "") }

// credentials are what authenticates.
type credentials struct {
	auth  string        // one of the ways, never authAuto
	key   secret.Secret // of authAPIKey
	token secret.Secret // of authToken
	file  []byte        // of authServiceAccount
	path  string        // of file
}

const (
	keyHint   = "give a key by --api-key, --model-api-key or GCP_API_KEY (console: APIs & Services, Credentials), or leave --gcp-auth at auto"
	tokenHint = "give a token by --gcp-access-token or GCP_ACCESS_TOKEN, as gcloud auth print-access-token prints it"
)

func (o *opening) credentials() credentials {
	key := o.secret(optionModelAPIKey, o.config.Options.Secret(optionModelAPIKey))
	if key.IsZero() {
		key = o.secret(optionAPIKey, o.config.APIKey)
	}
	token := o.secret(optionToken, o.config.Options.Secret(optionToken))
	path := o.config.Options.String(optionCredentials)
	auth := o.config.Options.String(optionAuth)
	if auth == authAuto || auth == "" {
		switch {
		case o.brings():
			auth = authNone
		case !key.IsZero():
			auth = authAPIKey
		case !token.IsZero():
			auth = authToken
		case path != "":
			auth = authServiceAccount
		case o.config.APIBase == "" || strings.Contains(o.config.APIBase, ".googleapis.com"):
			auth = authADC
		default:
			auth = authNone
		}
		if !token.IsZero() && auth != authToken {
			o.warn(optionToken, "give --gcp-auth "+authToken+" to use it", "is not used: --gcp-auth auto takes %s", auth)
		}
		if path != "" && auth != authServiceAccount {
			o.warn(optionCredentials, "give --gcp-auth "+authServiceAccount+" to use it", "is not used: --gcp-auth auto takes %s", auth)
		}
	}
	c := credentials{auth: auth}
	switch auth {
	case authAPIKey:
		if c.key = key; key.IsZero() {
			o.refuse(optionAPIKey, keyHint, "is missing")
		}
	case authToken:
		if c.token = token; token.IsZero() {
			o.refuse(optionToken, tokenHint, "is missing")
		}
	case authServiceAccount:
		c.file, c.path = o.credentialsFile(path), path
	}
	return c
}

// secret trims a value that was read from a file, and refuses what cannot stand
// in a header.
func (o *opening) secret(name string, s secret.Secret) secret.Secret {
	text := strings.TrimSpace(s.Reveal())
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		o.refuse(name, "check for a line break or a quotation mark from a text editor in it", "holds characters that no key has")
		return secret.Secret{}
	}
	return secret.New(text)
}

// brings tells whether the user gave a header that authenticates.
func (o *opening) brings() bool {
	for _, h := range o.config.HTTP.Header {
		if strings.EqualFold(h.Name, "Authorization") || strings.EqualFold(h.Name, "X-Goog-Api-Key") {
			return true
		}
	}
	return false
}

// header is what every request carries.
func header(c credentials) http.Header {
	h := http.Header{"User-Agent": {"genai-bench-plugin-vertex/" + version}}
	switch c.auth {
	case authAPIKey:
		h.Set("X-Goog-Api-Key", c.key.Reveal())
	case authToken:
		h.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return h
}

// api decides by which API a model is asked.
func (o *opening) api() string {
	api := o.config.Options.String(optionModelAPI)
	model := strings.ToLower(bareModel(o.config.Model))
	if api == apiAuto || api == "" {
		switch {
		case o.config.Task == backend.TextToEmbeddings:
			api = apiPredict
		case o.config.Options.String(optionEndpoint) != "":
			api = apiOpenAI
		case strings.Contains(model, "claude"):
			api = apiAnthropic
		case strings.Contains(model, "/"):
			api = apiOpenAI
		case strings.Contains(model, "bison") || strings.Contains(model, "gecko") || strings.Contains(model, "unicorn"):
			api = apiPredict
		default:
			api = apiGemini
		}
	}
	transport := o.config.Options.String(optionTransport)
	switch {
	case transport == transportGRPC && api != apiGemini:
		o.refuse(optionTransport, "use --gcp-transport rest", "grpc is for Gemini only; this model is asked by %s", api)
	case o.config.Task == backend.TextToEmbeddings && api != apiPredict:
		o.refuse(optionModelAPI, "leave it out", "embeddings are made by predict, not by %s", api)
	case o.config.Task == backend.ImageTextToText && api == apiPredict:
		o.refuse(optionModelAPI, "leave it out", "predict takes no pictures")
	}
	return api
}

// effectiveConfig is what goes into the results' metadata. The keys are the
// Python tool's where it has one.
func effectiveConfig(t target, c credentials, api, transport, endpoint string) json.RawMessage {
	authType := map[string]string{authAPIKey: "api_key", authToken: "access_token", authServiceAccount: "service_account", authADC: "service_account", authNone: "none"}[c.auth]
	o := jsonhttp.Object{
		{Name: "auth_type", Value: jsonhttp.Quoted(authType)},
		{Name: "gcp_auth", Value: jsonhttp.Quoted(c.auth)},
		{Name: "project_id", Value: jsonhttp.Quoted(t.project)},
		{Name: "location", Value: jsonhttp.Quoted(t.location)},
		{Name: "model_api", Value: jsonhttp.Quoted(api)},
		{Name: "transport", Value: jsonhttp.Quoted(transport)},
		{Name: "endpoint", Value: jsonhttp.Quoted(endpoint)},
	}
	if c.path != "" {
		o.Set("credentials_path", jsonhttp.Quoted(c.path))
	}
	return o.Text()
}
