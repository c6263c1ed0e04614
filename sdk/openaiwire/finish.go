package openaiwire

import "github.com/genai-bench/genai-bench/sdk/backend"

// FinishOf maps a finish reason to the common words. The raw word comes back as
// a constant where it is known, so that nothing is allocated for it.
func FinishOf(reason []byte) (backend.Finish, string) {
	switch string(reason) {
	case "":
		return backend.FinishUnspecified, ""
	case "stop":
		return backend.FinishStop, "stop"
	case "length":
		return backend.FinishLength, "length"
	case "tool_calls":
		return backend.FinishTool, "tool_calls"
	case "content_filter":
		return backend.FinishContentFilter, "content_filter"
	case "eos", "eos_token", "stop_sequence", "end_turn": // Together, TGI, proxies to Anthropic
		return backend.FinishStop, string(reason)
	case "max_tokens", "model_length": // proxies to Anthropic, Mistral
		return backend.FinishLength, string(reason)
	case "function_call", "tool_use", "tool_call":
		return backend.FinishTool, string(reason)
	case "safety", "refusal":
		return backend.FinishContentFilter, string(reason)
	case "error", "abort": // Mistral and OpenRouter; vLLM and SGLang
		return backend.FinishError, string(reason)
	}
	return backend.FinishUnknown, string(reason)
}
