package hostile

import (
	"testing"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestBytesAreDeliverableWithTheLastHoleBeforeThem(t *testing.T) {
	for name, tc := range map[string]struct {
		sends []Piece
		// want[i] is the number of the send that made byte i deliverable; −1: none.
		want []int
	}{
		"in order":            {sends: []Piece{{0, 2}, {2, 3}}, want: []int{0, 0, 1, -1}},
		"a lost first":        {sends: []Piece{{1, 2}, {2, 3}, {0, 1}}, want: []int{2, 2, 2}},
		"two holes":           {sends: []Piece{{4, 5}, {2, 3}, {0, 1}, {1, 2}, {3, 4}}, want: []int{2, 3, 3, 4, 4}},
		"repeated":            {sends: []Piece{{0, 2}, {0, 2}, {1, 3}}, want: []int{0, 0, 2}},
		"overlapping a hole":  {sends: []Piece{{2, 4}, {0, 3}}, want: []int{1, 1, 1, 1}},
		"one inside the next": {sends: []Piece{{3, 4}, {2, 5}, {0, 2}}, want: []int{2, 2, 2, 2, 2}},
		"never":               {sends: []Piece{{1, 2}}, want: []int{-1, -1}},
	} {
		t.Run(name, func(t *testing.T) {
			var l ledger
			for i, p := range tc.sends {
				l.add(p, nth(i))
			}
			for i, want := range tc.want {
				at, ok := l.deliverable(int64(i))
				if ok != (want >= 0) || ok && at != nth(want) {
					t.Errorf("byte %d: %v, %v, want send %d", i, at, ok, want)
				}
			}
		})
	}
}

// nth is the interval of send n.
func nth(n int) Interval { return Interval{From: stamp.Nanos(2*n + 1), To: stamp.Nanos(2*n + 2)} }
