package settings_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func described() backend.Description {
	return backend.Description{
		Name:      "testcloud",
		APIKeyEnv: []string{"TESTCLOUD_API_KEY"},
		Options: []option.Option{
			{Name: "cloud-region", Type: option.String, Default: "eu-1", Env: []string{"TESTCLOUD_REGION", "REGION"}, Help: "region"},
			{Name: "cloud-secret", Type: option.Secret, Env: []string{"TESTCLOUD_SECRET"}, Help: "secret"},
			{Name: "cloud-mode", Type: option.Enum, Allowed: []option.Allowed{{Value: "auto"}, {Value: "invoke"}}, Default: "auto", Help: "mode"},
			{Name: "cloud-tags", Type: option.List, Default: "none", Help: "tags"},
			{Name: "cloud-labels", Type: option.Map, Help: "labels"},
			{Name: "cloud-config", Type: option.File, Help: "file", Required: true},
			{Name: "cloud-buffer", Type: option.Bytes, Default: "64KiB", Help: "buffer"},
			{Name: "cloud-wait", Type: option.Duration, Help: "wait"},
			{Name: "cloud-json", Type: option.JSON, Help: "extra"},
			{Name: "cloud-fast", Type: option.Bool, Help: "fast", Aliases: []string{"cloud-quick"}},
			{Name: "cloud-count", Type: option.Int, Help: "count"},
			{Name: "cloud-share", Type: option.Float, Help: "share"},
		},
	}
}

type flags struct {
	fs     *pflag.FlagSet
	core   *settings.Benchmark
	plugin *settings.PluginFlags
}

func newFlags(t *testing.T) flags {
	t.Helper()
	fs := pflag.NewFlagSet("benchmark", pflag.ContinueOnError)
	core := settings.BenchmarkFlags(fs)
	plugin, err := settings.AddPluginFlags(fs, described(), "/home/u")
	if err != nil {
		t.Fatal(err)
	}
	return flags{fs, core, plugin}
}

func unknown(fs *pflag.FlagSet) func(string) settings.Problem {
	return func(name string) settings.Problem { return settings.UnknownFlag(fs, name, nil, "testcloud") }
}

