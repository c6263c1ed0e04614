package open

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// slice is a part of a split, as train[10%:20%].
type slice struct {
	split    string // "all": every split
	from, to bound
}

// bound is one end of a slice.
type bound struct {
	given   bool
	percent bool
	n       int64 // from the end where negative
}

var slicePattern = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.]*)(?:\[(?:(-?\d{1,12})(%?))?:(?:(-?\d{1,12})(%?))?\])?$`)

// parseSplit reads the split argument of load_dataset: slices with a plus
// between them.
func parseSplit(text string) ([]slice, error) {
	var slices []slice
	for part := range strings.SplitSeq(text, "+") {
		m := slicePattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, fmt.Errorf("split %q is not understood (write it like train, train[:1000], train[10%%:20%%] or train+test)", clip(text))
		}
		s := slice{split: m[1]}
		for i, b := range []*bound{&s.from, &s.to} {
			number, percent := m[2+2*i], m[3+2*i] != ""
			if number == "" {
				continue
			}
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil || percent && (n > 100 || n < -100) {
				return nil, fmt.Errorf("split %q: %s is out of range", clip(text), number)
			}
			*b = bound{true, percent, n}
		}
		slices = append(slices, s)
	}
	return slices, nil
}

// most is how many rows of the split are needed for the slice; 0: its length
// has to be known.
func (s slice) most() int {
	if s.to.given && !s.to.percent && s.to.n > 0 && !s.from.percent && s.from.n >= 0 {
		return int(min(s.to.n, math.MaxInt32))
	}
	return 0
}

// of returns the rows of a split of n rows.
func (s slice) of(n int) (from, to int) {
	from, to = 0, n
	if s.from.given {
		from = s.from.of(n)
	}
	if s.to.given {
		to = s.to.of(n)
	}
	return from, max(from, to)
}

func (b bound) of(n int) int {
	at := b.n
	if b.percent {
		at = int64(math.RoundToEven(float64(b.n) * float64(n) / 100))
	}
	if at < 0 {
		at += int64(n)
	}
	return int(min(max(at, 0), int64(n)))
}

// choose finds the splits that an expression names; note says which was taken
// where it names none.
func (c config) choose(expression string) (parts []slice, note string, err error) {
	var names []string
	for _, s := range c.splits {
		names = append(names, s.name)
	}
	if expression == "" {
		name := names[0]
		if slices.Contains(names, "train") {
			name = "train"
		}
		if len(names) > 1 {
			note = fmt.Sprintf("no split was named: %s is used, of %s (huggingface_kwargs.split of --dataset-config says which)", name, strings.Join(names, ", "))
		}
		return []slice{{split: name}}, note, nil
	}
	parsed, err := parseSplit(expression)
	if err != nil {
		return nil, "", err
	}
	for _, s := range parsed {
		switch {
		case slices.Contains(names, s.split):
			parts = append(parts, s)
		case s.split == "all":
			for _, name := range names {
				parts = append(parts, slice{name, s.from, s.to})
			}
		default:
			return nil, "", fmt.Errorf("has no split %q (it has %s)", clip(s.split), strings.Join(names, ", "))
		}
	}
	if len(parts) == 0 {
		return nil, "", errors.New("names no split")
	}
	return parts, "", nil
}
