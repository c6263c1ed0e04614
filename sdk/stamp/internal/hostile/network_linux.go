package hostile

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Network is the far end of the device: every address there that the client
// may dial. It is safe for concurrent use.
type Network struct {
	device  *os.File
	link    *link      // nil: packets have no link header
	far4    netip.Addr // the peer's
	raw     syscall.RawConn
	reading sync.WaitGroup

	mu        sync.Mutex // taken after a connection's, never before
	listeners map[uint16]*listener
	conns     map[flow]*Conn
	nextPort  uint16
	datagram  atomic.Uint32 // number of the last one in fragments
}

// flow names a connection from the peer's side.
type flow struct{ peer, client netip.AddrPort }

type listener struct {
	how         Listen
	connections int
	serving     sync.WaitGroup
}

// Listen says how the peer answers connections to a port.
type Listen struct {
	// Serve is called for each connection, in a goroutine of its own, as soon
	// as its SYN was answered. The peer ends its stream when it returns.
	Serve func(*Conn)
	// FirstSeq is the number of the peer's SYN: that of its first byte less one.
	FirstSeq func(connection int) uint32
	// WindowBytes is what the peer lets the client send ahead; 0: 1 MiB.
	WindowBytes int
	// Selective lets the client acknowledge selectively, and tell of repetitions.
	Selective bool
	// Before, where set, is called with the connection before its SYN is answered.
	Before func(*Conn)
}

// Open makes the device. Where that is not allowed the test is skipped, loudly,
// and fails under CI=true. There is one Network at a time.
func Open(t testing.TB) *Network {
	t.Helper()
	if !Inside() {
		missing(t, "no network namespace of its own (needs root or CAP_SYS_ADMIN, or user namespaces)")
	}
	device, err := openTUN()
	if err != nil {
		missing(t, "no TUN device: "+err.Error())
	}
	return open(t, &Network{device: device, far4: far4})
}

// OpenBridged is as Open, for IPv4, and the kernel's end is a bridge with the
// device as its port: two devices show each packet.
func OpenBridged(t testing.TB) *Network {
	t.Helper()
	if !Inside() {
		missing(t, "no network namespace of its own (needs root or CAP_SYS_ADMIN, or user namespaces)")
	}
	device, l, err := openBridge()
	if err != nil {
		missing(t, "no bridge: "+err.Error())
	}
	return open(t, &Network{device: device, link: l, far4: bridgeFar4})
}

func open(t testing.TB, n *Network) *Network {
	t.Helper()
	var err error
	n.listeners, n.conns, n.nextPort = make(map[uint16]*listener), make(map[flow]*Conn), 8000
	if n.raw, err = n.device.SyscallConn(); err != nil {
		t.Fatal(err)
	}
	n.reading.Go(n.read)
	t.Cleanup(func() {
		n.device.Close()
		n.reading.Wait()
	})
	return n
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot prove the clocks against a hostile peer: %s", what)
	}
	t.Skipf("THE CLOCKS ARE NOT PROVEN against a hostile peer: %s", what)
}

// Listen opens a port and returns the addresses to dial, IPv4 and IPv6. When
// the test ends the port is closed; Serve must have returned by then or soon
// after, which the end of its connection makes certain.
func (n *Network) Listen(t testing.TB, how Listen) (v4, v6 netip.AddrPort) {
	l := &listener{how: how}
	if l.how.WindowBytes == 0 {
		l.how.WindowBytes = 1 << 20
	}
	n.mu.Lock()
	n.nextPort++
	port := n.nextPort
	n.listeners[port] = l
	n.mu.Unlock()
	t.Cleanup(func() {
		n.mu.Lock()
		delete(n.listeners, port)
		var open []*Conn
		for f, c := range n.conns {
			if f.peer.Port() == port {
				open = append(open, c)
			}
		}
		n.mu.Unlock()
		for _, c := range open {
			c.Reset()
		}
		l.serving.Wait()
	})
	return netip.AddrPortFrom(n.far4, port), netip.AddrPortFrom(far6, port)
}

// read takes the client's packets until the device is closed.
func (n *Network) read() {
	packet := make([]byte, 1<<16)
	for {
		size, err := n.device.Read(packet)
		if err != nil {
			return
		}
		at := stamp.Now()
		before := vnetHeaderBytes
		if n.link != nil {
			before += linkHeaderBytes
		}
		if size < before {
			continue
		}
		if s, err := parse(packet[before:size]); err == nil {
			n.take(s, at)
		}
	}
}

func (n *Network) take(s segment, at stamp.Nanos) {
	f := flow{peer: s.to, client: s.from}
	n.mu.Lock()
	c := n.conns[f]
	l := n.listeners[s.to.Port()]
	if s.flags&(flagSYN|flagACK) == flagSYN && l != nil && (c == nil || c.irs != s.seq) {
		c = newConn(n, l, f, s)
		n.conns[f] = c
		l.connections++
		l.serving.Go(func() {
			if l.how.Before != nil {
				l.how.Before(c)
			}
			c.mu.Lock()
			c.answerSYN()
			c.mu.Unlock()
			l.how.Serve(c)
			c.End()
		})
		n.mu.Unlock()
		return
	}
	n.mu.Unlock()
	if c != nil {
		c.take(s, at)
	}
}

// forget lets go of a connection that is over.
func (n *Network) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns[c.flow] == c {
		delete(n.conns, c.flow)
	}
}

// inject puts a packet into the kernel and tells when.
func (n *Network) inject(packet []byte) (Interval, error) {
	return n.write([]byte{vnetHeaderBytes - 1: 0}, packet)
}

func (n *Network) write(header, packet []byte) (Interval, error) {
	var at Interval
	var failed error
	if n.link != nil {
		header = append(header, n.link.header...)
	}
	whole := append(header, packet...)
	err := n.raw.Write(func(fd uintptr) bool {
		at.From = stamp.Now()
		_, failed = unix.Write(int(fd), whole)
		at.To = stamp.Now()
		return failed != unix.EAGAIN
	})
	return at, errors.Join(err, failed)
}
