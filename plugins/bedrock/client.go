package main

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/genai-bench/genai-bench/plugins/bedrock/awsauth"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Limits of what is read of a body in one piece.
const (
	errorBytesMax  = 1 << 20
	answerBytesMax = 256 << 20
)

// client sends requests to Bedrock and reads its answers. Its methods may be
// called concurrently.
type client struct {
	settings settings
	http     *httpclient.Client
	source   *awsauth.Source

	mu     sync.Mutex
	redact *jsonhttp.Redactor // of the credentials so far; nil: none was made yet
	known  int                // how often they had been renewed by then
}

// newClient checks the configuration. Where any problem is an error, the client
// is nil.
func newClient(ctx context.Context, config backend.Config) (*client, []option.Problem) {
	var c checker
	checked := c.check(config)
	source := c.authorize(ctx, &checked)
	transport, problem := jsonhttp.NewTransport(checked.Config, jsonhttp.NewRedactor(jsonhttp.SecretsOfConfig(checked.Config)).Text)
	if problem != nil {
		c.problems = append(c.problems, *problem)
	}
	if c.failed() {
		if transport != nil {
			transport.Close()
		}
		if source != nil {
			source.Close()
		}
		return nil, c.problems
	}
	return &client{settings: checked, http: transport, source: source}, c.problems
}

func (c *client) close() {
	c.source.Close()
	c.http.Close()
}

// plan is how one request is made.
type plan struct {
	model  modelID
	op     operation
	shape  shape
	stream bool
}

// plan decides what a request becomes.
func (c *client) plan(request *backend.Request, own jsonhttp.Object) plan {
	p := plan{model: c.settings.model}
	if request.Model != "" {
		p.model = modelID(request.Model)
	}
	if request.Chat != nil {
		p.stream = request.Chat.Stream
		for _, said := range []*bool{c.settings.stream, streamOf(own)} {
			if said != nil {
				p.stream = *said
			}
		}
	}
	converse := c.settings.api == apiConverse || c.settings.api == apiAuto && !p.model.withoutConverse()
	switch {
	case request.Chat != nil && converse:
		p.shape, p.op = converseShape, opConverse
		if p.stream {
			p.op = opConverseStream
		}
	default:
		p.shape, p.op = shapes[c.settings.familyOf(p.model)], opInvoke
		if p.stream {
			p.op = opInvokeStream
		}
	}
	return p
}

// url is the address of an operation.
func (c *client) url(m modelID, op operation) string {
	base := c.settings.base
	return base.Scheme + "://" + base.Host + base.EscapedPath() + m.path(op)
}

// endpoint is what the requests of a task will call.
func (c *client) endpoint(task backend.Task) string {
	request := &backend.Request{Chat: &backend.Chat{Stream: true}}
	if task == backend.TextToEmbeddings {
		request = &backend.Request{Embed: new(backend.Embed)}
	}
	p := c.plan(request, nil)
	return c.url(p.model, p.op)
}

// do performs one request and tells the recorder everything about it.
func (c *client) do(ctx context.Context, request *backend.Request, rec *backend.Recorder) {
	var exchange stamp.Exchange
	failure := c.exchange(ctx, request, rec, &exchange)
	rec.Exchange(exchange)
	if failure != nil {
		rec.Fail(c.explain(failure, request.Header))
	}
}

// explain finishes a failure for the user: without secrets. The source is told
// where its credentials have ended.
func (c *client) explain(e *fault.Error, fields []backend.HeaderField) *fault.Error {
	if strings.HasPrefix(e.ProviderCode, "ExpiredToken") {
		c.source.Refused()
	}
	e.Message, e.RequestID = c.without(fields, e.Message), c.without(fields, e.RequestID)
	return c.redactor().Fault(e)
}

// without takes the secrets out of a text, those of one request's own header
// among them.
func (c *client) without(fields []backend.HeaderField, text string) string {
	if own := jsonhttp.SecretsOfFields(fields); len(own) > 0 {
		text = jsonhttp.NewRedactor(own).Text(text)
	}
	return c.redactor().Text(text)
}

// redactor takes out what was given and all credentials that were ever in use.
func (c *client) redactor() *jsonhttp.Redactor {
	c.mu.Lock()
	defer c.mu.Unlock()
	if renewals := c.source.Renewals(); c.redact == nil || c.known != renewals {
		secrets := append(c.source.Secrets(), c.settings.APIKey)
		for _, name := range []string{optionAccessKey, optionSecretKey, optionToken} {
			secrets = append(secrets, c.settings.Options.Secret(name))
		}
		c.redact, c.known = jsonhttp.NewRedactor(append(secrets, jsonhttp.SecretsOfConfig(c.settings.Config)...)), renewals
	}
	return c.redact
}

func (c *client) exchange(ctx context.Context, request *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	own, err := jsonhttp.ParseObject(request.Params)
	if err != nil {
		return fault.New(fault.InvalidRequest, "the request's parameters are no JSON object: %v", err)
	}
	p := c.plan(request, own)
	body, failure := p.shape.body(request, c.settings.params, own)
	if failure != nil {
		return failure
	}
	call := &httpclient.Call{
		Method: http.MethodPost, URL: c.url(p.model, p.op), Header: c.header(request, p.op), Body: body,
		StartAt: request.StartAt, Timeout: request.Timeout,
		ConnectionKey: request.ConnectionKey, FreshConnection: request.FreshConnection,
	}
	if exchange.Queued, err = c.source.Authorize(ctx, call); err != nil {
		return authorizeFault(err)
	}
	reply, failure := c.http.Do(ctx, call, exchange)
	if failure != nil {
		return c.hintConnect(failure)
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	recordHeaders(rec, reply.Header, func(text string) string { return c.without(request.Header, text) })
	if failure := checkHead(reply); failure != nil {
		return failure
	}
	a := &answer{rec: rec}
	if failure := c.read(a, request, reply, p.stream, exchange); failure != nil {
		return withHeaders(failure, reply.Header)
	}
	return nil
}

// authorizeFault is the failure to make a signature.
func authorizeFault(err error) *fault.Error {
	var missing *awsauth.CredentialsError
	switch {
	case errors.As(err, &missing):
		return credentialsFault(missing)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, backend.ErrAborted):
		return fault.New(fault.Cancelled, "cancelled while waiting for AWS credentials")
	}
	return fault.New(fault.Auth, "signing the request: %v", err)
}

