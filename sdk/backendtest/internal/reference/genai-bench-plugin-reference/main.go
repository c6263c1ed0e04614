// Command genai-bench-plugin-reference is the reference backend as a plugin, for
// the conformance suite's own test.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest/internal/reference"
)

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name: "reference", Version: sdk.Version, Backends: []backend.Backend{reference.New("")},
	}))
}
