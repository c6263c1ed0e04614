module github.com/genai-bench/genai-bench/plugins/openai

go 1.26.0

require (
	github.com/genai-bench/genai-bench/sdk v0.1.0
	github.com/google/go-cmp v0.7.0
	go.uber.org/goleak v1.3.0
)
