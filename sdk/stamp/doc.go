// Package stamp provides network connections that remember when bytes arrived
// at the host, whoever reads them later and however late.
//
// The unit of truth is the arrival of bytes, not the moment a goroutine got
// round to reading them. A stamp belongs to an offset of the byte stream and
// travels with its bytes through TLS, HTTP and the event-stream reader to the
// event that they complete.
package stamp
