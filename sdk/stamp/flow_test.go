package stamp

import (
	"math"
	"testing"
	"time"
)

const (
	ms      = Nanos(time.Millisecond)
	isn     = 700            // the peer's
	ownISN  = math.MaxUint32 // ours; the numbers wrap at once
	ownBase = uint32(0)      // of the first byte
	ownPort = 40_000
)

// line is a connection as the capture sees it, on one device unless told.
type line struct {
	t     *testing.T
	flows *flows
	f     *flow
	at    Nanos // of the last segment
}

func address(last byte) (a [16]byte) {
	a[15] = last
	return a
}

// newLine opens a connection and claims it.
func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{t: t, flows: newFlows(ownPort, ownPort+9), at: 1000 * ms}
	l.out(segment{seq: ownISN, flags: flagSYN})
	l.in(segment{seq: isn, ack: ownBase, flags: flagSYN | flagACK})
	l.f = l.flows.claim(Flow{Local: netipOf(1, ownPort), Peer: netipOf(2, 80)})
	if l.f == nil {
		t.Fatal("the connection was not seen to begin")
	}
	return l
}

func (l *line) in(s segment) {
	s.src, s.dst, s.srcPort, s.dstPort = address(2), address(1), 80, ownPort
	l.at += ms
	l.flows.take(&s, false, l.at, 0)
}

func (l *line) out(s segment) {
	s.src, s.dst, s.srcPort, s.dstPort = address(1), address(2), ownPort, 80
	s.window = 500
	l.at += ms
	l.flows.take(&s, true, l.at, 0)
}

// data is a segment with the bytes [from, to) of the peer's stream.
func (l *line) data(from, to int) Nanos {
	l.in(segment{seq: isn + 1 + uint32(from), flags: flagACK, payload: to - from})
	return l.at
}

// ack acknowledges the bytes before to, with blocks as selective ones.
func (l *line) ack(to int, blocks ...int) {
	s := segment{ack: isn + 1 + uint32(to), flags: flagACK, seq: 0}
	for ; len(blocks) > 1; blocks = blocks[2:] {
		s.sacks[s.sacked] = block{isn + 1 + uint32(blocks[0]), isn + 1 + uint32(blocks[1])}
		s.sacked++
	}
	l.out(s)
}

// read asks for the bytes [from, to), read now, and wants them to be of one
// arrival. kernel is the stamp of the read.
func (l *line) read(from, to int, kernel Nanos, at Nanos, flags Flags) {
	l.t.Helper()
	n, got, gotFlags, ok := l.f.run(int64(from), to-from, Arrival{At: kernel, Read: l.at + ms/2})
	if !ok || n != to-from || got != at || gotFlags != flags {
		l.t.Errorf("bytes %d to %d: %d of one arrival, covered %v, %v after the last segment, flags %b; want %v and %b",
			from, to, n, ok, got.Sub(l.at), gotFlags, at.Sub(l.at), flags)
	}
}

// uncovered wants the capture to know nothing of the bytes [from, to).
func (l *line) uncovered(from, to int) {
	l.t.Helper()
	if n, at, _, ok := l.f.run(int64(from), to-from, Arrival{At: l.at, Read: l.at}); ok || n != to-from {
		l.t.Errorf("bytes %d to %d: %d covered at %d, want none", from, to, n, at)
	}
}

