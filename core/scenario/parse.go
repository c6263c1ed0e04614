package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error says why a text is no scenario. It is one line.
type Error struct {
	Text       string
	Reason     string
	Suggestion string // a scenario that may have been meant; "" for none
}

// Error is the reason and, where there is one, the suggestion.
func (e *Error) Error() string {
	text := fmt.Sprintf("traffic scenario %q: %s", e.Text, e.Reason)
	if e.Suggestion != "" {
		text += fmt.Sprintf(" (did you mean %s?)", e.Suggestion)
	}
	return text
}

// Parse reads one scenario. The error is an *Error.
func Parse(text string) (Scenario, error) {
	s, err := parse(text)
	if err != nil {
		return Scenario{}, &Error{Text: text, Reason: err.Error(), Suggestion: suggest(text)}
	}
	return s, nil
}

// ParseAll reads a list of scenarios and returns all errors, not the first.
// A scenario that stands there twice is an error: its second run would
// overwrite the files of the first.
func ParseAll(texts []string) ([]Scenario, error) {
	var errs []error
	scenarios := make([]Scenario, 0, len(texts))
	for _, text := range texts {
		s, err := Parse(text)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.Contains(scenarios, s):
			errs = append(errs, &Error{Text: text, Reason: "is given twice"})
		default:
			scenarios = append(scenarios, s)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return scenarios, nil
}

func parse(text string) (Scenario, error) {
	if text == "" {
		return Scenario{}, fmt.Errorf("is empty; write one of %s", allForms())
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }) {
		return Scenario{}, errors.New("spaces are not allowed")
	}
	letters := 0
	for letters < len(text) && (text[letters]|0x20 >= 'a' && text[letters]|0x20 <= 'z') {
		letters++
	}
	kind := Kind(text[:letters])
	if !slices.Contains(kinds(), kind) {
		return Scenario{}, fmt.Errorf("unknown type %q; write one of %s", kind, allForms())
	}
	groups, err := parseGroups(text[letters:])
	if err != nil {
		return Scenario{}, fmt.Errorf("%w; write %s", err, kind.Form())
	}
	s, err := build(kind, groups)
	if err != nil {
		return Scenario{}, err
	}
	return s, nil
}

func allForms() string {
	var forms []string
	for _, k := range kinds() {
		forms = append(forms, k.Form())
	}
	return strings.Join(forms, ", ")
}

// group is "(1,2)", or "1" where it is bare.
type group struct {
	numbers []int
	bare    bool
}

