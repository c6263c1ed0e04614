package host

import (
	"context"
	"net"
	"sync"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/internal/serve"
)

// inProcess runs a backend behind a connection in memory: everything of the
// contract but the process.
type inProcess struct {
	*remote
	server *grpc.Server
	client *grpc.ClientConn
	once   sync.Once
	exited chan struct{}
}

var _ Runner = (*inProcess)(nil)

// InProcess returns a Runner that talks gRPC in memory to the backend. For
// tests.
func InProcess(b backend.Backend) (Runner, error) {
	logger := hclog.NewNullLogger()
	server := grpc.NewServer(serve.ServerOptions(logger)...)
	info := &pluginv1.PluginInfo{Name: b.Describe().Name, Version: sdk.Version, SdkVersion: sdk.Version, ProtocolMinor: sdk.ProtocolMinor}
	serve.New(info, []backend.Backend{b}, logger).Register(server)
	healthy := health.NewServer()
	healthy.SetServingStatus(goplugin.GRPCServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)

	const bufferBytes = 1 << 20
	listener := bufconn.Listen(bufferBytes)
	client, err := grpc.NewClient("passthrough:in-process",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(limits.MessageBytes), grpc.MaxCallSendMsgSize(limits.MessageBytes)),
	)
	if err != nil {
		return nil, err
	}
	go func() { _ = server.Serve(listener) }()
	r := &inProcess{server: server, client: client, exited: make(chan struct{})}
	r.remote = &remote{name: info.GetName(), conn: client, exited: r.exited, died: func() string { return "" }, log: newPluginLog(logger)}
	return r, nil
}

func (r *inProcess) Run(ctx context.Context, options RunOptions) (*Session, error) {
	return r.run(ctx, options)
}

func (r *inProcess) Close(ctx context.Context) error {
	select {
	case <-r.exited:
		return nil
	default:
	}
	err := r.closeBackend(ctx)
	r.Kill()
	return err
}

func (r *inProcess) Kill() {
	r.once.Do(func() {
		_ = r.client.Close()
		r.server.Stop()
		close(r.exited)
	})
}

func (r *inProcess) Exited() <-chan struct{} { return r.exited }
func (r *inProcess) Err() error              { return nil }
func (r *inProcess) Pid() int                { return 0 }
