package chattemplate

import (
	"errors"
	"fmt"
	"math"
)

func (r rangeOf) stop() int64 {
	if r.n == 0 {
		return r.start
	}
	return r.start + r.n*r.step
}

// globalFunction returns a function that every template has, or nil.
func globalFunction(name string) *function {
	switch name {
	case "range":
		return rangeFunction
	case "dict":
		return dictFunction
	case "namespace":
		return namespaceFunction
	case "cycler":
		return cyclerFunction
	case "joiner":
		return joinerFunction
	case "lipsum":
		return lipsumFunction
	case "self":
		return selfFunction
	case "raise_exception":
		return raiseFunction
	case "strftime_now":
		return strftimeFunction
	}
	return nil
}

var (
	rangeFunction     = &function{"range", makeRange}
	dictFunction      = &function{"dict", makeDict}
	namespaceFunction = &function{"namespace", makeNamespace}
	cyclerFunction    = &function{"cycler", makeCycler}
	joinerFunction    = &function{"joiner", makeJoiner}
	lipsumFunction    = &function{"lipsum", refuseLipsum}
	selfFunction      = &function{"self", refuseSelf}
	raiseFunction     = &function{"raise_exception", raise}
	strftimeFunction  = &function{"strftime_now", strftimeNow}
)

func makeRange(_ *state, a *callArgs) (value, error) {
	if len(a.names) > 0 {
		return nil, errors.New("range() takes no keyword arguments")
	}
	if len(a.pos) < 1 || len(a.pos) > 3 {
		return nil, fmt.Errorf("range expected 1 to 3 arguments, got %d", len(a.pos))
	}
	var n [3]int64
	for i, v := range a.pos {
		x, ok := integer(v)
		if !ok {
			if u, ok := v.(*undefined); ok {
				return nil, u.err()
			}
			return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", typeName(v))
		}
		if x > math.MaxInt64/4 || x < math.MinInt64/4 {
			return nil, fmt.Errorf("range() is limited to %d items", maxRange)
		}
		n[i] = x
	}
	r := rangeOf{step: 1}
	start, stop := int64(0), n[0]
	if len(a.pos) > 1 {
		start, stop = n[0], n[1]
	}
	if len(a.pos) == 3 {
		r.step = n[2]
	}
	r.start = start
	switch {
	case r.step == 0:
		return nil, errors.New("range() arg 3 must not be zero")
	case r.step > 0 && stop > start:
		r.n = (stop-start-1)/r.step + 1
	case r.step < 0 && stop < start:
		r.n = (start-stop-1)/-r.step + 1
	}
	if r.n > maxRange {
		return nil, fmt.Errorf("range() is limited to %d items", maxRange)
	}
	return r, nil
}

// makeDict is dict(mapping or pairs, **more).
func makeDict(s *state, a *callArgs) (value, error) {
	d := NewDict()
	if len(a.pos) > 1 {
		return nil, fmt.Errorf("dict expected at most 1 argument, got %d", len(a.pos))
	}
	if len(a.pos) == 1 {
		switch v := a.pos[0].(type) {
		case *Dict:
			if err := s.allocateItems(2 * v.Len()); err != nil {
				return nil, err
			}
			d = v.copy()
		default:
			items, err := s.items(v)
			if err != nil {
				return nil, err
			}
			for _, x := range items {
				pair, err := s.items(x)
				if err != nil {
					return nil, errors.New("dict() needs pairs of key and value")
				}
				if len(pair) != 2 {
					return nil, fmt.Errorf("dict() needs pairs of key and value, not %d values", len(pair))
				}
				if _, err := hashKey(pair[0], 0); err != nil {
					return nil, err
				}
				d.put(pair[0], pair[1])
			}
		}
	}
	for i, n := range a.names {
		d.put(n, a.vals[i])
	}
	return d, s.allocateItems(2 * d.Len())
}

func makeNamespace(s *state, a *callArgs) (value, error) {
	d, err := makeDict(s, a)
	if err != nil {
		return nil, err
	}
	return &namespaceOf{d.(*Dict)}, nil
}

// cyclerOf is what cycler() makes.
type cyclerOf struct {
	items []value
	pos   int
}

func makeCycler(_ *state, a *callArgs) (value, error) {
	if len(a.names) > 0 {
		return nil, errors.New("cycler() takes no keyword arguments")
	}
	if len(a.pos) == 0 {
		return nil, errors.New("at least one item has to be provided")
	}
	return &cyclerOf{items: a.pos}, nil
}

func (c *cyclerOf) attr(name string) (value, bool) {
	switch name {
	case "current":
		return c.items[c.pos], true
	case "items":
		return &tuple{items: c.items}, true
	case "pos":
		return int64(c.pos), true
	case "next":
		return &function{"next", func(*state, *callArgs) (value, error) {
			v := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return v, nil
		}}, true
	case "reset":
		return &function{"reset", func(*state, *callArgs) (value, error) {
			c.pos = 0
			return nil, nil
		}}, true
	}
	return nil, false
}

// joinerOf is what joiner() makes: it yields nothing the first time, then its separator.
type joinerOf struct {
	sep  value
	used bool
}

func makeJoiner(_ *state, a *callArgs) (value, error) {
	args, err := a.bind("joiner()", 0, "sep")
	if err != nil {
		return nil, err
	}
	if args[0] == missing {
		args[0] = ", "
	}
	return &joinerOf{sep: args[0]}, nil
}

func (j *joinerOf) call(_ *state, a *callArgs) (value, error) {
	if len(a.pos)+len(a.names) > 0 {
		return nil, errors.New("a joiner takes no arguments")
	}
	if !j.used {
		j.used = true
		return "", nil
	}
	return j.sep, nil
}

func refuseLipsum(*state, *callArgs) (value, error) {
	return nil, errors.New("lipsum() is refused: its text is random")
}

func refuseSelf(*state, *callArgs) (value, error) {
	return nil, errors.New("self is refused: blocks are rendered where they stand only")
}

func raise(s *state, a *callArgs) (value, error) {
	args, err := a.bind("raise_exception()", 1, "message")
	if err != nil {
		return nil, err
	}
	message, err := s.str(args[0])
	if err != nil {
		return nil, err
	}
	return nil, errors.New(oneLine(message))
}

// oneLine keeps a message that a template made on one line of bounded length.
func oneLine(s string) string {
	out := make([]rune, 0, 200)
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		if len(out) == 1000 {
			return string(out) + "…"
		}
		out = append(out, r)
	}
	return string(out)
}
