package stamp

import "testing"

func TestSegments(t *testing.T) {
	type read struct {
		n        int
		filled   bool
		segs     uint32 // the kernel's counts after the read
		received uint64
		one      bool
	}
	for name, reads := range map[string][]read{
		"one by one":                         {{n: 5, segs: 1, received: 5, one: true}, {n: 5, segs: 2, received: 10, one: true}},
		"two in one read":                    {{n: 10, segs: 2, received: 10}, {n: 5, segs: 3, received: 15, one: true}},
		"the next came just after the read":  {{n: 5, segs: 2, received: 10, one: true}, {n: 5, segs: 2, received: 10, one: true}},
		"two came just after the read":       {{n: 5, segs: 3, received: 15}, {n: 10, segs: 3, received: 15}, {n: 5, segs: 4, received: 20, one: true}},
		"one segment in several reads":       {{n: 5, filled: true, segs: 1, received: 12, one: true}, {n: 5, filled: true, segs: 1, received: 12, one: true}, {n: 2, segs: 1, received: 12, one: true}},
		"the rest of one and another":        {{n: 5, filled: true, segs: 1, received: 8, one: true}, {n: 6, segs: 2, received: 11}},
		"the rest of one, another follows":   {{n: 5, filled: true, segs: 1, received: 8, one: true}, {n: 3, segs: 2, received: 11, one: true}, {n: 3, segs: 2, received: 11, one: true}},
		"a filled read of several":           {{n: 5, filled: true, segs: 2, received: 8}, {n: 3, segs: 2, received: 8}},
		"a retransmission counts as another": {{n: 5, segs: 1, received: 5, one: true}, {n: 5, segs: 3, received: 10}},
		"the counter wraps":                  {{n: 5, segs: 1<<32 - 1, received: 5}, {n: 5, segs: 0, received: 10, one: true}},
	} {
		t.Run(name, func(t *testing.T) {
			var s segments
			for i, r := range reads {
				if one := s.take(r.n, r.filled, r.segs, r.received); one != r.one {
					t.Errorf("read %d: one segment %v, want %v", i, one, r.one)
				}
			}
		})
	}
}
