package hostile

import (
	"bytes"
	"math"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// answers serves any number of requests on a connection with one script after
// the other and hands on what is true of each answer.
func answers(truths chan<- truth, scripts ...func(s *Stream)) func(s *Stream) {
	return func(s *Stream) {
		for _, script := range scripts {
			if !s.Request() {
				return
			}
			script(s)
			end := s.Put(End)
			time.Sleep(tick)
			s.Send(end)
			truths <- known(s)
		}
	}
}

// either is a verdict for n events that may all be flagged.
func either(n int) string { return strings.Repeat("?", n) }

// exactUnder is a verdict for n events, none flagged under the packet clock.
func exactUnder(clock stamp.Clock, n int) string {
	if clock == stamp.ClockPacket {
		return strings.Repeat(".", n)
	}
	return either(n)
}

func TestKeepAlive(t *testing.T) {
	network := Open(t)
	names := []string{"an event a segment", "a lost segment", "a reader stopped for 200 ms", "reordering", "an event a segment"}
	for _, w := range all {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				var scripts []func(*Stream)
				for _, name := range names {
					scripts = append(scripts, hostileCases[name].script)
				}
				truths := make(chan truth, 1)
				// The numbers wrap within the third answer.
				v4, v6 := network.Listen(t, Listen{
					Serve: Scripted(t, w.config(), answers(truths, scripts...)), Selective: w.selective,
					FirstSeq: func(int) uint32 { return math.MaxUint32 - 1100 },
				})
				c := client(t, clock)
				for i, name := range names {
					tc := hostileCases[name]
					got := fetch(t, c, asking{way: w, v4: v4, v6: v6, body: []byte("{}"), late: tc.late})
					if got == nil {
						return
					}
					want := tc.socket
					if got.x.Clock == stamp.ClockPacket {
						want = tc.packet
					}
					is := <-truths
					judge(t, is, got, want)
					judgeLeft(t, is, got)
					timedBy(t, got, clock, false)
					if got.x.Connect.Reused != (i > 0) {
						t.Errorf("request %d: connection reused: %v", i, got.x.Connect.Reused)
					}
				}
			})
		})
	}
}

// TestPortReuse: connections with the same addresses and ports, one after the
// other, whose numbers overlap.
func TestPortReuse(t *testing.T) {
	network := Open(t)
	eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
		const connections = 4
		truths := make(chan truth, 1)
		var ports []uint16
		firsts := []uint32{5000, 4900, 5100, math.MaxUint32 - 50}
		v4, v6 := network.Listen(t, Listen{
			FirstSeq: func(connection int) uint32 { return firsts[connection%len(firsts)] },
			Before:   func(c *Conn) { ports = append(ports, c.flow.client.Port()) },
			Serve: Scripted(t, nil, func(s *Stream) {
				if !s.Request() {
					return
				}
				s.Send(s.Put(Head))
				e := events(s, 5)
				paced(s, tick, e[0], e[2], e[1], e[3], e[4])
				s.Send(s.Put(End))
				s.End() // before the client does, which then does not keep the port
				truths <- known(s)
			}),
		})
		c := clientOf(t, httpclient.Options{Clock: clock, LocalPortFirst: 40100, LocalPortLast: 40100})
		for range connections {
			got := fetch(t, c, asking{v4: v4, v6: v6, body: []byte("{}"), fresh: true, late: map[int]time.Duration{5: 10 * time.Millisecond}})
			if got == nil {
				return
			}
			is := <-truths
			judge(t, is, got, exactUnder(got.x.Clock, 5))
			judgeLeft(t, is, got)
			timedBy(t, got, clock, false)
			time.Sleep(2 * tick)
		}
		for _, port := range ports {
			if port != 40100 || len(ports) != connections {
				t.Errorf("the client dialled from ports %v", ports)
				break
			}
		}
	})
}

// TestSlowUplink: the last byte of a large request leaves long after it was
// handed to the kernel.
func TestSlowUplink(t *testing.T) {
	network := Open(t)
	for _, w := range []way{plain, sack6, tls13} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				truths := make(chan truth, 1)
				v4, v6 := network.Listen(t, Listen{WindowBytes: 64 << 10, Selective: w.selective, Serve: Scripted(t, w.config(), func(s *Stream) {
					s.Silent(true)
					whole := make(chan struct{})
					var acking sync.WaitGroup
					acking.Go(func() { // 6 MB/s
						for {
							select {
							case <-whole:
								s.Silent(false)
								s.Ack(math.MaxInt32)
								return
							case <-time.After(tick):
								s.Ack(30 << 10)
							}
						}
					})
					ok := s.Request()
					close(whole)
					acking.Wait()
					if !ok {
						t.Error("the request did not come whole")
						return
					}
					s.Send(s.Put(Head))
					paced(s, tick, events(s, 3)...)
					s.Send(s.Put(End))
					truths <- known(s)
				})})
				got := fetch(t, client(t, clock), asking{way: w, v4: v4, v6: v6, body: bytes.Repeat([]byte("x"), 1<<20)})
				if got == nil {
					return
				}
				is := <-truths
				judge(t, is, got, "...")
				judgeLeft(t, is, got)
				timedBy(t, got, clock, false)
				if upload := got.x.Left.Sub(got.x.SendStart); upload < 100*time.Millisecond {
					t.Errorf("1 MB at 6 MB/s has left after %v", upload)
				}
			})
		})
	}
}

