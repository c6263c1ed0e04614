package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// member is one field of a body.
func member(name string, value json.RawMessage) jsonhttp.Member {
	return jsonhttp.Member{Name: name, Value: value}
}

// setLimits adds the length of the answer and the stop texts where they are
// asked for. stop "" is a shape without stop texts.
func setLimits(o *jsonhttp.Object, c *backend.Chat, maxTokens, stop string) {
	if c.MaxTokens > 0 {
		o.Set(maxTokens, jsonhttp.Number(c.MaxTokens))
	}
	if len(c.Stop) > 0 && stop != "" {
		o.Set(stop, jsonhttp.QuotedList(c.Stop))
	}
}

// converseBody: content is a list of {"text"} and {"image"}.
func converseBody(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
	talk, failure := conversationOf(c.Messages)
	if failure != nil {
		return nil, failure
	}
	body := jsonhttp.Object{member("messages", converseMessages(talk))}
	if talk.system != "" {
		body.Set("system", jsonhttp.List(jsonhttp.Object{member("text", jsonhttp.Quoted(talk.system))}.Text()))
	}
	var limits jsonhttp.Object
	setLimits(&limits, c, "maxTokens", "stopSequences")
	if len(limits) > 0 {
		body.Set("inferenceConfig", limits.Text())
	}
	return body, nil
}

func converseMessages(talk conversation) json.RawMessage {
	messages := make([]json.RawMessage, len(talk.turns))
	for i, t := range talk.turns {
		content := make([]json.RawMessage, len(t.parts))
		for j, p := range t.parts {
			if p.picture == nil {
				content[j] = jsonhttp.Object{member("text", jsonhttp.Quoted(p.text))}.Text()
				continue
			}
			source := jsonhttp.Object{member("bytes", jsonhttp.Quoted(p.picture.base64))}
			if p.picture.s3 != "" {
				source = jsonhttp.Object{member("s3Location", jsonhttp.Object{member("uri", jsonhttp.Quoted(p.picture.s3))}.Text())}
			}
			image := jsonhttp.Object{member("format", jsonhttp.Quoted(p.picture.format)), member("source", source.Text())}
			content[j] = jsonhttp.Object{member("image", image.Text())}.Text()
		}
		messages[i] = jsonhttp.Object{member("role", jsonhttp.Quoted(t.role)), member("content", jsonhttp.List(content...))}.Text()
	}
	return jsonhttp.List(messages...)
}

// novaBody is Converse's with a version ("messages-v1").
func novaBody(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
	body, failure := converseBody(c)
	if failure != nil {
		return nil, failure
	}
	return append(jsonhttp.Object{member("schemaVersion", jsonhttp.Quoted("messages-v1"))}, body...), nil
}

// anthropicBody is that of Anthropic's Messages API, without "model" and with a
// version of its own.
func anthropicBody(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
	talk, failure := conversationOf(c.Messages)
	if failure != nil {
		return nil, failure
	}
	messages := make([]json.RawMessage, len(talk.turns))
	for i, t := range talk.turns {
		content := jsonhttp.Quoted(t.parts[0].text)
		if len(t.parts) > 1 || t.parts[0].picture != nil {
			if content, failure = anthropicContent(t.parts); failure != nil {
				return nil, failure
			}
		}
		messages[i] = jsonhttp.Object{member("role", jsonhttp.Quoted(t.role)), member("content", content)}.Text()
	}
	body := jsonhttp.Object{member("anthropic_version", jsonhttp.Quoted("bedrock-2023-05-31")), member("messages", jsonhttp.List(messages...))}
	if talk.system != "" {
		body.Set("system", jsonhttp.Quoted(talk.system))
	}
	body.Set("max_tokens", jsonhttp.Number(anthropicMaxTokens))
	setLimits(&body, c, "max_tokens", "stop_sequences")
	return body, nil
}

func anthropicContent(parts []part) (json.RawMessage, *fault.Error) {
	content := make([]json.RawMessage, len(parts))
	for i, p := range parts {
		if p.picture == nil {
			content[i] = jsonhttp.Object{member("type", jsonhttp.Quoted("text")), member("text", jsonhttp.Quoted(p.text))}.Text()
			continue
		}
		if failure := p.picture.needsBytes(); failure != nil {
			return nil, failure
		}
		source := jsonhttp.Object{member("type", jsonhttp.Quoted("base64")), member("media_type", jsonhttp.Quoted(p.picture.mediaType())), member("data", jsonhttp.Quoted(p.picture.base64))}
		content[i] = jsonhttp.Object{member("type", jsonhttp.Quoted("image")), member("source", source.Text())}.Text()
	}
	return jsonhttp.List(content...), nil
}

// needsBytes: an object in S3 is known to Converse and Nova alone.
func (p *picture) needsBytes() *fault.Error {
	if p.s3 == "" {
		return nil
	}
	e := fault.New(fault.InvalidRequest, "these models take no pictures from S3 in InvokeModel")
	e.Hint = "use --bedrock-api converse, or give the pictures as files"
	return e
}

func titanBody(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
	prompt, failure := asPrompt(c.Messages)
	if failure != nil {
		return nil, failure
	}
	body := jsonhttp.Object{member("inputText", jsonhttp.Quoted(prompt))}
	var config jsonhttp.Object
	setLimits(&config, c, "maxTokenCount", "stopSequences")
	if len(config) > 0 {
		body.Set("textGenerationConfig", config.Text())
	}
	return body, nil
}

