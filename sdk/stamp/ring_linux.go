package stamp

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	blockBytes = 64 << 10
	ringBlocks = 256 // 16 MiB, 87,296 packets
	// frameBytes is what a packet takes: the kernel's header and address in 80
	// bytes, and the headers of IP and TCP with all their options, save that
	// both of IPv4 and TCP at their longest lose the last 8 bytes.
	frameBytes     = 192
	framesPerBlock = blockBytes / frameBytes

	statusUser   = 1 << 0 // TP_STATUS_USER
	statusLosing = 1 << 2 // TP_STATUS_LOSING
	statusGSO    = 1 << 8 // TP_STATUS_GSO_TCP

	hatypeLoopback = 772 // ARPHRD_LOOPBACK

	// aheadFrames is how far a ring is searched for packets behind one that
	// another processor is still writing.
	aheadFrames = 64
)

// ring is a TPACKET_V2 ring of packets, shared with the kernel.
type ring struct {
	mem    []byte
	blocks int
	block  int // of the next packet
	frame  int // in its block
}

// rawAddress is struct sockaddr_ll as it lies behind the kernel's header.
type rawAddress struct {
	family   uint16
	protocol uint16
	ifindex  int32
	hatype   uint16
	pkttype  uint8
	halen    uint8
	addr     [8]byte
}

// mapRing makes the socket's ring and maps it. It needs no privilege.
func mapRing(fd, blocks int) (*ring, error) {
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2)
	if errors.Is(err, unix.EBUSY) {
		return nil, errors.New("the packet socket is in use by another client of this process or by another process")
	}
	if err != nil {
		return nil, os.NewSyscallError("setsockopt PACKET_VERSION", err)
	}
	request := unix.TpacketReq{
		Block_size: blockBytes, Block_nr: uint32(blocks),
		Frame_size: frameBytes, Frame_nr: uint32(blocks * framesPerBlock),
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return nil, os.NewSyscallError("setsockopt PACKET_RX_RING", err)
	}
	mem, err := unix.Mmap(fd, 0, blocks*blockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping %d KiB of packets: %w", blocks*blockBytes>>10, err)
	}
	return &ring{mem: mem, blocks: blocks}, nil
}

func (r *ring) close() error {
	mem := r.mem
	r.mem = nil
	return unix.Munmap(mem)
}

// at is the frame n places after the next packet's.
func (r *ring) at(n int) []byte {
	block, frame := r.block, r.frame+n
	for frame >= framesPerBlock {
		frame -= framesPerBlock
		if block++; block == r.blocks {
			block = 0
		}
	}
	start := block*blockBytes + frame*frameBytes
	return r.mem[start : start+frameBytes : start+frameBytes]
}

func status(frame []byte) *uint32 { return (*uint32)(unsafe.Pointer(&frame[0])) }

// packet is what a ring tells of one packet.
type packet struct {
	wall      int64 // ns
	headers   []byte
	length    uint32 // from the IP header on
	device    int32
	outgoing  bool
	coalesced bool // several segments as one
	losing    bool // packets before this one were lost
}

// next returns the next packet; false: there is none. done must be called
// before the one after it.
func (r *ring) next(p *packet) bool {
	frame := r.at(0)
	state := atomic.LoadUint32(status(frame))
	if state&statusUser == 0 {
		return false
	}
	header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&frame[0]))
	from := (*rawAddress)(unsafe.Pointer(&frame[unix.SizeofTpacket2Hdr]))
	start := min(int(header.Net), frameBytes)
	stop := min(start+int(header.Snaplen), frameBytes)
	*p = packet{
		wall:     int64(header.Sec)*1e9 + int64(header.Nsec),
		headers:  frame[start:stop],
		length:   header.Len,
		device:   from.ifindex,
		outgoing: from.pkttype == unix.PACKET_OUTGOING,
		// What loops back within the host was never cut.
		coalesced: state&statusGSO != 0 && from.hatype != hatypeLoopback,
		losing:    state&statusLosing != 0,
	}
	return true
}

// done gives the packet back to the kernel.
func (r *ring) done() {
	atomic.StoreUint32(status(r.at(0)), 0)
	if r.frame++; r.frame == framesPerBlock {
		r.frame = 0
		if r.block++; r.block == r.blocks {
			r.block = 0
		}
	}
}

// unfinished tells whether the next packet is still being written, on another
// processor, while later ones are there.
func (r *ring) unfinished() bool {
	for n := range aheadFrames {
		if atomic.LoadUint32(status(r.at(n)))&statusUser != 0 {
			return true
		}
	}
	return false
}
