// Package table prints an experiment as text for a terminal: a row for each
// scenario and level, what failed and why, and what the reader must be warned
// of. It is a pure function of the experiment and the width.
package table
