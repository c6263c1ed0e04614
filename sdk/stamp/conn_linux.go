package stamp

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostState is the part of a Conn that needs Linux. The structures that system
// calls fill and the callbacks of syscall.RawConn are kept here so that a read
// allocates nothing.
type hostState struct {
	raw syscall.RawConn

	readable func(fd uintptr) bool
	rx       message
	n        int
	errno    syscall.Errno
	filled   bool      // the read filled its buffer
	woken    time.Time // right after the read
	segments segments
	info     unix.TCPInfo
	infoLen  uint32
	loss     uint32 // rcv_ooopack, last seen
	// suspect: segments came out of order before this moment. The kernel may
	// keep their stamps, which are earlier than they became deliverable.
	suspect Nanos
	// cut: the last read was bundled and filled its buffer. Some of the bytes
	// left behind may be older than its stamp.
	cut bool
	// unasked: the read in hand has no arrival of ClockSocket yet. Packets cover
	// nearly all reads, and what they cover needs none.
	unasked bool
	asking  func(fd uintptr)
	// eager is of how many further reads TCP_INFO is asked all the same: where
	// packets missed one they may miss the next, and counts since the read
	// before tell more.
	eager int

	writable func(fd uintptr) bool
	tx       message
	txTotal  int  // bytes in tx
	tracking bool // the kernel reports when bytes left
	tracked  bool // for the write in hand

	peek     func(fd uintptr)
	quietErr error

	drain  func(fd uintptr)
	errq   message
	leftAt Nanos
}

type message struct {
	hdr unix.Msghdr
	iov [2]unix.Iovec
	oob [128]byte
}

const (
	// Of include/net/tcp_states.h.
	tcpClose     = 7
	tcpCloseWait = 8
	// reportLeft turns reports on; which bytes they are about is said with each
	// write.
	reportLeft = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
	// trackTail is how much of a large message goes into the write that is
	// tracked, so that it is likely to be taken as a whole: every partial write
	// makes a message on the error queue.
	trackTail  = 16 << 10
	eagerReads = 64
	// infoLenMin is the size of struct tcp_info up to tcpi_rcv_ooopack (Linux 5.4).
	infoLenMin = uint32(unsafe.Offsetof(unix.TCPInfo{}.Rcv_ooopack) + 4)
)

func beforeConnect(raw syscall.RawConn, o Options) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		if o.Clock >= ClockSocket {
			err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
			failed = os.NewSyscallError("setsockopt SO_TIMESTAMPNS", err)
		}
		if o.LocalPortLast != 0 && failed == nil {
			// Without it (before Linux 6.3) the kernel takes any port, which
			// only a packet filter by ports would mind.
			both := int(uint32(o.LocalPortLast)<<16 | uint32(o.LocalPortFirst))
			err := unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_LOCAL_PORT_RANGE, both)
			if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
				failed = os.NewSyscallError("setsockopt IP_LOCAL_PORT_RANGE", err)
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}

func (c *Conn) prepare() error {
	h := &c.host
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return err
	}
	h.raw = raw
	h.readable = c.onReadable
	h.asking = h.readInfo
	h.writable = c.onWritable
	h.peek = c.onPeek
	h.drain = c.onDrain
	return raw.Control(func(fd uintptr) {
		h.readInfo(fd)
		if c.clock < ClockSocket {
			return
		}
		// The ids are offsets in the stream of bytes sent: exact from the first
		// byte with OPT_ID_TCP (Linux 6.2), and without it as long as nothing
		// was sent yet, which holds here. Where neither works nothing is tracked.
		for _, flags := range []int{reportLeft | unix.SOF_TIMESTAMPING_OPT_ID_TCP, reportLeft} {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags) == nil {
				h.tracking = true
				break
			}
		}
	})
}

