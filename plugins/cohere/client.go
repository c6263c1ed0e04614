package main

import (
	"context"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// client sends requests to Cohere and reads its answers. Its methods may be
// called concurrently.
type client struct {
	task    backend.Task
	model   string
	address openaiwire.Address
	params  jsonhttp.Object // the user's, for all requests
	auth    string
	http    *jsonhttp.Client
	answers sync.Pool // of *answer
}

// path is where requests of a kind go.
func path(kind backend.Kind) string {
	switch kind {
	case backend.KindEmbed:
		return "/v2/embed"
	case backend.KindRerank:
		return "/v2/rerank"
	}
	return "/v2/chat"
}

func (c *client) url(kind backend.Kind) string { return c.address.Join(path(kind)) }

// kind is what the task's requests become.
func (c *client) kind() backend.Kind {
	support, _ := new(cohere).Describe().Support(c.task)
	return support.Requests[0]
}

// do performs one request and tells the recorder everything about it.
func (c *client) do(ctx context.Context, request *backend.Request, rec *backend.Recorder) {
	var exchange stamp.Exchange
	failure := c.exchange(ctx, request, rec, &exchange)
	rec.Exchange(exchange)
	if failure != nil {
		rec.Fail(failure)
	}
}

func (c *client) exchange(ctx context.Context, request *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	body, stream, failure := c.body(request)
	if failure != nil {
		return failure
	}
	accept := "application/json"
	if stream {
		accept = "text/event-stream"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reply, failure := c.http.Post(ctx, request, c.url(request.Kind()), accept, body, rec, exchange)
	if failure != nil {
		return failure
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	if failure := c.read(request, reply, stream, rec, exchange, cancel); failure != nil {
		return c.http.Finished(failure, reply.Header, nil)
	}
	return nil
}

// read reads an answer, as a stream or whole, by what the server says it is.
func (c *client) read(request *backend.Request, reply *httpclient.Answer, asked bool, rec *backend.Recorder, exchange *stamp.Exchange, cancel context.CancelFunc) *fault.Error {
	if request.Chat != nil && jsonhttp.IsStream(reply.Header, asked) {
		a, ok := c.answers.Get().(*answer)
		if !ok {
			a = new(answer)
		}
		a.begin(rec)
		defer func() {
			a.begin(nil)
			c.answers.Put(a)
		}()
		failure := a.readStream(reply.Body)
		if failure == nil && a.done {
			linger(reply.Body, cancel)
		}
		return failure
	}
	body, err := reply.Body.ReadAll(jsonhttp.AnswerBytesMax)
	if err != nil {
		return jsonhttp.TransportFault(err)
	}
	switch {
	case request.Embed != nil:
		return readVectors(body, rec)
	case request.Rerank != nil:
		return readRanks(body, rec)
	}
	a := new(answer)
	a.begin(rec)
	return a.readWhole(body, stamp.Arrival{At: exchange.LastByte, Read: exchange.ReadEnd})
}

// lingerMax is how long the end of a body may take after the last event.
// Reading it keeps the connection for the next request; nothing of value comes
// any more.
const lingerMax = time.Second

func linger(body *httpclient.Body, cancel context.CancelFunc) {
	timer := time.AfterFunc(lingerMax, cancel)
	defer timer.Stop()
	for {
		if _, err := body.NextSpan(); err != nil {
			return // the answer is complete, however its connection ends
		}
	}
}
