package load

import "github.com/genai-bench/genai-bench/core/seeded"

// Aborts chooses the requests of a run that the client gives up on purpose.
type Aborts struct {
	rate   float64
	stream seeded.Stream
}

// NewAborts chooses a share of the requests, by a seed and by the name of the
// run, so that runs of one experiment choose differently.
func NewAborts(rate float64, seed uint64, run string) Aborts {
	return Aborts{rate, seeded.New(seed, "aborts", run)}
}

// Chooses tells whether request n is given up: a pure function. The zero value
// chooses none.
func (a Aborts) Chooses(n uint64) bool { return a.rate > 0 && a.stream.Float64(n) < a.rate }