func TestFlow(t *testing.T) {
	for name, play := range map[string]func(l *line){
		"in order": func(l *line) {
			a, b := l.data(0, 10), l.data(10, 15)
			l.read(0, 10, b, a, 0)
			l.read(10, 12, b, b, 0)
			l.read(12, 15, b, b, 0)
		},
		"what waits for a hole is deliverable with it": func(l *line) {
			a := l.data(0, 10)
			l.data(20, 30)
			b := l.data(10, 20)
			l.read(0, 10, b, a, 0)
			l.read(10, 20, b, b, Waited)
			l.read(20, 30, b, b, Waited)
		},
		"a repetition that is not acknowledged is ambiguous while the kernel's stamp is another's": func(l *line) {
			l.data(0, 10)
			again := l.data(0, 10)
			c := l.data(10, 20)
			l.read(0, 10, c, again, Waited|Ambiguous)
			l.read(10, 20, c, c, 0)
		},
		"the kernel has the stamp of the first copy": func(l *line) {
			a := l.data(0, 10)
			l.data(0, 10)
			l.read(0, 10, a, a, 0)
		},
		"the kernel has the stamp of the second copy": func(l *line) {
			l.data(0, 10)
			b := l.data(0, 10)
			l.read(0, 10, b, b, Waited)
		},
		"TCP says that it had the bytes of the second copy": func(l *line) {
			a := l.data(0, 10)
			l.data(0, 10)
			l.ack(10, 0, 10)
			c := l.data(10, 20)
			l.read(0, 10, c, a, 0)
			l.read(10, 20, c, c, 0)
		},
		"TCP says that it had the bytes of the third copy, of which the second may be the first that it took": func(l *line) {
			l.data(0, 10)
			l.data(0, 10)
			third := l.data(0, 10)
			l.ack(10, 0, 10)
			c := l.data(10, 20)
			l.read(0, 10, c, third, Waited|Ambiguous)
		},
		"TCP says so of a copy that came after the acknowledgement": func(l *line) {
			l.data(0, 10)
			b := l.data(0, 10)
			l.ack(10)
			l.data(0, 10)
			l.ack(10, 0, 10)
			l.read(0, 10, b, b, Waited)
		},
		"TCP says so of bytes that wait behind a hole": func(l *line) {
			l.data(10, 20)
			l.ack(0, 10, 20)
			l.data(10, 20)
			l.ack(0, 10, 20, 10, 20)
			c := l.data(0, 10)
			l.read(0, 10, c, c, Waited)
			l.read(10, 20, c, c, Waited)
		},
		"a selective acknowledgement of what waits says nothing of repetitions": func(l *line) {
			l.data(10, 20)
			again := l.data(10, 20)
			l.ack(0, 10, 20)
			if p := l.f.pieces[l.f.head]; p.again != again || p.copies != 2 {
				l.t.Errorf("%+v", p)
			}
		},
		"TCP acknowledged without the bytes, so that it took the second copy": func(l *line) {
			l.data(0, 10)
			l.ack(0)
			b := l.data(0, 10)
			c := l.data(10, 20)
			l.read(0, 10, c, b, Waited)
			l.read(10, 20, c, c, 0)
		},
		"TCP acknowledged without the bytes that it was about to take": func(l *line) {
			a := l.data(0, 10)
			l.ack(0)
			l.data(0, 10)
			l.ack(10, 0, 10)
			c := l.data(10, 20)
			l.read(0, 10, c, a, Waited)
		},
		"a repetition with new bytes has their stamp": func(l *line) {
			l.data(0, 10)
			b := l.data(0, 20)
			l.read(0, 10, b, b, Waited|Ambiguous)
			l.read(10, 20, b, b, 0)
		},
		"a repetition of part of a segment": func(l *line) {
			a := l.data(0, 30)
			b := l.data(10, 20)
			l.read(0, 10, b+ms, a, 0)
			l.read(10, 20, b+ms, b, Waited|Ambiguous)
			l.read(20, 30, b+ms, b, Waited|Ambiguous)
		},
		"a packet that two devices show": func(l *line) {
			a := l.data(0, 10)
			l.in(segment{seq: isn + 1, flags: flagACK, payload: 10, device: 7})
			if p := l.f.pieces[l.f.head]; p.copies != 2 { // 1 ms apart it was sent again
				l.t.Errorf("%+v", p)
			}
			l.at -= ms - ms/10
			l.in(segment{seq: isn + 1, flags: flagACK, payload: 10, device: 8})
			l.read(0, 10, a, a, 0)
		},
		"packets were lost before a segment": func(l *line) {
			a := l.data(0, 10)
			l.ack(10)
			l.read(0, 10, a, a, 0)
			l.flows.lost()
			l.data(20, 30) // 10 to 20 escaped
			l.ack(30)
			l.uncovered(10, 20)
			l.uncovered(20, 30)
			l.ack(30) // of just what was seen
			b := l.data(30, 40)
			l.ack(40)
			c := l.data(40, 50)
			l.uncovered(30, 40)
			l.read(40, 50, c, c, 0)
			_ = b
		},
		"packets were lost that concern others": func(l *line) {
			l.flows.lost()
			l.data(0, 10)
			l.ack(10)
			b := l.data(10, 20)
			l.uncovered(0, 10)
			l.read(10, 20, b, b, 0)
		},
		"bytes are read that were never seen": func(l *line) {
			l.uncovered(0, 10)
			b := l.data(10, 20)
			l.uncovered(10, 20) // may have waited
			l.ack(20)
			_ = b
			c := l.data(20, 30)
			l.read(20, 30, c, c, 0)
		},
		"what comes after the receive window was shut is late because of this host": func(l *line) {
			a := l.data(0, 10)
			l.shut(10)
			b := l.data(10, 20)
			l.ack(20) // the window is open
			c := l.data(20, 30)
			l.at += 20 * ms
			d := l.data(30, 40)
			l.read(0, 10, d, a, 0)
			l.read(10, 20, d, b, Waited)
			l.read(20, 30, d, c, Waited)
			l.read(30, 40, d, d, 0)
		},
		"a reset means nothing": func(l *line) {
			a := l.data(0, 10)
			l.in(segment{seq: isn + 500, flags: flagRST | flagACK, payload: 10})
			l.read(0, 10, a, a, 0)
			l.uncovered(10, 20)
		},
		"numbers beyond every window are not believed": func(l *line) {
			l.data(1<<30+100, 1<<30+110)
			a := l.data(0, 10)
			l.read(0, 10, a, a, 0)
		},
		"another SYN-ACK is not believed": func(l *line) {
			a := l.data(0, 10)
			l.in(segment{seq: isn + 77, ack: 0, flags: flagSYN | flagACK})
			b := l.data(10, 20)
			l.read(0, 10, b, a, 0)
			l.read(10, 20, b, b, 0)
		},
		"a read that is known to be before the segment": func(l *line) {
			l.data(0, 10)
			if _, _, _, ok := l.f.run(0, 10, Arrival{At: l.at - 5*ms, Read: l.at - 4*ms}); ok {
				l.t.Error("covered by a segment that came later")
			}
		},
	} {
		t.Run(name, func(t *testing.T) { play(newLine(t)) })
	}
}

