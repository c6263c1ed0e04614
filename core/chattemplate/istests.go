package chattemplate

import (
	"fmt"
	"math/big"
)

type testFunc = func(s *state, v value, a *callArgs) (bool, error)

// lookupTest returns what stands behind "is", by name; nil where there is none.
func lookupTest(name string) testFunc {
	if op := comparison(name); op != "" {
		return func(s *state, v value, a *callArgs) (bool, error) {
			args, err := a.bind(name, 1, "other")
			if err != nil {
				return false, err
			}
			return s.compare(op, v, args[0])
		}
	}
	if f := typeTest(name); f != nil {
		return func(_ *state, v value, a *callArgs) (bool, error) {
			if len(a.pos)+len(a.names) > 0 {
				return false, fmt.Errorf("the test %s takes no arguments", name)
			}
			return f(v), nil
		}
	}
	switch name {
	case "odd", "even", "divisibleby":
		return func(s *state, v value, a *callArgs) (bool, error) { return divisible(s, name, v, a) }
	case "filter", "test":
		return func(_ *state, v value, a *callArgs) (bool, error) {
			if _, err := a.bind(name, 0); err != nil {
				return false, err
			}
			t, ok := text(v)
			return ok && (name == "filter" && lookupFilter(t) != nil || name == "test" && lookupTest(t) != nil), nil
		}
	case "lower", "upper":
		return func(s *state, v value, a *callArgs) (bool, error) {
			if _, err := a.bind(name, 0); err != nil {
				return false, err
			}
			t, err := s.str(v)
			return predicates["is"+name](t), err
		}
	case "iterable":
		return func(s *state, v value, a *callArgs) (bool, error) {
			if _, err := a.bind(name, 0); err != nil {
				return false, err
			}
			_, _, err := s.iterate(v)
			return err == nil, nil
		}
	case "sameas":
		return func(_ *state, v value, a *callArgs) (bool, error) {
			args, err := a.bind(name, 1, "other")
			return err == nil && v == args[0], err
		}
	}
	return nil
}

func comparison(name string) string {
	switch name {
	case "==", "eq", "equalto":
		return "=="
	case "!=", "ne":
		return "!="
	case ">", "gt", "greaterthan":
		return ">"
	case ">=", "ge":
		return ">="
	case "<", "lt", "lessthan":
		return "<"
	case "<=", "le":
		return "<="
	case "in":
		return "in"
	}
	return ""
}

func typeTest(name string) func(v value) bool {
	switch name {
	case "defined":
		return func(v value) bool { return !isUndefined(v) }
	case "undefined":
		return isUndefined
	case "none":
		return func(v value) bool { return v == nil }
	case "boolean":
		return func(v value) bool { return v == true || v == false }
	case "true":
		return func(v value) bool { return v == true }
	case "false":
		return func(v value) bool { return v == false }
	case "integer":
		return func(v value) bool {
			switch v.(type) {
			case int64, *big.Int:
				return true
			}
			return false
		}
	case "float":
		return func(v value) bool {
			_, ok := v.(float64)
			return ok
		}
	case "number":
		return isNumber
	case "string":
		return func(v value) bool {
			_, ok := text(v)
			return ok
		}
	case "mapping":
		return func(v value) bool {
			_, ok := v.(*Dict)
			return ok
		}
	case "sequence":
		return func(v value) bool {
			switch v.(type) {
			case string, markup, *List, *tuple, *Dict, rangeOf, *undefined:
				return true
			}
			return false
		}
	case "callable":
		return func(v value) bool {
			switch v.(type) {
			case *function, *macroOf, *loopOf, *joinerOf, *undefined:
				return true
			}
			return false
		}
	case "escaped":
		return func(v value) bool {
			_, ok := v.(markup)
			return ok
		}
	}
	return nil
}

func isUndefined(v value) bool {
	_, ok := v.(*undefined)
	return ok
}

func divisible(s *state, name string, v value, a *callArgs) (bool, error) {
	by, remainder := value(int64(2)), value(int64(0))
	if name == "divisibleby" {
		args, err := a.bind(name, 1, "num")
		if err != nil {
			return false, err
		}
		by = args[0]
	} else if _, err := a.bind(name, 0); err != nil {
		return false, err
	}
	if name == "odd" {
		remainder = int64(1)
	}
	r, err := s.binary("%", v, by)
	if err != nil {
		return false, err
	}
	return s.equal(r, remainder, 0)
}
