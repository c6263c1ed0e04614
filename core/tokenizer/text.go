package tokenizer

import "unicode/utf8"

// decodeRune reads the character at s[i]. s must be valid UTF-8, which sanitize assures.
func decodeRune(s string, i int) (rune, int) {
	b := s[i]
	switch {
	case b < 0x80:
		return rune(b), 1
	case b < 0xE0:
		return rune(b&0x1F)<<6 | rune(s[i+1]&0x3F), 2
	case b < 0xF0:
		_ = s[i+2]
		return rune(b&0x0F)<<12 | rune(s[i+1]&0x3F)<<6 | rune(s[i+2]&0x3F), 3
	}
	_ = s[i+3]
	return rune(b&0x07)<<18 | rune(s[i+1]&0x3F)<<12 | rune(s[i+2]&0x3F)<<6 | rune(s[i+3]&0x3F), 4
}

// runeLen is the length of the character that begins with the byte b.
func runeLen(b byte) int {
	switch {
	case b < 0x80:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}

// sanitize returns text as valid UTF-8, using buf where it has to be copied. Each maximal
// subpart of an ill-formed sequence becomes one U+FFFD (Unicode Standard, table 3-8).
func sanitize(text string, buf []byte) (string, []byte) {
	if utf8.ValidString(text) {
		return text, buf
	}
	buf = buf[:0]
	for i := 0; i < len(text); {
		n, ok := validPrefix(text[i:])
		if ok {
			buf = append(buf, text[i:i+n]...)
		} else {
			buf = append(buf, "\uFFFD"...)
		}
		i += n
	}
	return view(buf), buf
}

// validPrefix returns the length of the character at the start of s, or, with false, of the
// maximal ill-formed part.
func validPrefix(s string) (int, bool) {
	if r, n := utf8.DecodeRuneInString(s); r != utf8.RuneError || n > 1 {
		return n, true
	}
	lo, hi, need := byte(0x80), byte(0xBF), 0
	switch b := s[0]; {
	case b < 0xC2 || b > 0xF4:
		return 1, false
	case b < 0xE0:
		need = 1
	case b < 0xF0:
		need = 2
		if b == 0xE0 {
			lo = 0xA0
		} else if b == 0xED {
			hi = 0x9F
		}
	default:
		need = 3
		if b == 0xF0 {
			lo = 0x90
		} else if b == 0xF4 {
			hi = 0x8F
		}
	}
	n := 1
	for ; n <= need && n < len(s) && lo <= s[n] && s[n] <= hi; n++ {
		lo, hi = 0x80, 0xBF
	}
	return n, false
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}
