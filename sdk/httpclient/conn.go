package httpclient

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// recordMax is the most plaintext of one TLS record.
const recordMax = 16 << 10

// conn is one connection and what it needs for one request after the other. It
// belongs to one request, or to the pool.
type conn struct {
	raw    *stamp.Conn
	secure *tls.Conn // the uppermost; nil: none
	source stamp.SpanReader
	peer   string
	abort  func() // closes, from any goroutine

	key           poolKey
	idleSince     stamp.Nanos
	used          bool // has carried a request before
	single        bool // not to be kept
	closing       bool // the request asks the server to close
	retransmitted uint32
	uncovered     int // both as of the beginning of the request

	rest  stamp.Span // received, not yet consumed
	out   []byte     // head of the request
	names []string
	in    []byte // head of the answer
}

func newConn(raw *stamp.Conn, peer string) *conn {
	return &conn{raw: raw, source: raw, peer: peer, abort: func() { _ = raw.Close() }}
}

func (c *conn) close() { c.abort() }

// readBy, writeBy and endBy (both) set deadlines. They fail only on a connection that is
// closed, which the read or write that follows finds out.
func (c *conn) readBy(t time.Time)  { _ = c.raw.SetReadDeadline(t) }
func (c *conn) writeBy(t time.Time) { _ = c.raw.SetWriteDeadline(t) }
func (c *conn) endBy(t time.Time)   { _ = c.raw.SetDeadline(t) }

// receive makes rest non-empty.
func (c *conn) receive() error {
	if len(c.rest.Bytes) > 0 {
		return nil
	}
	span, err := c.source.NextSpan()
	if err != nil {
		return err
	}
	c.rest = span
	return nil
}

// write sends a and then b, through TLS where there is any.
func (c *conn) write(a, b []byte) error {
	if c.secure == nil {
		return c.raw.Send(a, b)
	}
	for _, p := range [2][]byte{a, b} {
		if len(p) > 0 {
			if _, err := c.secure.Write(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// compose writes the head of the request into out. Everything in it was
// checked before.
func (c *conn) compose(client *Client, call *Call, t *target) {
	method := call.Method
	if method == "" {
		method = http.MethodGet
	}
	b := append(c.out[:0], method...)
	b = append(b, ' ')
	if t.proxy != nil && t.scheme == "http" {
		b = append(append(b, "http://"...), t.host...)
	}
	b = append(append(b, t.path...), " HTTP/1.1\r\nHost: "...)
	host := call.Header.Get("Host")
	for _, f := range client.extra {
		if strings.EqualFold(f.Name, "Host") {
			host = f.Value
		}
	}
	if host == "" {
		host = t.host
	}
	b = append(append(b, host...), "\r\n"...)

	c.names = c.names[:0]
	for name := range call.Header {
		c.names = append(c.names, name)
	}
	slices.Sort(c.names) // the same request is the same bytes
	c.closing = false
	authorized := client.replaced["Authorization"]
	for _, name := range c.names {
		if client.replaced[name] || name == "Host" {
			continue
		}
		authorized = authorized || name == "Authorization"
		for _, value := range call.Header[name] {
			b = c.field(b, name, value)
		}
	}
	for _, f := range client.extra {
		if !strings.EqualFold(f.Name, "Host") {
			b = c.field(b, f.Name, f.Value)
		}
	}
	if t.auth != "" && !authorized {
		b = c.field(b, "Authorization", t.auth)
	}
	if t.proxyAuth != "" && t.scheme == "http" {
		b = c.field(b, "Proxy-Authorization", t.proxyAuth)
	}
	if len(call.Body) > 0 || method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(call.Body)), 10)
		b = append(b, "\r\n"...)
	}
	c.out = append(b, "\r\n"...)
}

func (c *conn) field(b []byte, name, value string) []byte {
	if strings.EqualFold(name, "Connection") && hasToken(value, "close") {
		c.closing = true
	}
	b = append(append(b, name...), ": "...)
	return append(append(b, strings.Trim(value, " \t")...), "\r\n"...)
}

// hasToken looks for a word in a comma-separated list.
func hasToken(list, word string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(item, " \t"), word) {
			return true
		}
	}
	return false
}
