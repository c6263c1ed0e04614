package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// setLimits adds the length of the answer and the stop texts where they are
// asked for. stop "" is a shape without stop texts.
func (o *object) setLimits(c *backend.Chat, maxTokens, stop string) {
	if c.MaxTokens > 0 {
		o.set(maxTokens, number(c.MaxTokens))
	}
	if len(c.Stop) > 0 && stop != "" {
		o.set(stop, quotedList(c.Stop))
	}
}

// converseBody: content is a list of {"text"} and {"image"}.
func converseBody(c *backend.Chat) (object, *fault.Error) {
	talk, failure := conversationOf(c.Messages)
	if failure != nil {
		return nil, failure
	}
	body := object{{"messages", converseMessages(talk)}}
	if talk.system != "" {
		body.set("system", list([]json.RawMessage{object{{"text", quoted(talk.system)}}.text()}))
	}
	var limits object
	limits.setLimits(c, "maxTokens", "stopSequences")
	if len(limits) > 0 {
		body.set("inferenceConfig", limits.text())
	}
	return body, nil
}

func converseMessages(talk conversation) json.RawMessage {
	messages := make([]json.RawMessage, len(talk.turns))
	for i, t := range talk.turns {
		content := make([]json.RawMessage, len(t.parts))
		for j, p := range t.parts {
			if p.picture == nil {
				content[j] = object{{"text", quoted(p.text)}}.text()
				continue
			}
			source := object{{"bytes", quoted(p.picture.base64)}}
			if p.picture.s3 != "" {
				source = object{{"s3Location", object{{"uri", quoted(p.picture.s3)}}.text()}}
			}
			image := object{{"format", quoted(p.picture.format)}, {"source", source.text()}}
			content[j] = object{{"image", image.text()}}.text()
		}
		messages[i] = object{{"role", quoted(t.role)}, {"content", list(content)}}.text()
	}
	return list(messages)
}

// novaBody is Converse's with a version ("messages-v1").
func novaBody(c *backend.Chat) (object, *fault.Error) {
	body, failure := converseBody(c)
	if failure != nil {
		return nil, failure
	}
	return append(object{{"schemaVersion", quoted("messages-v1")}}, body...), nil
}

// anthropicBody is that of Anthropic's Messages API, without "model" and with a
// version of its own.
func anthropicBody(c *backend.Chat) (object, *fault.Error) {
	talk, failure := conversationOf(c.Messages)
	if failure != nil {
		return nil, failure
	}
	messages := make([]json.RawMessage, len(talk.turns))
	for i, t := range talk.turns {
		content := quoted(t.parts[0].text)
		if len(t.parts) > 1 || t.parts[0].picture != nil {
			if content, failure = anthropicContent(t.parts); failure != nil {
				return nil, failure
			}
		}
		messages[i] = object{{"role", quoted(t.role)}, {"content", content}}.text()
	}
	body := object{{"anthropic_version", quoted("bedrock-2023-05-31")}, {"messages", list(messages)}}
	if talk.system != "" {
		body.set("system", quoted(talk.system))
	}
	body.set("max_tokens", number(anthropicMaxTokens))
	body.setLimits(c, "max_tokens", "stop_sequences")
	return body, nil
}

