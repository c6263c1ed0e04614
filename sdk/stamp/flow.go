package stamp

import "time"

const (
	// piecesMax bounds what is remembered of a connection whose reader stands
	// still; beyond it the bytes that wait are not covered.
	piecesMax = 1 << 14
	// sameCopy is how far apart the sightings of one packet may lie, which bridges
	// and VLANs show on several devices.
	sameCopy = 200 * time.Microsecond
	// aheadMax is how far beyond what is known a sequence number is believed,
	// in bytes. No receive window is larger (RFC 7323, § 2.2).
	aheadMax = 1 << 30
	// catchUpPause is the least pause after which bytes no longer come from what
	// the peer could not send while the receive window was shut.
	catchUpPause = 5 * time.Millisecond
)

// piece is a run of bytes of the peer's stream that came in one segment.
type piece struct {
	start, end int64
	at         Nanos // first seen
	again      Nanos // last seen again before this host acknowledged it; 0: never
	before     Nanos // at of an earlier copy that TCP seems to have refused; 0: none
	copies     int32
	device     int32 // that showed the last copy counted
	mixed      bool  // the last copy came with bytes that do not belong to this piece
	flags      Flags // FellBack: when these bytes came is not known
}

// resolve returns when the bytes were accepted, given what the kernel tells of
// their read. What was seen twice may have been dropped after the capture the
// first time.
func (p *piece) resolve(kernel Arrival) (Nanos, Flags) {
	switch {
	case p.again == 0:
		return p.at, p.flags
	case (kernel.At - p.again).near() && !p.mixed:
		return p.again, p.flags | Waited
	case p.again > kernel.Read && p.copies > 2: // which of those before the read is not known
		return p.at, p.flags | FellBack
	case p.again > kernel.Read, (kernel.At - p.at).near():
		return p.at, p.flags
	}
	return p.again, p.flags | Waited | Ambiguous
}

// near tells whether a difference is nothing but the noise of clocks.
func (n Nanos) near() bool { return n <= Nanos(stepNoise) && n >= -Nanos(stepNoise) }

// mark says that the bytes up to end left, or were acknowledged, first at a
// moment; 0: not known.
type mark struct {
	end int64
	at  Nanos
}

// marks are the last few; those of the end of a message are among them until
// the next one is sent.
type marks struct {
	last [16]mark
	n    uint
	gone int64 // end of the last one that was dropped
}

func (m *marks) add(end int64, at Nanos) {
	slot := &m.last[m.n%uint(len(m.last))]
	if m.n >= uint(len(m.last)) {
		m.gone = slot.end
	}
	*slot = mark{end, at}
	m.n++
}

// find returns the moment of the byte at offset.
func (m *marks) find(offset int64) (Nanos, bool) {
	if offset < m.gone {
		return 0, false
	}
	for i := m.n - min(m.n, uint(len(m.last))); i < m.n; i++ {
		if k := m.last[i%uint(len(m.last))]; k.end > offset {
			return k.at, k.at != 0
		}
	}
	return 0, false
}

// flow is one connection. Offsets count the bytes of each direction from 0.
type flow struct {
	local, peer         [16]byte
	localPort, peerPort uint16
	chained             *flow // with the same local port
	since               Nanos
	claimed             bool
	asked               bool // its SYN was seen
	answered            bool // its SYN-ACK was seen
	losses              uint64

	// What the peer sends.
	inBase uint32 // sequence number of offset 0
	pieces []piece
	head   int   // of pieces, the first that was not taken
	taken  int64 // bytes before this were asked for
	next   int64 // bytes before this came without a hole, or are known to be lost
	end    int64 // bytes from this on were never seen
	fin    int64 // the end of the stream; −1: not seen
	acked  int64 // by this host
	said   Nanos // when it last said so with nothing else to send
	floor  Nanos // the bytes before taken were deliverable
	vague  Flags // Ambiguous where floor is
	// doubt: packets escaped the capture. It ends when this host acknowledges
	// just what the capture has seen.
	doubt bool

	// The receive window was shut: what comes is late because of this host.
	shut, reopened bool
	paused, turn   Nanos

	// What this host sends.
	outBase   uint32
	sentEnd   int64
	ackedEnd  int64
	sent      marks
	peerAcked marks
}

