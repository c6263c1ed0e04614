package tokenizer

import "unicode/utf8"

// byteToRune is GPT-2's printable stand-in for each byte: itself where it prints, else the next
// free character from U+0100.
var byteToRune = func() (table [256]rune) {
	next := rune(0x100)
	for b := range table {
		r := rune(b)
		if '!' <= r && r <= '~' || 0xA1 <= r && r <= 0xAC || 0xAE <= r && r <= 0xFF {
			table[b] = r
		} else {
			table[b] = next
			next++
		}
	}
	return table
}()

// runeToByte is its inverse; -1 for other characters.
var runeToByte = func() (table [0x144]int16) {
	for i := range table {
		table[i] = -1
	}
	for b, r := range byteToRune {
		table[r] = int16(b)
	}
	return table
}()

// appendBytes appends the bytes that a ByteLevel token stands for, or the token itself where
// one of its characters stands for none.
func appendBytes(dst []byte, token string) []byte {
	before := len(dst)
	for i := 0; i < len(token); {
		r, n := utf8.DecodeRuneInString(token[i:])
		if int(r) >= len(runeToByte) || runeToByte[r] < 0 {
			return append(dst[:before], token...)
		}
		dst = append(dst, byte(runeToByte[r]))
		i += n
	}
	return dst
}
