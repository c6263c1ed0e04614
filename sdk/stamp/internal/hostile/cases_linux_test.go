package hostile

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

const (
	tick   = 5 * time.Millisecond   // between events
	resend = 200 * time.Millisecond // until a lost segment is sent again
)

// events puts n events and returns their pieces.
func events(s *Stream, n int) []Piece {
	pieces := make([]Piece, n)
	for i := range pieces {
		pieces[i] = s.Event("token " + strconv.Itoa(i))
	}
	return pieces
}

// paced sends pieces with a pause before each.
func paced(s *Stream, pause time.Duration, pieces ...Piece) {
	for _, p := range pieces {
		time.Sleep(pause)
		s.Send(p)
	}
}

func join(p ...Piece) Piece { return Piece{p[0].From, p[len(p)-1].To} }

// wrapAfter makes sequence numbers wrap so many bytes after the head.
func wrapAfter(bytes int) func(int) uint32 {
	first := uint32(1<<32 - len(Head) - bytes)
	return func(int) uint32 { return first }
}

// hostileCase is one answer that is hard to time.
type hostileCase struct {
	script func(s *Stream) // between the request and the answer's end
	socket string          // see judge
	packet string
	late   map[int]time.Duration
	ways   []way // nil: IPv4 without TLS
	first  func(connection int) uint32
	ends   bool // the script sends the answer's end too
	// escapes are the ways in which the capture does not cover some of it.
	escapes []way
	escaped string // what is to come of each event then; the first read that escapes may be flagged to be safe
}

