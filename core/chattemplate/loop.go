package chattemplate

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

type nextFunc = func() (value, bool, error)

// iterate returns a function that yields the items of a value one after the other, and their number
// or -1 where that is not known.
func (s *state) iterate(v value) (nextFunc, int, error) {
	switch v := v.(type) {
	case *List:
		return overItems(v.items), len(v.items), nil
	case *tuple:
		return overItems(v.items), len(v.items), nil
	case string:
		return overRunes(v), runeLen(v), nil
	case markup: // its characters are plain
		return overRunes(string(v)), runeLen(string(v)), nil
	case *Dict:
		return indexed(v.Len(), func(i int) value { return v.entries[i].key })
	case dictView:
		return indexed(v.d.Len(), v.at)
	case rangeOf:
		return indexed(int(v.n), func(i int) value { return v.at(int64(i)) })
	case *undefined:
		return overItems(nil), 0, nil
	case *iterator:
		return v.next, -1, nil
	case *loopOf:
		return func() (value, bool, error) {
			x, ok, err := v.advance()
			return &tuple{items: []value{x, v}}, ok, err
		}, -1, nil
	}
	return nil, 0, fmt.Errorf("'%s' object is not iterable", typeName(v))
}

func overItems(items []value) nextFunc {
	i := -1
	return func() (value, bool, error) {
		if i++; i >= len(items) {
			return nil, false, nil
		}
		return items[i], true, nil
	}
}

func overRunes(s string) nextFunc {
	return func() (value, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		_, n := utf8.DecodeRuneInString(s)
		c := s[:n]
		s = s[n:]
		return c, true, nil
	}
}

func indexed(n int, at func(int) value) (nextFunc, int, error) {
	i := -1
	return func() (value, bool, error) {
		if i++; i >= n {
			return nil, false, nil
		}
		return at(i), true, nil
	}, n, nil
}

// items returns all items of a value.
func (s *state) items(v value) ([]value, error) {
	switch v := v.(type) {
	case *List:
		return v.items, s.step(len(v.items))
	case *tuple:
		return v.items, s.step(len(v.items))
	}
	next, n, err := s.iterate(v)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		n = 0
	} else if err := s.allocateItems(n); err != nil {
		return nil, err
	}
	out := make([]value, 0, n)
	for {
		x, ok, err := next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		if len(out) >= n {
			if err := s.allocateItems(1); err != nil {
				return nil, err
			}
			if len(out) > maxItems {
				return nil, fmt.Errorf("a list has more than %d items", maxItems)
			}
		}
		out = append(out, x)
	}
}

// loopOf is the variable loop.
type loopOf struct {
	s       *state
	next    nextFunc
	known   int // number of items, -1 until known
	index0  int
	after   value
	peeked  bool
	current value
	before  value
	changed []value // what changed() was last called with
	asked   bool
	depth0  int
	recurse func(v value, depth0 int) (value, error)
}

func (l *loopOf) advance() (value, bool, error) {
	v, ok := l.after, true
	if l.peeked {
		l.peeked = false
	} else {
		var err error
		if v, ok, err = l.next(); !ok || err != nil {
			return nil, false, err
		}
	}
	l.index0++
	l.before, l.current = l.current, v
	return v, ok, nil
}

func (l *loopOf) peek() (value, bool, error) {
	if l.peeked {
		return l.after, true, nil
	}
	v, ok, err := l.next()
	if ok && err == nil {
		l.after, l.peeked = v, true
	}
	return v, ok, err
}

func (l *loopOf) length() (int, error) {
	if l.known < 0 {
		rest, err := l.s.items(&iterator{next: l.next})
		if err != nil {
			return 0, err
		}
		l.known = len(rest) + l.index0 + 1
		if l.peeked {
			l.known++
		}
		l.next = overItems(rest)
	}
	return l.known, nil
}

