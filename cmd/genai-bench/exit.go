package main

import (
	"errors"
	"fmt"

	"github.com/genai-bench/genai-bench/core/settings"
)

// The exit codes; docs and --help show this table.
const (
	exitOK          = 0
	exitFailure     = 1   // before or beside the run; also a preflight that found no server, a bad key, no such model
	exitUsage       = 2   // the command line, the environment or a configuration file
	exitUntrusted   = 3   // results not to be trusted (only with --strict)
	exitAllFailed   = 4   // every request failed
	exitThreshold   = 5   // a threshold was not met
	exitPlugin      = 6   // a plugin failed
	exitUpload      = 7   // results are saved, but were not uploaded
	exitInterrupted = 130 // interrupted; what was measured is saved
)

const exitTable = `Exit codes:
  0    all went well
  1    failure before or beside the run; a preflight that found no server, a bad key, no such model
  2    wrong usage: command line, environment or configuration file
  3    results not to be trusted, only with --strict
  4    every request failed
  6    a plugin failed
  130  interrupted; what was measured is saved`

// coded is an error that ends the program with a certain code.
type coded struct {
	code int
	err  error
}

func (c coded) Error() string { return c.err.Error() }
func (c coded) Unwrap() error { return c.err }

func withCode(code int, format string, args ...any) error {
	return coded{code, fmt.Errorf(format, args...)}
}

// exitCode is the code of an error: its own, that of usage for problems of
// settings, else that of a failure.
func exitCode(err error) int {
	var c coded
	var problems settings.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &c):
		return c.code
	case errors.As(err, &problems):
		return exitUsage
	}
	return exitFailure
}
