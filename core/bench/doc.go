// Package bench runs experiments: it turns settings into a plan, wires the
// other rooms of core together and drives the matrix of scenarios and levels.
// It is the one package that knows them all.
package bench
