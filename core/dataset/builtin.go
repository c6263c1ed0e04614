package dataset

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
)

// BuiltInName is the built-in text's name, which --dataset-path takes too.
const BuiltInName = "default"

// See builtin/README.md for what it is and where it comes from.
//
//go:embed builtin/text.txt
var builtinText string

// BuiltInFile describes the built-in text as a file.
func BuiltInFile() (name string, bytes int64, sha256Hex string) {
	sum := sha256.Sum256([]byte(builtinText))
	return "text.txt", int64(len(builtinText)), hex.EncodeToString(sum[:])
}

// BuiltIn returns the built-in text: English prose in the public domain, 7,627
// lines of 30 to 200 ASCII characters.
func BuiltIn() Texts {
	return lines{BuiltInName, strings.Split(strings.TrimSuffix(builtinText, "\n"), "\n")}
}
