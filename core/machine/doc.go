// Package machine watches what a run costs the machine that measures: the CPU
// time of this process and of the plugins', how busy all CPUs were, and the most
// memory that this process had. A client that is short of CPU measures itself.
//
// What a system does not tell is NaN: without /proc, all but this process's own
// time.
package machine
