package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/dataset/open"
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

// conversations opens the recorded conversations that are to be held again; nil
// for none. close is to be called when they are not used any more.
func (b *benchmarking) conversations(ctx context.Context) (_ dataset.Conversations, close func(), err error) {
	none := func() {}
	if b.core.Conversation == "" {
		return nil, none, nil
	}
	description := open.FromPath(b.core.Conversation, "", "")
	description.Kind = open.File
	d, err := open.Open(ctx, description, open.Options{})
	if err != nil {
		return nil, none, err
	}
	close = func() { _ = d.Close() } // it was only read
	c, err := d.Conversations(ctx)
	if err != nil {
		close()
		return nil, none, err
	}
	for _, note := range d.Notes() {
		fmt.Fprintf(b.stderr, "note: --conversation: %s\n", note)
	}
	if facts := d.Facts(); facts.BadRows > 0 {
		fmt.Fprintf(b.stderr, "warning: --conversation %s: %d conversations are bad and left out: %s\n", b.core.Conversation, facts.BadRows, strings.Join(facts.Bad, "; "))
	}
	return c, close, nil
}
