package backendtest

import (
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

func (k *kit) probing() []test {
	probes := unless(k.description.Can(backend.CanProbe), "the capability probe is not declared")
	return []test{
		{name: "undeclared is unsupported", skip: unless(probes != "", "the capability probe is declared"), run: func(t *testing.T) {
			s := k.open(t, setup{})
			if _, err := s.runner.Probe(t.Context()); !errors.Is(err, host.ErrUnsupported) {
				t.Errorf("error %v, want ErrUnsupported", err)
			}
		}},
		{name: "all is well", skip: probes, run: func(t *testing.T) {
			s := k.open(t, setup{})
			p := s.probe(t)
			if p.Failure != nil {
				t.Fatalf("the probe failed: %v", p.Failure)
			}
			if p.Models != nil && !slices.Contains(p.Models, model) {
				t.Errorf("models %q lack %q", p.Models, model)
			}
			if p.Latency <= 0 {
				t.Errorf("latency %v", p.Latency)
			}
			if n := s.upstream.Stats().OutputTokens; n > 0 {
				t.Errorf("the probe generated %d tokens: it must be free", n)
			}
		}},
		{name: "a wrong key", skip: firstOf(probes, k.keyed()), run: func(t *testing.T) {
			s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) { k.WrongKey(t, c) }})
			expectProbe(t, s.probe(t), fault.Auth)
		}},
		{name: "no such model", skip: probes, run: func(t *testing.T) {
			s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) { c.Model = "no-such-model" }})
			expectProbe(t, s.probe(t), fault.NotFound)
		}},
		{name: "nobody listens", skip: probes, run: func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := "http://" + l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) { c.APIBase = address }})
			expectProbe(t, s.probe(t), fault.Connect)
		}},
	}
}

func (s *session) probe(t *testing.T) backend.Probe {
	t.Helper()
	p, err := s.runner.Probe(t.Context())
	if err != nil {
		t.Fatalf("the question could not be asked: %v", err)
	}
	s.kit.expectNoSecret(t, "the probe", p)
	if p.Failure != nil {
		s.kit.expectNoSecret(t, "the probe's failure", p.Failure)
	}
	return p
}

func expectProbe(t *testing.T, p backend.Probe, want ...fault.Class) {
	t.Helper()
	if p.Failure == nil || !slices.Contains(want, p.Failure.Class) {
		t.Fatalf("the probe found %v, want a failure of class %v", p.Failure, want)
	}
	if p.Failure.Message == "" {
		t.Error("the failure says nothing")
	}
}

// keyed is why no credentials can be refused: there are none.
func (k *kit) keyed() string {
	return unless(k.description.APIKey != backend.Unused || len(k.Secrets) > 0, "there is no key")
}
