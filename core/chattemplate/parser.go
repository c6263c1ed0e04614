package chattemplate

import (
	"slices"
	"strings"
)

type parser struct {
	tokens []token
	pos    int
	depth  int
	links  int  // of chains, within the present tag
	loops  int  // loops around, within the present macro
	soft   bool // inside if: an unknown filter is an error only when it is reached
	blocks map[string]*blockStmt
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) look(n int) token { return p.tokens[min(p.pos+n, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.pos]
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

func (p *parser) isOp(op string) bool {
	t := p.peek()
	return t.kind == tokOperator && t.text == op
}

func (p *parser) isName(name string) bool {
	t := p.peek()
	return t.kind == tokName && t.text == name
}

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expectOp(op string) error {
	if !p.skipOp(op) {
		return p.unexpected("'" + op + "'")
	}
	return nil
}

func (p *parser) expectKeyword(name string) error {
	if !p.skipName(name) {
		return p.unexpected("'" + name + "'")
	}
	return nil
}

func (p *parser) expectName() (string, error) {
	if p.peek().kind != tokName {
		return "", p.unexpected("a name")
	}
	return p.next().text, nil
}

func (p *parser) expectKind(kind tokenKind) error {
	if p.peek().kind != kind {
		return p.unexpected(token{kind: kind}.String())
	}
	p.next()
	return nil
}

func (p *parser) unexpected(want string) error {
	t := p.peek()
	return syntaxError(t.line, "expected %s, got %s", want, t)
}

// enter guards against templates nested so deep that reading them would exhaust the stack.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return syntaxError(p.peek().line, "nested more than %d deep", maxNesting)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) expression(withCond bool) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if !withCond {
		return p.or()
	}
	x, err := p.or()
	for err == nil && p.skipName("if") {
		if err := p.link(); err != nil {
			return nil, err
		}
		c := &condExpr{then: x}
		soft := p.soft
		p.soft = true
		if c.test, err = p.or(); err == nil && p.skipName("else") {
			c.otherwise, err = p.expression(true)
		}
		p.soft = soft
		x = c
	}
	return x, err
}

// link counts the parts of chains such as a + b + c: each makes the tree deeper, to the left, which
// costs stack when the tree is evaluated.
func (p *parser) link() error {
	if p.links++; p.links > maxLinks {
		return syntaxError(p.peek().line, "more than %d parts in one tag", maxLinks)
	}
	return nil
}

func (p *parser) or() (expr, error) {
	x, err := p.and()
	for err == nil && p.skipName("or") {
		if err := p.link(); err != nil {
			return nil, err
		}
		o := &orExpr{a: x}
		o.b, err = p.and()
		x = o
	}
	return x, err
}

func (p *parser) and() (expr, error) {
	x, err := p.not()
	for err == nil && p.skipName("and") {
		if err := p.link(); err != nil {
			return nil, err
		}
		a := &andExpr{a: x}
		a.b, err = p.not()
		x = a
	}
	return x, err
}

func (p *parser) not() (expr, error) {
	if !p.skipName("not") {
		return p.compare()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.not()
	return &notExpr{x}, err
}

var compareOperators = []string{"==", "!=", "<", "<=", ">", ">="}

func (p *parser) compare() (expr, error) {
	line := p.peek().line
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &compareExpr{first: first, line: line}
	for {
		var op string
		switch t := p.peek(); {
		case t.kind == tokOperator && slices.Contains(compareOperators, t.text):
			op = t.text
			p.next()
		case p.skipName("in"):
			op = "in"
		case p.isName("not") && p.look(1).kind == tokName && p.look(1).text == "in":
			p.next()
			p.next()
			op = "not in"
		default:
			if len(c.ops) == 0 {
				return first, nil
			}
			return c, nil
		}
		x, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.ops = append(c.ops, op)
		c.rest = append(c.rest, x)
	}
}

// binary reads a left-associative chain of operators.
func (p *parser) binary(ops []string, operand func() (expr, error)) (expr, error) {
	x, err := operand()
	for err == nil {
		t := p.peek()
		if t.kind != tokOperator || !slices.Contains(ops, t.text) {
			break
		}
		if err := p.link(); err != nil {
			return nil, err
		}
		p.next()
		b := &binaryExpr{op: t.text, a: x, line: t.line}
		b.b, err = operand()
		x = b
	}
	return x, err
}

func (p *parser) sum() (expr, error) { return p.binary([]string{"+", "-"}, p.concat) }

func (p *parser) concat() (expr, error) {
	x, err := p.product()
	if err != nil || !p.isOp("~") {
		return x, err
	}
	c := &concatExpr{items: []expr{x}}
	for p.skipOp("~") {
		x, err := p.product()
		if err != nil {
			return nil, err
		}
		c.items = append(c.items, x)
	}
	return c, nil
}

func (p *parser) product() (expr, error) {
	return p.binary([]string{"*", "/", "//", "%"}, p.power)
}

func (p *parser) power() (expr, error) {
	x, err := p.binary([]string{"**"}, func() (expr, error) { return p.unary(true) })
	return signedPower(x), err
}

// signedPower follows a quirk of Jinja: it hands -3 ** x on to Python, which takes the sign last,
// while with two literals it computes (-3) ** 2 itself.
func signedPower(x expr) expr {
	b, ok := x.(*binaryExpr)
	if !ok || b.op != "**" {
		return x
	}
	u, ok := b.a.(*unaryExpr)
	if !ok || u.op != "-" || !isLiteral(u.x) || isLiteral(b.b) {
		return x
	}
	return &unaryExpr{"-", &binaryExpr{"**", u.x, b.b, b.line}}
}

func isLiteral(x expr) bool {
	if u, ok := x.(*unaryExpr); ok {
		x = u.x
	}
	_, ok := x.(*constExpr)
	return ok
}

func (p *parser) unary(withFilter bool) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var x expr
	var err error
	if t := p.peek(); t.kind == tokOperator && (t.text == "-" || t.text == "+") {
		p.next()
		u := &unaryExpr{op: t.text}
		u.x, err = p.unary(false)
		x = u
	} else {
		x, err = p.primary(false)
	}
	if err == nil {
		x, err = p.postfix(x)
	}
	if err == nil && withFilter {
		x, err = p.filtersAndTests(x)
	}
	return x, err
}

