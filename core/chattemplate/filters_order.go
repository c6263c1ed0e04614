package chattemplate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

func (s *state) sorted(items []value, keys []value, descending bool) ([]value, error) {
	if err := s.allocateItems(2 * len(items)); err != nil {
		return nil, err
	}
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var failed error
	slices.SortStableFunc(order, func(i, j int) int {
		if failed != nil {
			return 0
		}
		a, b, sign := keys[i], keys[j], -1
		if descending {
			sign = 1
		}
		less, err := s.order("<", a, b, 0)
		if err == nil && less {
			return sign
		}
		if err == nil {
			less, err = s.order("<", b, a, 0)
		}
		if err != nil {
			failed = err
		}
		if less {
			return -sign
		}
		return 0
	})
	out := make([]value, len(items))
	for i, j := range order {
		out[i] = items[j]
	}
	return out, failed
}

func sortFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("sort", 0, "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	descending, err := flag(args[0], false)
	if err != nil {
		return nil, err
	}
	exact, err := flag(args[1], false)
	if err != nil {
		return nil, err
	}
	attributes := []value{args[2]}
	if t, ok := text(args[2]); ok {
		attributes = nil
		for part := range strings.SplitSeq(t, ",") {
			attributes = append(attributes, part)
		}
	}
	var getters []getter
	for _, attribute := range attributes {
		g, err := s.attributeGetter(attribute, nil, !exact)
		if err != nil {
			return nil, err
		}
		getters = append(getters, g)
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	keys := make([]value, len(items))
	for i, x := range items {
		k := make([]value, len(getters))
		for j, g := range getters {
			if k[j], err = g(x); err != nil {
				return nil, err
			}
		}
		keys[i] = &List{items: k}
	}
	out, err := s.sorted(items, keys, descending)
	return &List{items: out}, err
}

func dictSort(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("dictsort", 0, "case_sensitive", "by", "reverse")
	if err != nil {
		return nil, err
	}
	exact, err := flag(args[0], false)
	if err != nil {
		return nil, err
	}
	pos := 0
	if args[1] != missing {
		switch args[1] {
		case "key":
		case "value":
			pos = 1
		default:
			return nil, errors.New(`dictsort sorts by "key" or "value" only`)
		}
	}
	descending, err := flag(args[2], false)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*Dict)
	if !ok {
		if u, ok := v.(*undefined); ok {
			return nil, u.err()
		}
		return nil, fmt.Errorf("dictsort needs a mapping, not %s", typeName(v))
	}
	items, err := s.items(dictView{d, "items"})
	if err != nil {
		return nil, err
	}
	keys := make([]value, len(items))
	for i, x := range items {
		keys[i] = x.(*tuple).items[pos]
		if !exact {
			keys[i] = folded(keys[i])
		}
	}
	out, err := s.sorted(items, keys, descending)
	return &List{items: out}, err
}

