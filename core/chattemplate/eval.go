package chattemplate

import (
	"errors"
	"fmt"
	"strings"
)

// missing stands for an argument that was not given.
type missingValue struct{}

var missing = missingValue{}

// callArgs are the arguments of one call.
type callArgs struct {
	pos   []value
	names []string
	vals  []value
}

// bind sorts arguments by the names of a function's parameters; what was not given is missing.
func (a *callArgs) bind(fn string, required int, params ...string) ([]value, error) {
	if len(a.pos) > len(params) {
		return nil, fmt.Errorf("%s takes at most %d arguments (%d given)", fn, len(params), len(a.pos))
	}
	out := make([]value, len(params))
	for i := range out {
		out[i] = missing
		if i < len(a.pos) {
			out[i] = a.pos[i]
		}
	}
names:
	for i, name := range a.names {
		for j, p := range params {
			if p == name {
				if out[j] != missing {
					return nil, fmt.Errorf("%s got two values for argument '%s'", fn, name)
				}
				out[j] = a.vals[i]
				continue names
			}
		}
		return nil, fmt.Errorf("%s has no argument '%s'", fn, name)
	}
	for i := range required {
		if out[i] == missing {
			return nil, fmt.Errorf("%s needs the argument '%s'", fn, params[i])
		}
	}
	return out, nil
}

