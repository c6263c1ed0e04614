package backendtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
)

func (k *kit) describing() []test {
	return []test{
		{name: "sane", run: func(t *testing.T) {
			for _, problem := range Lint(k.description) {
				t.Error(problem)
			}
		}},
		{name: "before open and twice", run: func(t *testing.T) {
			r, _ := k.runner(t)
			for range 2 {
				d, err := r.Describe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(d.Backends(), func(b backend.Description) bool { return b.Answers(k.Component) })
				if i < 0 {
					t.Fatalf("no backend answers to %q", k.Component)
				}
				// A description is data: its JSON is what others see of it.
				want, got := asJSON(t, k.description), asJSON(t, d.Backends()[i])
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("the description differs from New().Describe() (-want +got):\n%s", diff)
				}
			}
		}},
		{name: "probe is declared where it is there", run: func(t *testing.T) {
			if _, is := k.New().(backend.Prober); is != k.description.Can(backend.CanProbe) {
				t.Errorf("implements Prober: %v, declares %q: %v", is, backend.CanProbe, !is)
			}
		}},
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// reserved are core's own flags, which no option may take.
func reserved() []string {
	return []string{"help", "config", "task", "api-backend", "api-base", "api-key", "api-model-name", "model-tokenizer"}
}

// Lint returns what is wrong with a description, a sentence each.
func Lint(d backend.Description) []string {
	l := &linter{}
	l.name("backend", d.Name)
	for _, a := range d.Aliases {
		l.name("alias", a)
	}
	l.distinct("names", append([]string{d.Name}, d.Aliases...))
	l.line("summary", d.Summary)
	if len(d.Tasks) == 0 {
		l.add("no task is declared")
	}
	var tasks []string
	for _, s := range d.Tasks {
		tasks = append(tasks, string(s.Task))
		l.task(s)
	}
	l.distinct("tasks", tasks)
	var capabilities []string
	for _, c := range d.Capabilities {
		l.name("capability", string(c))
		capabilities = append(capabilities, string(c))
	}
	l.distinct("capabilities", capabilities)
	l.need("api_base", d.APIBase)
	l.need("api_key", d.APIKey)
	if d.DefaultAPIBase != "" {
		if u, err := url.Parse(d.DefaultAPIBase); err != nil || u.Host == "" || d.APIBase == backend.Unused {
			l.add("default_api_base %q is no address, or unused", d.DefaultAPIBase)
		}
	}
	for _, env := range d.APIKeyEnv {
		l.env("api_key_env", env)
	}
	var names []string
	for _, o := range d.Options {
		l.option(o)
		names = append(append(names, o.Name), o.Aliases...)
	}
	l.distinct("options", names)
	return l.problems
}

type linter struct{ problems []string }

func (l *linter) add(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

func (l *linter) name(what, name string) {
	if !regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`).MatchString(name) {
		l.add("%s %q is not in kebab-case", what, name)
	}
}

func (l *linter) env(what, name string) {
	if !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(name) {
		l.add("%s: %q is no name of an environment variable", what, name)
	}
}

func (l *linter) need(what string, need backend.Need) {
	if !slices.Contains([]backend.Need{backend.Required, backend.Optional, backend.Unused}, need) {
		l.add("%s is %q, want required, optional or unused", what, need)
	}
}

func (l *linter) line(what, text string) {
	if strings.TrimSpace(text) == "" || strings.ContainsAny(text, "\r\n") {
		l.add("%s is empty or has several lines: %q", what, text)
	}
}

func (l *linter) distinct(what string, words []string) {
	seen := make(map[string]bool)
	for _, w := range words {
		if seen[w] {
			l.add("%s: %q comes twice", what, w)
		}
		seen[w] = true
	}
}

func (l *linter) task(s backend.TaskSupport) {
	if !slices.Contains(backend.Tasks(), s.Task) {
		l.add("no task is named %q", s.Task)
	}
	if len(s.Requests) == 0 {
		l.add("task %s: no kind of request", s.Task)
	}
	kinds := []backend.Kind{backend.KindChat, backend.KindCompletion, backend.KindEmbed, backend.KindRerank, backend.KindImage, backend.KindSpeech}
	for _, k := range s.Requests {
		if !slices.Contains(kinds, k) {
			l.add("task %s: no kind of request is named %q", s.Task, k)
		}
	}
	if !slices.Contains([]backend.Streaming{backend.StreamingNo, backend.StreamingYes, backend.StreamingOptional}, s.Streaming) {
		l.add("task %s: streaming is %q, want no, yes or optional", s.Task, s.Streaming)
	}
	for _, p := range s.Parts {
		if p != "text" && p != "image" {
			l.add("task %s: no part is named %q", s.Task, p)
		}
	}
}

func (l *linter) option(o option.Option) {
	l.name("option", o.Name)
	for _, a := range o.Aliases {
		l.name("alias of "+o.Name, a)
	}
	for _, n := range append([]string{o.Name}, o.Aliases...) {
		if slices.Contains(reserved(), n) {
			l.add("option %s: the name %s is core's", o.Name, n)
		}
	}
	l.line("help of "+o.Name, o.Help)
	if strings.HasSuffix(o.Help, ".") {
		l.add("help of %s ends with a full stop", o.Name)
	}
	for _, e := range o.Env {
		l.env("option "+o.Name, e)
	}
	if (o.Type == option.Enum) != (len(o.Allowed) > 0) {
		l.add("option %s of type %s has %d allowed values", o.Name, o.Type, len(o.Allowed))
	}
	if o.Required && o.Default != "" {
		l.add("option %s is required and has a default", o.Name)
	}
	l.fallback(o)
}

// fallback checks an option's default.
func (l *linter) fallback(o option.Option) {
	var err error
	switch o.Type {
	case option.Secret:
		if o.Default != "" {
			l.add("option %s: a secret never has a default", o.Name)
		}
		return
	case option.String, option.List, option.Map, option.File:
		return
	case option.Int, option.Float, option.Bool, option.Duration, option.Bytes, option.Enum, option.JSON:
	default:
		l.add("option %s: no type is named %q", o.Name, o.Type)
		return
	}
	if o.Default == "" {
		return
	}
	ok := true
	switch o.Type {
	case option.Int:
		_, err = strconv.ParseInt(o.Default, 10, 64)
	case option.Float:
		_, err = strconv.ParseFloat(o.Default, 64)
	case option.Bool:
		_, err = strconv.ParseBool(o.Default)
	case option.Duration:
		_, err = time.ParseDuration(o.Default)
	case option.Bytes:
		ok = regexp.MustCompile(`^[0-9]+([kKMGT]i?)?B?$`).MatchString(o.Default)
	case option.JSON:
		ok = json.Valid([]byte(o.Default))
	case option.Enum:
		ok = slices.ContainsFunc(o.Allowed, func(a option.Allowed) bool { return a.Value == o.Default })
	}
	if err != nil || !ok {
		l.add("option %s: the default %q is no %s", o.Name, o.Default, o.Type)
	}
}
