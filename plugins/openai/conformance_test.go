package main

import (
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
)

func TestConformance(t *testing.T) {
	path := backendtest.Build(".")(t)
	for i, b := range backends() {
		suite := backendtest.Suite{
			New: func() backend.Backend { return backends()[i] },
			// It would win over the key that the server wants.
			Configure: func(_ testing.TB, c *backend.Config) { delete(c.Options, optionModelAPIKey) },
		}
		name := b.Describe().Name
		if name == "openai" || name == "vllm" { // the process of the others is the same
			suite.Binary = func(testing.TB) string { return path }
		}
		t.Run(name, func(t *testing.T) { backendtest.Run(t, suite) })
	}
}
