package tokenizer

import (
	"encoding/base64"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/unicodetables"
)

// readNormalizers reads a normalizer as a flat list.
func readNormalizers(c config) []normalizer {
	if c.isNull() {
		return nil
	}
	switch kind := c.kind(); kind {
	case "Sequence":
		var list []normalizer
		for _, n := range c.get("normalizers").list() {
			list = append(list, readNormalizers(n)...)
		}
		return list
	case "NFC", "NFD", "NFKC", "NFKD":
		form := map[string]unicodetables.Form{
			"NFC": unicodetables.NFC, "NFD": unicodetables.NFD, "NFKC": unicodetables.NFKC, "NFKD": unicodetables.NFKD,
		}[kind]
		return []normalizer{&formNormalizer{form, unicodetables.Normalizations()}}
	case "Lowercase":
		return []normalizer{newLowercaser()}
	case "Strip":
		return []normalizer{&stripper{
			left: c.get("strip_left").boolOr(true), right: c.get("strip_right").boolOr(true),
			space: hasProperty(unicodetables.WhiteSpace),
		}}
	case "StripAccents":
		return []normalizer{newStripAccents()}
	case "Nmt":
		return []normalizer{newNmt()}
	case "Prepend":
		return []normalizer{&prepender{c.get("prepend").str()}}
	case "Replace":
		return []normalizer{readReplace(c)}
	case "ByteLevel":
		return []normalizer{byteLevelNormalizer{}}
	case "Precompiled":
		field := c.get("precompiled_charsmap")
		blob, err := base64.StdEncoding.DecodeString(field.strOr(""))
		if err != nil {
			field.fail("%v", err)
			return nil
		}
		p, err := newPrecompiled(blob)
		if err != nil {
			field.fail("%v", err)
			return nil
		}
		return []normalizer{p}
	case "BertNormalizer":
		lower := c.get("lowercase").boolOr(true)
		return []normalizer{newBertNormalizer(c.get("clean_text").boolOr(true), c.get("handle_chinese_chars").boolOr(true),
			c.get("strip_accents").boolOr(lower), lower)}
	case "":
		return nil
	default:
		c.unknown("normalizer", kind, "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "StripAccents",
			"Nmt", "Prepend", "Replace", "ByteLevel", "Precompiled", "BertNormalizer")
		return nil
	}
}

// readReplace reads the normalizer and the decoder Replace.
func readReplace(c config) *replacer {
	text, regex := c.get("pattern").pattern()
	n := &replacer{text: text, content: c.get("content").str()}
	if regex != "" || text == "" {
		n.regex = c.get("pattern").compile(regex)
	}
	return n
}

// readPreTokenizer reads a pre-tokenizer as a flat list of stages.
func readPreTokenizer(c config) []stage {
	if c.isNull() {
		return nil
	}
	switch kind := c.kind(); kind {
	case "Sequence":
		var list []stage
		for _, p := range c.get("pretokenizers").list() {
			list = append(list, readPreTokenizer(p)...)
		}
		return list
	case "ByteLevel":
		var list []stage
		if c.get("add_prefix_space").boolOr(true) {
			list = append(list, prefixSpace{})
		}
		if c.get("use_regex").boolOr(true) {
			list = append(list, &gpt2Pattern{classes()})
		}
		return append(list, byteLevelStage{})
	case "Metaspace":
		return []stage{readMetaspace(c)}
	case "Split":
		return []stage{readSplit(c)}
	case "Whitespace":
		return []stage{&wordSplit{unicodetables.Properties()}}
	case "WhitespaceSplit":
		return []stage{&runeSplit{hasProperty(unicodetables.WhiteSpace), removed}}
	case "BertPreTokenizer":
		return []stage{
			&runeSplit{hasProperty(unicodetables.WhiteSpace), removed},
			&runeSplit{hasProperty(unicodetables.Punctuation), isolated},
		}
	case "Punctuation":
		return []stage{&runeSplit{hasProperty(unicodetables.Punctuation), readBehavior(c.get("behavior"), "Isolated")}}
	case "Digits":
		b := contiguous
		if c.get("individual_digits").boolOr(false) {
			b = isolated
		}
		return []stage{&runeSplit{hasProperty(unicodetables.Numeric), b}}
	case "CharDelimiterSplit":
		delimiter := c.get("delimiter").char()
		return []stage{&runeSplit{func(r rune) bool { return r == delimiter }, removed}}
	case "UnicodeScripts":
		return []stage{&scriptSplit{unicodetables.SplitScripts()}}
	case "FixedLength":
		length := c.get("length").intOr(5)
		if length == 0 {
			c.get("length").fail("should be at least 1")
		}
		return []stage{&fixedLength{length}}
	case "":
		return nil
	default:
		c.unknown("pre-tokenizer", kind, "Sequence", "ByteLevel", "Metaspace", "Split", "Whitespace", "WhitespaceSplit",
			"BertPreTokenizer", "Punctuation", "Digits", "CharDelimiterSplit", "UnicodeScripts", "FixedLength")
		return nil
	}
}

