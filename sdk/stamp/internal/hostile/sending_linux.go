package hostile

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// segmentMax is the payload of a large segment.
const segmentMax = mtuBytes - 100

// send sends bytes of the stream, in as few segments as can be.
func (c *Conn) send(p Piece) {
	for _, part := range p.cut(segmentMax) {
		s := c.segment(part, flagACK|flagPSH)
		c.record(part, c.emit(s.packet()))
	}
}

// record notes that the client's TCP has taken a piece.
func (c *Conn) record(p Piece, at Interval) {
	c.ledger.add(p, at)
	c.sentTo = max(c.sentTo, p.To)
}

// cut divides a piece into pieces of at most size bytes.
func (p Piece) cut(size int64) (parts []Piece) {
	for ; p.To-p.From > size; p.From += size {
		parts = append(parts, Piece{p.From, p.From + size})
	}
	return append(parts, p)
}

// Send sends each piece in a segment of its own (or more, above 8 KiB), one
// right after the other. Pieces may have been sent before.
func (c *Conn) Send(pieces ...Piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range pieces {
		c.send(p)
	}
}

// SendDamaged sends a segment whose checksum is wrong: a tap sees it, TCP
// refuses it.
func (c *Conn) SendDamaged(p Piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.segment(p, flagACK|flagPSH)
	c.emit(s.damaged())
}

// SendCoalesced sends pieces that follow each other as one packet, as the
// segments of several look after a network card has merged them.
func (c *Conn) SendCoalesced(pieces ...Piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	whole, size := Piece{pieces[0].From, pieces[len(pieces)-1].To}, int64(1)
	for _, p := range pieces {
		size = max(size, p.To-p.From)
	}
	s := c.segment(whole, flagACK|flagPSH)
	at, err := c.network.write(s.coalesced(int(size), c.network.link.size()))
	if err != nil {
		c.end()
	}
	c.record(whole, at)
}

// SendWithOptions sends a segment behind a longer IP header than usual.
func (c *Conn) SendWithOptions(p Piece) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.segment(p, flagACK|flagPSH)
	c.record(p, c.emit(s.withOptions()))
}

// SendFragments sends a segment as two IP fragments, the second after a pause.
func (c *Conn) SendFragments(p Piece, pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.segment(p, flagACK|flagPSH)
	first, second := s.fragments(tcpHeaderBytes+int(p.To-p.From)/2, uint16(c.network.datagram.Add(1)))
	c.emit(first)
	c.mu.Unlock()
	time.Sleep(pause)
	c.mu.Lock()
	c.record(p, c.emit(second))
}

// SendBeside sends bytes that TCP refuses because they lie `beside` bytes away
// from where the piece belongs, far outside of the window.
func (c *Conn) SendBeside(p Piece, beside int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.segment(p, flagACK|flagPSH)
	s.seq += uint32(beside)
	c.emit(s.packet())
}

// SendDoubtful sends segments of at most size bytes of which it is not known
// whether the kernel has room for them. Settle finds out.
func (c *Conn) SendDoubtful(p Piece, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, part := range p.cut(size) {
		s := c.segment(part, flagACK|flagPSH)
		c.doubtful = append(c.doubtful, sent{part, c.emit(s.packet())})
	}
}

// Settle waits until the client has told what it took of the doubtful segments
// and returns the first byte that it did not take. The client must have been
// sent nothing else meanwhile.
func (c *Conn) Settle(wait time.Duration) (next int64) {
	time.Sleep(wait)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.doubtful {
		s.piece.To = min(s.piece.To, c.acked)
		c.record(s.piece, s.at)
	}
	c.doubtful = nil
	return c.acked
}

// Edge is the first byte that the client's window has no room for.
func (c *Conn) Edge() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edge
}

// WaitEdge waits until the client's window reaches beyond a byte.
func (c *Conn) WaitEdge(beyond int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.edge <= beyond && !c.over {
		c.changed.Wait()
	}
}

// WaitAcked waits until the client has acknowledged all bytes before one.
func (c *Conn) WaitAcked(before int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.acked < before && !c.over {
		c.changed.Wait()
	}
}

// End ends the peer's stream. It is called when Serve returns and does nothing
// the second time.
func (c *Conn) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finSent || c.over {
		return
	}
	end := int64(len(c.out))
	s := c.segment(Piece{end, end}, flagFIN|flagACK)
	c.finSent, c.sentTo = true, end
	c.emit(s.packet())
}

// Reset ends the connection at once, after the stream's last byte.
func (c *Conn) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := int64(len(c.out))
	s := c.segment(Piece{end, end}, flagRST|flagACK)
	if c.finSent {
		s.seq++
	}
	c.emit(s.packet())
	c.end()
}

// ForgeReset sends a reset that the kernel's TCP must not believe, because its
// number lies inside the window and is not the next one (RFC 5961, § 3).
func (c *Conn) ForgeReset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := int64(len(c.out))
	s := c.segment(Piece{end, end}, flagRST|flagACK)
	s.seq += 100
	c.emit(s.packet())
}

// ForgeSYNACK answers the client's SYN once more, with another number.
func (c *Conn) ForgeSYNACK() {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.segment(Piece{}, flagSYN|flagACK)
	s.seq = c.iss + 77777
	s.ack = c.irs + 1
	c.emit(s.packet())
}

// Silent says whether the peer acknowledges only by Ack.
func (c *Conn) Silent(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = on
}

// Lose loses the next data segments of the client on their way to the peer.
func (c *Conn) Lose(segments int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deaf = segments
}

// Ack acknowledges at most further bytes of what the client has sent, and
// tells how many bytes have been acknowledged in all.
func (c *Conn) Ack(further int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ack(min(c.ackedIn+further, int64(len(c.in))))
	return c.ackedIn
}

// Deliverable tells when the byte with that number, and all before it, had been
// given to the client's TCP; false: they never were.
func (c *Conn) Deliverable(number int64) (Interval, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledger.deliverable(number)
}

// Left tells when a byte of the client's stream left for the first time: after
// the peer's window allowed it, and before its segment was read from the device.
func (c *Conn) Left(number int64) (Interval, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.piece.From > number || number >= s.piece.To {
			continue
		}
		left := Interval{To: s.at.To}
		for _, g := range c.grants {
			if g.before > number {
				left.From = g.from
				break
			}
		}
		return left, true
	}
	return Interval{}, false
}

// Acked tells when the peer acknowledged a byte of the client's stream for the
// first time.
func (c *Conn) Acked(number int64) (Interval, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.acks {
		if a.piece.To > number {
			return a.at, true
		}
	}
	return Interval{}, false
}

// Sends counts the segments that the client's TCP took after one moment and
// not after another.
func (c *Conn) Sends(after, until stamp.Nanos) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.ledger.sends {
		if s.at.To > after && s.at.From <= until {
			n++
		}
	}
	return n
}

// Times tells how often segments with a byte of the client's stream were seen.
func (c *Conn) Times(number int64) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seen {
		if s.piece.From <= number && number < s.piece.To {
			n++
		}
	}
	return n
}

// Miss returns how far a moment lies outside the interval: negative before it,
// positive after it, 0 inside.
func (i Interval) Miss(at stamp.Nanos) time.Duration {
	switch {
	case at < i.From:
		return at.Sub(i.From)
	case at > i.To:
		return at.Sub(i.To)
	}
	return 0
}
