package lambda

import (
	"slices"
	"strconv"

	"go.starlark.net/syntax"
)

// Names of the functions that stand in for operations of Starlark's that count
// bytes or have no bounds. They begin with a sign that Python has in no name.
const (
	callIndex  = "·index"
	callSlice  = "·slice"
	callBinary = "·binary"
	callMethod = "·method"
	// callAttribute refuses a method that is not called.
	callAttribute = "·attribute"
)

// operators that make values larger than their operands.
var operators = map[syntax.Token]string{syntax.PLUS: "+", syntax.STAR: "*", syntax.PERCENT: "%"}

// guard replaces operations in an expression, which it changes.
func guard(e syntax.Expr) syntax.Expr {
	if e == nil {
		return nil
	}
	switch e := e.(type) {
	case *syntax.ParenExpr:
		e.X = guard(e.X)
	case *syntax.CallExpr:
		for i := range e.Args {
			e.Args[i] = guardArgument(e.Args[i])
		}
		for paren, ok := e.Fn.(*syntax.ParenExpr); ok; paren, ok = e.Fn.(*syntax.ParenExpr) {
			e.Fn = paren.X
		}
		if dot, ok := e.Fn.(*syntax.DotExpr); ok {
			return call(e.Lparen, callMethod, append([]syntax.Expr{guard(dot.X), text(dot.NamePos, dot.Name.Name)}, e.Args...)...)
		}
		e.Fn = guard(e.Fn)
	case *syntax.DotExpr:
		// Called outside callMethod it would escape its bounds.
		return call(e.Dot, callAttribute, text(e.NamePos, e.Name.Name))
	case *syntax.Comprehension:
		e.Body = guard(e.Body)
		for _, c := range e.Clauses {
			switch c := c.(type) {
			case *syntax.ForClause:
				c.X = guard(c.X)
			case *syntax.IfClause:
				c.Cond = guard(c.Cond)
			}
		}
	case *syntax.DictExpr:
		for _, item := range e.List {
			guard(item) // a DictEntry, changed in place
		}
	case *syntax.DictEntry:
		e.Key, e.Value = guard(e.Key), guard(e.Value)
	case *syntax.LambdaExpr:
		for i := range e.Params {
			e.Params[i] = guardArgument(e.Params[i])
		}
		e.Body = guard(e.Body)
	case *syntax.ListExpr:
		for i := range e.List {
			e.List[i] = guard(e.List[i])
		}
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = guard(e.Cond), guard(e.True), guard(e.False)
	case *syntax.TupleExpr:
		for i := range e.List {
			e.List[i] = guard(e.List[i])
		}
	case *syntax.UnaryExpr:
		e.X = guard(e.X)
	case *syntax.BinaryExpr:
		e.X, e.Y = guard(e.X), guard(e.Y)
		if op, ok := operators[e.Op]; ok {
			return call(e.OpPos, callBinary, text(e.OpPos, op), e.X, e.Y)
		}
	case *syntax.SliceExpr:
		args := []syntax.Expr{guard(e.X), none(e.Lbrack), none(e.Lbrack), none(e.Lbrack)}
		for i, part := range []syntax.Expr{e.Lo, e.Hi, e.Step} {
			if part != nil {
				args[i+1] = guard(part)
			}
		}
		return call(e.Lbrack, callSlice, args...)
	case *syntax.IndexExpr:
		return call(e.Lbrack, callIndex, guard(e.X), guard(e.Y))
	}
	return e
}

// guardArgument leaves the name of a named argument alone, and the stars of a
// list of them.
func guardArgument(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		if e.Op == syntax.EQ {
			e.Y = guard(e.Y)
			return e
		}
	case *syntax.UnaryExpr:
		if e.Op == syntax.STAR || e.Op == syntax.STARSTAR {
			if e.X != nil {
				e.X = guard(e.X)
			}
			return e
		}
	}
	return guard(e)
}

func call(at syntax.Position, function string, args ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{Fn: &syntax.Ident{NamePos: at, Name: function}, Lparen: at, Args: args, Rparen: at}
}

func none(at syntax.Position) syntax.Expr { return &syntax.Ident{NamePos: at, Name: "None"} }

func text(at syntax.Position, s string) syntax.Expr {
	return &syntax.Literal{Token: syntax.STRING, TokenPos: at, Raw: strconv.Quote(s), Value: s}
}

// columnsOf finds the columns that an expression reads: parameter['name'] and
// parameter.get('name'). Any other use of the parameter may read all.
func columnsOf(body syntax.Expr, parameter string) (names []string, all bool) {
	literal := func(e syntax.Expr) (string, bool) {
		l, ok := e.(*syntax.Literal)
		if !ok || l.Token != syntax.STRING {
			return "", false
		}
		s, ok := l.Value.(string)
		return s, ok
	}
	isParameter := func(e syntax.Expr) bool {
		ident, ok := e.(*syntax.Ident)
		return ok && ident.Name == parameter
	}
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	syntax.Walk(body, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.IndexExpr:
			if name, ok := literal(n.Y); ok && isParameter(n.X) {
				add(name)
				return false
			}
		case *syntax.CallExpr:
			dot, ok := n.Fn.(*syntax.DotExpr)
			if !ok || !isParameter(dot.X) || dot.Name.Name != "get" || len(n.Args) == 0 {
				return true
			}
			if name, ok := literal(n.Args[0]); ok {
				add(name)
				for _, a := range n.Args[1:] {
					inner, innerAll := columnsOf(a, parameter)
					all = all || innerAll
					for _, name := range inner {
						add(name)
					}
				}
				return false
			}
		case *syntax.Ident:
			all = all || n.Name == parameter
		}
		return true
	})
	return names, all
}
