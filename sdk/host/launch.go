package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/internal/handshake"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// Options say what to launch and how.
type Options struct {
	Path string
	// Checksum is the file's SHA-256, compared just before the start; nil: not
	// compared. Checking and starting are two steps: plugins must lie where
	// others cannot write.
	Checksum []byte
	// Environ is the host's environment ("NAME=value"), of which the plugin
	// sees an allow-list; nil: this process's.
	Environ []string
	// EnvPassthrough names what the plugin sees besides (Description.Plugin).
	EnvPassthrough []string
	// Logger takes the plugin's log (name it after the plugin), and its level decides from which level on
	// the plugin logs at all; nil: nothing.
	Logger hclog.Logger
	// Packets is a socket of stamp.OpenPacketSocket, which the plugin inherits as
	// file descriptor 3; nil: it gets none. The caller may close it once Launch
	// has returned.
	Packets *os.File
	// TempDir is where the folder with the socket is made; "": the system's.
	TempDir string

	// startWithin shortens limits.Start in tests.
	startWithin time.Duration
}

// Process is a plugin process that was launched. It implements Runner.
type Process struct {
	*remote
	child  *child
	client *goplugin.Client
	dir    *socketDir

	stop    sync.Once
	mu      sync.Mutex
	stopped bool // by us
}

var _ Runner = (*Process)(nil)

// Launch starts a plugin and connects to it, within 10 s. ctx bounds the start
// only. The process is gone when an error is returned; it is a *StartError, or
// ctx's. Close or Kill must be called, also after the plugin has died.
func Launch(ctx context.Context, o Options) (*Process, error) {
	path, err := executable(o.Path)
	if err != nil {
		return nil, err
	}
	if err := verify(path, o.Checksum); err != nil {
		return nil, err
	}
	dir, err := newSocketDir(o.TempDir)
	if err != nil {
		return nil, &StartError{Path: path, Kind: ErrSocketFolder, Detail: err.Error()}
	}
	logger := o.Logger
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	p := &Process{dir: dir, child: newChild(path, dir.path, logger)}
	p.client = goplugin.NewClient(p.config(path, o, logger))
	bound := limits.Start
	if o.startWithin != 0 {
		bound = o.startWithin
	}
	if err := p.connect(ctx, path, bound); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// config is go-plugin's, with all its output off: what matters of it comes back
// as an error.
func (p *Process) config(path string, o Options, logger hclog.Logger) *goplugin.ClientConfig {
	return &goplugin.ClientConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		VersionedPlugins: map[int]goplugin.PluginSet{
			sdk.ProtocolVersion: {handshake.PluginName: &connection{}},
		},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         runtime.GOOS == "windows", // any local user can reach a loopback port
		SkipHostEnv:      true,
		StartTimeout:     limits.Start + time.Second, // ours comes first
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.dir.path},
		Logger:           hclog.NewNullLogger(),
		SyncStdout:       &strayOutput{log: logger, stream: "stdout"},
		SyncStderr:       &strayOutput{log: logger, stream: "stderr"},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(
				grpc.MaxCallRecvMsgSize(limits.MessageBytes), grpc.MaxCallSendMsgSize(limits.MessageBytes)),
			grpc.WithDisableRetry(), // it would keep copies of what was sent
			grpc.WithInitialWindowSize(limits.StreamWindowBytes),
			grpc.WithInitialConnWindowSize(limits.StreamWindowBytes),
		},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			cmd := exec.Command(path) //nolint:gosec // running a plugin is the purpose
			cmd.Env = append(spec.Env, environment(o.Environ, o.EnvPassthrough)...)
			cmd.Env = append(cmd.Env, handshake.LogLevelKey+"="+levelName(logger))
			if o.Packets != nil {
				cmd.ExtraFiles = []*os.File{o.Packets} // the first is number 3
			}
			p.child.cmd = cmd
			return p.child, nil
		},
	}
}

