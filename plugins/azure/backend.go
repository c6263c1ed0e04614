package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// azure is a backend.Backend for one resource.
type azure struct {
	// chain makes the credential of --azure-auth default.
	chain func(config backend.Config) (azcore.TokenCredential, error)

	client *openaiwire.Client // nil until Open
	tokens *jsonhttp.Tokens   // nil where keys and tokens do not change
	task   backend.Task
}

var _ backend.Prober = (*azure)(nil)

func newAzure() *azure { return &azure{chain: defaultCredential} }

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
func (a *azure) Describe() backend.Description {
	return backend.Description{
		Name:         "azure-openai",
		Summary:      "Azure OpenAI, by deployment",
		APIBase:      backend.Optional,
		APIKey:       backend.Optional,
		APIKeyEnv:    []string{"AZURE_OPENAI_API_KEY"},
		Options:      options(),
		Tasks:        supported(),
		Capabilities: []backend.Capability{backend.CanProbe, backend.CanCancel, backend.CanStick},
	}
}

// Open implements backend.Backend.
func (a *azure) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	o := &opening{config: config}
	if _, ok := a.Describe().Support(config.Task); !ok {
		o.refuse(optionTask, "it can do text-to-text, image-text-to-text and text-to-embeddings", "azure-openai cannot do %q", config.Task)
	}
	t := o.target()
	c := o.credentials(t)
	settings := openaiwire.Settings{
		Config:  config,
		Address: t.address,
		Locate:  t.locate,
		Header:  header(c),
		Dialect: openaiwire.Dialect{
			NoModel: true, MaxTokensField: config.Options.String(optionMaxTokensField),
			Unsent: []string{"ignore_eos"}, // of the sampler of the Python tool; Azure answers 400 to unknown fields
		},
		Secrets: []secret.Secret{c.value, config.Options.Secret(optionADToken)},
		Explain: func(failure *fault.Error, header http.Header) { explain(failure, c, t) },
	}
	if c.auth == authDefault {
		credential, err := a.chain(config)
		if err != nil {
			o.refuse(optionAuth, "use a key: "+keyHint, "Azure's default chain cannot be used: %s", oneLine(err.Error()))
		} else {
			a.tokens = newTokens(credential, scopeOf(t.address))
			settings.Sign = a.tokens.Sign
		}
	}
	client, more := openaiwire.New(settings)
	opened := backend.Opened{Problems: append(o.problems, more...)}
	if client == nil {
		return opened, nil
	}
	if opened.Failed() {
		client.Close()
		return opened, nil
	}
	a.client, a.task = client, config.Task
	opened.Endpoint = client.URL(a.kind())
	opened.Clock, opened.ClockNote = client.Clock()
	opened.EffectiveConfig = effectiveConfig(t, c, opened.Endpoint)
	return opened, nil
}

func (a *azure) kind() backend.Kind {
	support, _ := a.Describe().Support(a.task)
	return support.Requests[0]
}

// Probe implements backend.Prober. The data plane lists models, not
// deployments, so the deployment is asked for nothing.
func (a *azure) Probe(ctx context.Context) (backend.Probe, error) {
	if a.client == nil {
		return backend.Probe{}, errNotOpen
	}
	probe, err := a.client.ProbeByRefusal(ctx, a.kind())
	if probe.Failure != nil && probe.Failure.Class == fault.DNS {
		probe.Failure.Hint = "check the resource's name in --azure-endpoint, AZURE_OPENAI_ENDPOINT or --api-base, and the name servers"
	}
	return probe, err
}

// Do implements backend.Backend.
func (a *azure) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if a.client == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	switch kind := request.Kind(); kind {
	case backend.KindChat, backend.KindEmbed:
		a.client.Do(ctx, request, recorder)
	default:
		recorder.Fail(fault.New(fault.InvalidRequest, "azure-openai has no requests of the kind %q", kind))
	}
}

// Close implements backend.Backend.
func (a *azure) Close(context.Context) error {
	if a.tokens != nil {
		a.tokens.Close()
	}
	if a.client != nil {
		a.client.Close()
	}
	return nil
}

// explain says what a user can do about a failure, by the codes of
// https://learn.microsoft.com/azure/ai-services/openai/reference and of its
// gateway.
func explain(failure *fault.Error, c credentials, t target) {
	code := strings.ToLower(failure.ProviderCode)
	switch {
	case code == "deploymentnotfound":
		failure.Class = fault.NotFound
		failure.Hint = "check --azure-deployment or --api-model-name: it is the deployment's name, not the model's; a new deployment takes five minutes"
	case failure.Class == fault.NotFound:
		failure.Hint = "check --azure-endpoint, --azure-deployment and --azure-api-version (" + t.version + ")"
	case failure.Class == fault.Auth && c.auth == authAPIKey:
		failure.Hint = "check --api-key, --model-api-key or AZURE_OPENAI_API_KEY, and that the key is of this resource"
	case failure.Class == fault.Auth && c.auth == authADToken:
		failure.Hint = "the token may have expired: " + tokenHint + "; --azure-auth default renews it by itself"
	case failure.Class == fault.Auth && c.auth == authNone:
		failure.Hint = keyHint
	case failure.Class == fault.Permission || failure.Class == fault.Auth:
		failure.Hint = "the identity needs the role Cognitive Services OpenAI User on the resource"
	case failure.Class == fault.InvalidRequest && strings.Contains(failure.Message, "max_completion_tokens"):
		failure.Hint = "--max-tokens-field max_completion_tokens"
	}
}
