package settings

import "github.com/genai-bench/genai-bench/sdk/backend"

// target declares the flags that say what is measured.
func (b *Benchmark) target(d declarer) {
	d.text(&b.APIBackend, "api-backend", "backend to measure; genai-bench plugins list shows those found")
	d.text(&b.APIBase, "api-base", "address of the server, as http://127.0.0.1:8000, with or without /v1")
	d.value(secretValue{&b.APIKey}, "api-key", "key for the server; better by the backend's environment variable")
	d.value(enumValue{&b.Task, taskNames()}, "task", "what is asked of the model")
	d.text(&b.APIModelName, "api-model-name", "model as the server names it")
	b.Endpoint = "auto"
	d.value(enumValue{&b.Endpoint, []string{"auto", "chat", "completions"}}, "endpoint", "where text generation goes: auto is the backend's usual one, mostly chat; completions take the prompt as it is, without a chat template")
	d.value(jsonObject{&b.RequestParams}, "additional-request-params", `JSON object merged into every request, as '{"temperature": 0.5}'`)
	b.Stream = true
	d.flag(&b.Stream, "stream", "ask for streamed answers; --stream=false for whole ones")
}

// labels declares the flags that are stored with the results.
func (b *Benchmark) labels(d declarer) {
	d.text(&b.ServerEngine, "server-engine", "engine of the server, as vLLM, SGLang, TGI")
	d.text(&b.ServerVersion, "server-version", "its version")
	d.text(&b.ServerGPUType, "server-gpu-type", "its accelerator, as H100, MI300")
	d.text(&b.ServerGPUCount, "server-gpu-count", "how many of them")
	d.text(&b.Model, "model", "name of the model in results; default is the last part of --model-tokenizer or --api-model-name")
}

func taskNames() []string {
	var names []string
	for _, t := range backend.Tasks() {
		names = append(names, string(t))
	}
	return names
}

// ServerEngines are engines that the Python tool knows, for completion; any text
// is taken.
func ServerEngines() []string {
	return []string{"vLLM", "SGLang", "TGI", "cohere-TensorRT", "cohere-vLLM", "LlamaCPP"}
}

// ServerGPUTypes are accelerators, for completion; any text is taken.
func ServerGPUTypes() []string {
	return []string{"H100", "A100-80G", "A100-40G", "MI300", "A10", "H200", "B200", "RTX-PRO-6000"}
}
