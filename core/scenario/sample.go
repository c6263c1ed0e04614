package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/genai-bench/genai-bench/core/seeded"
)

// Size is how large one request is. Which fields count is told by the
// scenario's kind; the others are 0.
type Size struct {
	InputTokens   int // D, N, U: of the prompt; E, R: of each document
	OutputTokens  int // D, N, U: of the answer; 0 is not limited
	QueryTokens   int // R
	Characters    int // A: of the text to be spoken
	Width, Height int // I: pixels of each image
	Images        int // I
	Row           bool
}

// Sampler draws the sizes of a scenario's requests. It is safe for concurrent
// use: each size is a pure function of seed, scenario and index.
type Sampler struct {
	scenario Scenario
	stream   seeded.Stream
	lowest   int
}

// Sampler returns the sampler of a seed. No input is smaller than lowest
// tokens, by drawing again; 0 and 1 change nothing. An error says that the
// scenario has no input so large.
func (s Scenario) Sampler(seed uint64, lowest int) (Sampler, error) {
	largest := tokensMax
	switch s.kind {
	case Constant:
		largest = s.input.a
	case Uniform:
		largest = s.input.b
	case Normal:
		// What lies further out than three deviations would be drawn for ever.
		largest = s.input.a + 3*s.input.b
	}
	if lowest > largest {
		return Sampler{}, fmt.Errorf("traffic scenario %s has no input of %d tokens or more", s, lowest)
	}
	return Sampler{scenario: s, stream: seeded.New(seed, "sizes", s.String()), lowest: max(lowest, 1)}, nil
}

// At returns the size of request i.
func (p Sampler) At(i uint64) Size {
	s := p.scenario
	switch s.kind {
	case Constant:
		return Size{InputTokens: s.input.a, OutputTokens: s.output.a}
	case Normal:
		r := p.stream.Rand(i)
		return Size{InputTokens: s.input.normal(r, p.lowest), OutputTokens: s.output.normal(r, 1)}
	case Uniform:
		r := p.stream.Rand(i)
		return Size{InputTokens: s.input.uniform(r, p.lowest), OutputTokens: s.output.uniform(r, 1)}
	case Embedding:
		return Size{InputTokens: s.input.a}
	case Rerank:
		return Size{InputTokens: s.input.a, QueryTokens: s.output.a}
	case Speech:
		return Size{Characters: s.input.a}
	case Image:
		return Size{Width: s.input.a, Height: s.input.b, Images: s.output.a}
	}
	return Size{Row: true}
}

// normal draws until the rounded number is in [lowest, tokensMax]. The bounds
// that Parse and Sampler set let one draw in 700 through at worst, so the limit
// on draws is out of reach in practice; it only keeps the function total.
func (p pair) normal(r *rand.Rand, lowest int) int {
	for range 1_000_000 {
		x := math.Round(float64(p.a) + float64(p.b)*r.NormFloat64())
		if x >= float64(lowest) && x <= tokensMax {
			return int(x)
		}
	}
	return lowest
}

// uniform draws from max(p.a, lowest) to p.b, both included: the distribution
// that drawing again would give.
func (p pair) uniform(r *rand.Rand, lowest int) int {
	least := max(p.a, lowest)
	return least + r.IntN(p.b-least+1)
}
