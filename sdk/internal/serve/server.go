// Package serve answers the contract's services for a set of backends. It is
// what runs inside a plugin process, and behind an in-memory connection in
// tests.
package serve

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/convert"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Server implements both services of the contract.
type Server struct {
	pluginv1.UnimplementedPluginServiceServer
	pluginv1.UnimplementedBackendServiceServer

	info     *pluginv1.PluginInfo
	backends []backend.Backend
	logger   hclog.Logger

	mu      sync.Mutex
	opened  backend.Backend // nil before Open has succeeded
	running bool            // a Run has not ended
	idle    *sync.Cond      // running became false
}

// New returns the services of a plugin with these backends.
func New(info *pluginv1.PluginInfo, backends []backend.Backend, logger hclog.Logger) *Server {
	s := &Server{info: info, backends: backends, logger: logger}
	s.idle = sync.NewCond(&s.mu)
	return s
}

// Register adds the services to a gRPC server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	pluginv1.RegisterPluginServiceServer(r, s)
	pluginv1.RegisterBackendServiceServer(r, s)
}

// ServerOptions are the gRPC options of a server of the contract.
func ServerOptions(logger hclog.Logger) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(limits.MessageBytes),
		grpc.MaxSendMsgSize(limits.MessageBytes),
		grpc.InitialWindowSize(limits.StreamWindowBytes),
		grpc.InitialConnWindowSize(limits.StreamWindowBytes),
		grpc.UnaryInterceptor(recoverPanic(logger)),
	}
}

// recoverPanic makes a panic in Describe, Open, Probe or Close the answer to
// that call.
func recoverPanic(logger hclog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, call *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
		defer func() {
			if value := recover(); value != nil {
				method := call.FullMethod[strings.LastIndexByte(call.FullMethod, '/')+1:]
				logger.Error("the backend panicked", "in", method, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
				err = status.Errorf(codes.Internal, "the plugin panicked in %s: %v", method, value)
			}
		}()
		return handler(ctx, request)
	}
}

// Describe implements the contract.
func (s *Server) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	answer := &pluginv1.DescribeResponse{Plugin: s.info}
	for _, b := range s.backends {
		answer.Components = append(answer.Components, &pluginv1.Component{
			Kind: &pluginv1.Component_Backend{Backend: convert.BackendDescriptionToProto(b.Describe())},
		})
	}
	return answer, nil
}

// Open implements the contract.
func (s *Server) Open(ctx context.Context, request *pluginv1.OpenRequest) (*pluginv1.OpenResponse, error) {
	if kind := request.GetComponentKind(); kind != "backend" && kind != "" {
		return nil, status.Errorf(codes.Unimplemented, "this plugin has no component of kind %q", kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil {
		return nil, status.Error(codes.FailedPrecondition, "a backend is open already; one process is one opened component")
	}
	chosen, err := s.find(request.GetComponent())
	if err != nil {
		return nil, err
	}
	opened, err := chosen.Open(ctx, convert.ConfigFromProto(request))
	if err != nil {
		return nil, err
	}
	if !opened.Failed() {
		s.opened = chosen
	}
	answer := convert.OpenedToProto(opened)
	answer.ClockPair = &pluginv1.ClockPair{RealtimeNs: time.Now().UnixNano(), MonotonicNs: int64(stamp.Now())}
	return answer, nil
}

func (s *Server) find(component string) (backend.Backend, error) {
	var names []string
	for _, b := range s.backends {
		d := b.Describe()
		if d.Answers(component) {
			return b, nil
		}
		names = append(names, d.Name)
	}
	return nil, status.Errorf(codes.NotFound, "no backend %q in this plugin (it has: %s)", component, strings.Join(names, ", "))
}

// Probe implements the contract.
func (s *Server) Probe(ctx context.Context, _ *pluginv1.ProbeRequest) (*pluginv1.ProbeResponse, error) {
	s.mu.Lock()
	opened := s.opened
	s.mu.Unlock()
	if opened == nil {
		return nil, errNotOpen("Probe")
	}
	prober, ok := opened.(backend.Prober)
	if !ok {
		return nil, status.Error(codes.Unimplemented, "this backend cannot be probed")
	}
	probe, err := prober.Probe(ctx)
	if err != nil {
		return nil, err
	}
	return convert.ProbeToProto(probe), nil
}

// Close implements the contract. It waits, within its deadline, for a Run that
// has not ended; a backend with requests in hand is not closed.
func (s *Server) Close(ctx context.Context, _ *pluginv1.CloseRequest) (*pluginv1.CloseResponse, error) {
	wake := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle.Broadcast()
	})
	defer wake()
	s.mu.Lock()
	for s.running && ctx.Err() == nil {
		s.idle.Wait()
	}
	opened, running := s.opened, s.running
	s.mu.Unlock()
	if running {
		return nil, status.Error(codes.FailedPrecondition, "requests have not returned; the backend was not closed")
	}
	if opened != nil {
		if err := opened.Close(ctx); err != nil {
			return nil, err
		}
	}
	return &pluginv1.CloseResponse{}, nil
}

func errNotOpen(call string) error {
	return status.Errorf(codes.FailedPrecondition, "%s came before a successful Open", call)
}
