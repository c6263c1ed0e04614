package main

import (
	"context"
	"errors"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// cohere is a backend.Backend for Cohere's API, version 2, as its OpenAPI
// document describes it
// (https://github.com/cohere-ai/cohere-developer-experience, cohere-openapi.yaml).
type cohere struct {
	client *client // nil until Open
}

var _ backend.Prober = (*cohere)(nil)

// errNotOpen is a mistake of the host: requests come after a successful Open.
var errNotOpen = errors.New("the backend was not opened")

// Describe implements backend.Backend.
func (c *cohere) Describe() backend.Description {
	chat, embed := []backend.Kind{backend.KindChat}, []backend.Kind{backend.KindEmbed}
	return backend.Description{
		Name:           "cohere",
		Summary:        "Cohere's own API: chat, embeddings, rerank",
		DefaultAPIBase: defaultAPIBase,
		APIBase:        backend.Optional,
		// Whether a key is needed depends on the address, which Open sees.
		APIKey:    backend.Optional,
		APIKeyEnv: keyEnv(),
		Options:   options(),
		Tasks: []backend.TaskSupport{
			{Task: backend.TextToText, Requests: chat, Streaming: backend.StreamingOptional, Parts: []string{"text"}},
			{Task: backend.ImageTextToText, Requests: chat, Streaming: backend.StreamingOptional, Parts: []string{"text", "image"}},
			{Task: backend.TextToEmbeddings, Requests: embed, Streaming: backend.StreamingNo, Parts: []string{"text"}},
			{Task: backend.ImageToEmbedding, Requests: embed, Streaming: backend.StreamingNo, Parts: []string{"image"}},
			{Task: backend.TextToRerank, Requests: []backend.Kind{backend.KindRerank}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
		},
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel, backend.CanStick},
	}
}

// Open implements backend.Backend.
func (c *cohere) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	client, problems := newClient(config)
	opened := backend.Opened{Problems: problems}
	if client == nil {
		return opened, nil
	}
	c.client = client
	opened.Endpoint = client.url(client.kind())
	opened.Clock, opened.ClockNote = client.http.Clock()
	opened.EffectiveConfig = client.effectiveConfig(opened.Endpoint)
	return opened, nil
}

// Probe implements backend.Prober.
func (c *cohere) Probe(ctx context.Context) (backend.Probe, error) {
	if c.client == nil {
		return backend.Probe{}, errNotOpen
	}
	return c.client.probe(ctx), nil
}

// Do implements backend.Backend.
func (c *cohere) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if c.client == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	c.client.do(ctx, request, recorder)
}

// Close implements backend.Backend.
func (c *cohere) Close(context.Context) error {
	if c.client != nil {
		c.client.http.Close()
	}
	return nil
}
