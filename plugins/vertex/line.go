package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gtransport "google.golang.org/api/transport/grpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	security "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// A server takes so many calls at once on one connection that the next would wait
// for one of them, unseen: Google's front end allows 100. So there are more
// connections, each with fewer calls.
const (
	callsPerConnection = 50
	connectionsUnknown = 8 // where nobody says how many calls there will be
	connectionsMost    = 64
)

// connections are gRPC connections to one server. They are what Google's client
// is given as its pool, and take each call over the line that was picked for it.
type connections struct {
	config backend.Config
	base   *url.URL
	secure *tls.Config
	lines  []*line
	seed   maphash.Seed
}

var _ gtransport.ConnPool = (*connections)(nil)

// line is one connection, made when it is needed and again when it broke.
type line struct {
	conn  *grpc.ClientConn
	once  bool // closed by release
	calls atomic.Int64

	mu   sync.Mutex
	err  error         // of the last attempt to connect
	tcp  time.Duration // of the last attempt, with the name's look-up and a proxy
	tls  time.Duration
	peer string
}

func newConnections(config backend.Config, base *url.URL, secure *tls.Config) (*connections, error) {
	secure.NextProtos = nil // gRPC's own
	p := &connections{config: config, base: base, secure: secure, seed: maphash.MakeSeed()}
	n := connectionsUnknown
	if config.MaxInFlight > 0 {
		n = min((config.MaxInFlight+callsPerConnection-1)/callsPerConnection, connectionsMost)
	}
	for range n {
		l, err := p.newLine()
		if err != nil {
			return p, err
		}
		p.lines = append(p.lines, l)
	}
	return p, nil
}

// newLine makes a line that is not connected. Whatever gRPC does by itself is
// off: retries, the server's configuration of them, going idle.
func (p *connections) newLine() (*line, error) {
	l := &line{}
	layer := insecure.NewCredentials()
	if p.base.Scheme == "https" {
		layer = &timedHandshake{security.NewTLS(p.secure), l}
	}
	conn, err := grpc.NewClient("passthrough:///"+hostPort(p.base),
		grpc.WithTransportCredentials(layer),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return p.dial(ctx, l, address) }),
		grpc.WithStatsHandler(observer{}),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Second, Multiplier: 1, MaxDelay: time.Second}, MinConnectTimeout: p.connectLimit()}),
		grpc.WithUserAgent("genai-bench-plugin-vertex/"+version),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(objectBytesMax)),
	)
	l.conn = conn
	return l, err
}

func (p *connections) connectLimit() time.Duration {
	if p.config.Limits.Connect > 0 {
		return p.config.Limits.Connect
	}
	return 20 * time.Second // gRPC's own
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// pick chooses the line of a call, connected. How long that took goes into the
// exchange.
func (p *connections) pick(ctx context.Context, key string, fresh bool, x *stamp.Exchange) (*line, *fault.Error) {
	var l *line
	switch {
	case fresh:
		made, err := p.newLine()
		if err != nil {
			return nil, fault.New(fault.Plugin, "a new connection: %v", err)
		}
		l = made
		l.once = true
	case key != "":
		l = p.lines[maphash.String(p.seed, key)%uint64(len(p.lines))]
	default:
		l = p.lines[0]
		for _, other := range p.lines[1:] {
			if other.calls.Load() < l.calls.Load() {
				l = other
			}
		}
	}
	l.calls.Add(1)
	if failure := l.connect(ctx, p.connectLimit(), x); failure != nil {
		l.release()
		return nil, failure
	}
	return l, nil
}

// release ends a call's use of the line.
func (l *line) release() {
	l.calls.Add(-1)
	if l.once {
		_ = l.conn.Close() // says only that it was closed before
	}
}

// connect sees to it that the line is connected.
func (l *line) connect(ctx context.Context, limit time.Duration, x *stamp.Exchange) *fault.Error {
	x.Connect.Reused = true
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errConnectLimit)
	defer cancel()
	tried := false
	for {
		state := l.conn.GetState()
		switch state {
		case connectivity.Ready:
			if !x.Connect.Reused {
				l.mu.Lock()
				x.Connect.TCP, x.Connect.TLS, x.Peer = l.tcp, l.tls, l.peer
				l.mu.Unlock()
			}
			return nil
		case connectivity.TransientFailure:
			if tried {
				l.mu.Lock()
				defer l.mu.Unlock()
				return connectFailure(l.err)
			}
			l.conn.ResetConnectBackoff()
		case connectivity.Idle:
			l.conn.Connect()
		case connectivity.Shutdown:
			return fault.New(fault.Plugin, "the connection was closed by its owner")
		}
		x.Connect.Reused, tried = false, true
		if !l.conn.WaitForStateChange(ctx, state) {
			if errors.Is(context.Cause(ctx), errConnectLimit) {
				failure := fault.New(fault.TimeoutConnect, "no connection within %v", limit)
				failure.Retryable = true
				return failure
			}
			return fault.New(fault.Cancelled, "cancelled while connecting: %v", context.Cause(ctx))
		}
	}
}

