package openaiwire

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Settings are everything that a Client is told.
type Settings struct {
	Config  backend.Config
	Dialect Dialect
	Address Address
	// Header is sent with every request: what authenticates, and what else the
	// provider wants. Config.HTTP.Header is added by the transport.
	Header http.Header
	// Secrets are taken out of whatever the server says. The values of the
	// headers that authenticate need not be repeated here.
	Secrets []secret.Secret
	// Redact, which may be nil, takes out what Secrets cannot name: tokens that
	// came after New. It is also asked about response headers.
	Redact func(text string) string
	// KeyHint says where the key comes from, for the hint of a refused one:
	// "--api-key or OPENAI_API_KEY". It may be empty.
	KeyHint string
	// EndpointPath is used below Address instead of /v1/…, for all requests; ""
	// is the usual path of each kind.
	EndpointPath string
	// Locate, which may be nil, is where requests of a kind for a model go, in
	// place of Address and EndpointPath: for providers whose addresses name the
	// model.
	Locate func(kind backend.Kind, model string) string
	// Sign, which may be nil, is called with each call right before it is sent,
	// for providers whose credentials change or sign the body. It may replace
	// call.Header but not write to it. How long it had to wait for a credential
	// goes into call.Queued.
	Sign func(ctx context.Context, call *httpclient.Call) error
	// Explain, which may be nil, may complete a failure that the server
	// answered with, before secrets are taken out of it: a provider knows its own
	// codes and what a user can do about them. header is that of the answer.
	Explain func(failure *fault.Error, header http.Header)
}

// Client sends requests to one server and reads its answers. Its methods may be
// called concurrently.
type Client struct {
	settings  Settings
	http      *httpclient.Client
	header    http.Header
	params    []member
	templates map[form]*template
	redact    *redactor
	buffers   sync.Pool // of *[]byte, for bodies
	answers   sync.Pool // of *answer
}

