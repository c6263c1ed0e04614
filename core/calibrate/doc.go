// Package calibrate says how far this tool's times are from what happened: it
// joins what requests reported with what the server that answered them knows,
// by request id, and sums up the differences.
//
// # What is known, and how well
//
// The simulator notes the moments just before and just after each write. The
// bytes of a write cannot have arrived before the first and, over loopback, have
// arrived by the second, so that the two are the interval in which the truth
// lies. When a request was sent is known from the server's kernel, which stamped
// its first bytes as they came in; over loopback that happens inside the
// client's own system call. Where the kernel gave no stamp, the moment at which
// the server had read a first byte is an upper bound, and nothing is known from
// below.
//
// A time that is the difference of two moments lies in the interval that the two
// ends allow: TTFT in [before the first token's write − sent, after it − sent],
// the time between two tokens in [before the later − after the earlier, after
// the later − before the earlier]. The error of a reported time is how far it
// lies outside that interval; inside it there is nothing to be held against.
//
// The package measures nothing itself and reads no clock.
package calibrate
