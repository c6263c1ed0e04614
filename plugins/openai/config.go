package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

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
	optionEndpointPath   = "endpoint-path"
	optionMaxTokensField = "max-tokens-field"
	optionOrganization   = "openai-organization"
	optionProject        = "openai-project"
)

// commonOptions are the options of every flavour.
func commonOptions() []option.Option {
	const group = "OpenAI-compatible API"
	return []option.Option{
		{
			Name: optionModelAPIKey, Type: option.Secret, Env: []string{"MODEL_API_KEY"}, Group: group,
			Help: "key for the model's API; wins over --api-key",
		},
		{
			Name: optionEndpointPath, Type: option.String, Group: group, Example: "/api/v3/chat/completions",
			Help: "path below --api-base to send requests to, where it is not the usual one below /v1",
		},
		{
			Name: optionMaxTokensField, Type: option.Enum, Default: "max_tokens", Group: group,
			Help: "field that limits the output of chat completions",
			Allowed: []option.Allowed{
				{Value: "max_tokens", Help: "understood by nearly every server"},
				{Value: "max_completion_tokens", Help: "wanted by OpenAI's reasoning models"},
			},
		},
	}
}

func openAIOptions() []option.Option {
	const group = "OpenAI"
	return []option.Option{
		{Name: optionOrganization, Type: option.String, Env: []string{"OPENAI_ORG_ID"}, Group: group, Help: "organization to bill, as header OpenAI-Organization"},
		{Name: optionProject, Type: option.String, Env: []string{"OPENAI_PROJECT_ID"}, Group: group, Help: "project to bill, as header OpenAI-Project"},
	}
}

// settings checks the whole configuration. All problems are returned.
func (s *server) settings(config backend.Config) (openaiwire.Settings, []option.Problem) {
	var problems []option.Problem
	refuse := func(name, message, hint string) {
		problems = append(problems, option.Problem{Option: name, Severity: option.Error, Message: message, Hint: hint})
	}
	settings := openaiwire.Settings{
		Config:       config,
		Dialect:      s.dialect,
		Header:       http.Header{"User-Agent": {"genai-bench-plugin-openai/" + version}},
		KeyHint:      s.keyHint(),
		EndpointPath: config.Options.String(optionEndpointPath),
	}
	settings.Dialect.MaxTokensField = config.Options.String(optionMaxTokensField)

	if _, ok := s.Describe().Support(config.Task); !ok {
		refuse(optionTask, fmt.Sprintf("%s cannot do %q", s.name, config.Task), "it can do "+joinTasks(s.tasks))
	}
	if config.Model == "" {
		refuse(optionModel, "is missing", "give --"+optionModel+" the name by which the server knows the model")
	}
	base := config.APIBase
	if base == "" {
		base = s.apiBase
	}
	if base == "" {
		refuse(optionAPIBase, "is missing", "give --"+optionAPIBase+" the server's address, for example http://localhost:8000")
	} else {
		if cut, is := strings.CutSuffix(strings.TrimRight(base, "/"), s.whole); is && s.whole != "" && settings.EndpointPath == "" {
			base, settings.EndpointPath = cut, s.whole
		}
		address, err := openaiwire.ParseAddress(base)
		if err != nil {
			refuse(optionAPIBase, err.Error(), "for example http://localhost:8000, with or without /v1")
		}
		settings.Address = address
	}
	key, problem := s.key(config, settings.Address)
	if problem != nil {
		problems = append(problems, *problem)
	}
	if !key.IsZero() {
		settings.Header.Set("Authorization", "Bearer "+key.Reveal())
		settings.Secrets = append(settings.Secrets, key)
	}
	for name, header := range s.headers {
		if value := config.Options.String(name); value != "" {
			if !printable(value) {
				refuse(name, "holds characters that a header cannot carry", "check for a line break in it")
				continue
			}
			settings.Header.Set(header, value)
		}
	}
	return settings, problems
}

// key is what authenticates: --model-api-key before --api-key, each with its
// environment variables, which core has resolved. An Authorization header of
// the user's own replaces both.
func (s *server) key(config backend.Config, address openaiwire.Address) (secret.Secret, *option.Problem) {
	if bringsAuthorization(config) {
		return secret.Secret{}, nil
	}
	name, key := optionModelAPIKey, config.Options.Secret(optionModelAPIKey)
	if strings.TrimSpace(key.Reveal()) == "" {
		name, key = optionAPIKey, config.APIKey
	}
	// A key read from a file ends in a line break.
	key = secret.New(strings.TrimSpace(key.Reveal()))
	switch {
	case !printable(key.Reveal()):
		return secret.Secret{}, &option.Problem{
			Option: name, Severity: option.Error,
			Message: "holds characters that no key has", Hint: "check for a line break or a quotation mark from a text editor in it",
		}
	case key.IsZero() && s.hosted(address):
		return secret.Secret{}, &option.Problem{
			Option: optionAPIKey, Severity: option.Error,
			Message: fmt.Sprintf("is missing, and %s answers nobody without one", address.Host()), Hint: "give " + s.keyHint(),
		}
	}
	return key, nil
}

// bringsAuthorization tells whether the user gave an Authorization header.
func bringsAuthorization(config backend.Config) bool {
	return slices.ContainsFunc(config.HTTP.Header, func(h backend.HeaderField) bool {
		return strings.EqualFold(h.Name, "Authorization")
	})
}

// hosted tells whether the address is the provider's own.
func (s *server) hosted(address openaiwire.Address) bool {
	own, err := openaiwire.ParseAddress(s.apiBase)
	return err == nil && strings.EqualFold(own.Host(), address.Host())
}

// keyHint names the ways to give a key.
func (s *server) keyHint() string {
	ways := append([]string{"--" + optionAPIKey, "--" + optionModelAPIKey}, s.keyEnv...)
	last := len(ways) - 1
	return strings.Join(ways[:last], ", ") + " or " + ways[last]
}

// printable tells whether a value can stand in a header.
func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

func joinTasks(tasks []backend.Task) string {
	var names []string
	for _, t := range tasks {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

// effectiveConfig is what goes into the results' metadata. The keys auth_type
// and has_api_key are those of the Python tool.
func effectiveConfig(settings openaiwire.Settings, endpoint string) json.RawMessage {
	authType := "none"
	switch {
	case settings.Header.Get("Authorization") != "":
		authType = "api_key"
	case bringsAuthorization(settings.Config):
		authType = "header"
	}
	text, err := json.Marshal(struct {
		AuthType       string `json:"auth_type"`
		HasAPIKey      bool   `json:"has_api_key"`
		Endpoint       string `json:"endpoint"`
		MaxTokensField string `json:"max_tokens_field"`
		FixedLength    bool   `json:"can_fix_output_length"`
	}{
		AuthType: authType, HasAPIKey: authType == "api_key", Endpoint: endpoint,
		MaxTokensField: settings.Dialect.MaxTokensField,
		FixedLength:    settings.Dialect.FixLength != openaiwire.CannotFix,
	})
	if err != nil {
		return nil // strings and booleans always marshal
	}
	return text
}
