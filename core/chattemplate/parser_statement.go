package chattemplate

import "slices"

// body reads statements up to a tag that starts with one of the end names, whose name is consumed
// and returned. With no end names it reads to the end of the template.
func (p *parser) body(ends ...string) ([]stmt, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var out []stmt
	for {
		t := p.next()
		p.links = 0
		switch t.kind {
		case tokEOF:
			if len(ends) > 0 {
				return nil, "", syntaxError(t.line, "the template ends where {%% %s %%} is expected", ends[len(ends)-1])
			}
			return out, "", nil
		case tokData:
			out = append(out, &textStmt{t.text})
		case tokVariableBegin:
			line := p.peek().line
			x, err := p.tuple(tupleRules{withCond: true})
			if err != nil {
				return nil, "", err
			}
			if err := p.expectKind(tokVariableEnd); err != nil {
				return nil, "", err
			}
			out = append(out, &outputStmt{x, line})
		case tokBlockBegin:
			name := p.peek()
			if name.kind != tokName {
				return nil, "", p.unexpected("the name of a tag")
			}
			p.next()
			if slices.Contains(ends, name.text) {
				return out, name.text, nil
			}
			st, err := p.statement(name)
			if err != nil {
				return nil, "", err
			}
			if err := p.expectKind(tokBlockEnd); err != nil {
				return nil, "", err
			}
			out = append(out, st)
		default:
			return nil, "", syntaxError(t.line, "unexpected %s", t)
		}
	}
}

// block reads "%} … {% end": the body of a statement.
func (p *parser) block(ends ...string) ([]stmt, string, error) {
	p.skipOp(":")
	if err := p.expectKind(tokBlockEnd); err != nil {
		return nil, "", err
	}
	return p.body(ends...)
}

func (p *parser) statement(tag token) (stmt, error) {
	switch tag.text {
	case "if":
		return p.ifTag(tag.line)
	case "for":
		return p.forTag(tag.line)
	case "set":
		return p.setTag(tag.line)
	case "with":
		return p.withTag(tag.line)
	case "macro":
		return p.macroTag(tag.line)
	case "call":
		return p.callTag(tag.line)
	case "filter":
		f, err := p.filterName(nil)
		if err != nil {
			return nil, err
		}
		if f, err = p.moreFilters(f); err != nil {
			return nil, err
		}
		body, _, err := p.scoped("endfilter")
		return &filterStmt{f, body, tag.line}, err
	case "generation":
		body, _, err := p.scoped("endgeneration")
		return &scopeStmt{body}, err
	case "autoescape":
		x, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		if c, ok := x.(*constExpr); !ok || c.v != false {
			return nil, syntaxError(tag.line, "{%% autoescape %%} is supported for the value false only")
		}
		body, _, err := p.scoped("endautoescape")
		return &scopeStmt{body}, err
	case "block":
		return p.blockTag(tag.line)
	case "print":
		return p.printTag(tag.line)
	case "break", "continue":
		if p.loops == 0 {
			return nil, syntaxError(tag.line, "{%% %s %%} outside a loop", tag.text)
		}
		if tag.text == "break" {
			return &breakStmt{}, nil
		}
		return &continueStmt{}, nil
	case "include", "import", "from", "extends":
		return nil, syntaxError(tag.line, "{%% %s %%} is refused: a chat template cannot use other templates", tag.text)
	}
	return nil, syntaxError(tag.line, "unknown tag '%s'", tag.text)
}

// scoped reads a body in which an unknown filter is an error at once.
func (p *parser) scoped(ends ...string) ([]stmt, string, error) {
	soft := p.soft
	p.soft = false
	defer func() { p.soft = soft }()
	return p.block(ends...)
}

