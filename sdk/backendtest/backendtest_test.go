package backendtest_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/backendtest"
	"github.com/genai-bench/genai-bench/sdk/backendtest/internal/reference"
	"github.com/genai-bench/genai-bench/sdk/option"
)

func TestReference(t *testing.T) {
	backendtest.Run(t, backendtest.Suite{
		New:    func() backend.Backend { return reference.New("") },
		Binary: backendtest.Build("internal/reference/genai-bench-plugin-reference"),
		Bad: map[string]backendtest.BadConfig{
			"empty address": {func(c *backend.Config) { c.APIBase = "" }, []string{"api-base"}},
		},
	})
}

// defectEnv tells a child process of TestSuiteFindsDefects which backend to test.
const defectEnv = "BACKENDTEST_DEFECT"

// TestDefective runs the suite on a defective backend; it is run by
// TestSuiteFindsDefects only, in a process of its own, and must fail.
func TestDefective(t *testing.T) {
	defect, ok := os.LookupEnv(defectEnv)
	if !ok {
		t.Skip("run by TestSuiteFindsDefects")
	}
	patience := 3 * time.Second // some defects show by nothing coming
	if defect == "" {
		patience = time.Minute // the machine may be busy
	}
	backendtest.Run(t, backendtest.Suite{
		New:      func() backend.Backend { return reference.New(reference.Defect(defect)) },
		Patience: patience,
		Skip:     map[string]string{"describe/before open and twice": "to see that it is skipped"},
	})
}

func TestSuiteFindsDefects(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[reference.Defect]string{ // the test that must find it
		reference.NeverAnswers:     "control/cancel_before_the_head",
		reference.Retries:          "failures/stream/500",
		reference.FollowsRedirects: "failures/stream/redirect",
		reference.StoresKey:        "open/a_good_configuration,_without_network",
		reference.EchoesKey:        "failures/stream/401_with_the_key_in_it",
		reference.FirstProblemOnly: "open/every_problem,_not_the_first",
		reference.DialsInOpen:      "open/a_good_configuration,_without_network",
		reference.EarlyStamps:      "answers/stream",
		reference.LosesText:        "answers/stream",
		reference.InventsUsage:     "answers/stream/usage=none",
		reference.RoleIsOutput:     "answers/stream",
		reference.AcceptsTruncated: "failures/stream/a_stream_without_finish",
		reference.PanicsOnOddForms: "failures/a_request_that_it_cannot_make",
		reference.SendsNoID:        "sending/headers",
		reference.NewConnections:   "sending/the_connection_is_kept",
		reference.LeaksGoroutine:   "leaves_no_goroutine",
		reference.SendsEarly:       "sending/it_starts_when_told",
		reference.HidesPartial:     "failures/stream/disconnect_in_the_body",
		reference.ClosesOnce:       "open/close_before_open_and_twice",
		reference.WrongClass:       "failures/stream/404",
		reference.Buffers:          "sending/every_event_as_it_comes",
		reference.AsksForGzip:      "sending/every_event_as_it_comes",
		"":                         "", // and none where there is none
	}
	for defect, finder := range tests {
		t.Run(string(defect), func(t *testing.T) {
			pattern := "^TestDefective$/^direct$"
			switch {
			case finder == "":
				pattern += "/^(describe|open|sending)$"
			case finder == "leaves_no_goroutine": // and one test before, which starts it
				pattern += "/^(open|" + finder + ")$"
			default:
				for _, part := range strings.Split(finder, "/") {
					pattern += "/^" + part + "$"
				}
			}
			command := exec.CommandContext(t.Context(), self, "-test.run="+pattern, "-test.count=1", "-test.v")
			command.Env = append(os.Environ(), defectEnv+"="+string(defect))
			out, err := command.CombinedOutput()
			var exit *exec.ExitError
			switch {
			case err != nil && !errors.As(err, &exit):
				t.Fatal(err)
			case finder == "" && !strings.Contains(string(out), "--- SKIP: TestDefective/direct/describe/before_open_and_twice"):
				t.Errorf("Suite.Skip is not heeded:\n%s", out)
			case finder == "" && (err != nil || !strings.Contains(string(out), "--- PASS: TestDefective/direct/sending/parameters")):
				t.Errorf("the suite fails without a defect (%v):\n%s", err, out)
			case finder != "" && !strings.Contains(string(out), "--- FAIL: TestDefective/direct/"+finder):
				t.Errorf("the suite does not find it:\n%s", out)
			}
		})
	}
}