var errConnectLimit = errors.New("the limit for connecting")

// connectFailure is the failure to connect.
func connectFailure(err error) *fault.Error {
	if err == nil {
		err = errors.New("no connection")
	}
	failure := fault.New(classOfTransport(err), "%v", err)
	failure.Retryable = failure.Class != fault.TLS
	return failure
}

// dial connects one line, through a proxy where one is set.
func (p *connections) dial(ctx context.Context, l *line, address string) (net.Conn, error) {
	begun := time.Now()
	conn, err := p.reach(ctx, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.tcp, l.tls = err, time.Since(begun), 0
	if err == nil {
		l.peer = conn.RemoteAddr().String()
	}
	return conn, err
}

func (p *connections) reach(ctx context.Context, address string) (net.Conn, error) {
	proxy, err := p.proxy(address)
	if err != nil {
		return nil, err
	}
	var dialer net.Dialer
	if proxy == nil {
		return dialer.DialContext(ctx, "tcp", address)
	}
	conn, err := dialer.DialContext(ctx, "tcp", hostPort(proxy))
	if err != nil {
		return nil, err
	}
	through, err := tunnel(ctx, conn, proxy, address)
	if err != nil {
		_ = conn.Close() // the tunnel's error is the one that counts
		return nil, err
	}
	return through, nil
}

// proxy is the one for the server; nil for none.
func (p *connections) proxy(address string) (*url.URL, error) {
	var proxy *url.URL
	var err error
	switch setting := p.config.HTTP.Proxy; setting {
	case "none":
		return nil, nil
	case "":
		proxy, err = http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: p.base.Scheme, Host: address}})
	default:
		proxy, err = url.Parse(setting)
	}
	if err == nil && proxy != nil && proxy.Scheme != "http" {
		err = fmt.Errorf("the proxy %s cannot be used for gRPC (only http://HOST:PORT)", proxy.Redacted())
	}
	return proxy, err
}

// tunnel asks a proxy for a connection to the server (RFC 9110, § 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, address string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // ends what is under way
	defer stop()
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		ask.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	if err := ask.Write(conn); err != nil {
		return nil, err
	}
	// The head of the answer is all: what follows is the server's, which may speak
	// first.
	buffered := bufio.NewReader(conn)
	head := textproto.NewReader(buffered)
	line, err := head.ReadLine()
	if err == nil {
		_, err = head.ReadMIMEHeader()
	}
	if err != nil {
		return nil, fmt.Errorf("the proxy %s: %w", proxy.Redacted(), err)
	}
	_, status, _ := strings.Cut(line, " ")
	if !strings.HasPrefix(status, "2") {
		return nil, fmt.Errorf("the proxy %s refused a tunnel to %s: HTTP %s", proxy.Redacted(), address, status)
	}
	return &tunnelled{conn, buffered}, nil
}

// tunnelled is a connection of which some bytes have been read ahead.
type tunnelled struct {
	net.Conn
	ahead *bufio.Reader
}

func (t *tunnelled) Read(p []byte) (int, error) { return t.ahead.Read(p) }

// timedHandshake tells the line how long TLS took and why it failed.
type timedHandshake struct {
	security.TransportCredentials
	line *line
}

func (t *timedHandshake) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, security.AuthInfo, error) {
	begun := time.Now()
	conn, info, err := t.TransportCredentials.ClientHandshake(ctx, authority, raw)
	t.line.mu.Lock()
	defer t.line.mu.Unlock()
	t.line.tls, t.line.err = time.Since(begun), err
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (t *timedHandshake) Clone() security.TransportCredentials {
	return &timedHandshake{t.TransportCredentials.Clone(), t.line}
}

// Conn implements gtransport.ConnPool.
func (p *connections) Conn() *grpc.ClientConn { return p.lines[0].conn }

// Num implements gtransport.ConnPool.
func (p *connections) Num() int { return len(p.lines) }

// Close implements gtransport.ConnPool. It may be called twice.
func (p *connections) Close() error {
	var all error
	for _, l := range p.lines {
		if l.conn != nil {
			all = errors.Join(all, l.conn.Close())
		}
	}
	return all
}

// errNoCall says that Google's client made a call of its own accord.
var errNoCall = errors.New("a call that nobody asked for")

// Invoke implements grpc.ClientConnInterface.
func (p *connections) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	c, ok := ctx.Value(callKey{}).(placed)
	if !ok {
		return errNoCall
	}
	return c.line.conn.Invoke(ctx, method, args, reply, append(opts, grpc.ForceCodecV2(c.call))...)
}

// NewStream implements grpc.ClientConnInterface.
func (p *connections) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	c, ok := ctx.Value(callKey{}).(placed)
	if !ok {
		return nil, errNoCall
	}
	return c.line.conn.NewStream(ctx, desc, method, append(opts, grpc.ForceCodecV2(c.call))...)
}