func (p *parser) moreFilters(f *filterExpr) (*filterExpr, error) {
	for p.skipOp("|") {
		if err := p.link(); err != nil {
			return nil, err
		}
		var x expr
		if f != nil {
			x = f
		}
		var err error
		if f, err = p.filterName(x); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (p *parser) ifTag(line int) (stmt, error) {
	soft := p.soft
	p.soft = true
	defer func() { p.soft = soft }()
	st := &ifStmt{line: line}
	for {
		test, err := p.tuple(tupleRules{})
		if err != nil {
			return nil, err
		}
		body, end, err := p.block("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		st.tests = append(st.tests, test)
		st.bodies = append(st.bodies, body)
		switch end {
		case "elif":
			continue
		case "else":
			st.orelse, _, err = p.block("endif")
		}
		return st, err
	}
}

func (p *parser) forTag(line int) (stmt, error) {
	st := &forStmt{line: line}
	var err error
	if st.target, err = p.target(tupleRules{simplified: true, end: "in"}); err != nil {
		return nil, err
	}
	if targets(st.target, "loop") {
		return nil, syntaxError(line, "a loop cannot assign to its own variable 'loop'")
	}
	if err := p.expectKeyword("in"); err != nil {
		return nil, err
	}
	if st.iter, err = p.tuple(tupleRules{end: "recursive"}); err != nil {
		return nil, err
	}
	if p.skipName("if") {
		if st.test, err = p.expression(true); err != nil {
			return nil, err
		}
	}
	st.recursive = p.skipName("recursive")
	p.loops++
	start := p.pos
	body, end, err := p.scoped("endfor", "else")
	p.loops--
	if err != nil {
		return nil, err
	}
	st.body = body
	st.extended = st.recursive || p.mentions(start, p.pos, "loop")
	if end == "else" {
		st.orelse, _, err = p.scoped("endfor")
	}
	return st, err
}

// mentions tells whether a name, not an attribute of that name, occurs between two tokens.
func (p *parser) mentions(from, to int, name string) bool {
	for i, t := range p.tokens[from:to] {
		if t.kind == tokName && t.text == name && p.tokens[from+i-1].text != "." {
			return true
		}
	}
	return false
}

func targets(x expr, name string) bool {
	switch x := x.(type) {
	case *nameExpr:
		return x.name == name
	case *tupleExpr:
		return slices.ContainsFunc(x.items, func(i expr) bool { return targets(i, name) })
	}
	return false
}

// target reads what an assignment may assign to.
func (p *parser) target(r tupleRules) (expr, error) {
	line := p.peek().line
	x, err := p.tuple(r)
	if err != nil {
		return nil, err
	}
	if !assignable(x) {
		return nil, syntaxError(line, "cannot assign to this expression")
	}
	return x, nil
}

func assignable(x expr) bool {
	switch x := x.(type) {
	case *nameExpr, *nsRef:
		return true
	case *tupleExpr:
		return !slices.ContainsFunc(x.items, func(i expr) bool { return !assignable(i) })
	}
	return false
}

func (p *parser) setTag(line int) (stmt, error) {
	target, err := p.target(tupleRules{simplified: true, namespace: true})
	if err != nil {
		return nil, err
	}
	if p.skipOp("=") {
		x, err := p.tuple(tupleRules{withCond: true})
		return &setStmt{target, x, line}, err
	}
	f, err := p.moreFilters(nil)
	if err != nil {
		return nil, err
	}
	body, _, err := p.scoped("endset")
	return &setBlockStmt{target, f, body, line}, err
}

func (p *parser) withTag(line int) (stmt, error) {
	st := &withStmt{line: line}
	for p.peek().kind != tokBlockEnd {
		if len(st.targets) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		t, err := p.target(tupleRules{simplified: true})
		if err != nil {
			return nil, err
		}
		if err := p.expectOp("="); err != nil {
			return nil, err
		}
		v, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		st.targets = append(st.targets, t)
		st.vals = append(st.vals, v)
	}
	var err error
	st.body, _, err = p.scoped("endwith")
	return st, err
}

func (p *parser) signature(d *macroDef) error {
	if err := p.expectOp("("); err != nil {
		return err
	}
	for !p.isOp(")") {
		if len(d.params) > 0 {
			if err := p.expectOp(","); err != nil {
				return err
			}
		}
		line := p.peek().line
		name, err := p.expectName()
		if err != nil {
			return err
		}
		if slices.Contains(d.params, name) {
			return syntaxError(line, "parameter %s is named twice", name)
		}
		if p.skipOp("=") {
			x, err := p.expression(true)
			if err != nil {
				return err
			}
			d.defaults = append(d.defaults, x)
		} else if len(d.defaults) > 0 {
			return syntaxError(line, "a parameter without a default follows one with a default")
		}
		d.params = append(d.params, name)
	}
	p.next()
	return nil
}

// macroBody reads the body of a macro or call block and finds out what it makes use of.
func (p *parser) macroBody(d *macroDef, end string) error {
	loops := p.loops
	p.loops = 0
	start := p.pos
	var err error
	d.body, _, err = p.scoped(end)
	p.loops = loops
	uses := func(name string) bool {
		return !slices.Contains(d.params, name) && p.mentions(start, p.pos, name)
	}
	d.varargs, d.kwargs, d.caller = uses("varargs"), uses("kwargs"), uses("caller")
	return err
}

func (p *parser) macroTag(line int) (stmt, error) {
	d := &macroDef{line: line}
	var err error
	if d.name, err = p.expectName(); err != nil {
		return nil, err
	}
	if err := p.signature(d); err != nil {
		return nil, err
	}
	return &macroStmt{d}, p.macroBody(d, "endmacro")
}

func (p *parser) callTag(line int) (stmt, error) {
	d := &macroDef{line: line}
	if p.isOp("(") {
		if err := p.signature(d); err != nil {
			return nil, err
		}
	}
	x, err := p.expression(true)
	if err != nil {
		return nil, err
	}
	call, ok := x.(*callExpr)
	if !ok {
		return nil, syntaxError(line, "{%% call %%} needs a call")
	}
	return &callStmt{call, d, line}, p.macroBody(d, "endcall")
}

func (p *parser) blockTag(line int) (stmt, error) {
	name, err := p.expectName()
	if err != nil {
		return nil, err
	}
	if p.blocks[name] != nil {
		return nil, syntaxError(line, "block '%s' is defined twice", name)
	}
	b := &blockStmt{name: name, scoped: p.skipName("scoped")}
	if p.isName("required") {
		return nil, syntaxError(line, "a required block is refused: a chat template cannot use other templates")
	}
	if p.blocks == nil {
		p.blocks = map[string]*blockStmt{}
	}
	p.blocks[name] = b
	loops := p.loops
	p.loops = 0
	b.body, _, err = p.scoped("endblock")
	p.loops = loops
	p.skipName(name)
	return b, err
}

func (p *parser) printTag(line int) (stmt, error) {
	var items []stmt
	for p.peek().kind != tokBlockEnd {
		if len(items) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		x, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		items = append(items, &outputStmt{x, line})
	}
	return &ifStmt{tests: []expr{&constExpr{true}}, bodies: [][]stmt{items}, line: line}, nil
}
