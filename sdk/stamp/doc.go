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
// # Sending
//
// When the last byte of a message left is asked of the kernel with
// SO_TIMESTAMPING (TX_SOFTWARE, by control message for that write alone) and
// read from the socket's error queue. Nobody waits for it. Whether the peer
// acknowledged it is not found out: that report would wake the reader once more
// for each request.
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
