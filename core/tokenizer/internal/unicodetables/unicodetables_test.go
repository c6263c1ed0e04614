package unicodetables

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Characters that Unicode 6.0 had keep their properties; Go's tables are another witness.
func TestCategoriesAgreeWithGo(t *testing.T) {
	table := Categories()
	differ := 0
	for r := rune(0); r <= 0xFFFF; r++ {
		name := CategoryNames[table.At(r)]
		if name == "Cn" || 0xD800 <= r && r <= 0xDFFF {
			continue
		}
		if set, ok := unicode.Categories[name]; !ok || !unicode.Is(set, r) {
			differ++
		}
	}
	if differ > 60 {
		t.Errorf("%d characters of the first plane have other categories in Go", differ)
	}
}

func TestProperties(t *testing.T) {
	p := Properties()
	for r, want := range map[rune]uint8{
		' ':      RegexSpace | WhiteSpace,
		0x85:     RegexSpace | WhiteSpace,
		0x200B:   0,
		'a':      RegexWord | WordChar,
		'_':      RegexWord | WordChar | Punctuation,
		'$':      Punctuation,
		'7':      RegexWord | WordChar | Numeric,
		'½':      RegexWord | Numeric,
		0x0301:   RegexWord | WordChar | CombiningMark | NonspacingMark,
		0x0903:   RegexWord | WordChar | CombiningMark,
		0x10FFFF: 0,
	} {
		if got := p.At(r); got != want {
			t.Errorf("%U has the properties %08b, want %08b", r, got, want)
		}
	}
}

func TestTableHoldsEveryCodePoint(t *testing.T) {
	table := NewTable(func(r rune) uint8 { return uint8(r>>13 ^ r) })
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if got := table.At(r); got != uint8(r>>13^r) {
			t.Fatalf("%U has %d", r, got)
		}
	}
}

func TestCategoryRangesCoverTheirCategories(t *testing.T) {
	table := Categories()
	for _, mask := range []uint32{1 << Lu, 1<<Nd | 1<<Nl | 1<<No, 1 << Cn} {
		ranges := CategoryRanges(mask)
		in := 0
		for i := 0; i < len(ranges); i += 2 {
			in += int(ranges[i+1]-ranges[i]) + 1
		}
		want := 0
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if mask>>table.At(r)&1 == 1 {
				want++
			}
		}
		if in != want {
			t.Errorf("mask %b: ranges hold %d code points, want %d", mask, in, want)
		}
	}
}

// Normalization agrees with golang.org/x/text on characters that both know.
func TestNormalizationAgreesWithGo(t *testing.T) {
	z := Normalizer{Tables: Normalizations()}
	for form, other := range map[Form]norm.Form{NFC: norm.NFC, NFD: norm.NFD, NFKC: norm.NFKC, NFKD: norm.NFKD} {
		for _, text := range []string{
			"plain", "é e\u0301 e\u0301\u0323 e\u0323\u0301", "각 \u1100\u1161\u11a8 \uac00\u11a8", "ﬁ ① ½ ﷺ ㎏ Ａ", "\u0344 \u0958 \u2126 \ufb1d",
			"a\u0315\u0300\u05ae\u0300\u0062", "\u0301\u0323 leading marks", "ṩ ǖ ự", "\u1e9b\u0323",
		} {
			var got []rune
			for _, c := range z.Append(nil, text, form) {
				got = append(got, c.Rune)
			}
			if want := other.String(text); string(got) != want {
				t.Errorf("form %d of %q is %q, want %q", form, text, string(got), want)
			}
			if n := z.Tables.Unchanged(text, form); text[:n] != other.String(text)[:n] {
				t.Errorf("form %d of %q: the first %d bytes change", form, text, n)
			}
		}
	}
}
