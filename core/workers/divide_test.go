package workers

import (
	"strings"
	"testing"
)

func TestLocalPortsAreShared(t *testing.T) {
	for name, tc := range map[string]struct {
		first, last uint16
		workers     int
		ranges      bool
		want        [][2]uint16
		refused     string
	}{
		"one worker":                {first: 32768, last: 60999, workers: 1, ranges: true, want: [][2]uint16{{32768, 60999}}},
		"four":                      {first: 32768, last: 60999, workers: 4, ranges: true, want: [][2]uint16{{32768, 39825}, {39826, 46883}, {46884, 53941}, {53942, 60999}}},
		"a rest is nobody's":        {first: 30000, last: 33000, workers: 3, ranges: true, want: [][2]uint16{{30000, 30999}, {31000, 31999}, {32000, 32999}}},
		"up to the last port":       {first: 1, last: 65535, workers: 2, ranges: true, want: [][2]uint16{{1, 32767}, {32768, 65534}}},
		"too few":                   {first: 32768, last: 60999, workers: 29, ranges: true, refused: "973 local ports for each worker are too few"},
		"a kernel without ranges":   {first: 32768, last: 60999, workers: 3, want: [][2]uint16{{32768, 60999}, {32768, 60999}, {32768, 60999}}},
		"and many workers":          {first: 32768, last: 60999, workers: 29, want: [][2]uint16{{32768, 60999}}},
		"and one worker, few ports": {first: 40000, last: 40099, workers: 1, want: [][2]uint16{{40000, 40099}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := divide(tc.first, tc.last, tc.workers, tc.ranges)
			if tc.refused != "" {
				if c.refused == nil || !strings.Contains(c.refused.Error(), tc.refused) {
					t.Errorf("refused: %v", c.refused)
				}
				return
			}
			if c.refused != nil {
				t.Fatal(c.refused)
			}
			for worker, want := range tc.want {
				if first, last := c.share(worker); first != want[0] || last != want[1] {
					t.Errorf("worker %d has %d to %d, want %v", worker, first, last, want)
				}
			}
		})
	}
}
