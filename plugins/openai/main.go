// Genai-bench-plugin-openai benchmarks servers that speak OpenAI's API: OpenAI
// itself, vLLM, SGLang, Together AI, and whatever else is compatible.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
)

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name:     "openai",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		Backends: backends(),
	}))
}
