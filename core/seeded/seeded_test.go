package seeded_test

import (
	"math"
	"testing"

	"github.com/genai-bench/genai-bench/core/seeded"
)

func TestStreamsDependOnSeedAndNamesOnly(t *testing.T) {
	base := seeded.New(7, "sizes", "D(1,1)")
	if base != seeded.New(7, "sizes", "D(1,1)") {
		t.Error("equal seeds and names give different streams")
	}
	for name, other := range map[string]seeded.Stream{
		"another seed":         seeded.New(8, "sizes", "D(1,1)"),
		"another name":         seeded.New(7, "sizes", "D(1,2)"),
		"another border":       seeded.New(7, "sizesD", "(1,1)"),
		"one more, empty name": seeded.New(7, "sizes", "D(1,1)", ""),
	} {
		if other == base || other.Uint64(3) == base.Uint64(3) {
			t.Errorf("%s: same stream", name)
		}
	}
	if a, b := base.Rand(5).Uint64(), base.Rand(6).Uint64(); a == b {
		t.Errorf("generators of neighbouring indices agree: %d", a)
	}
}

// The numbers are part of what --seed promises: they must not change with a
// release of Go or of this program.
func TestNumbersStayTheSame(t *testing.T) {
	s := seeded.New(42, "a")
	if got, want := [3]uint64{s.Uint64(0), s.Uint64(1), s.Uint64(1 << 40)}, [3]uint64{0xacd937004098e5b9, 0xaa3b6b0d0bbc226f, 0x2a05e3ac94f2c1dd}; got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
	if got := s.Rand(9).Uint64(); got != 0xe2e8f5d4bcd7bb6a {
		t.Errorf("Rand(9): got %#x, want %#x", got, uint64(0xe2e8f5d4bcd7bb6a))
	}
}

func TestFloatsAreUniform(t *testing.T) {
	const n = 100_000
	s := seeded.New(1, "floats")
	var sum, squares float64
	for i := range uint64(n) {
		f := s.Float64(i)
		if f < 0 || f >= 1 {
			t.Fatalf("Float64(%d) = %v, not in [0, 1)", i, f)
		}
		sum, squares = sum+f, squares+f*f
	}
	if mean := sum / n; math.Abs(mean-0.5) > 0.005 {
		t.Errorf("mean %v, want 0.5", mean)
	}
	if square := squares / n; math.Abs(square-1.0/3) > 0.005 {
		t.Errorf("mean of squares %v, want 1/3", square)
	}
}

func TestPermuteIsAPermutation(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 4, 5, 7, 16, 17, 1000, 4097} {
		s := seeded.New(n, "permute")
		seen := make([]bool, n)
		inPlace := 0
		for i := range n {
			p := s.Permute(i, n)
			if p >= n || seen[p] {
				t.Fatalf("n=%d: element %d is %d, out of range or seen", n, i, p)
			}
			seen[p] = true
			if p == i {
				inPlace++
			}
			if again := s.Permute(i+n, n); again != p {
				t.Fatalf("n=%d: element %d is %d, element %d is %d", n, i, p, i+n, again)
			}
		}
		if n >= 16 && inPlace > 8 {
			t.Errorf("n=%d: %d elements stayed in place", n, inPlace)
		}
	}
}
