package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const plantedToken = "PLANTED-AD-TOKEN-91b2"

// TestConformance runs the suite with a key in all three ways, and with a token
// in one: the process is the same.
func TestConformance(t *testing.T) {
	suite := func() backendtest.Suite {
		return backendtest.Suite{
			New:      func() backend.Backend { return newAzure() },
			Upstream: simulator.Config{Protocols: []simulator.Protocol{&emulator{token: plantedToken}}},
			// A second key would win over the suite's, a token would be unused.
			Configure: func(_ testing.TB, c *backend.Config) {
				delete(c.Options, optionModelAPIKey)
				delete(c.Options, optionADToken)
			},
			Bad: map[string]backendtest.BadConfig{
				"no address": {Change: func(c *backend.Config) { c.APIBase = "" }, Options: []string{optionEndpoint}},
				"a version that is no date": {
					Change: func(c *backend.Config) { c.Options[optionAPIVersion] = "latest" }, Options: []string{optionAPIVersion}},
				"no key": {
					Change:  func(c *backend.Config) { c.APIKey, c.Options[optionAuth] = secret.Secret{}, authAPIKey },
					Options: []string{optionAPIKey}},
				"no token": {
					Change:  func(c *backend.Config) { c.Options[optionAuth] = authADToken },
					Options: []string{optionADToken}},
				"a key of two lines": {
					Change: func(c *backend.Config) { c.APIKey = secret.New("one\ntwo") }, Options: []string{optionAPIKey}},
			},
		}
	}
	t.Run("key", func(t *testing.T) {
		s := suite()
		s.Binary = backendtest.Build(".")
		backendtest.Run(t, s)
	})
	t.Run("token", func(t *testing.T) {
		s := suite()
		s.Secrets = []string{plantedToken}
		delete(s.Bad, "no token")
		s.Configure = func(_ testing.TB, c *backend.Config) {
			delete(c.Options, optionModelAPIKey)
			c.Options[optionADToken], c.Options[optionAuth] = secret.New(plantedToken), authADToken
		}
		s.KeepOptions = []string{optionADToken}
		s.WrongKey = func(_ testing.TB, c *backend.Config) { c.Options[optionADToken] = secret.New("expired") }
		backendtest.Run(t, s)
	})
}

// TestConformanceOfTheDefaultChain runs the suite with tokens of a managed identity,
// as an App Service hands them out, through azidentity's own chain.
func TestConformanceOfTheDefaultChain(t *testing.T) {
	identity := startIdentity(t)
	t.Setenv("IDENTITY_ENDPOINT", identity.URL)
	t.Setenv("IDENTITY_HEADER", identityHeader)
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential") // the chain's other links wait for the network
	backendtest.Run(t, backendtest.Suite{
		New:      func() backend.Backend { return newAzure() },
		Binary:   backendtest.Build("."),
		Upstream: simulator.Config{Protocols: []simulator.Protocol{&emulator{token: plantedToken}}},
		Secrets:  []string{plantedToken, identityHeader},
		Configure: func(_ testing.TB, c *backend.Config) {
			delete(c.Options, optionModelAPIKey)
			delete(c.Options, optionADToken)
			c.Options[optionAuth] = authDefault
		},
		WrongKey: func(_ testing.TB, c *backend.Config) {
			c.Options[optionAuth], c.APIKey = authAPIKey, secret.New("wrong")
		},
	})
}

// opened opens a backend that needs no network.
func opened(t *testing.T, change func(*backend.Config)) (*azure, backend.Opened) {
	t.Helper()
	config := backend.Config{Task: backend.TextToText, Model: "m", APIBase: "https://r.openai.azure.com", APIKey: secret.New("k"), Options: option.Values{}}
	change(&config)
	a := newAzure()
	o, err := a.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(t.Context()) })
	return a, o
}
