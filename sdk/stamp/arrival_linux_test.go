package stamp

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelSays fills in what the kernel would after a read: its stamp (0: none)
// and its counts.
func (c *Conn) kernelSays(stamped Nanos, segs, disordered uint32, received uint64) {
	h := &c.host
	h.infoLen = uint32(unsafe.Sizeof(h.info))
	h.info = unix.TCPInfo{Data_segs_in: segs, Rcv_ooopack: disordered, Bytes_received: received}
	h.rx.hdr.SetControllen(0)
	if stamped != 0 {
		hdr := (*unix.Cmsghdr)(unsafe.Pointer(&h.rx.oob[0]))
		hdr.Level, hdr.Type = unix.SOL_SOCKET, unix.SCM_TIMESTAMPNS
		size := int(unsafe.Sizeof(unix.Timespec{}))
		hdr.SetLen(unix.CmsgLen(size))
		*(*unix.Timespec)(unsafe.Pointer(&h.rx.oob[unix.CmsgLen(0)])) = unix.NsecToTimespec(int64(stamped) + c.tie.offset.Load())
		h.rx.hdr.SetControllen(unix.CmsgSpace(size))
	}
	h.woken = time.Now()
}

// arrives makes and hands out the arrival of a read of n bytes.
func (c *Conn) arrives(n int) Arrival {
	c.host.n = n
	c.span.Arrival = c.arrival()
	return c.span.Arrival
}

// TestArrivalAfterLoss plays what the kernel says when a segment is lost: those
// behind it wait, with their own early stamps, until it comes again.
func TestArrivalAfterLoss(t *testing.T) {
	c := &Conn{clock: ClockSocket, tie: newWallTie()}
	read := func(n int, stamped Nanos, segs, disordered uint32, received uint64) Arrival {
		c.kernelSays(stamped, segs, disordered, received)
		return c.arrives(n)
	}
	near := func(a, b Nanos) bool { return a.Sub(b).Abs() < 10*time.Microsecond }

	first := Now()
	if a := read(5, first, 1, 0, 5); !near(a.At, first) || a.Flags != 0 {
		t.Errorf("in order: %v off, flags %b", a.At.Sub(first), a.Flags)
	}
	// The second is lost, the third comes and waits, the second comes again:
	// both are read at once, with the third's stamp or the second's.
	third := Now()
	time.Sleep(2 * time.Millisecond)
	if a := read(10, third, 3, 1, 15); a.At != a.Read || a.Flags != Bundled|Waited|FellBack {
		t.Errorf("after the hole: At %v before the read, flags %b", a.Read.Sub(a.At), a.Flags)
	}
	// A stamp from before the disorder was noticed is still suspect, although
	// nothing new is out of order.
	if a := read(5, third+1000, 4, 1, 20); a.At != a.Read || a.Flags != Waited|FellBack {
		t.Errorf("still suspect: At %v before the read, flags %b", a.Read.Sub(a.At), a.Flags)
	}
	time.Sleep(time.Millisecond)
	later := Now()
	if a := read(5, later, 5, 1, 25); !near(a.At, later) || a.Flags != 0 {
		t.Errorf("in order again: %v off, flags %b", a.At.Sub(later), a.Flags)
	}
	if a := read(5, 0, 6, 1, 30); a.At != a.Read || a.Flags != FellBack {
		t.Errorf("without a stamp: At %v before the read, flags %b", a.Read.Sub(a.At), a.Flags)
	}
	c.kernelSays(Now(), 7, 1, 35)
	c.host.infoLen = 104 // as of a kernel before 5.4
	if a := c.arrives(5); a.Flags != Ambiguous {
		t.Errorf("without counts: flags %b", a.Flags)
	}
}

// TestArrivalBehindTwoHoles: the segment that fills the first hole ends its
// read, so that it looks like the end of the disorder. What waited behind it has
// an older stamp, and what waits behind the second hole too.
func TestArrivalBehindTwoHoles(t *testing.T) {
	c := &Conn{clock: ClockSocket, tie: newWallTie()}
	read := func(n int, stamped Nanos, segs uint32, received uint64) Arrival {
		time.Sleep(time.Millisecond)
		c.kernelSays(stamped, segs, 2, received)
		return c.arrives(n)
	}
	early := Now()
	read(5, Now(), 3, 5) // two more have come out of order
	if a := read(5, Now(), 4, 15); a.Flags != 0 {
		t.Fatalf("what fills the hole has flags %b", a.Flags)
	}
	for i, received := range []uint64{15, 25} {
		if a := read(5, early, 4+uint32(i), received); a.At != a.Read || a.Flags&(Waited|FellBack) != Waited|FellBack {
			t.Errorf("behind hole %d: At %v before the read, flags %b", i, a.Read.Sub(a.At), a.Flags)
		}
	}
}

// TestArrivalBeforeTheEnd: a FIN that waits to be read is merged with the
// segment before it, which then has its stamp, and whether one came before a
// reset is not told.
func TestArrivalBeforeTheEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		state uint8
		fin   uint64
	}{
		"a FIN":           {tcpCloseWait, 1},
		"a FIN and a RST": {tcpClose, 1},
		"a RST":           {tcpClose, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for segs := range uint32(3) {
				c := &Conn{clock: ClockSocket, tie: newWallTie()}
				c.kernelSays(Now(), segs+1, 0, 10+tc.fin)
				c.host.info.State = tc.state
				if a := c.arrives(10); a.Flags != Bundled {
					t.Errorf("%d segments: flags %b, want bundled", segs+1, a.Flags)
				}
			}
		})
	}
}
