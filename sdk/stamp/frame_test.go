package stamp

import (
	"encoding/binary"
	"strings"
	"testing"
)

// tcpHeader is one with the options given, which must be padded.
func tcpHeader(options ...byte) []byte {
	b := make([]byte, 20, 60)
	binary.BigEndian.PutUint16(b, 80)
	binary.BigEndian.PutUint16(b[2:], 40_000)
	binary.BigEndian.PutUint32(b[4:], 1111)
	binary.BigEndian.PutUint32(b[8:], 2222)
	b[12] = byte(20+len(options)) << 2
	b[13] = flagACK | flagPSH
	binary.BigEndian.PutUint16(b[14:], 333)
	return append(b, options...)
}

func ipv4(total int, change func(h []byte), rest ...byte) []byte {
	h := make([]byte, 20)
	h[0], h[9] = 4<<4|5, protocolTCP
	binary.BigEndian.PutUint16(h[2:], uint16(total))
	copy(h[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
	if change != nil {
		change(h)
	}
	return append(h, rest...)
}

func ipv6(payload int, next byte, rest ...byte) []byte {
	h := make([]byte, 40)
	h[0], h[6] = 6<<4, next
	binary.BigEndian.PutUint16(h[4:], uint16(payload))
	h[23], h[39] = 2, 1
	return append(h, rest...)
}

func TestSegmentHeaders(t *testing.T) {
	stamps := []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	blocks := func(n int) []byte {
		o := []byte{1, 1, optionSACK, byte(2 + 8*n)}
		for i := range 2 * n {
			o = append(o, 0, 0, 0, byte(i+1))
		}
		return o
	}
	for name, tc := range map[string]struct {
		frame   []byte
		length  uint32
		payload int // −1: no segment
		sacked  int
	}{
		"IPv4":                     {frame: ipv4(140, nil, tcpHeader()...), length: 140, payload: 100},
		"IPv4, padded by the link": {frame: ipv4(41, nil, tcpHeader()...), length: 46, payload: 1},
		"IPv4 with options":        {frame: ipv4(144, func(h []byte) { h[0]++ }, append([]byte{1, 1, 1, 0}, tcpHeader()...)...), length: 144, payload: 100},
		"IPv6":                     {frame: ipv6(120, protocolTCP, tcpHeader()...), length: 160, payload: 100},
		"time stamps":              {frame: ipv4(152, nil, tcpHeader(stamps...)...), length: 152, payload: 100},
		"one block":                {frame: ipv4(152, nil, tcpHeader(blocks(1)...)...), length: 152, payload: 100, sacked: 1},
		"time stamps, blocks":      {frame: ipv4(180, nil, tcpHeader(append(stamps, blocks(3)...)...)...), length: 180, payload: 100, sacked: 3},
		"four blocks":              {frame: ipv6(156, protocolTCP, tcpHeader(blocks(4)...)...), length: 196, payload: 100, sacked: 4},
		"blocks cut by the ring":   {frame: ipv4(180, nil, tcpHeader(append(stamps, blocks(3)...)...)...)[:66], length: 180, payload: 100},
		"an option of no size":     {frame: ipv4(152, nil, tcpHeader(30, 0, 1, 1, 5, 10, 0, 0, 0, 0, 0, 0)...), length: 152, payload: 100},
		// BIG TCP: the header's own length has no room for it.
		"BIG TCP over IPv4":            {frame: ipv4(0, nil, tcpHeader()...), length: 150_040, payload: 150_000},
		"BIG TCP over IPv6":            {frame: ipv6(0, protocolTCP, tcpHeader()...), length: 150_060, payload: 150_000},
		"BIG TCP over IPv6, jumbogram": {frame: ipv6(0, protocolHopByHop, append([]byte{protocolTCP, 0, 0xc2, 4, 0, 2, 0x4a, 0x0c}, tcpHeader()...)...), length: 150_068, payload: 150_000},

		"a fragment":          {frame: ipv4(140, func(h []byte) { h[6] = 0x20 }, tcpHeader()...), length: 140, payload: -1},
		"a later fragment":    {frame: ipv4(140, func(h []byte) { h[7] = 9 }, tcpHeader()...), length: 140, payload: -1},
		"UDP":                 {frame: ipv4(140, func(h []byte) { h[9] = 17 }, tcpHeader()...), length: 140, payload: -1},
		"UDP over IPv6":       {frame: ipv6(120, 17, tcpHeader()...), length: 160, payload: -1},
		"ARP":                 {frame: []byte(strings.Repeat("\x00", 60)), length: 60, payload: -1},
		"nothing":             {payload: -1},
		"cut in the header":   {frame: ipv4(140, nil, tcpHeader()...)[:39], length: 140, payload: -1},
		"cut in IPv6":         {frame: ipv6(120, protocolTCP, tcpHeader()...)[:59], length: 160, payload: -1},
		"longer than it came": {frame: ipv4(141, nil, tcpHeader()...), length: 140, payload: -1},
		"shorter than TCP":    {frame: ipv4(39, nil, tcpHeader()...), length: 140, payload: -1},
		"a TCP header of 16":  {frame: ipv4(140, nil, func() []byte { h := tcpHeader(); h[12] = 4 << 4; return h }()...), length: 140, payload: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := segment{sacked: 4} // of the one before
			ok := s.parse(tc.frame, tc.length)
			if ok != (tc.payload >= 0) {
				t.Fatalf("a segment: %v", ok)
			}
			if !ok {
				return
			}
			if s.payload != tc.payload || s.seq != 1111 || s.ack != 2222 || s.srcPort != 80 || s.dstPort != 40_000 ||
				s.window != 333 || s.flags != flagACK|flagPSH || s.src[15] != 2 || s.dst[15] != 1 {
				t.Errorf("%+v", s)
			}
			if s.sacked != tc.sacked {
				t.Fatalf("%d blocks, want %d", s.sacked, tc.sacked)
			}
			for i := range s.sacked {
				if s.sacks[i] != (block{uint32(2*i + 1), uint32(2*i + 2)}) {
					t.Errorf("block %d: %+v", i, s.sacks[i])
				}
			}
		})
	}
}

// FuzzCapture plays any packets: whatever comes, nothing panics, and a
// connection's bookkeeping stays in order.
func FuzzCapture(f *testing.F) {
	syn := tcpHeader()
	syn[13] = flagSYN | flagACK
	f.Add(append(append([]byte{40}, ipv4(40, nil, syn...)...), append([]byte{60}, ipv4(60, nil, tcpHeader()...)...)...))
	f.Add(append([]byte{0xff}, ipv6(100, protocolTCP, tcpHeader(1, 1, optionSACK, 10, 0, 0, 0, 1, 0, 0, 0, 2)...)...))
	f.Fuzz(func(t *testing.T, packets []byte) {
		table := newFlows(39_990, 40_009)
		var claimed *flow
		at, read := ms, int64(0)
		for len(packets) > 0 {
			size := min(int(packets[0]&0x7f), len(packets)-1)
			frame, outgoing := packets[1:1+size], packets[0]&0x80 != 0
			packets = packets[1+size:]
			at += ms
			var s segment
			if !s.parse(frame, uint32(len(frame))+uint32(at/ms)) {
				continue
			}
			if s.payload < 0 || s.sacked < 0 || s.sacked > sacksMax {
				t.Fatalf("%+v", s)
			}
			if at%7 == 0 {
				table.lost()
			}
			table.take(&s, outgoing, at, 0)
			if claimed == nil {
				for _, open := range table.byPort {
					if open != nil && open.answered {
						open.claimed, claimed = true, open
						table.unclaimed--
						break
					}
				}
				continue
			}
			if at%3 == 0 {
				n, arrived, _, ok := claimed.run(read, 50, Arrival{At: at, Read: at})
				if n < 1 && ok || n > 50 || ok && arrived > at {
					t.Fatalf("%d bytes of 50 at %d, now %d", n, arrived, at)
				}
				read += int64(max(n, 1))
			}
			last := int64(-1)
			for _, p := range claimed.pieces[claimed.head:] {
				if p.start < last || p.end <= p.start {
					t.Fatalf("pieces are out of order: %+v", claimed.pieces[claimed.head:])
				}
				last = p.end
			}
		}
		table.expire(at.Add(2 * unclaimedFor))
		if table.unclaimed != 0 {
			t.Fatalf("%d unclaimed connections are left", table.unclaimed)
		}
	})
}
