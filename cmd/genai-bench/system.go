package main

import (
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// system is everything of the operating system that commands use, so that
// tests can stand in for it and so that no command reaches for globals.
type system struct {
	args    []string // without the program's name
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	// Whether each is a terminal: questions need a terminal to answer at, the
	// status line one to be drawn on, grey one to be shown on.
	stdinTerminal  bool
	stdoutTerminal bool
	stderrTerminal bool
	width          func() int // columns of the terminal; 0: not known

	executable string
	home       string
	cacheDir   string // "": nowhere to keep one
}

func thisSystem() system {
	s := system{
		args:           os.Args[1:],
		environ:        os.Environ(),
		stdin:          os.Stdin,
		stdout:         os.Stdout,
		stderr:         os.Stderr,
		stdinTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		stdoutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		stderrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		width: func() int {
			columns, _, err := term.GetSize(int(os.Stderr.Fd()))
			if err != nil {
				return 0
			}
			return columns
		},
	}
	// Each of these may be unknown (no HOME, a deleted binary); what needs it
	// then does without, and says so where it matters.
	s.executable, _ = os.Executable()
	s.home, _ = os.UserHomeDir()
	if dir, err := os.UserCacheDir(); err == nil {
		s.cacheDir = filepath.Join(dir, "genai-bench")
	}
	return s
}

// getenv looks a variable up in the environment that the program was given.
func (s system) getenv(name string) string {
	value, _ := s.lookupEnv(name)
	return value
}

func (s system) lookupEnv(name string) (string, bool) {
	// The last of several wins, as in a shell.
	for i := len(s.environ) - 1; i >= 0; i-- {
		if e := s.environ[i]; len(e) > len(name) && e[len(name)] == '=' && e[:len(name)] == name {
			return e[len(name)+1:], true
		}
	}
	return "", false
}
