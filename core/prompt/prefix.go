package prompt

import (
	"fmt"
	"strings"

	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Prefix is the start that all prompts of a scenario share: a number of
// tokens, or a share of each prompt. The zero value is none.
type Prefix struct {
	Tokens int     // --prefix-len
	Ratio  float64 // --prefix-ratio, 0 to 1
}

// Check tells what is wrong with a prefix for a task and its scenarios; nil
// where all is well. Each problem is a line of its own; the errors name the
// flags.
func (p Prefix) Check(task backend.Task, scenarios []scenario.Scenario) []error {
	if p == (Prefix{}) {
		return nil
	}
	flag := "--prefix-len"
	if p.Tokens == 0 {
		flag = "--prefix-ratio"
	}
	switch {
	case p.Tokens != 0 && p.Ratio != 0:
		return []error{fmt.Errorf("--prefix-len and --prefix-ratio exclude each other: give one")}
	case p.Tokens < 0:
		return []error{fmt.Errorf("--prefix-len is %d and must be at least 0", p.Tokens)}
	case !(p.Ratio >= 0 && p.Ratio <= 1):
		return []error{fmt.Errorf("--prefix-ratio is %v and must be from 0 to 1", p.Ratio)}
	case task != backend.TextToText:
		return []error{fmt.Errorf("%s is for task %s only, not %s", flag, backend.TextToText, task)}
	}
	var errs []error
	var unsized, own, varying, short []string
	for _, s := range scenarios {
		minInput, sized := s.MinInput()
		switch {
		case !sized:
			unsized = append(unsized, s.String())
		case s.Prefix() > 0:
			own = append(own, s.String())
		case p.Ratio != 0 && s.Kind() != scenario.Constant:
			varying = append(varying, s.String())
		case minInput <= p.Tokens:
			short = append(short, fmt.Sprintf("%s (min_input_tokens=%d)", s, minInput))
		}
	}
	add := func(list []string, format string) {
		if list != nil {
			errs = append(errs, fmt.Errorf(format, flag, strings.Join(list, ", ")))
		}
	}
	add(unsized, "%s does not go with %s: their prompts have no size")
	add(own, "%s does not go with %s: it has a prefix of its own")
	add(varying, "%s goes with D scenarios only, not with %s (use --prefix-len)")
	add(short, "%s must be smaller than every prompt, so that each has a part of its own; too short: %s")
	return errs
}

// tokens returns the prefix of prompts of n tokens. A ratio leaves room for
// unique tokens: the words that tell prompts apart.
func (p Prefix) tokens(s scenario.Scenario, unique int) int {
	switch n, _ := s.MinInput(); {
	case s.Prefix() > 0:
		return s.Prefix()
	case p.Ratio > 0:
		return max(0, min(int(float64(n)*p.Ratio), n-unique))
	}
	return p.Tokens
}

// sharedPrefix is a prefix and its tokens.
type sharedPrefix struct {
	text string
	ids  []uint32
}
