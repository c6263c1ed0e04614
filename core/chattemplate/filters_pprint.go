package chattemplate

import (
	"errors"
	"slices"
)

// pprint is Python's pprint.pformat() for what fits one line of 80 columns: keys are sorted. What
// does not fit is refused rather than laid out differently.
func pprint(s *state, v value) (value, error) {
	v, err := s.keysSorted(v, 0)
	if err != nil {
		return nil, err
	}
	t, err := s.repr(v)
	if err == nil && runeLen(t) > 80 {
		err = errors.New("the filter pprint is refused for what does not fit 80 columns")
	}
	return t, err
}

func (s *state) keysSorted(v value, depth int) (value, error) {
	if depth > maxNesting {
		return nil, errTooNested
	}
	all := func(items []value) ([]value, error) {
		out, err := s.join(items, nil)
		for i := 0; err == nil && i < len(out); i++ {
			out[i], err = s.keysSorted(out[i], depth+1)
		}
		return out, err
	}
	switch v := v.(type) {
	case *List:
		items, err := all(v.items)
		return &List{items: items}, err
	case *tuple:
		items, err := all(v.items)
		return &tuple{items: items}, err
	case *Dict:
		d := NewDict()
		entries := slices.Clone(v.entries)
		var failed error
		slices.SortStableFunc(entries, func(a, b dictEntry) int {
			less, err := s.order("<", a.key, b.key, 0)
			if err != nil {
				failed = err
			}
			if less {
				return -1
			}
			if more, _ := s.order("<", b.key, a.key, 0); more {
				return 1
			}
			return 0
		})
		for _, e := range entries {
			x, err := s.keysSorted(e.val, depth+1)
			if err != nil {
				return nil, err
			}
			d.put(e.key, x)
		}
		return d, errors.Join(failed, s.allocateItems(2*d.Len()))
	}
	return v, nil
}
