package settings

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with what the user said.
type Problem struct {
	Flag    string // name without dashes; "" where no flag is meant
	Message string // what is wrong
	Hint    string // what to do; may be empty
	Origin  string // where the value came from, if not the command line: "in bench.yaml", "from GENAI_BENCH_TASK"
}

// String is "--flag (origin): message (hint)".
func (p Problem) String() string {
	var b strings.Builder
	if p.Flag != "" {
		b.WriteString("--" + p.Flag)
		if p.Origin != "" {
			fmt.Fprintf(&b, " (%s)", p.Origin)
		}
		b.WriteString(": ")
	} else if p.Origin != "" {
		b.WriteString(p.Origin + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		fmt.Fprintf(&b, " (%s)", p.Hint)
	}
	return b.String()
}

// Problems is everything wrong at once. As an error it is a usage error.
type Problems []Problem

// Error is one line for one problem, else a line each.
func (ps Problems) Error() string {
	if len(ps) == 1 {
		return ps[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d things are wrong:", len(ps))
	for _, p := range ps {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Err is the problems as an error, nil where there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}