var hostileCases = map[string]hostileCase{
	"an event a segment": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			paced(s, tick, events(s, 5)...)
		},
		socket: ".....", packet: ".....", ways: all,
	},
	"a lost first segment": {
		script: func(s *Stream) {
			head, e := s.Put(Head), events(s, 5)
			paced(s, tick, e...)
			time.Sleep(resend)
			s.Send(head)
		},
		socket: "wwwww", packet: ".....", ways: all,
	},
	"a lost segment": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 6)
			paced(s, tick, e[0], e[2], e[3])
			time.Sleep(resend)
			s.Send(e[1])
			paced(s, 4*tick, e[4], e[5])
		},
		socket: ".www..", packet: "......", ways: all,
	},
	"two lost segments, resent one after the other": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 6)
			paced(s, tick, e[0], e[2], e[4], e[5])
			paced(s, resend/2, e[1], e[3])
		},
		socket: ".wwwww", packet: "......",
	},
	"reordering": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 6)
			paced(s, tick, e[0], e[2], e[1], e[4], e[3], e[5])
		},
		socket: ".????.", packet: "......", ways: all,
	},
	"a drop after the tap": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 4)
			paced(s, tick, e[0])
			s.SendDamaged(e[1])
			time.Sleep(resend / 2)
			paced(s, tick, e[1:]...)
		},
		socket: "....", packet: ".l..", ways: all,
	},
	"a drop after the tap, and what follows comes": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 5)
			paced(s, tick, e[0])
			s.SendDamaged(e[1])
			paced(s, tick, e[2], e[3])
			time.Sleep(resend / 2)
			s.Send(e[1])
			paced(s, 4*tick, e[4])
		},
		socket: ".www.", packet: ".l...",
	},
	"events cut across chunks": {
		script: func(s *Stream) {
			pieces := []Piece{s.Put(Head), s.Put(Chunk("data: a")), s.Put(Chunk("b\n")), s.Ends("1\r\n\n")}
			pieces = append(pieces, s.Put("\r\n"+Chunk("data: \xE2\x82")), s.Put(Chunk("\xAC\n")), s.Ends("1\r\n\n"), s.Put("\r\n"))
			paced(s, tick, pieces...)
		},
		socket: "..", packet: "..", ways: all,
	},
	"events cut across segments": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			whole := join(events(s, 3)...)
			paced(s, tick/2, whole.cut(7)...)
		},
		socket: "...", packet: "...", ways: all,
	},
	"the next chunk's head comes along": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			for i := range 4 {
				text := "data: " + strconv.Itoa(i) + "\n\n"
				if i == 0 {
					s.Send(s.Put("9\r\n"))
				}
				time.Sleep(tick)
				p := s.Ends(text)
				s.Send(join(p, s.Put("\r\n9\r\n")))
			}
			s.Send(s.Put(": comment\r\n"))
		},
		socket: "....", packet: "....",
	},
	"one chunk of several events trickling": {
		script: func(s *Stream) {
			s.Send(s.Put(Head + "24\r\n"))
			for i := range 4 {
				time.Sleep(tick)
				s.Send(s.Ends("data: " + strconv.Itoa(i) + "\n\n"))
			}
			time.Sleep(tick)
			s.Send(s.Put("\r\n"))
		},
		socket: "....", packet: "....", ways: all,
	},
	"a segment with many events": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			for range 3 {
				time.Sleep(tick)
				s.Send(join(events(s, 20)...))
			}
		},
		socket: strings.Repeat(".", 60), packet: strings.Repeat(".", 60), ways: all,
	},
	"sequence numbers wrap": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 8)
			paced(s, tick, e[0], e[1], e[3], e[2])
			paced(s, 4*tick, e[4:]...)
		},
		socket: "..??....", packet: "........", ways: bare,
		first: wrapAfter(60),
	},
	"sequence numbers wrap within an event": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			paced(s, tick, events(s, 3)...)
		},
		socket: "...", packet: "...",
		first: wrapAfter(10),
	},
	"sequence numbers wrap in a hole": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 4)
			paced(s, tick, e[1], e[2])
			time.Sleep(resend / 2)
			s.Send(e[0])
			paced(s, 4*tick, e[3])
		},
		socket: "www.", packet: "....",
		first: wrapAfter(10),
	},
	"a reader stopped for 200 ms": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 7)
			paced(s, tick, e[0])
			time.Sleep(20 * time.Millisecond) // the reader sleeps
			paced(s, tick, e[1:6]...)
			time.Sleep(250 * time.Millisecond)
			s.Send(e[6])
		},
		late:   map[int]time.Duration{1: 200 * time.Millisecond},
		socket: ".bbbbb.", packet: ".......", ways: all,
	},
	"a stopped reader and a lost segment": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 7)
			paced(s, tick, e[0])
			time.Sleep(20 * time.Millisecond)
			paced(s, tick, e[1], e[3], e[4])
			paced(s, 10*tick, e[2])
			paced(s, tick, e[5])
			time.Sleep(250 * time.Millisecond)
			s.Send(e[6])
		},
		late:   map[int]time.Duration{1: 200 * time.Millisecond},
		socket: ".?????.", packet: ".......", ways: []way{plain, tls13},
	},
	"a segment that is sent again because nobody acknowledges it": {
		// The kernel delays its acknowledgement while the reader is stopped, and
		// the peer probes for the loss of the last one (RFC 8985, § 7).
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			warm, e := events(s, 20), events(s, 8)
			paced(s, time.Millisecond, warm...)
			paced(s, tick, e[0])
			time.Sleep(20 * time.Millisecond) // the reader sleeps
			paced(s, 2*tick, e[1])
			paced(s, time.Millisecond, e[2], e[3], e[4])
			paced(s, 2*tick, e[4])
			paced(s, time.Millisecond, e[5], e[6])
			paced(s, 2*tick, e[6])
			time.Sleep(200 * time.Millisecond)
			s.Send(e[7])
		},
		late:   map[int]time.Duration{21: 150 * time.Millisecond},
		socket: either(21) + "bbbbbb.", packet: strings.Repeat(".", 28), ways: []way{sack, sack6, tls13},
	},
	"several segments as one": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 6)
			time.Sleep(tick)
			s.SendCoalesced(e[:3]...)
			paced(s, tick, e[3])
			time.Sleep(tick)
			s.SendCoalesced(e[4:]...)
		},
		// To TCP they are one; how many there were a real card tells the kernel.
		socket: "......", packet: "ccc.cc", ways: all,
	},
	"repeated and overlapping segments": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 5)
			paced(s, tick, e[0], e[0], e[1], join(e[0], e[1]), join(e[1], e[2]), join(e[0], e[3]), e[2], e[4])
		},
		socket: ".....", packet: ".....", ways: bare,
	},
	"an IP datagram in fragments": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 3)
			paced(s, tick, e[0])
			s.SendFragments(e[1], 50*time.Millisecond)
			paced(s, tick, e[2])
		},
		socket: "...", packet: "???", ways: bare, escapes: bare, escaped: ".?.",
	},
	"longer IP headers": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			for _, p := range events(s, 4) {
				time.Sleep(tick)
				s.SendWithOptions(p)
			}
		},
		socket: "....", packet: "????", ways: bare, escapes: []way{plain6, sack6}, escaped: "?...",
	},
	"segments that TCP does not believe": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := events(s, 5)
			paced(s, tick, e[0])
			s.ForgeReset()
			paced(s, tick, e[1])
			s.ForgeSYNACK()
			paced(s, tick, e[2])
			time.Sleep(tick) // the kernel counts segments that it refuses too
			s.SendBeside(e[3], -1<<30)
			s.SendBeside(e[3], 1<<30)
			paced(s, 10*tick, e[3], e[4])
		},
		socket: "..??.", packet: ".....", ways: bare,
	},
	"a reset right after the end": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			time.Sleep(20 * time.Millisecond)
			e := events(s, 2)
			paced(s, 4*tick, e[0], join(e[1], s.Put(End)))
			s.End()
			s.Reset()
		},
		ends: true, late: map[int]time.Duration{0: 100 * time.Millisecond},
		socket: "bb", packet: "..", ways: bare,
	},
	"a connection that ends while its reader is stopped": {
		// The kernel merges the segment that ends the stream with the one before
		// it, and keeps its stamp.
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			time.Sleep(20 * time.Millisecond)
			s.Send(s.Ends(Chunk("data: last\n\n") + End))
			time.Sleep(8 * tick)
			s.End()
		},
		ends: true, late: map[int]time.Duration{0: 100 * time.Millisecond},
		socket: "b", packet: ".", ways: all,
	},
	"the alert that ends TLS is cut": {
		// In TLS 1.2 an alert is visible as such, and crypto/tls waits for the
		// whole of it before it hands out the text in front.
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			e := s.Ends(Chunk("data: last\n\n") + End)
			alert := s.CloseNotify()
			time.Sleep(tick)
			s.Send(Piece{e.From, alert.From + 3})
			time.Sleep(resend / 2)
			s.Send(Piece{alert.From + 3, alert.To})
		},
		ends: true, socket: ".", packet: ".", ways: []way{tls12, tls13},
	},
	"records and events cut everywhere": {
		script: func(s *Stream) {
			s.Send(s.Put(Head))
			whole := join(events(s, 3)...)
			paced(s, tick/2, whole.cut(17)...)
		},
		socket: "...", packet: "...", ways: []way{tls12, tls13},
	},
	"a hole that is filled where a read ends": {
		// The reader's buffer is 4 KiB. What fills the first hole fills it
		// exactly, so that what waited behind comes with another read, and what
		// waits behind the second hole has a stamp from before all that.
		script: func(s *Stream) {
			head := s.Put(Head)
			first := s.Event("first")
			body := "data: " + strings.Repeat("x", 4096-len("xxx\r\n")-len("data: \n\n\r\n")) + "\n\n"
			filler := s.Put(Chunk(body)[:4096-2])
			s.mark(filler.To - 1)
			filler.To = s.Put("\r\n").To
			behind, hole, last := s.Event("behind"), s.Event("hole"), s.Event("last")
			s.Send(head)
			paced(s, tick, last, behind, first)
			paced(s, resend/2, filler, hole)
		},
		socket: "?????", packet: ".....",
	},
}

