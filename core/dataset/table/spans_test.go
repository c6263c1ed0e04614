package table

import (
	"math/rand/v2"
	"testing"
)

func TestSpansKeepEveryPiece(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var s spans
	type piece struct{ start, length int64 }
	var all []piece
	at := int64(0)
	for range 5000 {
		gap := int64(1)
		if r.IntN(10) == 0 {
			gap = r.Int64N(1 << 33)
		}
		p := piece{at + gap, r.Int64N(1 << (1 + r.IntN(26)))}
		if len(all) == 0 && gap == 1 {
			p.start = 0
		}
		s.add(p.start, p.length)
		all = append(all, p)
		at = p.start + p.length
	}
	for _, i := range r.Perm(len(all)) {
		if start, length := s.at(i); start != all[i].start || length != all[i].length {
			t.Fatalf("piece %d is %d+%d, want %d+%d", i, start, length, all[i].start, all[i].length)
		}
	}
	var even spans
	for i := range int64(1_000_000) {
		even.add(i*400, 399)
	}
	if size := len(even.code) + 16*len(even.marks); size > 2_500_000 {
		t.Errorf("a million lines take %d bytes of index, more than 2.5 a line", size)
	}
}

func BenchmarkSpans(b *testing.B) {
	var s spans
	for i := range int64(1_000_000) {
		s.add(i*400, 399)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i*1103515245 + 12345) % 1_000_000
		s.at(max(i, -i))
	}
}

func FuzzJSONLine(f *testing.F) {
	for _, seed := range []string{`{"a":"b"}`, `["x",{"y":null}]`, `"s"`, `{"a":`, `[[[[`, "{\"a\":\"\xff\"}", `{"a":1e999}`, `{"\u0061":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		row, err := parseJSON(data, nil)
		if (err == nil) == (row == nil) {
			t.Fatalf("%q: row %v, error %v", data, row, err)
		}
		columns := jsonColumns(nil, data)
		for name := range row {
			found := false
			for _, c := range columns {
				found = found || c == name
			}
			if !found {
				t.Fatalf("%q: column %q is not among %q", data, name, columns)
			}
		}
	})
}
