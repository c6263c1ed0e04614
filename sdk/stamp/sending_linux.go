package stamp

import (
	"net"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func (c *Conn) onWritable(fd uintptr) bool {
	h := &c.host
	h.n, h.errno = h.tx.sendmsg(fd, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if h.errno == unix.EAGAIN {
		return false
	}
	if h.errno == 0 && (h.tracked || c.track && c.packets != nil) {
		c.tracked = c.written + int64(h.n) - 1
		if h.n == h.txTotal && h.tracked {
			c.onDrain(fd) // mostly it has left already
		}
	}
	return true
}

func (c *Conn) send(a, b []byte) error {
	h := &c.host
	for len(a)+len(b) > 0 {
		first, second := a, b
		h.tracked = c.track && h.tracking && c.packets == nil // which tell without being asked
		if h.tracked && len(a)+len(b) > 4*trackTail {
			h.tracked = false
			head := len(a) + len(b) - trackTail
			first, second = a[:min(head, len(a))], b[:max(head-len(a), 0)]
		}
		h.tx.buffers(first, second)
		h.txTotal = len(first) + len(second)
		h.tx.askLeft(h.tracked)
		c.sent = Now()
		if err := h.raw.Write(h.writable); err != nil {
			return err
		}
		if h.errno != 0 {
			return &net.OpError{Op: "write", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("sendmsg", h.errno)}
		}
		c.written += int64(h.n)
		fromA := min(h.n, len(a))
		a, b = a[fromA:], b[h.n-fromA:]
	}
	return nil
}

// askLeft puts the wish to be told when the last byte leaves into the control
// data of a write.
func (m *message) askLeft(on bool) {
	if !on {
		m.hdr.Control = nil
		m.hdr.SetControllen(0)
		return
	}
	hdr := (*unix.Cmsghdr)(unsafe.Pointer(&m.oob[0]))
	hdr.Level = unix.SOL_SOCKET
	hdr.Type = unix.SO_TIMESTAMPING
	hdr.SetLen(unix.CmsgLen(4))
	*(*uint32)(unsafe.Pointer(&m.oob[unix.CmsgLen(0)])) = unix.SOF_TIMESTAMPING_TX_SOFTWARE
	m.hdr.Control = &m.oob[0]
	m.hdr.SetControllen(unix.CmsgSpace(4))
}

func (c *Conn) forgetLeft() { c.host.leftAt = 0 }

// segmentMax is the most bytes that one segment of this host has, as of the last
// read; 0: not known.
func (c *Conn) segmentMax() int64 {
	if c.host.infoLen < infoLenMin {
		return 0
	}
	return int64(c.host.info.Snd_mss)
}

// left returns the stamp of the tracked byte; 0: not known (yet).
func (c *Conn) left() Nanos {
	if c.host.leftAt == 0 && c.host.tracking && c.packets == nil {
		_ = c.host.raw.Control(c.host.drain) // fails on a closed connection: not known
	}
	return c.host.leftAt
}

// onDrain takes reports from the error queue until it has that of the tracked
// byte or there are no more.
func (c *Conn) onDrain(fd uintptr) {
	h := &c.host
	for h.leftAt == 0 {
		h.errq.hdr.Iov = nil
		h.errq.hdr.SetIovlen(0)
		if _, errno := h.errq.recvmsg(fd, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT); errno != 0 {
			return
		}
		id, wall, ok := h.errq.report()
		if ok && id == uint32(c.tracked) {
			now := time.Now()
			c.tie.watch(now)
			h.leftAt, _ = c.tie.monotonic(wall, c.sent, Of(now))
			// The byte cannot have left before it was handed over.
			h.leftAt = max(h.leftAt, c.sent)
		}
	}
}

// report reads one message of the error queue: the id of the byte that left and
// when, as wall clock.
func (m *message) report() (id uint32, wall int64, ok bool) {
	rest := m.oob[:min(int(m.hdr.Controllen), len(m.oob))]
	for len(rest) >= unix.SizeofCmsghdr {
		hdr, data, more, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return 0, 0, false
		}
		switch {
		case hdr.Level == unix.SOL_SOCKET && hdr.Type == unix.SCM_TIMESTAMPING:
			wall = timespecAt(data)
		case hdr.Level == unix.SOL_IP && hdr.Type == unix.IP_RECVERR,
			hdr.Level == unix.SOL_IPV6 && hdr.Type == unix.IPV6_RECVERR:
			var report unix.SockExtendedErr
			if len(data) < int(unsafe.Sizeof(report)) {
				return 0, 0, false
			}
			copy(unsafe.Slice((*byte)(unsafe.Pointer(&report)), unsafe.Sizeof(report)), data)
			if report.Origin != unix.SO_EE_ORIGIN_TIMESTAMPING || report.Info != unix.SCM_TSTAMP_SND {
				return 0, 0, false
			}
			id, ok = report.Data, true
		}
		rest = more
	}
	return id, wall, ok && wall != 0
}
