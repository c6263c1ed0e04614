package main

import (
	"context"
	"net/http"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Probe implements backend.Prober. It checks the credential and then sends a
// request that names compartment and model but asks for nothing: OCI answers
// 401 where it does not know the caller, 404 where model or endpoint are not
// there or not allowed, and else 400, because the question is missing. Nothing
// is generated, and nothing is billed.
func (n *native) Probe(ctx context.Context) (backend.Probe, error) {
	if n.http == nil {
		return backend.Probe{}, errNotOpen
	}
	if n.signer != nil {
		if failure := n.signer.Check(ctx); failure != nil {
			return failedProbe(n.redact.fault(failure)), nil
		}
	}
	question := n.builder.Question(pathOf(n.task))
	call := &httpclient.Call{Method: http.MethodPost, URL: n.base + question.Path, Header: requestHeader(nil), Body: question.JSON}
	var exchange stamp.Exchange
	reply, failure := n.send(ctx, call, &exchange)
	if failure != nil {
		n.advice.explain(failure, nil)
		return failedProbe(n.redact.fault(failure)), nil
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	probe := backend.Probe{ServerName: n.redact.text(reply.Header.Get("Server")), Latency: exchange.Headers.Sub(exchange.SendStart)}
	switch reply.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return probe, nil // it knows the caller, and says what is missing
	}
	if failure := checkHead(reply); failure != nil {
		n.advice.explain(failure, reply.Header)
		probe.Failure = n.redact.fault(failure)
	}
	return probe, nil
}
