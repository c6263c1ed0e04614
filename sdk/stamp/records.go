package stamp

import (
	"encoding/binary"
	"net"
)

// recordHeaderBytes is the size of what precedes a TLS record: its type, a
// version and the length of what follows in two bytes (RFC 8446, § 5.1).
const recordHeaderBytes = 5

// records is a connection whose Read never returns bytes of two TLS records.
type records struct {
	net.Conn
	header [recordHeaderBytes]byte
	have   int // bytes of the header in hand
	left   int // bytes of the record that are still to be read
}

// OneRecordAtATime returns the connection that crypto/tls should be given. It
// reads ahead as far as it is let, and where what comes next is an alert it
// waits for the whole of it before it hands out the text in front, which then
// would have the alert's arrival.
func OneRecordAtATime(conn net.Conn) net.Conn { return &records{Conn: conn} }

// Read implements net.Conn.
func (r *records) Read(p []byte) (int, error) {
	limit := r.left
	if limit == 0 {
		limit = recordHeaderBytes - r.have
	}
	n, err := r.Conn.Read(p[:min(limit, len(p))])
	if r.left > 0 {
		r.left -= n
		return n, err
	}
	copy(r.header[r.have:], p[:n])
	if r.have += n; r.have == recordHeaderBytes {
		r.have, r.left = 0, int(binary.BigEndian.Uint16(r.header[3:]))
	}
	return n, err
}
