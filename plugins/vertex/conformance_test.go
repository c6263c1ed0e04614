package main

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Google's gRPC client says at each Open that it is deprecated
	goleak.VerifyTestMain(m)
}

// suite is the conformance suite with an API key.
func suite(e *emulator) backendtest.Suite {
	return backendtest.Suite{
		New:      func() backend.Backend { return new(vertex) },
		Upstream: simulator.Config{Protocols: []simulator.Protocol{e}},
		// A second key would win over the suite's.
		Configure: func(_ testing.TB, c *backend.Config) {
			delete(c.Options, optionModelAPIKey)
			c.Options[optionProject] = project
			c.Options[optionCredentials] = ""
		},
		Paths: map[backend.Kind]string{backend.KindChat: "", backend.KindEmbed: ":predict"},
		Params: backendtest.Params{
			OfAll: `{"temperature": 0.25, "top_p": 0.5}`, OfRequest: `{"topP": 0.75, "seed": 7}`,
			Want:       `{"generationConfig": {"maxOutputTokens": 8, "temperature": 0.25, "topP": 0.75, "seed": 7}}`,
			TwoChoices: `{"candidateCount": 2}`,
		},
	}
}

// bad are configurations that Open refuses.
func bad() map[string]backendtest.BadConfig {
	set := func(values ...string) func(*backend.Config) {
		return func(c *backend.Config) {
			for i := 0; i < len(values); i += 2 {
				c.Options[values[i]] = values[i+1]
			}
		}
	}
	return map[string]backendtest.BadConfig{
		"no project":                   {Change: set(optionProject, "", optionAuth, authNone), Options: []string{optionProject}},
		"a region of its own":          {Change: set(optionLocation, "us central"), Options: []string{optionLocation}},
		"a key file that is not there": {Change: set(optionAuth, authServiceAccount, optionCredentials, "/none"), Options: []string{optionCredentials}},
		"no key file":                  {Change: set(optionAuth, authServiceAccount, optionCredentials, ""), Options: []string{optionCredentials}},
		"gRPC for Claude":              {Change: set(optionTransport, transportGRPC, optionModelAPI, apiAnthropic), Options: []string{optionTransport}},
		"a key of two lines": {
			Change: func(c *backend.Config) { c.APIKey, c.Options[optionAuth] = secret.New("one\ntwo"), authAPIKey }, Options: []string{optionAPIKey}},
		"no token": {
			Change: func(c *backend.Config) { delete(c.Options, optionToken); c.Options[optionAuth] = authToken }, Options: []string{optionToken}},
		"no key": {
			Change: func(c *backend.Config) { c.APIKey, c.Options[optionAuth] = secret.Secret{}, authAPIKey }, Options: []string{optionAPIKey}},
	}
}

// TestConformance: Gemini by REST, with an API key.
func TestConformance(t *testing.T) {
	s := suite(&emulator{})
	s.Binary = backendtest.Build(".")
	s.Bad = bad()
	backendtest.Run(t, s)
}

// TestConformanceOfServiceAccounts: Gemini, with tokens for assertions that the
// key of a service account signed. The suite's other key is not used.
func TestConformanceOfServiceAccounts(t *testing.T) {
	account, stranger := newServiceAccount(t), newServiceAccount(t)
	e := &emulator{public: &account.key.PublicKey}
	s := suite(e)
	s.Binary = backendtest.Build(".")
	s.Secrets = []string{plantedToken, account.text}
	s.KeepOptions = []string{optionModelAPIKey, optionToken}
	use := func(t testing.TB, c *backend.Config, a *serviceAccount) {
		delete(c.Options, optionModelAPIKey)
		c.Options[optionProject], c.Options[optionAuth] = project, authServiceAccount
		c.Options[optionCredentials] = a.file(t, c.APIBase)
	}
	s.Configure = func(t testing.TB, c *backend.Config) { use(t, c, account) }
	s.WrongKey = func(t testing.TB, c *backend.Config) { use(t, c, stranger) }
	backendtest.Run(t, s)
}

// TestConformanceOfTokens: Claude, with an access token that the user has.
func TestConformanceOfTokens(t *testing.T) {
	s := suite(&emulator{tokens: []string{plantedToken}})
	s.Binary = backendtest.Build(".")
	s.Secrets = []string{plantedToken}
	s.KeepOptions = []string{optionToken}
	s.Configure = func(_ testing.TB, c *backend.Config) {
		delete(c.Options, optionModelAPIKey)
		c.Options[optionProject], c.Options[optionModelAPI] = project, apiAnthropic
		c.Options[optionToken], c.Options[optionAuth] = secret.New(plantedToken), authToken
	}
	s.WrongKey = func(_ testing.TB, c *backend.Config) { c.Options[optionToken] = secret.New("ya29.expired") }
	s.Params.Want = `{"temperature": 0.25, "top_p": 0.75, "top_k": 7}`
	s.Params.OfRequest = `{"top_p": 0.75, "top_k": 7}`
	s.Skip = map[string]string{"answers/text-to-embeddings by embed": "Anthropic makes no embeddings"}
	s.Upstream.Protocols = []simulator.Protocol{&emulator{tokens: []string{plantedToken}, claude: true}}
	backendtest.Run(t, s)
}

// TestConformanceOfModelsAsAService: Llama and its like, in OpenAI's form.
func TestConformanceOfModelsAsAService(t *testing.T) {
	s := suite(&emulator{maas: true})
	s.Configure = func(_ testing.TB, c *backend.Config) {
		delete(c.Options, optionModelAPIKey)
		c.Options[optionProject], c.Options[optionModelAPI] = project, apiOpenAI
	}
	s.Params = backendtest.Params{}
	s.Paths = map[backend.Kind]string{backend.KindChat: "/endpoints/openapi/chat/completions"}
	s.Skip = map[string]string{"answers/text-to-embeddings by embed": "the endpoint has chat completions only"}
	backendtest.Run(t, s)
}