// unwrap returns the offset, near a known one, of a sequence number.
func unwrap(seq, base uint32, near int64) int64 {
	return near + int64(int32(seq-base-uint32(near)))
}

// take accounts for a segment of an established connection.
func (f *flow) take(s *segment, outgoing bool, at Nanos, flags Flags) {
	if s.flags&flagRST != 0 {
		return // neither its window nor its acknowledgement means anything
	}
	if outgoing {
		f.sends(s, at)
		return
	}
	if s.flags&flagACK != 0 {
		if end := unwrap(s.ack, f.outBase, f.ackedEnd); end > f.ackedEnd && end <= f.sentEnd+aheadMax {
			if f.doubt {
				f.peerAcked.add(end, 0)
			} else {
				f.peerAcked.add(end, at)
			}
			f.ackedEnd = end
		}
	}
	seq := s.seq
	if s.flags&flagSYN != 0 {
		seq++
	}
	start := unwrap(seq, f.inBase, f.next)
	end := start + int64(s.payload)
	if s.payload > 0 {
		f.receive(piece{start: start, end: end, at: at, device: s.device, copies: 1, flags: flags})
	}
	if s.flags&flagFIN != 0 && f.fin < 0 && end >= f.next {
		f.fin = end
	}
}

// doubts takes note that packets escaped the capture. A byte that TCP has not
// acknowledged may have come once more, unseen, and have been refused before.
func (f *flow) doubts() {
	f.doubt = true
	for i := f.index(f.acked); i < len(f.pieces); i++ {
		f.pieces[i].flags |= FellBack
	}
}

// sends accounts for a segment of this host.
func (f *flow) sends(s *segment, at Nanos) {
	start := unwrap(s.seq, f.outBase, f.sentEnd)
	if end := start + int64(s.payload); s.payload > 0 && end > f.sentEnd && end <= f.sentEnd+aheadMax {
		if start > f.sentEnd {
			f.sent.add(start, 0) // escaped the capture
		}
		if f.doubt { // may have been sent before
			f.sent.add(end, 0)
		} else {
			f.sent.add(end, at)
		}
		f.sentEnd = end
	}
	if s.flags&flagACK == 0 {
		return
	}
	end := unwrap(s.ack, f.inBase, f.acked)
	before := f.acked
	f.accepts(end, at)
	f.repeats(s, before)
	if s.payload == 0 && end == f.acked {
		f.said = at
	}
	switch {
	case s.window == 0:
		f.shut, f.reopened = true, false
	case f.shut && !f.reopened:
		f.reopened, f.paused, f.turn = true, at, 0
	}
}

// accepts learns from an acknowledgement of this host what its TCP has.
func (f *flow) accepts(end int64, at Nanos) {
	if f.fin >= 0 && end > f.fin {
		end = f.fin
	}
	if end <= f.acked || end > f.end+aheadMax {
		return
	}
	if end > f.next {
		f.lose(end, at)
		f.doubt = true
	} else if f.doubt && end == f.next {
		f.doubt = false
	}
	f.acked = end
}

// repeats learns from a selective acknowledgement of this host that its TCP had
// bytes already that came once more (RFC 2883, § 4: the first block then lies
// below what is acknowledged, or within the second block). It is sent at once
// where a whole segment was a repetition, while other acknowledgements may wait
// for 40 ms, and a peer repeats its last segment when it has waited for 2 ms. before
// is what was acknowledged until now: of that copies are not counted.
func (f *flow) repeats(s *segment, before int64) {
	if s.sacked == 0 || f.doubt {
		return
	}
	start, end := f.ofPeer(s.sacks[0])
	if end > f.acked {
		if s.sacked == 1 {
			return
		}
		if from, to := f.ofPeer(s.sacks[1]); start < from || end > to {
			return
		}
	}
	start = max(start, before)
	for i := f.index(start); i < len(f.pieces) && f.pieces[i].end <= end; i++ {
		p := &f.pieces[i]
		switch {
		case p.start < start:
		case p.again != 0 && p.copies == 2: // this was the second
			p.again, p.copies = 0, 1
		case p.again == 0 && p.before != 0: // the first was not refused after all
			p.at, p.before = p.before, 0
		}
	}
}

