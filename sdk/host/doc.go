// Package host runs plugins: it launches their processes, talks to them over
// the contract, and gets rid of them. Core and the conformance suites use it.
//
// A plugin is somebody else's program, so nothing here waits for it without a
// deadline, believes what it prints, or lets it outlive the host:
//
//   - The process gets an allow-list of the environment, no secret in its
//     environment or arguments, and a pipe on stdin that is its lease: the
//     kernel closes it when the host dies, however it dies.
//   - Its log is read by this package (a bounded line at a time, at a bounded
//     rate, with secrets blotted out), never by go-plugin, whose parser panics
//     on unexpected JSON.
//   - It has a process group of its own, and whatever is left of the group is
//     killed when the plugin ends.
//   - Starting, describing, opening, probing, draining, closing and killing are
//     bounded by the contract's deadlines.
//   - Every request that was started has exactly one outcome, also when the
//     plugin crashes, hangs, or never answers.
//
// The same Runner runs a plugin's process (Launch), a backend behind an
// in-memory connection (InProcess), and a backend without any (Direct).
package host