// TestRequestSentAgain: a request leaves when it is sent for the first time.
func TestRequestSentAgain(t *testing.T) {
	network := Open(t)
	eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
		truths := make(chan truth, 1)
		v4, v6 := network.Listen(t, Listen{
			Before: func(c *Conn) { c.Lose(1) },
			Serve: Scripted(t, nil, answers(truths, func(s *Stream) {
				s.Send(s.Put(Head))
				paced(s, tick, events(s, 3)...)
			})),
		})
		got := fetch(t, client(t, clock), asking{v4: v4, v6: v6, body: []byte("{}")})
		if got == nil {
			return
		}
		is := <-truths
		judge(t, is, got, "...")
		judgeLeft(t, is, got)
		timedBy(t, got, clock, false)
		if n := is.stream.Times(is.requestEnd - 1); n < 2 {
			t.Errorf("the request was sent %d times", n)
		}
		if got.x.Retransmits < 1 {
			t.Errorf("%d retransmissions are reported", got.x.Retransmits)
		}
	})
}

// TestWindowExhausted: the peer sends beyond what a stopped reader's kernel has
// room for, and sends again what was refused.
func TestWindowExhausted(t *testing.T) {
	network := Open(t)
	for _, w := range bare {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				const size = 4000 // of an event, about
				truths := make(chan truth, 1)
				v4, v6 := network.Listen(t, Listen{Selective: w.selective, Serve: Scripted(t, nil, answers(truths, func(s *Stream) {
					s.Send(s.Put(Head))
					time.Sleep(2 * tick)
					text := strings.Repeat("x", size)
					for beyond := 0; beyond < 8; {
						e := s.Event(text)
						if e.To > s.Edge() {
							time.Sleep(time.Millisecond) // it may be on its way
							if e.To > s.Edge() {
								beyond++
							}
						}
						s.SendDoubtful(e, segmentMax)
					}
					next := s.Settle(100 * time.Millisecond)
					if next >= s.Size() {
						t.Error("the window was never exhausted")
					}
					for _, p := range (Piece{next, s.Size()}).cut(size) {
						s.WaitEdge(p.To)
						time.Sleep(time.Millisecond)
						s.Send(p)
					}
				}))})
				got := fetch(t, client(t, clock), asking{way: w, v4: v4, v6: v6, late: map[int]time.Duration{1: 400 * time.Millisecond}})
				if got == nil {
					return
				}
				is := <-truths
				judge(t, is, got, exactUnder(got.x.Clock, len(is.completed)))
				timedBy(t, got, clock, false)
			})
		})
	}
}

// TestWindowShut: the peer waits for room in the window of a stopped reader, so
// that what it sends then is late because of this host.
func TestWindowShut(t *testing.T) {
	network := Open(t)
	eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
		const size = 4000 // of an event, about
		truths := make(chan truth, 1)
		firstLate := -1
		v4, v6 := network.Listen(t, Listen{Serve: Scripted(t, nil, answers(truths, func(s *Stream) {
			s.Send(s.Put(Head))
			time.Sleep(2 * tick)
			text := strings.Repeat("x", size)
			for n := 0; firstLate < 0 || n < firstLate+3; n++ {
				e := s.Event(text)
				s.WaitAcked(e.From) // the window is as it was told last
				if firstLate < 0 && e.To > s.Edge() {
					// What is left of the window is used, or the kernel would not
					// have to say that it has none.
					rest := Piece{e.From, max(s.Edge(), e.From)}
					s.Send(rest)
					e.From = rest.To
					firstLate = n
				}
				s.WaitEdge(e.To - 1)
				s.Send(e)
			}
		}))})
		got := fetch(t, client(t, clock), asking{v4: v4, v6: v6, late: map[int]time.Duration{1: 600 * time.Millisecond}})
		if got == nil {
			return
		}
		is := <-truths
		judge(t, is, got, exactUnder(got.x.Clock, len(is.completed)))
		timedBy(t, got, clock, false)
		for i, at := range got.events {
			// How long those after it are late because of that is not known.
			if late := at.Flags&stamp.Waited != 0; got.x.Clock == stamp.ClockPacket && i <= firstLate && late != (i == firstLate) {
				t.Errorf("event %d, of which number %d had to wait for the window, has flags %b", i, firstLate, at.Flags)
			}
		}
	})
}

// TestAllProcessorsBusy: the client's threads wait for a processor with others
// that never sleep.
func TestAllProcessorsBusy(t *testing.T) {
	network := Open(t)
	eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
		const streams, each = 8, 30
		script := func(s *Stream) {
			s.Send(s.Put(Head))
			paced(s, tick, events(s, each)...)
		}
		c := client(t, clock)
		hogs(t, 2*runtime.NumCPU())
		var group sync.WaitGroup
		for range streams {
			truths := make(chan truth, 1)
			v4, v6 := network.Listen(t, Listen{Serve: Scripted(t, nil, answers(truths, script))})
			group.Go(func() {
				got := fetch(t, c, asking{v4: v4, v6: v6, body: []byte("{}")})
				if got == nil {
					return
				}
				is := <-truths
				judge(t, is, got, exactUnder(got.x.Clock, each))
				judgeLeft(t, is, got)
				timedBy(t, got, clock, false)
			})
		}
		group.Wait()
	})
}

// hogs keep processors busy until the test ends.
func hogs(t *testing.T, n int) {
	t.Helper()
	for range n {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			hog.Process.Kill()
			hog.Wait()
		})
	}
}
