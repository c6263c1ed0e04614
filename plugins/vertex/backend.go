package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// vertex is a backend.Backend for one model.
type vertex struct {
	tokens *jsonhttp.Tokens // nil where nothing has to be renewed
	asker  asker            // nil until Open
}

// asker asks a model by one of its APIs.
type asker interface {
	do(ctx context.Context, request *backend.Request, recorder *backend.Recorder)
	probe(ctx context.Context) backend.Probe
	endpoint() string
	clock() (stamp.Clock, string)
	close()
}

var _ backend.Prober = (*vertex)(nil)

// errNotOpen is a mistake of the host: requests come after a successful Open.
var errNotOpen = errors.New("the backend was not opened")

// supported are the tasks and how each is asked.
func supported() []backend.TaskSupport {
	return []backend.TaskSupport{
		{Task: backend.TextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional, Parts: []string{"text"}},
		{Task: backend.ImageTextToText, Requests: []backend.Kind{backend.KindChat}, Streaming: backend.StreamingOptional, Parts: []string{"text", "image"}},
		{Task: backend.TextToEmbeddings, Requests: []backend.Kind{backend.KindEmbed}, Streaming: backend.StreamingNo, Parts: []string{"text"}},
	}
}

// Describe implements backend.Backend.
func (v *vertex) Describe() backend.Description {
	return backend.Description{
		Name:         "gcp-vertex",
		Summary:      "Google Cloud Vertex AI: Gemini, Claude, models as a service, embeddings",
		APIBase:      backend.Optional,
		APIKey:       backend.Optional,
		APIKeyEnv:    []string{"GCP_API_KEY"},
		Options:      options(),
		Tasks:        supported(),
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel, backend.CanStick},
	}
}

// Open implements backend.Backend.
func (v *vertex) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	o := &opening{config: config}
	if _, ok := v.Describe().Support(config.Task); !ok {
		o.refuse(optionTask, "it can do text-to-text, image-text-to-text and text-to-embeddings", "gcp-vertex cannot do %q", config.Task)
	}
	if config.Model == "" {
		o.refuse(optionModel, "for example gemini-2.5-flash", "is missing")
	}
	c := o.credentials()
	t := o.target(c.auth)
	api := o.api()
	if api == apiOpenAI && t.project == "" {
		o.refuse(optionProject, "give it by --"+optionProject+" or GCP_PROJECT_ID", "is missing, and models as a service have no other address")
	}
	if c.auth == authServiceAccount || c.auth == authADC {
		v.tokens = o.newTokens(c)
	}
	w := wiring{opening: o, target: t, credentials: c, tokens: v.tokens, api: api}
	asker := w.asker()
	opened := backend.Opened{Problems: o.problems}
	if asker == nil || opened.Failed() {
		if asker != nil {
			asker.close()
		}
		if !opened.Failed() {
			return opened, errors.New("no model to ask, and no problem named")
		}
		return opened, nil
	}
	v.asker = asker
	transport := transportREST
	if config.Options.String(optionTransport) == transportGRPC {
		transport = transportGRPC
	}
	opened.Endpoint = asker.endpoint()
	opened.Clock, opened.ClockNote = asker.clock()
	opened.EffectiveConfig = effectiveConfig(t, c, api, transport, opened.Endpoint)
	return opened, nil
}

// Probe implements backend.Prober.
func (v *vertex) Probe(ctx context.Context) (backend.Probe, error) {
	if v.asker == nil {
		return backend.Probe{}, errNotOpen
	}
	return v.asker.probe(ctx), nil
}

// Do implements backend.Backend.
func (v *vertex) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if v.asker == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	switch kind := request.Kind(); kind {
	case backend.KindChat, backend.KindEmbed:
		v.asker.do(ctx, request, recorder)
	default:
		recorder.Fail(fault.New(fault.InvalidRequest, "gcp-vertex has no requests of the kind %q", kind))
	}
}

