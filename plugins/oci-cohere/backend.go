package main

import (
	"context"
	"errors"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/wire"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

const version = "0.1.0"

// errNotOpen is a mistake of the host: requests come after a successful Open.
var errNotOpen = errors.New("the backend was not opened")

// backends are the backends of this plugin.
func backends() []backend.Backend {
	return []backend.Backend{
		&native{
			name: "oci-cohere", summary: "Cohere's Command R, Embed and Rerank on OCI Generative AI",
			format: wire.Cohere,
			tasks:  []backend.Task{backend.TextToText, backend.TextToEmbeddings, backend.ImageToEmbedding, backend.TextToRerank},
		},
		&native{
			name: "oci-cohere-v2", summary: "Cohere's Command A and Vision on OCI Generative AI",
			format: wire.CohereV2,
			tasks:  []backend.Task{backend.TextToText, backend.ImageTextToText},
		},
		&native{
			name: "oci-genai", summary: "Llama, Grok, OpenAI's and other models on OCI Generative AI",
			format: wire.Generic,
			tasks:  []backend.Task{backend.TextToText, backend.ImageTextToText},
		},
		&compatible{},
	}
}

// taskSupport is how OCI does each task.
var taskSupport = map[backend.Task]backend.TaskSupport{
	backend.TextToText: {
		Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat},
		Streaming: backend.StreamingOptional, Parts: []string{"text"},
	},
	backend.ImageTextToText: {
		Task: backend.ImageTextToText, Requests: []backend.Kind{backend.KindChat},
		Streaming: backend.StreamingOptional, Parts: []string{"text", "image"},
	},
	backend.TextToEmbeddings: {Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.ImageToEmbedding: {Task: backend.ImageToEmbedding, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo, Parts: []string{"image"}},
	backend.TextToRerank:     {Task: backend.TextToRerank, Requests: []backend.Kind{backend.KindRerank}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.TextToImage:      {Task: backend.TextToImage, Requests: []backend.Kind{backend.KindImage}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.TextToSpeech:     {Task: backend.TextToSpeech, Requests: []backend.Kind{backend.KindSpeech}, Streaming: backend.StreamingYes, Parts: []string{"text"}},
}

// describe makes the description of a backend.
func describe(name, summary string, tasks []backend.Task) backend.Description {
	d := backend.Description{
		Name: name, Summary: summary,
		APIBase: backend.Optional, // without it the region says where
		APIKey:  backend.Unused,
		Options: authOptions(),
		Capabilities: []backend.Capability{
			backend.CanProbe, backend.CanCancel, backend.CanStick,
		},
	}
	for _, task := range tasks {
		d.Tasks = append(d.Tasks, taskSupport[task])
	}
	return d
}

// opened is the answer to Open of a configuration that was checked.
func (c *checked) opened(endpoint string) backend.Opened {
	return backend.Opened{Problems: c.problems, Endpoint: endpoint, EffectiveConfig: c.effectiveConfig(endpoint)}
}

// close frees what a configuration that failed had taken.
func (c *checked) close(context.Context) {
	if c.signer != nil {
		c.signer.Close()
	}
}
