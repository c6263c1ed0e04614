package hostile

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Bits of a TCP header's flags.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	protocolTCP      = 6
	protocolFragment = 44 // IPv6 fragment header
	protocolOptions  = 60 // IPv6 destination options
	tcpHeaderBytes   = 20
)

// Options of a TCP header.
const (
	optionEnd    = 0
	optionNop    = 1
	optionMSS    = 2
	optionScale  = 3
	optionSackOK = 4
	ownScale     = 7    // of the windows that the peer offers
	mssBytes     = 1400 // of the segments that the client may send
)

// segment is a TCP segment with its addresses.
type segment struct {
	from, to netip.AddrPort
	seq, ack uint32
	flags    uint8
	window   uint16 // as in the header, not scaled
	options  []byte // padded to a multiple of four
	payload  []byte
}

var errNotTCP = errors.New("not a TCP segment")

// parse reads an IPv4 or IPv6 packet. The segment shares the packet's bytes.
func parse(packet []byte) (segment, error) {
	var s segment
	var from, to netip.Addr
	var tcp []byte
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		header, total := 4*int(packet[0]&0xf), int(binary.BigEndian.Uint16(packet[2:]))
		if packet[9] != protocolTCP || header < 20 || total < header || total > len(packet) {
			return s, errNotTCP
		}
		from, to = netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:]))
		tcp = packet[header:total]
	case len(packet) >= 40 && packet[0]>>4 == 6:
		total := 40 + int(binary.BigEndian.Uint16(packet[4:]))
		if packet[6] != protocolTCP || total > len(packet) {
			return s, errNotTCP
		}
		from, to = netip.AddrFrom16([16]byte(packet[8:])), netip.AddrFrom16([16]byte(packet[24:]))
		tcp = packet[40:total]
	default:
		return s, errNotTCP
	}
	if len(tcp) < tcpHeaderBytes {
		return s, errNotTCP
	}
	header := 4 * int(tcp[12]>>4)
	if header < tcpHeaderBytes || header > len(tcp) {
		return s, errNotTCP
	}
	return segment{
		from: netip.AddrPortFrom(from, binary.BigEndian.Uint16(tcp)),
		to:   netip.AddrPortFrom(to, binary.BigEndian.Uint16(tcp[2:])),
		seq:  binary.BigEndian.Uint32(tcp[4:]), ack: binary.BigEndian.Uint32(tcp[8:]),
		flags: tcp[13], window: binary.BigEndian.Uint16(tcp[14:]),
		options: tcp[tcpHeaderBytes:header], payload: tcp[header:],
	}, nil
}

// scale is the window scale that a SYN offers; ok: it offers one.
func (s *segment) scale() (shift uint8, ok bool) {
	for o := s.options; len(o) > 0; {
		switch {
		case o[0] == optionEnd:
			return 0, false
		case o[0] == optionNop:
			o = o[1:]
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return 0, false
		case o[0] == optionScale && o[1] == 3:
			return o[2], true
		default:
			o = o[o[1]:]
		}
	}
	return 0, false
}

// tcp is the segment without its IP header, with its checksum.
func (s *segment) tcp() []byte {
	b := make([]byte, 0, tcpHeaderBytes+len(s.options)+len(s.payload))
	b = binary.BigEndian.AppendUint16(b, s.from.Port())
	b = binary.BigEndian.AppendUint16(b, s.to.Port())
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	b = append(b, byte(tcpHeaderBytes+len(s.options))<<2, s.flags)
	b = binary.BigEndian.AppendUint16(b, s.window)
	b = append(b, 0, 0, 0, 0) // checksum, urgent pointer
	b = append(append(b, s.options...), s.payload...)

	pseudo := append(s.from.Addr().AsSlice(), s.to.Addr().AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(b)))
	pseudo = append(pseudo, 0, 0, 0, protocolTCP)
	binary.BigEndian.PutUint16(b[16:], ^fold(sum(pseudo)+sum(b)))
	return b
}

// packet puts the segment into an IP packet.
func (s *segment) packet() []byte {
	return ip(s.from.Addr(), s.to.Addr(), protocolTCP, s.tcp())
}

// damaged is the packet with a checksum that TCP refuses.
func (s *segment) damaged() []byte {
	body := s.tcp()
	body[16] ^= 0x55
	return ip(s.from.Addr(), s.to.Addr(), protocolTCP, body)
}

