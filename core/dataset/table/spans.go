package table

import "encoding/binary"

// spans is a list of pieces of a file, ascending and apart: for each the gap
// since the last one's end and its length, in variable-length integers; every
// spanBlock pieces the place in the file and in the list are written down.
type spans struct {
	n     int
	end   int64 // of the last piece
	code  []byte
	marks []spanMark
}

type spanMark struct {
	offset int64 // where the gap of the block's first piece is counted from
	at     int   // in code
}

// spanBlock is how many pieces are walked through, at most, to find one.
const spanBlock = 64

// add appends a piece; start is not before the end of the last one.
func (s *spans) add(start, length int64) {
	if s.n%spanBlock == 0 {
		s.marks = append(s.marks, spanMark{s.end, len(s.code)})
	}
	gap := uint64(start - s.end)
	// Most gaps are one byte, the end of a line: that case takes the length
	// alone, with a bit that tells it from the others.
	if gap == 1 {
		s.code = binary.AppendUvarint(s.code, uint64(length)<<1)
	} else {
		s.code = binary.AppendUvarint(s.code, uint64(length)<<1|1)
		s.code = binary.AppendUvarint(s.code, gap)
	}
	s.end = start + length
	s.n++
}

// at returns piece i.
func (s *spans) at(i int) (start, length int64) {
	mark := s.marks[i/spanBlock]
	code, end := s.code[mark.at:], mark.offset
	for range i%spanBlock + 1 {
		v, n := binary.Uvarint(code)
		code = code[n:]
		gap := uint64(1)
		if v&1 == 1 {
			gap, n = binary.Uvarint(code)
			code = code[n:]
		}
		start, length = end+int64(gap), int64(v>>1)
		end = start + length
	}
	return start, length
}
