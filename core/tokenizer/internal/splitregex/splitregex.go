// Package splitregex matches the regular expressions that tokenizer files name, in the dialect of
// their reference implementation: Oniguruma's Ruby syntax, with its Unicode tables.
//
// Supported are alternation, groups (capturing, named, non-capturing, atomic, with the options i,
// m and x), greedy, lazy and possessive quantifiers, classes with nesting, intersection, POSIX
// brackets and properties, look-ahead, look-behind of fixed length, and anchors. Not supported,
// with an error from Compile: back-references, subroutine calls, conditionals, absence
// operators, \K, \X and \G. Folding to several characters (ß as ss) is not done.
//
// Matching backtracks. A pattern comes out of a model repository and so cannot be trusted: the
// number of steps is bounded, and beyond the bound there is no match.
package splitregex

import (
	"slices"
	"sync"
	"unicode/utf8"
)

// A Regexp is a compiled pattern, immutable and safe for concurrent use.
type Regexp struct {
	prog  []inst
	sets  []*set
	subs  []sub
	slots int
	// first tells which ASCII characters a match can begin with; other reports that any other
	// character can. empty: a match may be empty.
	first [128]bool
	other bool
	empty bool

	matchers sync.Pool // *matcher
}

// A sub is the pattern of a look-around or an atomic group.
type sub struct {
	prog []inst
	// widths are the lengths, in characters, of a look-behind.
	widths []int
}

type opcode uint8

const (
	opMatch    opcode = iota
	opSet             // one character of set x
	opRepeat          // characters of set x, lo to hi times
	opJump            // to x
	opSplit           // first x, else y
	opAssert          // an anchor, x
	opLook            // sub x ahead, or behind; y: 1 to negate, 2 for behind
	opAtomic          // sub x
	opMark            // remember the position in slot x
	opProgress        // fail where no character was read since slot x was marked
)

type inst struct {
	op     opcode
	mode   quantifierMode
	x, y   int
	lo, hi int
}

type quantifierMode uint8

const (
	greedy quantifierMode = iota
	lazy
	possessive
)

// Anchors.
const (
	textBegin = iota
	textEnd
	textEndNewline
	lineBegin
	lineEnd
	wordBoundary
	noWordBoundary
)

// stepsPerByte and minSteps bound the work of a search.
const (
	stepsPerByte = 64
	minSteps     = 4 << 20
)

// Find returns the leftmost match in s that begins at or after from. An empty match at last,
// where the match before ended, does not count; -1 stands for no match before. s must be valid
// UTF-8.
func (re *Regexp) Find(s string, from, last int) (lo, hi int, ok bool) {
	m, ok := re.matchers.Get().(*matcher)
	if !ok {
		m = &matcher{re: re, slots: make([]int, re.slots)}
	}
	m.s, m.steps = s, minSteps+stepsPerByte*(len(s)-from)
	lo, hi, ok = m.find(from, last)
	if m.s = ""; cap(m.stack) < maxKeptStack {
		re.matchers.Put(m)
	}
	return lo, hi, ok
}

// maxKeptStack bounds what is kept from one search for the next.
const maxKeptStack = 1 << 16

func (m *matcher) find(from, last int) (lo, hi int, ok bool) {
	re, s := m.re, m.s
	for at := from; at <= len(s); {
		if at < len(s) && re.canBegin(s[at]) || re.empty {
			end := m.run(re.prog, at)
			if end >= 0 && !(end == at && at == last) {
				return at, end, true
			}
			if m.steps < 0 {
				return 0, 0, false
			}
		}
		if at == len(s) {
			break
		}
		at += runeLen(s[at])
	}
	return 0, 0, false
}

func (re *Regexp) canBegin(b byte) bool {
	if b < utf8.RuneSelf {
		return re.first[b]
	}
	return re.other
}

// matcher is the state of one search.
type matcher struct {
	re    *Regexp
	s     string
	steps int
	stack []frame
	slots []int
}

// A frame is a way back: go on at pc with pos. With low < pos the characters between may be
// given back one by one; hi > 0 marks a lazy repeat that may take more; pc < 0 restores a slot.
type frame struct {
	pc, pos int
	low     int
	more    int // lazy: how many more characters may be taken
	set     int
}

const (
	plain   = -1
	takes   = -2 // low: a lazy repeat
	restore = -3 // low: a slot
)

// run matches prog at pos and returns the end of the match or -1.
func (m *matcher) run(prog []inst, pos int) int {
	base := len(m.stack)
	pc := 0
	for {
		if m.steps--; m.steps < 0 {
			m.stack = m.stack[:base]
			return -1
		}
		in := &prog[pc]
		ok := true
		switch in.op {
		case opMatch:
			m.stack = m.stack[:base]
			return pos
		case opSet:
			if n := m.char(in.x, pos); n > 0 {
				pos += n
				pc++
			} else {
				ok = false
			}
		case opRepeat:
			pos, ok = m.repeat(in, pc, pos)
			pc++
		case opJump:
			pc = in.x
		case opSplit:
			m.stack = append(m.stack, frame{pc: in.y, pos: pos, low: plain})
			pc = in.x
		case opAssert:
			ok = m.assert(in.x, pos)
			pc++
		case opLook:
			ok = m.look(in, pos)
			pc++
		case opAtomic:
			end := m.run(m.re.subs[in.x].prog, pos)
			ok = end >= 0
			pos = end
			pc++
		case opMark:
			m.stack = append(m.stack, frame{pc: in.x, pos: m.slots[in.x], low: restore})
			m.slots[in.x] = pos
			pc++
		case opProgress:
			ok = m.slots[in.x] != pos
			pc++
		}
		for !ok {
			if len(m.stack) == base {
				return -1
			}
			if m.steps--; m.steps < 0 {
				m.stack = m.stack[:base]
				return -1
			}
			pc, pos, ok = m.back()
		}
	}
}

