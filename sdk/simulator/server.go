package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Server is the simulator. Its methods are safe for concurrent use.
type Server struct {
	config  Config
	words   []word
	unicode []word
	loop    *loop
	// prefixes is nil where there is no prefix cache.
	prefixes *prefixCache
	journal  *journal
	receive  *receiveClock
	started  time.Time

	arrivals, connections atomic.Uint64
	asides                atomic.Uint64
	inFlight, tokens      atomic.Int64

	closed chan struct{} // closed by Close

	mu       sync.Mutex
	listener net.Listener
	tls      *tls.Config
	cert     []byte
	conns    map[net.Conn]struct{}
	http2    *http2Port
	serving  sync.WaitGroup
	closing  bool
}

// New makes a server that is not listening yet: call Listen, ListenTLS, or mount
// Handler. It must be closed. The error lists all mistakes in the configuration.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	s := &Server{
		config:  config,
		words:   makeWords(config.Words),
		unicode: makeWords(unicodeWords()),
		loop:    startLoop(config),
		journal: newJournal(config.JournalSize),
		receive: newReceiveClock(),
		started: time.Now(),
		closed:  make(chan struct{}),
		conns:   make(map[net.Conn]struct{}),
	}
	if config.PrefixCacheTokens > 0 {
		s.prefixes = newPrefixCache(config.PrefixCacheTokens)
	}
	return s, nil
}

// Config returns the configuration in force, defaults filled in.
func (s *Server) Config() Config { return s.config }

// Listen serves HTTP/1.1 and unencrypted HTTP/2 on one port of addr
// ("127.0.0.1:0" takes a free one) and returns at once.
func (s *Server) Listen(addr string) error { return s.listen(addr, nil) }

// ListenTLS serves HTTP/1.1 and HTTP/2 over TLS with a certificate of its own,
// made for localhost and the loopback addresses; see CertificatePEM.
func (s *Server) ListenTLS(addr string) error {
	config, certificate, err := selfSigned()
	if err != nil {
		return fmt.Errorf("simulator: making a certificate: %w", err)
	}
	s.mu.Lock()
	s.cert = certificate
	s.mu.Unlock()
	return s.listen(addr, config)
}

func (s *Server) listen(addr string, config *tls.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errors.New("simulator: listening after Close")
	}
	if s.listener != nil {
		return fmt.Errorf("simulator: already listening on %s", s.listener.Addr())
	}
	listener, err := s.receive.listen(addr)
	if err != nil {
		return fmt.Errorf("simulator: cannot listen on %q: %w (give another address; port 0 takes a free one)", addr, err)
	}
	s.listener, s.tls = listener, config
	s.http2 = newHTTP2Port(listener.Addr(), s.Handler())
	s.serving.Go(func() { _ = s.http2.server.Serve(s.http2) }) // ends with http.ErrServerClosed, by Close
	s.serving.Go(s.accept)
	return nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			select {
			case <-s.closed:
				return
			case <-time.After(5 * time.Millisecond): // out of file descriptors: they come back
				continue
			}
		}
		accepted := stamp.Now()
		conn = s.receive.remembering(conn)
		if s.tls != nil {
			conn = tls.Server(conn, s.tls)
		}
		s.mu.Lock()
		if s.closing {
			s.mu.Unlock()
			_ = conn.Close()
			return
		}
		s.conns[conn] = struct{}{}
		s.serving.Go(func() {
			s.serveConn(conn, accepted, s.connections.Add(1))
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
		s.mu.Unlock()
	}
}

// URL is the base address of the listener ("http://127.0.0.1:8000"), or "".
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	scheme := "http://"
	if s.tls != nil {
		scheme = "https://"
	}
	return scheme + s.listener.Addr().String()
}

// CertificatePEM is the certificate that a client of ListenTLS must trust; nil
// without TLS.
func (s *Server) CertificatePEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cert
}

