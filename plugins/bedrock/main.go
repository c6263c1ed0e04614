// Genai-bench-plugin-bedrock benchmarks the models of Amazon Bedrock, through
// Converse or through InvokeModel.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
)

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name:     "bedrock",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		Backends: backends(),
		// Whatever AWS's default chain reads: keys, profiles, files, roles of
		// containers and web identities.
		EnvPassthrough: []string{"AWS_*"},
	}))
}
