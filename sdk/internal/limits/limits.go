// Package limits holds every bound of the contract between host and plugin,
// one constant each, with its reason. Both sides use the same.
package limits

import "time"

const (
	// MessageBytes bounds one gRPC message in either direction. gRPC's own
	// default is 4 MiB for what a server receives, which one photograph in a
	// vision request exceeds; a plugin that sends more than 64 MiB in one
	// message is broken, and the host must not let it take all memory.
	MessageBytes = 64 << 20

	// MessageSlack is what a message may need besides its texts and images:
	// field tags, lengths, headers. Requests are refused at MessageBytes less
	// this, by a cheap sum instead of a second pass of the encoder.
	MessageSlack = 1 << 20

	// StreamWindowBytes is the flow-control window of a stream and of the
	// connection. gRPC's default of 64 KiB makes a 5 MiB image wait for eighty
	// round trips of window updates between two processes of one machine.
	StreamWindowBytes = 4 << 20

	// EventsPerOutcome bounds what the host unpacks. An answer of a million
	// events is longer than any model's context.
	EventsPerOutcome = 1 << 20

	// ChoicesPerOutcome bounds the choices of one answer.
	ChoicesPerOutcome = 1 << 10
)

// Deadlines of the host's waits on a plugin.
const (
	// Start is the time from exec to a connection. A Go plugin needs some
	// 10 ms; one in Python that imports a cloud SDK needs seconds.
	Start = 10 * time.Second

	// Describe makes no network call; it is behind `--help`.
	Describe = 5 * time.Second

	// Open makes no network call, but may read credential files, also from a
	// network home.
	Open = 30 * time.Second

	// Probe makes the first network call, name look-up and TLS included, to a
	// provider that may be on another continent and cold.
	Probe = 60 * time.Second

	// Close frees connections.
	Close = 10 * time.Second

	// Health answers from memory.
	Health = 5 * time.Second

	// StopGrace is how long a plugin has to exit once it was told to stop,
	// until its process group is killed.
	StopGrace = 3 * time.Second

	// PipeDrain is how long the host still reads the output of a process that
	// is gone: a grandchild may hold the pipes open for ever.
	PipeDrain = 250 * time.Millisecond

	// AnswerGrace is how long after its timeout a request may stay unanswered
	// until the host records it as the plugin's failure.
	AnswerGrace = 5 * time.Second

	// DrainGrace is how long after the drain deadline the plugin may take to
	// close the stream.
	DrainGrace = 5 * time.Second

	// ProgressInterval is the shortest time between two Progress messages: the
	// live view redraws ten times a second at most.
	ProgressInterval = 100 * time.Millisecond
)

// Bounds of what a plugin prints.
const (
	// HandshakeLineBytes bounds the first line on stdout; with a certificate
	// it has about 1 KiB.
	HandshakeLineBytes = 16 << 10

	// DescriptionBytes bounds what `PLUGIN describe` may print.
	DescriptionBytes = 4 << 20

	// LogLineBytes bounds a line of the log; the rest of a longer one is
	// dropped.
	LogLineBytes = 64 << 10

	// LogLinesPerSecond is what a plugin may log steadily, and LogLinesBurst
	// at once; more is counted and dropped. Logging must not cost the run its
	// punctuality, nor fill the disk.
	LogLinesPerSecond = 200
	LogLinesBurst     = 2000
)
