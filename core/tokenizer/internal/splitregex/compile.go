package splitregex

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Compile parses a pattern.
func Compile(pattern string) (*Regexp, error) {
	if len(pattern) > maxLength {
		return nil, fmt.Errorf("regular expression of %d bytes is longer than %d", len(pattern), maxLength)
	}
	if !utf8.ValidString(pattern) {
		return nil, errors.New("regular expression is not UTF-8")
	}
	p := &parser{src: pattern}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.more() {
		return nil, p.errorf("a closing parenthesis without an opening one")
	}
	c := &compiler{re: &Regexp{}, sets: map[string]int{}}
	prog, err := c.program(n)
	if err != nil {
		return nil, err
	}
	c.re.prog = prog
	c.firsts(n)
	return c.re, nil
}

// maxProgram bounds what nested repetition can expand to.
const maxProgram = 1 << 17

var errTooLarge = errors.New("regular expression repeats too much")

type compiler struct {
	re    *Regexp
	prog  []inst
	total int
	sets  map[string]int
}

// program compiles a node to a program of its own.
func (c *compiler) program(n node) ([]inst, error) {
	outer := c.prog
	c.prog = nil
	err := c.node(n)
	if err == nil {
		err = c.emit(inst{op: opMatch})
	}
	prog := c.prog
	c.prog = outer
	return prog, err
}

func (c *compiler) emit(in inst) error {
	if c.total++; c.total > maxProgram {
		return errTooLarge
	}
	c.prog = append(c.prog, in)
	return nil
}

func (c *compiler) set(ranges []rune) int {
	key := string(ranges)
	if i, ok := c.sets[key]; ok {
		return i
	}
	c.re.sets = append(c.re.sets, newSet(ranges))
	c.sets[key] = len(c.re.sets) - 1
	return len(c.re.sets) - 1
}

func (c *compiler) node(n node) error {
	switch n := n.(type) {
	case empty:
		return nil
	case chars:
		return c.emit(inst{op: opSet, x: c.set(n.ranges)})
	case concat:
		for _, part := range n {
			if err := c.node(part); err != nil {
				return err
			}
		}
		return nil
	case either:
		return c.either(n)
	case repeat:
		return c.repeat(n)
	case anchor:
		return c.emit(inst{op: opAssert, x: n.kind})
	case look:
		return c.look(n)
	case atomic:
		return c.atomic(n.of)
	}
	return fmt.Errorf("regular expression has a node of type %T", n)
}

func (c *compiler) atomic(n node) error {
	prog, err := c.program(n)
	if err != nil {
		return err
	}
	c.re.subs = append(c.re.subs, sub{prog: prog})
	return c.emit(inst{op: opAtomic, x: len(c.re.subs) - 1})
}

func (c *compiler) look(n look) error {
	s := sub{}
	flags := 0
	if n.negate {
		flags |= 1
	}
	if n.behind {
		flags |= 2
		widths, ok := widthsOf(n.of)
		if !ok {
			return errors.New("regular expression has a look-behind without a fixed length")
		}
		s.widths = widths
	}
	prog, err := c.program(n.of)
	if err != nil {
		return err
	}
	s.prog = prog
	c.re.subs = append(c.re.subs, s)
	return c.emit(inst{op: opLook, x: len(c.re.subs) - 1, y: flags})
}

func (c *compiler) either(list either) error {
	var ends []int
	for i, alt := range list {
		split := len(c.prog)
		if i < len(list)-1 {
			if err := c.emit(inst{op: opSplit, x: split + 1}); err != nil {
				return err
			}
		}
		if err := c.node(alt); err != nil {
			return err
		}
		if i < len(list)-1 {
			ends = append(ends, len(c.prog))
			if err := c.emit(inst{op: opJump}); err != nil {
				return err
			}
			c.prog[split].y = len(c.prog)
		}
	}
	for _, e := range ends {
		c.prog[e].x = len(c.prog)
	}
	return nil
}

