// Genai-bench-plugin-vertex benchmarks models on Google Cloud's Vertex AI.
package main

import (
	"os"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

const version = "0.1.0"

func main() {
	os.Exit(sdk.Serve(sdk.Plugin{
		Name:     "vertex",
		Version:  version,
		Vendor:   "genai-bench",
		License:  "Apache-2.0",
		Homepage: "https://github.com/genai-bench/genai-bench",
		Backends: []backend.Backend{new(vertex)},
		// Where Google's libraries find application default credentials. Not GOOGLE_*:
		// GOOGLE_SDK_GO_LOGGING_LEVEL would have them log what is sent.
		EnvPassthrough: []string{
			"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
			"CLOUDSDK_CONFIG", "GCE_METADATA_*", "NO_GCE_CHECK",
		},
	}))
}
