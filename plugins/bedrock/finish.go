package main

import "github.com/genai-bench/genai-bench/sdk/backend"

// finishes are the reasons of all families: Converse, Anthropic, Nova (lower
// case with underscores), Titan and Cohere (upper case), OpenAI.
var finishes = map[string]backend.Finish{
	"end_turn":      backend.FinishStop,
	"stop_sequence": backend.FinishStop,
	"stop":          backend.FinishStop,
	"eos":           backend.FinishStop,
	"COMPLETE":      backend.FinishStop,
	"STOP_SEQUENCE": backend.FinishStop,
	"FINISH":        backend.FinishStop,
	"FINISHED":      backend.FinishStop,
	"STOP_CRITERIA": backend.FinishStop,
	"pause_turn":    backend.FinishStop,

	"max_tokens":                    backend.FinishLength,
	"length":                        backend.FinishLength,
	"model_length":                  backend.FinishLength,
	"model_context_window_exceeded": backend.FinishLength,
	"MAX_TOKENS":                    backend.FinishLength,
	"LENGTH":                        backend.FinishLength,
	"ERROR_LIMIT":                   backend.FinishLength,

	"tool_use":   backend.FinishTool,
	"tool_calls": backend.FinishTool,
	"TOOL_CALL":  backend.FinishTool,

	"guardrail_intervened": backend.FinishContentFilter,
	"content_filtered":     backend.FinishContentFilter,
	"content_filter":       backend.FinishContentFilter,
	"refusal":              backend.FinishContentFilter,
	"CONTENT_FILTERED":     backend.FinishContentFilter,
	"ERROR_TOXIC":          backend.FinishContentFilter,

	"error":                  backend.FinishError,
	"ERROR":                  backend.FinishError,
	"malformed_model_output": backend.FinishError,
	"malformed_tool_use":     backend.FinishError,
}

// finishOf maps a provider's word to the common ones.
func finishOf(raw string) backend.Finish {
	if finish, ok := finishes[raw]; ok {
		return finish
	}
	return backend.FinishUnknown
}
