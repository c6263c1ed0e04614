package backendtest

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// Suite says what to test.
type Suite struct {
	// New makes a backend that was not opened yet.
	New func() backend.Backend
	// Component is the backend's name in the binary; "" is its description's.
	Component string
	// Binary builds the plugin and returns its path; Build makes one. nil: the
	// third way is skipped.
	Binary func(t testing.TB) string
	// Upstream changes how the simulator behaves. Its models, key and faults are
	// the suite's. A provider that does not speak OpenAI's protocol is an
	// emulator in Upstream.Protocols; what that Lacks is skipped with the reason.
	Upstream simulator.Config
	// Configure, which may be nil, completes the configuration with which the
	// backend is opened: credentials, options, what of the simulator's address
	// (config.APIBase) is the base.
	Configure func(t testing.TB, config *backend.Config)
	// Secrets are what Configure planted besides the suite's own key: they are
	// looked for in logs, outcomes, problems and the effective configuration.
	Secrets []string
	// WrongKey makes credentials into some that the upstream refuses; nil spoils
	// config.APIKey.
	WrongKey func(t testing.TB, config *backend.Config)
	// KeepOptions are secret options that keep what Configure gave them, because
	// a planted value would contradict it ("security-token"); the other secret
	// options are planted in the test of Open.
	KeepOptions []string
	// Paths are the ends of the paths to which requests of each kind go; "" is
	// any, for models in the path. nil: OpenAI's.
	Paths map[backend.Kind]string
	// Params are request parameters in the provider's words; the zero value has
	// OpenAI's.
	Params Params
	// Bad are configurations that Open must refuse, besides those that are bad
	// for every backend.
	Bad map[string]BadConfig
	// Skip names tests that the backend cannot pass, each with the reason:
	// "failures/stream/redirect": "the vendor's gateway redirects".
	Skip map[string]string
	// Patience is how long a test waits for what must come; 0 is 15 s.
	Patience time.Duration
}

// BadConfig is a configuration that Open must refuse.
type BadConfig struct {
	Change  func(config *backend.Config) // makes a good configuration bad
	Options []string                     // that must be among the names of the problems
}

// Params are request parameters, as JSON objects, that the upstream takes.
type Params struct {
	OfAll     string // of Open
	OfRequest string // of one request; where both name a field, these win
	Want      string // which of the body's fields, and with what values, shall result
	// TwoChoices asks for two choices.
	TwoChoices string
}

// Run runs the suite in all three ways.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.New == nil {
		t.Fatal("backendtest: Suite.New is missing")
	}
	if s.Component == "" {
		s.Component = s.New().Describe().Name
	}
	if s.Params.OfAll == "" {
		s.Params.OfAll, s.Params.OfRequest = `{"temperature": 0.25, "top_p": 0.5}`, `{"top_p": 0.75, "seed": 7}`
		s.Params.Want = `{"temperature": 0.25, "top_p": 0.75, "seed": 7}`
	}
	if s.Params.TwoChoices == "" {
		s.Params.TwoChoices = `{"n": 2}`
	}
	if s.Paths == nil {
		s.Paths = map[backend.Kind]string{
			backend.KindChat: "/chat/completions", backend.KindCompletion: "/completions", backend.KindEmbed: "/embeddings",
			backend.KindRerank: "/rerank", backend.KindImage: "/images/generations", backend.KindSpeech: "/audio/speech",
		}
	}
	if s.WrongKey == nil {
		s.WrongKey = func(_ testing.TB, c *backend.Config) { c.APIKey = secret.New(plantedKey + "-wrong") }
	}
	if s.Patience == 0 {
		s.Patience = 15 * time.Second
	}
	ways := []struct {
		name  string
		start func(t *testing.T, log hclog.Logger) host.Runner
	}{
		{"direct", func(*testing.T, hclog.Logger) host.Runner { return host.Direct(s.New()) }},
		{"in-process", func(t *testing.T, _ hclog.Logger) host.Runner {
			r, err := host.InProcess(s.New())
			if err != nil {
				t.Fatal(err)
			}
			return r
		}},
		{"binary", nil},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			start := way.start
			if start == nil {
				if s.Binary == nil {
					t.Skip("Suite.Binary is not set")
				}
				path := s.Binary(t)
				passthrough := passthroughOf(t, path)
				start = func(t *testing.T, log hclog.Logger) host.Runner {
					r, err := host.Launch(t.Context(), host.Options{Path: path, Logger: log, EnvPassthrough: passthrough})
					if err != nil {
						t.Fatal(err)
					}
					return r
				}
			}
			before := goleak.IgnoreCurrent()
			(&kit{Suite: s, start: start, description: s.New().Describe()}).run(t)
			t.Run("leaves no goroutine", func(t *testing.T) { goleak.VerifyNone(t, before) })
		})
	}
}

func passthroughOf(t *testing.T, path string) []string {
	t.Helper()
	d, err := host.Describe(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return d.Plugin.EnvPassthrough
}

// Build returns a function for Suite.Binary that builds the main package in a
// directory (relative to the test's) with the go command.
func Build(directory string) func(t testing.TB) string {
	return func(t testing.TB) string {
		t.Helper()
		absolute, err := filepath.Abs(directory)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(filepath.Base(absolute), "genai-bench-plugin-")
		path := filepath.Join(t.TempDir(), "genai-bench-plugin-"+name)
		if runtime.GOOS == "windows" {
			path += ".exe"
		}
		command := exec.Command("go", "build", "-o", path, ".")
		command.Dir = absolute
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go build in %s: %v\n%s", absolute, err, out)
		}
		return path
	}
}

// run runs every test one way.
func (k *kit) run(t *testing.T) {
	groups := []struct {
		name     string
		tests    []test
		parallel bool // they mostly wait
	}{
		{"describe", k.describing(), false},
		{"open", k.opening(), false},
		{"answers", k.answers(), false},
		{"failures", k.failures(), false},
		{"control", k.control(), true},
		{"sending", k.sending(), false},
		{"probe", k.probing(), false},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, test := range g.tests {
				k.sub(t, test.name, func(t *testing.T) {
					if test.skip != "" {
						t.Skip(test.skip)
					}
					if g.parallel {
						t.Parallel()
					}
					test.run(t)
				})
			}
		})
	}
}

// sub runs a test, unless Suite.Skip has its name: that below the way, with
// spaces as they are.
func (k *kit) sub(t *testing.T, name string, run func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		for skipped, why := range k.Skip {
			if strings.HasSuffix(t.Name(), "/"+strings.ReplaceAll(skipped, " ", "_")) {
				t.Skip(why)
			}
		}
		run(t)
	})
}

// test is one test of the suite.
type test struct {
	name string
	run  func(t *testing.T)
	skip string // why it is skipped; "" is run
}

// lacks is why the upstream has no form for something: the text form of a fault
// or another word of simulator.Lack. "" where it has one.
func (k *kit) lacks(what string, stream bool) string {
	for _, p := range k.Upstream.Protocols {
		if why := simulator.Lacking(p, what, stream); why != "" {
			return why
		}
	}
	return ""
}

// unless is the reason for skipping what is not so.
func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}
