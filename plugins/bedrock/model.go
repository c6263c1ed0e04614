package main

import (
	"regexp"
	"strings"
)

// modelID is what --api-model-name names: a foundation model, an inference
// profile of several regions ("us.…"), or the ARN of either, of a profile of
// one's own, of a custom or an imported model.
type modelID string

const arnPrefix = "arn:"

// resource is an ARN's resource type ("application-inference-profile") and the
// region in it; "" for plain ids.
func (m modelID) resource() (kind, region string) {
	parts := strings.SplitN(string(m), ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return "", ""
	}
	kind, _, _ = strings.Cut(parts[5], "/")
	return kind, parts[3]
}

// plain tells whether the id names a foundation model directly: no profile and
// no ARN.
func (m modelID) plain() bool {
	return !strings.HasPrefix(string(m), arnPrefix) && !geography.MatchString(string(m))
}

// geography is the prefix of the inference profiles that AWS defines.
var geography = regexp.MustCompile(`^(us|eu|apac|ap|au|ca|jp|sa|me|il|us-gov|global)\.`)

// family is the one whose bodies the model takes in InvokeModel, as far as its
// name tells.
func (m modelID) family() family {
	name := strings.ToLower(string(m))
	if strings.HasPrefix(name, arnPrefix) {
		rest := name[strings.LastIndexByte(name, ':')+1:]
		for _, kind := range []string{":foundation-model/", ":inference-profile/", ":custom-model/"} {
			if _, id, ok := strings.Cut(name, kind); ok { // the id of a foundation model has colons itself
				rest, _, _ = strings.Cut(id, "/") // of a custom model, the one that it was made from
			}
		}
		name = rest
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	name = geography.ReplaceAllString(name, "")
	for _, known := range familyNames {
		if known.pattern.MatchString(name) {
			return known.family
		}
	}
	return generic
}

// familyNames tell the family by a model's id; the first that matches counts.
// The later ones also know the names that people give to models of their own.
var familyNames = []struct {
	pattern *regexp.Regexp
	family  family
}{
	{regexp.MustCompile(`^amazon\.titan-embed`), titanEmbed},
	{regexp.MustCompile(`^cohere\.embed`), cohereEmbed},
	{regexp.MustCompile(`^amazon\.nova`), nova},
	{regexp.MustCompile(`^amazon\.titan`), titan},
	{regexp.MustCompile(`^cohere\.`), command},
	{regexp.MustCompile(`^mistral\.(mistral-7b|mixtral-8x7b|mistral-small-2402|mistral-large-2402)`), mistral},
	{regexp.MustCompile(`^deepseek\.r1`), mistral}, // the same body, answered with choices
	{regexp.MustCompile(`^openai\.`), openai},
	{regexp.MustCompile(`^(mistral|qwen|ai21|deepseek|moonshot|moonshotai|minimax|zai|google|nvidia|writer)\.`), chat},
	{regexp.MustCompile(`claude`), anthropic},
	{regexp.MustCompile(`titan-embed`), titanEmbed},
	{regexp.MustCompile(`titan`), titan},
	{regexp.MustCompile(`llama`), llama},
}

// family is a family of models with bodies of its own in InvokeModel.
type family string

// The values of --bedrock-model-family, besides auto.
const (
	anthropic   family = "anthropic"
	nova        family = "nova"
	titan       family = "titan"
	llama       family = "llama"
	command     family = "cohere"
	mistral     family = "mistral"
	openai      family = "openai" // OpenAI's chat completions
	chat        family = "chat"   // the same as most others took them over
	generic     family = "generic"
	titanEmbed  family = "titan-embed"
	cohereEmbed family = "cohere-embed"
)

// operation is one of the paths below /model/ID.
type operation string

// The operations of the Amazon Bedrock runtime that this plugin calls.
const (
	opConverse       operation = "converse"
	opConverseStream operation = "converse-stream"
	opInvoke         operation = "invoke"
	opInvokeStream   operation = "invoke-with-response-stream"
	opCountTokens    operation = "count-tokens"
)

// path is the operation's path. The id is one label of it: all but the
// unreserved characters of RFC 3986 are escaped, as the SDKs do, slashes and
// colons included; the signature's canonical path escapes it once more.
func (m modelID) path(op operation) string {
	const hex = "0123456789ABCDEF"
	b := []byte("/model/")
	for i := range len(m) {
		c := m[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(append(append(b, '/'), op...))
}

// withoutConverse tells of models that generate text only through InvokeModel.
// An imported model may or may not have Converse, which its name does not say.
func (m modelID) withoutConverse() bool {
	kind, _ := m.resource()
	name := geography.ReplaceAllString(string(m), "")
	return kind == "imported-model" || strings.HasPrefix(name, "twelvelabs.")
}
