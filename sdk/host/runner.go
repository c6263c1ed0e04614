package host

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/internal/convert"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// Runner is one plugin, wherever it runs: a process (Launch), behind an
// in-memory connection (InProcess), or called directly (Direct). Its methods
// are safe for concurrent use. Every call is bounded by the contract's deadline
// for it, whatever its context allows.
type Runner interface {
	// Describe asks what the plugin is. No network; 5 s.
	Describe(ctx context.Context) (sdk.Description, error)
	// Open configures one component, once; no network; 30 s. What the user can
	// mend is in Opened.Problems, not in the error.
	Open(ctx context.Context, component string, config backend.Config) (backend.Opened, error)
	// Probe makes the first network call; 60 s. The error is ErrUnsupported
	// where the backend cannot be probed; what was found wrong is in
	// Probe.Failure.
	Probe(ctx context.Context) (backend.Probe, error)
	// Run starts a session. A session at a time.
	Run(ctx context.Context, options RunOptions) (*Session, error)
	// Close closes the backend and stops the plugin, within 10 s and a grace
	// of 3 s. Sessions must have ended. It may be called twice.
	Close(ctx context.Context) error
	// Kill stops the plugin at once. It may be called at any time, and twice.
	Kill()
	// Exited is closed when the plugin has ended, for whatever reason.
	Exited() <-chan struct{}
	// Err says how the plugin ended by itself; nil while it lives, and after
	// Close or Kill.
	Err() error
	// Pid is the process id; 0 where there is none of its own.
	Pid() int
}

// remote calls a plugin over a connection.
type remote struct {
	name   string
	conn   grpc.ClientConnInterface
	exited <-chan struct{}
	// died says how the plugin ended; "" where it is alive.
	died func() string
	// log knows the secrets that were sent.
	log *pluginLog
}

// failed makes the error of a call. Where the connection broke, the process is
// about to be found dead; that is the better explanation.
func (r *remote) failed(call string, err error) error {
	e := callError(r.name, call, err, r.ending(err))
	e.Detail = r.log.blotOut(e.Detail)
	return e
}

// ending waits a moment for the end of the process where err looks like it.
func (r *remote) ending(err error) string {
	if !connectionBroke(err) {
		return ""
	}
	select {
	case <-r.exited:
		return r.died()
	case <-time.After(2 * limits.PipeDrain):
		return ""
	}
}

func (r *remote) Describe(ctx context.Context) (sdk.Description, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.Describe)
	defer cancel()
	answer, err := pluginv1.NewPluginServiceClient(r.conn).Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return sdk.Description{}, r.failed("Describe", err)
	}
	return descriptionFromProto(answer), nil
}

func (r *remote) Open(ctx context.Context, component string, config backend.Config) (backend.Opened, error) {
	request, err := convert.ConfigToProto(component, config)
	if err != nil {
		return backend.Opened{}, err
	}
	r.log.hide(secretsOf(config))
	ctx, cancel := context.WithTimeout(ctx, limits.Open)
	defer cancel()
	answer, err := pluginv1.NewPluginServiceClient(r.conn).Open(ctx, request)
	if err != nil {
		return backend.Opened{}, r.failed("Open", err)
	}
	return r.log.redacted(convert.OpenedFromProto(answer)), nil
}

func (r *remote) Probe(ctx context.Context) (backend.Probe, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.Probe)
	defer cancel()
	answer, err := pluginv1.NewPluginServiceClient(r.conn).Probe(ctx, &pluginv1.ProbeRequest{})
	if err != nil {
		return backend.Probe{}, r.failed("Probe", err)
	}
	probe := convert.ProbeFromProto(answer)
	r.log.redactError(probe.Failure)
	return probe, nil
}

// closeBackend makes the Close call.
func (r *remote) closeBackend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limits.Close)
	defer cancel()
	if _, err := pluginv1.NewPluginServiceClient(r.conn).Close(ctx, &pluginv1.CloseRequest{}); err != nil {
		return r.failed("Close", err)
	}
	return nil
}

// Ping asks the plugin's health service whether it answers, within 5 s.
func (r *remote) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limits.Health)
	defer cancel()
	request := &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName}
	answer, err := grpc_health_v1.NewHealthClient(r.conn).Check(ctx, request)
	if err != nil {
		return r.failed("Ping", err)
	}
	if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return &CallError{Plugin: r.name, Call: "Ping", Detail: "it says " + s.String(), Err: errors.New(s.String())}
	}
	return nil
}

// secretsOf collects what must never be printed.
func secretsOf(c backend.Config) []string {
	secrets := []string{c.APIKey.Reveal()}
	for _, value := range c.Options {
		if s, ok := value.(interface{ Reveal() string }); ok {
			secrets = append(secrets, s.Reveal())
		}
	}
	for _, header := range c.HTTP.Header {
		if sensitive(header.Name) {
			secrets = append(secrets, header.Value)
		}
	}
	return secrets
}

// redacted makes sure of what plugins have to see to themselves: what Open
// answers goes into metadata and onto the terminal.
func (l *pluginLog) redacted(o backend.Opened) backend.Opened {
	for i := range o.Problems {
		o.Problems[i].Message, o.Problems[i].Hint = l.blotOut(o.Problems[i].Message), l.blotOut(o.Problems[i].Hint)
	}
	o.EffectiveConfig = []byte(l.blotOut(string(o.EffectiveConfig)))
	o.Endpoint = l.blotOut(o.Endpoint)
	return o
}

func (l *pluginLog) redactError(e *fault.Error) {
	if e != nil {
		e.Message, e.Hint = l.blotOut(e.Message), l.blotOut(e.Hint)
	}
}
