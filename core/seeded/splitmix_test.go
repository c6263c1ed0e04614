package seeded

import "testing"

// The published first outputs of SplitMix64 seeded with 0.
func TestStreamIsSplitMix64(t *testing.T) {
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := (Stream{}).Uint64(uint64(i)); got != want {
			t.Errorf("output %d is %#x, want %#x", i, got, want)
		}
	}
}