// parseGroups reads groups separated by slashes: "(1,2)/(3,4)", "(1,2)/3".
func parseGroups(text string) ([]group, error) {
	if text == "" {
		return nil, nil
	}
	var groups []group
	for part := range strings.SplitSeq(text, "/") {
		inner, open := strings.CutPrefix(part, "(")
		inner, closed := strings.CutSuffix(inner, ")")
		if open != closed {
			return nil, fmt.Errorf("a bracket is missing in %q", part)
		}
		g := group{bare: !open}
		for field := range strings.SplitSeq(inner, ",") {
			n, err := parseNumber(field)
			if err != nil {
				return nil, err
			}
			g.numbers = append(g.numbers, n)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func parseNumber(field string) (int, error) {
	if field == "" {
		return 0, errors.New("a number is missing")
	}
	for _, c := range []byte(field) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is not a whole number in the digits 0 to 9", field)
		}
	}
	n, err := strconv.Atoi(field)
	if err != nil || n > tokensMax {
		return 0, fmt.Errorf("%s is more than %d", field, tokensMax)
	}
	return n, nil
}

// shape writes groups as their outline: "(2)/(2)" for two bracketed pairs,
// "(2)/1" for a pair and a bare number.
func shape(groups []group) string {
	var parts []string
	for _, g := range groups {
		n := strconv.Itoa(len(g.numbers))
		if !g.bare {
			n = "(" + n + ")"
		}
		parts = append(parts, n)
	}
	return strings.Join(parts, "/")
}

// build checks the groups against the kind and makes the scenario.
func build(kind Kind, groups []group) (Scenario, error) {
	at := func(g, i int) int { return groups[g].numbers[i] }
	pairAt := func(g int) pair { return pair{at(g, 0), at(g, 1)} }
	s := Scenario{kind: kind}
	switch form := string(kind) + shape(groups); form {
	case "D(2)":
		s.input.a, s.output.a = at(0, 0), at(0, 1)
		return s, both(positive("input", s.input.a), positive("output", s.output.a))
	case "P(2)/1":
		s.kind, s.prefix = Constant, at(0, 0)
		s.input.a, s.output.a = at(0, 0)+at(0, 1), at(1, 0)
		if s.prefix == 0 {
			return s, fmt.Errorf("a prefix of 0 is none; write D(%d,%d)", s.input.a, s.output.a)
		}
		return s, both(positive("suffix", at(0, 1)), positive("output", s.output.a))
	case "N(2)/(2)":
		s.input, s.output = pairAt(0), pairAt(1)
		return s, both(positive("mean of the input", s.input.a), positive("mean of the output", s.output.a))
	case "U(2)/(2)":
		s.input, s.output = pairAt(0), pairAt(1)
		return s, both(ordered("input", s.input), ordered("output", s.output))
	case "U(2)":
		s.input, s.output, s.onePair = pair{1, at(0, 0)}, pair{1, at(0, 1)}, true
		return s, both(positive("largest input", s.input.b), positive("largest output", s.output.b))
	case "E(1)", "A(1)":
		s.input.a = at(0, 0)
		return s, positive("size", s.input.a)
	case "R(2)":
		s.input.a, s.output.a = at(0, 0), at(0, 1)
		return s, both(positive("document", s.input.a), positive("query", s.output.a))
	case "I(2)", "I(3)":
		s.input, s.output.a = pairAt(0), 1
		if form == "I(3)" {
			s.output.a = at(0, 2)
		}
		return s, both(
			within("width", s.input.a, pixelsMax), within("height", s.input.b, pixelsMax), within("number of images", s.output.a, imagesMax))
	case "dataset":
		return s, nil
	}
	return s, fmt.Errorf("write %s", kind.Form())
}

// both joins errors into one line.
func both(errs ...error) error {
	var texts []string
	for _, err := range errs {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

func positive(name string, n int) error { return within(name, n, tokensMax) }

func within(name string, n, most int) error {
	if n < 1 || n > most {
		return fmt.Errorf("the %s is %d and must be from 1 to %d", name, n, most)
	}
	return nil
}

func ordered(name string, p pair) error {
	if p.a > p.b {
		return fmt.Errorf("the smallest %s, %d, is more than the largest, %d", name, p.a, p.b)
	}
	return positive("smallest "+name, p.a)
}

// suggest mends the slips that are often made and returns what then parses,
// "" for nothing.
func suggest(text string) string {
	mended := strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			return -1
		case r >= '０' && r <= '９': // full-width digits
			return r - '０' + '0'
		case r == '[' || r == '{' || r == '（':
			return '('
		case r == ']' || r == '}' || r == '）':
			return ')'
		case r == ';' || r == '，' || r == 'x' || r == '×' || r == '*':
			return ','
		}
		return r
	}, text)
	if strings.HasPrefix(strings.ToLower(mended), "dataset") {
		return string(Rows)
	}
	mended = strings.ReplaceAll(mended, "),(", ")/(")
	mended = strings.ReplaceAll(mended, ")(", ")/(")
	mended = strings.ToUpper(mended)
	bare := strings.Map(func(r rune) rune {
		if r == '(' || r == ')' {
			return -1
		}
		return r
	}, mended)
	candidates := []string{mended}
	if bare != "" {
		candidates = append(candidates, bare[:1]+"("+strings.ReplaceAll(bare[1:], "/", ")/(")+")")
		candidates = append(candidates, bare[:1]+"("+strings.ReplaceAll(bare[1:], "/", ",")+")")
	}
	for _, c := range candidates {
		if s, err := parse(c); err == nil {
			return s.String()
		}
	}
	return ""
}
