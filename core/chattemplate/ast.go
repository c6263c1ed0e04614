package chattemplate

// expr is a node of an expression.
type expr interface {
	eval(s *state, sc *scope) (value, error)
}

// stmt is a node of a template's body.
type stmt interface {
	exec(s *state, sc *scope) (control, error)
}

// control is how a statement ended: on to the next, or out of the loop's body.
type control uint8

const (
	ctlNext control = iota
	ctlBreak
	ctlContinue
)

type (
	constExpr struct{ v value }
	nameExpr  struct{ name string }
	nsRef     struct{ name, attr string } // a target only
	tupleExpr struct{ items []expr }
	listExpr  struct{ items []expr }
	dictExpr  struct{ keys, vals []expr }

	andExpr  struct{ a, b expr }
	orExpr   struct{ a, b expr }
	notExpr  struct{ x expr }
	condExpr struct{ test, then, otherwise expr }

	binaryExpr struct {
		op   string
		a, b expr
		line int
	}
	unaryExpr struct {
		op string
		x  expr
	}
	compareExpr struct {
		first expr
		ops   []string
		rest  []expr
		line  int
	}
	concatExpr struct{ items []expr }

	attrExpr struct {
		x    expr
		name string
		line int
	}
	itemExpr struct {
		x, key expr
		line   int
	}
	sliceExpr struct {
		x                 expr
		start, stop, step expr // each may be nil
		line              int
	}
	// sliceKey is a slice among several subscripts, which nothing here can be subscripted with.
	sliceKey struct{}

	callExpr struct {
		fn   expr
		args argList
		line int
	}
	filterExpr struct {
		x    expr // nil: what a filter block or a set block captured
		name string
		fn   filterFunc // nil: unknown, an error once reached
		args argList
		line int
	}
	testExpr struct {
		x    expr
		name string
		fn   testFunc // nil: unknown
		args argList
		line int
	}
)

type argList struct {
	pos    []expr
	names  []string
	vals   []expr
	star   expr // *args
	dstar  expr // **kwargs
	simple bool // neither names nor stars
}

type (
	textStmt   struct{ text string }
	outputStmt struct {
		x    expr
		line int
	}
	ifStmt struct {
		tests  []expr
		bodies [][]stmt
		orelse []stmt
		line   int
	}
	forStmt struct {
		target    expr
		iter      expr
		test      expr
		body      []stmt
		orelse    []stmt
		recursive bool
		extended  bool // the body mentions loop
		line      int
	}
	setStmt struct {
		target expr
		x      expr
		line   int
	}
	setBlockStmt struct {
		target expr
		filter *filterExpr
		body   []stmt
		line   int
	}
	withStmt struct {
		targets []expr
		vals    []expr
		body    []stmt
		line    int
	}
	macroDef struct {
		name     string
		params   []string
		defaults []expr // of the last params
		body     []stmt
		line     int
		// What the body mentions decides what a call may pass.
		varargs, kwargs, caller bool
	}
	macroStmt struct{ def *macroDef }
	callStmt  struct {
		call *callExpr
		def  *macroDef
		line int
	}
	filterStmt struct {
		filter *filterExpr
		body   []stmt
		line   int
	}
	scopeStmt struct { // generation and autoescape blocks: assignments stay inside
		body []stmt
	}
	blockStmt struct {
		name   string
		scoped bool
		body   []stmt
	}
	breakStmt    struct{}
	continueStmt struct{}
)
