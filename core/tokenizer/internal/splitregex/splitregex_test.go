package splitregex

import (
	"slices"
	"strings"
	"testing"
)

// all returns the matches of a pattern in s.
func all(t *testing.T, pattern, s string) []string {
	t.Helper()
	re, err := Compile(pattern)
	if err != nil {
		t.Fatalf("%q: %v", pattern, err)
	}
	out := []string{}
	for at, last := 0, -1; ; {
		lo, hi, ok := re.Find(s, at, last)
		if !ok {
			return out
		}
		out = append(out, s[lo:hi])
		at, last = hi, hi
	}
}

func TestFind(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, text string
		want          []string
	}{
		"literal":                {`ab`, "abxab", []string{"ab", "ab"}},
		"the first alternative":  {`a|ab`, "ab", []string{"a"}},
		"greedy":                 {`a+`, "aaab", []string{"aaa"}},
		"lazy":                   {`a+?`, "aaa", []string{"a", "a", "a"}},
		"lazy up to something":   {`a.*?c`, "abcabbc", []string{"abc", "abbc"}},
		"counted":                {`\d{1,3}`, "1234567", []string{"123", "456", "7"}},
		"counted groups":         {`(?:ab){2,3}`, "ababababab", []string{"ababab", "abab"}},
		"counted lazy groups":    {`(?:ab){1,}?c`, "ababc", []string{"ababc"}},
		"braces as text":         {`a{x`, "a{x", []string{"a{x"}},
		"possessive":             {`a++a|b`, "aaab", []string{"b"}},
		"possessive groups":      {`(?:ab)*+ab|c`, "ababc", []string{"c"}},
		"atomic":                 {`(?>a|ab)c|b`, "abc", []string{"b"}},
		"a look ahead":           {`\s+(?!\S)|\s`, "a   b", []string{"  ", " "}},
		"a look ahead that asks": {`a(?=b)`, "abac", []string{"a"}},
		"a look behind":          {`(?<=\d)[.,]`, "1,2 ,3.", []string{",", "."}},
		"a look behind that not": {`(?<!x|yy)a`, "axayyaza", []string{"a", "a"}},
		"any case":               {`(?i:'s)`, "'S'ſ's", []string{"'S", "'ſ", "'s"}},
		"any case to the end":    {`a(?i)b|c`, "aBACaC", []string{"aB", "aC"}},
		"case back on":           {`(?i:a(?-i:b))`, "AbAB", []string{"Ab"}},
		"nested classes":         {`[^(\s|[.,])]+`, "ab (c.d", []string{"ab", "c", "d"}},
		"intersections":          {`[\p{L}&&[^a-c]]+`, "abcdef日", []string{"def日"}},
		"posix":                  {`[[:digit:][:^alpha:]]+`, "a1-b", []string{"1-"}},
		"a bracket in a class":   {`[]a]+`, "]a[", []string{"]a"}},
		"a hyphen in a class":    {`[a-c-]+`, "a-cd", []string{"a-c"}},
		"properties":             {`\p{Lu}\P{L}|\p{^L}`, "A1b2", []string{"A1", "2"}},
		"scripts":                {`\p{Han}+`, "a漢字b", []string{"漢字"}},
		"code points":            {`\x41\x{65E5}\u0062`, "A日b", []string{"A日b"}},
		"anchors":                {`^b|b$|\Aa|c\z`, "ab\nbc", []string{"a", "b", "b", "c"}},
		"word boundaries":        {`\bw\w*`, "wo ow été wé", []string{"wo", "wé"}},
		"line ends":              {`\R`, "a\r\nb\n\u2028", []string{"\r\n", "\n", "\u2028"}},
		"empty matches":          {`x*`, "axb", []string{"", "x", ""}},
		"loops of nothing":       {`(?:a*)*b`, "aab", []string{"aab"}},
		"comments and blanks":    {"(?x) a b # c\n(?#d) e", "abe", []string{"abe"}},
		"dots":                   {`.+`, "ab\ncd", []string{"ab", "cd"}},
		"dots over lines":        {`(?m:.+)`, "ab\ncd", []string{"ab\ncd"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := all(t, c.pattern, c.text); !slices.Equal(got, c.want) {
				t.Errorf("%q in %q: %q, want %q", c.pattern, c.text, got, c.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		`(a`:                         "a group is not closed",
		`a)`:                         "a closing parenthesis without an opening one",
		`[a`:                         "a class is not closed",
		`[b-a]`:                      "the range b-a is empty",
		`*a`:                         `'*' has nothing to repeat`,
		`^*`:                         "a quantifier after an anchor",
		`(a)\1`:                      `\1 is not supported`,
		`\p{Klingon}`:                `the property "Klingon" is not known`,
		`(?<=a+)b`:                   "a look-behind without a fixed length",
		`a\`:                         "the pattern ends in a backslash",
		`(?~a)`:                      "groups of the kind (?~ are not supported",
		strings.Repeat("(", 500):     "nest deeper than 100",
		"((((a{500}b){900}){900}))":  "repeats too much",
		"(ab){5000}":                 "repeated more than 1000 times",
		"\xff":                       "not UTF-8",
		strings.Repeat("a", 1<<16+1): "longer than 65536",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want one with %q", pattern, err, want)
		}
	}
}

// A pattern of exponential cost ends without a match.
func TestStepsAreBounded(t *testing.T) {
	re, err := Compile(`(?:a|aa)+b`)
	if err != nil {
		t.Fatal(err)
	}
	if lo, hi, ok := re.Find(strings.Repeat("a", 5000), 0, -1); ok {
		t.Errorf("matched %d to %d", lo, hi)
	}
}
