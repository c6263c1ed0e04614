package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	pb "cloud.google.com/go/aiplatform/apiv1beta1/aiplatformpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// call is one RPC as it passes the border of Google's client. It is the codec of
// its messages, so that each is stamped before anything is made of it.
type call struct {
	request *pb.GenerateContentRequest // without the model
	// take reads a message in the form that REST has.
	take      func(text []byte, at stamp.Arrival) *fault.Error
	taken     int          // messages
	refused   *fault.Error // of take
	requestID string

	mu       sync.Mutex // the rest is also the transport's
	exchange *stamp.Exchange
	trailer  bool // the server has said how the call ended
	timer    *time.Timer
	idle     time.Duration
}

var (
	_ encoding.CodecV2 = (*call)(nil)
	_ stats.Handler    = observer{}
)

// Name implements encoding.CodecV2: the bytes are those of the usual codec.
func (c *call) Name() string { return "proto" }

// Marshal implements encoding.CodecV2. v names the model; all else is ours.
func (c *call) Marshal(v any) (mem.BufferSlice, error) {
	theirs, ok := v.(*pb.GenerateContentRequest)
	if !ok {
		return nil, fmt.Errorf("an unexpected message %T", v)
	}
	c.request.Model = theirs.Model
	text, err := proto.Marshal(c.request)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchange.BytesSent += int64(len(text))
	c.exchange.Handed = stamp.Now()
	return mem.BufferSlice{mem.SliceBuffer(text)}, nil
}

// Unmarshal implements encoding.CodecV2. Google's client is left with an empty
// message.
func (c *call) Unmarshal(data mem.BufferSlice, _ any) error {
	now := stamp.Now()
	c.taken++
	c.mu.Lock()
	c.exchange.BytesReceived += int64(data.Len())
	c.exchange.LastByte, c.exchange.ReadEnd = now, now
	c.rewind()
	c.mu.Unlock()
	message := new(pb.GenerateContentResponse)
	text := []byte(nil)
	err := proto.Unmarshal(data.Materialize(), message)
	if err == nil {
		text, err = protojson.Marshal(message)
	}
	if err != nil {
		c.refused = fault.New(fault.Protocol, "the server sent what is no answer: %v", err)
		return err
	}
	if c.refused = c.take(text, stamp.Arrival{At: now, Read: now}); c.refused != nil {
		return c.refused
	}
	return nil
}

// limited is the call's context: it ends with a fault as its cause where a limit
// strikes.
func (c *call) limited(parent context.Context, limits backend.Limits) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	strike := func(class fault.Class, format string, args ...any) func() {
		failure := fault.New(class, format, args...)
		failure.Retryable = true
		return func() { cancel(failure) }
	}
	var total *time.Timer
	if limits.Total > 0 {
		total = time.AfterFunc(limits.Total, strike(fault.TimeoutTotal, "the answer was not complete within %v", limits.Total))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = limits.Idle
	idle := strike(fault.TimeoutIdle, "the answer stood still for %v", limits.Idle)
	head := strike(fault.TimeoutHeaders, "no answer within %v", limits.ResponseHeader)
	if limits.Idle > 0 || limits.ResponseHeader > 0 {
		first := limits.ResponseHeader
		if first == 0 {
			first = limits.Idle
		}
		c.timer = time.AfterFunc(first, func() {
			c.mu.Lock()
			begun := c.exchange.Headers != 0
			c.mu.Unlock()
			if begun || limits.ResponseHeader == 0 {
				idle()
			} else {
				head()
			}
		})
	}
	return ctx, func() {
		if total != nil {
			total.Stop()
		}
		c.mu.Lock()
		if c.timer != nil {
			c.timer.Stop()
		}
		c.mu.Unlock()
		cancel(nil)
	}
}

// rewind starts the limit of standing still again. c.mu is held.
func (c *call) rewind() {
	switch {
	case c.timer == nil:
	case c.idle > 0:
		c.timer.Reset(c.idle)
	default:
		c.timer.Stop()
	}
}

// finish is what an error of the call means.
func (c *call) finish(ctx context.Context, err error) *fault.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchange.ReadEnd = stamp.Now()
	if c.refused != nil {
		return c.refused
	}
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		var limit *fault.Error
		if errors.As(cause, &limit) {
			return limit
		}
		return fault.New(fault.Cancelled, "the request was cancelled: %v", cause)
	}
	var said interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &said) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Truncated, "the answer ended in the middle")
		}
		return fault.New(fault.Protocol, "Google's client: %v", err)
	}
	return c.refusal(said.GRPCStatus())
}

// refusal is the failure of a status: the server's own, or one that the transport
// made up.
func (c *call) refusal(s *status.Status) *fault.Error {
	// grpc-go's words for an answer that is not gRPC's.
	const foreign = "unexpected HTTP status code received from server: "
	if _, rest, ok := strings.Cut(s.Message(), foreign); ok {
		failure := fault.New(fault.Protocol, "%s", s.Message())
		if _, err := fmt.Sscan(rest, &failure.HTTPStatus); err == nil {
			failure.Class, failure.Retryable = fault.OfHTTPStatus(failure.HTTPStatus), fault.RetryableStatus(failure.HTTPStatus)
		}
		return failure
	}
	if !c.trailer {
		class := fault.Connect
		if c.exchange.Headers != 0 {
			class = fault.Truncated
		}
		failure := fault.New(class, "the connection broke: %s", s.Message())
		failure.Retryable = true
		return failure
	}
	word := canonicalCode(s.Code())
	class, known := classes[word]
	if !known {
		class = fault.Server
	}
	failure := fault.New(class, "%s", s.Message())
	failure.ProviderCode = word
	failure.Retryable = class == fault.RateLimited || class == fault.Overloaded || class == fault.Server
	if failure.Message == "" {
		failure.Message = s.Code().String()
	}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.RetryInfo:
			failure.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.RequestInfo:
			failure.RequestID = d.GetRequestId()
		}
	}
	return failure
}

// canonicalCode is a code's name as REST has it ("RESOURCE_EXHAUSTED").
func canonicalCode(code codes.Code) string {
	text := code.String() // "ResourceExhausted"
	var b strings.Builder
	for i, r := range text {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// callHeader are the headers of REST that gRPC takes too.
func callHeader(c credentials) http.Header {
	h := header(c)
	h.Del("User-Agent") // the transport's own
	return h
}

type callKey struct{}

type placed struct {
	*call
	line *line
}

func withCall(ctx context.Context, c *call, l *line) context.Context {
	return context.WithValue(ctx, callKey{}, placed{c, l})
}

// observer tells a call what the transport knows.
type observer struct{}

func (observer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (observer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (observer) HandleConn(context.Context, stats.ConnStats)                       {}

// HandleRPC implements stats.Handler. It is called by the transport's goroutines.
func (observer) HandleRPC(ctx context.Context, s stats.RPCStats) {
	c, ok := ctx.Value(callKey{}).(placed)
	if !ok {
		return
	}
	now := stamp.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := s.(type) {
	case *stats.OutHeader:
		if s.RemoteAddr != nil {
			c.exchange.Peer = s.RemoteAddr.String()
		}
	case *stats.InHeader:
		c.exchange.Headers = now
		c.exchange.BytesReceived += int64(s.WireLength)
		if ids := s.Header.Get("x-request-id"); len(ids) > 0 {
			c.requestID = ids[0]
		}
		c.rewind()
	case *stats.InTrailer:
		c.trailer = true
		c.exchange.BytesReceived += int64(s.WireLength)
		if c.exchange.LastByte < now {
			c.exchange.LastByte = now
		}
	}
}
