package jsonhttp

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Limits of what is read of a body in one piece.
const (
	refusalBytesMax = 1 << 20
	AnswerBytesMax  = 256 << 20
)

// Settings make a Client.
type Settings struct {
	Config backend.Config
	// Header is sent with every request.
	Header http.Header
	// Secrets are taken out of whatever is reported, besides those of
	// SecretsOfConfig and the headers that authenticate.
	Secrets []secret.Secret
	// Sign, which may be nil, is called with each call right before it is sent. It
	// may replace call.Header but not write to it. How long it had to wait for a
	// credential goes into call.Queued.
	Sign func(ctx context.Context, call *httpclient.Call) error
	// Classify, which may be nil, turns the provider's own words into a class.
	Classify func(status int, r Report) fault.Class
	// Explain, which may be nil, completes a failure with what a user can do.
	Explain func(failure *fault.Error)
	// RequestIDs name the response headers that may hold the provider's id of a
	// request, best first; they go into the results, with Kept.
	RequestIDs []string
	Kept       []string
}

// Client sends a plugin's requests. Its methods may be called concurrently.
type Client struct {
	settings Settings
	http     *httpclient.Client
	redact   *Redactor
}

// New checks the transport's settings and makes a client; it touches no network.
// Where a problem is an error, the client is nil.
func New(settings Settings) (*Client, []option.Problem) {
	c := &Client{settings: settings}
	c.redact = NewRedactor(append(append(SecretsOfConfig(settings.Config), settings.Secrets...), SecretsOfHeader(settings.Header)...))
	transport, problem := NewTransport(settings.Config, c.redact.Text)
	if problem != nil {
		return nil, []option.Problem{*problem}
	}
	c.http = transport
	return c, nil
}

// Clock is the clock in use, with a note how to get a better one.
func (c *Client) Clock() (stamp.Clock, string) { return c.http.Clock() }

// Close closes idle connections. It is called when no request is under way.
func (c *Client) Close() { c.http.Close() }

// Post sends the body of a benchmark's request and returns the answer's head,
// where that is a success; the body is to be read and closed. accept is the type
// that is asked for. What the transport learns goes into exchange, on failure
// too.
func (c *Client) Post(ctx context.Context, r *backend.Request, url, accept string, body []byte, rec *backend.Recorder, exchange *stamp.Exchange) (*httpclient.Answer, *fault.Error) {
	header := c.header(accept, body)
	if r.ID != "" {
		header["X-Request-Id"] = []string{r.ID}
	}
	for _, h := range r.Header {
		header.Set(h.Name, h.Value)
	}
	call := &httpclient.Call{
		Method: http.MethodPost, URL: url, Header: header, Body: body, StartAt: r.StartAt, Timeout: r.Timeout,
		ConnectionKey: r.ConnectionKey, FreshConnection: r.FreshConnection,
	}
	answer, failure := c.do(ctx, call, exchange)
	if failure != nil {
		return nil, failure
	}
	for _, names := range [][]string{c.settings.RequestIDs, c.settings.Kept} {
		for _, name := range names {
			if value := answer.Header.Get(name); value != "" {
				rec.ServerHeader(strings.ToLower(name), c.redact.Text(value))
			}
		}
	}
	if failure := c.refused(answer); failure != nil {
		_ = answer.Body.Close() // never fails
		return nil, c.Finished(failure, answer.Header, call.Header)
	}
	return answer, nil
}

// Reply is an answer that was read whole.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Fetch makes a call outside the measurement, a preflight's say, and reads the
// answer whole. An answer that is no success comes with its failure.
func (c *Client) Fetch(ctx context.Context, method, url string, body []byte, exchange *stamp.Exchange) (*Reply, *fault.Error) {
	call := &httpclient.Call{Method: method, URL: url, Header: c.header("application/json", body), Body: body}
	answer, failure := c.do(ctx, call, exchange)
	if failure != nil {
		return nil, failure
	}
	defer func() { _ = answer.Body.Close() }() // never fails
	if answer.Status/100 != 2 {
		text, unread := answer.Body.ReadAll(refusalBytesMax)
		failure := Refusal(answer.Status, answer.Header, text, unread, c.settings.Classify)
		return &Reply{answer.Status, answer.Header, text}, c.Finished(failure, answer.Header, call.Header)
	}
	text, err := answer.Body.ReadAll(AnswerBytesMax)
	if err != nil {
		return nil, c.Finished(TransportFault(err), answer.Header, call.Header)
	}
	return &Reply{answer.Status, answer.Header, text}, nil
}

// header is what every request carries.
func (c *Client) header(accept string, body []byte) http.Header {
	header := make(http.Header, len(c.settings.Header)+5)
	header["Accept-Encoding"] = []string{"identity"} // a compressor would hold events back
	header["Accept"] = []string{accept}
	if body != nil {
		header["Content-Type"] = []string{"application/json"}
	}
	for name, values := range c.settings.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header
}

func (c *Client) do(ctx context.Context, call *httpclient.Call, exchange *stamp.Exchange) (*httpclient.Answer, *fault.Error) {
	if c.settings.Sign != nil {
		if err := c.settings.Sign(ctx, call); err != nil {
			exchange.Queued = call.Queued
			var failure *fault.Error
			if !errors.As(err, &failure) {
				failure = fault.New(fault.Auth, "signing the request: %v", err)
			}
			return nil, c.redact.Fault(failure)
		}
	}
	answer, failure := c.http.Do(ctx, call, exchange)
	if failure != nil {
		return nil, c.Finished(failure, nil, call.Header)
	}
	return answer, nil
}

// refused is the failure of an answer that is no success.
func (c *Client) refused(answer *httpclient.Answer) *fault.Error {
	if encoding := answer.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		failure := fault.New(fault.Protocol, "the server compressed its answer (%s) although it was asked not to", encoding)
		failure.HTTPStatus = answer.Status
		return failure
	}
	if answer.Status >= 200 && answer.Status < 300 {
		return nil
	}
	body, unread := answer.Body.ReadAll(refusalBytesMax)
	return Refusal(answer.Status, answer.Header, body, unread, c.settings.Classify)
}

// Finished completes a failure for the user: with the provider's id of the
// request, with what can be done, and without secrets. answer and sent are the
// headers of both, or nil.
func (c *Client) Finished(failure *fault.Error, answer, sent http.Header) *fault.Error {
	for _, name := range c.settings.RequestIDs {
		if id := answer.Get(name); id != "" {
			failure.RequestID = id
			break
		}
	}
	if c.settings.Explain != nil {
		c.settings.Explain(failure)
	}
	if own := SecretsOfHeader(sent); len(own) > 0 {
		failure = NewRedactor(own).Fault(failure)
	}
	return c.redact.Fault(failure)
}

// IsStream tells whether an answer is an event stream: by its type, and by what
// was asked for where the type does not say.
func IsStream(header http.Header, asked bool) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return asked
	}
	switch kind {
	case "text/event-stream":
		return true
	case "application/json", "text/html", "text/plain":
		return false
	}
	return asked
}