func readMetaspace(c config) *metaspaceStage {
	m := &metaspaceStage{
		replacement: string(c.get("replacement").char()),
		scheme:      readScheme(c),
		split:       c.get("split").boolOr(true),
	}
	return m
}

func readScheme(c config) prependScheme {
	field := c.get("prepend_scheme")
	scheme := prependAlways
	switch s := field.strOr("always"); s {
	case "always":
	case "first":
		scheme = prependFirst
	case "never":
		scheme = prependNever
	default:
		field.unknown("prepend_scheme", s, "always", "first", "never")
	}
	if !c.get("add_prefix_space").boolOr(true) {
		if scheme != prependNever && !field.isNull() {
			c.get("add_prefix_space").fail("is false although prepend_scheme is %q", field.value)
		}
		scheme = prependNever
	}
	return scheme
}

func readBehavior(c config, absent string) behavior {
	b := map[string]behavior{
		"Removed": removed, "Isolated": isolated, "MergedWithPrevious": mergedWithPrevious,
		"MergedWithNext": mergedWithNext, "Contiguous": contiguous,
	}
	name := c.strOr(absent)
	v, ok := b[name]
	if !ok {
		c.unknown("behavior", name, "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
	}
	return v
}

// readSplit reads the pre-tokenizer Split; well-known patterns get scanners of their own.
func readSplit(c config) stage {
	text, regex := c.get("pattern").pattern()
	b := readBehavior(c.get("behavior"), "")
	invert := c.get("invert").boolOr(false)
	if regex != "" {
		// A pattern that matches everything makes the same pieces either way.
		if t := knownTiler(regex, classes()); t != nil && (b == isolated || b == removed && invert) {
			return t
		}
		if k := knownIsolated(regex, classes()); k != nil && b == isolated {
			return k
		}
	}
	return &patternSplit{pattern: &replacer{text: text, regex: c.get("pattern").compileUnlessText(text, regex)}, behavior: b, invert: invert}
}

// readPostProcessor reads a post-processor as a flat list of steps.
func readPostProcessor(c config) []postStep {
	if c.isNull() {
		return nil
	}
	switch kind := c.kind(); kind {
	case "Sequence":
		var list []postStep
		for _, p := range c.get("processors").list() {
			list = append(list, readPostProcessor(p)...)
		}
		return list
	case "ByteLevel":
		return []postStep{{trim: c.get("trim_offsets").boolOr(true), addPrefix: c.get("add_prefix_space").boolOr(true)}}
	case "BertProcessing":
		return []postStep{{template: readClsSep(c)}}
	case "RobertaProcessing":
		return []postStep{{
			trim: c.get("trim_offsets").boolOr(true), addPrefix: c.get("add_prefix_space").boolOr(true),
			template: readClsSep(c),
		}}
	case "TemplateProcessing":
		return []postStep{{template: readTemplate(c)}}
	case "":
		return nil
	default:
		c.unknown("post-processor", kind, "Sequence", "ByteLevel", "BertProcessing", "RobertaProcessing", "TemplateProcessing")
		return nil
	}
}

// readClsSep reads {"cls": ["[CLS]", 101], "sep": ["[SEP]", 102]}.
func readClsSep(c config) template {
	read := func(key string) templatePiece {
		pair := c.get(key).list()
		if len(pair) != 2 {
			c.get(key).fail("should be a token and its id")
			return templatePiece{}
		}
		return templatePiece{ids: []uint32{uint32(pair[1].intOr(0))}, tokens: []string{pair[0].str()}}
	}
	return template{read("cls"), {text: true}, read("sep")}
}

// readTemplate reads what a TemplateProcessing makes of a single text.
func readTemplate(c config) template {
	var out template
	tokens := c.get("special_tokens")
	for _, piece := range c.get("single").list() {
		keys := piece.keys()
		if len(keys) != 1 || keys[0] != "Sequence" && keys[0] != "SpecialToken" {
			piece.fail("should be {\"Sequence\": …} or {\"SpecialToken\": …}")
			return nil
		}
		name := piece.get(keys[0]).get("id").str()
		if keys[0] == "Sequence" {
			if name != "A" {
				piece.fail("names the sequence %q; a single text has only A", name)
			}
			out = append(out, templatePiece{text: true})
			continue
		}
		if tokens.isNull() || tokens.get(name).isNull() {
			piece.fail("names the token %q, which special_tokens does not have", name)
			return nil
		}
		tok := tokens.get(name)
		p := templatePiece{}
		for _, id := range tok.get("ids").list() {
			p.ids = append(p.ids, uint32(id.intOr(0)))
		}
		for _, t := range tok.get("tokens").list() {
			p.tokens = append(p.tokens, t.str())
		}
		if len(p.ids) != len(p.tokens) {
			tok.fail("has %d ids and %d tokens", len(p.ids), len(p.tokens))
			return nil
		}
		out = append(out, p)
	}
	if out == nil {
		out = template{}
	}
	return out
}

// readDecoder reads a decoder as a flat list of steps, nil for none.
func readDecoder(c config) []decodeStep {
	if c.isNull() {
		return nil
	}
	switch kind := c.kind(); kind {
	case "Sequence":
		list := []decodeStep{}
		for _, d := range c.get("decoders").list() {
			list = append(list, readDecoder(d)...)
		}
		return list
	case "ByteLevel":
		return []decodeStep{byteLevelDecoder{}}
	case "WordPiece":
		return []decodeStep{wordPieceDecoder{c.get("prefix").strOr("##"), c.get("cleanup").boolOr(true)}}
	case "Metaspace":
		return []decodeStep{metaspaceDecoder{string(c.get("replacement").char()), readScheme(c)}}
	case "CTC":
		return []decodeStep{ctcDecoder{c.get("pad_token").strOr("<pad>"), c.get("word_delimiter_token").strOr("|"), c.get("cleanup").boolOr(true)}}
	case "Replace":
		return []decodeStep{replaceDecoder{readReplace(c)}}
	case "Fuse":
		return []decodeStep{fuseDecoder{}}
	case "Strip":
		return []decodeStep{stripDecoder{c.get("content").char(), c.get("start").intOr(0), c.get("stop").intOr(0)}}
	case "ByteFallback":
		return []decodeStep{byteFallbackDecoder{}}
	case "BPEDecoder":
		return []decodeStep{bpeDecoder{c.get("suffix").strOr("</w>")}}
	case "":
		return nil
	default:
		c.unknown("decoder", kind, "Sequence", "ByteLevel", "WordPiece", "Metaspace", "CTC", "Replace", "Fuse", "Strip", "ByteFallback", "BPEDecoder")
		return nil
	}
}
