package scenario

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the distribution of a scenario: the letter that it begins with.
type Kind string

// The kinds of scenarios. P is an alias: its scenarios are of kind Constant.
const (
	Constant  Kind = "D"
	Normal    Kind = "N"
	Uniform   Kind = "U"
	Embedding Kind = "E"
	Rerank    Kind = "R"
	Image     Kind = "I"
	Speech    Kind = "A"
	Rows      Kind = "dataset"
)

// prefixed is how scenarios with a prefix of their own are written.
const prefixed Kind = "P"

// The largest sizes that are taken for meant: far above what any model reads,
// far below what would overflow.
const (
	tokensMax = 10_000_000
	pixelsMax = 65_535 // a side; JPEG and PNG encoders stop here
	imagesMax = 1_000
)

// Scenario is one parsed scenario. It is a value, comparable: two spellings of
// the same scenario, D(01,2) and D(1,2), are equal. The zero value is none.
type Scenario struct {
	kind    Kind
	input   pair // D: {tokens, 0}; N: {mean, stddev}; U: {min, max}; E, R, A: {size, 0}; I: {width, height}
	output  pair // as input; R: {query, 0}; I: {images, 0}
	prefix  int  // P only
	onePair bool // U only: written as U(max_input,max_output)
}

type pair struct{ a, b int }

// Kind returns the scenario's kind.
func (s Scenario) Kind() Kind { return s.kind }

// IsZero tells whether this is the zero value, not a scenario.
func (s Scenario) IsZero() bool { return s == Scenario{} }

// Prefix returns how many tokens at the start all prompts share by the
// scenario's own words: p of P(p,s)/o, else 0.
func (s Scenario) Prefix() int { return s.prefix }

// String is the scenario in its one spelling, which Parse reads back. It is
// the scenario's name in metadata, run files and reports.
func (s Scenario) String() string {
	switch s.kind {
	case Constant:
		if s.prefix > 0 {
			return fmt.Sprintf("P(%d,%d)/%d", s.prefix, s.input.a-s.prefix, s.output.a)
		}
		return fmt.Sprintf("D(%d,%d)", s.input.a, s.output.a)
	case Normal:
		return fmt.Sprintf("N(%d,%d)/(%d,%d)", s.input.a, s.input.b, s.output.a, s.output.b)
	case Uniform:
		if s.onePair {
			return fmt.Sprintf("U(%d,%d)", s.input.b, s.output.b)
		}
		return fmt.Sprintf("U(%d,%d)/(%d,%d)", s.input.a, s.input.b, s.output.a, s.output.b)
	case Embedding, Speech:
		return fmt.Sprintf("%s(%d)", s.kind, s.input.a)
	case Rerank:
		return fmt.Sprintf("R(%d,%d)", s.input.a, s.output.a)
	case Image:
		if s.output.a != 1 {
			return fmt.Sprintf("I(%d,%d,%d)", s.input.a, s.input.b, s.output.a)
		}
		return fmt.Sprintf("I(%d,%d)", s.input.a, s.input.b)
	case Rows:
		return string(Rows)
	}
	return ""
}

// FileName is the scenario as a part of file names, in the Python tool's way:
// slashes and commas become underscores, brackets go:
// N(480,240)/(300,150) is N480_240_300_150.
func (s Scenario) FileName() string {
	return strings.NewReplacer("/", "_", ",", "_", "(", "", ")", "").Replace(s.String())
}

// MarshalText writes the scenario as String does.
func (s Scenario) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what Parse reads.
func (s *Scenario) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// MinInput returns the smallest input, in tokens, that a prompt of the scenario
// may be taken to have when a prefix is checked against it, and whether the
// scenario has input tokens of a prompt at all (D, N and U do). For N it is
// mean − 3·stddev, at least 1: draws below are so rare that they are drawn again.
func (s Scenario) MinInput() (tokens int, ok bool) {
	switch s.kind {
	case Constant, Uniform:
		return s.input.a, true
	case Normal:
		return max(1, s.input.a-3*s.input.b), true
	}
	return 0, false
}

// Form is how scenarios of the kind are written, in words for the numbers.
func (k Kind) Form() string {
	switch k {
	case Constant:
		return "D(input,output)"
	case Normal:
		return "N(mean,stddev)/(mean,stddev)"
	case Uniform:
		return "U(min,max)/(min,max) or U(max_input,max_output)"
	case Embedding:
		return "E(tokens)"
	case Rerank:
		return "R(document,query)"
	case Image:
		return "I(width,height) or I(width,height,images)"
	case Speech:
		return "A(characters)"
	case prefixed:
		return "P(prefix,suffix)/output"
	case Rows:
		return "dataset"
	}
	return strconv.Quote(string(k))
}

func kinds() []Kind {
	return []Kind{Constant, Normal, Uniform, Embedding, Rerank, Image, Speech, prefixed, Rows}
}