// promptBody is a text to be continued, as the Llama, Mistral and older models
// take it. It is sent as it is: these models see no chat template.
func promptBody(field, maxTokens, stop string) func(*backend.Chat) (jsonhttp.Object, *fault.Error) {
	return func(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
		prompt, failure := asPrompt(c.Messages)
		if failure != nil {
			return nil, failure
		}
		body := jsonhttp.Object{member(field, jsonhttp.Quoted(prompt))}
		setLimits(&body, c, maxTokens, stop)
		return body, nil
	}
}

// commandBody is that of Cohere's Command R: the last message, and the history
// before it.
func commandBody(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
	talk, failure := conversationOf(c.Messages)
	if failure != nil {
		return nil, failure
	}
	var history []json.RawMessage
	message := ""
	for i, t := range talk.turns {
		if len(t.parts) > 1 || t.parts[0].picture != nil {
			return nil, fault.New(fault.InvalidRequest, "Cohere's Command models take no pictures")
		}
		if i == len(talk.turns)-1 {
			message = t.parts[0].text
			break
		}
		role := "USER"
		if t.role == "assistant" {
			role = "CHATBOT"
		}
		history = append(history, jsonhttp.Object{member("role", jsonhttp.Quoted(role)), member("message", jsonhttp.Quoted(t.parts[0].text))}.Text())
	}
	body := jsonhttp.Object{member("message", jsonhttp.Quoted(message))}
	if len(history) > 0 {
		body.Set("chat_history", jsonhttp.List(history...))
	}
	if talk.system != "" {
		body.Set("preamble", jsonhttp.Quoted(talk.system))
	}
	setLimits(&body, c, "max_tokens", "stop_sequences")
	return body, nil
}

// chatBody is that of OpenAI's chat completions, which most makers of open
// models have taken over. "stream" and "model" may be left out and are.
func chatBody(maxTokens string) func(*backend.Chat) (jsonhttp.Object, *fault.Error) {
	return func(c *backend.Chat) (jsonhttp.Object, *fault.Error) {
		talk, failure := conversationOf(c.Messages)
		if failure != nil {
			return nil, failure
		}
		var messages []json.RawMessage
		if talk.system != "" {
			messages = append(messages, jsonhttp.Object{member("role", jsonhttp.Quoted("system")), member("content", jsonhttp.Quoted(talk.system))}.Text())
		}
		for _, t := range talk.turns {
			content := jsonhttp.Quoted(t.parts[0].text)
			if len(t.parts) > 1 || t.parts[0].picture != nil {
				if content, failure = chatContent(t.parts); failure != nil {
					return nil, failure
				}
			}
			messages = append(messages, jsonhttp.Object{member("role", jsonhttp.Quoted(t.role)), member("content", content)}.Text())
		}
		body := jsonhttp.Object{member("messages", jsonhttp.List(messages...))}
		setLimits(&body, c, maxTokens, "stop")
		return body, nil
	}
}

func chatContent(parts []part) (json.RawMessage, *fault.Error) {
	content := make([]json.RawMessage, len(parts))
	for i, p := range parts {
		if p.picture == nil {
			content[i] = jsonhttp.Object{member("type", jsonhttp.Quoted("text")), member("text", jsonhttp.Quoted(p.text))}.Text()
			continue
		}
		if failure := p.picture.needsBytes(); failure != nil {
			return nil, failure
		}
		url := jsonhttp.Object{member("url", jsonhttp.Quoted("data:"+p.picture.mediaType()+";base64,"+p.picture.base64))}
		content[i] = jsonhttp.Object{member("type", jsonhttp.Quoted("image_url")), member("image_url", url.Text())}.Text()
	}
	return jsonhttp.List(content...), nil
}

// titanEmbedBody takes one text: Titan has no batches.
func titanEmbedBody(e *backend.Embed) (jsonhttp.Object, *fault.Error) {
	if len(e.Images) > 0 {
		return nil, noPictures()
	}
	if len(e.Inputs) != 1 {
		failure := fault.New(fault.InvalidRequest, "Amazon Titan embeds one text a request, not %d", len(e.Inputs))
		failure.Hint = "use --batch-size 1, or a Cohere model"
		return nil, failure
	}
	body := jsonhttp.Object{member("inputText", jsonhttp.Quoted(e.Inputs[0]))}
	if e.Dimensions > 0 {
		body.Set("dimensions", jsonhttp.Number(e.Dimensions))
	}
	return body, nil
}

// cohereEmbedBody takes a batch. input_type is required; its default is what
// the texts of a benchmark are like.
func cohereEmbedBody(e *backend.Embed) (jsonhttp.Object, *fault.Error) {
	if len(e.Images) > 0 {
		return nil, noPictures()
	}
	kind := e.InputType
	if kind == "" {
		kind = "search_document"
	}
	body := jsonhttp.Object{member("texts", jsonhttp.QuotedList(e.Inputs)), member("input_type", jsonhttp.Quoted(kind))}
	if e.Dimensions > 0 {
		body.Set("output_dimension", jsonhttp.Number(e.Dimensions)) // Embed v4
	}
	return body, nil
}

func noPictures() *fault.Error {
	return fault.New(fault.InvalidRequest, "embeddings of pictures are not supported by this backend")
}
