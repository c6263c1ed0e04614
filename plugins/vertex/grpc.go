package main

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"cloud.google.com/go/vertexai/genai"
	"google.golang.org/api/iterator"
	gtransport "google.golang.org/api/transport/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// deprecated is what its maker says of cloud.google.com/go/vertexai.
const deprecated = "goes through cloud.google.com/go/vertexai, which Google has deprecated in June 2025 and announced to remove in June 2026; times are those of user space"

const clockNote = "gRPC's frames have no arrivals of their own: --gcp-transport rest has the kernel's"

// grpcAsker asks Gemini by gRPC. The client is Google's; the connections, the
// messages and the moments are taken at its border (connections, codec), because
// its own types leave out fields, and its streams end where an answer is blocked.
type grpcAsker struct {
	wiring
	params      jsonhttp.Object
	connections *connections
	client      *genai.Client
	redact      *jsonhttp.Redactor
	waiter      stamp.Waiter
}

// grpc makes the asker; nil where there is a problem. It touches no network.
func (w wiring) grpc(params jsonhttp.Object) asker {
	w.warn(optionTransport, "leave --gcp-transport at rest", "%s", deprecated)
	if w.target.project == "" {
		w.refuse(optionProject, "give it by --"+optionProject+" or GCP_PROJECT_ID, or use --gcp-transport rest", "is missing, and gRPC has no addresses without one")
	}
	if clock := w.config.Clock; clock == backend.ClockPacket || clock == backend.ClockSocket {
		w.refuse("clock", "use --clock user or --gcp-transport rest", "gRPC has no %s stamps", clock)
	}
	base, err := url.Parse(w.target.address.Join(""))
	if err != nil || base.Path != "" {
		w.refuse(optionAPIBase, "leave the path out, or use --gcp-transport rest", "has a path, which gRPC does not")
	}
	settings, err := httpclient.TLSConfig(w.config.TLS)
	if err != nil || w.failed() { // the error was told by the transport that was tried before
		return nil
	}
	g := &grpcAsker{wiring: w, params: params, redact: jsonhttp.NewRedactor(append(jsonhttp.SecretsOfConfig(w.config), w.secrets()...))}
	if g.connections, err = newConnections(w.config, base, settings); err == nil {
		g.client, err = genai.NewClient(context.Background(), w.target.project, w.target.location, gtransport.WithConnPool(g.connections))
	}
	if err != nil {
		w.refuse(optionTransport, "use --gcp-transport rest", "Google's client: %v", err)
		if g.connections != nil {
			_ = g.connections.Close() // nothing was opened
		}
		return nil
	}
	return g
}

func (g *grpcAsker) clock() (stamp.Clock, string) { return stamp.ClockUser, clockNote }

func (g *grpcAsker) endpoint() string {
	return g.target.address.Join("/" + pb.PredictionService_ServiceDesc.ServiceName + "/StreamGenerateContent")
}

func (g *grpcAsker) close() {
	_ = g.connections.Close() // says only that it was closed before
	g.waiter.Close()
}

// do performs one request and tells the recorder everything about it.
func (g *grpcAsker) do(ctx context.Context, r *backend.Request, rec *backend.Recorder) {
	exchange := stamp.Exchange{Clock: stamp.ClockUser, Retransmits: -1}
	failure := g.exchange(ctx, r, rec, &exchange)
	rec.Exchange(exchange)
	if failure != nil {
		rec.Fail(g.finished(failure, r.Header))
	}
}

// finished completes a failure for the user, and takes secrets out of it.
func (g *grpcAsker) finished(failure *fault.Error, own []backend.HeaderField) *fault.Error {
	if failure.Class != fault.Cancelled {
		g.explain(failure)
	}
	if secrets := jsonhttp.SecretsOfFields(own); len(secrets) > 0 {
		failure = jsonhttp.NewRedactor(secrets).Fault(failure)
	}
	return g.redact.Fault(failure)
}

// message is a request's message, of the same body that goes out by REST.
func (g *grpcAsker) message(r *backend.Request) (*pb.GenerateContentRequest, bool, *fault.Error) {
	params, stream, failure := parameters(g.params, r)
	if failure != nil {
		return nil, false, failure
	}
	body, failure := gemini{}.body(r, "", stream)
	if failure != nil {
		return nil, false, failure
	}
	gemini{}.merge(&body, params)
	m := new(pb.GenerateContentRequest)
	if err := protojson.Unmarshal(body.Text(), m); err != nil {
		failure := fault.New(fault.InvalidRequest, "a parameter is unknown to the gRPC interface: %v", err)
		failure.Hint = "use --gcp-transport rest"
		return nil, false, failure
	}
	return m, stream, nil
}