// ofPeer are the offsets of a block of the peer's stream.
func (f *flow) ofPeer(b block) (start, end int64) {
	return unwrap(b.left, f.inBase, f.acked), unwrap(b.right, f.inBase, f.acked)
}

// lose takes note that the bytes up to end were accepted although some of them
// were not seen; those behind them may have waited for them.
func (f *flow) lose(end int64, at Nanos) {
	i, pos := f.index(f.next), f.next
	for pos < end {
		switch {
		case i == len(f.pieces):
			f.insert(i, piece{start: pos, end: end, at: at, flags: FellBack})
			pos = end
		case f.pieces[i].start > pos:
			stop := min(end, f.pieces[i].start)
			f.insert(i, piece{start: pos, end: stop, at: at, flags: FellBack})
			pos = stop
		default:
			f.pieces[i].flags |= FellBack
			pos = f.pieces[i].end
		}
		i = min(i+1, len(f.pieces))
	}
	f.end = max(f.end, pos)
	f.advance()
}

// receive takes the bytes of a segment.
func (f *flow) receive(p piece) {
	if p.start = max(p.start, f.taken); p.start >= p.end || p.end > f.end+aheadMax {
		return
	}
	if len(f.pieces)-f.head >= piecesMax {
		f.collapse(p.end, p.at)
		return
	}
	if f.doubt {
		p.flags |= FellBack
	}
	if f.shut && f.late(p.at) {
		p.flags |= Waited
	}
	if p.start >= f.end {
		f.insert(len(f.pieces), p)
		f.end = max(f.end, p.end)
		if p.start == f.next {
			f.next = p.end
		}
		return
	}
	f.weave(p)
	f.advance()
}

// late tells whether what comes now may have waited for the receive window.
// The peer needs a round trip for each step of what it could not send.
func (f *flow) late(at Nanos) bool {
	if !f.reopened {
		return true
	}
	pause := at - f.paused
	f.paused = at
	if f.turn == 0 {
		f.turn = max(pause, 1)
		return true
	}
	if pause < max(Nanos(catchUpPause), 2*f.turn) {
		return true
	}
	f.shut = false
	return false
}

// weave takes bytes of which some were seen before, or which fill a hole.
func (f *flow) weave(p piece) {
	part := p
	for i := f.index(p.start); part.start < p.end; i++ {
		part.end = p.end
		if i >= len(f.pieces) {
			f.insert(len(f.pieces), part)
			f.end = max(f.end, p.end)
			return
		}
		if first := f.pieces[i].start; first > part.start {
			part.end = min(p.end, first)
			hole := part
			hole.flags |= Waited
			f.insert(i, hole)
			part.start = part.end
			continue
		}
		part.end = min(p.end, f.pieces[i].end)
		next := part.end
		part.start = max(part.start, f.acked)
		if part.start < part.end && f.pieces[i].flags&FellBack == 0 {
			part.mixed = max(p.start, f.acked) < part.start || part.end < p.end
			i = f.repeat(i, part)
		}
		part.start = next
	}
}

