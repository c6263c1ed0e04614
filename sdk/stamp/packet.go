package stamp

import "net/netip"

// Flow is a TCP connection as packets name it.
type Flow struct{ Local, Peer netip.AddrPort }

// PacketClock answers from captured packets when bytes of connections became
// deliverable in order. A Dialer that is given one asks it for everything that
// its connections read, and falls back to the kernel's receive stamps for what
// it does not cover. It is called concurrently.
type PacketClock interface {
	// Follow is called for each connection once it is established. ok is false
	// where its beginning was not captured; nothing more is asked then.
	Follow(flow Flow) (f PacketFlow, ok bool)
}

// PacketFlow is one connection of a PacketClock. Offsets count the bytes of one
// direction from 0. Its methods are safe for concurrent use.
type PacketFlow interface {
	// Plain tells whether Run will answer for offset whatever the kernel's stamp
	// of its read is. Nobody has found that out then: it takes a system call.
	Plain(offset int64, read Nanos) bool
	// Run tells of the stream that the peer sends how many of the size bytes
	// from offset on became deliverable together with the one at offset, and
	// when. kernel is the arrival that the kernel tells of the read of all size
	// bytes: the stamp of the last of its segments, or a worse one. Where ok is
	// false the capture does not cover n bytes. Where Plain said so it is Read
	// alone that is known of kernel. Offsets never go back: what lies
	// before them is forgotten.
	Run(offset int64, size int, kernel Arrival) (n int, at Nanos, flags Flags, ok bool)
	// Left tells when the byte at offset of the stream that this host sends
	// was first seen to leave.
	Left(offset int64) (at Nanos, ok bool)
	// Acked tells when the peer's TCP first acknowledged that byte.
	Acked(offset int64) (at Nanos, ok bool)
	// Forget is called when the connection was closed.
	Forget()
}
