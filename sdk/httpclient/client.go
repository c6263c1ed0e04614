package httpclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Client sends requests. It is safe for concurrent use; there is one
// connection for each request in flight.
type Client struct {
	limits    backend.Limits
	clock     stamp.Clock
	clockNote string
	dialer    *stamp.Dialer
	waiter    stamp.Waiter
	tls       *tls.Config
	proxy     func(*url.URL) (*url.URL, error)
	extra     []backend.HeaderField
	replaced  map[string]bool // canonical names of extra
	pool      pool

	mu      sync.Mutex
	targets map[string]*target
}

// New makes a Client. It opens no connection. Errors name the setting that is
// wrong and are one line.
func New(o Options) (*Client, error) {
	switch o.HTTP.Version {
	case "", "1.1":
	case "2":
		return nil, fmt.Errorf("HTTP version 2 is not available in this version (use 1.1): its streams share one connection and cannot be stamped yet")
	default:
		return nil, fmt.Errorf("unknown HTTP version %q (use 1.1)", o.HTTP.Version)
	}
	selection, err := stamp.Select(string(o.Clock))
	if err != nil {
		return nil, err
	}
	c := &Client{
		limits: o.Limits, clock: selection.Clock, clockNote: selection.Note,
		extra: o.HTTP.Header, replaced: make(map[string]bool, len(o.HTTP.Header)),
		targets: make(map[string]*target),
	}
	for _, field := range o.HTTP.Header {
		if err := checkField(field.Name, field.Value); err != nil {
			return nil, fmt.Errorf("extra header: %w", err)
		}
		c.replaced[http.CanonicalHeaderKey(field.Name)] = true
	}
	if c.tls, err = TLSConfig(o.TLS); err != nil {
		return nil, err
	}
	if c.proxy, err = proxies(o.HTTP.Proxy); err != nil {
		return nil, err
	}
	dial := stamp.Options{Clock: c.clock, LocalPortFirst: o.LocalPortFirst, LocalPortLast: o.LocalPortLast}
	c.dialer, err = stamp.NewDialer(dial)
	if err != nil && c.clock == stamp.ClockPacket && o.Clock != backend.ClockPacket {
		// The host gave a socket for packets, but it is of no use here.
		c.clock, c.clockNote = stamp.ClockSocket, err.Error()
		dial.Clock = c.clock
		c.dialer, err = stamp.NewDialer(dial)
	}
	if err != nil {
		return nil, err
	}
	c.pool.init(o.MaxInFlight)
	return c, nil
}

// Clock returns the clock in use and, where there is a better one, how to get
// it.
func (c *Client) Clock() (stamp.Clock, string) { return c.clock, c.clockNote }

// Close closes the idle connections; those in use are closed as their requests
// end. Do must not be called afterwards.
func (c *Client) Close() {
	c.pool.close()
	c.waiter.Close()
	c.dialer.Close()
}

// Do sends one request and returns when the head of its answer has come, or has
// failed to. x, which must outlive the body, is filled as things happen, on
// failure too; it is complete once the body has ended or was closed. Do returns
// soon after ctx ends; a body's reads do so too.
func (c *Client) Do(ctx context.Context, call *Call, x *stamp.Exchange) (*Answer, *fault.Error) {
	x.Clock, x.Retransmits = c.clock, -1
	x.Queued += call.Queued
	r, fail := c.request(ctx, call, x)
	if fail != nil {
		return nil, fail
	}
	cn, fail := r.connect()
	if fail != nil {
		return nil, fail
	}
	r.begin(cn)
	if call.StartAt != 0 {
		if err := c.waiter.Until(ctx, call.StartAt); err != nil {
			return nil, r.abandon(r.failure(err, phaseWait))
		}
		// The server may have closed the connection while the request waited.
		for cn.used && cn.raw.Quiet() != nil {
			r.detach()
			cn.close()
			if cn, fail = r.connect(); fail != nil {
				return nil, fail
			}
			r.begin(cn)
		}
	}
	sendErr := r.send()
	answer, fail := r.answer(sendErr)
	if fail != nil {
		return nil, r.abandon(fail)
	}
	return answer, nil
}

