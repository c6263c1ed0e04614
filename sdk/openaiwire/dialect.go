package openaiwire

import "github.com/genai-bench/genai-bench/sdk/backend"

// Dialect is in what a server differs from OpenAI's own. The zero value is a
// server with no extensions.
type Dialect struct {
	// FixLength is how the server is told to produce exactly max_tokens tokens.
	FixLength FixLength
	// Unsent names top-level fields that the server refuses: a parameter of the
	// user of that name is left out, with a warning from New.
	Unsent []string
	// MaxTokensField is the field that bounds the output of chat completions;
	// "" is "max_tokens". A user who sends the other spelling as a parameter
	// replaces it.
	MaxTokensField string
	// NoModel: the address names the model, the body does not.
	NoModel bool
	// NoStreamOptions: the server refuses stream_options, and reports usage on
	// streams by itself or not at all.
	NoStreamOptions bool
	// VersionPath is where the server tells its version as {"version": …},
	// below the address without /v1; "" where it does not.
	VersionPath string
}

// FixLength is how a server is told to ignore the end of the text.
type FixLength uint8

// The ways that are known.
const (
	CannotFix FixLength = iota
	IgnoreEOS           // "ignore_eos": true (vLLM, SGLang)
	MinTokens           // "min_tokens": as many as max_tokens
)

// The spellings of the output limit.
const (
	fieldMaxTokens           = "max_tokens"
	fieldMaxCompletionTokens = "max_completion_tokens"
)

func (d Dialect) maxTokensField() string {
	if d.MaxTokensField == "" {
		return fieldMaxTokens
	}
	return d.MaxTokensField
}

// otherMaxTokensField is the spelling that the user may use instead.
func (d Dialect) otherMaxTokensField() string {
	if d.maxTokensField() == fieldMaxTokens {
		return fieldMaxCompletionTokens
	}
	return fieldMaxTokens
}

// paths are the endpoints below /v1.
var paths = map[backend.Kind]string{
	backend.KindChat:       "/chat/completions",
	backend.KindCompletion: "/completions",
	backend.KindEmbed:      "/embeddings",
	backend.KindRerank:     "/rerank",
	backend.KindImage:      "/images/generations",
	backend.KindSpeech:     "/audio/speech",
}