// Close implements backend.Backend.
func (v *vertex) Close(context.Context) error {
	if v.tokens != nil {
		v.tokens.Close()
	}
	if v.asker != nil {
		v.asker.close()
	}
	return nil
}

// wiring is what an asker is made of.
type wiring struct {
	*opening
	target      target
	credentials credentials
	tokens      *jsonhttp.Tokens
	api         string
}

// asker makes the one that the configuration asks for; nil where there is a
// problem. What the transport finds wrong is told beside all other problems.
func (w wiring) asker() asker {
	params, err := jsonhttp.ParseObject(w.config.RequestParams)
	if err != nil {
		w.refuse(optionParams, `give a JSON object, such as '{"temperature": 0.7}'`, "is no JSON object: %v", err)
	}
	if params.Get("ignore_eos") != nil {
		w.warn(optionParams, "", "%q is not known to this API and is left out", "ignore_eos")
		params.Remove("ignore_eos")
	}
	if w.api == apiOpenAI && !w.failed() {
		return w.openAI()
	}
	settings := jsonhttp.Settings{
		Config: w.config, Header: header(w.credentials), Secrets: w.secrets(), Classify: classify, Explain: w.explain,
		RequestIDs: []string{"X-Request-Id", "X-Goog-Request-Id", "Request-Id"}, Kept: []string{"Server", "Retry-After", "X-Vertex-Ai-Llm-Request-Type"},
	}
	if w.tokens != nil {
		settings.Sign = w.tokens.Sign
	}
	client, problems := jsonhttp.New(settings)
	w.problems = append(w.problems, problems...)
	switch {
	case client == nil:
		return nil
	case w.failed():
		client.Close()
		return nil
	case w.config.Options.String(optionTransport) == transportGRPC:
		client.Close() // it has checked the settings
		return w.grpc(params)
	}
	shape := map[string]shape{apiGemini: gemini{}, apiAnthropic: anthropic{}, apiPredict: predict{}}[w.api]
	return &rest{wiring: w, client: client, params: params, shape: shape}
}

func (w wiring) secrets() []secret.Secret {
	return []secret.Secret{w.credentials.key, w.credentials.token, w.config.APIKey, w.config.Options.Secret(optionModelAPIKey), w.config.Options.Secret(optionToken)}
}

// openAI asks a model as a service: OpenAI's bodies, Google's credentials.
func (w wiring) openAI() asker {
	settings := openaiwire.Settings{
		Config: w.config, Address: w.target.address, Locate: w.target.openAI, Header: header(w.credentials), Secrets: w.secrets(),
		Dialect: openaiwire.Dialect{Unsent: []string{"ignore_eos"}}, KeyHint: credentialsHint,
		Explain: func(failure *fault.Error, _ http.Header) { w.explain(failure) },
	}
	if w.tokens != nil {
		settings.Sign = w.tokens.Sign
	}
	client, problems := openaiwire.New(settings)
	for _, p := range problems {
		// The warning about ignore_eos has been given.
		if p.Severity == option.Error || !strings.Contains(p.Message, "ignore_eos") {
			w.problems = append(w.problems, p)
		}
	}
	if client == nil {
		return nil
	}
	return &compatible{client: client}
}

// compatible asks by OpenAI's API.
type compatible struct{ client *openaiwire.Client }

func (c *compatible) do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	c.client.Do(ctx, r, rec)
}

func (c *compatible) probe(ctx context.Context) backend.Probe {
	p, err := c.client.ProbeModelByRefusal(ctx, backend.KindChat)
	if err != nil {
		p.Failure = fault.New(fault.Plugin, "%v", err)
	}
	return p
}

func (c *compatible) endpoint() string             { return c.client.URL(backend.KindChat) }
func (c *compatible) clock() (stamp.Clock, string) { return c.client.Clock() }
func (c *compatible) close()                       { c.client.Close() }
