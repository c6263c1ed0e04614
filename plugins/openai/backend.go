package main

import (
	"context"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/option"
)

const version = "0.1.0"

// flavour is one of the backends of this plugin: a server and how it differs.
type flavour struct {
	name    string
	summary string
	dialect openaiwire.Dialect
	apiBase string   // default address; "" where the user must give one
	keyEnv  []string // where the key is read without a flag
	tasks   []backend.Task
	options []option.Option   // beyond those that all flavours have
	headers map[string]string // option name → header that it becomes
	whole   string            // the end of addresses that requests go to as they are
}

// backends are the backends of this plugin.
func backends() []backend.Backend {
	common := []backend.Task{backend.TextToText, backend.ImageTextToText, backend.TextToEmbeddings}
	media := []backend.Task{backend.TextToImage, backend.TextToSpeech}
	served := slices.Concat(common, []backend.Task{backend.TextToRerank}, media)
	return []backend.Backend{
		&server{flavour: flavour{
			name:    "openai",
			summary: "OpenAI, and any server compatible with it",
			// OpenAI answers 400 to fields that it does not know.
			dialect: openaiwire.Dialect{Unsent: []string{"ignore_eos"}},
			apiBase: "https://api.openai.com/v1",
			keyEnv:  []string{"OPENAI_API_KEY"},
			tasks:   slices.Concat(common, media),
			options: openAIOptions(),
			headers: map[string]string{optionOrganization: "OpenAI-Organization", optionProject: "OpenAI-Project"},
		}},
		&server{flavour: flavour{
			name:    "vllm",
			summary: "vLLM's OpenAI-compatible server",
			dialect: openaiwire.Dialect{FixLength: openaiwire.IgnoreEOS, VersionPath: "/version"},
			keyEnv:  []string{"VLLM_API_KEY", "OPENAI_API_KEY"},
			tasks:   served,
		}},
		&server{flavour: flavour{
			name:    "sglang",
			summary: "SGLang's OpenAI-compatible server",
			dialect: openaiwire.Dialect{FixLength: openaiwire.IgnoreEOS},
			keyEnv:  []string{"SGLANG_API_KEY", "OPENAI_API_KEY"},
			tasks:   served,
		}},
		&server{flavour: flavour{
			name:    "together",
			summary: "Together AI",
			apiBase: "https://api.together.xyz/v1",
			keyEnv:  []string{"TOGETHER_API_KEY"},
			tasks:   common,
		}},
		&server{flavour: flavour{
			name:    "baseten",
			summary: "Baseten: its model APIs, and deployments that speak OpenAI's protocol",
			dialect: openaiwire.Dialect{Unsent: []string{"ignore_eos"}},
			apiBase: "https://inference.baseten.co/v1",
			keyEnv:  []string{"BASETEN_API_KEY"},
			tasks:   common,
			whole:   "/predict",
		}},
	}
}

// server is a backend.Backend for one flavour.
type server struct {
	flavour
	client *openaiwire.Client // nil until Open
}

var _ backend.Prober = (*server)(nil)

// Describe implements backend.Backend.
func (s *server) Describe() backend.Description {
	d := backend.Description{
		Name:           s.name,
		Summary:        s.summary,
		DefaultAPIBase: s.apiBase,
		APIBase:        backend.Optional,
		// Whether a key is needed depends on the address, which Open sees.
		APIKey:       backend.Optional,
		APIKeyEnv:    s.keyEnv,
		Options:      append(commonOptions(), s.options...),
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel, backend.CanStick},
	}
	if s.apiBase == "" {
		d.APIBase = backend.Required
	}
	if s.dialect.FixLength != openaiwire.CannotFix {
		d.Capabilities = append(d.Capabilities, backend.CanFixOutputLength)
	}
	for _, task := range s.tasks {
		d.Tasks = append(d.Tasks, taskSupport[task])
	}
	return d
}

var taskSupport = map[backend.Task]backend.TaskSupport{
	backend.TextToText: {
		Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat, backend.KindCompletion},
		Streaming: backend.StreamingOptional, Parts: []string{"text"},
	},
	backend.ImageTextToText: {
		Task: backend.ImageTextToText, Requests: []backend.Kind{backend.KindChat},
		Streaming: backend.StreamingOptional, Parts: []string{"text", "image"},
	},
	backend.TextToEmbeddings: {Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.TextToRerank:     {Task: backend.TextToRerank, Requests: []backend.Kind{backend.KindRerank}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.TextToImage:      {Task: backend.TextToImage, Requests: []backend.Kind{backend.KindImage}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	backend.TextToSpeech:     {Task: backend.TextToSpeech, Requests: []backend.Kind{backend.KindSpeech}, Streaming: backend.StreamingYes, Parts: []string{"text"}},
}

// Open implements backend.Backend.
func (s *server) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	settings, problems := s.settings(config)
	client, more := openaiwire.New(settings)
	opened := backend.Opened{Problems: append(problems, more...)}
	if client == nil {
		return opened, nil
	}
	if opened.Failed() {
		client.Close()
		return opened, nil
	}
	s.client = client
	opened.Endpoint = client.URL(s.requestKind(config))
	opened.Clock, opened.ClockNote = client.Clock()
	opened.EffectiveConfig = effectiveConfig(settings, opened.Endpoint)
	return opened, nil
}

// requestKind is what the task's requests will be.
func (s *server) requestKind(config backend.Config) backend.Kind {
	if support, ok := s.Describe().Support(config.Task); ok && config.Requests == "" {
		return support.Requests[0]
	}
	return config.Requests
}

// makes tells whether the flavour has requests of a kind.
func (s *server) makes(kind backend.Kind) bool {
	return slices.ContainsFunc(s.tasks, func(t backend.Task) bool {
		return slices.Contains(taskSupport[t].Requests, kind)
	})
}

// Probe implements backend.Prober.
func (s *server) Probe(ctx context.Context) (backend.Probe, error) {
	if s.client == nil {
		return backend.Probe{}, errNotOpen
	}
	return s.client.Probe(ctx)
}

// Do implements backend.Backend.
func (s *server) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if s.client == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	if kind := request.Kind(); !s.makes(kind) {
		recorder.Fail(fault.New(fault.InvalidRequest, "%s has no requests of the kind %q", s.name, kind))
		return
	}
	s.client.Do(ctx, request, recorder)
}

// Close implements backend.Backend.
func (s *server) Close(context.Context) error {
	if s.client != nil {
		s.client.Close()
	}
	return nil
}