func TestTheOrderOfFlagsNeverMatters(t *testing.T) {
	args := []string{"--api-key", "k", "--task", "Text-To-Text", "--traffic-scenario", "N(480,240)/(300,150)",
		"--api-backend", "testcloud", "--num-concurrency", "4", "--cloud-region=us-2", "--num-concurrency=2,8", "--max-time-per-run", "15"}
	for _, reversed := range []bool{false, true} {
		f := newFlags(t)
		line := args
		if reversed {
			line = []string{"--max-time-per-run", "15", "--num-concurrency", "4", "--num-concurrency=2,8", "--cloud-region=us-2",
				"--api-backend", "testcloud", "--traffic-scenario", "N(480,240)/(300,150)", "--task", "Text-To-Text", "--api-key", "k"}
		}
		good, problems := settings.Sift(f.fs, line, unknown(f.fs))
		if len(problems) != 0 || len(good) != len(line) {
			t.Fatalf("problems %v, kept %v", problems, good)
		}
		if f.core.Task != "text-to-text" || f.core.APIKey.Reveal() != "k" || f.core.MaxTimePerRun != 15*time.Minute ||
			f.plugin.Values().String("cloud-region") != "us-2" {
			t.Errorf("parsed %+v", f.core)
		}
		if diff := cmp.Diff([]int{4, 2, 8}, f.core.NumConcurrency); diff != "" {
			t.Errorf("levels (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"N(480,240)/(300,150)"}, f.core.Scenarios); diff != "" {
			t.Errorf("scenarios (-want +got):\n%s", diff)
		}
	}
}

func TestEveryMistakeIsReportedAtOnceWithItsFlag(t *testing.T) {
	f := newFlags(t)
	good, problems := settings.Sift(f.fs, []string{
		"--num-concurency", "4", "--task", "text-to-txt", "--num-concurrency", "0", "--qps-level", "0",
		"--additional-request-params", "{'a': 1}", "--api-base", "http://h", "-x", "--cooldown-ratio", "1", "--max-time-per-run", "soon",
		"--header", "Authorization secret-word", "--api-key", "--task", "text-to-text", "--seed",
	}, unknown(f.fs))
	if diff := cmp.Diff([]string{"--api-base", "http://h", "--task", "text-to-text"}, good); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	text := problems.Error()
	for _, want := range []string{
		"11 things are wrong", "--num-concurency: there is no such flag (did you mean --num-concurrency?)",
		`--task: "text-to-txt" is not one of`, "did you mean text-to-text?", "--num-concurrency: 0 is out of range", "--qps-level: 0 is out of range",
		"--additional-request-params: not valid JSON", "double quotes", `"-x" is not a flag`, "--cooldown-ratio: 1 is not a share",
		`--max-time-per-run: "soon" is neither`, `--header: must be written "Name: value"`, "--api-key: needs a value, and --task follows", "--seed: needs a value",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(text, "secret-word") {
		t.Errorf("a header's text is repeated")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestPrecedence(t *testing.T) {
	const file, env, flag = "from-file", "from-env", "from-flag"
	cases := map[string]struct {
		args    []string
		environ []string
		keys    map[string]any
		want    string
		origin  string
	}{
		"default":                     {want: "eu-1"},
		"file over default":           {keys: map[string]any{"cloud-region": file}, want: file, origin: "in c.yaml"},
		"environment over file":       {keys: map[string]any{"cloud-region": file}, environ: []string{"REGION=" + env}, want: env, origin: "from REGION"},
		"first name of environment":   {environ: []string{"REGION=second", "TESTCLOUD_REGION=" + env}, want: env, origin: "from TESTCLOUD_REGION"},
		"our name before theirs":      {environ: []string{"TESTCLOUD_REGION=theirs", "GENAI_BENCH_CLOUD_REGION=" + env}, want: env, origin: "from GENAI_BENCH_CLOUD_REGION"},
		"empty environment is unset":  {environ: []string{"TESTCLOUD_REGION="}, keys: map[string]any{"cloud_region": file}, want: file, origin: "in c.yaml"},
		"flag over all":               {args: []string{"--cloud-region", flag}, environ: []string{"REGION=" + env}, keys: map[string]any{"cloud-region": file}, want: flag},
		"underscores in file allowed": {keys: map[string]any{"cloud_region": file}, want: file, origin: "in c.yaml"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFlags(t)
			if err := f.fs.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			origins, problems := settings.Layer(f.fs, c.environ, "c.yaml", c.keys)
			if len(problems) != 0 {
				t.Fatal(problems)
			}
			if got := f.plugin.Values().String("cloud-region"); got != c.want {
				t.Errorf("value %q, want %q", got, c.want)
			}
			if origins["cloud-region"] != c.origin {
				t.Errorf("origin %q, want %q", origins["cloud-region"], c.origin)
			}
		})
	}
}

func TestAFileSetsEveryTypeAndRefusesUnknownKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench.yaml")
	content := `
api-backend: testcloud
traffic-scenario: ["D(100,100)", "N(480,240)/(300,150)"]
num-concurrency: [1, 8]
qps-level: 2.5
max-requests-per-run: 1000000
additional-request-params: {temperature: 0.5, stop: [a]}
stream: false
cloud-tags: [x, "y,z"]
cloud-labels: {team: perf}
num-concurrencies: 3
seed: 7
task: 12
`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := settings.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := newFlags(t)
	_, problems := settings.Layer(f.fs, nil, path, keys)
	text := problems.Error()
	for _, want := range []string{`unknown key "num-concurrencies" (did you mean num-concurrency?)`, path, `--task (in `} {
		if !strings.Contains(text, want) {
			t.Errorf("problems lack %q:\n%s", want, text)
		}
	}
	if len(problems) != 2 {
		t.Errorf("problems: %v", problems)
	}
	b := f.core
	if diff := cmp.Diff([]string{"D(100,100)", "N(480,240)/(300,150)"}, b.Scenarios); diff != "" {
		t.Error(diff)
	}
	if b.Stream || b.Seed != 7 || b.MaxRequestsPerRun != 1000000 || len(b.QPSLevels) != 1 || b.QPSLevels[0] != 2.5 {
		t.Errorf("parsed %+v", b)
	}
	var params map[string]any
	if err := json.Unmarshal(b.RequestParams, &params); err != nil || params["temperature"] != 0.5 {
		t.Errorf("params %s, %v", b.RequestParams, err)
	}
	v := f.plugin.Values()
	if diff := cmp.Diff([]string{"x", "y,z"}, v.List("cloud-tags")); diff != "" {
		t.Error(diff)
	}
	if v.Map("cloud-labels")["team"] != "perf" {
		t.Errorf("labels %v", v.Map("cloud-labels"))
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"absent":        filepath.Join(dir, "no.yaml"),
		"wrong suffix":  write("a.toml", "a=1"),
		"broken yaml":   write("b.yaml", "a: [1"),
		"broken json":   write("c.json", "{"),
		"not an object": write("d.json", "[1]"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settings.ReadFile(path)
			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v; want one line that names the file", err)
			}
		})
	}
}

