// Genai-bench-plugin-azure benchmarks deployments of Azure OpenAI.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

const version = "0.1.0"

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name:     "azure",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		Backends: []backend.Backend{newAzure()},
		// Where azidentity's chain finds a service principal, a workload's or a
		// managed identity, and the tools that a developer signed in with.
		EnvPassthrough: []string{"AZURE_*", "IDENTITY_*", "MSI_*", "IMDS_*"},
	}))
}
