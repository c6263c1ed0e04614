package stamp

import "time"

const (
	// unclaimedFor is how long a connection is remembered that nobody has
	// claimed: it is some other program's, or its dial has not returned.
	unclaimedFor = 5 * time.Second
	// unclaimedMax bounds them.
	unclaimedMax = 1 << 14
)

// flows are the connections from a range of local ports.
type flows struct {
	first     uint16
	byPort    []*flow // index 0 is the first port
	unclaimed int
	losses    uint64
}

func newFlows(first, last uint16) *flows {
	return &flows{first: first, byPort: make([]*flow, int(last)-int(first)+1)}
}

// lost takes note that packets escaped the capture before the next segment.
func (t *flows) lost() { t.losses++ }

// take accounts for a segment, outgoing or incoming.
func (t *flows) take(s *segment, outgoing bool, at Nanos, flags Flags) {
	port := s.dstPort
	if outgoing {
		port = s.srcPort
	}
	slot := int(port) - int(t.first)
	if slot < 0 || slot >= len(t.byPort) {
		return
	}
	var f *flow
	if outgoing {
		f = find(t.byPort[slot], &s.src, &s.dst, s.dstPort)
	} else {
		f = find(t.byPort[slot], &s.dst, &s.src, s.srcPort)
	}
	if s.flags&flagSYN != 0 {
		if s.flags&flagRST != 0 {
			return
		}
		f = t.begin(f, s, outgoing, at)
	}
	if f == nil || !f.answered {
		return
	}
	if f.losses != t.losses {
		f.losses = t.losses
		f.doubts()
	}
	f.take(s, outgoing, at, flags)
}

func find(f *flow, local, peer *[16]byte, peerPort uint16) *flow {
	for f != nil && (f.peerPort != peerPort || f.peer != *peer || f.local != *local) {
		f = f.chained
	}
	return f
}

// begin accounts for the SYN of a connection or its answer, and returns the
// connection that the segment belongs to; nil: none. old is the one that had the
// addresses before.
func (t *flows) begin(old *flow, s *segment, outgoing bool, at Nanos) *flow {
	answer := s.flags&flagACK != 0
	switch {
	case outgoing && !answer:
		if old != nil && old.asked && old.outBase == s.seq+1 {
			return nil // sent again
		}
		if f := t.add(old, s.src, s.dst, s.srcPort, s.dstPort, at); f != nil {
			f.asked, f.outBase = true, s.seq+1
		}
		return nil // nothing was said yet
	case outgoing || !answer:
		return nil // this host is the server
	case old != nil && old.answered:
		if old.inBase == s.seq+1 {
			return old
		}
		if old.asked || old.claimed {
			return nil // TCP does not believe it either
		}
	case old != nil && old.asked:
		if s.ack != old.outBase {
			return nil
		}
		old.answered, old.inBase = true, s.seq+1
		return old
	}
	f := t.add(old, s.dst, s.src, s.dstPort, s.srcPort, at)
	if f != nil {
		f.outBase, f.answered, f.inBase = s.ack, true, s.seq+1
	}
	return f
}

// add puts a connection in the place of the one that had its addresses before;
// nil: there are too many.
func (t *flows) add(old *flow, local, peer [16]byte, localPort, peerPort uint16, at Nanos) *flow {
	if old != nil {
		t.drop(old)
	}
	if t.unclaimed >= unclaimedMax {
		return nil
	}
	t.unclaimed++
	first := &t.byPort[localPort-t.first]
	f := &flow{
		local: local, peer: peer, localPort: localPort, peerPort: peerPort,
		chained: *first, since: at, losses: t.losses, fin: -1,
	}
	*first = f
	return f
}

// drop forgets a connection, once.
func (t *flows) drop(f *flow) {
	for at := &t.byPort[f.localPort-t.first]; *at != nil; at = &(*at).chained {
		if *at == f {
			*at = f.chained
			if !f.claimed {
				t.unclaimed--
			}
			return
		}
	}
}

// claim returns a connection that was not claimed before; nil: its beginning
// was not seen.
func (t *flows) claim(flow Flow) *flow {
	slot := int(flow.Local.Port()) - int(t.first)
	if slot < 0 || slot >= len(t.byPort) {
		return nil
	}
	local, peer := flow.Local.Addr().As16(), flow.Peer.Addr().As16()
	f := find(t.byPort[slot], &local, &peer, flow.Peer.Port())
	if f == nil || !f.answered || f.claimed {
		return nil
	}
	f.claimed = true
	t.unclaimed--
	return f
}

// expire forgets what nobody has claimed for long.
func (t *flows) expire(now Nanos) {
	if t.unclaimed == 0 {
		return
	}
	for _, f := range t.byPort {
		for f != nil {
			next := f.chained
			if !f.claimed && now.Sub(f.since) > unclaimedFor {
				t.drop(f)
			}
			f = next
		}
	}
}
