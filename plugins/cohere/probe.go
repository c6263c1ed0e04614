package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// probe asks what Cohere knows of the model (GET /v1/models/{model}), which is
// free: does the API answer, is the key good, is there such a model, and is it
// one for these requests? A gateway that has no such path is sent a request that
// names the model and asks for nothing, which it must refuse as a bad one.
func (c *client) probe(ctx context.Context) backend.Probe {
	var exchange stamp.Exchange
	model := c.model
	var named string
	if json.Unmarshal(c.params.Get("model"), &named) == nil && named != "" {
		model = named
	}
	reply, failure := c.http.Fetch(ctx, http.MethodGet, c.address.V1("/models/"+url.PathEscape(model)), nil, &exchange)
	probe := backend.Probe{Latency: max(exchange.LastByte.Sub(exchange.SendStart), time.Nanosecond)}
	if reply != nil {
		probe.ServerName = reply.Header.Get("Server")
	}
	switch {
	case failure != nil && reply != nil && lacksModels(failure):
		probe.Failure = c.refusal(ctx, model)
	case failure != nil && failure.Class != fault.RateLimited:
		if failure.Hint == "" && failure.HTTPStatus == 0 {
			failure.Hint = "is --api-base right, and is there a way to it?"
		}
		probe.Failure = failure
	case failure == nil:
		c.compare(model, reply.Body, &probe)
	}
	return probe
}

// lacksModels tells a path that there is not from a model that there is not:
// Cohere names what it did not find.
func lacksModels(failure *fault.Error) bool {
	switch failure.HTTPStatus {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusNotFound:
		return !strings.Contains(strings.ToLower(failure.Message), "model")
	}
	return false
}

// refusal sends the question that asks for nothing.
func (c *client) refusal(ctx context.Context, model string) *fault.Error {
	question := jsonhttp.Object{{Name: "model", Value: jsonhttp.Quoted(model)}}.Text()
	var exchange stamp.Exchange
	reply, failure := c.http.Fetch(ctx, http.MethodPost, c.url(c.kind()), question, &exchange)
	switch {
	case failure == nil:
		return fault.New(fault.Protocol, "the server answered a request that asks for nothing with %d", reply.Status)
	case failure.HTTPStatus == http.StatusBadRequest, failure.HTTPStatus == http.StatusUnprocessableEntity, failure.Class == fault.RateLimited:
		return nil // it is there
	}
	return failure
}

// compare holds what Cohere knows of the model against the task.
func (c *client) compare(model string, body []byte, probe *backend.Probe) {
	var known struct {
		Name          string   `json:"name"`
		Endpoints     []string `json:"endpoints"`
		ContextLength float64  `json:"context_length"`
	}
	if err := json.Unmarshal(body, &known); err != nil {
		probe.Failure = notProtocol(body)
		return
	}
	probe.MaxModelLen = int64(known.ContextLength)
	endpoint := strings.TrimPrefix(path(c.kind()), "/v2/")
	if len(known.Endpoints) > 0 && !slices.Contains(known.Endpoints, endpoint) {
		probe.Failure = fault.New(fault.NotFound, "the model %q is not for %s", model, endpoint)
		probe.Failure.Hint = fmt.Sprintf("it is for %s: check --%s and --%s", strings.Join(known.Endpoints, ", "), optionTask, optionModel)
	}
}
