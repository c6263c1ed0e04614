package dataset

import (
	_ "embed"
	"strings"
)

// BuiltInName is the built-in text's name, which --dataset-path takes too.
const BuiltInName = "default"

// See builtin/README.md for what it is and where it comes from.
//
//go:embed builtin/text.txt
var builtinText string

// BuiltIn returns the built-in text: English prose in the public domain, 7,627
// lines of 30 to 200 ASCII characters.
func BuiltIn() Texts {
	return lines{BuiltInName, strings.Split(strings.TrimSuffix(builtinText, "\n"), "\n")}
}