// hintConnect: an unknown region has no host of its own.
func (c *client) hintConnect(e *fault.Error) *fault.Error {
	if host := hostOf(c.settings.base.Host); e.Class == fault.DNS && host == regionalHost(c.source.Region()) {
		e.Hint = "does the region " + c.source.Region() + " exist, and is Amazon Bedrock offered there? check --" + optionRegion
	}
	return e
}

// header is the header of one call. Fields that the user gives win, and are
// signed as they are sent.
func (c *client) header(r *backend.Request, op operation) http.Header {
	header := http.Header{
		"Accept-Encoding": {"identity"}, // a compressor would hold events back
		"User-Agent":      {"genai-bench-plugin-bedrock/" + version},
		"Content-Type":    {"application/json"},
	}
	switch op {
	case opInvokeStream: // what the chunks shall be; the stream itself is always of one type
		header["X-Amzn-Bedrock-Accept"] = []string{"application/json"}
	case opConverseStream:
		header["Accept"] = []string{eventStream}
	default:
		header["Accept"] = []string{"application/json"}
	}
	if r.ID != "" {
		header["X-Request-Id"] = []string{r.ID}
	}
	for _, h := range c.settings.HTTP.Header { // the transport sends them; the signature covers them
		header.Set(h.Name, h.Value)
	}
	for _, h := range r.Header {
		header.Set(h.Name, h.Value)
	}
	return header
}

const eventStream = "application/vnd.amazon.eventstream"

// checkHead turns an answer that is no success into its failure.
func checkHead(reply *httpclient.Answer) *fault.Error {
	if encoding := reply.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		failure := fault.New(fault.Protocol, "the server compressed its answer (%s) although it was asked not to", encoding)
		failure.HTTPStatus = reply.Status
		return withHeaders(failure, reply.Header)
	}
	if reply.Status >= 200 && reply.Status < 300 {
		return nil
	}
	body, err := reply.Body.ReadAll(errorBytesMax)
	return withHeaders(statusFault(reply.Status, reply.Header, body, err), reply.Header)
}

// read reads an answer, as a stream or whole, by what the server says it is.
func (c *client) read(a *answer, request *backend.Request, reply *httpclient.Answer, asked bool, exchange *stamp.Exchange) *fault.Error {
	if isStream(reply.Header, asked) {
		return a.end(reply.Header, a.readStream(reply.Body))
	}
	body, err := reply.Body.ReadAll(answerBytesMax)
	if err != nil {
		return jsonhttp.TransportFault(err)
	}
	if request.Embed != nil {
		return a.end(reply.Header, a.readVectors(body))
	}
	at := stamp.Arrival{At: exchange.LastByte, Read: exchange.ReadEnd}
	return a.end(reply.Header, a.readWhole(body, at))
}

// isStream tells whether a body is an event stream: by its type, and by what
// was asked for where the type does not say.
func isStream(header http.Header, asked bool) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil {
		switch kind {
		case eventStream:
			return true
		case "application/json", "text/html":
			return false
		}
	}
	return asked
}

// keptHeaders are the response headers that go into the results, by their
// canonical names.
var keptHeaders = map[string]string{
	"X-Amzn-Requestid":            "x-amzn-requestid",
	"X-Request-Id":                "x-request-id",
	"Retry-After":                 "retry-after",
	"Server":                      "server",
	"X-Amzn-Bedrock-Service-Tier": "x-amzn-bedrock-service-tier",
}

// recordHeaders takes down what the results keep of a response's head.
func recordHeaders(rec *backend.Recorder, header http.Header, redact func(string) string) {
	for name, kept := range keptHeaders {
		if value := header.Get(name); value != "" {
			rec.ServerHeader(kept, redact(value))
		}
	}
	if text := header.Get("X-Amzn-Bedrock-Invocation-Latency"); text != "" {
		var milliseconds float64
		if json.Unmarshal([]byte(text), &milliseconds) == nil {
			(&answer{rec: rec}).serverTime("invocationLatency", &milliseconds)
		}
	}
}

// effectiveConfig is what goes into the results' metadata. The keys auth_type,
// region and profile are those of the Python tool.
func (c *client) effectiveConfig(endpoint string) json.RawMessage {
	p := c.plan(&backend.Request{Chat: new(backend.Chat)}, nil)
	text, err := json.Marshal(struct {
		AuthType string `json:"auth_type"`
		Region   string `json:"region"`
		Profile  string `json:"profile,omitempty"`
		Endpoint string `json:"endpoint"`
		API      string `json:"bedrock_api"`
		Family   string `json:"bedrock_model_family"`
	}{
		AuthType: string(c.source.Mode()), Region: c.source.Region(), Profile: c.settings.Options.String(optionProfile),
		Endpoint: endpoint, API: map[bool]string{true: apiConverse, false: apiInvoke}[p.op == opConverse],
		Family: string(c.settings.familyOf(p.model)),
	})
	if err != nil {
		return nil // strings always marshal
	}
	return text
}
