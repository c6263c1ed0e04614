// Package unicodetables answers questions about code points the way Hugging Face's Rust
// tokenizers library answers them. The library is built from crates that carry different
// Unicode versions, none of which need be Go's; see generate.py, which asked it about every
// code point and wrote tables.go.
//
// Everything here is immutable and safe for concurrent use.
package unicodetables

import (
	"strings"
	"sync"
	"unicode/utf8"
)

//go:generate sh -c "python3 generate.py > tables.go && gofmt -w tables.go"

// General categories by the regular-expression engine, in generate.py's order.
const (
	Cn = iota
	Lu
	Ll
	Lt
	Lm
	Lo
	Mn
	Mc
	Me
	Nd
	Nl
	No
	Pc
	Pd
	Ps
	Pe
	Pi
	Pf
	Po
	Sm
	Sc
	Sk
	So
	Zs
	Zl
	Zp
	Cc
	Cf
	Co
	Cs // no text holds surrogates; the name is known to patterns
	numCategories
)

// CategoryNames are the two-letter names, indexed by category.
var CategoryNames = [numCategories]string{
	"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps",
	"Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cs",
}

// A Table gives a small number for every code point, in two memory reads.
type Table struct {
	index  [0x1100]uint16
	blocks [][256]uint8
}

// At returns the number of r; r must be a Unicode code point.
func (t *Table) At(r rune) uint8 {
	return t.blocks[t.index[uint32(r)>>8]][uint8(r)]
}

// NewTable builds a table from f, called once for each code point.
func NewTable(f func(r rune) uint8) *Table {
	t := &Table{}
	seen := map[[256]uint8]uint16{}
	var block [256]uint8
	for hi := range t.index {
		for lo := range block {
			block[lo] = f(rune(hi<<8 | lo))
		}
		n, ok := seen[block]
		if !ok {
			n = uint16(len(t.blocks))
			seen[block] = n
			t.blocks = append(t.blocks, block)
		}
		t.index[hi] = n
	}
	return t
}

// fill calls set for each code point of the ranges first, last.
func fill(ranges []uint32, set func(r rune)) {
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			set(rune(r))
		}
	}
}

// Categories is the general category of each code point.
var Categories = sync.OnceValue(func() *Table {
	i := -1
	return NewTable(func(r rune) uint8 {
		for i+1 < len(categoryRanges) && categoryRanges[i+1]>>5 <= uint32(r) {
			i++
		}
		return uint8(categoryRanges[i] & 31)
	})
})

// Bits of Properties.
const (
	RegexSpace     = 1 << iota // \s of the regular-expression engine
	RegexWord                  // \w of the regular-expression engine
	WhiteSpace                 // char::is_whitespace
	WordChar                   // \w of the crate regex
	Numeric                    // char::is_numeric
	Punctuation                // ASCII punctuation or UnicodeCategories::is_punctuation
	CombiningMark              // is_combining_mark of unicode_normalization
	NonspacingMark             // UnicodeCategories::is_mark_nonspacing
)

// Properties is the set of the bits above for each code point.
var Properties = sync.OnceValue(func() *Table {
	bits := make([]uint8, utf8.MaxRune+1)
	for i, set := range [][]uint32{
		regexSpace, regexWord, whiteSpace, wordChar, numeric, punctuation, combiningMark, nonspacingMark,
	} {
		fill(set, func(r rune) { bits[r] |= 1 << i })
	}
	return NewTable(func(r rune) uint8 { return bits[r] })
})

// Bits of BertClasses.
const (
	BertDropped = 1 << iota // removed by clean_text
	BertSpace               // made a space by clean_text
	BertChinese             // set apart by handle_chinese_chars
)

// BertClasses is what BERT's normalizer asks of each code point.
var BertClasses = sync.OnceValue(func() *Table {
	bits := make([]uint8, utf8.MaxRune+1)
	fill(bertDropped, func(r rune) { bits[r] |= BertDropped })
	fill(bertSpace, func(r rune) { bits[r] |= BertSpace })
	// The CJK blocks that BERT's reference tokenizer lists.
	fill([]uint32{
		0x4E00, 0x9FFF, 0x3400, 0x4DBF, 0x20000, 0x2A6DF, 0x2A700, 0x2B73F,
		0x2B740, 0x2B81F, 0x2B920, 0x2CEAF, 0xF900, 0xFAFF, 0x2F800, 0x2FA1F,
	}, func(r rune) { bits[r] |= BertChinese })
	return NewTable(func(r rune) uint8 { return bits[r] })
})

// SplitScripts numbers the scripts that the pre-tokenizer UnicodeScripts tells apart;
// 0 is a character that belongs with any.
var SplitScripts = sync.OnceValue(func() *Table {
	script := make([]uint8, utf8.MaxRune+1)
	for i := 0; i+2 < len(splitScripts); i += 3 {
		for r := splitScripts[i]; r <= splitScripts[i+1]; r++ {
			script[r] = uint8(splitScripts[i+2])
		}
	}
	return NewTable(func(r rune) uint8 { return script[r] })
})

// Property returns the code points of a script or another property, as the regular-expression
// engine has it, as first, last pairs. Case, spaces, hyphens and underscores of the name do not
// count.
func Property(name string) ([]uint32, bool) {
	r, ok := scriptRanges[strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(name))]
	return r, ok
}

// RegexSpaces is \s of the regular-expression engine, as first, last pairs.
func RegexSpaces() []uint32 { return regexSpace }

// RegexWords is its \w.
func RegexWords() []uint32 { return regexWord }

// CategoryRanges returns the code points of the categories in mask (1<<Lu | …) as first, last
// pairs.
func CategoryRanges(mask uint32) []uint32 {
	var out []uint32
	for i, x := range categoryRanges {
		if mask>>(x&31)&1 == 0 {
			continue
		}
		last := uint32(utf8.MaxRune)
		if i+1 < len(categoryRanges) {
			last = categoryRanges[i+1]>>5 - 1
		}
		if n := len(out); n > 0 && out[n-1]+1 == x>>5 {
			out[n-1] = last
		} else {
			out = append(out, x>>5, last)
		}
	}
	return out
}

// parseMap reads the records that generate.py's emit_map writes.
func parseMap(records string) map[rune]string {
	m := make(map[rune]string, len(records)/8)
	for records != "" {
		r, n := utf8.DecodeRuneInString(records)
		end := strings.IndexRune(records, '\uffff')
		m[r] = records[n:end]
		records = records[end+len("\uffff"):]
	}
	return m
}

// Lowercase maps each code point that has another lower case to it.
var Lowercase = sync.OnceValue(func() map[rune]string { return parseMap(lowercase) })