func levelName(logger hclog.Logger) string {
	if level := logger.GetLevel(); level != hclog.NoLevel {
		return level.String()
	}
	return hclog.Info.String()
}

// connect starts the process and dials it. Both wait for the plugin; a plugin
// that is late is killed, which ends the waits.
func (p *Process) connect(given context.Context, path string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(given, within)
	defer cancel()
	type result struct {
		conn *grpc.ClientConn
		err  error
	}
	connected := make(chan result, 1)
	go func() {
		if _, err := p.client.Start(); err != nil {
			connected <- result{nil, err}
			return
		}
		conn, err := p.dial()
		connected <- result{conn, err}
	}()
	stopKilling := context.AfterFunc(ctx, func() {
		if given.Err() == nil {
			_ = p.child.fail(&StartError{
				Path: path, Kind: ErrStartTimeout, Detail: "no handshake within " + within.String(), Hint: "is this a genai-bench plugin?",
			})
		}
		p.child.kill()
	})
	defer stopKilling()

	var r result
	select {
	case r = <-connected:
	case <-ctx.Done():
		select {
		case r = <-connected:
		case <-time.After(limits.StopGrace):
			r.err = ctx.Err()
		}
	}
	if r.err == nil && ctx.Err() == nil {
		p.remote = &remote{
			name: nameOf(path), conn: r.conn, exited: p.child.exited,
			died: p.died, log: p.child.log,
		}
		return nil
	}
	if given.Err() != nil {
		return given.Err()
	}
	return p.startError(path, r.err)
}

// startError is what the child found wrong rather than what go-plugin says.
func (p *Process) startError(path string, err error) error {
	select { // go-plugin may have seen the end before the child had words for it
	case <-p.child.exited:
	case <-time.After(2 * limits.PipeDrain):
	}
	p.child.mu.Lock()
	defer p.child.mu.Unlock()
	if p.child.failure != nil {
		return p.child.failure
	}
	if err == nil {
		err = ErrStartTimeout
	}
	return &StartError{Path: path, Kind: ErrExitedEarly, Detail: oneLine(err.Error())}
}

func (p *Process) dial() (*grpc.ClientConn, error) {
	client, err := p.client.Client()
	if err != nil {
		return nil, err
	}
	conn, err := client.Dispense(handshake.PluginName)
	if err != nil {
		return nil, err
	}
	return conn.(*grpc.ClientConn), nil
}

// connection makes go-plugin hand out the connection itself.
type connection struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (*connection) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the host's side")
}

func (*connection) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

var _ goplugin.GRPCPlugin = (*connection)(nil)

// verify compares the file's SHA-256.
func verify(path string, want []byte) error {
	if want == nil {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return &StartError{Path: path, Kind: ErrChecksum, Detail: reason(err)}
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return &StartError{Path: path, Kind: ErrChecksum, Detail: reason(err)}
	}
	if got := hash.Sum(nil); !bytes.Equal(got, want) {
		return &StartError{
			Path: path, Kind: ErrChecksum, Detail: fmt.Sprintf("sha256 is %x, expected %x", got, want),
			Hint: "the plugin was replaced or tampered with; run again if you replaced it",
		}
	}
	return nil
}

// strayOutput takes what a plugin prints after the handshake through Go's
// os.Stdout or os.Stderr, which go-plugin carries over.
type strayOutput struct {
	log    hclog.Logger
	stream string
	told   bool
}

func (s *strayOutput) Write(p []byte) (int, error) {
	if !s.told {
		s.told = true
		s.log.Warn("the plugin prints instead of logging; this is dropped", "stream", s.stream,
			"first", oneLine(printable(strings.TrimSpace(string(p)))))
	}
	return len(p), nil
}

func connectionBroke(err error) bool { return status.Code(err) == codes.Unavailable }

func sensitive(header string) bool {
	header = strings.ToLower(header)
	for _, word := range []string{"auth", "key", "token", "secret", "cookie", "password"} {
		if strings.Contains(header, word) {
			return true
		}
	}
	return false
}
