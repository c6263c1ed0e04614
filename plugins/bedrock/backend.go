package main

import (
	"context"
	"errors"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

const version = "0.1.0"

// backends are the backends of this plugin.
func backends() []backend.Backend { return []backend.Backend{new(bedrock)} }

// bedrock is the backend aws-bedrock.
type bedrock struct {
	client *client // nil until Open
}

var _ backend.Prober = (*bedrock)(nil)

// errNotOpen is a mistake of the host: requests come after a successful Open.
var errNotOpen = errors.New("the backend was not opened")

// Describe implements backend.Backend.
func (b *bedrock) Describe() backend.Description {
	return backend.Description{
		Name:    "aws-bedrock",
		Summary: "Amazon Bedrock: Converse, and InvokeModel in the bodies of each family of models",
		Tasks: []backend.TaskSupport{
			{Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional, Parts: []string{"text"}},
			{Task: backend.ImageTextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional, Parts: []string{"text", "image"}},
			{Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
		},
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel, backend.CanStick},
		APIBase:      backend.Optional,
		// An Amazon Bedrock API key is one of several ways to authenticate.
		APIKey:    backend.Optional,
		APIKeyEnv: []string{envBearer},
		Options:   options(),
	}
}

// Open implements backend.Backend.
func (b *bedrock) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	c, problems := newClient(ctx, config)
	opened := backend.Opened{Problems: problems}
	if c == nil {
		return opened, nil
	}
	b.client = c
	opened.Endpoint = c.endpoint(config.Task)
	opened.Clock, opened.ClockNote = c.http.Clock()
	opened.EffectiveConfig = c.effectiveConfig(opened.Endpoint)
	return opened, nil
}

// Probe implements backend.Prober.
func (b *bedrock) Probe(ctx context.Context) (backend.Probe, error) {
	if b.client == nil {
		return backend.Probe{}, errNotOpen
	}
	return b.client.probe(ctx)
}

// Do implements backend.Backend.
func (b *bedrock) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if b.client == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	b.client.do(ctx, request, recorder)
}

// Close implements backend.Backend.
func (b *bedrock) Close(context.Context) error {
	if b.client != nil {
		b.client.close()
	}
	return nil
}
