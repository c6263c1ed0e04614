package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/emulator"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/wire"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func TestConformance(t *testing.T) {
	path := backendtest.Build(".")(t)
	account := newAccount(t)
	stranger := account.stranger(t)
	for i, b := range backends() {
		name := b.Describe().Name
		suite := backendtest.Suite{
			New: func() backend.Backend { return backends()[i] },
			Configure: func(_ testing.TB, c *backend.Config) {
				c.Options[auth.OptionConfigFile] = account.path("config")
				c.Options[auth.OptionProfile] = "DEFAULT"
				c.Options[optionCompartment] = wireCompartment
				if name == "oci-openai" && c.APIBase != "" {
					c.APIBase += "/openai/v1"
				}
			},
			Secrets:  []string{plantedPhrase},
			Patience: time.Minute, // the emulator reads bodies of 5 MB with the SDK's types, which takes seconds
			WrongKey: func(_ testing.TB, c *backend.Config) { c.Options[auth.OptionConfigFile] = stranger },
			Binary:   func(testing.TB) string { return path },
			Bad: map[string]backendtest.BadConfig{
				"without a configuration file": {
					Change:  func(c *backend.Config) { c.Options[auth.OptionConfigFile] = account.path("none") },
					Options: []string{auth.OptionConfigFile},
				},
				"without a compartment": {
					Change:  func(c *backend.Config) { delete(c.Options, optionCompartment) },
					Options: []string{optionCompartment},
				},
				"a compartment in a number": {
					Change:  func(c *backend.Config) { c.RequestParams = json.RawMessage(`{"compartmentId": 7}`) },
					Options: []string{optionParams},
				},
				"an unknown profile": {
					Change:  func(c *backend.Config) { c.Options[auth.OptionProfile] = "OTHER" },
					Options: []string{auth.OptionProfile},
				},
				"on behalf of nobody": {
					Change:  func(c *backend.Config) { c.Options[auth.OptionAuth] = string(auth.InstanceOBOUser) },
					Options: []string{auth.OptionSecurityToken},
				},
				"a signed header": {
					Change: func(c *backend.Config) {
						c.HTTP.Header = append(c.HTTP.Header, backend.HeaderField{Name: "date", Value: "today"})
					},
					Options: []string{optionHeader},
				},
			},
		}
		switch name {
		case "oci-openai":
			suite.Upstream.Protocols = []simulator.Protocol{&emulator.Compatible{Keys: account.keys, Compartment: wireCompartment}}
		default:
			api := &emulator.API{Keys: account.keys, Compartment: wireCompartment}
			switch name {
			case "oci-cohere":
				api.Format = string(wire.Cohere)
			case "oci-cohere-v2":
				api.Format = string(wire.CohereV2)
			case "oci-genai":
				api.Format = string(wire.Generic)
			}
			suite.Upstream.Protocols = []simulator.Protocol{api}
			suite.Paths = map[backend.Kind]string{backend.KindChat: wire.PathChat, backend.KindEmbed: wire.PathEmbed, backend.KindRerank: wire.PathRerank}
			suite.Params = backendtest.Params{
				OfAll: `{"temperature": 0.25, "top_p": 0.5}`, OfRequest: `{"topP": 0.75, "seed": 7}`,
				Want: `{"chatRequest": {"temperature": 0.25, "topP": 0.75, "seed": 7}}`,
			}
		}
		t.Run(name, func(t *testing.T) { backendtest.Run(t, suite) })
	}
}
