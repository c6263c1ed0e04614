package chattemplate

import (
	"errors"
	"strings"
)

// window applies the optional arguments start and end of find and its kin. Its offset counts
// characters, and -1 means that start lies behind the end of the text.
func window(t string, args []value) (string, int, error) {
	if len(args) == 0 || len(args) == 1 && args[0] == nil {
		return t, 0, nil
	}
	n := runeLen(t)
	start, _, count, err := sliceBounds([3]value{optional(args, 0), optional(args, 1), nil}, n)
	if err != nil {
		return "", 0, err
	}
	if count == 0 {
		first, _ := integer(optional(args, 0))
		if first < 0 {
			first = max(first+int64(n), 0)
		}
		end := int64(n)
		if e, ok := integer(optional(args, 1)); ok {
			if e < 0 {
				e = max(e+int64(n), 0)
			}
			end = min(e, end)
		}
		if first > int64(n) || first > end {
			return "", -1, nil
		}
		return "", int(first), nil
	}
	return sliceRunes(t, start, start+count), start, nil
}

func affix(fn, t string, a *callArgs) (value, error) {
	args, err := positional(fn, a, 1, 3)
	if err != nil {
		return nil, err
	}
	part, offset, err := window(t, args[1:])
	if err != nil || offset < 0 {
		return false, err
	}
	options := []value{args[0]}
	if l, ok := args[0].(*tuple); ok {
		options = l.items
	}
	for _, o := range options {
		x, err := wantText(fn, o)
		if err != nil {
			return nil, err
		}
		if fn == "startswith" && strings.HasPrefix(part, x) || fn == "endswith" && strings.HasSuffix(part, x) {
			return true, nil
		}
	}
	return false, nil
}

func find(fn, t string, a *callArgs) (value, error) {
	args, err := positional(fn, a, 1, 3)
	if err != nil {
		return nil, err
	}
	x, err := wantText(fn, args[0])
	if err != nil {
		return nil, err
	}
	part, offset, err := window(t, args[1:])
	if err != nil {
		return nil, err
	}
	if fn == "count" {
		if offset < 0 {
			return int64(0), nil
		}
		return int64(strings.Count(part, x)), nil
	}
	i := -1
	if offset >= 0 {
		if strings.HasPrefix(fn, "r") {
			i = strings.LastIndex(part, x)
		} else {
			i = strings.Index(part, x)
		}
	}
	if i < 0 {
		if strings.HasSuffix(fn, "index") {
			return nil, errors.New("substring not found")
		}
		return int64(-1), nil
	}
	return int64(offset + runeLen(part[:i])), nil
}

func replaceMethod(s *state, v value, t string, a *callArgs) (value, error) {
	args, err := positional("replace", a, 2, 3)
	if err != nil {
		return nil, err
	}
	before, err := wantText("replace", args[0])
	if err != nil {
		return nil, err
	}
	after, err := wantText("replace", args[1])
	if err != nil {
		return nil, err
	}
	if _, marked := v.(markup); marked {
		after = escaped(args[1])
	}
	limit := -1
	if len(args) == 3 {
		if limit, err = wantInt("replace", args[2]); err != nil {
			return nil, err
		}
	}
	out, err := s.replace(t, before, after, limit)
	return wrap(v, out), err
}

// escaped is the text of a string, with HTML's characters escaped unless it is marked.
func escaped(v value) string {
	t, _ := text(v)
	if _, ok := v.(markup); ok {
		return t
	}
	return escapeHTML(t)
}

func (s *state) replace(t, before, after string, limit int) (string, error) {
	n := strings.Count(t, before)
	if limit >= 0 {
		n = min(n, limit)
	}
	if size := len(t) + n*(len(after)-len(before)); n > 0 && len(after) > 0 && (size > maxTextBytes || n > maxTextBytes/len(after)) {
		return "", errTextTooLong
	}
	out := strings.Replace(t, before, after, limit)
	return out, s.allocate(len(out) + len(t))
}

func removeAffix(v value, t string, a *callArgs, prefix bool) (value, error) {
	args, err := positional("removeprefix", a, 1, 1)
	if err != nil {
		return nil, err
	}
	x, err := wantText("removeprefix", args[0])
	if err != nil {
		return nil, err
	}
	if prefix {
		return wrap(v, strings.TrimPrefix(t, x)), nil
	}
	return wrap(v, strings.TrimSuffix(t, x)), nil
}