// recvmsg is the system call without the allocations of unix.Recvmsg.
func (m *message) recvmsg(fd uintptr, flags int) (int, syscall.Errno) {
	m.hdr.Control = &m.oob[0]
	m.hdr.SetControllen(len(m.oob))
	for {
		n, _, errno := unix.Syscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func (m *message) sendmsg(fd uintptr, flags int) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&m.hdr)), uintptr(flags))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// buffers points the message at up to two buffers.
func (m *message) buffers(a, b []byte) {
	n := 0
	for _, p := range [2][]byte{a, b} {
		if len(p) > 0 {
			m.iov[n].Base = &p[0]
			m.iov[n].SetLen(len(p))
			n++
		}
	}
	m.hdr.Iov = &m.iov[0]
	m.hdr.SetIovlen(n)
}

// receiveStamp finds the kernel's stamp, as wall clock; 0: there is none.
func (m *message) receiveStamp() int64 {
	rest := m.oob[:min(int(m.hdr.Controllen), len(m.oob))]
	for len(rest) >= unix.SizeofCmsghdr {
		hdr, data, more, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return 0
		}
		if hdr.Level == unix.SOL_SOCKET && hdr.Type == unix.SCM_TIMESTAMPNS {
			return timespecAt(data)
		}
		rest = more
	}
	return 0
}

func timespecAt(data []byte) int64 {
	var ts unix.Timespec
	if len(data) < int(unsafe.Sizeof(ts)) {
		return 0
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts)), data)
	return ts.Nano()
}

func (h *hostState) readInfo(fd uintptr) {
	h.infoLen = uint32(unsafe.Sizeof(h.info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&h.info)), uintptr(unsafe.Pointer(&h.infoLen)), 0)
	if errno != 0 {
		h.infoLen = 0
	}
}

func (c *Conn) onReadable(fd uintptr) bool {
	h := &c.host
	h.n, h.errno = h.rx.recvmsg(fd, unix.MSG_DONTWAIT)
	if h.errno == unix.EAGAIN {
		// A report on the error queue wakes the reader too. It is taken away,
		// or each further packet would come with EPOLLERR again.
		if c.tracked >= 0 && h.leftAt == 0 && c.packets == nil {
			c.onDrain(fd)
		}
		return false
	}
	h.woken = time.Now()
	if h.errno == 0 && h.n > 0 && c.clock >= ClockSocket && (c.packets == nil || h.eager > 0) {
		h.readInfo(fd)
	}
	return true
}

// fill reads once.
func (c *Conn) fill() error {
	h := &c.host
	if h.unasked {
		h.segments.skip(h.n)
		h.unasked = false
	}
	buf := c.room()
	h.rx.buffers(buf, nil)
	if err := c.waitReadable(); err != nil {
		return err
	}
	if h.errno != 0 {
		return &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("recvmsg", h.errno)}
	}
	if h.n == 0 {
		return io.EOF
	}
	h.filled = h.n == len(buf)
	if c.packets != nil && h.eager == 0 {
		h.unasked = true
		read := Of(h.woken)
		c.took(h.n, Arrival{At: read, Read: read})
		return nil
	}
	h.eager = max(h.eager-1, 0)
	c.took(h.n, c.arrival())
	return nil
}

// uncover makes the arrival of ClockSocket for a read of which packets do not
// know all. TCP_INFO is asked for later than it would be without packets, and
// counts what came meanwhile and what was read since it was last asked: more
// segments than there were, so that a flag is set rather than left out.
func (c *Conn) uncover() Arrival {
	h := &c.host
	h.eager = eagerReads
	if h.unasked {
		h.unasked = false
		h.infoLen = 0 // where the connection is closed nothing is known
		_ = h.raw.Control(h.asking)
		c.read = c.arrival()
	}
	return c.read
}

// errorPollMax is how long a read sleeps at most while Go's poller refuses the
// connection. Arrivals are stamped by the kernel, so only the read lag suffers.
const errorPollMax = time.Millisecond

