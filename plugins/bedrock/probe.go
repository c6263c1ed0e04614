package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// probeBody asks for the tokens of one word.
const probeBody = `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}}}`

// probe asks CountTokens, which is free of charge ("Using the CountTokens API
// doesn't incur charges", Amazon Bedrock user guide, "Monitor your token usage
// by counting tokens"), and goes where the requests will go, with their
// credentials. Few models can count, and no inference profiles: whoever is
// refused for that was known to AWS, which is what the probe is for.
func (c *client) probe(ctx context.Context) (backend.Probe, error) {
	if err := c.source.Ready(ctx); err != nil {
		return backend.Probe{Failure: c.explain(authorizeFault(err), nil)}, nil
	}
	call := &httpclient.Call{
		Method: http.MethodPost, URL: c.url(c.settings.model, opCountTokens), Body: []byte(probeBody),
		Header: c.header(new(backend.Request), opCountTokens),
	}
	if _, err := c.source.Authorize(ctx, call); err != nil {
		return backend.Probe{Failure: c.explain(authorizeFault(err), nil)}, nil
	}
	var exchange stamp.Exchange
	reply, failure := c.http.Do(ctx, call, &exchange)
	if failure != nil {
		if failure.Hint == "" {
			failure.Hint = "check --" + optionRegion + " and --" + optionAPIBase + ", and the way to the internet"
		}
		return backend.Probe{Failure: c.explain(c.hintConnect(failure), nil)}, nil
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	failure = checkHead(reply)
	if failure == nil {
		if _, err := reply.Body.ReadAll(errorBytesMax); err != nil {
			failure = jsonhttp.TransportFault(err)
		}
	}
	probe := backend.Probe{ServerName: c.redactor().Text(reply.Header.Get("Server"))}
	probe.Latency = max(exchange.LastByte.Sub(exchange.SendStart), time.Nanosecond)
	if failure != nil && !c.inconclusive(failure) {
		probe.Failure = c.explain(failure, nil)
	}
	return probe, nil
}

// inconclusive tells of refusals that say nothing of the requests to come.
func (c *client) inconclusive(e *fault.Error) bool {
	message := strings.ToLower(e.Message)
	switch e.Class {
	case fault.RateLimited, fault.Overloaded, fault.Server, fault.InvalidRequest:
		return true
	case fault.NotFound:
		// A gateway without the path, or an id that only inference knows.
		unknownModel := strings.Contains(message, "model")
		return !unknownModel || !c.settings.model.plain()
	case fault.Permission:
		return strings.Contains(message, strings.ToLower("bedrock:CountTokens"))
	}
	return e.HTTPStatus == http.StatusMethodNotAllowed
}
