package stamp

// segments decides from the kernel's counters whether the bytes of one read
// came in one segment, in which case their stamp is that of every one of them.
// The kernel merges segments that wait to be read and keeps only the stamp of
// the last.
type segments struct {
	counted uint32 // data segments whose bytes have all been read, at least
	offset  uint64 // of the next byte to be read
}

// skip accounts for a read of n bytes of which nobody asks in how many segments
// they came.
func (s *segments) skip(n int) { s.offset += uint64(n) }

// take accounts for a read of n bytes. filled: the read filled its buffer.
// segs and received are the kernel's counts of data segments and of bytes in
// order, both taken after the read. Retransmitted and reordered segments make
// segs larger, which errs towards "several".
func (s *segments) take(n int, filled bool, segs uint32, received uint64) (one bool) {
	s.offset += uint64(n)
	fresh := segs - s.counted
	switch {
	case received <= s.offset: // all that came has been read
		s.counted = segs
		return fresh <= 1
	case filled: // the last segment may have been read in part
		return fresh <= 1
	default: // the unread bytes came after the read, in one segment at least
		if fresh > 0 {
			s.counted++
		}
		return fresh <= 2
	}
}