func TestHostile(t *testing.T) {
	network := Open(t)
	for name, tc := range hostileCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ways := tc.ways
			if ways == nil {
				ways = []way{plain}
			}
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) {
					t.Parallel()
					eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
						one(t, network, w, clock, tc)
					})
				})
			}
		})
	}
}

// TestBridge: each packet counts once, although two devices show it.
func TestBridge(t *testing.T) {
	network := OpenBridged(t)
	for name, tc := range hostileCases {
		ways := tc.ways
		if ways == nil {
			ways = []way{plain}
		}
		for _, w := range ways {
			if w.ipv6 {
				continue
			}
			t.Run(name+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
					one(t, network, w, clock, tc)
				})
			})
		}
	}
}

// one runs a case once.
func one(t *testing.T, network *Network, w way, clock backend.ClockChoice, tc hostileCase) {
	var is truth
	var done sync.WaitGroup
	done.Add(1)
	v4, v6 := network.Listen(t, Listen{FirstSeq: tc.first, Selective: w.selective, Serve: Scripted(t, w.config(), func(s *Stream) {
		defer done.Done()
		if !s.Request() {
			t.Error("no request came")
			return
		}
		tc.script(s)
		if !tc.ends {
			end := s.Put(End)
			time.Sleep(tick)
			s.Send(end)
		}
		is = known(s)
	})})
	got := fetch(t, client(t, clock), asking{way: w, v4: v4, v6: v6, body: []byte(`{"stream":true}`), late: tc.late})
	if got == nil {
		return
	}
	done.Wait()
	escapes := slices.Contains(tc.escapes, w)
	timedBy(t, got, clock, escapes)
	want := tc.socket
	switch {
	case clock == backend.ClockPacket && escapes:
		want = tc.escaped
	case clock == backend.ClockPacket:
		want = tc.packet
	}
	judge(t, is, got, want)
	judgeLeft(t, is, got)
}
