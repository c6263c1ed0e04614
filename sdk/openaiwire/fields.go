package openaiwire

import (
	"encoding/json"
	"strconv"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// form is what decides about the fixed fields of a body, besides parameters.
type form struct {
	kind   backend.Kind
	stream bool // the request asks for a stream
	fixed  bool // the output's length shall be fixed
}

// fieldsOf returns the fields of a kind of request, in their order on the wire.
func (d Dialect) fieldsOf(f form) []field {
	model := field{name: "model", write: writeModel}
	if d.NoModel {
		model.write = func(dst []byte, _ *bodyInput) ([]byte, bool) { return dst, false }
	}
	switch f.kind {
	case backend.KindChat:
		return d.generationFields(f, d.maxTokensField(), model,
			field{name: "messages", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendMessages(dst, in.request.Chat.Messages), true
			}})
	case backend.KindCompletion:
		return d.generationFields(f, fieldMaxTokens, model, field{name: "prompt", write: writePrompt})
	case backend.KindEmbed:
		return []field{
			model,
			{name: "input", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendStrings(dst, in.request.Embed.Inputs), true
			}},
			{name: "encoding_format", value: json.RawMessage(`"float"`)},
			{name: "dimensions", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendCount(dst, in.request.Embed.Dimensions)
			}},
			{name: "input_type", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendWord(dst, in.request.Embed.InputType)
			}},
		}
	case backend.KindRerank:
		return []field{
			model,
			{name: "query", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendString(dst, in.request.Rerank.Query), true
			}},
			{name: "documents", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendStrings(dst, in.request.Rerank.Documents), true
			}},
			{name: "top_n", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendCount(dst, in.request.Rerank.TopN)
			}},
		}
	case backend.KindImage:
		return []field{
			model,
			{name: "prompt", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendString(dst, in.request.Image.Prompt), true
			}},
			{name: "n", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendCount(dst, max(in.request.Image.N, 1))
			}},
			{name: "size", write: writeSize},
		}
	case backend.KindSpeech:
		return []field{
			model,
			{name: "input", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendString(dst, in.request.Speech.Text), true
			}},
			{name: "voice", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendWord(dst, in.request.Speech.Voice)
			}},
			{name: "response_format", write: func(dst []byte, in *bodyInput) ([]byte, bool) {
				return appendWord(dst, in.request.Speech.Format)
			}},
		}
	}
	return nil
}

// generationFields are the fields of chat and of completions, in the order in
// which the reference tool sends them.
func (d Dialect) generationFields(f form, maxTokens string, model, input field) []field {
	fields := []field{
		model,
		input,
		{name: maxTokens, write: writeMaxTokens},
		{name: "temperature", value: json.RawMessage(`0.0`)},
		{name: "stop", write: writeStop},
	}
	if f.stream {
		fields = append(fields, field{name: "stream", value: json.RawMessage(`true`)})
		if !d.NoStreamOptions {
			fields = append(fields, field{name: "stream_options", value: json.RawMessage(`{"include_usage":true}`)})
		}
	} else {
		fields = append(fields, field{name: "stream", value: json.RawMessage(`false`)})
	}
	if f.fixed {
		switch d.FixLength {
		case IgnoreEOS:
			fields = append(fields, field{name: "ignore_eos", value: json.RawMessage(`true`)})
		case MinTokens:
			fields = append(fields, field{name: "min_tokens", write: writeMaxTokens})
		}
	}
	return fields
}

// template makes the body of a form with the users' parameters, in the order
// in which they are laid over it.
func (d Dialect) template(f form, params ...[]member) *template {
	drop := map[string]bool{}
	for _, name := range d.Unsent {
		drop[name] = true
	}
	var given []member // the last value of each parameter, nulls included
	kept := make([][]member, len(params))
	for i, patch := range params {
		for _, p := range patch {
			if !drop[p.name] {
				kept[i] = append(kept[i], p)
				given = put(given, p)
			}
		}
	}
	if i := indexOf(given, "stream"); i >= 0 {
		// stream_options without a stream is an error to some servers.
		f.stream = string(given[i].value) == "true"
	}
	fields := d.fieldsOf(f)
	if f.kind == backend.KindChat {
		other := indexOf(given, d.otherMaxTokensField())
		if other >= 0 && !isNull(given[other].value) {
			own := member{d.maxTokensField(), json.RawMessage("null")}
			kept = append([][]member{{own}}, kept...)
		}
	}
	return buildTemplate(fields, kept...)
}

func writeModel(dst []byte, in *bodyInput) ([]byte, bool) {
	if in.request.Model != "" {
		return appendString(dst, in.request.Model), true
	}
	return appendWord(dst, in.model)
}

func writePrompt(dst []byte, in *bodyInput) ([]byte, bool) {
	c := in.request.Completion
	if len(c.TokenIDs) == 0 {
		return appendString(dst, c.Prompt), true
	}
	dst = append(dst, '[')
	for i, id := range c.TokenIDs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(id), 10)
	}
	return append(dst, ']'), true
}

func writeMaxTokens(dst []byte, in *bodyInput) ([]byte, bool) {
	return appendCount(dst, maxTokensOf(in.request))
}

func maxTokensOf(r *backend.Request) uint32 {
	switch {
	case r.Chat != nil:
		return r.Chat.MaxTokens
	case r.Completion != nil:
		return r.Completion.MaxTokens
	}
	return 0
}

func writeStop(dst []byte, in *bodyInput) ([]byte, bool) {
	var stop []string
	switch {
	case in.request.Chat != nil:
		stop = in.request.Chat.Stop
	case in.request.Completion != nil:
		stop = in.request.Completion.Stop
	}
	if len(stop) == 0 {
		return dst, false
	}
	return appendStrings(dst, stop), true
}

func writeSize(dst []byte, in *bodyInput) ([]byte, bool) {
	i := in.request.Image
	if i.Width == 0 || i.Height == 0 {
		return dst, false
	}
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, uint64(i.Width), 10)
	dst = append(dst, 'x')
	dst = strconv.AppendUint(dst, uint64(i.Height), 10)
	return append(dst, '"'), true
}

// appendCount leaves a field out where 0 means that nothing was asked for.
func appendCount(dst []byte, n uint32) ([]byte, bool) {
	return strconv.AppendUint(dst, uint64(n), 10), n != 0
}

func appendWord(dst []byte, word string) ([]byte, bool) {
	return appendString(dst, word), word != ""
}
