package main

import (
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// shape is the form of the request bodies of Converse, or of one family of
// models in InvokeModel.
type shape struct {
	// chat and embed make the body, without the user's parameters. nil: the
	// family does not do that.
	chat  func(c *backend.Chat) (jsonhttp.Object, *fault.Error)
	embed func(e *backend.Embed) (jsonhttp.Object, *fault.Error)
	// moves says where the shape has parameters that are named otherwise with
	// most APIs: "top_p": "textGenerationConfig.topP".
	moves map[string]string
	// own are the top-level fields of the shape and rest the object that takes
	// all other parameters; rest "" is the top level.
	own  []string
	rest string
}

// anthropicMaxTokens is sent where no length is asked for, because Anthropic's
// max_tokens is required. The number is that of the Python tool.
const anthropicMaxTokens = 1000

// shapes are the bodies of the families in InvokeModel. Sources: the sections
// "Inference request parameters and response fields for foundation models" of
// the Amazon Bedrock user guide.
var shapes = map[family]shape{
	anthropic: {chat: anthropicBody, moves: map[string]string{"stop": "stop_sequences"}},
	nova: {chat: novaBody, moves: map[string]string{
		"max_tokens": "inferenceConfig.maxTokens", "temperature": "inferenceConfig.temperature", "top_p": "inferenceConfig.topP",
		"top_k": "inferenceConfig.topK", "stop": "inferenceConfig.stopSequences", "stop_sequences": "inferenceConfig.stopSequences",
	}},
	titan: {chat: titanBody, moves: map[string]string{
		"max_tokens": "textGenerationConfig.maxTokenCount", "temperature": "textGenerationConfig.temperature",
		"top_p": "textGenerationConfig.topP", "stop": "textGenerationConfig.stopSequences", "stop_sequences": "textGenerationConfig.stopSequences",
	}},
	llama:   {chat: promptBody("prompt", "max_gen_len", ""), moves: map[string]string{"max_tokens": "max_gen_len"}},
	command: {chat: commandBody, moves: map[string]string{"top_p": "p", "top_k": "k", "stop": "stop_sequences"}},
	mistral: {chat: promptBody("prompt", "max_tokens", "stop")},
	openai:  {chat: chatBody("max_completion_tokens"), moves: map[string]string{"max_tokens": "max_completion_tokens"}},
	chat:    {chat: chatBody("max_tokens"), moves: map[string]string{"max_completion_tokens": "max_tokens"}},
	generic: {chat: promptBody("prompt", "max_tokens", "stop")},

	titanEmbed:  {embed: titanEmbedBody},
	cohereEmbed: {embed: cohereEmbedBody},
}

// converseShape is the body of Converse and ConverseStream: API_runtime_Converse
// in the Amazon Bedrock API reference.
var converseShape = shape{
	chat: converseBody,
	moves: map[string]string{
		"max_tokens": "inferenceConfig.maxTokens", "max_completion_tokens": "inferenceConfig.maxTokens", "maxTokens": "inferenceConfig.maxTokens",
		"temperature": "inferenceConfig.temperature", "top_p": "inferenceConfig.topP", "topP": "inferenceConfig.topP",
		"stop": "inferenceConfig.stopSequences", "stop_sequences": "inferenceConfig.stopSequences", "stopSequences": "inferenceConfig.stopSequences",
	},
	own: []string{
		"messages", "system", "inferenceConfig", "toolConfig", "guardrailConfig", "additionalModelRequestFields",
		"additionalModelResponseFieldPaths", "promptVariables", "requestMetadata", "performanceConfig", "serviceTier", "outputConfig",
	},
	rest: "additionalModelRequestFields",
}

// unsent are parameters that no API of Bedrock takes in a body. "stream"
// chooses the operation instead.
var unsent = []string{"stream", "ignore_eos"}

// apply lays parameters over a body, each where the shape has it.
func (s shape) apply(body *jsonhttp.Object, params jsonhttp.Object) {
	for _, p := range params {
		if slices.Contains(unsent, p.Name) {
			continue
		}
		target, moved := s.moves[p.Name]
		switch {
		case moved && p.Name == "stop" && len(p.Value) > 0 && p.Value[0] == '"': // one text, as OpenAI has it
			body.MergeAt(target, jsonhttp.List(p.Value))
		case moved:
			body.MergeAt(target, p.Value)
		case s.rest != "" && !slices.Contains(s.own, p.Name):
			body.MergeAt(s.rest+"."+p.Name, p.Value)
		default:
			body.Merge(jsonhttp.Object{p})
		}
	}
}

// body is a request's body: the shape's fields, and over them the parameters.
func (s shape) body(request *backend.Request, params ...jsonhttp.Object) ([]byte, *fault.Error) {
	var fields jsonhttp.Object
	var failure *fault.Error
	switch {
	case request.Chat != nil && s.chat != nil:
		fields, failure = s.chat(request.Chat)
	case request.Embed != nil && s.embed != nil:
		fields, failure = s.embed(request.Embed)
	default:
		failure = fault.New(fault.InvalidRequest, "this model is not one for requests of the kind %q", request.Kind())
		failure.Hint = "check --task and --api-model-name; --bedrock-model-family says what a model is whose name does not"
	}
	if failure != nil {
		return nil, failure
	}
	for _, p := range params {
		s.apply(&fields, p)
	}
	return fields.Text(), nil
}