func (p *parser) primary(withNamespace bool) (expr, error) {
	t := p.peek()
	switch t.kind {
	case tokName:
		p.next()
		switch t.text {
		case "true", "True":
			return &constExpr{true}, nil
		case "false", "False":
			return &constExpr{false}, nil
		case "none", "None":
			return &constExpr{nil}, nil
		}
		if withNamespace && p.skipOp(".") {
			attr, err := p.expectName()
			return &nsRef{t.text, attr}, err
		}
		return &nameExpr{t.text}, nil
	case tokString:
		s := p.next().text
		if p.peek().kind == tokString {
			parts := []string{s}
			for p.peek().kind == tokString {
				parts = append(parts, p.next().text)
			}
			s = strings.Join(parts, "")
		}
		return &constExpr{s}, nil
	case tokInteger, tokFloat:
		p.next()
		return &constExpr{t.num}, nil
	case tokOperator:
		switch t.text {
		case "(":
			p.next()
			x, err := p.tuple(tupleRules{withCond: true, parentheses: true})
			if err != nil {
				return nil, err
			}
			return x, p.expectOp(")")
		case "[":
			p.next()
			items, err := p.list("]")
			return &listExpr{items}, err
		case "{":
			p.next()
			return p.dict()
		}
	}
	return nil, syntaxError(t.line, "unexpected %s", t)
}

type tupleRules struct {
	simplified  bool // names and literals only: targets of assignments
	withCond    bool
	end         string // a name that ends it
	parentheses bool
	namespace   bool
}

func (p *parser) tuple(r tupleRules) (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var items []expr
	isTuple := false
	for {
		if len(items) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
		}
		t := p.peek()
		if t.kind == tokVariableEnd || t.kind == tokBlockEnd || p.isOp(")") || r.end != "" && p.isName(r.end) {
			break
		}
		var x expr
		var err error
		if r.simplified {
			x, err = p.primary(r.namespace)
		} else {
			x, err = p.expression(r.withCond)
		}
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.isOp(",") {
			break
		}
		isTuple = true
	}
	if !isTuple {
		if len(items) == 1 {
			return items[0], nil
		}
		if !r.parentheses {
			return nil, p.unexpected("an expression")
		}
	}
	return &tupleExpr{items}, nil
}

func (p *parser) list(end string) ([]expr, error) {
	var items []expr
	for !p.isOp(end) {
		if len(items) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.isOp(end) {
				break
			}
		}
		x, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
	p.next()
	return items, nil
}

func (p *parser) dict() (expr, error) {
	d := &dictExpr{}
	for !p.isOp("}") {
		if len(d.keys) > 0 {
			if err := p.expectOp(","); err != nil {
				return nil, err
			}
			if p.isOp("}") {
				break
			}
		}
		k, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		if err := p.expectOp(":"); err != nil {
			return nil, err
		}
		v, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		d.keys = append(d.keys, k)
		d.vals = append(d.vals, v)
	}
	p.next()
	return d, nil
}
