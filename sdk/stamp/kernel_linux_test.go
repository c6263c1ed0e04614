package stamp_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// cpuTime is what this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func TestLateReaderDoesNotMoveStamps(t *testing.T) {
	c, server := pair(t, stamp.ClockSocket, "127.0.0.1:0")
	for i := range 5 {
		before := stamp.Now()
		io.WriteString(server, "token")
		after := stamp.Now()
		time.Sleep(50 * time.Millisecond)
		s, err := c.NextSpan()
		if err != nil {
			t.Fatal(err)
		}
		if s.At < before || s.At > after {
			t.Errorf("read %d: At is %v after the write began and %v after it ended", i, s.At.Sub(before), s.At.Sub(after))
		}
		if s.Flags != 0 {
			t.Errorf("read %d has flags %b", i, s.Flags)
		}
		if lag := s.Read.Sub(s.At); lag < 40*time.Millisecond {
			t.Errorf("read %d: read lag %v of a reader 50 ms late", i, lag)
		}
	}
}

func TestSeveralSegmentsInOneReadAreFlagged(t *testing.T) {
	c, server := pair(t, stamp.ClockSocket, "127.0.0.1:0")
	read := func() stamp.Span {
		t.Helper()
		s, err := c.NextSpan()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for range 3 {
		var began, ended stamp.Nanos
		for range 5 {
			time.Sleep(5 * time.Millisecond)
			began = stamp.Now()
			io.WriteString(server, "token")
			ended = stamp.Now()
		}
		s := read()
		if len(s.Bytes) != 25 || s.Flags != stamp.Bundled {
			t.Errorf("%d bytes with flags %b, want 25 bundled", len(s.Bytes), s.Flags)
		}
		if s.At < began || s.At > ended {
			t.Errorf("a bundle carries the last stamp: %v after the last write began, %v after it ended", s.At.Sub(began), s.At.Sub(ended))
		}
		began = stamp.Now()
		io.WriteString(server, "token")
		if s := read(); s.Flags != 0 || s.At < began {
			t.Errorf("the next single segment has flags %b and At %v after its write", s.Flags, s.At.Sub(began))
		}
	}
}

func TestSegmentLargerThanTheBufferIsOneArrival(t *testing.T) {
	c, server := pair(t, stamp.ClockSocket, "127.0.0.1:0")
	began := stamp.Now()
	server.Write(make([]byte, 30<<10))
	ended := stamp.Now()
	time.Sleep(20 * time.Millisecond)
	var first stamp.Nanos
	for n := 0; n < 30<<10; {
		s, err := c.NextSpan()
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = s.At
		}
		if s.At != first || s.At < began || s.At > ended || s.Flags != 0 {
			t.Errorf("after %d bytes: At is %v after the first, flags %b", n, s.At.Sub(first), s.Flags)
		}
		n += len(s.Bytes)
	}
}

// TestReportsOfSendingDoNotSpin: the report that the last byte left makes the
// socket poll as in error until it is taken from the error queue.
func TestReportsOfSendingDoNotSpin(t *testing.T) {
	c, server := pair(t, stamp.ClockSocket, "127.0.0.1:0")
	go io.Copy(io.Discard, server)
	c.Track(true)
	if err := c.Send(make([]byte, 4<<20), nil); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	before := cpuTime(t)
	if _, err := c.NextSpan(); err == nil {
		t.Fatal("a read of nothing returned")
	}
	if used := cpuTime(t) - before; used > 100*time.Millisecond {
		t.Errorf("waiting for 300 ms used %v of CPU", used)
	}
	if _, by := c.Left(); by != stamp.ClockSocket {
		t.Error("when the message left is not known")
	}
}

// TestLeftFollowsASlowReader: the last byte cannot leave before the receiver
// made room for it, long after it was handed to the kernel.
func TestLeftFollowsASlowReader(t *testing.T) {
	c, server := pair(t, stamp.ClockSocket, "127.0.0.1:0")
	server.SetReadBuffer(32 << 10)
	message := make([]byte, 200<<10)
	c.Track(true)
	sent := make(chan error, 1)
	go func() { sent <- c.Send(message[:1000], message[1000:]) }()
	time.Sleep(60 * time.Millisecond)
	began := stamp.Now()
	go io.Copy(io.Discard, server)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	io.WriteString(server, "ok")
	if _, err := c.NextSpan(); err != nil {
		t.Fatal(err)
	}
	var left stamp.Nanos
	for deadline := time.Now().Add(5 * time.Second); left == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		left, _ = c.Left()
	}
	if left < began {
		t.Errorf("left %v before the receiver began to read (handed %v before)", began.Sub(left), began.Sub(c.Sent()))
	}
}

func TestUserClockOnLinuxIsTheRead(t *testing.T) {
	c, server := pair(t, stamp.ClockUser, "127.0.0.1:0")
	io.WriteString(server, "x")
	s, err := c.NextSpan()
	if err != nil || s.At != s.Read {
		t.Errorf("At %d, Read %d, %v", s.At, s.Read, err)
	}
	if st := c.Stats(); !st.Known || st.RTT <= 0 {
		t.Errorf("statistics of a connection on loopback: %+v", st)
	}
}

func TestLocalPortRange(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	probe, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(probe)
	ports := uint32(41999<<16 | 41000)
	if err := unix.SetsockoptInt(probe, unix.IPPROTO_IP, unix.IP_LOCAL_PORT_RANGE, int(ports)); err != nil {
		t.Skipf("this kernel has no IP_LOCAL_PORT_RANGE: %v", err)
	}
	d, err := stamp.NewDialer(stamp.Options{Clock: stamp.ClockUser, LocalPortFirst: 41000, LocalPortLast: 41999})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 10 {
		c, _, err := d.Dial(context.Background(), listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if port := c.LocalAddr().(*net.TCPAddr).Port; port < 41000 || port > 41999 {
			t.Errorf("local port %d", port)
		}
		c.Close()
	}
}

func BenchmarkSpan(b *testing.B) {
	for _, clock := range []stamp.Clock{stamp.ClockUser, stamp.ClockSocket, stamp.ClockPacket} {
		b.Run(clock.String(), func(b *testing.B) {
			wants(b, clock)
			c, server := pair(b, clock, "127.0.0.1:0")
			event := make([]byte, 300)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := server.Write(event); err != nil {
					b.Fatal(err)
				}
				if _, err := c.NextSpan(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