func TestLint(t *testing.T) {
	good := reference.New("").Describe()
	if problems := backendtest.Lint(good); len(problems) > 0 {
		t.Fatalf("a good description has problems: %q", problems)
	}
	withOption := func(o option.Option) func(*backend.Description) {
		return func(d *backend.Description) { d.Options = []option.Option{o} }
	}
	tests := map[string]struct {
		change func(*backend.Description)
		want   string
	}{
		"name":            {func(d *backend.Description) { d.Name = "Open AI" }, `backend "Open AI" is not in kebab-case`},
		"alias twice":     {func(d *backend.Description) { d.Aliases = []string{"reference"} }, `names: "reference" comes twice`},
		"no summary":      {func(d *backend.Description) { d.Summary = "" }, "summary is empty"},
		"no task":         {func(d *backend.Description) { d.Tasks = nil }, "no task is declared"},
		"unknown task":    {func(d *backend.Description) { d.Tasks[0].Task = "text-to-smell" }, `no task is named "text-to-smell"`},
		"unknown kind":    {func(d *backend.Description) { d.Tasks[0].Requests = []backend.Kind{"sniff"} }, `no kind of request is named "sniff"`},
		"no streaming":    {func(d *backend.Description) { d.Tasks[0].Streaming = "" }, "want no, yes or optional"},
		"unknown part":    {func(d *backend.Description) { d.Tasks[0].Parts = []string{"smell"} }, `no part is named "smell"`},
		"need":            {func(d *backend.Description) { d.APIKey = "" }, "api_key is"},
		"address":         {func(d *backend.Description) { d.DefaultAPIBase = "localhost" }, `default_api_base "localhost"`},
		"key environment": {func(d *backend.Description) { d.APIKeyEnv = []string{"api key"} }, `"api key" is no name of an environment variable`},
		"option name":     {withOption(option.Option{Name: "some_option", Type: option.String, Help: "x"}), `option "some_option" is not in kebab-case`},
		"core's name":     {withOption(option.Option{Name: "api-key", Type: option.String, Help: "x"}), "the name api-key is core's"},
		"alias of core's": {withOption(option.Option{Name: "own", Aliases: []string{"task"}, Type: option.String, Help: "x"}), "the name task is core's"},
		"no help":         {withOption(option.Option{Name: "own", Type: option.String}), "help of own is empty"},
		"help in lines":   {withOption(option.Option{Name: "own", Type: option.String, Help: "a\nb"}), "has several lines"},
		"full stop":       {withOption(option.Option{Name: "own", Type: option.String, Help: "does things."}), "ends with a full stop"},
		"type":            {withOption(option.Option{Name: "own", Type: "number", Help: "x"}), `no type is named "number"`},
		"secret default":  {withOption(option.Option{Name: "own", Type: option.Secret, Default: "x", Help: "x"}), "a secret never has a default"},
		"enum default":    {withOption(option.Option{Name: "own", Type: option.Enum, Default: "c", Allowed: []option.Allowed{{Value: "a"}}, Help: "x"}), `the default "c" is no enum`},
		"enum of nothing": {withOption(option.Option{Name: "own", Type: option.Enum, Help: "x"}), "has 0 allowed values"},
		"int default":     {withOption(option.Option{Name: "own", Type: option.Int, Default: "many", Help: "x"}), `the default "many" is no int`},
		"bytes default":   {withOption(option.Option{Name: "own", Type: option.Bytes, Default: "64 MB", Help: "x"}), `the default "64 MB" is no bytes`},
		"required":        {withOption(option.Option{Name: "own", Type: option.String, Required: true, Default: "x", Help: "x"}), "is required and has a default"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := reference.New("").Describe()
			test.change(&d)
			if problems := strings.Join(backendtest.Lint(d), "\n"); !strings.Contains(problems, test.want) {
				t.Errorf("problems %q, want one with %q", problems, test.want)
			}
		})
	}
}
