package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// compatible is a backend.Backend for OCI's OpenAI-compatible endpoints: the
// bodies are OpenAI's, the signatures OCI's, and the compartment stands in a
// header.
type compatible struct {
	client *openaiwire.Client // nil until Open
	signer *auth.Signer       // nil: the user's own Authorization header goes out
	task   backend.Task
	advice advice
	redact redactor
}

var _ backend.Prober = (*compatible)(nil)

const (
	headerCompartment  = "CompartmentId" // as the package oci-openai sends it
	optionMaxTokens    = "max-tokens-field"
	optionEndpointPath = "endpoint-path"
)

// compatibleTasks are those of the reference tool, and those that the same
// endpoints have besides.
var compatibleTasks = []backend.Task{
	backend.TextToImage, backend.TextToSpeech,
	backend.TextToText, backend.ImageTextToText, backend.TextToEmbeddings,
}

// Describe implements backend.Backend.
func (k *compatible) Describe() backend.Description {
	d := describe("oci-openai", "OCI Generative AI's OpenAI-compatible endpoints", compatibleTasks)
	const group = "OCI Generative AI"
	d.Options = append(
		d.Options,
		option.Option{
			Name: optionEndpointPath, Type: option.String, Group: group, Example: "/v1/chat/completions",
			Help: "path below --api-base to send requests to, where it is not the usual one below /v1",
		},
		option.Option{
			Name: optionMaxTokens, Type: option.Enum, Default: "max_tokens", Group: group,
			Help: "field that limits the output of chat completions",
			Allowed: []option.Allowed{
				{Value: "max_tokens", Help: "understood by nearly every model"},
				{Value: "max_completion_tokens", Help: "wanted by OpenAI's reasoning models"},
			},
		},
	)
	return d
}

// Open implements backend.Backend.
func (k *compatible) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	c := check(k.Describe(), config)
	c.base = withOpenAIPath(c.base)
	address, err := openaiwire.ParseAddress(c.base)
	if err != nil && c.base != "" {
		c.refuse(optionAPIBase, "for example https://inference.generativeai.us-chicago-1.oci.oraclecloud.com/openai/v1", "%v", err)
	}
	settings := openaiwire.Settings{
		Config:       config,
		Dialect:      openaiwire.Dialect{MaxTokensField: config.Options.String(optionMaxTokens)},
		Address:      address,
		Header:       http.Header{"User-Agent": {userAgent}},
		EndpointPath: config.Options.String(optionEndpointPath),
	}
	k.redact = newRedactor(config, c.signer)
	k.advice = adviceOf(c)
	settings.Explain, settings.Redact = k.advice.explain, k.redact.text
	settings.Config.RequestParams = k.ownParams(config.RequestParams)
	if printable(c.compartment) {
		settings.Header.Set(headerCompartment, c.compartment)
	} else {
		c.refuse(optionCompartment, "check for a line break in it", "holds characters that a header cannot carry")
	}
	if c.signer != nil {
		settings.Sign = c.signer.Sign
	}
	client, problems := openaiwire.New(settings)
	for _, p := range problems {
		if !slices.ContainsFunc(c.problems, func(known option.Problem) bool { return known.Option == p.Option && known.Severity == p.Severity }) {
			c.problems = append(c.problems, p)
		}
	}
	if c.failed() {
		c.close(ctx)
		if client != nil {
			client.Close()
		}
		return backend.Opened{Problems: c.problems}, nil
	}
	k.client, k.signer, k.task = client, c.signer, config.Task
	opened := c.opened(client.URL(taskSupport[config.Task].Requests[0]))
	opened.Clock, opened.ClockNote = client.Clock()
	return opened, nil
}

// withOpenAIPath adds the path of the compatible endpoints to an address of
// OCI's own that has none.
func withOpenAIPath(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Path != "" || !strings.Contains(u.Hostname(), "inference.generativeai.") {
		return base
	}
	return base + "/openai"
}

// accountParams are parameters of OCI that say who asks; they have no place in
// a body of OpenAI's.
var accountParams = []string{
	"compartmentId", "compartment_id", "servingType", "serving_type", "endpointId", "endpoint_id",
}

// ownParams are the parameters that go into the body.
func (k *compatible) ownParams(text json.RawMessage) json.RawMessage {
	var params map[string]json.RawMessage
	if len(text) == 0 || json.Unmarshal(text, &params) != nil {
		return text // openaiwire says what is wrong with it
	}
	found := false
	for _, name := range accountParams {
		if _, ok := params[name]; ok {
			delete(params, name)
			found = true
		}
	}
	if !found {
		return text
	}
	own, err := json.Marshal(params)
	if err != nil {
		return text
	}
	return own
}

func printable(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e })
}

// Probe implements backend.Prober. A request that names the model and asks for
// nothing is refused with 400 where all else is right, and nothing is generated:
// a list of models would not tell whether the compartment may use this one.
func (k *compatible) Probe(ctx context.Context) (backend.Probe, error) {
	if k.client == nil {
		return backend.Probe{}, errNotOpen
	}
	if k.signer != nil {
		if failure := k.signer.Check(ctx); failure != nil {
			return failedProbe(k.redact.fault(failure)), nil
		}
	}
	probe, err := k.client.ProbeModelByRefusal(ctx, taskSupport[k.task].Requests[0])
	if probe.Failure != nil {
		k.advice.unreachable(probe.Failure)
		probe.Failure = k.redact.fault(probe.Failure)
	}
	return probe, err
}

// Do implements backend.Backend.
func (k *compatible) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if k.client == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	if !slices.ContainsFunc(compatibleTasks, func(t backend.Task) bool { return slices.Contains(taskSupport[t].Requests, request.Kind()) }) {
		recorder.Fail(fault.New(fault.InvalidRequest, "oci-openai has no requests of the kind %q", request.Kind()))
		return
	}
	if len(request.Params) > 0 {
		own := *request
		own.Params = k.ownParams(request.Params)
		request = &own
	}
	k.client.Do(ctx, request, recorder)
}

// Close implements backend.Backend.
func (k *compatible) Close(context.Context) error {
	if k.client != nil {
		k.client.Close()
	}
	if k.signer != nil {
		k.signer.Close()
	}
	return nil
}
