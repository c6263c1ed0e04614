package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	backendtest.Run(t, backendtest.Suite{
		New:      func() backend.Backend { return new(cohere) },
		Binary:   backendtest.Build("."),
		Upstream: simulator.Config{Protocols: []simulator.Protocol{new(emulator)}},
		// A second key would win over the suite's.
		Configure: func(_ testing.TB, c *backend.Config) { delete(c.Options, optionModelAPIKey) },
		Paths:     map[backend.Kind]string{backend.KindChat: "/v2/chat", backend.KindEmbed: "/v2/embed", backend.KindRerank: "/v2/rerank"},
		Params: backendtest.Params{
			OfAll: `{"temperature": 0.25, "top_p": 0.5}`, OfRequest: `{"p": 0.75, "seed": 7}`,
			Want: `{"temperature": 0.25, "p": 0.75, "seed": 7}`,
		},
		Bad: map[string]backendtest.BadConfig{
			"no key for Cohere itself": {
				Change:  func(c *backend.Config) { c.APIBase, c.APIKey = "", secret.Secret{} },
				Options: []string{optionAPIKey},
			},
			"a key of two lines": {
				Change: func(c *backend.Config) { c.APIKey = secret.New("one\ntwo") }, Options: []string{optionAPIKey},
			},
			"a task of another kind": {
				Change: func(c *backend.Config) { c.Task = backend.TextToSpeech }, Options: []string{optionTask},
			},
		},
	})
}
