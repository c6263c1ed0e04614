package httpclient_test

import (
	"bufio"
	"bytes"
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
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// tlsServer is an httptest server of one TLS version and the file with the
// certificate to trust.
func tlsServer(t testing.TB, config *tls.Config, handler http.Handler) (*httptest.Server, string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = config
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, file, "CERTIFICATE", server.Certificate().Raw)
	return server, file
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned makes a certificate and writes it and its key to files.
func selfSigned(t testing.TB, change func(*x509.Certificate)) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

func TestTLSVersions(t *testing.T) {
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				var sent [4]struct{ began, ended atomic.Int64 }
				server, ca := tlsServer(t, &tls.Config{MinVersion: version, MaxVersion: version}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					if len(body) != 100_000 || r.ProtoMajor != 1 {
						t.Errorf("%s request with %d bytes", r.Proto, len(body))
					}
					w.Header().Set("Content-Type", "text/event-stream")
					for i := range sent {
						sent[i].began.Store(int64(stamp.Now()))
						fmt.Fprintf(w, "data: %d\n\n", i)
						w.(http.Flusher).Flush()
						sent[i].ended.Store(int64(stamp.Now()))
						time.Sleep(30 * time.Millisecond)
					}
				}))
				c := newClient(t, httpclient.Options{Clock: clock, TLS: backend.TLS{CAFile: ca}})
				for round := range 2 {
					for i := range sent {
						sent[i].ended.Store(0)
					}
					var x stamp.Exchange
					answer, fail := c.Do(t.Context(), &httpclient.Call{Method: "POST", URL: server.URL, Body: make([]byte, 100_000)}, &x)
					if fail != nil {
						t.Fatal(fail)
					}
					for i := range sent {
						for sent[i].ended.Load() == 0 {
							time.Sleep(time.Millisecond)
						}
						time.Sleep(5 * time.Millisecond) // late, though not after the next
						span, err := answer.Body.NextSpan()
						if err != nil || string(span.Bytes) != fmt.Sprintf("data: %d\n\n", i) {
							t.Fatalf("event %d: %q, %v", i, span.Bytes, err)
						}
						if ended := stamp.Nanos(sent[i].ended.Load()); clock != backend.ClockUser && span.Flags == 0 && span.At > ended {
							t.Errorf("event %d arrived %v after its write ended", i, span.At.Sub(ended))
						}
						if began := stamp.Nanos(sent[i].began.Load()); span.At < began || span.At > span.Read {
							t.Errorf("event %d arrived %v after the server began to write it, and was read %v later", i, span.At.Sub(began), span.Read.Sub(span.At))
						}
					}
					if _, err := answer.Body.NextSpan(); !errors.Is(err, io.EOF) {
						t.Fatal(err)
					}
					if round == 0 && (x.Connect.TLS <= 0 || x.Connect.TCP <= 0) || x.Connect.Reused != (round == 1) {
						t.Errorf("round %d: %+v", round, x.Connect)
					}
					if clock != backend.ClockUser && (x.Clock.String() != string(clock) || x.TxClock.String() != string(clock) || x.Left < x.Handed) {
						t.Errorf("left at %d by %v, handed at %d", x.Left, x.TxClock, x.Handed)
					}
				}
			})
		})
	}
}