func (l *loopOf) attr(name string) (value, bool, error) {
	switch name {
	case "index":
		return int64(l.index0 + 1), true, nil
	case "index0":
		return int64(l.index0), true, nil
	case "first":
		return l.index0 == 0, true, nil
	case "last":
		_, more, err := l.peek()
		return !more, true, err
	case "length", "revindex", "revindex0":
		n, err := l.length()
		switch name {
		case "revindex":
			n -= l.index0
		case "revindex0":
			n -= l.index0 + 1
		}
		return int64(n), true, err
	case "depth":
		return int64(l.depth0 + 1), true, nil
	case "depth0":
		return int64(l.depth0), true, nil
	case "previtem":
		if l.index0 == 0 {
			return &undefined{"there is no previous item"}, true, nil
		}
		return l.before, true, nil
	case "nextitem":
		v, ok, err := l.peek()
		if !ok {
			v = &undefined{"there is no next item"}
		}
		return v, true, err
	case "cycle":
		return &function{"cycle", l.cycle}, true, nil
	case "changed":
		return &function{"changed", l.hasChanged}, true, nil
	}
	return nil, false, nil
}

func (l *loopOf) cycle(_ *state, a *callArgs) (value, error) {
	if len(a.names) > 0 {
		return nil, errors.New("loop.cycle() takes no keyword arguments")
	}
	if len(a.pos) == 0 {
		return nil, errors.New("no items for cycling given")
	}
	return a.pos[l.index0%len(a.pos)], nil
}

func (l *loopOf) hasChanged(s *state, a *callArgs) (value, error) {
	if l.asked {
		same, err := s.equalItems(l.changed, a.pos, 0)
		if same || err != nil {
			return false, err
		}
	}
	l.asked, l.changed = true, a.pos
	return true, nil
}

func (st *forStmt) exec(s *state, sc *scope) (control, error) {
	v, err := st.iter.eval(s, sc)
	if err != nil {
		return 0, at(st.line, err)
	}
	if !st.recursive {
		return st.loop(s, sc, v, 0, nil)
	}
	var recurse func(v value, depth0 int) (value, error)
	recurse = func(v value, depth0 int) (value, error) {
		if err := s.enter(); err != nil {
			return nil, err
		}
		defer s.leave()
		text, _, err := s.capture(func() (control, error) { return st.loop(s, sc, v, depth0, recurse) })
		return text, err
	}
	text, err := recurse(v, 0)
	if err != nil {
		return 0, at(st.line, err)
	}
	return ctlNext, s.write(text.(string))
}

func (st *forStmt) loop(s *state, sc *scope, v value, depth0 int, recurse func(value, int) (value, error)) (control, error) {
	next, n, err := s.iterate(v)
	if err != nil {
		return 0, at(st.line, err)
	}
	if st.test != nil {
		next, n = st.filtered(s, sc, next), -1
	}
	var l *loopOf
	if st.extended {
		l = &loopOf{s: s, next: next, known: n, index0: -1, depth0: depth0, recurse: recurse}
		next = l.advance
	}
	inner := &scope{parent: sc}
	completed := false
	for {
		x, ok, err := next()
		if err == nil {
			err = s.step(1)
		}
		if err != nil {
			return 0, at(st.line, err)
		}
		if !ok {
			break
		}
		if inner.captured {
			inner = &scope{parent: sc}
		}
		inner.vars = inner.vars[:0]
		if l != nil {
			inner.vars = append(inner.vars, binding{"loop", l})
		}
		if err := s.assign(st.target, x, inner); err != nil {
			return 0, at(st.line, err)
		}
		c, err := s.run(st.body, inner)
		if err != nil {
			return 0, err
		}
		if c == ctlBreak {
			break
		}
		completed = completed || c == ctlNext
	}
	// Jinja marks an iteration as done at the end of the body, which break and continue skip: else
	// is rendered where every item was left so.
	if !completed {
		return s.run(st.orelse, &scope{parent: sc})
	}
	return ctlNext, nil
}

func (st *forStmt) filtered(s *state, sc *scope, next nextFunc) nextFunc {
	inner := &scope{parent: sc}
	return func() (value, bool, error) {
		for {
			x, ok, err := next()
			if !ok || err != nil {
				return nil, false, err
			}
			if err := s.step(1); err != nil {
				return nil, false, err
			}
			inner.vars = inner.vars[:0]
			if err := s.assign(st.target, x, inner); err != nil {
				return nil, false, err
			}
			yes, err := s.test(st.test, inner)
			if err != nil {
				return nil, false, err
			}
			if yes {
				return x, true, nil
			}
		}
	}
}
