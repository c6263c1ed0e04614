package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Names of options, core's own among them.
const (
	optionAPIBase = "api-base"
	optionAPIKey  = "api-key"
	optionModel   = "api-model-name"
	optionTask    = "task"
	optionParams  = "additional-request-params"

	optionModelAPIKey = "model-api-key"
)

const defaultAPIBase = "https://api.cohere.com"

// keyEnv is where the key is read without a flag: CO_API_KEY is the name that
// Cohere's own clients know, COHERE_API_KEY the one that most others use.
func keyEnv() []string { return []string{"COHERE_API_KEY", "CO_API_KEY"} }

const keyHint = "give a key of https://dashboard.cohere.com/api-keys by --api-key, --model-api-key, COHERE_API_KEY or CO_API_KEY"

func options() []option.Option {
	return []option.Option{{
		Name: optionModelAPIKey, Type: option.Secret, Env: []string{"MODEL_API_KEY"}, Group: "Cohere",
		Help: "key of Cohere's API; wins over --api-key",
	}}
}

// opening checks a configuration.
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

func (o *opening) failed() bool { return backend.Opened{Problems: o.problems}.Failed() }

// newClient checks the configuration, all of it, and makes a client. Where any
// problem is an error, the client is nil. It touches no network.
func newClient(config backend.Config) (*client, []option.Problem) {
	o := &opening{config: config}
	description := new(cohere).Describe()
	if _, ok := description.Support(config.Task); !ok {
		var can []string
		for _, t := range description.Tasks {
			can = append(can, string(t.Task))
		}
		o.refuse(optionTask, "it can do "+strings.Join(can, ", "), "cohere cannot do %q", config.Task)
	}
	if config.Model == "" {
		o.refuse(optionModel, "give --"+optionModel+" the name of a model, for example command-a-03-2025", "is missing")
	}
	c := &client{task: config.Task, model: config.Model, address: o.address(), params: o.params()}
	key := o.key(c.address)
	header := http.Header{"User-Agent": {"genai-bench-plugin-cohere/" + version}}
	if !key.IsZero() {
		header.Set("Authorization", "Bearer "+key.Reveal())
	}
	c.auth = authOf(config, key)
	transport, problems := jsonhttp.New(jsonhttp.Settings{
		Config: config, Header: header, Secrets: []secret.Secret{key, config.APIKey, config.Options.Secret(optionModelAPIKey)},
		Classify: classify, Explain: explain,
		RequestIDs: []string{"X-Request-Id", "X-Debug-Trace-Id"},
		Kept:       []string{"Retry-After", "Server", "X-Trial-Endpoint-Call-Remaining"},
	})
	o.problems = append(o.problems, problems...)
	if o.failed() {
		if transport != nil {
			transport.Close()
		}
		return nil, o.problems
	}
	c.http = transport
	return c, o.problems
}

// address is where the API is. With or without a version or the path of an
// endpoint behind it, it is the same.
func (o *opening) address() openaiwire.Address {
	base := strings.TrimSpace(o.config.APIBase)
	if base == "" {
		base = defaultAPIBase
	}
	trimmed := strings.TrimRight(base, "/")
	for _, kind := range []backend.Kind{backend.KindChat, backend.KindEmbed, backend.KindRerank} {
		trimmed = strings.TrimSuffix(trimmed, path(kind))
	}
	address, err := openaiwire.ParseAddress(strings.TrimSuffix(trimmed, "/v2"))
	if err != nil {
		o.refuse(optionAPIBase, "for example "+defaultAPIBase, "%v", err)
	}
	return address
}

// hosted tells whether the address is Cohere's own.
func hosted(address openaiwire.Address) bool {
	host, _, _ := strings.Cut(strings.ToLower(address.Host()), ":")
	for _, domain := range []string{"cohere.com", "cohere.ai"} {
		if host == domain || strings.HasSuffix(host, "."+domain) {
			return true
		}
	}
	return false
}

// brings tells whether the user gave an Authorization header.
func brings(config backend.Config) bool {
	return slices.ContainsFunc(config.HTTP.Header, func(h backend.HeaderField) bool {
		return strings.EqualFold(h.Name, "Authorization")
	})
}

// key is what authenticates: --model-api-key before --api-key, each with its
// environment variables, which core has resolved. An Authorization header of
// the user's own replaces both. Gateways may want none.
func (o *opening) key(address openaiwire.Address) secret.Secret {
	if brings(o.config) {
		return secret.Secret{}
	}
	name, key := optionModelAPIKey, o.config.Options.Secret(optionModelAPIKey)
	if strings.TrimSpace(key.Reveal()) == "" {
		name, key = optionAPIKey, o.config.APIKey
	}
	// A key read from a file ends in a line break.
	key = secret.New(strings.TrimSpace(key.Reveal()))
	switch {
	case strings.ContainsFunc(key.Reveal(), func(r rune) bool { return r < 0x20 || r > 0x7e }):
		o.refuse(name, "check for a line break or a quotation mark from a text editor in it", "holds characters that no key has")
		return secret.Secret{}
	case key.IsZero() && hosted(address):
		o.refuse(optionAPIKey, keyHint, "is missing, and %s answers nobody without one", address.Host())
	}
	return key
}

// params are the user's parameters for all requests.
func (o *opening) params() jsonhttp.Object {
	given, err := jsonhttp.ParseObject(o.config.RequestParams)
	if err != nil {
		o.refuse(optionParams, `give a JSON object, such as '{"temperature": 0.7}'`, "is no JSON object: %v", err)
		return nil
	}
	params := spelled(given)
	if string(given.Get("ignore_eos")) == "true" {
		o.warn(optionParams, "answers may be shorter than the scenario says", "\"ignore_eos\" is not known to Cohere and is left out")
	}
	for _, name := range []string{"messages", "texts", "images", "inputs", "documents", "query"} {
		// Documents go with a chat as well.
		if v := params.Get(name); v != nil && string(v) != "null" && (name != "documents" || o.config.Task == backend.TextToRerank) {
			o.warn(optionParams, "remove it to send what the scenario says", "%q replaces that of every request", name)
		}
	}
	return params
}

// Ways to authenticate, as the results' metadata name them; api_key is the
// Python tool's word.
const (
	authKey    = "api_key"
	authHeader = "header"
	authNone   = "none"
)

func authOf(config backend.Config, key secret.Secret) string {
	switch {
	case !key.IsZero():
		return authKey
	case brings(config):
		return authHeader
	}
	return authNone
}

// effectiveConfig is what goes into the results' metadata.
func (c *client) effectiveConfig(endpoint string) json.RawMessage {
	text, err := json.Marshal(struct {
		AuthType  string `json:"auth_type"`
		HasAPIKey bool   `json:"has_api_key"`
		Endpoint  string `json:"endpoint"`
	}{c.auth, c.auth == authKey, endpoint})
	if err != nil {
		return nil // strings and booleans always marshal
	}
	return text
}