func TestTLSFailures(t *testing.T) {
	expired, expiredFile, _ := selfSigned(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other, otherFile, _ := selfSigned(t, func(c *x509.Certificate) { c.IPAddresses = nil; c.DNSNames = []string{"elsewhere.example"} })
	handler := http.NotFoundHandler()
	plain := httptest.NewServer(handler)
	defer plain.Close()
	self, _ := tlsServer(t, nil, handler)
	late, lateCA := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{expired}}, handler)
	foreign, _ := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{other}}, handler)
	clients, clientsCA := tlsServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, handler)
	_ = lateCA
	closes := newRawServer(t, func(*net.TCPConn, *bufio.Reader) {})
	for name, tc := range map[string]struct {
		url, ca, words string
	}{
		"unknown authority":      {self.URL, "", "--ca-file"},
		"expired":                {late.URL, expiredFile, "expired"},
		"another name":           {foreign.URL, otherFile, "another name"},
		"no TLS":                 {"https" + strings.TrimPrefix(plain.URL, "http"), "", "use http://"},
		"client certificate":     {clients.URL, clientsCA, "client certificate"},
		"closed while greeting":  {"https" + strings.TrimPrefix(closes.URL, "http"), "", "127.0.0.1"},
		"insecure does not help": {"https" + strings.TrimPrefix(plain.URL, "http"), "", "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, httpclient.Options{TLS: backend.TLS{CAFile: tc.ca, Insecure: strings.HasPrefix(name, "insecure")}})
			wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: tc.url}).Err, fault.TLS, tc.words)
		})
	}
	t.Run("insecure", func(t *testing.T) {
		c := newClient(t, httpclient.Options{TLS: backend.TLS{Insecure: true}})
		if res := do(t, t.Context(), c, &httpclient.Call{URL: foreign.URL}); res.Err != nil || res.Status != 404 {
			t.Errorf("status %d: %v", res.Status, res.Err)
		}
	})
	t.Run("handshake that hangs", func(t *testing.T) {
		mute := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) { io.Copy(io.Discard, in) })
		url := "https" + strings.TrimPrefix(mute.URL, "http")
		c := newClient(t, httpclient.Options{Limits: backend.Limits{Connect: 60 * time.Millisecond}})
		wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: url}).Err, fault.TimeoutConnect)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		wantClass(t, do(t, ctx, c, &httpclient.Call{URL: url}).Err, fault.Cancelled)
	})
}

func TestClientCertificate(t *testing.T) {
	_, certFile, keyFile := selfSigned(t, nil)
	server, ca := tlsServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	c := newClient(t, httpclient.Options{TLS: backend.TLS{CAFile: ca, ClientCertFile: certFile, ClientKeyFile: keyFile}})
	if res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL}); res.Err != nil || res.Body != "test" {
		t.Errorf("%q: %v", res.Body, res.Err)
	}
}

// proxy is a forward proxy for both kinds of targets. It notes what it was
// asked, and wants a password where there is one.
type proxy struct {
	password string
	asked    chan string
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.asked <- r.Method + " " + r.RequestURI
	if p.password != "" && r.Header.Get("Proxy-Authorization") != p.password {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		r.RequestURI = ""
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
		return
	}
	up, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(up, buffered)
		up.Close()
	}()
	io.Copy(down, up)
}

