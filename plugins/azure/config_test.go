package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func TestWhereRequestsGo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*backend.Config)
		want   string
	}{
		"the model is the deployment": {func(c *backend.Config) {}, "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21"},
		"a deployment of its own name": {func(c *backend.Config) { c.Options[optionDeployment] = "my gpt" },
			"https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21"},
		"an address out of the portal": {func(c *backend.Config) {
			c.APIBase = ""
			c.Options[optionEndpoint] = "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-02-01"
		}, "https://x.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21"},
		"a gateway with a path": {func(c *backend.Config) { c.APIBase = "http://gateway:8080/azure/" },
			"http://gateway:8080/azure/openai/deployments/m/chat/completions?api-version=2024-10-21"},
		"embeddings": {func(c *backend.Config) { c.Task = backend.TextToEmbeddings },
			"https://r.openai.azure.com/openai/deployments/m/embeddings?api-version=2024-10-21"},
		"a preview": {func(c *backend.Config) { c.Options[optionAPIVersion] = "2025-04-01-preview" },
			"https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2025-04-01-preview"},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := opened(t, c.change)
			if o.Failed() || o.Endpoint != c.want {
				t.Errorf("%q, %+v, want %q", o.Endpoint, o.Problems, c.want)
			}
		})
	}
}

func TestWhatAuthenticates(t *testing.T) {
	token := secret.New("t")
	for name, c := range map[string]struct {
		change func(*backend.Config)
		auth   string
		warns  string // option with a warning
	}{
		"a key":                      {func(c *backend.Config) {}, authAPIKey, ""},
		"a key before a token":       {func(c *backend.Config) { c.Options[optionADToken] = token }, authAPIKey, optionADToken},
		"the token on demand":        {func(c *backend.Config) { c.Options[optionADToken], c.Options[optionAuth] = token, authADToken }, authADToken, ""},
		"a token alone":              {func(c *backend.Config) { c.APIKey, c.Options[optionADToken] = secret.Secret{}, token }, authADToken, ""},
		"nothing, at Azure":          {func(c *backend.Config) { c.APIKey = secret.Secret{} }, authDefault, ""},
		"nothing, elsewhere":         {func(c *backend.Config) { c.APIKey, c.APIBase = secret.Secret{}, "http://127.0.0.1:1" }, authNone, ""},
		"a header of the user's own": {func(c *backend.Config) { c.HTTP.Header = []backend.HeaderField{{Name: "api-key", Value: "x"}} }, authNone, ""},
		"two addresses":              {func(c *backend.Config) { c.Options[optionEndpoint] = "https://other.openai.azure.com" }, authAPIKey, optionAPIBase},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := opened(t, c.change)
			var config struct {
				AzureAuth string `json:"azure_auth"`
			}
			if err := json.Unmarshal(o.EffectiveConfig, &config); err != nil {
				t.Fatalf("%v: %+v", err, o.Problems)
			}
			if config.AzureAuth != c.auth {
				t.Errorf("%s, want %s", config.AzureAuth, c.auth)
			}
			warned := ""
			for _, p := range o.Problems {
				if p.Severity == option.Warning {
					warned = p.Option
				}
			}
			if warned != c.warns {
				t.Errorf("warnings about %q, want %q", warned, c.warns)
			}
		})
	}
}

func TestFailuresSayWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		failure fault.Error
		auth    string
		class   fault.Class
		hint    string
	}{
		"no such deployment": {fault.Error{Class: fault.NotFound, ProviderCode: "DeploymentNotFound"}, authAPIKey, fault.NotFound, "--azure-deployment"},
		"no such version":    {fault.Error{Class: fault.NotFound, ProviderCode: "404"}, authAPIKey, fault.NotFound, "--azure-api-version (2024-10-21)"},
		"a wrong key":        {fault.Error{Class: fault.Auth}, authAPIKey, fault.Auth, "AZURE_OPENAI_API_KEY"},
		"an old token":       {fault.Error{Class: fault.Auth}, authADToken, fault.Auth, "--azure-auth default renews"},
		"no key":             {fault.Error{Class: fault.Auth}, authNone, fault.Auth, "give a key of the resource"},
		"no role":            {fault.Error{Class: fault.Permission}, authDefault, fault.Permission, "the role Cognitive Services OpenAI User"},
		"a reasoning model": {fault.Error{Class: fault.InvalidRequest, Message: "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."},
			authAPIKey, fault.InvalidRequest, "--max-tokens-field"},
	} {
		t.Run(name, func(t *testing.T) {
			explain(&c.failure, credentials{auth: c.auth}, target{version: defaultAPIVersion})
			if c.failure.Class != c.class || !strings.Contains(c.failure.Hint, c.hint) {
				t.Errorf("%v with the hint %q, want %v with %q", c.failure.Class, c.failure.Hint, c.class, c.hint)
			}
		})
	}
}

func TestEffectiveConfigHasThePythonToolsKeys(t *testing.T) {
	_, o := opened(t, func(c *backend.Config) { c.Options[optionDeployment] = "d" })
	var got map[string]any
	if err := json.Unmarshal(o.EffectiveConfig, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"auth_type": "api_key", "azure_auth": "api-key", "use_azure_ad": false, "has_api_key": true, "api_version": "2024-10-21",
		"azure_deployment": "d", "endpoint": "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