// repeat takes note that bytes of a piece were seen again, and returns the
// index of the piece that has just these.
func (f *flow) repeat(i int, seen piece) int {
	p := f.pieces[i]
	if seen.device != p.device && seen.at-max(p.at, p.again) < Nanos(sameCopy) {
		return i
	}
	// An acknowledgement without them, since they were seen, tells that TCP did
	// not take the bytes then.
	refused := seen.start <= f.acked && f.said-p.at > Nanos(sameCopy)
	if p.end > seen.end {
		rest := p
		rest.start = seen.end
		f.pieces[i].end = seen.end
		f.insert(i+1, rest)
	}
	if p.start < seen.start {
		rest := f.pieces[i]
		rest.start = seen.start
		f.pieces[i].end = seen.start
		i++
		f.insert(i, rest)
	}
	q := &f.pieces[i]
	q.device, q.mixed = seen.device, seen.mixed
	if refused {
		q.before, q.at, q.again, q.copies = q.at, seen.at, 0, 1
		q.flags |= Waited
		return i
	}
	q.again = seen.at
	q.copies++
	return i
}

// index is that of the first piece that ends after offset.
func (f *flow) index(offset int64) int {
	i := len(f.pieces)
	for i > f.head && f.pieces[i-1].end > offset {
		i--
	}
	return i
}

// insert puts a piece at an index.
func (f *flow) insert(i int, p piece) {
	f.pieces = append(f.pieces, piece{})
	copy(f.pieces[i+1:], f.pieces[i:])
	f.pieces[i] = p
}

// collapse makes one piece of all that waits, which says nothing: nobody reads.
func (f *flow) collapse(end int64, at Nanos) {
	start := min(f.pieces[f.head].start, f.next)
	f.end = max(f.end, end)
	f.pieces = append(f.pieces[:0], piece{start: start, end: f.end, at: at, flags: FellBack})
	f.head, f.next, f.doubt = 0, f.end, true
}

// advance moves next to the first hole.
func (f *flow) advance() {
	for i := f.index(f.next); i < len(f.pieces) && f.pieces[i].start <= f.next; i++ {
		f.next = f.pieces[i].end
	}
}

// covers tells whether the byte at offset was seen.
func (f *flow) covers(offset int64) bool {
	f.release(offset)
	return f.head < len(f.pieces) && f.pieces[f.head].start <= offset
}

// release drops what lies before offset.
func (f *flow) release(offset int64) {
	for f.head < len(f.pieces) && f.pieces[f.head].end <= offset {
		f.head++
	}
	switch {
	case f.head == len(f.pieces):
		f.pieces, f.head = f.pieces[:0], 0
	case f.head > 64 && 2*f.head > len(f.pieces):
		f.pieces, f.head = f.pieces[:copy(f.pieces, f.pieces[f.head:])], 0
	}
}

// plain answers PacketFlow.Plain.
func (f *flow) plain(offset int64, read Nanos) bool {
	if !f.covers(offset) {
		return false
	}
	p := &f.pieces[f.head]
	return p.again == 0 && p.flags&FellBack == 0 && p.at <= read.Add(stepNoise)
}

// run answers PacketFlow.Run.
func (f *flow) run(offset int64, size int, kernel Arrival) (n int, at Nanos, flags Flags, ok bool) {
	if !f.covers(offset) {
		n = size
		if f.head < len(f.pieces) {
			n = int(min(int64(size), f.pieces[f.head].start-offset))
		}
		f.miss(offset + int64(n))
		return n, 0, 0, false
	}
	p := &f.pieces[f.head]
	n = int(min(int64(size), p.end-offset))
	f.taken = max(f.taken, offset+int64(n))
	at, flags = p.resolve(kernel)
	if at > kernel.Read.Add(stepNoise) {
		flags |= FellBack // the bytes came with a packet that was not seen
	}
	if flags&FellBack != 0 {
		return n, 0, 0, false
	}
	if at >= f.floor {
		f.floor, f.vague = at, flags&Ambiguous
		return n, at, flags, true
	}
	if !(f.floor - at).near() {
		flags = flags&^Ambiguous | Waited | f.vague
	}
	return n, f.floor, flags, true
}

// miss takes note that bytes up to an offset were read that nobody saw.
func (f *flow) miss(to int64) {
	f.taken = max(f.taken, to)
	for i := f.head; i < len(f.pieces); i++ {
		f.pieces[i].flags |= FellBack // may have waited for them
	}
	f.doubt = true
	f.next, f.end = max(f.next, to), max(f.end, to)
	f.advance()
}
