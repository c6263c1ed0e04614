package tokenizer

import (
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// A postStep is one step of the post-processor.
type postStep struct {
	// trim takes whitespace out of the spans; addPrefix says that the pre-tokenizer had put a
	// space in front.
	trim, addPrefix bool
	// template says what comes before and after the text; nil for just the text.
	template template
}

// A template is a sequence of fixed ids and of the text's own.
type template []templatePiece

type templatePiece struct {
	text   bool
	ids    []uint32
	tokens []string
}

var justText = template{{text: true}}

// within puts the template in place of the text of another.
func (t template) within(outer template) template {
	var all template
	for _, p := range outer {
		if p.text {
			all = append(all, t...)
		} else {
			all = append(all, p)
		}
	}
	return all
}

// postProcess applies the post-processor; without special, only spans change.
func (t *Tokenizer) postProcess(input string, tokens []placedToken, special bool) []placedToken {
	for _, step := range t.post {
		if step.trim {
			trimSpans(input, tokens, step.addPrefix)
		}
		if !special || step.template == nil {
			continue
		}
		var all []placedToken
		for _, p := range step.template {
			if p.text {
				all = append(all, tokens...)
				continue
			}
			for i, id := range p.ids {
				all = append(all, placedToken{id: id, token: p.tokens[i]})
			}
		}
		tokens = all
	}
	return tokens
}

// trimSpans takes leading and trailing blanks, as the tokens spell them, out of the spans.
func trimSpans(input string, tokens []placedToken, addPrefix bool) {
	blank := hasProperty(unicodetables.WhiteSpace)
	is := func(r rune) bool { return r == byteToRune[' '] || blank(r) }
	for i := range tokens {
		tok := &tokens[i]
		lead, trail := 0, 0
		for _, r := range tok.token {
			if !is(r) {
				break
			}
			lead++
		}
		for s := tok.token; s != ""; trail++ {
			r, n := utf8.DecodeLastRuneInString(s)
			if !is(r) {
				break
			}
			s = s[:len(s)-n]
		}
		if lead == 1 && addPrefix && (i == 0 || tok.span.Start == 0) {
			lead = 0 // the space that was put in front
		}
		start, end := tok.span.Start, tok.span.End
		for ; lead > 0 && start < end; lead-- {
			n, _ := validPrefix(input[start:end])
			start += n
		}
		for ; trail > 0 && end > start; trail-- {
			_, n := utf8.DecodeLastRuneInString(input[start:end])
			end -= n
		}
		tok.span = Span{start, end}
	}
}