// waitReadable calls onReadable until it is content. Go's poller takes an
// event that says EPOLLERR and nothing else for a file that cannot be polled,
// and a report on the error queue looks like that while the send buffer is
// full. Until the next event the reads then have to be tried.
func (c *Conn) waitReadable() error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, errorPollMax) {
		err := c.host.raw.Read(c.host.readable)
		if err == nil || !notPollable(err) {
			return err
		}
		done := false
		if err := c.host.raw.Control(func(fd uintptr) { done = c.onReadable(fd) }); err != nil {
			return err
		}
		if done {
			return nil
		}
		time.Sleep(pause)
	}
}

// notPollable recognizes internal/poll.ErrNotPollable, which has no public name.
func notPollable(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "not pollable" {
			return true
		}
	}
	return false
}

// arrival makes the stamp of the read that has just been done. c.span is what
// was handed out last.
func (c *Conn) arrival() Arrival {
	h := &c.host
	n, filled, before := h.n, h.filled, c.span.Arrival
	read := Of(h.woken)
	if c.clock < ClockSocket {
		return Arrival{At: read, Read: read}
	}
	c.tie.watch(h.woken)
	a := Arrival{At: read, Read: read}
	wasCut := h.cut
	h.cut = false
	if h.infoLen >= infoLenMin {
		received, ended := h.info.Bytes_received, false
		switch h.info.State {
		case tcpCloseWait:
			ended = true
			received-- // the FIN counts as a byte
		case tcpClose: // after a reset, and before it perhaps a FIN
			ended = true
		}
		one := h.segments.take(n, filled, h.info.Data_segs_in, received)
		if !one || ended {
			// The kernel merges a FIN, too, with what waits to be read.
			a.Flags |= Bundled
			h.cut = filled
		}
		if h.info.Rcv_ooopack != h.loss {
			h.loss = h.info.Rcv_ooopack
			h.suspect = Now()
		}
	} else {
		a.Flags |= Ambiguous
	}
	wall := h.rx.receiveStamp()
	if wall == 0 {
		a.Flags |= FellBack
		return a
	}
	at, flags := c.tie.monotonic(wall, before.At, read)
	a.Flags |= flags
	if h.suspect != 0 {
		if at <= h.suspect {
			// A segment that filled a hole may have set these bytes free later
			// than their own stamp: only the read is sure to be after that.
			a.Flags |= Waited | FellBack
			return a
		}
		h.suspect = 0
	}
	if at < before.At {
		// The bytes in front came later, or it is only known when they were
		// read: these have waited for them, and perhaps still do for others.
		a.Flags |= FellBack | before.Flags&AroundStep
		if a.Flags&AroundStep == 0 {
			a.Flags |= Waited
			h.suspect = Now()
		}
		return a
	}
	if wasCut && at > before.At {
		a.Flags |= Ambiguous
	}
	a.At = at
	return a
}

func (c *Conn) stats() Stats {
	h := &c.host
	if c.clock < ClockSocket || c.packets != nil {
		_ = h.raw.Control(h.asking) // fails on a closed connection: the last answer stays
	}
	if h.infoLen < infoLenMin {
		return Stats{}
	}
	return Stats{Known: true, RTT: time.Duration(h.info.Rtt) * time.Microsecond, Retransmitted: h.info.Total_retrans}
}

var errUnexpectedBytes = errors.New("bytes came that nobody asked for")

func (c *Conn) onPeek(fd uintptr) {
	var b [1]byte
	for {
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			c.host.quietErr = nil
		case err != nil:
			c.host.quietErr = os.NewSyscallError("recv", err)
		case n == 0:
			c.host.quietErr = io.EOF
		default:
			c.host.quietErr = errUnexpectedBytes
		}
		return
	}
}

func (c *Conn) quiet() error {
	if c.Buffered() > 0 {
		return errUnexpectedBytes
	}
	if err := c.host.raw.Control(c.host.peek); err != nil {
		return err
	}
	return c.host.quietErr
}
