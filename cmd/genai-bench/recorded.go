package main

import (
	"fmt"
	"os"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/trace"
)

// largeTrace is from how many bytes on a trace takes so long to read that it is
// said.
const largeTrace = 32 << 20

// trace reads the trace that is to be replayed; nil for none.
func (b *benchmarking) trace() (*trace.Trace, error) {
	if info, err := os.Stat(b.core.Trace); b.core.Trace != "" && err == nil && info.Size() > largeTrace {
		fmt.Fprintf(b.stderr, "reading %s, %d MiB\n", b.core.Trace, info.Size()>>20)
	}
	return bench.LoadTrace(b.core)
}
