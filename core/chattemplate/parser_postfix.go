package chattemplate

import (
	"slices"
)

func (p *parser) postfix(x expr) (expr, error) {
	for {
		var err error
		switch {
		case p.isOp("."), p.isOp("["):
			x, err = p.subscript(x)
		case p.isOp("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err == nil {
			err = p.link()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) filtersAndTests(x expr) (expr, error) {
	for {
		var err error
		switch {
		case p.isOp("|"):
			x, err = p.filter(x)
		case p.isName("is"):
			x, err = p.test(x)
		case p.isOp("("):
			x, err = p.call(x)
		default:
			return x, nil
		}
		if err == nil {
			err = p.link()
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) subscript(x expr) (expr, error) {
	t := p.next()
	if t.text == "." {
		a := p.next()
		switch a.kind {
		case tokName:
			return &attrExpr{x, a.text, t.line}, nil
		case tokInteger:
			return &itemExpr{x, &constExpr{a.num}, t.line}, nil
		}
		return nil, syntaxError(a.line, "expected a name or number after '.', got %s", a)
	}
	var keys []expr
	var only *sliceExpr
	for !p.isOp("]") {
		if len(keys) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		key, sl, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		if only = sl; sl != nil {
			key = &sliceKey{}
		}
		keys = append(keys, key)
	}
	p.next()
	if len(keys) == 1 {
		if only != nil {
			only.x, only.line = x, t.line
			return only, nil
		}
		return &itemExpr{x, keys[0], t.line}, nil
	}
	return &itemExpr{x, &tupleExpr{keys}, t.line}, nil
}

// subscribed reads what stands between brackets: an expression or a slice.
func (p *parser) subscribed() (expr, *sliceExpr, error) {
	var parts [3]expr
	ends := func() bool { return p.isOp("]") || p.isOp(",") }
	if !p.isOp(":") {
		x, err := p.expression(true)
		if err != nil || !p.isOp(":") {
			return x, nil, err
		}
		parts[0] = x
	}
	p.next()
	for i := 1; i < 3; i++ {
		if i == 2 && !p.skipOp(":") {
			break
		}
		if ends() || p.isOp(":") {
			continue
		}
		x, err := p.expression(true)
		if err != nil {
			return nil, nil, err
		}
		parts[i] = x
	}
	return nil, &sliceExpr{start: parts[0], stop: parts[1], step: parts[2]}, nil
}

func (p *parser) call(fn expr) (expr, error) {
	line := p.peek().line
	args, err := p.callArgs()
	return &callExpr{fn, args, line}, err
}

func (p *parser) callArgs() (argList, error) {
	var a argList
	line := p.peek().line
	if err := p.expectOp("("); err != nil {
		return a, err
	}
	bad := func() error { return syntaxError(line, "invalid order of arguments in a call") }
	for first := true; !p.isOp(")"); first = false {
		if !first {
			if err := p.expectOp(","); err != nil {
				return a, err
			}
			if p.isOp(")") {
				break
			}
		}
		var err error
		switch {
		case p.isOp("*"):
			if a.star != nil || a.dstar != nil {
				return a, bad()
			}
			p.next()
			a.star, err = p.expression(true)
		case p.isOp("**"):
			if a.dstar != nil {
				return a, bad()
			}
			p.next()
			a.dstar, err = p.expression(true)
		case p.peek().kind == tokName && p.look(1).kind == tokOperator && p.look(1).text == "=":
			if a.dstar != nil {
				return a, bad()
			}
			name := p.next().text
			p.next()
			if slices.Contains(a.names, name) {
				return a, syntaxError(line, "argument %s is given twice", name)
			}
			var x expr
			x, err = p.expression(true)
			a.names = append(a.names, name)
			a.vals = append(a.vals, x)
		default:
			if a.star != nil || a.dstar != nil || len(a.names) > 0 {
				return a, bad()
			}
			var x expr
			x, err = p.expression(true)
			a.pos = append(a.pos, x)
		}
		if err != nil {
			return a, err
		}
	}
	a.simple = len(a.names) == 0 && a.star == nil && a.dstar == nil
	return a, p.expectOp(")")
}

func (p *parser) dottedName() (string, error) {
	name, err := p.expectName()
	for err == nil && p.skipOp(".") {
		var more string
		more, err = p.expectName()
		name += "." + more
	}
	return name, err
}

// filter reads "|name(args)"; x is what is filtered.
func (p *parser) filter(x expr) (expr, error) {
	if err := p.expectOp("|"); err != nil {
		return nil, err
	}
	return p.filterName(x)
}

func (p *parser) filterName(x expr) (*filterExpr, error) {
	f := &filterExpr{x: x, line: p.peek().line}
	var err error
	if f.name, err = p.dottedName(); err != nil {
		return nil, err
	}
	f.fn = lookupFilter(f.name)
	if f.fn == nil && !p.soft {
		return nil, syntaxError(f.line, "there is no filter '%s'", f.name)
	}
	f.args.simple = true
	if p.isOp("(") {
		f.args, err = p.callArgs()
	}
	return f, err
}

func (p *parser) test(x expr) (expr, error) {
	t := &testExpr{x: x, line: p.next().line}
	negated := p.skipName("not")
	var err error
	if t.name, err = p.dottedName(); err != nil {
		return nil, err
	}
	t.fn = lookupTest(t.name)
	if t.fn == nil && !p.soft {
		return nil, syntaxError(t.line, "there is no test '%s'", t.name)
	}
	t.args.simple = true
	switch n := p.peek(); {
	case p.isOp("("):
		t.args, err = p.callArgs()
	case p.isName("else"), p.isName("or"), p.isName("and"):
	case p.isName("is"):
		return nil, syntaxError(n.line, "tests with 'is' cannot be chained")
	case n.kind == tokName, n.kind == tokString, n.kind == tokInteger, n.kind == tokFloat, p.isOp("["), p.isOp("{"):
		var arg expr
		if arg, err = p.primary(false); err == nil {
			arg, err = p.postfix(arg)
		}
		t.args.pos = []expr{arg}
	}
	if negated {
		return &notExpr{t}, err
	}
	return t, err
}