// coalesced is the packet as a network card or the kernel makes one of several
// segments of at most size bytes of payload, with its struct virtio_net_hdr.
// linkBytes is the size of the link header before it.
func (s *segment) coalesced(size, linkBytes int) (header, packet []byte) {
	const needsChecksum, gsoTCPv4, gsoTCPv6 = 1, 1, 4
	kind, ipBytes := byte(gsoTCPv6), 40
	if s.from.Addr().Is4() {
		kind, ipBytes = gsoTCPv4, 20
	}
	body := s.tcp()
	pseudo := append(s.from.Addr().AsSlice(), s.to.Addr().AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = append(pseudo, 0, 0, 0, protocolTCP)
	binary.BigEndian.PutUint16(body[16:], fold(sum(pseudo))) // the rest is the card's
	header = []byte{needsChecksum, kind}
	for _, field := range []int{linkBytes + ipBytes + tcpHeaderBytes + len(s.options), size, linkBytes + ipBytes, 16} {
		header = binary.NativeEndian.AppendUint16(header, uint16(field))
	}
	return header, ip(s.from.Addr(), s.to.Addr(), protocolTCP, body)
}

// withOptions is the packet with an IP header that is longer than usual.
func (s *segment) withOptions() []byte {
	body := s.tcp()
	if !s.from.Addr().Is4() {
		padding := []byte{protocolTCP, 0, 1, 4, 0, 0, 0, 0} // one PadN option
		return ip(s.from.Addr(), s.to.Addr(), protocolOptions, append(padding, body...))
	}
	p := ip(s.from.Addr(), s.to.Addr(), protocolTCP, append([]byte{optionNop, optionNop, optionNop, 0}, body...))
	p[0] = 4<<4 | 6
	sealIPv4(p, 24)
	return p
}

// fragments cuts the packet into two IP fragments, the first with n bytes of
// TCP header and payload (a multiple of eight).
func (s *segment) fragments(n int, id uint16) (first, second []byte) {
	body := s.tcp()
	n = n / 8 * 8
	cut := func(part []byte, offset int, more bool) []byte {
		field := uint16(offset / 8)
		if s.from.Addr().Is4() {
			p := ip(s.from.Addr(), s.to.Addr(), protocolTCP, part)
			if more {
				field |= 1 << 13
			}
			binary.BigEndian.PutUint16(p[4:], id)
			binary.BigEndian.PutUint16(p[6:], field)
			sealIPv4(p, 20)
			return p
		}
		field <<= 3
		if more {
			field |= 1
		}
		header := []byte{protocolTCP, 0}
		header = binary.BigEndian.AppendUint16(header, field)
		header = binary.BigEndian.AppendUint32(header, uint32(id))
		return ip(s.from.Addr(), s.to.Addr(), protocolFragment, append(header, part...))
	}
	return cut(body[:n], 0, true), cut(body[n:], n, false)
}

// ip puts a payload behind an IP header without options.
func ip(from, to netip.Addr, protocol byte, payload []byte) []byte {
	var p []byte
	if from.Is4() {
		p = make([]byte, 20, 20+len(payload))
		p[0] = 4<<4 | 5
		binary.BigEndian.PutUint16(p[2:], uint16(20+len(payload)))
		p[6] = 0x40 // do not fragment
		p[8], p[9] = 64, protocol
		copy(p[12:], from.AsSlice())
		copy(p[16:], to.AsSlice())
		sealIPv4(p, 20)
	} else {
		p = make([]byte, 40, 40+len(payload))
		p[0] = 6 << 4
		binary.BigEndian.PutUint16(p[4:], uint16(len(payload)))
		p[6], p[7] = protocol, 64
		copy(p[8:], from.AsSlice())
		copy(p[24:], to.AsSlice())
	}
	return append(p, payload...)
}

func sealIPv4(p []byte, headerBytes int) {
	p[10], p[11] = 0, 0
	binary.BigEndian.PutUint16(p[10:], ^fold(sum(p[:headerBytes])))
}

// sum is the ones' complement sum of RFC 1071, not folded.
func sum(b []byte) (total uint32) {
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	return total
}

func fold(total uint32) uint16 {
	for total > 0xffff {
		total = total&0xffff + total>>16
	}
	return uint16(total)
}