// back takes the last way back.
func (m *matcher) back() (pc, pos int, ok bool) {
	top := len(m.stack) - 1
	f := &m.stack[top]
	switch f.low {
	case plain:
		pc, pos = f.pc, f.pos
		m.stack = m.stack[:top]
		return pc, pos, true
	case restore:
		m.slots[f.pc] = f.pos
		m.stack = m.stack[:top]
		return 0, 0, false
	case takes:
		n := m.char(f.set, f.pos)
		if n == 0 || f.more == 0 {
			m.stack = m.stack[:top]
			return 0, 0, false
		}
		f.pos += n
		f.more--
		return f.pc, f.pos, true
	}
	_, n := utf8.DecodeLastRuneInString(m.s[:f.pos])
	f.pos -= n
	pc, pos = f.pc, f.pos
	if f.pos <= f.low {
		m.stack = m.stack[:top]
	}
	return pc, pos, true
}

// repeat reads characters of a set.
func (m *matcher) repeat(in *inst, pc, pos int) (int, bool) {
	set := m.re.sets[in.x]
	count, low := 0, pos
	limit := in.hi
	if in.mode == lazy {
		limit = in.lo
	}
	for count < limit && pos < len(m.s) {
		n := set.match(m.s, pos)
		if n == 0 {
			break
		}
		pos += n
		if count++; count == in.lo {
			low = pos
		}
	}
	m.steps -= count >> 3
	if count < in.lo {
		return pos, false
	}
	switch {
	case in.mode == lazy && in.hi > in.lo:
		m.stack = append(m.stack, frame{pc: pc + 1, pos: pos, low: takes, more: in.hi - in.lo, set: in.x})
	case in.mode == greedy && pos > low:
		m.stack = append(m.stack, frame{pc: pc + 1, pos: pos, low: low})
	}
	return pos, true
}

// char returns the length of the character at pos if it is in the set, else 0.
func (m *matcher) char(set, pos int) int {
	if pos >= len(m.s) {
		return 0
	}
	return m.re.sets[set].match(m.s, pos)
}

func (m *matcher) look(in *inst, pos int) bool {
	sub := &m.re.subs[in.x]
	found := false
	if in.y&2 == 0 {
		found = m.run(sub.prog, pos) >= 0
	} else {
		for _, width := range sub.widths {
			at, ok := backBy(m.s, pos, width)
			if ok && m.run(sub.prog, at) == pos {
				found = true
				break
			}
		}
	}
	return found != (in.y&1 == 1)
}

func backBy(s string, pos, chars int) (int, bool) {
	for ; chars > 0; chars-- {
		if pos == 0 {
			return 0, false
		}
		_, n := utf8.DecodeLastRuneInString(s[:pos])
		pos -= n
	}
	return pos, true
}

func (m *matcher) assert(anchor, pos int) bool {
	s := m.s
	switch anchor {
	case textBegin:
		return pos == 0
	case textEnd:
		return pos == len(s)
	case textEndNewline:
		return pos == len(s) || pos == len(s)-1 && s[pos] == '\n'
	case lineBegin:
		return pos == 0 || s[pos-1] == '\n' && pos < len(s)
	case lineEnd:
		return pos == len(s) || s[pos] == '\n'
	}
	before, after := false, false
	if pos > 0 {
		r, _ := utf8.DecodeLastRuneInString(s[:pos])
		before = wordSet().has(r)
	}
	if pos < len(s) {
		r, _ := utf8.DecodeRuneInString(s[pos:])
		after = wordSet().has(r)
	}
	return (before != after) == (anchor == wordBoundary)
}

func runeLen(b byte) int {
	switch {
	case b < 0x80:
		return 1
	case b < 0xE0:
		return 2
	case b < 0xF0:
		return 3
	}
	return 4
}

// A set is a set of characters: first, last pairs in order, without overlap.
type set struct {
	ascii  [128]bool
	ranges []rune
}

func newSet(ranges []rune) *set {
	s := &set{ranges: ranges}
	for i := range s.ascii {
		s.ascii[i] = s.search(rune(i))
	}
	return s
}

func (s *set) has(r rune) bool {
	if r < utf8.RuneSelf {
		return s.ascii[r]
	}
	return s.search(r)
}

func (s *set) search(r rune) bool {
	i, found := slices.BinarySearch(s.ranges, r)
	return found || i&1 == 1
}

// match returns the length of the character at s[i] if it is in the set, else 0.
func (s *set) match(text string, i int) int {
	if b := text[i]; b < utf8.RuneSelf {
		if s.ascii[b] {
			return 1
		}
		return 0
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	if s.search(r) {
		return n
	}
	return 0
}
