package metrics

import (
	"math"
	"strconv"
	"time"
)

// Value is a metric of one request or run. A metric that does not exist (the
// TPOT of an answer of one token, the TTFT of a failed request) is None, which
// is null in JSON: absent is not zero.
type Value float64

// None is the Value of what does not exist.
func None() Value { return Value(math.NaN()) }

// Exists tells whether v is a number.
func (v Value) Exists() bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// MarshalJSON writes a number, or null.
func (v Value) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(v)), nil }

// UnmarshalJSON reads a number, or null.
func (v *Value) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*v = None()
		return nil
	}
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return err
	}
	*v = Value(f)
	return nil
}

// Seconds is a duration as a Value.
func Seconds(d time.Duration) Value { return Value(d.Seconds()) }

// ratio is a/b, None where that is no number.
func ratio(a, b Value) Value {
	if !a.Exists() || !b.Exists() || b <= 0 {
		return None()
	}
	return a / b
}
