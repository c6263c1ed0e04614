package tokenizer

// The regular expressions of the large families and the scanners that stand for them. A pattern
// that is not here is run by the regular-expression engine.

const (
	anyContraction = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	spaces         = `|\s*[\r\n]+|\s+(?!\S)|\s+`
	upperWord      = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	lowerWord      = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`

	gpt2Regex = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

	// The third of DeepSeek-V3's, with its carriage return and line feed as characters.
	deepseekRegex = `[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_` + "`" + `{|}~][A-Za-z]+|[^` + "\r\n" + `\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[` +
		"\r\n" + `]*|\s*[` + "\r\n" + `]+|\s+(?!\S)|\s+`
	deepseekHanRegex = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
)

func clRegex(number string) string {
	return anyContraction + `|[^\r\n\p{L}\p{N}]?\p{L}+|` + number + `| ?[^\s\p{L}\p{N}]+[\r\n]*` + spaces
}

func oRegex(contraction, number string) string {
	return upperWord + contraction + `|` + lowerWord + contraction + `|` + number + `| ?[^\s\p{L}\p{N}]+[\r\n/]*` + spaces
}

// knownTiler returns the scanner for a pattern whose matches cover every text, or nil.
func knownTiler(regex string, c *gptClasses) tiler {
	switch regex {
	case gpt2Regex:
		return &gpt2Pattern{c}
	case clRegex(`\p{N}{1,3}`):
		return &clPattern{c: c, digits: 3}
	case clRegex(`\p{N}`):
		return &clPattern{c: c, digits: 1}
	case clRegex(`\p{N}+`):
		return &clPattern{c: c}
	case anyContraction + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*` + spaces:
		return &clPattern{c: c, digits: 1, marks: true}
	case oRegex(anyContraction+`?`, `\p{N}{1,3}`):
		return &oPattern{c: c, digits: 3, contractions: true}
	case oRegex(``, `\p{N}`):
		return &oPattern{c: c, digits: 1}
	case oRegex(``, `\p{N}{1,3}`):
		return &oPattern{c: c, digits: 3}
	}
	return nil
}

// knownIsolated returns the scanner for a pattern with gaps, split with the behavior Isolated,
// or nil.
func knownIsolated(regex string, c *gptClasses) cutter {
	switch regex {
	case `\p{N}{1,3}`:
		return &digitGroups{c, 3}
	case `\p{N}`:
		return &digitGroups{c, 1}
	case `\p{N}+`:
		return &digitGroups{c, 0}
	case deepseekHanRegex:
		return &runeRuns{[][2]rune{{0x4E00, 0x9FA5}, {0x3040, 0x309F}, {0x30A0, 0x30FF}}}
	case deepseekRegex:
		return &deepseekPattern{c}
	}
	return nil
}
