package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
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

	optionModelAPIKey    = "model-api-key"
	optionEndpoint       = "azure-endpoint"
	optionDeployment     = "azure-deployment"
	optionAPIVersion     = "azure-api-version"
	optionADToken        = "azure-ad-token"
	optionAuth           = "azure-auth"
	optionMaxTokensField = "max-tokens-field"
)

// The ways to authenticate, as --azure-auth names them.
const (
	authAuto    = "auto"
	authAPIKey  = "api-key"
	authADToken = "ad-token"
	authDefault = "default"
	authNone    = "none"
)

// defaultAPIVersion is the last generally available version of the data plane's
// dated API; the Python tool's 2024-02-01 is older than stream_options, which
// brings usage with a stream.
const defaultAPIVersion = "2024-10-21"

func options() []option.Option {
	const group = "Azure OpenAI"
	return []option.Option{
		{Name: optionEndpoint, Type: option.String, Env: []string{"AZURE_OPENAI_ENDPOINT"}, Group: group,
			Example: "https://my-resource.openai.azure.com", Help: "address of the resource; wins over --api-base"},
		{Name: optionDeployment, Type: option.String, Env: []string{"AZURE_OPENAI_DEPLOYMENT"}, Group: group,
			Help: "name of the deployment; default is --api-model-name"},
		{Name: optionAPIVersion, Type: option.String, Env: []string{"AZURE_OPENAI_API_VERSION"}, Default: defaultAPIVersion, Group: group,
			Help: "version of the API, a date"},
		{Name: optionModelAPIKey, Type: option.Secret, Env: []string{"MODEL_API_KEY"}, Group: group, Help: "key of the resource; wins over --api-key"},
		{Name: optionADToken, Type: option.Secret, Env: []string{"AZURE_AD_TOKEN"}, Group: group, Help: "access token of Microsoft Entra ID (Azure AD); it is not renewed"},
		{Name: optionAuth, Type: option.Enum, Default: authAuto, Group: group, Help: "how to authenticate", Allowed: []option.Allowed{
			{Value: authAuto, Help: "the key if there is one, else the token, else, at an address of Azure's, the default chain"},
			{Value: authAPIKey, Help: "a key of the resource"},
			{Value: authADToken, Help: "the token of --azure-ad-token"},
			{Value: authDefault, Help: "Azure's default chain: environment, workload and managed identity, Azure CLI; renewed while a run goes on"},
			{Value: authNone, Help: "nothing, for gateways that authenticate themselves"},
		}},
		{Name: optionMaxTokensField, Type: option.Enum, Default: "max_tokens", Group: group, Help: "field that limits the output of chat completions",
			Allowed: []option.Allowed{
				{Value: "max_tokens", Help: "all but the reasoning models"},
				{Value: "max_completion_tokens", Help: "wanted by reasoning models"},
			}},
	}
}

// target is where requests go.
type target struct {
	address    openaiwire.Address
	deployment string // "": the model's name
	version    string
}

