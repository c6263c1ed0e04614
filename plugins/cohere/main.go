// Genai-bench-plugin-cohere benchmarks Cohere's own API: chat, embeddings and
// rerank.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

const version = "0.1.0"

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name:     "cohere",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		Backends: []backend.Backend{new(cohere)},
	}))
}
