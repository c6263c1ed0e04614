package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// TLSConfig is how connections are secured: with the authorities and the client's
// certificate of o, and HTTP/1.1 as the protocol. It reads the files.
func TLSConfig(o backend.TLS) (*tls.Config, error) {
	config := &tls.Config{
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: o.Insecure, // the user's own word
		// Records that grow with the stream would cut a request body into
		// dozens of writes.
		DynamicRecordSizingDisabled: true,
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		config.RootCAs, err = x509.SystemCertPool()
		if err != nil { // no system certificates: the file's are all there are
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: no certificate in it (it must be PEM)", o.CAFile)
		}
	}
	switch {
	case o.ClientCertFile != "" && o.ClientKeyFile != "":
		pair, err := tls.LoadX509KeyPair(o.ClientCertFile, o.ClientKeyFile)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", o.ClientCertFile, o.ClientKeyFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	case o.ClientCertFile != "" || o.ClientKeyFile != "":
		return nil, fmt.Errorf("a client certificate needs both its certificate file and its key file (give both)")
	}
	return config, nil
}

// dial opens a connection, through the proxy and with TLS where the target has
// these, within the limit for connecting.
func (r *request) dial() (*conn, *fault.Error) {
	// Where connecting has no limit of its own, the request's has to do.
	limit := r.client.limits.Connect
	if limit == 0 {
		limit = r.total
	}
	ctx := r.ctx
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	t := r.target
	address := t.address
	if t.proxy != nil {
		address = withPort(t.proxy)
	}
	r.x.Connect, r.x.Peer = stamp.Connect{}, ""
	raw, times, err := r.client.dialer.Dial(ctx, address)
	r.x.Connect.DNS, r.x.Connect.TCP = times.DNS, times.TCP
	if err != nil {
		return nil, r.failure(err, phaseConnect)
	}
	r.x.Peer = raw.RemoteAddr().String()
	cn := newConn(raw, r.x.Peer)
	if err := r.secure(ctx, cn); err != nil {
		cn.close()
		var fail *fault.Error
		if errors.As(err, &fail) {
			return nil, fail
		}
		return nil, r.failure(err, phaseHandshake)
	}
	return cn, nil
}

// secure adds the layers above TCP.
func (r *request) secure(ctx context.Context, cn *conn) error {
	t := r.target
	start := time.Now()
	if t.proxy != nil && t.proxy.Scheme == "https" {
		if err := r.handshake(ctx, cn, t.proxy.Hostname()); err != nil {
			return err
		}
	}
	if t.scheme == "https" {
		if t.proxy != nil {
			if err := r.tunnel(ctx, cn); err != nil {
				return err
			}
		}
		if err := r.handshake(ctx, cn, t.name); err != nil {
			return err
		}
	}
	if cn.secure != nil {
		r.x.Connect.TLS = time.Since(start)
	}
	return nil
}

func (r *request) handshake(ctx context.Context, cn *conn, name string) error {
	config := r.client.tls.Clone()
	config.ServerName = name
	var below net.Conn = cn.raw
	if cn.secure != nil {
		below = cn.secure
	}
	secure := tls.Client(stamp.OneRecordAtATime(below), config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	if proto := secure.ConnectionState().NegotiatedProtocol; proto != "" && proto != "http/1.1" {
		return fmt.Errorf("the server chose the protocol %q, which was not offered", proto)
	}
	cn.secure = secure
	cn.source = stamp.NewLayer(cn.raw, secure)
	return nil
}

// tunnel asks the proxy for a connection to the target (RFC 9110, § 9.3.6).
func (r *request) tunnel(ctx context.Context, cn *conn) error {
	if deadline, ok := ctx.Deadline(); ok {
		cn.endBy(deadline)
		defer cn.endBy(time.Time{})
	}
	stop := context.AfterFunc(ctx, cn.abort)
	defer stop()
	t := r.target
	ask := "CONNECT " + t.address + " HTTP/1.1\r\nHost: " + t.address + "\r\n"
	if t.proxyAuth != "" {
		ask += "Proxy-Authorization: " + t.proxyAuth + "\r\n"
	}
	ask += "\r\n"
	if err := cn.write([]byte(ask), nil); err != nil {
		return err
	}
	head, _, err := cn.readHead()
	if err != nil {
		return fmt.Errorf("the proxy %s: %w", t.proxyName, err)
	}
	if head.status < 200 || head.status > 299 {
		fail := fault.New(fault.Connect, "the proxy %s refused a tunnel to %s: HTTP %d", t.proxyName, t.address, head.status)
		if head.status == 407 {
			fail.Hint = "put USER:PASSWORD@ into the proxy's URL"
		}
		return fail
	}
	if len(cn.rest.Bytes) > 0 {
		return fmt.Errorf("the proxy %s sent bytes before the tunnel was used", t.proxyName)
	}
	return nil
}
