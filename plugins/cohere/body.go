package main

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// aliases are the names that other APIs have for Cohere's fields.
var aliases = map[string]string{
	"top_p": "p", "top_k": "k", "stop": "stop_sequences", "max_completion_tokens": "max_tokens", "dimensions": "output_dimension",
}

// spelled gives a user's parameters Cohere's names: its own in camel case, as
// other Cohere APIs have them, and those of aliases. Where both are given,
// Cohere's own counts. What Cohere has no field for, and every tool sends, is
// left out.
func spelled(given jsonhttp.Object) jsonhttp.Object {
	var params jsonhttp.Object
	for _, m := range given {
		name := snake(m.Name)
		if name == "ignore_eos" {
			continue
		}
		if better, ok := aliases[name]; ok {
			name = better
		}
		if name != m.Name && given.Get(name) != nil {
			continue
		}
		params.Set(name, m.Value)
	}
	return params
}

// snake turns camel case into snake case.
func snake(name string) string {
	if strings.ToLower(name) == name {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// body makes the body of a request, the user's parameters merged last, and tells
// whether it asks for a stream.
func (c *client) body(r *backend.Request) (body []byte, stream bool, failure *fault.Error) {
	own, err := jsonhttp.ParseObject(r.Params)
	if err != nil {
		return nil, false, fault.New(fault.InvalidRequest, "the request's parameters are no JSON object: %v", err)
	}
	own = spelled(own)
	model := r.Model
	if model == "" {
		model = c.model
	}
	o := jsonhttp.Object{{Name: "model", Value: jsonhttp.Quoted(model)}}
	switch {
	case r.Chat != nil:
		failure = chatFields(&o, r.Chat)
	case r.Embed != nil:
		failure = embedFields(&o, r.Embed)
	case r.Rerank != nil:
		o.Set("query", jsonhttp.Quoted(r.Rerank.Query))
		o.Set("documents", jsonhttp.QuotedList(r.Rerank.Documents))
		if r.Rerank.TopN > 0 {
			o.Set("top_n", jsonhttp.Number(r.Rerank.TopN))
		}
	default:
		failure = fault.New(fault.InvalidRequest, "cohere has no requests of the kind %q", r.Kind())
	}
	if failure != nil {
		return nil, false, failure
	}
	o.Merge(c.params)
	o.Merge(own)
	return o.Text(), string(o.Get("stream")) == "true", nil
}

// chatFields are those of POST /v2/chat.
func chatFields(o *jsonhttp.Object, chat *backend.Chat) *fault.Error {
	messages := make([]json.RawMessage, len(chat.Messages))
	for i, m := range chat.Messages {
		role := strings.ToLower(m.Role)
		messages[i] = jsonhttp.Object{
			{Name: "role", Value: jsonhttp.Quoted(role)},
			{Name: "content", Value: content(m)},
		}.Text()
	}
	o.Set("messages", jsonhttp.List(messages...))
	stream := "false"
	if chat.Stream {
		stream = "true"
	}
	o.Set("stream", json.RawMessage(stream))
	if chat.MaxTokens > 0 {
		o.Set("max_tokens", jsonhttp.Number(chat.MaxTokens))
	}
	if len(chat.Stop) > 0 {
		o.Set("stop_sequences", jsonhttp.QuotedList(chat.Stop))
	}
	return nil
}

// content is a message's: a text, or a list of blocks where pictures are in it.
func content(m backend.Message) json.RawMessage {
	if !m.HasImages() {
		return jsonhttp.Quoted(m.TextOf())
	}
	var blocks []json.RawMessage
	for i := 0; i < len(m.Parts); {
		if image := m.Parts[i].Image; image != nil {
			blocks = append(blocks, imageBlock(*image))
			i++
			continue
		}
		end := i + 1
		for end < len(m.Parts) && m.Parts[end].Image == nil {
			end++
		}
		blocks = append(blocks, textBlock(backend.Message{Parts: m.Parts[i:end]}.TextOf()))
		i = end
	}
	return jsonhttp.List(blocks...)
}

func textBlock(text string) json.RawMessage {
	return jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("text")}, {Name: "text", Value: jsonhttp.Quoted(text)}}.Text()
}

func imageBlock(image backend.Image) json.RawMessage {
	url := jsonhttp.Object{{Name: "url", Value: imageURL(image)}}.Text()
	return jsonhttp.Object{{Name: "type", Value: jsonhttp.Quoted("image_url")}, {Name: "image_url", Value: url}}.Text()
}

// imageURL is a picture's address, or its bytes as a data URL.
func imageURL(image backend.Image) json.RawMessage {
	if len(image.Bytes) == 0 {
		return jsonhttp.Quoted(image.URL)
	}
	dst := slices.Grow([]byte(nil), base64.StdEncoding.EncodedLen(len(image.Bytes))+len(image.MIME)+16)
	dst = append(append(append(dst, "data:"...), image.MIME...), ";base64,"...)
	return jsonhttp.Quoted(string(base64.StdEncoding.AppendEncode(dst, image.Bytes)))
}

// Input types of POST /v2/embed. clustering is the Python tool's, which spells it
// in capitals; Embed v4 takes whatever has both texts and pictures as documents.
const (
	inputTexts  = "clustering"
	inputImages = "image"
	inputMixed  = "search_document"
)

// embedFields are those of POST /v2/embed.
func embedFields(o *jsonhttp.Object, e *backend.Embed) *fault.Error {
	kind := inputTexts
	switch {
	case len(e.Inputs) > 0 && len(e.Images) > 0:
		kind = inputMixed
		var inputs []json.RawMessage
		add := func(block json.RawMessage) {
			inputs = append(inputs, jsonhttp.Object{{Name: "content", Value: jsonhttp.List(block)}}.Text())
		}
		for _, text := range e.Inputs {
			add(textBlock(text))
		}
		for _, image := range e.Images {
			add(imageBlock(image))
		}
		o.Set("inputs", jsonhttp.List(inputs...))
	case len(e.Images) > 0:
		kind = inputImages
		urls := make([]json.RawMessage, len(e.Images))
		for i, image := range e.Images {
			urls[i] = imageURL(image)
		}
		o.Set("images", jsonhttp.List(urls...))
	case len(e.Inputs) > 0:
		o.Set("texts", jsonhttp.QuotedList(e.Inputs))
	default:
		return fault.New(fault.InvalidRequest, "there is nothing to embed")
	}
	if e.InputType != "" {
		kind = strings.ToLower(e.InputType)
	}
	o.Set("input_type", jsonhttp.Quoted(kind))
	o.Set("embedding_types", json.RawMessage(`["float"]`))
	o.Set("truncate", json.RawMessage(`"END"`))
	if e.Dimensions > 0 {
		o.Set("output_dimension", jsonhttp.Number(e.Dimensions))
	}
	return nil
}
