package simulator

import (
	"encoding/json"
	"strings"
	"unicode/utf16"
)

// defaultWords have four bytes each, so that the default of Config.CountTokens
// counts an answer as the engine does.
func defaultWords() []string {
	words := strings.Fields(`
		and the for are but not you all any can had her was one our out day get has him his how man new now old
		see two way who boy did its let put say she too use air arm art ask bad bag bar bay bed bet big bit box
		bus buy car cat cup cut dog dry ear eat egg end eye far few fig fly fog fun gap gas hat hen hot ice ink
		jam jar job joy key kid lab lap law leg lid lip log lot low mad map mix mud net nod nut oak oar odd oil
		owl own pan pay pen pet pie pin pot ran raw red rib rim row rub run sad sea set sip sit six sky son sun
		tap tax tea ten tie tin tip toe top toy try van vet war wax web wet win yes yet zip zoo`)
	for i, w := range words {
		words[i] = " " + w
	}
	return words
}

// unicodeWords have letters of two, three and four bytes, a combining mark and a
// joined emoji.
func unicodeWords() []string {
	return []string{" Über", " größe", "日本", "語", " привет", " мир", "🙂", " 👩‍🚀", " e\u0301te\u0301", " ελλάς", "한국", " ½", " “q”", " नमस्ते"}
}

// word is a token's text with its forms in JSON, quotes included.
type word struct{ plain, quoted, ascii string }

func makeWords(texts []string) []word {
	words := make([]word, len(texts))
	for i, t := range texts {
		words[i] = word{plain: t, quoted: quote(t), ascii: quoteASCII(t)}
	}
	return words
}

// quote is text as a JSON string without the escapes that are meant for HTML.
func quote(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(err) // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// quoteASCII is text as a JSON string in which all but ASCII is escaped, as
// Python's json.dumps does by default.
func quoteASCII(text string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	escape := func(u uint16) {
		b.WriteString(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			b.WriteByte(hex[u>>shift&0xf])
		}
	}
	for _, r := range quote(text) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escape(uint16(high))
			escape(uint16(low))
		default:
			escape(uint16(r))
		}
	}
	return b.String()
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, OOPSLA 2014): a hash of one number.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// draw is a number in [0, 1) that is a function of its seeds.
func draw(seeds ...uint64) float64 {
	h := uint64(0)
	for _, s := range seeds {
		h = mix(h ^ s)
	}
	return float64(h>>11) / (1 << 53)
}

// speaker says the words of one choice: the k-th is a function of the seed.
type speaker struct {
	words []word
	seed  uint64
}

func (s speaker) word(token int) word {
	return s.words[mix(s.seed+uint64(token))%uint64(len(s.words))]
}

// say joins the words of the tokens first to last, the first of all being 1.
func (s speaker) say(first, last int) string {
	var b strings.Builder
	for k := first; k <= last; k++ {
		b.WriteString(s.word(k).plain)
	}
	return b.String()
}
