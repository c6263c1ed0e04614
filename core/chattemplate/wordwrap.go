package chattemplate

import (
	"errors"
	"slices"
	"strings"
	"unicode"
)

// wordWrap is Jinja's wordwrap: textwrap.wrap() of each line. Words break at hyphens between
// letters as textwrap has them; of its rarer rules, that on em dashes is kept too.
func wordWrap(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("wordwrap", 0, "width", "break_long_words", "wrapstring", "break_on_hyphens")
	if err != nil {
		return nil, err
	}
	width, between := 79, "\n"
	if args[0] != missing {
		if width, err = wantInt("wordwrap", args[0]); err != nil {
			return nil, err
		}
	}
	if width <= 0 {
		return nil, errors.New("wordwrap needs a width above 0")
	}
	long, err := flag(args[1], true)
	if err != nil {
		return nil, err
	}
	if args[2] != missing && args[2] != nil {
		if between, err = wantText("wordwrap", args[2]); err != nil {
			return nil, err
		}
	}
	hyphens, err := flag(args[3], true)
	if err != nil {
		return nil, err
	}
	t, err := wantText("wordwrap", v)
	if err != nil {
		return nil, err
	}
	if len(between) > 0 && len(t) > maxTextBytes/len(between)/2 {
		return nil, errTextTooLong
	}
	if err := s.allocate(len(t) * (len(between) + 8)); err != nil {
		return nil, err
	}
	var lines []string
	for _, line := range splitLines(t, false) {
		lines = append(lines, strings.Join(wrapLine(line, width, long, hyphens), between))
	}
	return wrap(v, strings.Join(lines, between)), nil
}

// isWrapSpace is the white space of textwrap: ASCII's.
func isWrapSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// wrapChunks cuts a line into words, blanks, and the parts of words that hyphens and dashes divide.
func wrapChunks(line []rune, hyphens bool) [][]rune {
	var chunks [][]rune
	for i := 0; i < len(line); {
		j := i + 1
		if isWrapSpace(line[i]) {
			for j < len(line) && isWrapSpace(line[j]) {
				j++
			}
		} else {
			for j < len(line) && !isWrapSpace(line[j]) && !(hyphens && breaksAt(line, i, j)) {
				j++
			}
		}
		chunks = append(chunks, line[i:j])
		i = j
	}
	return chunks
}

// breaksAt tells whether a word that starts at i may be divided before j.
func breaksAt(line []rune, i, j int) bool {
	isLetter := func(k int) bool {
		return k >= 0 && k < len(line) && (line[k] == '_' || unicode.IsLetter(line[k]))
	}
	isWord := func(k int) bool { return isLetter(k) || k >= 0 && k < len(line) && isNumeric(line[k]) }
	dash := func(k int) bool { return k >= 0 && k < len(line) && line[k] == '-' }
	// A run of two or more dashes between words stands alone.
	if dash(j) && dash(j+1) && !dash(j-1) && (isWord(j-1) || strings.ContainsRune(`!"'&.,?`, line[j-1])) {
		k := j
		for dash(k) {
			k++
		}
		return isWord(k)
	}
	if dash(j-1) && !dash(j) {
		if dash(j - 2) {
			k := j - 1
			for k >= i && dash(k) {
				k--
			}
			return k < i && isWord(j)
		}
		return isLetter(j-2) && isLetter(j-3) && isLetter(j) && isLetter(j+1) ||
			isLetter(j-2) && dash(j-3) && isLetter(j) && isLetter(j+1)
	}
	return false
}

func wrapLine(line string, width int, long, hyphens bool) []string {
	chunks := wrapChunks([]rune(line), hyphens)
	slices.Reverse(chunks)
	blank := func(c []rune) bool { return isWrapSpace(c[0]) && strings.TrimFunc(string(c), isSpace) == "" }
	var lines []string
	for len(chunks) > 0 {
		var current []rune
		top := func() []rune { return chunks[len(chunks)-1] }
		pop := func() { chunks = chunks[:len(chunks)-1] }
		if len(lines) > 0 && blank(top()) {
			pop()
		}
		lastStart := 0
		for len(chunks) > 0 && len(current)+len(top()) <= width {
			lastStart = len(current)
			current = append(current, top()...)
			pop()
		}
		if len(chunks) > 0 && len(top()) > width {
			c := top()
			room := width - len(current)
			switch {
			case long:
				end := room
				if hyphens && len(c) > room {
					if h := lastHyphen(c[:room]); h > 0 {
						end = h + 1
					}
				}
				lastStart = len(current)
				current = append(current, c[:end]...)
				chunks[len(chunks)-1] = c[end:]
			case len(current) == 0:
				current = append(current, c...)
				pop()
			}
		}
		if len(current) > lastStart && blank(current[lastStart:]) {
			current = current[:lastStart]
		}
		if len(current) > 0 {
			lines = append(lines, string(current))
		}
	}
	return lines
}

// lastHyphen returns the last hyphen that something else than hyphens precedes, or -1.
func lastHyphen(c []rune) int {
	for i := len(c) - 1; i > 0; i-- {
		if c[i] == '-' {
			if slices.ContainsFunc(c[:i], func(r rune) bool { return r != '-' }) {
				return i
			}
			return -1
		}
	}
	return -1
}