// locate is the address of a deployment's endpoint, as in
// https://learn.microsoft.com/azure/ai-services/openai/reference.
func (t target) locate(kind backend.Kind, model string) string {
	deployment := t.deployment
	if deployment == "" {
		deployment = model
	}
	return t.address.Join("/openai/deployments/"+url.PathEscape(deployment)+openaiwire.Path(kind)) + "?api-version=" + url.QueryEscape(t.version)
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

// apiVersion is a date, with -preview where it is one.
var apiVersion = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(-preview)?$`)

func (o *opening) target() target {
	t := target{deployment: o.config.Options.String(optionDeployment), version: o.config.Options.String(optionAPIVersion)}
	name, base := optionEndpoint, o.config.Options.String(optionEndpoint)
	if base == "" {
		name, base = optionAPIBase, o.config.APIBase
	} else if o.config.APIBase != "" && strings.TrimRight(base, "/") != strings.TrimRight(o.config.APIBase, "/") {
		o.warn(optionAPIBase, "leave out --"+optionEndpoint+" (AZURE_OPENAI_ENDPOINT) to use it", "is not used, because --%s is given too", optionEndpoint)
	}
	if base == "" {
		o.refuse(optionEndpoint, "give the address under Keys and Endpoint of the resource in the Azure portal, as https://my-resource.openai.azure.com, by --azure-endpoint, AZURE_OPENAI_ENDPOINT or --api-base", "is missing")
	} else {
		// Portals show the address with the path of an API behind it.
		base, _, _ = strings.Cut(base, "/openai")
		address, err := openaiwire.ParseAddress(base)
		if err != nil {
			o.refuse(name, "for example https://my-resource.openai.azure.com", "%v", err)
		}
		t.address = address
	}
	if t.deployment == "" && o.config.Model == "" {
		o.refuse(optionModel, "give the deployment's name by --"+optionDeployment+" or --"+optionModel, "is missing")
	}
	if t.version == "" {
		t.version = defaultAPIVersion
	}
	if !apiVersion.MatchString(t.version) {
		o.refuse(optionAPIVersion, "for example "+defaultAPIVersion+" or 2025-04-01-preview", "%q is no version of the API", t.version)
	}
	return t
}

// azureHosts are the ends of the hosts of Azure's clouds.
var azureHosts = []string{".azure.com", ".azure.us", ".azure.cn", ".azure-api.net", ".microsoft.com"}

// hostOf is an address's host without its port.
func hostOf(a openaiwire.Address) string {
	host, _, _ := strings.Cut(strings.ToLower(a.Host()), ":")
	return host
}

func isAzure(a openaiwire.Address) bool {
	return slices.ContainsFunc(azureHosts, func(end string) bool { return strings.HasSuffix(hostOf(a), end) })
}

// credentials are what authenticates.
type credentials struct {
	auth   string // one of the ways, never authAuto
	header string // for keys and tokens that do not change
	value  secret.Secret
}

// key is the resource's key, and the option that it came by.
func (o *opening) key() (name string, key secret.Secret) {
	name, key = optionModelAPIKey, o.secret(optionModelAPIKey, o.config.Options.Secret(optionModelAPIKey))
	if key.IsZero() {
		name, key = optionAPIKey, o.secret(optionAPIKey, o.config.APIKey)
	}
	return name, key
}

// secret trims a value that was read from a file, and refuses what cannot stand
// in a header.
func (o *opening) secret(name string, s secret.Secret) secret.Secret {
	text := strings.TrimSpace(s.Reveal())
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		o.refuse(name, "check for a line break or a quotation mark from a text editor in it", "holds characters that no credential has")
		return secret.Secret{}
	}
	return secret.New(text)
}

// brings tells whether the user gave a header that authenticates.
func (o *opening) brings() bool {
	for _, h := range o.config.HTTP.Header {
		if strings.EqualFold(h.Name, "Authorization") || strings.EqualFold(h.Name, "Api-Key") {
			return true
		}
	}
	return false
}

const (
	keyHint   = "give a key of the resource (Keys and Endpoint in the Azure portal) by --api-key, --model-api-key or AZURE_OPENAI_API_KEY"
	tokenHint = "give a token by --azure-ad-token or AZURE_AD_TOKEN (az account get-access-token --resource https://cognitiveservices.azure.com)"
)

func (o *opening) credentials(t target) credentials {
	_, key := o.key()
	token := o.secret(optionADToken, o.config.Options.Secret(optionADToken))
	auth := o.config.Options.String(optionAuth)
	if auth == authAuto || auth == "" {
		switch {
		case o.brings():
			auth = authNone
		case !key.IsZero():
			auth = authAPIKey
			if !token.IsZero() {
				o.warn(optionADToken, "--azure-auth ad-token uses it", "is not used, because there is a key too")
			}
		case !token.IsZero():
			auth = authADToken
		case isAzure(t.address):
			auth = authDefault
		default:
			auth = authNone
		}
	}
	switch auth {
	case authAPIKey:
		if key.IsZero() {
			o.refuse(optionAPIKey, keyHint, "is missing")
		}
		return credentials{auth, "Api-Key", key}
	case authADToken:
		if token.IsZero() {
			o.refuse(optionADToken, tokenHint, "is missing")
		}
		if end := expiry(token.Reveal()); !end.IsZero() && end.Before(time.Now()) {
			o.warn(optionADToken, tokenHint+", or let --azure-auth default renew it", "expired at %s by this machine's clock", end.UTC().Format(time.RFC3339))
		}
		return credentials{auth, "Authorization", secret.New("Bearer " + token.Reveal())}
	}
	return credentials{auth: auth}
}

// effectiveConfig is what goes into the results' metadata. The keys are the
// Python tool's.
func effectiveConfig(t target, c credentials, endpoint string) json.RawMessage {
	authType := map[string]string{authAPIKey: "api_key", authADToken: "azure_ad", authDefault: "azure_ad", authNone: "none"}[c.auth]
	text, err := json.Marshal(struct {
		AuthType   string `json:"auth_type"`
		AzureAuth  string `json:"azure_auth"`
		UseAzureAD bool   `json:"use_azure_ad"`
		HasAPIKey  bool   `json:"has_api_key"`
		APIVersion string `json:"api_version"`
		Deployment string `json:"azure_deployment,omitempty"`
		Endpoint   string `json:"endpoint"`
	}{authType, c.auth, authType == "azure_ad", c.auth == authAPIKey, t.version, t.deployment, endpoint})
	if err != nil {
		return nil // strings and booleans always marshal
	}
	return text
}

// header is what every request carries.
func header(c credentials) http.Header {
	h := http.Header{"User-Agent": {"genai-bench-plugin-azure/" + version}}
	if c.header != "" {
		h.Set(c.header, c.value.Reveal())
	}
	return h
}
