package openaiwire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Endpoint is where text generation goes.
type Endpoint string

// The values of --endpoint.
const (
	EndpointAuto        Endpoint = "auto" // as the request comes
	EndpointChat        Endpoint = "chat"
	EndpointCompletions Endpoint = "completions"
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
	// KeyHint says where the key comes from, for the hint of a refused one:
	// "--api-key or OPENAI_API_KEY". It may be empty.
	KeyHint string
	// Endpoint is where text generation goes; "" is EndpointAuto.
	Endpoint Endpoint
	// EndpointPath is used below Address instead of /v1/…, for all requests; ""
	// is the usual path of each kind.
	EndpointPath string
	// Sign, which may be nil, is called with each call right before it is sent,
	// for providers whose credentials change or sign the body. It may replace
	// call.Header but not write to it.
	Sign func(ctx context.Context, call *httpclient.Call) error
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
	if settings.Endpoint == EndpointCompletions && config.Task == backend.ImageTextToText {
		refuse("endpoint", "use --endpoint chat", "completions cannot carry images")
	}
	if path := settings.EndpointPath; path != "" && !strings.HasPrefix(path, "/") {
		refuse("endpoint-path", "for example /api/v3/chat/completions", "%q does not start with a slash", path)
	}
	secrets := settings.Secrets
	c.header = http.Header{"Accept-Encoding": {"identity"}} // a compressor would hold events back
	for name, values := range settings.Header {
		c.header[http.CanonicalHeaderKey(name)] = values
		if authenticates(name) {
			secrets = append(secrets[:len(secrets):len(secrets)], secretsOf(values...)...)
		}
	}
	for _, h := range config.HTTP.Header {
		if authenticates(h.Name) {
			secrets = append(secrets[:len(secrets):len(secrets)], secretsOf(h.Value)...)
		}
	}
	c.redact = newRedactor(secrets)
	transport, err := httpclient.New(httpclient.Options{
		Limits: config.Limits, TLS: config.TLS, HTTP: config.HTTP, Clock: config.Clock,
		MaxInFlight:    config.MaxInFlight,
		LocalPortFirst: config.LocalPortFirst, LocalPortLast: config.LocalPortLast,
	})
	if err != nil {
		refuse("", "", "%s", c.redact.text(err.Error()))
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

// authenticates tells whether a header's value is a secret.
func authenticates(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"authorization", "api-key", "apikey", "token", "secret", "cookie", "password"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// secretsOf returns header values as secrets, the scheme in front of a
// credential ("Bearer ") as well as without.
func secretsOf(values ...string) []secret.Secret {
	var all []secret.Secret
	for _, v := range values {
		all = append(all, secret.New(v))
		if _, credential, ok := strings.Cut(v, " "); ok {
			all = append(all, secret.New(strings.TrimSpace(credential)))
		}
	}
	return all
}

// Clock is the clock in use, with a note how to get a better one.
func (c *Client) Clock() (stamp.Clock, string) { return c.http.Clock() }

// Close closes idle connections. It is called when no Do runs.
func (c *Client) Close() { c.http.Close() }

// URL is what requests of a kind are posted to.
func (c *Client) URL(kind backend.Kind) string {
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
		rec.Fail(c.explain(failure))
	}
}

// explain finishes a failure for the user: with where the key comes from, and
// without secrets.
func (c *Client) explain(failure *fault.Error) *fault.Error {
	if failure.Class == fault.Auth && c.settings.KeyHint != "" {
		failure.Hint = "check " + c.settings.KeyHint
	}
	return c.redact.fault(failure)
}

func (c *Client) do(ctx context.Context, request *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	request, failure := c.route(request)
	if failure != nil {
		return failure
	}
	kind := request.Kind()
	body, failure := c.template(request)
	if failure != nil {
		return failure
	}
	buffer := c.buffers.Get().(*[]byte)
	defer c.release(buffer)
	*buffer = body.append((*buffer)[:0], &bodyInput{request: request, model: c.settings.Config.Model})

	call := &httpclient.Call{
		Method: http.MethodPost, URL: c.URL(kind), Header: c.requestHeader(request, kind, body.stream), Body: *buffer,
		StartAt: request.StartAt, Timeout: request.Timeout,
		ConnectionKey: request.ConnectionKey, FreshConnection: request.FreshConnection,
	}
	if c.settings.Sign != nil {
		if err := c.settings.Sign(ctx, call); err != nil {
			return signFault(err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reply, failure := c.http.Do(ctx, call, exchange)
	if failure != nil {
		return failure
	}
	defer func() { _ = reply.Body.Close() }() // never fails
	recordHeaders(rec, reply.Header, c.redact)
	if failure := c.checkHead(reply); failure != nil {
		return failure
	}
	switch kind {
	case backend.KindChat, backend.KindCompletion:
		failure = c.readGeneration(reply, body.stream, rec, exchange, cancel)
	case backend.KindSpeech:
		failure = readSpeech(reply, rec)
	default:
		failure = readList(reply, kind, rec)
	}
	if failure == nil {
		return nil
	}
	return withHeaders(failure, reply.Header)
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

// route turns a chat into a completion or the reverse where --endpoint says so.
func (c *Client) route(r *backend.Request) (*backend.Request, *fault.Error) {
	switch {
	case r.Chat != nil && c.settings.Endpoint == EndpointCompletions:
		var prompt strings.Builder
		for i, m := range r.Chat.Messages {
			if m.HasImages() {
				return nil, fault.New(fault.InvalidRequest, "completions cannot carry images: use --endpoint chat")
			}
			if i > 0 {
				prompt.WriteString("\n")
			}
			prompt.WriteString(m.TextOf())
		}
		turned := *r
		turned.Chat = nil
		turned.Completion = &backend.Completion{Prompt: prompt.String(), MaxTokens: r.Chat.MaxTokens, Stop: r.Chat.Stop, Stream: r.Chat.Stream}
		return &turned, nil
	case r.Completion != nil && c.settings.Endpoint == EndpointChat:
		if len(r.Completion.TokenIDs) > 0 {
			return nil, fault.New(fault.InvalidRequest, "chat cannot carry token ids: use --endpoint completions")
		}
		turned := *r
		turned.Completion = nil
		turned.Chat = &backend.Chat{
			Messages:  []backend.Message{backend.UserText(r.Completion.Prompt)},
			MaxTokens: r.Completion.MaxTokens, Stop: r.Completion.Stop, Stream: r.Completion.Stream,
		}
		return &turned, nil
	}
	return r, nil
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

// Limits of what is read of a body in one piece.
const (
	errorBytesMax  = 1 << 20
	answerBytesMax = 256 << 20
)

// checkHead turns an answer that is no success into its failure.
func (c *Client) checkHead(reply *httpclient.Answer) *fault.Error {
	if encoding := reply.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		failure := fault.New(fault.Protocol, "the server compressed its answer (%s) although it was asked not to", encoding)
		failure.HTTPStatus = reply.Status
		return withHeaders(failure, reply.Header)
	}
	if reply.Status >= 200 && reply.Status < 300 {
		return nil
	}
	return statusFailure(reply)
}

// statusFailure reads an error answer.
func statusFailure(reply *httpclient.Answer) *fault.Error {
	body, err := reply.Body.ReadAll(errorBytesMax)
	return withHeaders(statusFault(reply.Status, reply.Header, body, err), reply.Header)
}

// statusFault is the failure of a status and a body. Where the body could not
// be read, the status still says what happened.
func statusFault(status int, header http.Header, body []byte, unread error) *fault.Error {
	report := readErrorReport(body)
	if unread != nil && report.Message == "" {
		report.Message = fmt.Sprintf("%s (its body could not be read: %v)", http.StatusText(status), unread)
	}
	failure := newFailure(status, report)
	if status >= 300 && status < 400 {
		failure.Message = fmt.Sprintf("the server redirects to %q", header.Get("Location"))
		failure.Hint = "redirects are not followed, as they would turn POST into GET: give that address as --api-base"
	}
	return failure
}

// lingerMax is how long the end of a body may take after [DONE]. Reading it
// keeps the connection for the next request; nothing of value comes any more.
const lingerMax = time.Second

// readGeneration reads the answer to a chat or a completion, as a stream or
// whole, by what the server says it is.
func (c *Client) readGeneration(reply *httpclient.Answer, asked bool, rec *backend.Recorder, exchange *stamp.Exchange, cancel context.CancelFunc) *fault.Error {
	a := c.answers.Get().(*answer)
	a.begin(rec)
	defer func() {
		a.rec = nil
		c.answers.Put(a)
	}()
	if !isStream(reply.Header, asked) {
		body, err := reply.Body.ReadAll(answerBytesMax)
		if err != nil {
			return transportFault(err)
		}
		at := stamp.Arrival{At: exchange.LastByte, Read: exchange.ReadEnd}
		return a.end(a.readWhole(body, at))
	}
	failure := a.readStream(reply.Body)
	if a.done && failure == nil {
		timer := time.AfterFunc(lingerMax, cancel)
		for {
			if _, err := reply.Body.NextSpan(); err != nil {
				break // the answer is complete, however its connection ends
			}
		}
		timer.Stop()
	}
	return a.end(failure)
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

// readList reads the answer to embeddings, rerank and images.
func readList(reply *httpclient.Answer, kind backend.Kind, rec *backend.Recorder) *fault.Error {
	body, err := reply.Body.ReadAll(answerBytesMax)
	if err != nil {
		return transportFault(err)
	}
	answer, err := parseList(body)
	if err != nil {
		return notProtocol(body)
	}
	return answer.record(rec, kind, body)
}

// readSpeech reads audio as it comes.
func readSpeech(reply *httpclient.Answer, rec *backend.Recorder) *fault.Error {
	if kind, _, err := mime.ParseMediaType(reply.Header.Get("Content-Type")); err == nil && (kind == "application/json" || kind == "text/html") {
		body, err := reply.Body.ReadAll(errorBytesMax)
		if err != nil {
			return transportFault(err)
		}
		var top object
		decodeInto(json.RawMessage(body), &top)
		if failed := failureOf(top, body); failed != nil {
			return newFailure(0, readErrorReport(failed))
		}
		return fault.New(fault.Protocol, "the answer is no audio: %s", excerpt(body))
	}
	var size int64
	for {
		span, err := reply.Body.NextSpan()
		if err == nil {
			size += int64(len(span.Bytes))
			rec.Event(backend.Audio, 0, span.Arrival, 0, backend.EventText{})
			continue
		}
		rec.Media(backend.Media{Bytes: size, Count: 1})
		if err != io.EOF {
			return transportFault(err)
		}
		if size == 0 {
			return fault.New(fault.Protocol, "the server answered 200 with no audio")
		}
		return nil
	}
}
