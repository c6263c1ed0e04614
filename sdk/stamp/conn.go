package stamp

import (
	"net"
	"net/netip"
	"time"
)

// A connection's read buffer starts small, because thousands of connections
// stream small events, and grows while reads fill it.
const (
	readBufferFirst = 4 << 10
	readBufferMax   = 64 << 10
)

// Conn is a TCP connection that stamps what it receives and what it sends. It
// reads and writes by one goroutine each; Close and the deadlines may be
// called from any.
type Conn struct {
	tcp     *net.TCPConn
	clock   Clock
	tie     *wallTie   // nil for ClockUser
	packets PacketFlow // nil: not ClockPacket
	// uncovered counts the runs of bytes that packets did not cover.
	uncovered int

	buf  []byte
	rest []byte // read and not yet part of current
	span Span   // what is left of the current run
	last Arrival
	read Arrival // of the bytes in rest

	offset  int64 // of the first byte of rest in the stream
	written int64
	first   int64 // offset of the first byte of the message in hand
	tracked int64 // offset of the byte whose leaving is asked for; −1: none
	sent    Nanos // just before the last write
	track   bool
	host    hostState
}

func newConn(tcp *net.TCPConn, d *Dialer) (*Conn, error) {
	c := &Conn{tcp: tcp, clock: d.clock, tie: d.tie, tracked: -1}
	if d.packets != nil {
		flow := Flow{Local: addrPort(tcp.LocalAddr()), Peer: addrPort(tcp.RemoteAddr())}
		var ok bool
		if c.packets, ok = d.packets.Follow(flow); !ok {
			c.packets, c.clock = nil, ClockSocket
		}
	}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	return c, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Clock is the clock of this connection's arrivals: the Dialer's, or
// ClockSocket where the connection's beginning escaped the capture.
func (c *Conn) Clock() Clock { return c.clock }

// Uncovered counts the runs of bytes so far whose arrivals escaped the clock
// packet and are as ClockSocket has them. All that was read while it stands
// still is covered.
func (c *Conn) Uncovered() int { return c.uncovered }

// Last is the arrival of the bytes that the last Read or NextSpan returned. A
// layer above that reads ahead (TLS) completes each of its records with the
// last Read it made.
func (c *Conn) Last() Arrival { return c.last }

// Sent is the moment just before the last write to the kernel.
func (c *Conn) Sent() Nanos { return c.sent }

// advance makes the current span non-empty.
func (c *Conn) advance() error {
	if len(c.span.Bytes) > 0 {
		return nil
	}
	if len(c.rest) == 0 {
		if err := c.fill(); err != nil {
			return err
		}
	}
	n, at := len(c.rest), c.read
	if c.packets != nil {
		if !c.packets.Plain(c.offset, at.Read) {
			at = c.uncover()
		}
		run, arrived, flags, ok := c.packets.Run(c.offset, n, at)
		if ok {
			at.At, at.Flags = min(arrived, at.Read), flags
		} else {
			c.uncovered++
		}
		n = run
		n = min(max(n, 1), len(c.rest))
	}
	c.span = Span{Bytes: c.rest[:n:n], Arrival: at}
	c.rest = c.rest[n:]
	c.offset += int64(n)
	return nil
}

// room returns the buffer to be read into.
func (c *Conn) room() []byte {
	if c.buf == nil {
		c.buf = make([]byte, readBufferFirst)
	}
	return c.buf
}

// took notes a read of n bytes into the buffer that room returned.
func (c *Conn) took(n int, at Arrival) {
	c.rest, c.read = c.buf[:n], at
	if n == len(c.buf) && n < readBufferMax {
		c.buf = make([]byte, 4*len(c.buf)) // rest keeps the old one
	}
}

// NextSpan implements SpanReader without copying.
func (c *Conn) NextSpan() (Span, error) {
	if err := c.advance(); err != nil {
		return Span{}, err
	}
	s := c.span
	c.span.Bytes = nil
	c.last = s.Arrival
	return s, nil
}

// Read implements net.Conn. It never returns bytes of two arrivals.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := c.advance(); err != nil {
		return 0, err
	}
	n := copy(p, c.span.Bytes)
	c.span.Bytes = c.span.Bytes[n:]
	c.last = c.span.Arrival
	return n, nil
}

// Buffered tells how many bytes were received and not yet read from the Conn.
func (c *Conn) Buffered() int { return len(c.span.Bytes) + len(c.rest) }

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	before := c.written
	err := c.send(p, nil)
	return int(c.written - before), err
}

// Send writes the bytes of a and then of b, together where the kernel takes
// them. Both are left as they are.
func (c *Conn) Send(a, b []byte) error { return c.send(a, b) }

// Track asks, where on is true, that the leaving of the last byte of the
// writes that follow be found out; Left answers. It costs a system call per
// write, so it is for the last write of a message.
func (c *Conn) Track(on bool) {
	c.track = on
	if on {
		c.tracked = -1
		c.forgetLeft()
	}
}

// Left tells when the last byte written under Track left the host. The clock
// says who knows it; ClockUnspecified: nobody.
func (c *Conn) Left() (Nanos, Clock) {
	if c.tracked < 0 {
		return 0, ClockUnspecified
	}
	if c.packets != nil {
		if at, ok := c.packets.Left(c.tracked); ok {
			return at, ClockPacket
		}
	}
	if at := c.left(); at != 0 {
		return at, ClockSocket
	}
	return 0, ClockUnspecified
}

// Begin says that the next byte written is the first of a message.
func (c *Conn) Begin() { c.first = c.written }

// FirstLeft tells when the first byte of the message in hand left the host; 0:
// not known. ClockPacket knows while few segments have left since, and
// ClockSocket what Left tells where the message went in one segment.
func (c *Conn) FirstLeft() Nanos {
	if c.packets != nil {
		at, _ := c.packets.Left(c.first)
		return at
	}
	if c.tracked < 0 || c.tracked-c.first >= c.segmentMax() {
		return 0
	}
	at, _ := c.Left()
	return at
}

// Acked tells when the peer's TCP acknowledged that byte; 0: not known. Only
// ClockPacket knows.
func (c *Conn) Acked() Nanos {
	if c.tracked < 0 || c.packets == nil {
		return 0
	}
	at, _ := c.packets.Acked(c.tracked)
	return at
}

// Stats is what the kernel tells of a connection.
type Stats struct {
	Known         bool
	RTT           time.Duration // smoothed
	Retransmitted uint32        // segments sent again since the connection began
}

// Stats asks the kernel; as of the last read where that has asked already.
func (c *Conn) Stats() Stats { return c.stats() }

// Quiet returns nil where the peer has neither sent anything that was not read
// nor closed the connection, so that a request may be sent on it. It does not
// wait. Where the platform cannot tell it returns nil.
func (c *Conn) Quiet() error { return c.quiet() }

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.tcp.Close()
	if c.packets != nil {
		c.packets.Forget()
	}
	return err
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.tcp.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.tcp.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.tcp.SetWriteDeadline(t) }

var (
	_ net.Conn   = (*Conn)(nil)
	_ SpanReader = (*Conn)(nil)
)
