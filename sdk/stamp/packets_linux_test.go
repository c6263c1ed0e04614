package stamp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// capturing opens a packet socket for some ports; where that is refused the test
// is skipped, and fails in CI.
func capturing(t *testing.T, first, last uint16) *os.File {
	t.Helper()
	socket, err := OpenPacketSocket(first, last)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("the clock packet is not tested: %v", err)
	default:
		t.Skipf("THE CLOCK PACKET IS NOT TESTED: %v", err)
	}
	t.Cleanup(func() { socket.Close() })
	return socket
}

// peerOf dials a listener of its own and returns both ends.
func peerOf(t *testing.T, dial func(address string) (net.Conn, error)) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = dial(listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}

// The ports must be among those from which the kernel takes local ones.
const testPortFirst, testPortLast = 42_000, 42_999

// listenOutside listens on a port that is none of the test's.
func listenOutside(t *testing.T, host string) net.Listener {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		if port := listener.Addr().(*net.TCPAddr).Port; port < testPortFirst || port > testPortLast {
			return listener
		}
	}
}

// dialFrom dials from some port of a range, without a packet clock.
func dialFrom(t *testing.T, first, last uint16) func(address string) (net.Conn, error) {
	t.Helper()
	d, err := NewDialer(Options{Clock: ClockUser, LocalPortFirst: first, LocalPortLast: last})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return func(address string) (net.Conn, error) {
		c, _, err := d.Dial(context.Background(), address)
		return c, err
	}
}

