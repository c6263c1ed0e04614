package simulator

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const (
	headBytesMax     = 1 << 20 // of a request's line and header
	handshakeTimeout = 10 * time.Second
)

// h1Conn serves one connection. HTTP/1.1 is read with net/http's parser but
// written by hand: only so are the moments around each write those of the system
// call, and only so can an answer break the rules when it is asked to.
type h1Conn struct {
	server   *Server
	conn     net.Conn
	limit    io.LimitedReader
	reader   *bufio.Reader
	accepted stamp.Nanos
	number   uint64
	uses     int
}

// serveConn serves a connection until it is closed or handed on to HTTP/2.
func (s *Server) serveConn(conn net.Conn, accepted stamp.Nanos, number uint64) {
	if t, ok := conn.(*tls.Conn); ok {
		_ = t.SetDeadline(time.Now().Add(handshakeTimeout))
		if err := t.Handshake(); err != nil {
			_ = conn.Close() // the client was told by an alert
			return
		}
		_ = t.SetDeadline(time.Time{})
		if t.ConnectionState().NegotiatedProtocol == "h2" {
			s.http2.hand(conn)
			return
		}
	}
	c := &h1Conn{server: s, conn: conn, accepted: accepted, number: number}
	c.limit = io.LimitedReader{R: conn, N: headBytesMax}
	c.reader = bufio.NewReaderSize(&c.limit, 16<<10)
	if start, err := c.reader.Peek(4); err == nil && string(start) == "PRI " {
		c.limit.N = 1 << 62
		s.http2.hand(&peekedConn{conn, c.reader})
		return
	}
	defer conn.Close()
	for c.serveOne() {
	}
}

// serveOne answers one request and tells whether another may follow.
func (c *h1Conn) serveOne() bool {
	c.limit.N = headBytesMax
	if _, err := c.reader.Peek(1); err != nil {
		return false
	}
	record := c.server.newRecord()
	record.Accepted, record.RequestStart = c.accepted, stamp.Now()
	record.RequestReceived = receivedAt(c.conn)
	request, err := http.ReadRequest(c.reader)
	record.HeadRead = stamp.Now()
	if err != nil {
		if c.limit.N <= 0 || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !isNetwork(err) {
			_, _ = io.WriteString(c.conn, "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
		}
		return false
	}
	c.limit.N = 1 << 62
	c.uses++
	request.RemoteAddr = c.conn.RemoteAddr().String()
	record.Connection, record.ConnectionUse, record.Exact = c.number, c.uses, true
	w := &h1Wire{
		conn: c.conn, kernel: kernelOf(c.conn), record: record,
		keep:   request.ProtoAtLeast(1, 1) && !request.Close,
		http10: !request.ProtoAtLeast(1, 1),
		noBody: request.Method == http.MethodHead,
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(c.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return false
		}
	}
	body, err := readBody(request, c.server.config.MaxBodyBytes)
	record.BodyRead = stamp.Now()
	if err != nil && !errors.Is(err, errBodyTooLarge) {
		c.server.finish(record, EndClientGone)
		return false
	}
	if err != nil {
		w.keep = false // the rest of the body is not read
	}

	gone, stopWatching := c.watch()
	x := &exchange{server: c.server, request: request, body: body, tooLarge: err != nil, wire: w, record: record, gone: gone}
	end := x.serve()
	stopWatching()
	c.server.finish(record, end)
	if end == EndComplete && !w.keep {
		c.closeGently()
	}
	return end == EndComplete && w.keep
}

// closeGently ends the connection so that the client can read all of it: closing
// a socket with unread input would send RST.
func (c *h1Conn) closeGently() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c.conn)
	}
}

// watch tells by closing gone that the client went away. stop ends the watch.
func (c *h1Conn) watch() (gone <-chan struct{}, stop func()) {
	lost := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		// Bytes are the next request, sent early; a timeout is stop's.
		if _, err := c.reader.Peek(1); err != nil && !isTimeout(err) {
			close(lost)
		}
	})
	return lost, func() {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
		wait.Wait()
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isNetwork(err error) bool {
	var n *net.OpError
	return errors.As(err, &n)
}

var errBodyTooLarge = errors.New("simulator: the request's body is too large")

// readBody reads a request's body; errBodyTooLarge where it has more than limit
// bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errBodyTooLarge
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(r.Body, limit+1))
	if err == nil && n > limit {
		err = errBodyTooLarge
	}
	return body.Bytes(), err
}

// http2Port gives connections that turned out to speak HTTP/2 to an http.Server.
type http2Port struct {
	server *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	addr   net.Addr
}

func newHTTP2Port(addr net.Addr, handler http.Handler) *http2Port {
	p := &http2Port{
		conns:  make(chan net.Conn),
		closed: make(chan struct{}),
		addr:   addr,
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: time.Minute,
			TLSConfig: &tls.Config{NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12},
			Protocols: new(http.Protocols),
			HTTP2:     &http.HTTP2Config{MaxConcurrentStreams: 1 << 16},
		},
	}
	p.server.Protocols.SetHTTP2(true)
	p.server.Protocols.SetUnencryptedHTTP2(true)
	return p
}

func (p *http2Port) hand(conn net.Conn) {
	select {
	case p.conns <- conn:
	case <-p.closed:
		_ = conn.Close()
	}
}

// Accept, Close and Addr make it the net.Listener of its http.Server.
func (p *http2Port) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *http2Port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *http2Port) Addr() net.Addr { return p.addr }
