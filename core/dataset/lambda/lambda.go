// Package lambda runs the Python lambdas of dataset configurations, such as
//
//	lambda x: x['conversations'][0]['value'] if len(x['conversations']) > 1 else ''
//
// Python's expressions are rewritten to Starlark, which is nearly the same
// language and has no way to reach files, the network or this program. What
// differs is put right: f-strings, is None, generator expressions, strings side
// by side; and strings are indexed, cut and measured by characters, not bytes.
// Steps and sizes are bounded.
package lambda

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

// Bounds of one call.
const (
	sourceBytesMax = 64 << 10
	stepsMax       = 1_000_000
	rangeMax       = 1_000_000
	valueBytesMax  = 64 << 20 // of a text that is made, about
)

var begins = regexp.MustCompile(`^\s*\(*\s*lambda\b`)

// Is tells whether a text is meant as a lambda, not as a column or a prompt.
func Is(text string) bool { return begins.MatchString(text) }

// Lambda is a compiled lambda of one parameter. It is safe for concurrent use.
type Lambda struct {
	function *starlark.Function
	columns  []string
	all      bool
}

// Compile reads a lambda. The error is one line.
func Compile(text string) (*Lambda, error) {
	if len(text) > sourceBytesMax {
		return nil, fmt.Errorf("is longer than %d bytes", sourceBytesMax)
	}
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return nil, errors.New("is not UTF-8 text")
	}
	source, err := rewrite(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	options := &syntax.FileOptions{}
	expr, err := options.ParseExpr("prompt_lambda", source, 0)
	if err != nil {
		return nil, failure(err)
	}
	for paren, ok := expr.(*syntax.ParenExpr); ok; paren, ok = expr.(*syntax.ParenExpr) {
		expr = paren.X
	}
	function, ok := expr.(*syntax.LambdaExpr)
	if !ok || len(function.Params) != 1 {
		return nil, errors.New("is not a lambda of one parameter (write it like lambda x: x['question'])")
	}
	parameter, ok := function.Params[0].(*syntax.Ident)
	if !ok {
		return nil, errors.New("has a parameter that is no plain name (write it like lambda x: x['question'])")
	}
	l := &Lambda{}
	l.columns, l.all = columnsOf(function.Body, parameter.Name)
	function.Body = guard(function.Body)
	thread := &starlark.Thread{Name: "prompt_lambda"}
	value, err := starlark.EvalExprOptions(options, thread, expr, environment())
	if err != nil {
		return nil, failure(err)
	}
	value.Freeze()
	l.function, _ = value.(*starlark.Function) // a lambda is one
	return l, nil
}

// Columns are the columns that the lambda reads; all means that it may read any.
func (l *Lambda) Columns() (names []string, all bool) { return l.columns, l.all }

// Call returns the prompt that the lambda makes of a row; None is "".
func (l *Lambda) Call(row map[string]any) (prompt string, err error) {
	defer func() {
		// Starlark's own bounds are panics in places, as for a text of gigabytes.
		if p := recover(); p != nil {
			err = fmt.Errorf("fails: %v", p)
		}
	}()
	thread := &starlark.Thread{Name: "prompt_lambda", Print: func(*starlark.Thread, string) {}}
	thread.SetMaxExecutionSteps(stepsMax)
	value, err := starlark.Call(thread, l.function, starlark.Tuple{&record{row: row}}, nil)
	if err != nil {
		return "", failure(err)
	}
	switch v := value.(type) {
	case starlark.NoneType:
		return "", nil
	case starlark.String:
		return strings.ToValidUTF8(string(v), "\uFFFD"), nil
	}
	if err := fits(value); err != nil {
		return "", err
	}
	return value.String(), nil
}

var position = regexp.MustCompile(`^prompt_lambda:(\d+:\d+: )?`)

// failure makes an error of Starlark's one line, without positions: they are
// those of the rewritten text.
func failure(err error) error {
	text := err.Error()
	var parse syntax.Error
	var eval *starlark.EvalError
	switch {
	case errors.As(err, &parse):
		text = parse.Msg
	case errors.As(err, &eval):
		text = eval.Msg
	}
	text = position.ReplaceAllString(strings.Join(strings.Fields(text), " "), "")
	if strings.Contains(text, "too many steps") {
		text = fmt.Sprintf("takes more than %d steps", stepsMax)
	}
	return errors.New(text)
}
