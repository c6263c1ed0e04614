// Package settings turns what the user said into what a run needs: command-line
// flags, environment variables and a configuration file, in that precedence,
// with the flags that the chosen plugin declares among them.
//
// The order in which flags are typed never matters, because nothing is
// validated before everything is parsed, and every mistake is reported, not
// the first. What is required and missing is asked for on a terminal.
package settings