func (l *argList) eval(s *state, sc *scope) (*callArgs, error) {
	a := &callArgs{}
	if len(l.pos) > 0 {
		a.pos = make([]value, len(l.pos))
		for i, x := range l.pos {
			v, err := x.eval(s, sc)
			if err != nil {
				return nil, err
			}
			a.pos[i] = v
		}
	}
	if l.simple {
		return a, nil
	}
	a.names = append(a.names, l.names...)
	for _, x := range l.vals {
		v, err := x.eval(s, sc)
		if err != nil {
			return nil, err
		}
		a.vals = append(a.vals, v)
	}
	if l.star != nil {
		v, err := l.star.eval(s, sc)
		if err != nil {
			return nil, err
		}
		more, err := s.items(v)
		if err != nil {
			return nil, err
		}
		a.pos = append(a.pos, more...)
	}
	if l.dstar != nil {
		v, err := l.dstar.eval(s, sc)
		if err != nil {
			return nil, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return nil, fmt.Errorf("argument after ** must be a mapping, not %s", typeName(v))
		}
		for _, e := range d.entries {
			name, ok := text(e.key)
			if !ok {
				return nil, errors.New("keywords must be strings")
			}
			if err := a.add(name, e.val); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

func (a *callArgs) add(name string, v value) error {
	for _, n := range a.names {
		if n == name {
			return fmt.Errorf("argument '%s' is given twice", name)
		}
	}
	a.names = append(a.names, name)
	a.vals = append(a.vals, v)
	return nil
}

func (x *constExpr) eval(s *state, _ *scope) (value, error) { return x.v, s.step(0) }

func (x *nameExpr) eval(s *state, sc *scope) (value, error) {
	return s.lookup(sc, x.name), s.step(0)
}

func (x *nsRef) eval(*state, *scope) (value, error) {
	return nil, errors.New("a namespace reference has no value")
}

func (x *sliceKey) eval(*state, *scope) (value, error) {
	return nil, errors.New("a slice cannot be one of several subscripts")
}

func (s *state) evalAll(items []expr, sc *scope) ([]value, error) {
	if err := s.allocateItems(len(items)); err != nil {
		return nil, err
	}
	out := make([]value, len(items))
	for i, x := range items {
		v, err := x.eval(s, sc)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (x *tupleExpr) eval(s *state, sc *scope) (value, error) {
	items, err := s.evalAll(x.items, sc)
	return &tuple{items: items}, err
}

func (x *listExpr) eval(s *state, sc *scope) (value, error) {
	items, err := s.evalAll(x.items, sc)
	return &List{items: items}, err
}

func (x *dictExpr) eval(s *state, sc *scope) (value, error) {
	if err := s.allocateItems(2 * len(x.keys)); err != nil {
		return nil, err
	}
	d := NewDict()
	for i := range x.keys {
		k, err := x.keys[i].eval(s, sc)
		if err != nil {
			return nil, err
		}
		v, err := x.vals[i].eval(s, sc)
		if err != nil {
			return nil, err
		}
		if _, err := hashKey(k, 0); err != nil {
			return nil, err
		}
		d.put(k, v)
	}
	return d, nil
}

func (x *andExpr) eval(s *state, sc *scope) (value, error) {
	a, err := x.a.eval(s, sc)
	if err != nil {
		return nil, err
	}
	if yes, err := truth(a); !yes || err != nil {
		return a, err
	}
	return x.b.eval(s, sc)
}

func (x *orExpr) eval(s *state, sc *scope) (value, error) {
	a, err := x.a.eval(s, sc)
	if err != nil {
		return nil, err
	}
	if yes, err := truth(a); yes || err != nil {
		return a, err
	}
	return x.b.eval(s, sc)
}

func (x *notExpr) eval(s *state, sc *scope) (value, error) {
	yes, err := s.test(x.x, sc)
	return !yes, err
}

func (x *condExpr) eval(s *state, sc *scope) (value, error) {
	yes, err := s.test(x.test, sc)
	if err != nil {
		return nil, err
	}
	if yes {
		return x.then.eval(s, sc)
	}
	if x.otherwise == nil {
		return &undefined{"the inline if-expression evaluated to false and no else section was defined"}, nil
	}
	return x.otherwise.eval(s, sc)
}

func (x *binaryExpr) eval(s *state, sc *scope) (value, error) {
	a, err := x.a.eval(s, sc)
	if err != nil {
		return nil, err
	}
	b, err := x.b.eval(s, sc)
	if err != nil {
		return nil, err
	}
	v, err := s.binary(x.op, a, b)
	return v, at(x.line, err)
}

func (x *unaryExpr) eval(s *state, sc *scope) (value, error) {
	v, err := x.x.eval(s, sc)
	if err != nil {
		return nil, err
	}
	return unary(x.op, v)
}

func (x *compareExpr) eval(s *state, sc *scope) (value, error) {
	a, err := x.first.eval(s, sc)
	if err != nil {
		return nil, err
	}
	for i, op := range x.ops {
		b, err := x.rest[i].eval(s, sc)
		if err != nil {
			return nil, err
		}
		yes, err := s.compare(op, a, b)
		if !yes || err != nil {
			return false, at(x.line, err)
		}
		a = b
	}
	return true, nil
}

func (s *state) compare(op string, a, b value) (bool, error) {
	switch op {
	case "==":
		return s.equal(a, b, 0)
	case "!=":
		same, err := s.equal(a, b, 0)
		return !same, err
	case "in":
		return s.contains(b, a)
	case "not in":
		in, err := s.contains(b, a)
		return !in, err
	}
	return s.order(op, a, b, 0)
}

func (x *concatExpr) eval(s *state, sc *scope) (value, error) {
	parts := make([]string, len(x.items))
	n := 0
	for i, item := range x.items {
		v, err := item.eval(s, sc)
		if err != nil {
			return nil, err
		}
		if parts[i], err = s.str(v); err != nil {
			return nil, err
		}
		n += len(parts[i])
	}
	if err := s.allocate(n); err != nil {
		return nil, err
	}
	return strings.Join(parts, ""), nil
}

func (x *attrExpr) eval(s *state, sc *scope) (value, error) {
	v, err := x.x.eval(s, sc)
	if err != nil {
		return nil, err
	}
	v, err = s.getattr(v, x.name)
	if err == nil {
		err = s.step(0)
	}
	return v, at(x.line, err)
}

func (x *itemExpr) eval(s *state, sc *scope) (value, error) {
	v, err := x.x.eval(s, sc)
	if err != nil {
		return nil, err
	}
	key, err := x.key.eval(s, sc)
	if err != nil {
		return nil, err
	}
	v, err = s.getitem(v, key)
	return v, at(x.line, err)
}

func (x *sliceExpr) eval(s *state, sc *scope) (value, error) {
	v, err := x.x.eval(s, sc)
	if err != nil {
		return nil, err
	}
	var bounds [3]value
	for i, b := range []expr{x.start, x.stop, x.step} {
		if b == nil {
			continue
		}
		if bounds[i], err = b.eval(s, sc); err != nil {
			return nil, err
		}
	}
	v, err = s.slice(v, bounds)
	return v, at(x.line, err)
}

func (x *callExpr) eval(s *state, sc *scope) (value, error) { return x.evalWith(s, sc, nil) }

// evalWith calls with the body of a call block as the argument caller, if any.
func (x *callExpr) evalWith(s *state, sc *scope, caller *macroOf) (value, error) {
	fn, err := x.fn.eval(s, sc)
	if err != nil {
		return nil, err
	}
	a, err := x.args.eval(s, sc)
	if err == nil && caller != nil {
		err = a.add("caller", caller)
	}
	if err != nil {
		return nil, at(x.line, err)
	}
	v, err := s.callValue(fn, a)
	return v, at(x.line, err)
}

func (s *state) callValue(fn value, a *callArgs) (value, error) {
	if err := s.step(1); err != nil {
		return nil, err
	}
	switch f := fn.(type) {
	case *function:
		return f.call(s, a)
	case *macroOf:
		return f.call(s, a)
	case *joinerOf:
		return f.call(s, a)
	case *loopOf:
		args, err := a.bind("loop", 1, "iterable")
		if err != nil {
			return nil, err
		}
		if f.recurse == nil {
			return nil, errors.New("the loop must be marked 'recursive' to be called")
		}
		return f.recurse(args[0], f.depth0+1)
	case *undefined:
		return nil, f.err()
	}
	return nil, fmt.Errorf("'%s' object is not callable", typeName(fn))
}

func (x *filterExpr) eval(s *state, sc *scope) (value, error) {
	v := s.captured
	if x.x != nil {
		var err error
		if v, err = x.x.eval(s, sc); err != nil {
			return nil, err
		}
	}
	a, err := x.args.eval(s, sc)
	if err != nil {
		return nil, err
	}
	if x.fn == nil {
		return nil, at(x.line, fmt.Errorf("there is no filter '%s'", x.name))
	}
	if err := s.step(1); err != nil {
		return nil, err
	}
	v, err = x.fn(s, v, a)
	return v, at(x.line, err)
}

func (x *testExpr) eval(s *state, sc *scope) (value, error) {
	v, err := x.x.eval(s, sc)
	if err != nil {
		return nil, err
	}
	a, err := x.args.eval(s, sc)
	if err != nil {
		return nil, err
	}
	if x.fn == nil {
		return nil, at(x.line, fmt.Errorf("there is no test '%s'", x.name))
	}
	yes, err := x.fn(s, v, a)
	return yes, at(x.line, err)
}