func (c *compiler) repeat(n repeat) error {
	if one, ok := n.of.(chars); ok {
		return c.emit(inst{op: opRepeat, mode: n.mode, x: c.set(one.ranges), lo: n.lo, hi: n.hi})
	}
	if n.mode == possessive {
		return c.atomic(repeat{n.of, n.lo, n.hi, greedy})
	}
	for range n.lo {
		if err := c.node(n.of); err != nil {
			return err
		}
	}
	if n.hi == infinite {
		return c.loop(n)
	}
	// (of(of(of)?)?)? for the rest: every split leads to the end.
	var splits []int
	for range n.hi - n.lo {
		splits = append(splits, len(c.prog))
		if err := c.emit(inst{op: opSplit}); err != nil {
			return err
		}
		if err := c.node(n.of); err != nil {
			return err
		}
	}
	for _, s := range splits {
		c.setSplit(s, s+1, len(c.prog), n.mode)
	}
	return nil
}

// setSplit makes the split prefer the body if greedy and the exit if lazy.
func (c *compiler) setSplit(at, body, exit int, mode quantifierMode) {
	if mode == lazy {
		body, exit = exit, body
	}
	c.prog[at].x, c.prog[at].y = body, exit
}

func (c *compiler) loop(n repeat) error {
	split := len(c.prog)
	if err := c.emit(inst{op: opSplit}); err != nil {
		return err
	}
	slot := -1
	if nullable(n.of) {
		slot = c.re.slots
		c.re.slots++
		if err := c.emit(inst{op: opMark, x: slot}); err != nil {
			return err
		}
	}
	if err := c.node(n.of); err != nil {
		return err
	}
	if slot >= 0 {
		if err := c.emit(inst{op: opProgress, x: slot}); err != nil {
			return err
		}
	}
	if err := c.emit(inst{op: opJump, x: split}); err != nil {
		return err
	}
	c.setSplit(split, split+1, len(c.prog), n.mode)
	return nil
}

// nullable tells whether a node can match nothing.
func nullable(n node) bool {
	switch n := n.(type) {
	case chars:
		return false
	case concat:
		for _, part := range n {
			if !nullable(part) {
				return false
			}
		}
		return true
	case either:
		return slices.ContainsFunc(n, nullable)
	case repeat:
		return n.lo == 0 || nullable(n.of)
	case atomic:
		return nullable(n.of)
	}
	return true
}

// widthsOf returns the numbers of characters that a node can match, if they are few.
func widthsOf(n node) ([]int, bool) {
	switch n := n.(type) {
	case chars:
		return []int{1}, true
	case concat:
		total := []int{0}
		for _, part := range n {
			w, ok := widthsOf(part)
			if !ok {
				return nil, false
			}
			var sums []int
			for _, a := range total {
				for _, b := range w {
					sums = append(sums, a+b)
				}
			}
			slices.Sort(sums)
			if total = slices.Compact(sums); len(total) > 64 {
				return nil, false
			}
		}
		return total, true
	case either:
		var all []int
		for _, alt := range n {
			w, ok := widthsOf(alt)
			if !ok {
				return nil, false
			}
			all = append(all, w...)
		}
		slices.Sort(all)
		all = slices.Compact(all)
		return all, len(all) <= 64
	case repeat:
		w, ok := widthsOf(n.of)
		if !ok || n.lo != n.hi || len(w) != 1 {
			return nil, false
		}
		return []int{w[0] * n.lo}, true
	case atomic:
		return widthsOf(n.of)
	}
	return []int{0}, true
}

// firsts fills in what a match can begin with.
func (c *compiler) firsts(n node) {
	var walk func(n node)
	walk = func(n node) {
		switch n := n.(type) {
		case chars:
			s := newSet(n.ranges)
			for i, is := range s.ascii {
				c.re.first[i] = c.re.first[i] || is
			}
			if len(n.ranges) > 0 && n.ranges[len(n.ranges)-1] >= utf8.RuneSelf {
				c.re.other = true
			}
		case concat:
			for _, part := range n {
				walk(part)
				if !nullable(part) {
					return
				}
			}
		case either:
			for _, alt := range n {
				walk(alt)
			}
		case repeat:
			walk(n.of)
		case atomic:
			walk(n.of)
		}
	}
	walk(n)
	c.re.empty = nullable(n)
}
