package hostile

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// stormSeed lets others be tried: for s in $(seq 100); do go test -run Storm -storm-seed $s; done
var stormSeed = flag.Uint64("storm-seed", 1, "of TestStorm")

// step is a segment of a storm and what becomes of it.
type step struct {
	at      time.Duration
	piece   Piece
	damaged bool
}

// storm cuts a stream at random and loses, damages, delays and repeats what
// comes of it. Every byte comes in the end.
func storm(r *rand.Rand, whole Piece, largest int64) []step {
	var steps []step
	var at time.Duration
	for from := whole.From; from < whole.To; {
		size := 1 + r.Int64N(largest)
		if r.IntN(3) == 0 {
			size = 1 + r.Int64N(60)
		}
		p := Piece{from, min(from+size, whole.To)}
		from = p.To
		at += time.Duration(r.IntN(4000)) * time.Microsecond
		later := at + time.Duration(r.IntN(40_000))*time.Microsecond
		switch r.IntN(16) {
		case 0: // lost
			steps = append(steps, step{at: later, piece: p})
		case 1: // lost after the tap
			steps = append(steps, step{at: at, piece: p, damaged: true}, step{at: later, piece: p})
		case 2: // repeated, and more than that
			again := Piece{max(whole.From, p.From-r.Int64N(largest)), min(whole.To, p.To+r.Int64N(largest))}
			steps = append(steps, step{at: at, piece: p}, step{at: later, piece: again})
		case 3: // overtaken
			steps = append(steps, step{at: at + time.Duration(r.IntN(6000))*time.Microsecond, piece: p})
		default:
			steps = append(steps, step{at: at, piece: p})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// TestStorm: whatever comes together, nothing is silently wrong.
func TestStorm(t *testing.T) {
	network := Open(t)
	const streams = 24
	var packet share
	t.Run("streams", func(t *testing.T) {
		for i := range streams {
			w := all[i%len(all)]
			t.Run(fmt.Sprintf("%d over %s", i, w.name), func(t *testing.T) {
				t.Parallel()
				eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
					got := stormy(t, network, w, clock, uint64(i))
					if got != nil && got.x.Clock == stamp.ClockPacket {
						packet.add(got)
					}
				})
			})
		}
	})
	// Bytes that came more than once may be ambiguous, and little else.
	t.Logf("packet: %d of %d events flagged as inexact", packet.inexact, packet.events)
	if packet.events < streams || 4*packet.inexact > packet.events {
		t.Errorf("packet: %d of %d events are flagged as inexact", packet.inexact, packet.events)
	}
}

// share counts events. It is safe for concurrent use.
type share struct {
	mu              sync.Mutex
	inexact, events int
}

func (s *share) add(got *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range got.events {
		s.events++
		if inexact(got.x.Clock, at.Flags) != 0 {
			s.inexact++
		}
	}
}

// stormy runs one storm.
func stormy(t *testing.T, network *Network, w way, clock backend.ClockChoice, number uint64) *answer {
	const each = 40
	r := rand.New(rand.NewPCG(*stormSeed, number))
	largest := []int64{100, 400, 1400, 6000}[number/uint64(len(all))%4]
	late := make(map[int]time.Duration)
	for e := range each {
		if r.IntN(5) == 0 {
			late[e] = time.Duration(r.IntN(30)) * time.Millisecond
		}
	}
	iss := r.Uint32()
	if r.IntN(2) == 0 {
		iss = ^uint32(0) - uint32(r.IntN(10_000))
	}
	truths := make(chan truth, 1)
	v4, v6 := network.Listen(t, Listen{
		FirstSeq: func(int) uint32 { return iss }, Selective: w.selective,
		Serve: Scripted(t, w.config(), answers(truths, func(s *Stream) {
			whole := Piece{From: s.Size()}
			s.Put(Head)
			for range each {
				s.Event(strings.Repeat("x", 1+r.IntN(int(min(largest, 1400))))) // in all less than a window
			}
			whole.To = s.Size()
			begin := time.Now()
			for _, step := range storm(r, whole, largest) {
				time.Sleep(step.at - time.Since(begin))
				if step.damaged {
					s.SendDamaged(step.piece)
				} else {
					s.Send(step.piece)
				}
			}
		})),
	})
	got := fetch(t, client(t, clock), asking{way: w, v4: v4, v6: v6, body: []byte("{}"), late: late})
	if got == nil {
		return nil
	}
	is := <-truths
	judge(t, is, got, either(each))
	judgeLeft(t, is, got)
	timedBy(t, got, clock, false)
	return got
}