func anthropicContent(parts []part) (json.RawMessage, *fault.Error) {
	content := make([]json.RawMessage, len(parts))
	for i, p := range parts {
		if p.picture == nil {
			content[i] = object{{"type", quoted("text")}, {"text", quoted(p.text)}}.text()
			continue
		}
		if failure := p.picture.needsBytes(); failure != nil {
			return nil, failure
		}
		source := object{{"type", quoted("base64")}, {"media_type", quoted(p.picture.mediaType())}, {"data", quoted(p.picture.base64)}}
		content[i] = object{{"type", quoted("image")}, {"source", source.text()}}.text()
	}
	return list(content), nil
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

func titanBody(c *backend.Chat) (object, *fault.Error) {
	prompt, failure := asPrompt(c.Messages)
	if failure != nil {
		return nil, failure
	}
	body := object{{"inputText", quoted(prompt)}}
	var config object
	config.setLimits(c, "maxTokenCount", "stopSequences")
	if len(config) > 0 {
		body.set("textGenerationConfig", config.text())
	}
	return body, nil
}

// promptBody is a text to be continued, as the Llama, Mistral and older models
// take it. It is sent as it is: these models see no chat template.
func promptBody(field, maxTokens, stop string) func(*backend.Chat) (object, *fault.Error) {
	return func(c *backend.Chat) (object, *fault.Error) {
		prompt, failure := asPrompt(c.Messages)
		if failure != nil {
			return nil, failure
		}
		body := object{{field, quoted(prompt)}}
		body.setLimits(c, maxTokens, stop)
		return body, nil
	}
}

// commandBody is that of Cohere's Command R: the last message, and the history
// before it.
func commandBody(c *backend.Chat) (object, *fault.Error) {
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
		history = append(history, object{{"role", quoted(role)}, {"message", quoted(t.parts[0].text)}}.text())
	}
	body := object{{"message", quoted(message)}}
	if len(history) > 0 {
		body.set("chat_history", list(history))
	}
	if talk.system != "" {
		body.set("preamble", quoted(talk.system))
	}
	body.setLimits(c, "max_tokens", "stop_sequences")
	return body, nil
}

// chatBody is that of OpenAI's chat completions, which most makers of open
// models have taken over. "stream" and "model" may be left out and are.
func chatBody(maxTokens string) func(*backend.Chat) (object, *fault.Error) {
	return func(c *backend.Chat) (object, *fault.Error) {
		talk, failure := conversationOf(c.Messages)
		if failure != nil {
			return nil, failure
		}
		var messages []json.RawMessage
		if talk.system != "" {
			messages = append(messages, object{{"role", quoted("system")}, {"content", quoted(talk.system)}}.text())
		}
		for _, t := range talk.turns {
			content := quoted(t.parts[0].text)
			if len(t.parts) > 1 || t.parts[0].picture != nil {
				if content, failure = chatContent(t.parts); failure != nil {
					return nil, failure
				}
			}
			messages = append(messages, object{{"role", quoted(t.role)}, {"content", content}}.text())
		}
		body := object{{"messages", list(messages)}}
		body.setLimits(c, maxTokens, "stop")
		return body, nil
	}
}

func chatContent(parts []part) (json.RawMessage, *fault.Error) {
	content := make([]json.RawMessage, len(parts))
	for i, p := range parts {
		if p.picture == nil {
			content[i] = object{{"type", quoted("text")}, {"text", quoted(p.text)}}.text()
			continue
		}
		if failure := p.picture.needsBytes(); failure != nil {
			return nil, failure
		}
		url := object{{"url", quoted("data:" + p.picture.mediaType() + ";base64," + p.picture.base64)}}
		content[i] = object{{"type", quoted("image_url")}, {"image_url", url.text()}}.text()
	}
	return list(content), nil
}

// titanEmbedBody takes one text: Titan has no batches.
func titanEmbedBody(e *backend.Embed) (object, *fault.Error) {
	if len(e.Images) > 0 {
		return nil, noPictures()
	}
	if len(e.Inputs) != 1 {
		failure := fault.New(fault.InvalidRequest, "Amazon Titan embeds one text a request, not %d", len(e.Inputs))
		failure.Hint = "use --batch-size 1, or a Cohere model"
		return nil, failure
	}
	body := object{{"inputText", quoted(e.Inputs[0])}}
	if e.Dimensions > 0 {
		body.set("dimensions", number(e.Dimensions))
	}
	return body, nil
}

// cohereEmbedBody takes a batch. input_type is required; its default is what
// the texts of a benchmark are like.
func cohereEmbedBody(e *backend.Embed) (object, *fault.Error) {
	if len(e.Images) > 0 {
		return nil, noPictures()
	}
	kind := e.InputType
	if kind == "" {
		kind = "search_document"
	}
	body := object{{"texts", quotedList(e.Inputs)}, {"input_type", quoted(kind)}}
	if e.Dimensions > 0 {
		body.set("output_dimension", number(e.Dimensions)) // Embed v4
	}
	return body, nil
}

func noPictures() *fault.Error {
	return fault.New(fault.InvalidRequest, "embeddings of pictures are not supported by this backend")
}
