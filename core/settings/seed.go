package settings

import (
	"fmt"
	"strconv"
	"strings"
)

// seedValue is the --seed of a Benchmark, which must know whether it was
// given: every number is a seed.
type seedValue Benchmark

func (v *seedValue) String() string {
	if v == nil || !v.SeedGiven {
		return ""
	}
	return strconv.FormatUint(v.Seed, 10)
}

func (v *seedValue) Type() string { return "int" }

func (v *seedValue) Set(text string) error {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number from 0 to 2^64-1", text)
	}
	v.Seed, v.SeedGiven = n, true
	return nil
}