// New checks the settings and makes a client. It touches no network. Where any
// problem is an error, the client is nil.
func New(settings Settings) (*Client, []option.Problem) {
	c := &Client{settings: settings, templates: make(map[form]*template)}
	var problems []option.Problem
	refuse := func(name, hint, format string, args ...any) {
		problems = append(problems, option.Problem{Option: name, Severity: option.Error, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	config := settings.Config
	params, err := parseObject(config.RequestParams)
	if err != nil {
		refuse("additional-request-params", `give a JSON object, such as '{"temperature": 0.7}'`, "is no JSON object: %v", err)
	}
	c.params = params
	problems = append(problems, settings.paramWarnings(params)...)
	if path := settings.EndpointPath; path != "" && !strings.HasPrefix(path, "/") {
		refuse("endpoint-path", "for example /api/v3/chat/completions", "%q does not start with a slash", path)
	}
	c.header = http.Header{"Accept-Encoding": {"identity"}} // a compressor would hold events back
	for name, values := range settings.Header {
		c.header[http.CanonicalHeaderKey(name)] = values
	}
	c.redact = newRedactor(settings.secrets())
	c.redact.also = settings.Redact
	transport, problem := jsonhttp.NewTransport(config, c.redact.text)
	if problem != nil {
		problems = append(problems, *problem)
	}
	for _, p := range problems {
		if p.Severity == option.Error {
			if transport != nil {
				transport.Close()
			}
			return nil, problems
		}
	}
	c.http = transport
	for kind := range paths {
		for _, stream := range []bool{false, true} {
			for _, fixed := range []bool{false, true} {
				f := form{kind, stream, fixed}
				c.templates[f] = settings.Dialect.template(f, params)
			}
		}
	}
	c.buffers.New = func() any { return new([]byte) }
	c.answers.New = func() any { return new(answer) }
	return c, problems
}

// Path is the usual path of a kind's endpoint below /v1: "/chat/completions".
func Path(kind backend.Kind) string { return paths[kind] }

// paramWarnings names parameters that do something the user may not expect.
func (s *Settings) paramWarnings(params []member) []option.Problem {
	const name = "additional-request-params"
	var problems []option.Problem
	warn := func(hint, format string, args ...any) {
		problems = append(problems, option.Problem{Option: name, Severity: option.Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, field := range s.Dialect.Unsent {
		if indexOf(params, field) >= 0 {
			warn("use the backend of the server's own name, for example vllm or sglang", "%q is not known to this API and is left out", field)
		}
	}
	for _, field := range []string{"messages", "prompt", "input", "documents"} {
		if i := indexOf(params, field); i >= 0 && !isNull(params[i].value) {
			warn("remove it to send the prompts of the scenario", "%q replaces the prompts of every request", field)
		}
	}
	return problems
}

// Clock is the clock in use, with a note how to get a better one.
func (c *Client) Clock() (stamp.Clock, string) { return c.http.Clock() }

// Close closes idle connections. It is called when no Do runs.
func (c *Client) Close() { c.http.Close() }

// URL is what requests of a kind for the configured model are posted to.
func (c *Client) URL(kind backend.Kind) string { return c.locate(kind, "") }

// locate is where a request goes; model "" is the configured one.
func (c *Client) locate(kind backend.Kind, model string) string {
	if c.settings.Locate != nil {
		if model == "" {
			model = c.settings.Config.Model
		}
		return c.settings.Locate(kind, model)
	}
	if c.settings.EndpointPath != "" {
		return c.settings.Address.Join(c.settings.EndpointPath)
	}
	return c.settings.Address.V1(paths[kind])
}

// Do performs one request and tells the recorder everything about it.
func (c *Client) Do(ctx context.Context, request *backend.Request, rec *backend.Recorder) {
	var exchange stamp.Exchange
	failure := c.do(ctx, request, rec, &exchange)
	rec.Exchange(exchange)
	if failure != nil {
		if own := jsonhttp.SecretsOfFields(request.Header); len(own) > 0 {
			failure = newRedactor(own).fault(failure)
		}
		rec.Fail(c.explain(failure))
	}
}

// explain finishes a failure for the user: with where the key comes from, and
// without secrets.
func (c *Client) explain(failure *fault.Error) *fault.Error {
	if failure.Class == fault.Auth && c.settings.KeyHint != "" && c.settings.Explain == nil {
		failure.Hint = "check " + c.settings.KeyHint
	}
	return c.redact.fault(failure)
}

func (c *Client) do(ctx context.Context, request *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	kind := request.Kind()
	body, failure := c.template(request)
	if failure != nil {
		return failure
	}
	buffer := c.buffers.Get().(*[]byte)
	defer c.release(buffer)
	*buffer = body.append((*buffer)[:0], &bodyInput{request: request, model: c.settings.Config.Model})

	call := &httpclient.Call{
		Method: http.MethodPost, URL: c.locate(kind, request.Model), Header: c.requestHeader(request, kind, body.stream), Body: *buffer,
		StartAt: request.StartAt, Timeout: request.Timeout,
		ConnectionKey: request.ConnectionKey, FreshConnection: request.FreshConnection,
	}
	if c.settings.Sign != nil {
		if err := c.settings.Sign(ctx, call); err != nil {
			return signFault(err)
		}
	}
	failure = c.send(ctx, call, kind, body.stream, rec, exchange)
	if failure != nil && c.settings.Sign != nil {
		failure = newRedactor(jsonhttp.SecretsOfHeader(call.Header)).fault(failure)
	}
	return failure
}

// send makes the call and reads its answer.
func (c *Client) send(ctx context.Context, call *httpclient.Call, kind backend.Kind, stream bool, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reply, failure := c.http.Do(ctx, call, exchange)
	if failure != nil {
		return failure
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	recordHeaders(rec, reply.Header, c.redact)
	if failure := c.checkHead(reply); failure != nil {
		return c.completed(failure, reply.Header)
	}
	switch kind {
	case backend.KindChat, backend.KindCompletion:
		failure = c.readGeneration(reply, stream, rec, exchange, cancel)
	case backend.KindSpeech:
		failure = readSpeech(reply, rec)
	default:
		failure = readList(reply, kind, rec)
	}
	if failure == nil {
		return nil
	}
	return c.completed(withHeaders(failure, reply.Header), reply.Header)
}

// completed lets the plugin say more about a failure that a server answered with.
func (c *Client) completed(failure *fault.Error, header http.Header) *fault.Error {
	if c.settings.Explain != nil {
		c.settings.Explain(failure, header)
	}
	return failure
}

// signFault is the failure to make credentials.
func signFault(err error) *fault.Error {
	var failure *fault.Error
	if errors.As(err, &failure) {
		return failure
	}
	return fault.New(fault.Auth, "signing the request: %v", err)
}

// bufferKeptBytes bounds the body buffers that are kept for reuse; pictures
// would otherwise pin their memory for ever.
const bufferKeptBytes = 256 << 10

func (c *Client) release(buffer *[]byte) {
	if cap(*buffer) <= bufferKeptBytes {
		c.buffers.Put(buffer)
	}
}

// template returns the body for a request: one of those that New made, or one
// with the request's own parameters.
func (c *Client) template(r *backend.Request) (*template, *fault.Error) {
	f := form{kind: r.Kind()}
	switch {
	case r.Chat != nil:
		f.stream = r.Chat.Stream
	case r.Completion != nil:
		f.stream = r.Completion.Stream
	case r.Embed != nil && len(r.Embed.Images) > 0:
		return nil, fault.New(fault.InvalidRequest, "this API has no embeddings of images")
	case f.kind == "":
		return nil, fault.New(fault.InvalidRequest, "the request asks for nothing")
	}
	f.fixed = r.FixOutputLength && maxTokensOf(r) > 0
	if len(r.Params) == 0 {
		return c.templates[f], nil
	}
	own, err := parseObject(r.Params)
	if err != nil {
		return nil, fault.New(fault.InvalidRequest, "the request's parameters are no JSON object: %v", err)
	}
	return c.settings.Dialect.template(f, c.params, own), nil
}

// requestHeader is the header of one call.
func (c *Client) requestHeader(r *backend.Request, kind backend.Kind, stream bool) http.Header {
	header := make(http.Header, len(c.header)+len(r.Header)+3)
	for name, values := range c.header {
		header[name] = values
	}
	header["Content-Type"] = contentJSON
	switch {
	case kind == backend.KindSpeech:
		header["Accept"] = acceptAny
	case stream:
		header["Accept"] = acceptStream
	default:
		header["Accept"] = contentJSON
	}
	if r.ID != "" {
		header["X-Request-Id"] = []string{r.ID}
	}
	for _, h := range r.Header {
		header.Set(h.Name, h.Value)
	}
	return header
}

// Values of headers; read-only.
var (
	contentJSON  = []string{"application/json"}
	acceptStream = []string{"text/event-stream, application/json"}
	acceptAny    = []string{"*/*"}
)