// request is one request on its way.
type request struct {
	client *Client
	ctx    context.Context
	call   *Call
	target *target
	x      *stamp.Exchange
	total  time.Duration // from the send; 0: no limit

	conn     *conn
	detached func() bool // ends the watch over ctx
	sent     time.Time
	deadline time.Time // of the whole request; zero: none
}

func (c *Client) request(ctx context.Context, call *Call, x *stamp.Exchange) (*request, *fault.Error) {
	t, err := c.target(call.URL)
	if err == nil {
		err = checkCall(call)
	}
	if err != nil {
		e := fault.New(fault.InvalidRequest, "%v", err)
		return nil, e
	}
	r := &request{client: c, ctx: ctx, call: call, target: t, x: x, total: call.Timeout}
	if r.total == 0 {
		r.total = c.limits.Total
	}
	if ctx.Err() != nil {
		return nil, r.failure(ctx.Err(), phaseConnect)
	}
	return r, nil
}

// connect takes a kept-alive connection or opens one.
func (r *request) connect() (*conn, *fault.Error) {
	key := poolKey{scheme: r.target.scheme, address: r.target.address, proxy: r.target.proxyName, key: r.call.ConnectionKey}
	if r.call.FreshConnection {
		if key.key != "" {
			r.client.pool.drop(key) // the key stands for one connection: the new one
		}
	} else if cn := r.client.pool.get(key); cn != nil {
		r.x.Connect = stamp.Connect{Reused: true}
		r.x.Peer = cn.peer
		return cn, nil
	}
	cn, fail := r.dial()
	if fail != nil {
		return nil, fail
	}
	cn.key = key
	cn.single = r.call.FreshConnection && key.key == ""
	return cn, nil
}

// begin puts the request on a connection: from now on the end of ctx closes it.
func (r *request) begin(cn *conn) {
	r.conn = cn
	cn.retransmitted = cn.raw.Stats().Retransmitted
	cn.uncovered = cn.raw.Uncovered()
	if r.ctx.Done() != nil {
		r.detached = context.AfterFunc(r.ctx, cn.abort)
	}
	cn.compose(r.client, r.call, r.target)
}

// detach ends the watch over ctx and tells whether the connection is still
// good.
func (r *request) detach() bool {
	if r.detached == nil {
		return true
	}
	good := r.detached()
	r.detached = nil
	return good
}

// abandon ends a request that failed.
func (r *request) abandon(fail *fault.Error) *fault.Error {
	r.observe()
	r.detach()
	r.conn.close()
	return fail
}

// observe fills in what the connection knows in the end.
func (r *request) observe() {
	raw := r.conn.raw
	r.x.Clock = raw.Clock()
	if raw.Uncovered() != r.conn.uncovered {
		r.x.Clock = stamp.ClockSocket // for some of what was read
	}
	r.x.Left, r.x.TxClock = raw.Left()
	r.observeFirst()
	r.x.Acked = raw.Acked()
	if stats := raw.Stats(); stats.Known {
		r.x.RTT = stats.RTT
		r.x.Retransmits = int32(stats.Retransmitted - r.conn.retransmitted)
	}
}

func checkCall(call *Call) error {
	if call.Method != "" && (!httpguts.ValidHeaderFieldName(call.Method) || call.Method == http.MethodConnect) {
		return fmt.Errorf("%q is no method for a request", call.Method)
	}
	for name, values := range call.Header {
		for _, value := range values {
			if err := checkField(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkField refuses what would break the framing of the request or let a
// value smuggle in further lines. A value is not shown: it may be a secret.
func checkField(name, value string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q is no name for a header (letters, digits and - only)", name)
	}
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("the value of header %s holds a line break or another control character (remove it)", name)
	}
	for _, own := range []string{"Transfer-Encoding", "Upgrade", "Expect", "Content-Length"} {
		if strings.EqualFold(name, own) {
			return fmt.Errorf("header %s cannot be set: the transport decides it (remove it)", own)
		}
	}
	return nil
}