// Close stops listening, breaks off what is in flight and returns when all of
// the server's goroutines have ended. Calling it again does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	close(s.closed)
	var err error
	if s.listener != nil {
		err = s.listener.Close()
		_ = s.http2.Close()
		_ = s.http2.server.Close()
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	s.loop.stop()
	if err != nil {
		return fmt.Errorf("simulator: closing the listener: %w", err)
	}
	return nil
}

// Handler serves the same over any http.Server. Records of its requests are not
// Exact: net/http stands between the handler and the connection.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHandler) }

func (s *Server) serveHandler(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	s.serving.Add(1)
	s.mu.Unlock()
	defer s.serving.Done()
	record := s.newRecord()
	record.HeadRead = stamp.Now()
	body, err := readBody(r, s.config.MaxBodyBytes)
	record.BodyRead = stamp.Now()
	if err != nil && !errors.Is(err, errBodyTooLarge) {
		s.finish(record, EndClientGone)
		return
	}
	x := &exchange{
		server: s, request: r, body: body, tooLarge: err != nil, record: record, gone: r.Context().Done(),
		wire: &handlerWire{w: w, flush: http.NewResponseController(w), record: record, noBody: r.Method == http.MethodHead},
	}
	end := x.serve()
	s.finish(record, end)
	if end == EndCut {
		panic(http.ErrAbortHandler) // net/http's way to reset the stream
	}
}

func (s *Server) newRecord() *Record {
	s.inFlight.Add(1)
	return &Record{Arrival: s.arrivals.Add(1)}
}

func (s *Server) finish(r *Record, end End) {
	r.End, r.Ended = end, stamp.Now()
	s.inFlight.Add(-1)
	s.tokens.Add(int64(r.OutputTokens))
	if r.ID != "" { // else the request could not be read, or asks about the simulator itself
		s.journal.add(r)
	}
}

// Truth returns the records of all ended requests with an X-Request-Id, the
// oldest first: more than one where a client sent it again.
func (s *Server) Truth(id string) []*Record { return s.journal.truth(id) }

// Await returns Truth(id) as soon as a request with this id has ended: a client
// may be done with an answer before the server has noted its last write.
func (s *Server) Await(ctx context.Context, id string) ([]*Record, error) {
	return s.journal.await(ctx, id)
}

// Records returns all remembered requests whose Index is at least since, in the
// order in which they ended.
func (s *Server) Records(since uint64) []*Record { return s.journal.since(since) }

// Stats is the server's present state.
type Stats struct {
	Requests     uint64 `json:"requests"`    // begun since the start
	Aside        uint64 `json:"aside"`       // of these, those whose Record is Aside
	Connections  uint64 `json:"connections"` // accepted since the start
	InFlight     int64  `json:"in_flight"`
	OutputTokens int64  `json:"output_tokens"` // of ended requests
	Running      int    `json:"running"`       // sequences in the batch
	Waiting      int    `json:"waiting"`       // sequences in the queue
	KVTokens     int    `json:"kv_tokens"`     // in use
	Steps        uint64 `json:"steps"`
	// Tokens of prompts that were looked up in the prefix cache, and found.
	PrefixQueries   uint64 `json:"prefix_queries"`
	PrefixHits      uint64 `json:"prefix_hits"`
	OpenConnections int    `json:"open_connections"` // HTTP/1.1
}

// Stats returns the server's present state.
func (s *Server) Stats() Stats {
	running, waiting, kv, steps := s.loop.load()
	queried, hit := s.prefixes.figures()
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	return Stats{
		Requests: s.arrivals.Load(), Aside: s.asides.Load(), Connections: s.connections.Load(), InFlight: s.inFlight.Load(),
		OutputTokens: s.tokens.Load(), Running: running, Waiting: waiting, KVTokens: kv, Steps: steps,
		OpenConnections: open, PrefixQueries: queried, PrefixHits: hit,
	}
}

func selfSigned() (*tls.Config, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "genai-bench simulator"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(30 * 24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		NextProtos:   []string{"h2", "http/1.1"},
		MinVersion:   tls.VersionTLS12,
	}
	return config, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
