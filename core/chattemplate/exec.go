package chattemplate

import (
	"errors"
	"fmt"
	"time"
)

// state is one rendering.
type state struct {
	ctx       *Dict
	root      *scope
	out       []byte
	now       time.Time
	steps     int
	allocated int
	depth     int   // of calls
	captured  value // what a filter block hands to its filter
}

var (
	errSteps     = errors.New("the template runs for too many steps")
	errAllocated = errors.New("the template uses too much memory")
)

// step counts work done; a template that never ends ends here.
func (s *state) step(n int) error {
	if s.steps += n + 1; s.steps > maxSteps {
		return errSteps
	}
	return nil
}

// allocate counts the bytes of a text or list that is made, and the time to make it.
func (s *state) allocate(bytes int) error {
	if bytes > maxTextBytes {
		return errTextTooLong
	}
	if s.allocated += bytes; s.allocated > maxAllocated {
		return errAllocated
	}
	return s.step(bytes / 64)
}

// allocateItems counts the items of a list that is made.
func (s *state) allocateItems(n int) error {
	if n > maxItems {
		return fmt.Errorf("a list has more than %d items", maxItems)
	}
	if s.allocated += 16 * n; s.allocated > maxAllocated {
		return errAllocated
	}
	return s.step(n)
}

func (s *state) write(text string) error {
	if len(s.out)+len(text) > maxTextBytes {
		return errTextTooLong
	}
	s.out = append(s.out, text...)
	return s.allocate(len(text))
}

// enter guards the depth of calls.
func (s *state) enter() error {
	if s.depth++; s.depth > maxCallDepth {
		return fmt.Errorf("calls are nested more than %d deep", maxCallDepth)
	}
	return nil
}

func (s *state) leave() { s.depth-- }

type binding struct {
	name string
	v    value
}

// scope holds the names that a body assigns. A name that no scope has is looked up in the context,
// then among the functions that every template has.
type scope struct {
	parent   *scope
	vars     []binding
	captured bool // a macro refers to it: it may not be used again for the next item of a loop
}

func (sc *scope) set(name string, v value) {
	for i := range sc.vars {
		if sc.vars[i].name == name {
			sc.vars[i].v = v
			return
		}
	}
	sc.vars = append(sc.vars, binding{name, v})
}

func (sc *scope) capture() {
	for ; sc != nil; sc = sc.parent {
		sc.captured = true
	}
}

func (s *state) lookup(sc *scope, name string) value {
	for ; sc != nil; sc = sc.parent {
		for i := range sc.vars {
			if sc.vars[i].name == name {
				return sc.vars[i].v
			}
		}
	}
	if v, ok := s.ctx.Get(name); ok {
		return v
	}
	if f := globalFunction(name); f != nil {
		return f
	}
	return undefinedName(name)
}

func (s *state) run(body []stmt, sc *scope) (control, error) {
	for _, st := range body {
		if err := s.step(1); err != nil {
			return 0, err
		}
		if c, err := st.exec(s, sc); c != ctlNext || err != nil {
			return c, err
		}
	}
	return ctlNext, nil
}

// capture runs a body and returns what it writes instead of writing it.
func (s *state) capture(run func() (control, error)) (string, control, error) {
	saved := s.out
	s.out = nil
	c, err := run()
	text := string(s.out)
	s.out = saved
	return text, c, err
}

func (st *textStmt) exec(s *state, _ *scope) (control, error) {
	return ctlNext, s.write(st.text)
}

func (st *outputStmt) exec(s *state, sc *scope) (control, error) {
	v, err := st.x.eval(s, sc)
	if err == nil {
		var text string
		if text, err = s.str(v); err == nil {
			err = s.write(text)
		}
	}
	return ctlNext, at(st.line, err)
}

func (st *ifStmt) exec(s *state, sc *scope) (control, error) {
	for i, test := range st.tests {
		yes, err := s.test(test, sc)
		if err != nil {
			return 0, at(st.line, err)
		}
		if yes {
			return s.run(st.bodies[i], sc)
		}
	}
	return s.run(st.orelse, sc)
}

func (s *state) test(x expr, sc *scope) (bool, error) {
	v, err := x.eval(s, sc)
	if err != nil {
		return false, err
	}
	return truth(v)
}

func (st *setStmt) exec(s *state, sc *scope) (control, error) {
	v, err := st.x.eval(s, sc)
	if err == nil {
		err = s.assign(st.target, v, sc)
	}
	return ctlNext, at(st.line, err)
}

func (s *state) assign(target expr, v value, sc *scope) error {
	switch t := target.(type) {
	case *nameExpr:
		sc.set(t.name, v)
	case *nsRef:
		ns, ok := s.lookup(sc, t.name).(*namespaceOf)
		if !ok {
			return fmt.Errorf("cannot assign to attribute '%s' of '%s': it is no namespace()", t.attr, t.name)
		}
		ns.attrs.put(t.attr, v)
		return s.allocateItems(1)
	case *tupleExpr:
		next, _, err := s.iterate(v)
		if err != nil {
			return fmt.Errorf("cannot unpack %s", typeName(v))
		}
		for _, item := range t.items {
			x, ok, err := next()
			if err != nil {
				return err
			}
			if !ok {
				return fmt.Errorf("not enough values to unpack (%d expected)", len(t.items))
			}
			if err := s.assign(item, x, sc); err != nil {
				return err
			}
		}
		if _, more, err := next(); more || err != nil {
			return errors.Join(err, fmt.Errorf("too many values to unpack (%d expected)", len(t.items)))
		}
	}
	return nil
}

