package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// A server that goes away in the middle of an answer, and comes back.
func TestGRPCConnectionsThatBreak(t *testing.T) {
	began, stop := make(chan struct{}), make(chan struct{})
	s := startGRPC(t, func(ctx context.Context, send func(string)) error {
		send(theSea)
		close(began)
		<-stop
		return nil
	})
	v := openGRPC(t, s.url(), nil)
	go func() {
		<-began
		time.Sleep(20 * time.Millisecond) // for the message to come
		go s.Stop()
		time.Sleep(20 * time.Millisecond) // the connections are closed, the script waits
		close(stop)
	}()
	if o := perform(t.Context(), v, chat(true)); o.Error == nil || o.Error.Class != fault.Truncated || !o.Error.Partial || !o.Error.Retryable {
		t.Errorf("%v", o.Error)
	}
	if o := perform(t.Context(), v, chat(true)); o.Error == nil || o.Error.Class != fault.Connect || o.Error.HTTPStatus != 0 || !strings.Contains(o.Error.Message, "refused") {
		t.Errorf("%v", o.Error)
	}
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Skip("the port is taken: ", err)
	}
	again := startGRPCOn(t, listener, script(theSea, isCalm))
	if o := perform(t.Context(), v, chat(true)); o.Error != nil || again.count() != 1 {
		t.Errorf("%v", o.Error)
	}
}

func TestGRPCServersThatAreNone(t *testing.T) {
	pair, file := certificate(t)
	secure := startGRPC(t, script(theSea, isCalm), grpc.Creds(pair))
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	h2 := httptest.NewUnstartedServer(http.NotFoundHandler())
	h2.Config.Protocols = new(http.Protocols)
	h2.Config.Protocols.SetUnencryptedHTTP2(true)
	h2.Start()
	defer h2.Close()
	for name, tc := range map[string]struct {
		base   string
		change func(*backend.Config)
		class  fault.Class // 0: it works
	}{
		"an unknown certificate":      {"https://" + secure.address, nil, fault.TLS},
		"a certificate from a file":   {"https://" + secure.address, func(c *backend.Config) { c.TLS.CAFile = file }, 0},
		"a certificate not looked at": {"https://" + secure.address, func(c *backend.Config) { c.TLS.Insecure = true }, 0},
		"HTTP/1.1":                    {plain.URL, nil, fault.Connect},
		"HTTP/2 without gRPC":         {h2.URL, nil, fault.NotFound},
		"nobody":                      {"http://127.0.0.1:1", nil, fault.Connect},
		"no such name":                {"http://nobody.invalid:1", nil, fault.DNS},
	} {
		t.Run(name, func(t *testing.T) {
			v := openGRPC(t, tc.base, tc.change)
			o := perform(t.Context(), v, chat(true))
			var class fault.Class
			if o.Error != nil {
				class = o.Error.Class
			}
			if class != tc.class {
				t.Errorf("%v, want %v", o.Error, tc.class)
			}
			if tc.class == 0 && (o.Connect.Reused || o.Connect.TLS <= 0 || o.Connect.TCP <= 0) {
				t.Errorf("%+v", o.Connect)
			}
			if tc.class == 0 && !perform(t.Context(), v, chat(true)).Connect.Reused {
				t.Error("the connection is not used again")
			}
		})
	}
}

// A proxy is asked for a tunnel; it gets its password, and nobody else does.
func TestGRPCThroughAProxy(t *testing.T) {
	s := startGRPC(t, script(theSea, isCalm))
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		down, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = up.Close()
			return
		}
		join(down, buffered, up)
	}))
	defer proxy.Close()
	v := openGRPC(t, s.url(), func(c *backend.Config) {
		c.HTTP.Proxy = strings.Replace(proxy.URL, "http://", "http://user:planted-pass@", 1)
	})
	if o := perform(t.Context(), v, chat(true)); o.Error != nil {
		t.Fatal(o.Error)
	}
	if want := "CONNECT " + s.address + " Basic dXNlcjpwbGFudGVkLXBhc3M="; len(asked) != 1 || asked[0] != want {
		t.Errorf("%q, want %q", asked, want)
	}
}

// Many calls at once are spread over connections.
func TestGRPCManyAtOnce(t *testing.T) {
	const calls = 3 * callsPerConnection
	var arrived sync.WaitGroup
	arrived.Add(calls)
	s := startGRPC(t, func(_ context.Context, send func(string)) error {
		arrived.Done()
		arrived.Wait() // none ends before all are there
		send(theSea)
		send(isCalm)
		return nil
	}, grpc.MaxConcurrentStreams(callsPerConnection))
	v := openGRPC(t, s.url(), func(c *backend.Config) { c.MaxInFlight = calls })
	outcomes := make(chan *backend.Outcome)
	for range calls {
		go func() { outcomes <- perform(context.Background(), v, chat(true)) }()
	}
	peers := map[string]bool{}
	for range calls {
		o := <-outcomes
		if o.Error != nil {
			t.Error(o.Error)
		}
		peers[o.Peer] = true
	}
	if !peers[s.address] || len(peers) != 1 {
		t.Errorf("peers %v", peers)
	}
}

func TestGRPCOfFreshConnections(t *testing.T) {
	s := startGRPC(t, script(theSea, isCalm))
	v := openGRPC(t, s.url(), nil)
	for range 2 {
		r := chat(true)
		r.FreshConnection = true
		r.StartAt = stamp.Now().Add(50 * time.Millisecond)
		if o := perform(t.Context(), v, r); o.Error != nil || o.Connect.Reused || o.SendStart < r.StartAt {
			t.Errorf("%v, %+v", o.Error, o.Exchange)
		}
	}
}
