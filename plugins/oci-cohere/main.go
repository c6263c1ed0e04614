// Genai-bench-plugin-oci-cohere benchmarks Oracle Cloud Infrastructure's
// Generative AI service: its own inference API with the Cohere models and all
// others, and its OpenAI-compatible endpoints.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk"
)

func main() { os.Exit(sdk.Serve(plugin())) }

func plugin() sdk.Plugin {
	return sdk.Plugin{
		Name:     "oci-cohere",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		// Where an instance's credentials come from, and regions that the SDK does
		// not know yet. Not OCI_*: OCI_GO_SDK_DEBUG would have the SDK log tokens.
		EnvPassthrough: []string{auth.EnvMetadata, auth.EnvFederation, "OCI_REGION_METADATA", "OCI_DEFAULT_REALM"},
		Backends:       backends(),
	}
}
