package load

import (
	"fmt"
	"math"
	"time"

	"github.com/genai-bench/genai-bench/core/seeded"
)

// Think is how long users think between an answer and their next request. The
// zero value is not at all.
type Think struct {
	Distribution Distribution // Constant, Exponential or Uniform; "" is Constant
	Mean         time.Duration
	Spread       time.Duration // of Uniform: how far the least and the most are from the mean
}

// String is the time as --think-time has it, "" for none.
func (t Think) String() string {
	switch {
	case t.Mean == 0:
		return ""
	case t.Distribution == Uniform:
		return fmt.Sprintf("%s:%s,%s", Uniform, t.Mean-t.Spread, t.Mean+t.Spread)
	case t.Distribution == Exponential:
		return fmt.Sprintf("%s:%s", Exponential, t.Mean)
	}
	return t.Mean.String()
}

func (t Think) check() error {
	switch {
	case t.Mean < 0 || t.Spread < 0 || t.Spread > t.Mean:
		return fmt.Errorf("a user would think for less than no time: %v ± %v", t.Mean, t.Spread)
	case t.Distribution != "" && t.Distribution != Constant && t.Distribution != Exponential && t.Distribution != Uniform:
		return fmt.Errorf("think times have no distribution %q (there are %s, %s, %s)", t.Distribution, Constant, Exponential, Uniform)
	}
	return nil
}

// thoughts are the think times of a run's users.
type thoughts struct {
	think  Think
	stream seeded.Stream
}

func (u Users) thoughts() thoughts {
	return thoughts{u.Think, seeded.New(u.Seed, "think time")}
}

// ThinkTime returns how long a user (from 0) thinks after an answer (from 0): a
// pure function of the settings, the seed and both.
func (u Users) ThinkTime(user int, answer uint64) time.Duration {
	return u.thoughts().after(user, answer)
}

func (t thoughts) after(user int, answer uint64) time.Duration {
	if t.think.Mean == 0 {
		return 0
	}
	draw := func() float64 { return t.stream.Float64(uint64(user)<<32 | answer&math.MaxUint32) }
	switch mean := float64(t.think.Mean); t.think.Distribution {
	case Exponential:
		return saturate(math.Round(-math.Log1p(-draw()) * mean))
	case Uniform:
		return saturate(math.Round(mean + (2*draw()-1)*float64(t.think.Spread)))
	}
	return t.think.Mean
}
