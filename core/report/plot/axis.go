package plot

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// span places values of one direction on a stretch of pixels.
type span struct {
	scale    Scale
	low      float64 // of the scaled value
	high     float64
	from, to int // pixels
	even     []float64
}

// scaled is a value in the scale's own measure.
func (s *span) scaled(v float64) float64 {
	switch s.scale {
	case Log10:
		return math.Log10(v)
	case Log2:
		return math.Log2(v)
	case Even:
		if i, found := slices.BinarySearch(s.even, v); found {
			return float64(i)
		}
		return -1
	}
	return v
}

// pixel is where a value lies; what lies outside is put to the edge.
func (s *span) pixel(v float64) int {
	share := (s.scaled(v) - s.low) / (s.high - s.low)
	if math.IsNaN(share) {
		share = 0
	}
	return s.from + int(math.Round(min(max(share, 0), 1)*float64(s.to-s.from)))
}

type tick struct {
	at   float64
	text string
}

// layOut chooses a span's bounds and ticks for values. Linear axes begin at 0
// where no value is below.
func layOut(axis Axis, values []float64, from, to int) (span, []tick) {
	s := span{scale: axis.Scale, from: from, to: to}
	switch axis.Scale {
	case Even:
		s.even = axis.Ticks
		s.low, s.high = -0.5, math.Max(float64(len(axis.Ticks))-0.5, 0.5)
		return s, named(axis.Ticks)
	case Log2:
		if len(axis.Ticks) > 0 && axis.Ticks[0] > 0 {
			s.low, s.high = math.Log2(axis.Ticks[0]), math.Log2(axis.Ticks[len(axis.Ticks)-1])
			margin := math.Max((s.high-s.low)*0.06, 0.1)
			s.low, s.high = s.low-margin, s.high+margin
			return s, named(axis.Ticks)
		}
		s.scale = Linear
	case Log10:
		if len(values) > 0 && slices.Min(values) > 0 {
			return logarithmic(s, slices.Min(values), slices.Max(values))
		}
		s.scale = Linear
	}
	return linear(s, values)
}

func named(values []float64) []tick {
	ticks := make([]tick, len(values))
	for i, v := range values {
		ticks[i] = tick{v, strconv.FormatFloat(v, 'f', -1, 64)}
	}
	return ticks
}

// linear has ticks at multiples of 1, 2, 2.5 or 5 times a power of ten.
func linear(s span, values []float64) (span, []tick) {
	low, high := 0.0, 0.0
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if high == low {
		high = low + 1
	}
	const wanted = 6
	raw := (high - low) / wanted
	if raw < 1e-300 || raw > 1e300 { // where floating point ends, there are no round numbers to be had
		s.low, s.high = low, high
		return s, nil
	}
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * unit
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*unit >= raw*0.999 {
			step = m * unit
			break
		}
	}
	s.low, s.high = low, high+(high-low)*0.08 // room for the texts at the points
	if low < 0 {
		s.low -= (high - low) * 0.08
	}
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	if m := step * math.Pow(10, float64(decimals)); math.Abs(m-math.Round(m)) > 1e-6 {
		decimals++ // 2.5
	}
	var ticks []tick
	for i := int(math.Ceil(s.low/step - 1e-9)); float64(i)*step <= s.high; i++ {
		ticks = append(ticks, tick{float64(i) * step, grouped(float64(i)*step, decimals)})
	}
	return s, ticks
}

// logarithmic has ticks at powers of ten, and in between as finely as it takes
// to have some.
func logarithmic(s span, low, high float64) (span, []tick) {
	s.low, s.high = math.Log10(low), math.Log10(high)
	margin := math.Max((s.high-s.low)*0.1, 0.08)
	s.low, s.high = s.low-margin, s.high+margin
	var ticks []tick
	for _, steps := range [][]float64{
		{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 1.2, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 9},
	} {
		ticks = nil
		stride := math.Ceil((s.high - s.low) / 10)
		for decade := math.Floor(s.low); decade <= s.high; decade += stride {
			for _, m := range steps {
				v := m * math.Pow(10, decade)
				if l := math.Log10(v); l >= s.low && l <= s.high {
					ticks = append(ticks, tick{v, strconv.FormatFloat(v, 'g', 3, 64)})
				}
			}
		}
		if len(ticks) >= 4 {
			break
		}
	}
	return s, ticks
}

// grouped writes a number with its thousands apart.
func grouped(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return sign + whole
}
