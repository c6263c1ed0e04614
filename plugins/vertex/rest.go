package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// shape is one of the APIs of models: where a request goes, its body, and what
// an event of its answer means.
type shape interface {
	// url is the address of a request.
	url(t target, model string, stream bool) string
	// body is a request's body without the users' parameters.
	body(r *backend.Request, model string, stream bool) (jsonhttp.Object, *fault.Error)
	// merge lays parameters over a body.
	merge(body *jsonhttp.Object, params jsonhttp.Object)
	// streams tells whether there are streams at all.
	streams() bool
	// event reads one event, or a whole answer.
	event(data []byte, at stamp.Arrival, a *answer) *fault.Error
}

// rest asks by HTTP.
type rest struct {
	wiring
	client *jsonhttp.Client
	params jsonhttp.Object
	shape  shape
}

func (c *rest) clock() (stamp.Clock, string) { return c.client.Clock() }
func (c *rest) close()                       { c.client.Close() }

func (c *rest) endpoint() string {
	return c.shape.url(c.target, c.config.Model, c.shape.streams())
}

// do performs one request and tells the recorder everything about it.
func (c *rest) do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	var exchange stamp.Exchange
	failure := c.exchange(ctx, r, rec, &exchange)
	rec.Exchange(exchange)
	if failure != nil {
		if own := jsonhttp.SecretsOfFields(r.Header); len(own) > 0 {
			failure = jsonhttp.NewRedactor(own).Fault(failure)
		}
		rec.Fail(failure)
	}
}

// parameters are the user's for one request: those of all requests, then its own.
// A parameter "stream" is taken out of them.
func parameters(ofAll jsonhttp.Object, r *backend.Request) (params jsonhttp.Object, stream bool, failure *fault.Error) {
	own, err := jsonhttp.ParseObject(r.Params)
	if err != nil {
		return nil, false, fault.New(fault.InvalidRequest, "the request's parameters are no JSON object: %v", err)
	}
	params = slices.Clone(ofAll)
	params.Merge(own)
	stream = r.Chat != nil && r.Chat.Stream
	if said := params.Get("stream"); said != nil {
		stream = string(said) == "true"
		params.Remove("stream")
	}
	return params, stream, nil
}

func (c *rest) exchange(ctx context.Context, r *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	if (r.Embed != nil) != (c.config.Task == backend.TextToEmbeddings) {
		return fault.New(fault.InvalidRequest, "the backend was opened for %s, and this is another request", c.config.Task)
	}
	params, stream, failure := parameters(c.params, r)
	if failure != nil {
		return failure
	}
	stream = stream && c.shape.streams()
	model := r.Model
	if model == "" {
		model = c.config.Model
	}
	body, failure := c.shape.body(r, model, stream)
	if failure != nil {
		return failure
	}
	c.shape.merge(&body, params)
	accept := "application/json"
	if stream {
		accept = "text/event-stream"
	}
	reply, failure := c.client.Post(ctx, r, c.shape.url(c.target, model, stream), accept, body.Text(), rec, exchange)
	if failure != nil {
		return failure
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	a := &answer{rec: rec}
	failure = a.end(c.read(a, reply, stream))
	if failure == nil {
		return nil
	}
	return c.client.Finished(failure, reply.Header, nil)
}

// eventSource gives the events of an answer, each with the arrival of its last
// byte.
type eventSource func() ([]byte, stamp.Arrival, error)

// read reads an answer's events. An answer that is no event stream may still be
// one of JSON objects: a list of them, as streamGenerateContent gives without
// alt=sse, or one a line.
func (c *rest) read(a *answer, reply *httpclient.Answer, stream bool) *fault.Error {
	var next eventSource
	bare := &bareWatcher{src: reply.Body}
	if jsonhttp.IsStream(reply.Header, stream) {
		events := sse.NewReader(bare, 0)
		next = func() ([]byte, stamp.Arrival, error) {
			e, err := events.Next()
			return e.Data, e.Arrival, err
		}
	} else {
		objects := newObjects(reply.Body)
		next = objects.next
	}
	for {
		data, at, err := next()
		switch {
		case len(bare.text) > 0 && (errors.Is(err, io.EOF) || errors.Is(err, sse.ErrUnfinished)):
			return bareFailure(bare.text)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, sse.ErrUnfinished) || errors.Is(err, errUnfinishedObject):
			return fault.New(fault.Truncated, "the answer ends in the middle of an event")
		case err != nil:
			return jsonhttp.TransportFault(err)
		}
		if data = bytes.TrimSpace(data); len(data) == 0 {
			continue
		}
		if failure := c.shape.event(data, at, a); failure != nil {
			return failure
		}
	}
}

// bareFailure is what text outside of events means.
func bareFailure(text []byte) *fault.Error {
	if !json.Valid(text) {
		return unreadable(text)
	}
	return jsonhttp.StreamFailure(jsonhttp.ReadReport(text), classify)
}

// probe asks for nothing: an empty object is refused as a bad request by a
// server that is there, takes the credentials and knows the model, and nothing
// is generated.
func (c *rest) probe(ctx context.Context) backend.Probe {
	var exchange stamp.Exchange
	reply, failure := c.client.Fetch(ctx, http.MethodPost, c.shape.url(c.target, c.config.Model, false), []byte("{}"), &exchange)
	probe := backend.Probe{Failure: failure}
	if reply == nil {
		return probe
	}
	probe.ServerName, probe.Latency = reply.Header.Get("Server"), exchange.LastByte.Sub(exchange.SendStart)
	switch {
	case reply.Status == http.StatusBadRequest && failure.Class == fault.InvalidRequest, reply.Status == http.StatusTooManyRequests:
		probe.Failure = nil // it is there
	case failure == nil:
		probe.Failure = fault.New(fault.Protocol, "the server answered an empty request with %d", reply.Status)
	}
	return probe
}

// unreadable is the failure of an event that is not what it should be.
func unreadable(data []byte) *fault.Error {
	const shown = 200
	return fault.New(fault.Protocol, "the server sent what is no answer: %s", fault.Clip(fmt.Sprintf("%q", data[:min(len(data), shown)])))
}
