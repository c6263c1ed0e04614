package chattemplate

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHostileTemplatesEndInAnError(t *testing.T) {
	tests := map[string]struct{ template, want string }{
		"endless nested loops":       {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "too many steps"},
		"endless recursion":          {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested more than"},
		"endless recursive loop":     {"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "nested more than"},
		"a call block in itself":     {"{% macro m() %}{{ caller() }}{% call m() %}{% endcall %}{% endmacro %}{% call m() %}{% endcall %}", "nested more than"},
		"doubling text":              {"{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "64 MiB"},
		"doubling text by ~":         {"{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s = n.s ~ n.s %}{% endfor %}", "64 MiB"},
		"doubling output":            {"{% set n = namespace(s='ab') %}{% for i in range(99) %}{% set n.s %}{{ n.s }}{{ n.s }}{% endset %}{% endfor %}", "64 MiB"},
		"doubling a list":            {"{% set n = namespace(s=[1]) %}{% for i in range(99) %}{% set n.s = n.s + n.s %}{% endfor %}", "items"},
		"many large texts":           {"{% set n = namespace(l=[]) %}{% for i in range(999) %}{% set n.l = n.l + ['a' * 60000000] %}{% endfor %}", "too much memory"},
		"a large repetition":         {"{{ 'a' * 9999999999 }}", "64 MiB"},
		"a larger repetition":        {"{{ 'ab' * 9223372036854775807 }}", "64 MiB"},
		"a repetition beyond 64 bit": {"{{ 'ab' * 10 ** 30 }}", "64 MiB"},
		"a large list":               {"{{ [1, 2] * 9223372036854775807 }}", "items"},
		"a large output":             {"{% for i in range(99) %}{{ 'a' * 1000000 }}{% endfor %}", "64 MiB"},
		"a large power":              {"{{ 10 ** 999999999 }}", "bits"},
		"a tower of powers":          {"{{ 9 ** 9 ** 9 ** 9 ** 9 ** 9 }}", "bits"},
		"a deep tree in deep calls":  {"{% macro m() %}{{ " + strings.Repeat("(1+", 60) + "m()" + strings.Repeat("+1", 4000) + strings.Repeat(")", 60) + " }}{% endmacro %}{{ m() }}", "nested more than"},
		"squaring":                   {"{% set n = namespace(x=3) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}", "bits"},
		"many digits":                {"{{ 10 ** 5000 }}", "digits"},
		"a large range":              {"{{ range(999999999) | list }}", "limited to"},
		"a range beyond 64 bit":      {"{{ range(10 ** 30) }}", ""},
		"a wide field":               {"{{ '%999999999d' % 1 }}", "too large"},
		"a wide format":              {"{{ '{:999999999}'.format(1) }}", "too large"},
		"a precise format":           {"{{ '%.99999f' % 1.0 }}", "too large"},
		"a wide center":              {"{{ 'a' | center(9999999999) }}", "64 MiB"},
		"a wide indent":              {"{{ ('a\n' * 100000) | indent(99999) }}", "64 MiB"},
		"a growing replacement":      {"{{ ('a' * 100000) | replace('a', 'b' * 100000) }}", "64 MiB"},
		"a growing join":             {"{{ range(99999) | join('b' * 100000) }}", "64 MiB"},
		"a deep list printed":        {"{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x }}", "nested too deeply"},
		"a deep list compared":       {"{% set n = namespace(x=[], y=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% set n.y = [n.y] %}{% endfor %}{{ n.x == n.y }}", "nested too deeply"},
		"a deep list as JSON":        {"{% set n = namespace(x=[]) %}{% for i in range(9999) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}", "nested too deeply"},
		"a deep tuple as a key":      {"{% set n = namespace(x=()) %}{% for i in range(9999) %}{% set n.x = (n.x,) %}{% endfor %}{{ {n.x: 1} }}", "nested too deeply"},
		"a namespace in itself":      {"{% set n = namespace() %}{% set n.x = n %}{{ n }}", "nested too deeply"},
		"batches without end":        {"{{ [1] | batch(9999999999, 0) | list }}", "items"},
		"slices without end":         {"{{ [1] | slice(9999999999) | list }}", ""},
		"a deep chain of generators": {"{% set n = namespace(g=[1]) %}{% for i in range(99999) %}{% set n.g = n.g | map('string') %}{% endfor %}{{ n.g | list }}", "nested"},
		"deep parentheses":           {"{{ " + strings.Repeat("(", 100000) + "1" + strings.Repeat(")", 100000) + " }}", "nested more than"},
		"deep lists":                 {"{{ " + strings.Repeat("[", 100000), "nested more than"},
		"deep statements":            {strings.Repeat("{% if 1 %}", 100000), "nested more than"},
		"a long sum":                 {"{{ 1" + strings.Repeat("+1", 100000) + " }}", "more than 5000"},
		"many signs":                 {"{{ " + strings.Repeat("-", 100000) + "1 }}", "nested more than"},
		"many nots":                  {"{{ " + strings.Repeat("not ", 100000) + "1 }}", "nested more than"},
		"many filters":               {"{{ 1" + strings.Repeat("|e", 100000) + " }}", "more than 5000"},
		"many attributes":            {"{{ a" + strings.Repeat(".a", 100000) + " }}", "more than 5000"},
		"many conditions":            {"{{ 1" + strings.Repeat(" if 1 else 1", 100000) + " }}", "nested more than"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			tpl, err := Parse(tt.template)
			if err == nil {
				_, err = tpl.Render(nil)
			}
			if err == nil {
				t.Fatal("rendered")
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "internal error") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
			if d := time.Since(start); d > time.Minute {
				t.Errorf("took %v", d)
			}
		})
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	tests := map[string]struct {
		template string
		line     int
	}{
		"syntax":                {"a\n{{ 1 }}\n{{ ) }}", 3},
		"after a comment":       {"{# a\nb #}\n\n{{ 1 + }}", 4},
		"after stripped blanks": {"a\n\n\n{{- 1 }}\n{% foo %}", 5},
		"while rendering":       {"a\n{% if 1 %}\n{{ x.y }}\n{% endif %}", 3},
		"in a macro":            {"{% macro m() %}\n{{ x.y }}\n{% endmacro %}\n\n{{ m() }}", 2},
		"raised":                {"\n\n{{ raise_exception('no') }}", 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tpl, err := Parse(tt.template)
			if err == nil {
				_, err = tpl.Render(nil)
			}
			var e *Error
			if !errors.As(err, &e) || e.Line != tt.line {
				t.Errorf("got %v, want line %d", err, tt.line)
			}
		})
	}
}

func TestATemplateRendersInManyGoroutinesAtOnce(t *testing.T) {
	tpl, err := Parse("{% set ns = namespace(n=0) %}{% for m in ms %}{% set ns.n = ns.n + m.n %}{% endfor %}{{ ns.n }}{{ ms | tojson }}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := DecodeContext([]byte(`{"ms":[{"n":1},{"n":2.5}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if got, err := tpl.Render(ctx); err != nil || got != `3.5[{"n": 1}, {"n": 2.5}]` {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzRender(f *testing.F) {
	ctx, now, cases := ownCases(f)
	for _, c := range cases {
		f.Add(c.Template)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tpl, err := Parse(source)
		if err == nil {
			_, err = tpl.RenderAt(ctx, now)
		}
		if err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("a %T: %v", err, err)
		}
	})
}

func FuzzDecodeContext(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.5,"x",null,{"b":true}],"big":123456789012345678901234567890}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := DecodeContext(data); (d == nil) == (err == nil) {
			t.Errorf("%v, %v", d, err)
		}
	})
}