// shut acknowledges and says that there is no room.
func (l *line) shut(to int) {
	s := segment{ack: isn + 1 + uint32(to), flags: flagACK}
	s.src, s.dst, s.srcPort, s.dstPort = address(1), address(2), ownPort, 80
	l.at += ms
	l.flows.take(&s, true, l.at, 0)
}

// TestFlowSends: a byte leaves when it is seen for the first time, and is
// acknowledged once.
func TestFlowSends(t *testing.T) {
	l := newLine(t)
	send := func(from, to int) Nanos {
		l.out(segment{seq: ownBase + uint32(from), flags: flagACK, ack: isn + 1, payload: to - from})
		return l.at
	}
	acked := func(to int) Nanos {
		l.in(segment{seq: isn + 1, flags: flagACK, ack: ownBase + uint32(to)})
		return l.at
	}
	find := func(what string, m *marks, offset int64, want Nanos) {
		t.Helper()
		if at, ok := m.find(offset); at != want || ok != (want != 0) {
			t.Errorf("byte %d was %s at %d, %v; want %d", offset, what, at, ok, want)
		}
	}
	first := send(0, 100)
	send(0, 100) // again
	second := send(100, 200)
	send(50, 150)
	for offset, want := range map[int64]Nanos{0: first, 99: first, 100: second, 199: second, 200: 0} {
		find("sent", &l.f.sent, offset, want)
	}
	a := acked(150)
	acked(150)
	b := acked(200)
	acked(5000) // of what was never sent, but may have escaped the capture
	for offset, want := range map[int64]Nanos{0: a, 149: a, 150: b, 199: b} {
		find("acknowledged", &l.f.peerAcked, offset, want)
	}
	l.flows.lost()
	l.data(0, 1) // the connection learns of the loss with its next segment
	send(5000, 5100)
	find("sent", &l.f.sent, 4999, 0)
	find("sent", &l.f.sent, 5099, 0) // perhaps not for the first time
	for i := range len(l.f.sent.last) {
		send(6000+i, 6001+i)
	}
	find("sent", &l.f.sent, 0, 0) // forgotten, not the next that is known
}
