package stamp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptrace"
	"syscall"
	"time"
)

// Options configure a Dialer.
type Options struct {
	Clock Clock // from Select
	// Packets is asked by ClockPacket. Where it is nil the Dialer makes its own
	// of the socket that the process has inherited, or opens one.
	Packets PacketClock
	// LocalPortFirst and LocalPortLast bound the local ports, inclusive, where
	// the kernel can (Linux 6.3); zeros: any.
	LocalPortFirst, LocalPortLast uint16
}

// Dialer opens stamped connections. It is safe for concurrent use.
type Dialer struct {
	clock   Clock
	tie     *wallTie
	packets PacketClock
	net     net.Dialer
	own     io.Closer // packets, where the Dialer opened them
	release func()
}

// NewDialer makes a Dialer. Close it to give back what it holds.
func NewDialer(o Options) (*Dialer, error) {
	d := &Dialer{clock: o.Clock}
	if o.LocalPortLast < o.LocalPortFirst {
		return nil, fmt.Errorf("stamp: local ports %d to %d are no range", o.LocalPortFirst, o.LocalPortLast)
	}
	if o.Clock >= ClockSocket {
		release, err := keepStamping()
		if err != nil {
			return nil, fmt.Errorf("stamp: the kernel gives no receive stamps: %w", err)
		}
		d.release = release
		d.tie = newWallTie()
		d.tie.listen()
	}
	switch {
	case o.Clock != ClockPacket:
	case o.Packets != nil:
		d.packets = o.Packets
	default:
		packets, err := openPackets(o.LocalPortFirst, o.LocalPortLast)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("stamp: no packets: %w", err)
		}
		d.packets, d.own = packets, packets
	}
	d.net.Control = func(_, _ string, raw syscall.RawConn) error {
		return beforeConnect(raw, o)
	}
	return d, nil
}

// Close gives back what the Dialer holds; its connections live on, those of
// ClockPacket with what the kernel stamps.
func (d *Dialer) Close() {
	if d.own != nil {
		_ = d.own.Close() // unmapping what was mapped
		d.own = nil
	}
	if d.tie != nil {
		d.tie.close()
	}
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// Times tell how long the steps of a dial took.
type Times struct{ DNS, TCP time.Duration }

// Dial connects to HOST:PORT over TCP. The times are filled as far as the dial
// came, on failure too.
func (d *Dialer) Dial(ctx context.Context, address string) (*Conn, Times, error) {
	var lookup, lookedUp time.Time
	start := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { lookup = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { lookedUp = time.Now() },
	})
	conn, err := d.net.DialContext(ctx, "tcp", address)
	var times Times
	total := time.Since(start)
	if !lookedUp.IsZero() {
		times.DNS = lookedUp.Sub(lookup)
	}
	times.TCP = total - times.DNS
	if err != nil {
		return nil, times, err
	}
	c, err := newConn(conn.(*net.TCPConn), d)
	if err != nil {
		return nil, times, fmt.Errorf("prepare the connection to %s: %w", address, err)
	}
	return c, times, nil
}
