package hostile

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Conn is one connection as its peer has it. What it sends is put into a
// stream first (Write) and goes out as the script says (Send and its kin), or
// at once while it is told to be prompt. It is safe for concurrent use; it is a
// net.Conn so that a TLS server can stand on it.
type Conn struct {
	network *Network
	flow    flow
	iss     uint32 // the peer's first number; byte o of the stream is iss+1+o
	irs     uint32 // the client's
	scale   uint8  // of the client's windows
	scaled  bool
	// selective: the client may acknowledge selectively.
	selective bool

	mu      sync.Mutex
	changed *sync.Cond
	over    bool // reset, or the device was closed

	out      []byte // the peer's stream
	prompt   bool   // what is written goes out at once
	promptTo int64  // and has, before this byte
	finSent  bool
	sentTo   int64 // the client may have got bytes before this one
	acked    int64 // the client has acknowledged all bytes before
	edge     int64 // the client takes no bytes from this one on
	ledger   ledger
	doubtful []sent // sent, and perhaps refused

	in      []byte // the client's stream
	read    int    // bytes of in that were read
	seen    []sent // the client's segments, repeated ones too
	finSeen bool
	acks    []sent
	window  int   // bytes that the client may send ahead
	silent  bool  // acknowledges only when told to
	deaf    int   // data segments still to be lost on their way here
	ackedIn int64 // the peer has acknowledged all bytes before
	grants  []grant
}

// grant says from when on the client was allowed to send the bytes before one.
type grant struct {
	before int64
	from   stamp.Nanos
}

func newConn(n *Network, l *listener, f flow, syn segment) *Conn {
	c := &Conn{network: n, flow: f, irs: syn.seq, window: l.how.WindowBytes, selective: l.how.Selective, prompt: true, iss: 1000}
	c.changed = sync.NewCond(&c.mu)
	c.scale, c.scaled = syn.scale()
	if l.how.FirstSeq != nil {
		c.iss = l.how.FirstSeq(l.connections)
	}
	return c
}

// answerSYN opens the connection. The SYN-ACK agrees to no time stamps, so that
// the client's headers have no options but selective acknowledgements.
func (c *Conn) answerSYN() {
	s := c.segment(Piece{}, flagSYN|flagACK)
	s.seq = c.iss
	s.window = uint16(min(c.window, 0xffff)) // never scaled in a SYN
	s.options = []byte{optionMSS, 4, mssBytes >> 8, mssBytes & 0xff}
	if c.scaled {
		s.options = append(s.options, optionNop, optionScale, 3, ownScale)
	}
	if c.selective {
		s.options = append(s.options, optionNop, optionNop, optionSackOK, 2)
	}
	c.grant(int64(s.window), c.emit(s.packet()))
}

// segment makes a segment of bytes of the stream; c.mu is held, here and in
// what follows with a small letter.
func (c *Conn) segment(p Piece, flags uint8) segment {
	ack := c.irs + 1 + uint32(c.ackedIn)
	if c.finSeen && c.ackedIn == int64(len(c.in)) {
		ack++
	}
	window := c.window
	if c.scaled {
		window >>= ownScale
	}
	return segment{
		from: c.flow.peer, to: c.flow.client, seq: c.iss + 1 + uint32(p.From), ack: ack,
		flags: flags, window: uint16(min(window, 0xffff)), payload: c.out[p.From:p.To],
	}
}

// emit puts a packet into the kernel. An error means that the device is closed,
// and the test over.
func (c *Conn) emit(packet []byte) Interval {
	at, err := c.network.inject(packet)
	if err != nil {
		c.end()
	}
	return at
}

func (c *Conn) end() {
	c.over = true
	c.network.forget(c)
	c.changed.Broadcast()
}

// take deals with a segment of the client.
func (c *Conn) take(s segment, at stamp.Nanos) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	if s.flags&flagRST != 0 {
		c.end()
		return
	}
	if s.flags&flagSYN != 0 {
		c.answerSYN() // again
		return
	}
	if s.flags&flagACK != 0 {
		c.acked += int64(max(int32(s.ack-(c.iss+1+uint32(c.acked))), 0))
		window := int64(s.window)
		if c.scaled {
			window <<= c.scale
		}
		c.edge = c.acked + window
	}
	size := int64(len(s.payload))
	from := int64(len(c.in)) + int64(int32(s.seq-(c.irs+1+uint32(len(c.in)))))
	if size > 0 {
		c.seen = append(c.seen, sent{Piece{from, from + size}, Interval{To: at}})
		if c.deaf > 0 {
			c.deaf--
			return
		}
	}
	if fresh := from + size - int64(len(c.in)); fresh > 0 && fresh <= size {
		c.in = append(c.in, s.payload[size-fresh:]...)
	}
	if s.flags&flagFIN != 0 && from+size == int64(len(c.in)) {
		c.finSeen = true
	}
	if (size > 0 || s.flags&flagFIN != 0) && !c.silent {
		c.ack(int64(len(c.in)))
	}
	if c.finSeen && c.finSent && c.acked > int64(len(c.out)) {
		c.network.forget(c)
	}
}

// ack acknowledges the client's bytes before one.
func (c *Conn) ack(before int64) {
	was := c.ackedIn
	c.ackedIn = before
	s := c.segment(Piece{}, flagACK)
	s.seq = c.iss + 1 + uint32(c.sentTo)
	if c.finSent {
		s.seq++
	}
	window := int64(s.window)
	if c.scaled {
		window <<= ownScale
	}
	at := c.emit(s.packet())
	c.acks = append(c.acks, sent{Piece{was, before}, at})
	c.grant(before+window, at)
}

func (c *Conn) grant(before int64, at Interval) {
	if len(c.grants) == 0 || before > c.grants[len(c.grants)-1].before {
		c.grants = append(c.grants, grant{before, at.From})
	}
}

// Write implements net.Conn: the bytes are put at the end of the stream, and
// sent where the connection is prompt.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, net.ErrClosed
	}
	c.out = append(c.out, p...)
	if c.prompt {
		c.send(Piece{c.promptTo, int64(len(c.out))})
		c.promptTo = int64(len(c.out))
	}
	return len(p), nil
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.read == len(c.in) && !c.finSeen && !c.over {
		c.changed.Wait()
	}
	n := copy(p, c.in[c.read:])
	c.read += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements net.Conn, without effect: the script ends the connection.
func (c *Conn) Close() error { return nil }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.flow.peer) }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.flow.client) }

// SetDeadline implements net.Conn, without effect, as its two siblings: a
// connection ends with its test at the latest.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

var _ net.Conn = (*Conn)(nil)

// Prompt says whether what is written is sent at once.
func (c *Conn) Prompt(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prompt, c.promptTo = on, int64(len(c.out))
}

// Size is the length of the peer's stream so far, sent or not.
func (c *Conn) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.out))
}

// Received is the length of the client's stream so far.
func (c *Conn) Received() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.in))
}
