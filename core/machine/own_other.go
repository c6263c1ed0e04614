//go:build !unix

package machine

import "math"

func own() float64 { return math.NaN() }
