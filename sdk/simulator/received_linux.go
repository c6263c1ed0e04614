package simulator

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// receiving is a connection that remembers when the kernel had what the last
// Read returned: this server may be late to read a request, its kernel is not.
// Reads are by one goroutine at a time.
type receiving struct {
	*net.TCPConn
	raw      syscall.RawConn
	clock    *receiveClock
	control  [128]byte
	received stamp.Nanos // 0: not known

	unsent    int // what ask found
	askUnsent func(fd uintptr)
}

var _ interface{ NetConn() net.Conn } = (*receiving)(nil)

// receiveClock ties the kernel's stamps, which are wall clock, to
// CLOCK_MONOTONIC.
type receiveClock struct{ offset atomic.Int64 } // wall − monotonic

func newReceiveClock() *receiveClock {
	c := &receiveClock{}
	c.offset.Store(wallOffset())
	return c
}

// wallOffset is the largest of some readings: whatever comes between the two
// clocks of one only makes it smaller.
func wallOffset() int64 {
	best := int64(-1 << 63)
	for range 8 {
		now := time.Now()
		best = max(best, now.UnixNano()-int64(stamp.Of(now)))
	}
	return best
}

// stepMin is how far the wall clock must have been set for it to be noticed.
const stepMin = 5 * time.Microsecond

// monotonic converts a stamp of something that lies before now. It is 0 where
// the wall clock was set since the last call.
func (c *receiveClock) monotonic(wall int64, now time.Time) stamp.Nanos {
	offset := c.offset.Load()
	if d := now.UnixNano() - int64(stamp.Of(now)) - offset; d > int64(stepMin) || d < -int64(stepMin) {
		fresh := wallOffset()
		c.offset.Store(fresh)
		if d := fresh - offset; d > int64(stepMin) || d < -int64(stepMin) {
			return 0
		}
	}
	return min(stamp.Nanos(wall-offset), stamp.Of(now))
}

// listen listens so that the kernel stamps what the accepted connections
// receive, from their first segment on. A kernel that does not only leaves
// Record.RequestReceived unknown.
func (*receiveClock) listen(addr string) (net.Listener, error) {
	control := func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		})
	}
	return (&net.ListenConfig{Control: control}).Listen(context.Background(), "tcp", addr)
}

// remembering makes a connection remember when its bytes were received. What is
// no TCP connection is returned as it is.
func (c *receiveClock) remembering(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	r := &receiving{TCPConn: tcp, raw: raw, clock: c}
	r.askUnsent = func(fd uintptr) {
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD)
		if err == nil {
			r.unsent = n
		}
	}
	return r
}

// keptBack tells whether the kernel has not sent all that was written: a window
// is full, or it paces what it sends.
func (r *receiving) keptBack() bool {
	r.unsent = 0
	_ = r.raw.Control(r.askUnsent) // of a closed connection nothing is known
	return r.unsent > 0
}

// Read implements net.Conn.
func (r *receiving) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, control := 0, 0
	var failed error
	err := r.raw.Read(func(fd uintptr) bool {
		for {
			n, control, _, _, failed = unix.Recvmsg(int(fd), p, r.control[:], 0)
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	now := time.Now()
	r.received = 0
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: r.LocalAddr(), Addr: r.RemoteAddr(), Err: os.NewSyscallError("recvmsg", failed)}
	case n == 0:
		return 0, io.EOF
	}
	if wall := wallStamp(r.control[:control]); wall != 0 {
		r.received = r.clock.monotonic(wall, now)
	}
	return n, nil
}

// NetConn is the connection below.
func (r *receiving) NetConn() net.Conn { return r.TCPConn }

// WriteTo hides that of net.TCPConn, which would read past Read.
func (r *receiving) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{r})
}

// wallStamp finds the kernel's stamp (SCM_TIMESTAMPNS) among control messages, in
// nanoseconds of the wall clock; 0: there is none.
func wallStamp(control []byte) int64 {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPNS {
			continue
		}
		switch len(m.Data) {
		case 16: // struct timespec of 64 bits
			return int64(binary.NativeEndian.Uint64(m.Data))*1e9 + int64(binary.NativeEndian.Uint64(m.Data[8:]))
		case 8: // of 32
			return int64(int32(binary.NativeEndian.Uint32(m.Data)))*1e9 + int64(int32(binary.NativeEndian.Uint32(m.Data[4:])))
		}
	}
	return 0
}

// receivedAt is when the kernel had what was last read from a connection; 0: not
// known.
func receivedAt(conn net.Conn) stamp.Nanos {
	if r := remembered(conn); r != nil {
		return r.received
	}
	return 0
}

// kernelOf is what the kernel can be asked about a connection; nil: nothing.
func kernelOf(conn net.Conn) kernel {
	if r := remembered(conn); r != nil {
		return r
	}
	return nil
}

// remembered is the connection that remembers, perhaps below TLS; nil: there is
// none.
func remembered(conn net.Conn) *receiving {
	if r, ok := conn.(*receiving); ok {
		return r
	}
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		r, _ := t.NetConn().(*receiving)
		return r
	}
	return nil
}
