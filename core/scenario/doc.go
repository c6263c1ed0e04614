// Package scenario is the grammar of --traffic-scenario: how large requests
// and answers are.
//
//	D(input,output)                  constant, in tokens
//	N(mean,stddev)/(mean,stddev)     normal: input / output
//	U(min,max)/(min,max)             uniform: input / output
//	U(max_input,max_output)          uniform from 1
//	E(tokens)                        embeddings: tokens a document
//	R(document,query)                rerank: tokens a document, tokens of the query
//	I(width,height)                  images: pixels, one image
//	I(width,height,images)           images: so many
//	A(characters)                    speech: characters of the text
//	P(prefix,suffix)/output          D(prefix+suffix,output) with a shared prefix
//	dataset                          rows of the dataset as they are
//
// Digits are ASCII, there are no spaces, and case matters.
//
// # Sizes
//
// Sizes are pure functions of the seed, the scenario and the request's index;
// they do not depend on the run, so that the levels of an experiment are
// compared on the same sizes. Input and output are drawn independently, each
// at least 1:
//
//   - N: the normal distribution, rounded to the nearest whole number (halves
//     away from zero), truncated below 1 by drawing again. Truncation moves the
//     mean up a little where the mean is less than three standard deviations:
//     N(480,240) has a mean of 493.
//   - U: every whole number from min to max, both included, is equally likely.
package scenario
