package chattemplate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

func sequenceFilter(name string) filterFunc {
	switch name {
	case "batch":
		return batch
	case "dictsort":
		return dictSort
	case "first":
		return plain(name, first)
	case "last":
		return plain(name, last)
	case "groupby":
		return groupBy
	case "items":
		return plain(name, itemsFilter)
	case "join":
		return joinFilter
	case "list":
		return plain(name, func(s *state, v value) (value, error) {
			items, err := s.items(v)
			if err == nil {
				err = s.allocateItems(len(items))
			}
			return &List{items: slices.Clone(items)}, err
		})
	case "map":
		return mapFilter
	case "min", "max":
		return func(s *state, v value, a *callArgs) (value, error) { return extreme(s, name, v, a) }
	case "reverse":
		return plain(name, reverseFilter)
	case "select", "reject", "selectattr", "rejectattr":
		return func(s *state, v value, a *callArgs) (value, error) { return selectFilter(s, name, v, a) }
	case "slice":
		return sliceFilter
	case "sort":
		return sortFilter
	case "sum":
		return sumFilter
	case "unique":
		return unique
	}
	return nil
}

func first(s *state, v value) (value, error) {
	next, _, err := s.iterate(v)
	if err != nil {
		return nil, err
	}
	x, ok, err := next()
	if !ok && err == nil {
		return &undefined{"No first item, sequence was empty."}, nil
	}
	return x, err
}

func last(s *state, v value) (value, error) {
	switch v.(type) {
	case *iterator, *loopOf:
		return nil, fmt.Errorf("'%s' object is not reversible", typeName(v))
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{"No last item, sequence was empty."}, nil
	}
	return items[len(items)-1], nil
}

func itemsFilter(_ *state, v value) (value, error) {
	// As a generator, it checks its value once its first item is asked for.
	var next nextFunc
	return generator(v, func() (value, bool, error) {
		if next == nil {
			switch v := v.(type) {
			case *Dict:
				view := dictView{v, "items"}
				next, _, _ = indexed(v.Len(), view.at)
			case *undefined:
				next = overItems(nil)
			default:
				return nil, false, errors.New("can only get item pairs from a mapping")
			}
		}
		return next()
	})
}

func reverseFilter(s *state, v value) (value, error) {
	if t, ok := text(v); ok {
		r := []rune(t)
		slices.Reverse(r)
		return wrap(v, string(r)), s.allocate(len(t))
	}
	items, err := s.items(v)
	if err != nil {
		return nil, errors.New("argument must be iterable")
	}
	if err := s.allocateItems(len(items)); err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	switch v.(type) {
	case *iterator, *undefined, *loopOf:
		return &List{items: items}, nil
	}
	return &iterator{kind: "list_reverseiterator", next: overItems(items)}, nil
}

// attributePath is what "a.b.0" or an integer names within an item.
func attributePath(v value) ([]value, error) {
	switch t := v.(type) {
	case nil, missingValue:
		return nil, nil
	case string, markup:
		name, _ := text(t)
		var parts []value
		for p := range strings.SplitSeq(name, ".") {
			if every(isNumeric)(p) && isASCII(p) {
				if n, ok := parseInt(p, 10); ok {
					parts = append(parts, n)
					continue
				}
			}
			parts = append(parts, p)
		}
		return parts, nil
	}
	return []value{v}, nil
}

type getter = func(v value) (value, error)

// attributeGetter reads the attribute of an item; ignoreCase lowers strings, for comparing.
func (s *state) attributeGetter(attribute, otherwise value, ignoreCase bool) (getter, error) {
	path, err := attributePath(attribute)
	if err != nil {
		return nil, err
	}
	return func(v value) (value, error) {
		for _, p := range path {
			var err error
			if v, err = s.getitem(v, p); err != nil {
				return nil, err
			}
			if _, ok := v.(*undefined); ok && otherwise != nil && otherwise != missing {
				v = otherwise
			}
		}
		if ignoreCase {
			v = folded(v)
		}
		return v, s.step(1)
	}, nil
}

func folded(v value) value {
	if t, ok := text(v); ok {
		return lower(t)
	}
	return v
}

func flag(v value, otherwise bool) (bool, error) {
	if v == missing {
		return otherwise, nil
	}
	return truth(v)
}

func sumFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("sum", 0, "attribute", "start")
	if err != nil {
		return nil, err
	}
	get, err := s.attributeGetter(args[0], nil, false)
	if err != nil {
		return nil, err
	}
	total := args[1]
	if total == missing {
		total = int64(0)
	}
	if _, ok := text(total); ok {
		return nil, errors.New("sum() can't sum strings")
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	for _, x := range items {
		if x, err = get(x); err != nil {
			return nil, err
		}
		if total, err = s.binary("+", total, x); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func joinFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("join", 0, "d", "attribute")
	if err != nil {
		return nil, err
	}
	sep := ""
	if args[0] != missing {
		if sep, err = s.str(args[0]); err != nil {
			return nil, err
		}
	}
	get, err := s.attributeGetter(args[1], nil, false)
	if err != nil {
		return nil, err
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(items))
	n := 0
	for i, x := range items {
		if x, err = get(x); err != nil {
			return nil, err
		}
		if parts[i], err = s.str(x); err != nil {
			return nil, err
		}
		if n += len(parts[i]) + len(sep); n > maxTextBytes {
			return nil, errTextTooLong
		}
	}
	return strings.Join(parts, sep), s.allocate(n)
}

// generate makes a generator: step is called for each item and tells whether to yield its result.
func (s *state) generate(v value, step func(x value) (value, bool, error)) (value, error) {
	var next nextFunc
	return generator(v, func() (value, bool, error) {
		if next == nil {
			// Python's filters look at "if value" first, so that None yields nothing.
			yes, err := truth(v)
			if err != nil {
				return nil, false, err
			}
			if !yes {
				v = &undefined{}
			}
			if next, _, err = s.iterate(v); err != nil {
				return nil, false, err
			}
		}
		for {
			x, ok, err := next()
			if !ok || err != nil {
				return nil, false, err
			}
			if err := s.step(1); err != nil {
				return nil, false, err
			}
			y, yield, err := step(x)
			if err != nil {
				return nil, false, err
			}
			if yield {
				return y, true, nil
			}
		}
	})
}

func mapFilter(s *state, v value, a *callArgs) (value, error) {
	// Arguments are looked at once the first item is asked for, as a generator does.
	var apply getter
	return s.generate(v, func(x value) (value, bool, error) {
		if apply == nil {
			var err error
			if apply, err = s.mapper(a); err != nil {
				return nil, false, err
			}
		}
		y, err := apply(x)
		return y, true, err
	})
}

func (s *state) mapper(a *callArgs) (getter, error) {
	if len(a.pos) == 0 && slices.Contains(a.names, "attribute") {
		args, err := a.bind("map", 0, "attribute", "default")
		if err != nil {
			return nil, err
		}
		return s.attributeGetter(args[0], args[1], false)
	}
	if len(a.pos) == 0 {
		return nil, errors.New("map requires a filter argument")
	}
	name, err := wantText("map", a.pos[0])
	if err != nil {
		return nil, err
	}
	f := lookupFilter(name)
	if f == nil {
		return nil, fmt.Errorf("there is no filter '%s'", oneLine(name))
	}
	rest := &callArgs{pos: a.pos[1:], names: a.names, vals: a.vals}
	return func(x value) (value, error) { return f(s, x, rest) }, nil
}

func selectFilter(s *state, name string, v value, a *callArgs) (value, error) {
	var keep func(x value) (bool, error)
	return s.generate(v, func(x value) (value, bool, error) {
		if keep == nil {
			var err error
			if keep, err = s.selector(name, a); err != nil {
				return nil, false, err
			}
		}
		yes, err := keep(x)
		return x, yes != strings.HasPrefix(name, "reject"), err
	})
}

func (s *state) selector(name string, a *callArgs) (func(value) (bool, error), error) {
	get := func(v value) (value, error) { return v, nil }
	pos := a.pos
	if strings.HasSuffix(name, "attr") {
		if len(pos) == 0 {
			return nil, errors.New("missing parameter for attribute name")
		}
		var err error
		if get, err = s.attributeGetter(pos[0], nil, false); err != nil {
			return nil, err
		}
		pos = pos[1:]
	}
	if len(pos) == 0 {
		return func(v value) (bool, error) {
			x, err := get(v)
			if err != nil {
				return false, err
			}
			return truth(x)
		}, nil
	}
	test, err := wantText(name, pos[0])
	if err != nil {
		return nil, err
	}
	f := lookupTest(test)
	if f == nil {
		return nil, fmt.Errorf("there is no test '%s'", oneLine(test))
	}
	rest := &callArgs{pos: pos[1:], names: a.names, vals: a.vals}
	return func(v value) (bool, error) {
		x, err := get(v)
		if err != nil {
			return false, err
		}
		return f(s, x, rest)
	}, nil
}
