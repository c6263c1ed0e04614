// Package prompt turns sizes, a dataset and a tokenizer into requests.
//
// # Exact sizes
//
// A prompt of n tokens has exactly n as the tokenizer counts it, special
// tokens and chat template not included; every prompt is counted whole before
// it is handed out. What cannot be made exact is an error, never a prompt of
// another size.
//
// Counting is cheap because lines of text are additive: what a line adds to a
// text after a line break does not depend, for almost all tokenizers, on what
// stands before. A Corpus counts every line once; a prompt is a sum of known
// counts whose last line is chosen to fit, and one count of the whole proves
// it. Where a tokenizer merges across the borders after all, the end of the
// prompt is mended with words of one token and counted again.
//
// # Unlike prompts
//
// A prompt begins with a few words that no other prompt of the run begins
// with (as far as its size has room for them), so that a server's prefix cache
// finds nothing to reuse, except the prefix that was asked for: that one is
// the same bytes and the same tokens in all prompts of a scenario, and a part
// of its own always follows.
//
// # Reproducible
//
// Request i of a Source is a pure function of seed, run and i, whoever asks
// for it and in whatever order. Sizes depend on seed, scenario and i alone, so
// that the runs of an experiment compare like with like; texts depend on the
// run too, so that a run never finds the one before in the server's cache.
//
// Ahead makes the requests before they are needed, within bounds of memory.
package prompt