func TestPluginOptionsComeBackTyped(t *testing.T) {
	f := newFlags(t)
	args := []string{"--cloud-secret", "s3cr3t", "--cloud-mode", "INVOKE", "--cloud-tags", "a", "--cloud-tags", "b", "--cloud-labels", "k=v=w",
		"--cloud-config", "~/x", "--cloud-wait", "90s", "--cloud-json", `{"a": 1}`, "--cloud-quick", "--cloud-count", "-3", "--cloud-share", "0.25"}
	if _, problems := settings.Sift(f.fs, args, unknown(f.fs)); len(problems) != 0 {
		t.Fatal(problems)
	}
	if missing := f.plugin.Missing(); len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
	want := option.Values{
		"cloud-region": "eu-1", "cloud-secret": secret.New("s3cr3t"), "cloud-mode": "invoke", "cloud-tags": []string{"a", "b"},
		"cloud-labels": map[string]string{"k": "v=w"}, "cloud-config": "/home/u/x", "cloud-buffer": int64(64 << 10), "cloud-wait": 90 * time.Second,
		"cloud-json": []byte(`{"a":1}`), "cloud-fast": true, "cloud-count": int64(-3), "cloud-share": 0.25,
	}
	if diff := cmp.Diff(want, f.plugin.Values(), cmp.AllowUnexported(secret.Secret{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}

	bare := newFlags(t)
	if missing := bare.plugin.Missing(); len(missing) != 1 || missing[0].Name != "cloud-config" {
		t.Errorf("missing %v, want cloud-config", missing)
	}
	if diff := cmp.Diff([]string{"none"}, bare.plugin.Values().List("cloud-tags")); diff != "" {
		t.Errorf("default list (-want +got):\n%s", diff)
	}
}

func TestAPluginMayNotTakeANameOfCore(t *testing.T) {
	fs := pflag.NewFlagSet("benchmark", pflag.ContinueOnError)
	settings.BenchmarkFlags(fs)
	_, err := settings.AddPluginFlags(fs, backend.Description{Name: "greedy", Options: []option.Option{{Name: "task", Type: option.String}}}, "")
	if err == nil || !strings.Contains(err.Error(), "greedy") || !strings.Contains(err.Error(), "--task") {
		t.Errorf("error %v", err)
	}
}

func TestNoSecretSurvivesRedaction(t *testing.T) {
	f := newFlags(t)
	args := []string{"benchmark", "--api-key", "PLANTED1", "--api-key=PLANTED2", "--header", "X-Auth: PLANTED3", "--cloud-secret", "PLANTED4",
		"--api-base", "http://user:PLANTED5@host:1/p", "--proxy=http://u:PLANTED6@proxy", "--task", "text-to-text"}
	if err := f.fs.Parse(args[1:]); err != nil {
		t.Fatal(err)
	}
	line := strings.Join(settings.RedactArgs(f.fs, args), " ")
	effective, err := json.Marshal(settings.Effective(f.fs))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"command line": line, "effective configuration": string(effective)} {
		if strings.Contains(text, "PLANTED") {
			t.Errorf("%s gives a secret away: %s", what, text)
		}
		if !strings.Contains(text, "text-to-text") || !strings.Contains(text, "host:1/p") {
			t.Errorf("%s lost what is no secret: %s", what, text)
		}
	}
}

func TestTheEffectiveConfigurationCanBeGivenBack(t *testing.T) {
	f := newFlags(t)
	if err := f.fs.Parse([]string{"--api-backend", "testcloud", "--traffic-scenario", "D(1,2)", "--num-concurrency", "3", "--max-time-per-run", "90s",
		"--additional-request-params", `{"a":{"b":[1]}}`, "--cloud-labels", "a=b", "--cloud-buffer", "1MiB", "--seed", "18446744073709551615", "--stream=false"}); err != nil {
		t.Fatal(err)
	}
	first := settings.Effective(f.fs)
	data, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "effective.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := settings.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again := newFlags(t)
	if _, problems := settings.Layer(again.fs, nil, path, keys); len(problems) != 0 {
		t.Fatal(problems)
	}
	secondData, err := json.Marshal(settings.Effective(again.fs))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(secondData)); diff != "" {
		t.Errorf("after the round trip (-want +got):\n%s", diff)
	}
}

func TestQuestionsAreAskedUntilTheAnswerFits(t *testing.T) {
	f := newFlags(t)
	var out bytes.Buffer
	in := bufio.NewReader(strings.NewReader("nonsense\ntext-to-text\n\n"))
	err := settings.Ask(in, &out, f.fs, []settings.Question{
		{Flag: "task", Text: "Task", Choices: []string{"text-to-text"}},
		{Flag: "api-key", Text: "Api key", Optional: true},
	})
	if err != nil || f.core.Task != "text-to-text" || !f.core.APIKey.IsZero() {
		t.Errorf("err %v, task %q", err, f.core.Task)
	}
	if !strings.Contains(out.String(), `"nonsense" is not one of`) {
		t.Errorf("the reason is not shown:\n%s", out.String())
	}
	err = settings.Ask(bufio.NewReader(strings.NewReader("")), &out, f.fs, []settings.Question{{Flag: "api-base", Text: "Api base"}})
	if !errors.Is(err, settings.ErrNoAnswer) {
		t.Errorf("end of input: %v", err)
	}
}

func FuzzSift(f *testing.F) {
	f.Add("--api-base\x00http://x\x00--seed=1")
	f.Add("--\x00--x\x00-h")
	f.Fuzz(func(t *testing.T, line string) {
		fs := pflag.NewFlagSet("benchmark", pflag.ContinueOnError)
		settings.BenchmarkFlags(fs)
		good, _ := settings.Sift(fs, strings.Split(line, "\x00"), unknown(fs))
		second := pflag.NewFlagSet("benchmark", pflag.ContinueOnError)
		settings.BenchmarkFlags(second)
		if err := second.Parse(good); err != nil && !errors.Is(err, pflag.ErrHelp) {
			t.Fatalf("Sift let %q pass, pflag says %v", good, err)
		}
	})
}
