package main

import (
	"context"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/auth"
	"github.com/genai-bench/genai-bench/plugins/oci-cohere/internal/wire"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// native is a backend.Backend for OCI's own API.
type native struct {
	name    string
	summary string
	format  wire.Format
	tasks   []backend.Task

	// Of Open; http is nil before.
	http    *httpclient.Client
	signer  *auth.Signer // nil: the user's own Authorization header goes out
	builder *wire.Builder
	base    string
	task    backend.Task
	advice  advice
	redact  redactor
	buffers sync.Pool // of *[]byte, for bodies
	answers sync.Pool // of *wire.Answer
}

var _ backend.Prober = (*native)(nil)

// Describe implements backend.Backend.
func (n *native) Describe() backend.Description {
	d := describe(n.name, n.summary, n.tasks)
	d.Options = append(d.Options, servingOptions()...)
	return d
}

// ignoreEOS is a parameter of other servers that OCI does not know.
const ignoreEOS = "ignoreEos"

// Open implements backend.Backend.
func (n *native) Open(ctx context.Context, config backend.Config) (backend.Opened, error) {
	c := check(n.Describe(), config)
	c.served()
	c.base = shortened(c.base)
	if config.Task == backend.ImageToEmbedding {
		c.warn(optionBatch, "give --"+optionBatch+" 1", "OCI embeds one picture a request: greater batches fail")
	}
	if _, given := c.params[ignoreEOS]; given {
		delete(c.params, ignoreEOS)
		c.warn(optionParams, "OCI has no way to fix the length of an answer", "%q is not known to this API and is left out", "ignore_eos")
	}
	redact := newRedactor(config, c.signer)
	transport, problem := jsonhttp.NewTransport(config, redact.text)
	if problem != nil {
		c.problems = append(c.problems, *problem)
	}
	if c.failed() {
		c.close(ctx)
		if transport != nil {
			transport.Close()
		}
		return backend.Opened{Problems: c.problems}, nil
	}
	n.http, n.signer, n.base, n.task = transport, c.signer, c.base, config.Task
	n.advice, n.redact = adviceOf(c), redact
	n.builder = wire.NewBuilder(wire.Settings{
		Format: n.format, Compartment: c.compartment, Serving: c.serving, Model: config.Model, Params: c.params,
	})
	n.buffers.New = func() any { return new([]byte) }
	n.answers.New = func() any { return new(wire.Answer) }
	opened := c.opened(n.base + pathOf(config.Task))
	opened.Clock, opened.ClockNote = transport.Clock()
	return opened, nil
}

// pathOf is where the requests of a task go.
func pathOf(task backend.Task) string {
	switch task {
	case backend.TextToEmbeddings, backend.ImageToEmbedding:
		return wire.PathEmbed
	case backend.TextToRerank:
		return wire.PathRerank
	}
	return wire.PathChat
}

// Do implements backend.Backend.
func (n *native) Do(ctx context.Context, request *backend.Request, recorder *backend.Recorder) {
	if n.http == nil {
		recorder.Fail(fault.New(fault.Plugin, "%v", errNotOpen))
		return
	}
	var exchange stamp.Exchange
	failure := n.do(ctx, request, recorder, &exchange)
	recorder.Exchange(exchange)
	if failure != nil {
		recorder.Fail(n.redact.and(request.Header).fault(failure))
	}
}

func (n *native) do(ctx context.Context, request *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	if !n.makes(request) {
		return fault.New(fault.InvalidRequest, "%s has no requests of the kind %q", n.name, request.Kind())
	}
	buffer := n.buffers.Get().(*[]byte)
	defer n.release(buffer)
	body, failure := n.builder.Build((*buffer)[:0], request)
	if failure != nil {
		return failure
	}
	*buffer = body.JSON
	call := &httpclient.Call{
		Method: http.MethodPost, URL: n.base + body.Path, Header: requestHeader(request), Body: body.JSON,
		StartAt: request.StartAt, Timeout: request.Timeout,
		ConnectionKey: request.ConnectionKey, FreshConnection: request.FreshConnection,
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reply, failure := n.send(ctx, call, exchange)
	if failure != nil {
		if failure.Class != fault.Auth { // of the credentials, which says all itself
			n.advice.explain(failure, nil)
		}
		return failure
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	recordHeader(rec, reply.Header, n.redact.text)
	failure = n.read(reply, request, body.Stream, rec, exchange, cancel)
	if failure == nil {
		return nil
	}
	failure = wire.WithHeader(failure, reply.Header)
	n.advice.explain(failure, reply.Header)
	return failure
}

// makes tells whether the backend has requests of this kind.
func (n *native) makes(request *backend.Request) bool {
	for _, task := range n.tasks {
		for _, kind := range taskSupport[task].Requests {
			if kind == request.Kind() {
				return true
			}
		}
	}
	return false
}

// send signs a call and sends it.
func (n *native) send(ctx context.Context, call *httpclient.Call, exchange *stamp.Exchange) (*httpclient.Answer, *fault.Error) {
	if n.signer != nil {
		if err := n.signer.Sign(ctx, call); err != nil {
			exchange.Queued = call.Queued
			return nil, signFault(err)
		}
	}
	return n.http.Do(ctx, call, exchange)
}

// bufferKeptBytes bounds the body buffers that are kept for reuse; pictures
// would otherwise pin their memory for ever.
const bufferKeptBytes = 256 << 10

func (n *native) release(buffer *[]byte) {
	if cap(*buffer) <= bufferKeptBytes {
		n.buffers.Put(buffer)
	}
}

// Limits of what is read of a body in one piece.
const (
	errorBytesMax  = 1 << 20
	answerBytesMax = 256 << 20
)

// read reads an answer and tells the recorder.
func (n *native) read(reply *httpclient.Answer, request *backend.Request, stream bool, rec *backend.Recorder, exchange *stamp.Exchange, cancel context.CancelFunc) *fault.Error {
	if failure := checkHead(reply); failure != nil {
		return failure
	}
	if request.Chat == nil {
		body, err := reply.Body.ReadAll(answerBytesMax)
		if err != nil {
			return jsonhttp.TransportFault(err)
		}
		if request.Rerank != nil {
			return wire.ReadRanks(body, rec)
		}
		return wire.ReadVectors(body, rec)
	}
	a := n.answers.Get().(*wire.Answer)
	a.Begin(rec)
	defer func() {
		a.Begin(nil)
		n.answers.Put(a)
	}()
	if !isStream(reply.Header, stream) {
		body, err := reply.Body.ReadAll(answerBytesMax)
		if err != nil {
			return jsonhttp.TransportFault(err)
		}
		return a.ReadWhole(body, stamp.Arrival{At: exchange.LastByte, Read: exchange.ReadEnd})
	}
	failure := a.ReadStream(reply.Body)
	if failure == nil && a.Done() {
		linger(reply.Body, cancel)
	}
	return failure
}

// lingerMax is how long the end of a body may take after [DONE]. Reading it
// keeps the connection for the next request; nothing of value comes any more.
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

// checkHead turns an answer that is no success into its failure.
func checkHead(reply *httpclient.Answer) *fault.Error {
	if coding := reply.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		failure := fault.New(fault.Protocol, "the server compressed its answer (%.40q) although it was asked not to", coding)
		failure.HTTPStatus = reply.Status
		return failure
	}
	if reply.Status >= 200 && reply.Status < 300 {
		return nil
	}
	body, err := reply.Body.ReadAll(errorBytesMax)
	return wire.Failure(reply.Status, reply.Header, body, err)
}

// isStream tells whether a body is an event stream: by its type, and by what
// was asked for where the type does not say.
func isStream(header http.Header, asked bool) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil {
		switch {
		case kind == "text/event-stream":
			return true
		case kind == "application/json", strings.HasSuffix(kind, "+json"), kind == "text/html":
			return false
		}
	}
	return asked
}

// Close implements backend.Backend.
func (n *native) Close(context.Context) error {
	if n.http != nil {
		n.http.Close()
	}
	if n.signer != nil {
		n.signer.Close()
	}
	return nil
}
