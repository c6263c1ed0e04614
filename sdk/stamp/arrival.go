package stamp

import "time"

// Nanos is a moment on the host's CLOCK_MONOTONIC (elsewhere than Linux: the
// platform's monotonic clock) in nanoseconds. It is the one time base of the
// contract, shared by all processes of a host. 0 means "not known".
type Nanos int64

// Sub returns n − m.
func (n Nanos) Sub(m Nanos) time.Duration { return time.Duration(n - m) }

// Add returns n + d.
func (n Nanos) Add(d time.Duration) Nanos { return n + Nanos(d) }

// Clock says how an arrival was stamped, best first in value.
type Clock uint8

// The numbers are those of the wire (proto enum Clock).
const (
	ClockUnspecified Clock = iota
	ClockUser              // read from the monotonic clock right after the read
	ClockSocket            // the kernel's receive stamp of the socket (SO_TIMESTAMPNS)
	ClockPacket            // the packet ring: when the byte became deliverable in order
)

// String is the clock's name in flags and results.
func (c Clock) String() string {
	switch c {
	case ClockUser:
		return "user"
	case ClockSocket:
		return "socket"
	case ClockPacket:
		return "packet"
	}
	return "unspecified"
}

// MarshalText writes the name.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a name; an unknown one is ClockUnspecified.
func (c *Clock) UnmarshalText(text []byte) error {
	*c = ClockUnspecified
	for _, known := range []Clock{ClockUser, ClockSocket, ClockPacket} {
		if known.String() == string(text) {
			*c = known
		}
	}
	return nil
}

// Flags say why a stamp may be less exact than its clock promises.
type Flags uint16

// The bits are those of the wire.
const (
	// Bundled: several segments came with one read, whose stamp is the last
	// one's; the true time lies in (previous stamp, this stamp], and with
	// Ambiguous only the upper bound is known.
	Bundled Flags = 1 << iota
	// Waited: the byte had to wait for a retransmission of an earlier one, was
	// one itself, or came late because this host had no room for it.
	Waited
	// Coalesced: the network device handed over several segments as one (GRO).
	Coalesced
	// Ambiguous: which segment carried the byte cannot be told.
	Ambiguous
	// AroundStep: the wall clock was stepped near this stamp.
	AroundStep
	// FellBack: this stamp is from a worse clock than the record says.
	FellBack
)

// flagNames are in the order of the bits.
var flagNames = [...]string{"bundled", "waited", "coalesced", "ambiguous", "around-step", "fell-back"}

// String names the flags, joined by commas; "" where there is none.
func (f Flags) String() string {
	text := ""
	for i, name := range flagNames {
		switch {
		case f&(1<<i) == 0:
		case text == "":
			text = name
		default:
			text += "," + name
		}
	}
	return text
}

// Arrival is when bytes got to this host, and when this program got to them.
type Arrival struct {
	At    Nanos // the bytes were deliverable in order
	Read  Nanos // user space had them; Read − At is the read lag
	Flags Flags
}

// Connect tells how the connection of a request came to be. The durations are
// 0 where Reused is set or the step did not happen.
type Connect struct {
	Reused bool
	DNS    time.Duration
	TCP    time.Duration
	TLS    time.Duration
}

// Exchange is everything that the transport knows about one request and its
// answer. Times that are not known are 0.
type Exchange struct {
	Queued  time.Duration // waited for something of the plugin's own (a pool, a token)
	Connect Connect
	// SendStart is when the request's first byte left the host, where that is
	// known, else when it was about to be handed to the kernel: between the two
	// the sender's thread may have lost its processor.
	SendStart Nanos
	Handed    Nanos // just before the write that held its last byte, and not before SendStart
	Left      Nanos // the last byte left the host, where the kernel tells
	Acked     Nanos // the peer's TCP acknowledged it, where known
	Headers   Nanos // arrival of the last byte of the response's head
	LastByte  Nanos // arrival of the last byte of the response
	ReadEnd   Nanos // user space had the last byte

	HeadersFlags  Flags // of Headers
	LastByteFlags Flags // of LastByte

	Clock   Clock // of all the arrivals; some may have been stamped by a better one
	TxClock Clock // of Left; ClockUnspecified: Left is not known

	BytesSent     int64 // request head and body, before TLS
	BytesReceived int64 // response head and body, before TLS

	RTT         time.Duration // the kernel's smoothed round-trip time; 0: not told
	Retransmits int32         // segments this host sent again on this connection during the exchange; -1: not told
	Peer        string        // address of the peer as connected (a proxy's, where there is one)
}

// Span is a run of bytes of one stream that became deliverable at the same
// moment.
type Span struct {
	// Bytes are valid until the next call of NextSpan.
	Bytes []byte
	Arrival
}

// SpanReader hands out a byte stream in spans. Handing out spans instead of
// filling the caller's buffer is what keeps each byte together with its stamp.
type SpanReader interface {
	// NextSpan returns the next run of at least one byte, or an error and no
	// bytes; io.EOF is the stream's regular end.
	NextSpan() (Span, error)
}
