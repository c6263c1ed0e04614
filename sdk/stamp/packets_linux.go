package stamp

import (
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// drainEvery keeps the ring from filling while nobody asks.
	drainEvery = 50 * time.Millisecond
	// unfinishedMax is how long an answer waits for a packet that another
	// processor is writing.
	unfinishedMax = 2 * time.Millisecond
	// seenLate is how long before the last look at the ring a packet that was
	// not there yet may have been stamped.
	seenLate = time.Millisecond
)

// Packets is the clock packet: a ring of captured headers, and the connections
// that they belong to. It is safe for concurrent use. Close it.
type Packets struct {
	socket *os.File
	fd     int
	tie    *wallTie
	stop   chan struct{}
	over   sync.WaitGroup

	mu      sync.Mutex
	ring    *ring // nil once closed
	flows   *flows
	looked  Nanos // the ring was empty after this moment
	expired Nanos
	stats   PacketStats
	packet  packet
	segment segment
}

// PacketStats count what a Packets has seen.
type PacketStats struct {
	Packets uint64
	Lost    uint64 // did not find room in the ring
	// Unreadable packets passed the filter but are no TCP segments.
	Unreadable uint64
}

// NewPackets maps the ring of a socket of OpenPacketSocket, of which it keeps a
// copy. The ports are those of the socket's filter.
func NewPackets(socket *os.File, first, last uint16) (*Packets, error) {
	return newPackets(int(socket.Fd()), first, last, ringBlocks)
}

func newPackets(from int, first, last uint16, blocks int) (*Packets, error) {
	fd, err := unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, ownFDMin)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	p := &Packets{
		socket: os.NewFile(uintptr(fd), "packet socket"), fd: fd,
		stop: make(chan struct{}), flows: newFlows(first, last),
	}
	if p.ring, err = mapRing(fd, blocks); err != nil {
		_ = p.socket.Close()
		return nil, err
	}
	everything := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8 // network byte order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything}); err != nil {
		_ = p.ring.close()
		_ = p.socket.Close()
		return nil, os.NewSyscallError("bind to all interfaces", err)
	}
	// What found no room since another ring of this socket was given back is not
	// missed; the kernel counts from here on.
	_, _ = unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	p.tie = newWallTie()
	p.tie.listen()
	p.looked = Now()
	p.over.Go(p.drain)
	return p, nil
}

// Close gives the ring back. Connections live on without it.
func (p *Packets) Close() error {
	close(p.stop)
	p.over.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.ring.close()
	p.ring = nil
	p.tie.close()
	none := unix.TpacketReq{}
	_ = unix.SetsockoptTpacketReq(p.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &none) // for the next owner of a shared socket
	if failed := p.socket.Close(); err == nil {
		err = failed
	}
	return err
}

// Stats tells what was seen so far.
func (p *Packets) Stats() PacketStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *Packets) drain() {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.walk()
			p.count()
			if now := Now(); now.Sub(p.expired) > time.Second {
				p.expired = now
				p.flows.expire(now)
			}
			p.mu.Unlock()
		}
	}
}

// count asks the kernel how many packets found no room. With p.mu held, after a
// walk: what comes next came after the loss.
func (p *Packets) count() {
	stats, err := unix.GetsockoptTpacketStats(p.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil || stats.Drops != 0 {
		p.flows.lost()
	}
	if err == nil {
		p.stats.Lost += uint64(stats.Drops)
	}
}

// walk takes what the ring has. With p.mu held.
func (p *Packets) walk() {
	if p.ring == nil {
		return
	}
	start := time.Now()
	began := Of(start)
	p.tie.watch(start)
	earliest, losing := p.looked.Add(-seenLate), false
	for range p.ring.blocks * framesPerBlock { // no more than there were
		if !p.ring.next(&p.packet) {
			break
		}
		p.stats.Packets++
		if p.packet.losing {
			p.flows.lost()
			losing = true
		}
		if p.segment.parse(p.packet.headers, p.packet.length) {
			at, flags := p.tie.captured(p.packet.wall, earliest, began)
			if p.packet.coalesced {
				flags |= Coalesced
			}
			p.segment.device = p.packet.device
			p.flows.take(&p.segment, p.packet.outgoing, at, flags)
		} else {
			p.stats.Unreadable++
		}
		p.ring.done()
	}
	if losing {
		p.count() // or every packet from now on says so
	}
	if !p.ring.unfinished() {
		p.looked = began
	}
}

// look walks until what was there at a moment has been seen, or enough says so.
// With p.mu held.
func (p *Packets) look(at Nanos, enough func() bool) {
	if p.looked < at {
		p.walk()
	}
	for begun := Now(); !enough() && p.ring != nil && p.ring.unfinished() && Now().Sub(begun) < unfinishedMax; {
		p.mu.Unlock()
		runtime.Gosched()
		p.mu.Lock()
		p.walk()
	}
}

// Follow implements PacketClock.
func (p *Packets) Follow(named Flow) (PacketFlow, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var f *flow
	p.look(Now(), func() bool {
		if f == nil {
			f = p.flows.claim(named)
		}
		return f != nil
	})
	if f == nil {
		f = p.flows.claim(named)
	}
	if f == nil {
		return nil, false
	}
	return &follower{packets: p, flow: f}, true
}

// follower is a connection that somebody asks about.
type follower struct {
	packets *Packets
	flow    *flow
}

func (f *follower) Plain(offset int64, read Nanos) bool {
	p := f.packets
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(read, func() bool { return f.flow.covers(offset) })
	return f.flow.plain(offset, read)
}

func (f *follower) Run(offset int64, size int, kernel Arrival) (n int, at Nanos, flags Flags, ok bool) {
	p := f.packets
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(kernel.Read, func() bool { return f.flow.covers(offset) })
	return f.flow.run(offset, size, kernel)
}

func (f *follower) Left(offset int64) (at Nanos, ok bool) {
	p := f.packets
	p.mu.Lock()
	defer p.mu.Unlock()
	if offset >= f.flow.sentEnd {
		p.walk()
	}
	return f.flow.sent.find(offset)
}

func (f *follower) Acked(offset int64) (at Nanos, ok bool) {
	p := f.packets
	p.mu.Lock()
	defer p.mu.Unlock()
	if offset >= f.flow.ackedEnd {
		p.walk()
	}
	return f.flow.peerAcked.find(offset)
}

func (f *follower) Forget() {
	p := f.packets
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows.drop(f.flow)
}

var (
	_ PacketClock = (*Packets)(nil)
	_ PacketFlow  = (*follower)(nil)
)