func (st *setBlockStmt) exec(s *state, sc *scope) (control, error) {
	inner := &scope{parent: sc}
	text, c, err := s.capture(func() (control, error) { return s.run(st.body, inner) })
	if err != nil || c != ctlNext {
		return c, at(st.line, err)
	}
	var v value = text
	if st.filter != nil {
		s.captured = text
		if v, err = st.filter.eval(s, inner); err != nil {
			return 0, at(st.line, err)
		}
	}
	return ctlNext, at(st.line, s.assign(st.target, v, sc))
}

func (st *filterStmt) exec(s *state, sc *scope) (control, error) {
	inner := &scope{parent: sc}
	text, c, err := s.capture(func() (control, error) { return s.run(st.body, inner) })
	if err != nil || c != ctlNext {
		return c, at(st.line, err)
	}
	s.captured = text
	v, err := st.filter.eval(s, inner)
	if err == nil {
		if text, err = s.str(v); err == nil {
			err = s.write(text)
		}
	}
	return ctlNext, at(st.line, err)
}

func (st *withStmt) exec(s *state, sc *scope) (control, error) {
	inner := &scope{parent: sc}
	for i, t := range st.targets {
		v, err := st.vals[i].eval(s, sc)
		if err == nil {
			err = s.assign(t, v, inner)
		}
		if err != nil {
			return 0, at(st.line, err)
		}
	}
	return s.run(st.body, inner)
}

func (st *scopeStmt) exec(s *state, sc *scope) (control, error) {
	return s.run(st.body, &scope{parent: sc})
}

func (st *blockStmt) exec(s *state, sc *scope) (control, error) {
	if !st.scoped {
		sc = s.root
	}
	return s.run(st.body, &scope{parent: sc})
}

func (*breakStmt) exec(*state, *scope) (control, error)    { return ctlBreak, nil }
func (*continueStmt) exec(*state, *scope) (control, error) { return ctlContinue, nil }

func (st *macroStmt) exec(s *state, sc *scope) (control, error) {
	sc.capture()
	sc.set(st.def.name, &macroOf{def: st.def, closure: sc})
	return ctlNext, nil
}

func (st *callStmt) exec(s *state, sc *scope) (control, error) {
	sc.capture()
	caller := &macroOf{def: st.def, closure: sc}
	v, err := st.call.evalWith(s, sc, caller)
	if err == nil {
		var text string
		if text, err = s.str(v); err == nil {
			err = s.write(text)
		}
	}
	return ctlNext, at(st.line, err)
}

// macroOf is a macro with the scope it was defined in.
type macroOf struct {
	def     *macroDef
	closure *scope
}

func (m *macroOf) name() string {
	if m.def.name == "" {
		return "caller"
	}
	return m.def.name
}

func (m *macroOf) call(s *state, a *callArgs) (value, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	d := m.def
	sc := &scope{parent: m.closure, vars: make([]binding, 0, len(d.params)+3)}
	if err := m.bind(s, sc, a); err != nil {
		return nil, err
	}
	text, _, err := s.capture(func() (control, error) { return s.run(d.body, sc) })
	return text, err
}

// bind gives a macro's parameters their values, as Jinja's Macro.__call__ does.
func (m *macroOf) bind(s *state, sc *scope, a *callArgs) error {
	d := m.def
	used := make([]bool, len(a.names))
	take := func(name string) (value, bool) {
		for i, n := range a.names {
			if n == name && !used[i] {
				used[i] = true
				return a.vals[i], true
			}
		}
		return nil, false
	}
	for i, name := range d.params {
		if i < len(a.pos) {
			sc.set(name, a.pos[i])
			continue
		}
		v, ok := take(name)
		if !ok {
			if from := len(d.params) - len(d.defaults); i >= from {
				var err error
				if v, err = d.defaults[i-from].eval(s, sc); err != nil {
					return at(d.line, err)
				}
			} else {
				v = &undefined{fmt.Sprintf("parameter '%s' was not provided", name)}
			}
		}
		sc.set(name, v)
	}
	if d.caller {
		v, ok := take("caller")
		if !ok {
			v = &undefined{"No caller defined"}
		}
		sc.set("caller", v)
	}
	rest := NewDict()
	for i, n := range a.names {
		if !used[i] {
			if !d.kwargs {
				return fmt.Errorf("macro '%s' takes no keyword argument '%s'", m.name(), n)
			}
			rest.put(n, a.vals[i])
		}
	}
	if d.kwargs {
		sc.set("kwargs", rest)
	}
	var extra []value
	if len(a.pos) > len(d.params) {
		extra = a.pos[len(d.params):]
	}
	if d.varargs {
		sc.set("varargs", &tuple{items: extra})
	} else if extra != nil {
		return fmt.Errorf("macro '%s' takes not more than %d argument(s)", m.name(), len(d.params))
	}
	return nil
}
