package metrics

import (
	"math"
	"slices"
)

// Stats are the statistics of one metric over the requests of a run. Without
// values all are None.
type Stats struct {
	Min    Value `json:"min"`
	Max    Value `json:"max"`
	Mean   Value `json:"mean"`
	Stddev Value `json:"stddev"`
	Sum    Value `json:"sum"`
	P25    Value `json:"p25"`
	P50    Value `json:"p50"`
	P75    Value `json:"p75"`
	P90    Value `json:"p90"`
	P95    Value `json:"p95"`
	P99    Value `json:"p99"`
	P999   Value `json:"p999"` // p99.9; a dot would split the names that charts use
}

// NoStats are the statistics of nothing.
func NoStats() Stats {
	n := None()
	return Stats{n, n, n, n, n, n, n, n, n, n, n, n}
}

// Summarize computes the statistics of values, of which those that do not
// exist are left out. It sorts values in place.
func Summarize(values []float64) Stats {
	values = slices.DeleteFunc(values, func(v float64) bool { return !Value(v).Exists() })
	n := len(values)
	if n == 0 {
		return NoStats()
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	mean := sum / float64(n)
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return Stats{
		Min: Value(values[0]), Max: Value(values[n-1]), Mean: Value(mean), Sum: Value(sum),
		Stddev: Value(math.Sqrt(squares / float64(n))),
		P25:    Value(Percentile(values, 25)), P50: Value(Percentile(values, 50)), P75: Value(Percentile(values, 75)),
		P90: Value(Percentile(values, 90)), P95: Value(Percentile(values, 95)), P99: Value(Percentile(values, 99)),
		P999: Value(Percentile(values, 99.9)),
	}
}

// Percentile returns percentile q (0 to 100) of sorted values, interpolated
// linearly between the two nearest ranks: numpy's default. There must be at
// least one value.
func Percentile(sorted []float64, q float64) float64 {
	rank := q / 100 * float64(len(sorted)-1)
	low := int(math.Floor(rank))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (rank-float64(low))*(sorted[high]-sorted[low])
}

// Get returns a statistic by its key ("p99", "mean", …), None for another.
func (s Stats) Get(key string) Value {
	switch key {
	case "min":
		return s.Min
	case "max":
		return s.Max
	case "mean":
		return s.Mean
	case "stddev":
		return s.Stddev
	case "sum":
		return s.Sum
	case "p25":
		return s.P25
	case "p50":
		return s.P50
	case "p75":
		return s.P75
	case "p90":
		return s.P90
	case "p95":
		return s.P95
	case "p99":
		return s.P99
	case "p999":
		return s.P999
	}
	return None()
}

// scaled returns the statistics in another unit.
func (s Stats) scaled(by Value) Stats {
	return Stats{
		s.Min * by, s.Max * by, s.Mean * by, s.Stddev * by, s.Sum * by,
		s.P25 * by, s.P50 * by, s.P75 * by, s.P90 * by, s.P95 * by, s.P99 * by, s.P999 * by,
	}
}
