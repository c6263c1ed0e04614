package chattemplate

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Template is a parsed chat template. It is safe for concurrent use.
type Template struct {
	body []stmt
}

// Error is what is wrong with a template, or what went wrong in it, and where.
type Error struct {
	Line    int // of the template, from 1; 0 where no line applies
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return "chat template: " + e.Message
	}
	return fmt.Sprintf("chat template line %d: %s", e.Line, e.Message)
}

// Parse reads a template. Its error is an *Error.
func Parse(source string) (*Template, error) {
	if len(source) > maxSourceBytes {
		return nil, &Error{Message: fmt.Sprintf("its %d bytes are more than the %d that are read", len(source), maxSourceBytes)}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{Message: "it is not UTF-8"}
	}
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, _, err := p.body()
	if err != nil {
		return nil, err
	}
	return &Template{body: body}, nil
}

// Render renders the template for a context, which it does not change. strftime_now tells the
// present local time. Its error is an *Error: what the template refused (raise_exception), what
// Python would refuse, or a bound that was reached (see doc.go).
func (t *Template) Render(ctx *Dict) (string, error) { return t.RenderAt(ctx, time.Now()) }

// RenderAt renders as at a given time, so that dates in the text are the same each time.
func (t *Template) RenderAt(ctx *Dict, now time.Time) (out string, err error) {
	if ctx == nil {
		ctx = NewDict()
	}
	s := &state{ctx: ctx, now: now}
	defer func() {
		// No input is known to get here; a chat server's client must survive one that does.
		if r := recover(); r != nil {
			out, err = "", &Error{Message: fmt.Sprintf("internal error: %v", r)}
		}
	}()
	root := &scope{}
	s.root = root
	if _, err := s.run(t.body, root); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return "", e
		}
		return "", &Error{Message: err.Error()}
	}
	return string(s.out), nil
}

// at gives an error the line it happened on, unless it has one.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Line: line, Message: err.Error()}
}
