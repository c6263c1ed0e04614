package stamp

import "net/netip"

// Flow is a TCP connection as packets name it.
type Flow struct{ Local, Peer netip.AddrPort }

// PacketClock answers from captured packets when bytes of a connection became
// deliverable in order. A Dialer that is given one asks it for everything that
// its connections read, and falls back to the kernel's receive stamps, flagged
// FellBack, for what it does not cover. It is called concurrently for
// different flows, and by one goroutine at a time for each.
type PacketClock interface {
	// Run tells of the stream that the peer sends, whose first byte has offset
	// 0: how many of the size bytes from offset on became deliverable together
	// with the one at offset, and when. ok is false where the capture does not
	// cover that byte.
	Run(flow Flow, offset int64, size int) (n int, at Nanos, flags Flags, ok bool)
	// Left tells when the byte at offset of the stream that this host sends
	// was first seen to leave.
	Left(flow Flow, offset int64) (at Nanos, ok bool)
	// Forget is called when the connection was closed.
	Forget(flow Flow)
}
