package openaiwire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks over one JSON text without allocating. It accepts a subset of
// what encoding/json accepts: whatever looks unusual (deep nesting, a float
// where a count is wanted, bytes that are not UTF-8) makes it give up, and the
// caller asks encoding/json. It never accepts what encoding/json refuses.
type scanner struct {
	data []byte
	pos  int
}

// nestingMax is how deep values may nest before the scanner gives up.
const nestingMax = 64

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// next consumes the byte c after spaces.
func (s *scanner) next(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// end tells whether nothing but space is left.
func (s *scanner) end() bool { s.space(); return s.pos == len(s.data) }

func (s *scanner) literal(word string) bool {
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

// null consumes a null where there is one.
func (s *scanner) null() bool { return s.peek() == 'n' && s.literal("null") }

// text is a JSON string as it stands between its quotes.
type text struct {
	raw     []byte
	escaped bool
}

// str consumes a string.
func (s *scanner) str() (text, bool) {
	if !s.next('"') {
		return text{}, false
	}
	start := s.pos
	var t text
	ascii := true
	data := s.data
	for i := start; ; {
		// Eight bytes at a time while none needs a look.
		for i+8 <= len(data) {
			word := binary.LittleEndian.Uint64(data[i:])
			if marks := special(word); marks != 0 {
				i += bits.TrailingZeros64(marks) >> 3
				break
			}
			i += 8
		}
		if i >= len(data) {
			return text{}, false
		}
		switch c := data[i]; {
		case c == '"':
			t.raw = data[start:i]
			s.pos = i + 1
			return t, ascii || utf8.Valid(t.raw)
		case c == '\\':
			t.escaped = true
			width := escapeWidth(data[i:])
			if width == 0 {
				return text{}, false
			}
			i += width
		case c < 0x20:
			return text{}, false
		case c >= utf8.RuneSelf:
			ascii = false
			i++
			for i < len(data) && data[i] >= utf8.RuneSelf {
				i++
			}
		default:
			i++
		}
	}
}

// special marks the high bit of each byte that is a quote, a backslash, a
// control character or not ASCII. A byte above a marked one may be marked
// wrongly, the lowest never.
func special(word uint64) uint64 {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	quote := word ^ ones*'"'
	slash := word ^ ones*'\\'
	return ((word - ones*0x20) | (quote-ones)&^quote | (slash-ones)&^slash | word) & highs
}

// escapeWidth is the length of the escape at the start of b, 0 if it is none.
func escapeWidth(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the \uXXXX at the start of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendTo appends the string's value, escapes resolved as encoding/json does.
func (t text) appendTo(dst []byte) []byte {
	if !t.escaped {
		return append(dst, t.raw...)
	}
	for i := 0; i < len(t.raw); {
		c := t.raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch c := t.raw[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(t.raw[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, ok := hex4(t.raw[i:])
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r = pair
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default: // " \ /
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// count consumes a whole number of at most 18 digits.
func (s *scanner) count() (int64, bool) {
	s.space()
	start := s.pos
	var n int64
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
		s.pos++
	}
	digits := s.pos - start
	if digits == 0 || digits > 18 || digits > 1 && s.data[start] == '0' {
		return 0, false
	}
	if s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '.', 'e', 'E':
			return 0, false
		}
	}
	return n, true
}

// number consumes any number.
func (s *scanner) number() bool {
	digits := func() bool {
		start := s.pos
		for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
			s.pos++
		}
		return s.pos > start
	}
	at := func(a, b byte) bool {
		if s.pos < len(s.data) && (s.data[s.pos] == a || s.data[s.pos] == b) {
			s.pos++
			return true
		}
		return false
	}
	at('-', '-')
	if !at('0', '0') && !digits() {
		return false
	}
	if at('.', '.') && !digits() {
		return false
	}
	if at('e', 'E') {
		at('+', '-')
		return digits()
	}
	return true
}

// skip consumes any value.
func (s *scanner) skip() bool { return s.skipWithin(nestingMax) }

func (s *scanner) skipWithin(depth int) bool {
	if depth == 0 {
		return false
	}
	switch s.peek() {
	case '"':
		_, ok := s.str()
		return ok
	case '{':
		return s.object(func(text) bool { return s.skipWithin(depth - 1) })
	case '[':
		return s.array(func() bool { return s.skipWithin(depth - 1) })
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

// object consumes an object; each is called with a key, before the value,
// which it consumes. A key with escapes makes the scanner give up.
func (s *scanner) object(each func(key text) bool) bool {
	if !s.next('{') {
		return false
	}
	if s.next('}') {
		return true
	}
	for {
		key, ok := s.str()
		if !ok || key.escaped || !s.next(':') || !each(key) {
			return false
		}
		if s.next(',') {
			continue
		}
		return s.next('}')
	}
}

// array consumes an array; each consumes one element.
func (s *scanner) array(each func() bool) bool {
	if !s.next('[') {
		return false
	}
	if s.next(']') {
		return true
	}
	for {
		if !each() {
			return false
		}
		if s.next(',') {
			continue
		}
		return s.next(']')
	}
}

// elements consumes an array, or null, and returns how many elements it has.
func (s *scanner) elements() (int, bool) {
	if s.null() {
		return 0, true
	}
	n := 0
	ok := s.array(func() bool { n++; return s.skip() })
	return n, ok
}
