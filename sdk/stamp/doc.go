// Package stamp provides network connections that remember when bytes arrived
// at the host, whoever reads them later and however late.
//
// The unit of truth is the arrival of bytes, not the moment a goroutine got
// round to reading them. A stamp belongs to an offset of the byte stream and
// travels with its bytes through TLS, HTTP and the event-stream reader to the
// event that they complete: whoever hands bytes on hands them on as a Span,
// whose bytes have one Arrival.
//
// # The socket clock
//
// On Linux every read is a recvmsg with SO_TIMESTAMPNS, and needs no
// privilege. The kernel merges segments that wait to be read and keeps the
// stamp of the last one, so that TCP_INFO is asked after each read: one new
// segment means that the stamp is exact; several mean the flag Bundled, and
// that the true time lies after the previous stamp and not after this one. The
// end of the stream counts as a segment: its stamp replaces that of the last
// bytes where these still wait.
// Where segments came out of order, an earlier one may have been lost, and the
// kernel's stamp of the later ones is older than the moment at which they
// became deliverable: such bytes carry the time of the read and the flag
// Waited, until a segment comes that arrived after the disorder was noticed.
//
// Kernel stamps are wall clock. They are converted with one measurement of
// REALTIME − MONOTONIC, which every read checks; around a step of the wall
// clock the flag is AroundStep.
//
// # The packet clock
//
// A Packets reads a ring of captured headers (TPACKET_V2, both directions, all
// interfaces) of TCP connections from a range of local ports. A byte's time is
// when it became deliverable in order: the stamp of its segment, or of the one
// that filled the last hole before it. What TCP took is told by this host's own
// acknowledgements. Of a byte that was seen more than once, the copy counts
// that came first unless an acknowledgement without it followed (Waited); a
// selective acknowledgement of a repetition, or the kernel's stamp of the read,
// settles it; where neither does, the last copy's stamp is an upper bound
// (Ambiguous). What a network card merged is flagged Coalesced.
//
// A connection has this clock only if its SYN-ACK was captured; a run of bytes
// that was not (IP fragments, IPv6 extension headers, a full ring) has the
// stamp of the socket, Conn.Uncovered counts it, and its record says socket.
// After a loss in the ring (PACKET_STATISTICS, TP_STATUS_LOSING) nothing is
// covered until this host has acknowledged just what was captured.
//
// A late reader moves nothing, until the ring is full (87,296 packets, drained
// every 50 ms) or the receive window is shut, which is seen and flagged Waited.
// SO_RCVBUF is left alone: it would give a stopped reader more time, and turn
// off the kernel's own growing of the buffer for as long as the connection
// lives, which a large answer from far away needs more.
//
// Whoever opens the socket (OpenPacketSocket) needs CAP_NET_RAW; whoever
// inherits it needs nothing, and cannot change its filter.
//
// # Sending
//
// When the last byte of a message left is asked of the kernel with
// SO_TIMESTAMPING (TX_SOFTWARE, by control message for that write alone) and
// read from the socket's error queue. Nobody waits for it. Whether the peer
// acknowledged it is not asked for: that report would wake the reader once more
// for each request. The ring shows both, and the first byte's leaving too,
// which under the clock socket is known of messages of one segment.
//
// # TLS
//
// A Layer makes spans of what crypto/tls delivers. A record is deliverable with
// its last byte, so its plaintext has the arrival of the read below that
// completed it; Conn.Read never joins two arrivals to make that knowable, and
// OneRecordAtATime keeps crypto/tls from waiting for more than the record.
//
// # The user clock and other platforms
//
// ClockUser is the monotonic clock right after the read. It is all there is
// elsewhere than on Linux. A PacketClock, where a Dialer is given one, is asked
// before either.
package stamp
