package main

import (
	"testing"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/settings"
)

// TestThePoolIsMadeForTheLoad: in an open loop nobody knows how many requests
// will be in flight, and a pool made for one would open a connection for each.
func TestThePoolIsMadeForTheLoad(t *testing.T) {
	for name, c := range map[string]struct {
		levels []bench.Level
		limit  int // --max-concurrency
		want   int
	}{
		"closed loops: the largest":  {[]bench.Level{{Concurrency: 8}, {Concurrency: 64}, {Concurrency: 2}}, 0, 64},
		"batches, one after another": {[]bench.Level{{Concurrency: 1, BatchSize: 32}}, 0, 1},
		"an open loop: not known":    {[]bench.Level{{Concurrency: 1, Rate: 300}}, 0, 0},
		"an open loop with a cap":    {[]bench.Level{{Concurrency: 1, Rate: 300}}, 50, 50},
	} {
		t.Run(name, func(t *testing.T) {
			s := &settings.Benchmark{MaxConcurrency: c.limit}
			b := &benchmarking{core: s}
			if got := b.backendConfig(&bench.Plan{Settings: s, Levels: c.levels}).MaxInFlight; got != c.want {
				t.Errorf("the plugin is told %d, want %d", got, c.want)
			}
		})
	}
}
