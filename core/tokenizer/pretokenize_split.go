package tokenizer

import (
	"sync"

	"github.com/genai-bench/genai-bench/core/tokenizer/internal/splitregex"
)

// classes are the tables of the hand-compiled patterns.
var classes = sync.OnceValue(newGPTClasses)

// patternSplit is the pre-tokenizer Split with any pattern and behavior.
type patternSplit struct {
	pattern  *replacer
	behavior behavior
	invert   bool
}

func (*patternSplit) isStage() {}

func (p *patternSplit) cut(dst []cut, s string) []cut {
	if p.behavior == isolated || p.behavior == removed {
		return p.cutPlain(dst, s)
	}
	kept, ok := matchLists.Get().(*[]match)
	if !ok {
		kept = new([]match)
	}
	matches := (*kept)[:0]
	done, search := 0, -1
	for {
		lo, hi, ok := p.pattern.next(s, done, search)
		if !ok {
			break
		}
		if done < lo {
			matches = append(matches, match{cut{done, lo}, p.invert})
		}
		matches = append(matches, match{cut{lo, hi}, !p.invert})
		done, search = hi, hi
	}
	if done < len(s) {
		matches = append(matches, match{cut{done, len(s)}, p.invert})
	}
	dst = p.behavior.appendCuts(dst, matches)
	*kept = matches
	matchLists.Put(kept)
	return dst
}

// matchLists holds lists of matches, from call to call.
var matchLists sync.Pool

// cutPlain is cut for the two common behaviors, without a list of matches.
func (p *patternSplit) cutPlain(dst []cut, s string) []cut {
	keepMatches, keepGaps := true, true
	if p.behavior == removed {
		keepMatches, keepGaps = p.invert, !p.invert
	}
	done, search := 0, -1
	for {
		lo, hi, ok := p.pattern.next(s, done, search)
		if !ok {
			break
		}
		if keepGaps {
			dst = appendCut(dst, cut{done, lo})
		}
		if keepMatches {
			dst = appendCut(dst, cut{lo, hi})
		}
		done, search = hi, hi
	}
	if keepGaps {
		dst = appendCut(dst, cut{done, len(s)})
	}
	return dst
}

// compile compiles a regular expression, failing the config where it cannot.
func (c config) compile(regex string) searcher {
	re, err := splitregex.Compile(regex)
	if err != nil {
		c.fail("%v in %q", err, regex)
		return nil
	}
	return re
}

// compileUnlessText is compile for a pattern that may be plain text.
func (c config) compileUnlessText(text, regex string) searcher {
	if text != "" {
		return nil
	}
	return c.compile(regex)
}
