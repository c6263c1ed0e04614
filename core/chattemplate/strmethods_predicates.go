package chattemplate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

var predicates = map[string]func(string) bool{
	"isalpha":      every(unicode.IsLetter),
	"isdigit":      every(func(r rune) bool { return unicode.IsDigit(r) || isOtherDigit(r) }),
	"isdecimal":    every(unicode.IsDigit),
	"isnumeric":    every(isNumeric),
	"isalnum":      every(func(r rune) bool { return unicode.IsLetter(r) || isNumeric(r) }),
	"isspace":      every(isSpace),
	"isascii":      isASCII,
	"isprintable":  func(s string) bool { return s == "" || every(isPrintable)(s) },
	"islower":      func(s string) bool { return cased(s, unicode.IsLower) },
	"isupper":      func(s string) bool { return cased(s, unicode.IsUpper) },
	"istitle":      isTitle,
	"isidentifier": isIdentifier,
}

func every(is func(rune) bool) func(string) bool {
	return func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
	}
}

func isNumeric(r rune) bool { return unicode.IsNumber(r) }

// isOtherDigit is the superscripts and circled digits that str.isdigit() takes besides decimals.
func isOtherDigit(r rune) bool {
	switch {
	case r == 0xb2, r == 0xb3, r == 0xb9, r == 0x2070, r >= 0x2074 && r <= 0x2079, r >= 0x2080 && r <= 0x2089,
		r >= 0x2460 && r <= 0x2468, r >= 0x2474 && r <= 0x247c, r >= 0x2488 && r <= 0x2490:
		return true
	}
	return false
}

// cased tells whether a text has letters with case, all of one case.
func cased(s string, is func(rune) bool) bool {
	found := false
	for _, r := range s {
		if unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) {
			if !is(r) {
				return false
			}
			found = true
		}
	}
	return found
}

func isTitle(s string) bool {
	found, inWord := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r), unicode.IsTitle(r):
			if inWord {
				return false
			}
			inWord, found = true, true
		case unicode.IsLower(r):
			if !inWord {
				return false
			}
			found = true
		default:
			inWord = false
		}
	}
	return found
}

func isIdentifier(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isNameStart(r) && strings.IndexFunc(s, func(r rune) bool { return !isNamePart(r) }) < 0
}
