package main

import (
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// BenchmarkStream reads a stream of 1,000 tokens.
func BenchmarkStream(b *testing.B) {
	delta := events(`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" sea"}}}}`)
	data := []byte(events(start) + strings.Repeat(delta, 1000) + events(end))
	request := &backend.Request{Want: backend.Want{Events: true}}
	a := new(answer)
	b.ReportAllocs()
	for b.Loop() {
		a.begin(backend.NewRecorder(request, 0, nil, nil))
		if failure := a.readStream(&spans{data}); failure != nil {
			b.Fatal(failure)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/token")
}
