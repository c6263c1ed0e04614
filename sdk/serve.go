package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/handshake"
	"github.com/genai-bench/genai-bench/sdk/internal/serve"
	"github.com/genai-bench/genai-bench/sdk/internal/timeslice"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Plugin is what a plugin binary holds.
type Plugin struct {
	Name     string // the NAME of genai-bench-plugin-NAME
	Version  string
	Vendor   string
	License  string
	Homepage string
	// EnvPassthrough names environment variables, or prefixes of them ending
	// in "*", that the plugin must see: those by which a cloud's SDK finds its
	// credentials. Everything else comes in Open.
	EnvPassthrough []string
	Backends       []backend.Backend
}

// Description is what the plugin says of itself.
func (p Plugin) Description() Description {
	d := Description{Plugin: PluginInfo{
		Name: p.Name, Version: p.Version, Vendor: p.Vendor, License: p.License, Homepage: p.Homepage,
		SDKVersion: Version, ProtocolMinor: ProtocolMinor, EnvPassthrough: p.EnvPassthrough,
	}}
	for _, b := range p.Backends {
		description := b.Describe()
		d.Components = append(d.Components, Component{Kind: BackendComponent, Backend: &description})
	}
	return d
}

// Serve is a plugin's whole main function:
//
//	func main() { os.Exit(sdk.Serve(sdk.Plugin{Name: "acme", …})) }
//
// With the argument "describe" it prints the description as JSON. Started by
// the host it serves until the host is done or gone. Started by hand it says
// what the binary is. It returns the exit code.
//
// Nothing in a plugin may write to stdout, which belongs to the handshake.
// Logs go through hclog.Default, log or log/slog; they arrive in the host's
// log.
func Serve(p Plugin) int {
	switch {
	case len(os.Args) == 2 && os.Args[1] == handshake.DescribeArgument:
		return describe(os.Stdout, os.Stderr, p)
	case os.Getenv(handshake.CookieKey) != handshake.CookieValue:
		explain(os.Stderr, p)
		return 1
	}
	logger := logTo(os.Stderr, p.Name, os.Getenv(handshake.LogLevelKey))
	stamp.InheritedPackets() // closed to whatever the plugin may start
	if err := timeslice.Shorten(); err != nil {
		logger.Debug("no shorter time slice; arrivals may bundle on a busy machine", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := timeslice.Punctual(ctx); err != nil {
		logger.Debug("not in front of other programs; sends may be late on a busy machine", "error", err)
	}
	absorbSignals()

	served := make(chan struct{})
	go func() {
		defer close(served)
		services := serve.New(pluginInfo(p), p.Backends, logger)
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig: goplugin.HandshakeConfig{
				MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
			},
			VersionedPlugins: map[int]goplugin.PluginSet{
				ProtocolVersion: {handshake.PluginName: &grpcServices{server: services}},
			},
			GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
				return grpc.NewServer(append(options, serve.ServerOptions(logger)...)...)
			},
			Logger: logger,
		})
	}()
	select {
	case <-served:
	case <-lease(os.Stdin):
	}
	return 0
}

func describe(stdout, stderr io.Writer, p Plugin) int {
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p.Description()); err != nil {
		fmt.Fprintf(stderr, "printing the description: %v\n", err)
		return 1
	}
	return 0
}

func explain(w io.Writer, p Plugin) {
	fmt.Fprintf(w, "This is genai-bench's plugin %q, version %s. genai-bench starts it by itself;\n"+
		"put the file where `genai-bench plugins list` looks. What it offers: %s %s\n",
		p.Name, p.Version, os.Args[0], handshake.DescribeArgument)
}

// lease returns a channel that closes when the host has closed the plugin's
// stdin, which the kernel does for a host that was killed. The host writes
// nothing.
func lease(stdin io.Reader) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = io.Copy(io.Discard, stdin)
	}()
	return over
}

// absorbSignals keeps the process alive as long as its lease: whoever signals
// the whole group (a terminal, a supervisor) means the host, which drains first.
func absorbSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for range signals { //nolint:revive // absorbing is all there is to do
		}
	}()
}

func pluginInfo(p Plugin) *pluginv1.PluginInfo {
	return &pluginv1.PluginInfo{
		Name: p.Name, Version: p.Version, Vendor: p.Vendor, License: p.License, Homepage: p.Homepage,
		SdkVersion: Version, ProtocolMinor: ProtocolMinor, EnvPassthrough: p.EnvPassthrough,
	}
}

// grpcServices hands the services to go-plugin.
type grpcServices struct {
	goplugin.NetRPCUnsupportedPlugin
	server *serve.Server
}

func (g *grpcServices) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	g.server.Register(s)
	return nil
}

func (g *grpcServices) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, fmt.Errorf("this is the plugin's side")
}

var _ goplugin.GRPCPlugin = (*grpcServices)(nil)