func groupBy(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("groupby", 1, "attribute", "default", "case_sensitive")
	if err != nil {
		return nil, err
	}
	exact, err := flag(args[2], false)
	if err != nil {
		return nil, err
	}
	key, err := s.attributeGetter(args[0], args[1], !exact)
	if err != nil {
		return nil, err
	}
	shown, err := s.attributeGetter(args[0], args[1], false)
	if err != nil {
		return nil, err
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	keys := make([]value, len(items))
	for i, x := range items {
		if keys[i], err = key(x); err != nil {
			return nil, err
		}
	}
	sorted, err := s.sorted(items, keys, false)
	if err != nil {
		return nil, err
	}
	out := &List{}
	var previous value
	for i, x := range sorted {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		same := false
		if i > 0 {
			if same, err = s.equal(previous, k, 0); err != nil {
				return nil, err
			}
		}
		if !same {
			name, err := shown(x)
			if err != nil {
				return nil, err
			}
			out.items = append(out.items, &tuple{group: true, items: []value{name, &List{}}})
			previous = k
		}
		group := out.items[len(out.items)-1].(*tuple).items[1].(*List)
		group.items = append(group.items, x)
	}
	return out, nil
}

func extreme(s *state, name string, v value, a *callArgs) (value, error) {
	args, err := a.bind(name, 0, "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	exact, err := flag(args[0], false)
	if err != nil {
		return nil, err
	}
	key, err := s.attributeGetter(args[1], nil, !exact)
	if err != nil {
		return nil, err
	}
	items, err := s.items(v)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return &undefined{"No aggregated item, sequence was empty."}, nil
	}
	op := "<"
	if name == "max" {
		op = ">"
	}
	best, bestKey := items[0], value(nil)
	for i, x := range items {
		k, err := key(x)
		if err != nil {
			return nil, err
		}
		better := i == 0
		if !better {
			if better, err = s.order(op, k, bestKey, 0); err != nil {
				return nil, err
			}
		}
		if better {
			best, bestKey = x, k
		}
	}
	return best, nil
}

func unique(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("unique", 0, "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	exact, err := flag(args[0], false)
	if err != nil {
		return nil, err
	}
	get, err := s.attributeGetter(args[1], nil, !exact)
	if err != nil {
		return nil, err
	}
	seen := map[any]bool{}
	next, _, err := s.iterate(v)
	return generator(v, func() (value, bool, error) {
		if err != nil {
			return nil, false, err
		}
		for {
			x, ok, err := next()
			if !ok || err != nil {
				return nil, false, err
			}
			k, err := get(x)
			if err != nil {
				return nil, false, err
			}
			h, err := hashKey(k, 0)
			if err != nil {
				return nil, false, err
			}
			if !seen[h] {
				seen[h] = true
				return x, true, s.allocateItems(4)
			}
		}
	})
}

func batch(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("batch", 1, "linecount", "fill_with")
	if err != nil {
		return nil, err
	}
	n, err := wantInt("batch", args[0])
	if err != nil {
		return nil, err
	}
	next, _, err := s.iterate(v)
	done := false
	return generator(v, func() (value, bool, error) {
		if err != nil || done {
			return nil, false, err
		}
		l := &List{}
		for len(l.items) < n || n <= 0 {
			x, ok, err := next()
			if err != nil {
				return nil, false, err
			}
			if !ok {
				done = true
				break
			}
			if err := s.allocateItems(1); err != nil {
				return nil, false, err
			}
			l.items = append(l.items, x)
		}
		if len(l.items) == 0 {
			return nil, false, nil
		}
		if done && args[1] != missing && args[1] != nil {
			if n > maxItems {
				return nil, false, fmt.Errorf("a list has more than %d items", maxItems)
			}
			if err := s.allocateItems(max(n-len(l.items), 0)); err != nil {
				return nil, false, err
			}
			for len(l.items) < n {
				l.items = append(l.items, args[1])
			}
		}
		return l, true, nil
	})
}

func sliceFilter(s *state, v value, a *callArgs) (value, error) {
	args, err := a.bind("slice", 1, "slices", "fill_with")
	if err != nil {
		return nil, err
	}
	n, err := wantInt("slice", args[0])
	if err != nil {
		return nil, err
	}
	var items []value
	i, offset := -1, 0
	return generator(v, func() (value, bool, error) {
		if i++; i == 0 {
			if items, err = s.items(v); err != nil {
				return nil, false, err
			}
			if n == 0 {
				return nil, false, errZeroDivision
			}
		}
		if i >= n {
			return nil, false, nil
		}
		each, extra := len(items)/n, len(items)%n
		start := offset + i*each
		if i < extra {
			offset++
		}
		part := slices.Clone(items[start : offset+(i+1)*each])
		if args[1] != missing && args[1] != nil && i >= extra {
			part = append(part, args[1])
		}
		return &List{items: part}, true, s.allocateItems(len(part))
	})
}
