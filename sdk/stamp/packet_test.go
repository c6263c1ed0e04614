package stamp_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// packets covers the first bytes of each connection in runs of three.
type packets struct {
	covered   int64
	mu        sync.Mutex
	flows     map[stamp.Flow]bool
	forgotten int
}

func (p *packets) Follow(flow stamp.Flow) (stamp.PacketFlow, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows[flow] = true
	return p, true
}

func (p *packets) Plain(offset int64, _ stamp.Nanos) bool { return offset < p.covered }

func (p *packets) Run(offset int64, size int, _ stamp.Arrival) (int, stamp.Nanos, stamp.Flags, bool) {
	return 3 - int(offset%3), stamp.Nanos(1000 + offset/3), stamp.Coalesced, offset < p.covered
}

func (p *packets) Left(offset int64) (stamp.Nanos, bool)  { return stamp.Nanos(offset), true }
func (p *packets) Acked(offset int64) (stamp.Nanos, bool) { return stamp.Nanos(offset + 1), true }
func (p *packets) Forget()                                { p.forgotten++ }

func TestPacketClockIsAskedByOffset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(conn, "abcdefgh")
		conn.Close()
	}()
	wants(t, stamp.ClockSocket)
	ring := &packets{covered: 6, flows: map[stamp.Flow]bool{}}
	d, err := stamp.NewDialer(stamp.Options{Clock: stamp.ClockPacket, Packets: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, _, err := d.Dial(context.Background(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"abc", "def", "gh"} {
		s, err := c.NextSpan()
		if err != nil || string(s.Bytes) != want {
			t.Fatalf("span %d is %q, want %q: %v", i, s.Bytes, want, err)
		}
		if i < 2 && (s.At != stamp.Nanos(1000+i) || s.Flags != stamp.Coalesced) {
			t.Errorf("span %d: At %d, flags %b", i, s.At, s.Flags)
		}
		if i == 2 && (s.At < 2000 || s.Flags&stamp.FellBack != 0) {
			t.Errorf("what is not covered: At %d, flags %b", s.At, s.Flags)
		}
	}
	c.Track(true)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if at, by := c.Left(); at != 4 || by != stamp.ClockPacket {
		t.Errorf("left at %d by %v", at, by)
	}
	if at := c.Acked(); at != 5 {
		t.Errorf("acknowledged at %d", at)
	}
	if c.Uncovered() != 1 {
		t.Errorf("%d runs were not covered, want 1", c.Uncovered())
	}
	c.Close()
	want := stamp.Flow{Local: netip.MustParseAddrPort(c.LocalAddr().String()), Peer: netip.MustParseAddrPort(listener.Addr().String())}
	if !ring.flows[want] || len(ring.flows) != 1 || ring.forgotten != 1 {
		t.Errorf("flows %v (want %v), forgotten %d", ring.flows, want, ring.forgotten)
	}
}