func dialerOf(t *testing.T, packets PacketClock) *Dialer {
	t.Helper()
	d, err := NewDialer(Options{Clock: ClockPacket, Packets: packets, LocalPortFirst: testPortFirst, LocalPortLast: testPortLast})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestRingOverflow: what found no room in the ring is timed by the socket, and
// the connection is back under the packet clock once TCP has acknowledged just
// what the ring has shown.
func TestRingOverflow(t *testing.T) {
	socket := capturing(t, testPortFirst, testPortLast)
	p, err := newPackets(int(socket.Fd()), testPortFirst, testPortLast, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := dialerOf(t, p)
	measured, server := peerOf(t, func(address string) (net.Conn, error) {
		c, _, err := d.Dial(context.Background(), address)
		return c, err
	})
	c := measured.(*Conn)
	noise, echo := peerOf(t, dialFrom(t, testPortFirst, testPortLast))
	if c.Clock() != ClockPacket {
		t.Fatalf("the connection has the clock %v", c.Clock())
	}
	exchange := func(meanwhile func()) (covered bool) {
		t.Helper()
		uncovered := c.Uncovered()
		before := Now()
		if _, err := io.WriteString(server, "token"); err != nil {
			t.Fatal(err)
		}
		after := Now()
		meanwhile()
		s, err := c.NextSpan()
		if err != nil {
			t.Fatal(err)
		}
		if s.Flags&^Waited == 0 && (s.At < before-Nanos(stepNoise) || s.At > after+Nanos(stepNoise)) {
			t.Errorf("silently wrong: %v after the write began, %v after it ended, flags %b", s.At.Sub(before), s.At.Sub(after), s.Flags)
		}
		if _, err := io.WriteString(c, "ok"); err != nil { // acknowledges too
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		return c.Uncovered() == uncovered
	}
	overflow := func() {
		t.Helper()
		b := []byte{0}
		for range 2 * framesPerBlock {
			for _, conn := range []net.Conn{noise, echo} {
				if _, err := conn.Write(b); err != nil {
					t.Fatal(err)
				}
			}
			for _, conn := range []net.Conn{echo, noise} {
				if _, err := conn.Read(b); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	nothing := func() {}
	for range 3 {
		if !exchange(nothing) {
			t.Fatal("not covered while there is room")
		}
		p.mu.Lock() // nobody drains the ring
		overflow()
		if exchange(p.mu.Unlock) {
			t.Error("covered by a ring that was full")
		}
		for n := 1; !exchange(nothing); n++ {
			if n == 50 {
				t.Fatal("never covered again")
			}
		}
	}
	p.mu.Lock()
	p.count()
	p.mu.Unlock()
	if p.Stats().Lost == 0 {
		t.Error("no packet was lost")
	}
}

// TestPacketSocketShowsHeadersOfItsPorts: nothing of a payload, and nothing of
// other connections, whatever the one who got the socket does.
func TestPacketSocketShowsHeadersOfItsPorts(t *testing.T) {
	const middle = (testPortFirst + testPortLast) / 2
	socket := capturing(t, testPortFirst, middle)
	fd := int(socket.Fd())
	r, err := mapRing(fd, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all}); err != nil {
		t.Fatal(err)
	}
	secret := []byte("SECRETSECRETSECRET")
	for _, host := range []string{"127.0.0.1", "::1"} {
		for _, dial := range []func(string) (net.Conn, error){dialFrom(t, testPortFirst, middle), dialFrom(t, middle+1, testPortLast)} {
			listener := listenOutside(t, host)
			conn, err := dial(listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			for _, end := range []net.Conn{conn, server} {
				if _, err := end.Write(secret); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	var p packet
	var s segment
	payloads := 0
	for ; r.next(&p); r.done() {
		if !s.parse(p.headers, p.length) {
			t.Errorf("passed and is no segment: %x", p.headers)
			continue
		}
		if ours := func(port uint16) bool { return port >= testPortFirst && port <= middle }; !ours(s.srcPort) && !ours(s.dstPort) {
			t.Errorf("passed with the ports %d and %d", s.srcPort, s.dstPort)
		}
		if s.payload == len(secret) {
			payloads++
		}
	}
	if payloads != 4 {
		t.Errorf("%d segments with a payload came, want one each way over IPv4 and IPv6", payloads)
	}
	if bytes.Contains(r.mem, secret[:6]) {
		t.Error("the ring has something of a payload")
	}

	open := []unix.SockFilter{{Code: 0x06, K: 0xffff}} // ret 65535
	program := unix.SockFprog{Len: 1, Filter: &open[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); !errors.Is(err, unix.EPERM) {
		t.Errorf("another filter: %v", err)
	}
	for name, option := range map[string]int{"SO_DETACH_FILTER": unix.SO_DETACH_FILTER, "SO_LOCK_FILTER": unix.SO_LOCK_FILTER} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPacketSocketIsRefused(t *testing.T) {
	if _, err := OpenPacketSocket(200, 100); err == nil || !strings.Contains(err.Error(), "200 to 100 are no range") {
		t.Error(err)
	}
	socket := capturing(t, testPortFirst, testPortLast)
	p, err := NewPackets(socket, testPortFirst, testPortLast)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewPackets(socket, testPortFirst, testPortLast); err == nil || !strings.Contains(err.Error(), "in use by another client") {
		t.Errorf("a second ring of one socket: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := NewPackets(socket, testPortFirst, testPortLast)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestConnectionOutlivesItsPackets: without the ring the socket goes on.
func TestConnectionOutlivesItsPackets(t *testing.T) {
	socket := capturing(t, testPortFirst, testPortLast)
	p, err := NewPackets(socket, testPortFirst, testPortLast)
	if err != nil {
		t.Fatal(err)
	}
	d := dialerOf(t, p)
	measured, server := peerOf(t, func(address string) (net.Conn, error) {
		c, _, err := d.Dial(context.Background(), address)
		return c, err
	})
	c := measured.(*Conn)
	for i, want := range []int{0, 1, 2} {
		before := Now()
		if _, err := io.WriteString(server, "token"); err != nil {
			t.Fatal(err)
		}
		s, err := c.NextSpan()
		if err != nil {
			t.Fatal(err)
		}
		if c.Uncovered() != want || s.At < before-Nanos(stepNoise) || s.At > s.Read {
			t.Errorf("read %d: %d runs not covered, stamp %v after the write, %v before the read", i, c.Uncovered(), s.At.Sub(before), s.Read.Sub(s.At))
		}
		if i == 0 {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Track(true)
	if _, err := io.WriteString(c, "ok"); err != nil {
		t.Fatal(err)
	}
	if at, by := c.Left(); by != ClockUnspecified {
		t.Errorf("left at %d by the clock %v", at, by)
	}
}

// TestFollow: a connection has the clock packet where its beginning was seen,
// once, and until it is closed.
func TestFollow(t *testing.T) {
	socket := capturing(t, testPortFirst, testPortLast)
	older, _ := peerOf(t, dialFrom(t, testPortFirst, testPortLast))
	p, err := NewPackets(socket, testPortFirst, testPortLast)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := dialerOf(t, p)
	conn, server := peerOf(t, func(address string) (net.Conn, error) {
		c, _, err := d.Dial(context.Background(), address)
		return c, err
	})
	if c := conn.(*Conn); c.Clock() != ClockPacket {
		t.Fatalf("clock %v", c.Clock())
	}
	follow := func(conn net.Conn) bool {
		_, ok := p.Follow(Flow{Local: addrPort(conn.LocalAddr()), Peer: addrPort(conn.RemoteAddr())})
		return ok
	}
	if follow(older) {
		t.Error("followed from before the capture")
	}
	if follow(conn) {
		t.Error("followed twice")
	}
	conn.Close()
	server.Close()
	if follow(conn) {
		t.Error("followed after its end")
	}
	seen, end := p.Stats().Packets, time.Now().Add(5*time.Second)
	if _, err := io.WriteString(older, "x"); err != nil {
		t.Fatal(err)
	}
	for ; p.Stats().Packets == seen; time.Sleep(drainEvery) {
		if time.Now().After(end) {
			t.Fatal("the ring is not drained while nobody asks")
		}
	}
}
