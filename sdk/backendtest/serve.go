package backendtest

import (
	"testing"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// Serve starts a simulator on the loopback until the test ends.
func Serve(t testing.TB, config simulator.Config) *simulator.Server {
	t.Helper()
	s, err := simulator.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}