func (g *grpcAsker) exchange(ctx context.Context, r *backend.Request, rec *backend.Recorder, exchange *stamp.Exchange) *fault.Error {
	if r.Chat == nil {
		return fault.New(fault.InvalidRequest, "gRPC has chats only")
	}
	message, stream, failure := g.message(r)
	if failure != nil {
		return failure
	}
	a := &answer{rec: rec}
	c := &call{request: message, exchange: exchange}
	c.take = func(text []byte, at stamp.Arrival) *fault.Error { return gemini{}.event(text, at, a) }
	failure = g.perform(ctx, c, r, stream)
	if failure = a.end(failure); failure != nil && c.requestID != "" {
		failure.RequestID = c.requestID
	}
	return failure
}

// perform makes one call, within its limits.
func (g *grpcAsker) perform(ctx context.Context, c *call, r *backend.Request, stream bool) (failure *fault.Error) {
	header := metadata.MD{}
	for name, values := range callHeader(g.credentials) {
		header.Set(name, values...)
	}
	if g.tokens != nil {
		token, waited, err := g.tokens.Get(ctx)
		c.exchange.Queued += waited
		if err != nil {
			if !errors.As(err, &failure) {
				failure = fault.New(fault.Auth, "no access token: %v", err)
			}
			return failure
		}
		header.Set("authorization", "Bearer "+token.Reveal())
		defer func() {
			if failure != nil {
				failure = jsonhttp.NewRedactor([]secret.Secret{token}).Fault(failure)
			}
		}()
	}
	if r.ID != "" {
		header.Set("x-request-id", r.ID)
	}
	for _, h := range append(slices.Clone(g.config.HTTP.Header), r.Header...) {
		header.Set(strings.ToLower(h.Name), h.Value)
	}
	line, failure := g.connections.pick(ctx, r.ConnectionKey, r.FreshConnection, c.exchange)
	if failure != nil {
		return failure
	}
	defer line.release()
	if r.StartAt != 0 {
		if err := g.waiter.Until(ctx, r.StartAt); err != nil {
			return fault.New(fault.Cancelled, "cancelled before it was sent: %v", context.Cause(ctx))
		}
	}
	limits := g.config.Limits
	if r.Timeout > 0 {
		limits.Total = r.Timeout
	}
	ctx, end := c.limited(metadata.NewOutgoingContext(ctx, header), limits)
	defer end()
	model := r.Model
	if model == "" {
		model = g.config.Model
	}
	c.exchange.SendStart = stamp.Now()
	err := ask(withCall(ctx, c, line), g.client.GenerativeModel(bareModel(model)), stream)
	return c.finish(ctx, err)
}

// ask drives Google's client to the end of the answer. What it makes of the
// messages is empty: the codec has taken them.
func ask(ctx context.Context, model *genai.GenerativeModel, stream bool) error {
	if !stream {
		_, err := model.GenerateContent(ctx)
		return err
	}
	answers := model.GenerateContentStream(ctx)
	for {
		if _, err := answers.Next(); err != nil {
			if errors.Is(err, iterator.Done) {
				return nil
			}
			return err
		}
	}
}

// probe asks for nothing: a request without contents is refused before anything
// is generated.
func (g *grpcAsker) probe(ctx context.Context) backend.Probe {
	exchange := &stamp.Exchange{}
	begun := time.Now()
	c := &call{request: new(pb.GenerateContentRequest), exchange: exchange, take: func([]byte, stamp.Arrival) *fault.Error { return nil }}
	failure := g.perform(ctx, c, &backend.Request{}, false)
	probe := backend.Probe{Latency: time.Since(begun)}
	if failure == nil {
		probe.Failure = fault.New(fault.Protocol, "the server answered an empty request")
		return probe
	}
	failure = g.finished(failure, nil)
	if failure.Class != fault.InvalidRequest && failure.Class != fault.RateLimited {
		probe.Failure = failure
	}
	return probe
}
