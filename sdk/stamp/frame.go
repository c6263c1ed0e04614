package stamp

import "encoding/binary"

// segment is what the headers of a TCP segment say. IPv4 addresses are mapped
// into IPv6.
type segment struct {
	src, dst         [16]byte
	srcPort, dstPort uint16
	seq, ack         uint32
	window           uint16 // as sent, before scaling
	flags            uint8
	payload          int   // bytes
	device           int32 // that showed it
	sacks            [sacksMax]block
	sacked           int // how many of sacks there are
}

// block is a run of bytes [left, right) that a selective acknowledgement names
// (RFC 2018, § 3). sacksMax of them find room beside time stamps, four without.
type block struct{ left, right uint32 }

const sacksMax = 4

// Bits of the TCP header's flags (RFC 9293, § 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

const (
	protocolTCP      = 6
	protocolHopByHop = 0
	ipv4HeaderMin    = 20
	ipv6Header       = 40
	tcpHeaderMin     = 20
	ipv4Fragment     = 0x3fff // more fragments, or an offset

	// Options of a TCP header.
	optionEnd  = 0
	optionNop  = 1
	optionSACK = 5
	// stampsOnly is how the options of nearly every segment begin, which are 12
	// bytes: two fillers and the time stamps.
	stampsOnly = 0x0101080a
)

// parse reads the headers at the start of an IP packet of length bytes, of
// which frame holds the first. It returns false for what is no whole TCP
// segment. Where the header's own length has no room for it (BIG TCP), length
// counts.
func (s *segment) parse(frame []byte, length uint32) bool {
	if len(frame) < ipv4HeaderMin+tcpHeaderMin {
		return false
	}
	var header, total int
	switch frame[0] >> 4 {
	case 4:
		header = int(frame[0]&0xf) * 4
		total = int(binary.BigEndian.Uint16(frame[2:]))
		if header < ipv4HeaderMin || frame[9] != protocolTCP || binary.BigEndian.Uint16(frame[6:])&ipv4Fragment != 0 {
			return false
		}
		s.src, s.dst = mapped(frame[12:16]), mapped(frame[16:20])
	case 6:
		if len(frame) < ipv6Header+tcpHeaderMin {
			return false
		}
		header = ipv6Header
		total = int(binary.BigEndian.Uint16(frame[4:]))
		if total != 0 {
			total += ipv6Header
		}
		next := frame[6]
		if next == protocolHopByHop { // a jumbogram's
			next = frame[ipv6Header]
			header += (int(frame[ipv6Header+1]) + 1) * 8
		}
		if next != protocolTCP {
			return false
		}
		s.src, s.dst = [16]byte(frame[8:24]), [16]byte(frame[24:40])
	default:
		return false
	}
	if total == 0 {
		total = int(length)
	}
	if len(frame) < header+tcpHeaderMin || total > int(length) {
		return false
	}
	tcp := frame[header:]
	s.srcPort = binary.BigEndian.Uint16(tcp)
	s.dstPort = binary.BigEndian.Uint16(tcp[2:])
	s.seq = binary.BigEndian.Uint32(tcp[4:])
	s.ack = binary.BigEndian.Uint32(tcp[8:])
	s.flags = tcp[13]
	s.window = binary.BigEndian.Uint16(tcp[14:])
	offset := int(tcp[12]>>4) * 4
	s.payload = total - header - offset
	if offset < tcpHeaderMin || s.payload < 0 {
		return false
	}
	s.sacked = 0
	if o := tcp[tcpHeaderMin:min(offset, len(tcp))]; len(o) >= 12 && (len(o) > 12 || binary.BigEndian.Uint32(o) != stampsOnly) {
		s.selective(o)
	}
	return true
}

// selective finds the blocks of a selective acknowledgement among the options
// of a TCP header, of which the end may be missing.
func (s *segment) selective(o []byte) {
	for len(o) > 0 {
		switch {
		case o[0] == optionEnd:
			return
		case o[0] == optionNop:
			o = o[1:]
			continue
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return
		}
		size := int(o[1])
		if o[0] == optionSACK {
			for b := o[2:size]; len(b) >= 8 && s.sacked < sacksMax; b = b[8:] {
				s.sacks[s.sacked] = block{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
				s.sacked++
			}
			return
		}
		o = o[size:]
	}
}

func mapped(ip []byte) (a [16]byte) {
	a[10], a[11] = 0xff, 0xff
	copy(a[12:], ip)
	return a
}
