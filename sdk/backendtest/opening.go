package backendtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func (k *kit) opening() []test {
	tests := []test{
		{name: "close before open and twice", run: func(t *testing.T) {
			r, _ := k.runner(t) // which closes it a third time
			for range 2 {
				if err := r.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "close after open and twice", run: func(t *testing.T) {
			r, _ := k.runner(t)
			if _, err := r.Open(t.Context(), k.Component, k.config(t, "http://127.0.0.1:1")); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := r.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{name: "a good configuration, without network", run: k.opensWell},
		{name: "every problem, not the first", run: k.tellsAllProblems},
	}
	for _, name := range slices.Sorted(maps.Keys(k.Bad)) {
		tests = append(tests, test{name: "bad " + name, run: func(t *testing.T) { k.refuses(t, k.Bad[name]) }})
	}
	return tests
}

func (k *kit) opensWell(t *testing.T) {
	s := k.upstream(t, false, nil)
	r, logs := k.runner(t)
	config := k.config(t, s.URL())
	for _, o := range k.description.Options {
		if o.Type == option.Secret && !slices.Contains(k.KeepOptions, o.Name) {
			config.Options[o.Name] = secret.New(plantedValue)
		}
	}
	// A password in an address is a secret as well.
	config.HTTP.Proxy = "http://user:" + plantedProxy + "@127.0.0.1:9"
	opened, err := r.Open(t.Context(), k.Component, config)
	if err != nil || opened.Failed() {
		t.Fatalf("%v, problems %+v", err, opened.Problems)
	}
	if n := s.Stats().Connections; n > 0 {
		t.Errorf("Open made %d connections", n)
	}
	var effective map[string]any
	if err := json.Unmarshal(opened.EffectiveConfig, &effective); err != nil || len(effective) == 0 {
		t.Errorf("EffectiveConfig is no JSON object with anything in it: %s (%v)", opened.EffectiveConfig, err)
	}
	if k.description.APIBase != backend.Unused && !strings.Contains(opened.Endpoint, strings.TrimPrefix(s.URL(), "http://")) {
		t.Errorf("Endpoint %q does not show the address %s", opened.Endpoint, s.URL())
	}
	if opened.Clock == stamp.ClockUnspecified {
		t.Error("Open does not say which clock is in use")
	}
	checkProblems(t, opened.Problems)
	k.expectNoSecret(t, "what Open answered", opened)
	k.expectNoSecret(t, "EffectiveConfig", string(opened.EffectiveConfig))
	k.expectNoSecret(t, "the log", logs.String())
}

func (k *kit) tellsAllProblems(t *testing.T) {
	s := k.upstream(t, false, nil)
	r, _ := k.runner(t)
	config := k.config(t, s.URL())
	config.RequestParams = json.RawMessage(`["no object", "` + plantedKey + `"]`)
	config.TLS.CAFile = "/nonexistent/ca.pem"
	config.Model = ""
	config.Task = "text-to-smell"
	want := []string{"task", "api-model-name", "additional-request-params"}
	if k.description.APIBase != backend.Unused {
		config.APIBase = "::no address::"
		want = append(want, "api-base")
	}
	if k.description.APIKey == backend.Required {
		config.APIKey = secret.Secret{}
		want = append(want, "api-key")
	}
	opened, err := r.Open(t.Context(), k.Component, config)
	if err != nil {
		t.Fatalf("what the user can mend is a problem, not an error: %v", err)
	}
	if !opened.Failed() {
		t.Errorf("Open accepts %+v", config)
	}
	k.expectProblems(t, opened.Problems, want)
	mentioned := slices.ContainsFunc(opened.Problems, func(p option.Problem) bool {
		return strings.Contains(p.Message+p.Hint, "/nonexistent/ca.pem")
	})
	if !mentioned {
		t.Errorf("no problem names the missing file: %+v", opened.Problems)
	}
	if n := s.Stats().Connections; n > 0 {
		t.Errorf("Open made %d connections", n)
	}
}

func (k *kit) refuses(t *testing.T, bad BadConfig) {
	r, _ := k.runner(t)
	config := k.config(t, "http://127.0.0.1:1")
	bad.Change(&config)
	opened, err := r.Open(t.Context(), k.Component, config)
	if err != nil {
		t.Fatal(err)
	}
	if !opened.Failed() {
		t.Errorf("Open accepts it; problems %+v", opened.Problems)
	}
	k.expectProblems(t, opened.Problems, bad.Options)
}

func (k *kit) expectProblems(t *testing.T, problems []option.Problem, options []string) {
	t.Helper()
	checkProblems(t, problems)
	for _, name := range options {
		if !slices.ContainsFunc(problems, func(p option.Problem) bool { return p.Option == name && p.Severity == option.Error }) {
			t.Errorf("no problem is named %q: %+v", name, problems)
		}
	}
	k.expectNoSecret(t, "the problems", problems)
}

func checkProblems(t *testing.T, problems []option.Problem) {
	t.Helper()
	for _, p := range problems {
		l := &linter{}
		l.line(fmt.Sprintf("message of the problem with %q", p.Option), p.Message)
		if strings.ContainsAny(p.Hint, "\r\n") {
			l.add("the hint %q has several lines", p.Hint)
		}
		for _, complaint := range l.problems {
			t.Error(complaint)
		}
	}
}
