// Package hostile is a network that does to a client what no test over loopback
// can: a TCP peer of our own at the far end of a TUN device, which loses,
// reorders, repeats, damages and delays segments as a script says, and knows to
// the microsecond when each was put into the kernel.
//
// The kernel under test is the real one. Only the peer is ours: it answers a
// SYN, numbers its bytes, acknowledges what comes and sends what the script
// tells it, when it tells it. A write to the TUN device returns after the
// kernel's TCP has dealt with the segment, so that the moments before and after
// that write are an interval of truth (Interval) for every byte that the segment made
// deliverable. A busy machine makes intervals longer and no test wrong.
//
// Tests run in a network namespace of their own (Main), so that neither the
// machine nor other tests notice.
package hostile