func TestProxies(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "2")
		io.WriteString(w, "ok")
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	secure, ca := tlsServer(t, nil, handler)
	host := strings.TrimPrefix(secure.URL, "https://")

	for name, tc := range map[string]struct {
		target, password, user string
		secureProxy            bool
		asked                  string
		class                  fault.Class
		words                  string
	}{
		"http":                  {target: plain.URL + "/v1?a=b", asked: "GET " + plain.URL + "/v1?a=b"},
		"https":                 {target: secure.URL + "/v1", asked: "CONNECT " + host},
		"https with a password": {target: secure.URL, user: "me:pw@", password: "Basic bWU6cHc=", asked: "CONNECT " + host},
		"http with a password":  {target: plain.URL, user: "me:pw@", password: "Basic bWU6cHc=", asked: "GET " + plain.URL + "/"},
		"https over https":      {target: secure.URL, secureProxy: true, asked: "CONNECT " + host},
		"no password given":     {target: secure.URL, password: "x", asked: "CONNECT " + host, class: fault.Connect, words: "USER:PASSWORD@"},
		"target down":           {target: "https://127.0.0.1:1", asked: "CONNECT 127.0.0.1:1", class: fault.Connect, words: "HTTP 502"},
	} {
		t.Run(name, func(t *testing.T) {
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				p := &proxy{password: tc.password, asked: make(chan string, 9)}
				server := httptest.NewServer(p)
				if tc.secureProxy {
					server.Close()
					server = httptest.NewTLSServer(p)
				}
				defer server.Close()
				setting := strings.Replace(server.URL, "://", "://"+tc.user, 1)
				c := newClient(t, httpclient.Options{Clock: clock, HTTP: backend.HTTP{Proxy: setting}, TLS: backend.TLS{CAFile: ca}})
				defer c.Close()
				for round := range 2 {
					res := do(t, t.Context(), c, &httpclient.Call{URL: tc.target})
					if got := <-p.asked; got != tc.asked {
						t.Errorf("the proxy was asked %q, want %q", got, tc.asked)
					}
					if tc.class != fault.Unspecified {
						wantClass(t, res.Err, tc.class, tc.words)
						continue
					}
					if res.Err != nil || res.Body != "ok" {
						t.Fatalf("%q: %v", res.Body, res.Err)
					}
					if !strings.HasSuffix(server.URL, res.X.Peer) {
						t.Errorf("peer %s, the proxy is %s", res.X.Peer, server.URL)
					}
					if res.X.Clock.String() != string(clock) {
						t.Errorf("timed by the clock %v", res.X.Clock)
					}
					if strings.HasPrefix(tc.target, "https") {
						if round == 1 && !res.X.Connect.Reused {
							t.Error("the tunnel was not kept")
						}
						p.asked <- tc.asked // nothing is asked of it again
					}
				}
			})
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
		c := newClient(t, httpclient.Options{HTTP: backend.HTTP{Proxy: "none"}})
		if res := do(t, t.Context(), c, &httpclient.Call{URL: plain.URL}); res.Err != nil {
			t.Error(res.Err)
		}
	})
	t.Run("environment", func(t *testing.T) {
		t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
		t.Setenv("NO_PROXY", "direct.invalid")
		c := newClient(t, httpclient.Options{})
		wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: "http://somewhere.invalid/"}).Err, fault.Connect, "proxy http://127.0.0.1:1")
		wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: "http://direct.invalid/"}).Err, fault.DNS)
	})
	t.Run("NO_PROXY beats the setting", func(t *testing.T) {
		t.Setenv("NO_PROXY", "127.0.0.1")
		c := newClient(t, httpclient.Options{HTTP: backend.HTTP{Proxy: "http://127.0.0.1:1"}})
		if res := do(t, t.Context(), c, &httpclient.Call{URL: plain.URL}); res.Err != nil {
			t.Error(res.Err)
		}
	})
}

// TestTLSRecordAcrossSegments: a record that comes in pieces is deliverable
// with its last one.
func TestTLSRecordAcrossSegments(t *testing.T) {
	pair, certFile, _ := selfSigned(t, nil)
	var began, ended atomic.Int64
	server := newRawServer(t, func(conn *net.TCPConn, _ *bufio.Reader) {
		cut := &cutting{Conn: conn}
		secure := tls.Server(cut, &tls.Config{Certificates: []tls.Certificate{pair}})
		in := bufio.NewReader(secure)
		if _, _, err := takeRequest(in); err != nil {
			return
		}
		io.WriteString(secure, "HTTP/1.1 200 OK\r\n\r\n")
		cut.collect = new(bytes.Buffer)
		io.WriteString(secure, "data: a\n\n")
		record := cut.collect.Bytes()
		cut.collect = nil
		for i := range record {
			if i == len(record)-1 {
				began.Store(int64(stamp.Now()))
			}
			conn.Write(record[i : i+1])
			time.Sleep(time.Millisecond)
		}
		ended.Store(int64(stamp.Now()))
		secure.Close()
	})
	c := newClient(t, httpclient.Options{TLS: backend.TLS{CAFile: certFile}})
	var x stamp.Exchange
	answer, fail := c.Do(t.Context(), &httpclient.Call{URL: "https" + strings.TrimPrefix(server.URL, "http")}, &x)
	if fail != nil {
		t.Fatal(fail)
	}
	defer answer.Body.Close()
	span, err := answer.Body.NextSpan()
	if err != nil || string(span.Bytes) != "data: a\n\n" {
		t.Fatalf("%q, %v", span.Bytes, err)
	}
	if span.At < stamp.Nanos(began.Load()) {
		t.Errorf("arrived %v before its last byte was written", stamp.Nanos(began.Load()).Sub(span.At))
	}
	if _, err := answer.Body.NextSpan(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// cutting keeps back what is written while collect is set.
type cutting struct {
	net.Conn
	collect *bytes.Buffer
}

func (c *cutting) Write(p []byte) (int, error) {
	if c.collect != nil {
		return c.collect.Write(p)
	}
	return c.Conn.Write(p)
}
