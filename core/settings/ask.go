package settings

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// ErrNoAnswer is the end of input before a question was answered.
var ErrNoAnswer = errors.New("input ended before the question was answered")

// Question asks for the value of one flag.
type Question struct {
	Flag     string
	Text     string // "Api base"
	Choices  []string
	Optional bool // an empty answer leaves the flag unset
}

// Ask puts the questions on a terminal, one line each. An answer that the flag
// refuses is asked for again, with the reason.
func Ask(in *bufio.Reader, out io.Writer, flags *pflag.FlagSet, questions []Question) error {
	for _, q := range questions {
		prompt := q.Text
		if len(q.Choices) > 0 {
			prompt += " (" + strings.Join(q.Choices, ", ") + ")"
		}
		if q.Optional {
			prompt += " [none]"
		}
		for {
			fmt.Fprintf(out, "%s: ", prompt)
			line, err := in.ReadString('\n')
			answer := strings.TrimSpace(line)
			if answer == "" && q.Optional && err == nil {
				break
			}
			if answer != "" {
				setErr := flags.Set(q.Flag, answer)
				if setErr == nil {
					break
				}
				fmt.Fprintf(out, "  %s\n", plainSetError(setErr))
			}
			if err != nil {
				fmt.Fprintln(out)
				return fmt.Errorf("--%s: %w", q.Flag, ErrNoAnswer)
			}
		}
	}
	return nil
}
