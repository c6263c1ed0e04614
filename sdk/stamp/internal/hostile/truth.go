package hostile

import (
	"slices"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Interval is when something happened: not before From and not after To.
type Interval struct{ From, To stamp.Nanos }

// Piece is a run [From, To) of bytes of the stream that the peer sends; the
// connection's first byte is number 0.
type Piece struct{ From, To int64 }

// sent is one segment that the kernel's TCP accepted.
type sent struct {
	piece Piece
	at    Interval
}

// ledger knows what the kernel has been given, in order of time.
type ledger struct{ sends []sent }

func (l *ledger) add(p Piece, at Interval) {
	if p.To > p.From {
		l.sends = append(l.sends, sent{p, at})
	}
}

// deliverable tells when the byte number last, and all bytes before it, had come;
// false: they never have.
func (l *ledger) deliverable(last int64) (Interval, bool) {
	next := int64(0) // all bytes before have come
	var early []Piece
	for _, s := range l.sends {
		if s.piece.From > next {
			early = append(early, s.piece)
			continue
		}
		next = max(next, s.piece.To)
		for moved := true; moved; {
			moved = false
			early = slices.DeleteFunc(early, func(p Piece) bool {
				if p.From > next {
					return false
				}
				moved = moved || p.To > next
				next = max(next, p.To)
				return true
			})
		}
		if next > last {
			return s.at, true
		}
	}
	return Interval{}, false
}
