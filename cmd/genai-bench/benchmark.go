package main

import (
	"bufio"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/core/dataset/open"
	"github.com/genai-bench/genai-bench/core/nearest"
	"github.com/genai-bench/genai-bench/core/scenario"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// benchmarkCommand is `benchmark` with the flags of the backend that the
// command line, the environment or the configuration file names.
func (a *app) benchmarkCommand() *cobra.Command {
	b := &benchmarking{app: a}
	cmd := &cobra.Command{
		Use:   "benchmark --api-backend BACKEND --api-base URL --api-model-name MODEL --model-tokenizer TOKENIZER --task TASK [flags]",
		Short: "measure a server: every traffic scenario at every level",
		Long: `Measure a server: one run for every traffic scenario at every level, ending in a
table, a chart and a folder with every request.

Every flag can also be set in the environment (--api-base is GENAI_BENCH_API_BASE)
or in a file given by --config; flags win over the environment, that over the file.
The options of a backend are flags too: genai-bench benchmark --api-backend NAME --help
shows them.`,
		Example: `  genai-bench benchmark --api-backend openai --api-base http://127.0.0.1:8000 --api-key x \
    --api-model-name m --model-tokenizer ./tokenizer --task text-to-text \
    --traffic-scenario "D(100,100)" --num-concurrency 1 --num-concurrency 8 \
    --max-time-per-run 1 --max-requests-per-run 100

  # An open loop: 5 requests per second, whatever the server does
  genai-bench benchmark --config bench.yaml --execution-engine async --qps-level 5 --max-time-per-run 90s

  # Recorded traffic, twice as fast as it was; conversations of five turns
  genai-bench benchmark --config bench.yaml --trace mooncake_trace.jsonl --time-scale 0.5
  genai-bench benchmark --config bench.yaml --traffic-scenario "D(200,50)" --session-turns 5 --turn-delay 2s`,
		Args:        cobra.NoArgs,
		Annotations: map[string]string{"sift": "yes", "exit-codes": "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context(), cmd.Flags()) },
	}
	b.core = settings.BenchmarkFlags(cmd.Flags())
	if a.wantsBackendFlags() {
		if name := a.namedBackend(); name != "" {
			// A backend that is not found is reported by run, with the rest.
			b.problem = b.choose(context.Background(), cmd.Flags(), name)
		}
	}
	a.completions(cmd)
	return cmd
}

// wantsBackendFlags tells whether this invocation is about `benchmark`: only
// then is it worth looking for plugins.
func (a *app) wantsBackendFlags() bool { return slices.Contains(a.scanned.Words, "benchmark") }

// namedBackend is the backend that the user names, by flag, environment or
// file, before anything is validated.
func (a *app) namedBackend() string {
	if a.scanned.APIBackend != "" {
		return a.scanned.APIBackend
	}
	if name := a.getenv(settings.EnvName("api-backend")); name != "" {
		return name
	}
	path := a.scanned.Config
	if path == "" {
		path = a.getenv(settings.EnvName("config"))
	}
	if path == "" {
		return ""
	}
	keys, err := settings.ReadFile(path)
	if err != nil {
		return "" // reported when the file is read for its settings
	}
	for _, key := range []string{"api-backend", "api_backend"} {
		if name, ok := keys[key].(string); ok {
			return name
		}
	}
	return ""
}

// completions offers the values of flags to the shell.
func (a *app) completions(cmd *cobra.Command) {
	fixed := func(flag string, values func() []string) {
		// The only error is an unknown flag, and these exist.
		_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	fixed("api-backend", func() []string { return a.plugins(context.Background()).BackendNames() })
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if words := strings.Split(f.Value.Type(), "|"); len(words) > 1 && f.Name != "max-time-per-run" {
			fixed(f.Name, func() []string { return words })
		}
	})
	fixed("server-engine", settings.ServerEngines)
	fixed("server-gpu-type", settings.ServerGPUTypes)
}

// benchmarking is one invocation of `benchmark`.
type benchmarking struct {
	*app
	core        *settings.Benchmark
	plugin      *settings.PluginFlags
	entry       catalog.Entry
	description backend.Description
	problem     error // why the named backend cannot be used

	opened []*open.Dataset
	used   usedDatasets
	notes  []string // warnings about datasets
}

// choose makes a backend's options flags of fs.
func (b *benchmarking) choose(ctx context.Context, fs *pflag.FlagSet, name string) error {
	entry, description, err := b.plugins(ctx).Backend(name)
	if err != nil {
		return err
	}
	plugin, err := settings.AddPluginFlags(fs, description, b.home)
	if err != nil {
		return err
	}
	b.entry, b.description, b.plugin = entry, description, plugin
	return nil
}

func (b *benchmarking) run(ctx context.Context, fs *pflag.FlagSet) error {
	defer b.closeDatasets()
	plan, load, err := b.prepare(ctx, fs)
	if err != nil {
		return err
	}
	return b.execute(ctx, fs, plan, load)
}

// prepare turns what was said into a plan, and reports every mistake at once.
func (b *benchmarking) prepare(ctx context.Context, fs *pflag.FlagSet) (*bench.Plan, bench.Workload, error) {
	problems := slices.Clone(b.problems)
	asking := b.stdinTerminal && b.stderrTerminal && len(problems) == 0
	answers := bufio.NewReader(b.stdin)
	if b.plugin == nil && b.problem == nil && asking {
		err := settings.Ask(answers, b.stderr, fs, []settings.Question{{Flag: "api-backend", Text: "Api backend", Choices: b.plugins(ctx).BackendNames()}})
		if err != nil {
			return nil, bench.Workload{}, withCode(exitFailure, "%w", err)
		}
		b.problem = b.choose(ctx, fs, b.core.APIBackend)
	}
	origins, layered := b.layer(fs)
	problems = append(problems, layered...)
	if b.plugin != nil {
		b.core.APIBackend = b.description.Name
	}
	missing := b.missing()
	if asking && len(problems) == 0 && b.problem == nil && len(missing) > 0 {
		if err := settings.Ask(answers, b.stderr, fs, missing); err != nil {
			return nil, bench.Workload{}, withCode(exitFailure, "%w", err)
		}
		missing = b.missing()
	}
	for _, q := range missing {
		if !q.Optional && !mentioned(problems, q.Flag) {
			problems = append(problems, settings.Problem{Flag: q.Flag, Message: "is required", Hint: hintOf(fs, q.Flag)})
		}
	}
	if b.problem != nil {
		problems = append(problems, settings.Problem{Flag: "api-backend", Message: b.problem.Error()})
	}
	if !b.core.SeedGiven {
		b.core.Seed = randomSeed()
	}
	b.label()
	recorded, err := b.trace()
	if err != nil && !mentioned(problems, "trace") {
		problems = append(problems, settings.Problem{Flag: "trace", Message: err.Error(), Origin: origins["trace"]})
	}
	var plan *bench.Plan
	if b.plugin != nil && b.core.Task != "" {
		var wrong settings.Problems
		plan, wrong = bench.NewPlan(b.core, b.description, b.plugin.Values(), bench.Said{
			Given: func(flag string) bool { return fs.Changed(flag) || origins[flag] != "" },
			Trace: recorded,
		})
		before := slices.Clone(problems)
		for _, p := range wrong {
			if !mentioned(before, p.Flag) {
				p.Origin = origins[p.Flag]
				problems = append(problems, p)
			}
		}
	}
	if plan == nil {
		problems = append(problems, b.scenariosAlone()...)
	}
	loading, release := untilInterrupt(ctx)
	load, wrong := b.workload(loading, len(problems) == 0)
	if load.Conversations, err = b.conversations(loading); err != nil {
		problems = append(problems, settings.Problem{Flag: "conversation", Message: err.Error(), Origin: origins["conversation"]})
	}
	interrupted := errors.Is(context.Cause(loading), errInterruptedEarly)
	release()
	if interrupted {
		return nil, bench.Workload{}, coded{exitInterrupted, errInterruptedEarly}
	}
	problems = append(problems, wrong...)
	if err := problems.Err(); err != nil {
		return nil, bench.Workload{}, err
	}
	return plan, load, nil
}

// scenariosAlone checks the scenarios where too little is known for a plan.
func (b *benchmarking) scenariosAlone() (problems settings.Problems) {
	for _, text := range b.core.Scenarios {
		if _, err := scenario.Parse(text); err != nil {
			problems = append(problems, settings.Problem{Flag: "traffic-scenario", Message: err.Error()})
		}
	}
	return problems
}

// layer fills in what environment and file say.
func (b *benchmarking) layer(fs *pflag.FlagSet) (map[string]string, settings.Problems) {
	path := b.core.Config
	if path == "" {
		path = b.getenv(settings.EnvName("config"))
	}
	var keys map[string]any
	var problems settings.Problems
	if path != "" {
		var err error
		if keys, err = settings.ReadFile(path); err != nil {
			problems = append(problems, settings.Problem{Flag: "config", Message: err.Error()})
		}
	}
	if b.plugin == nil {
		// The options of a backend that is not known would all be called unknown.
		keys = onlyKnown(fs, keys)
	}
	origins, wrong := settings.Layer(fs, b.environ, path, keys)
	return origins, append(problems, wrong...)
}

func onlyKnown(fs *pflag.FlagSet, keys map[string]any) map[string]any {
	known := map[string]any{}
	for key, value := range keys {
		name := strings.ReplaceAll(key, "_", "-")
		var names []string
		fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if fs.Lookup(name) != nil || len(nearest.Words(name, names)) > 0 {
			known[key] = value
		}
	}
	return known
}

func mentioned(problems settings.Problems, flag string) bool {
	return flag != "" && slices.ContainsFunc(problems, func(p settings.Problem) bool { return p.Flag == flag })
}

func hintOf(fs *pflag.FlagSet, flag string) string {
	f := fs.Lookup(flag)
	if f == nil {
		return ""
	}
	if t := f.Value.Type(); strings.Contains(t, "|") && flag != "max-time-per-run" {
		return "one of " + strings.ReplaceAll(t, "|", ", ")
	}
	return f.Usage
}

// missing lists what is required and was not given, in the order in which it
// is asked for. Optional questions are only asked beside required ones.
func (b *benchmarking) missing() []settings.Question {
	s := b.core
	var list []settings.Question
	if s.APIBackend == "" {
		list = append(list, settings.Question{Flag: "api-backend", Text: "Api backend"})
	}
	if s.APIBase == "" && (b.plugin == nil || b.description.APIBase == backend.Required && b.description.DefaultAPIBase == "") {
		list = append(list, settings.Question{Flag: "api-base", Text: "Api base"})
	}
	if s.Task == "" {
		var tasks []string
		for _, t := range b.description.Tasks {
			tasks = append(tasks, string(t.Task))
		}
		list = append(list, settings.Question{Flag: "task", Text: "Task", Choices: tasks})
	}
	if s.APIModelName == "" {
		list = append(list, settings.Question{Flag: "api-model-name", Text: "Api model name"})
	}
	if s.ModelTokenizer == "" && countsTokens(s.Task) {
		list = append(list, settings.Question{Flag: "model-tokenizer", Text: "Model tokenizer"})
	}
	if s.MaxTimePerRun == 0 && s.MaxRequestsPerRun == 0 && s.Trace == "" { // which has an end
		list = append(list,
			settings.Question{Flag: "max-time-per-run", Text: "Max time per run (minutes, or as 90s)"},
			settings.Question{Flag: "max-requests-per-run", Text: "Max requests per run", Optional: true})
	}
	if b.plugin != nil {
		for _, o := range b.plugin.Missing() {
			list = append(list, settings.Question{Flag: o.Name, Text: strings.ToUpper(o.Name[:1]) + strings.ReplaceAll(o.Name[1:], "-", " ")})
		}
	}
	return list
}

// countsTokens tells whether a task's requests are made of tokens. A task that
// is not known yet is taken to.
func countsTokens(task string) bool {
	switch backend.Task(task) {
	case backend.TextToImage, backend.TextToSpeech, backend.ImageToEmbedding:
		return false
	}
	return true
}

// label fills in the model's name in results.
func (b *benchmarking) label() {
	if s := b.core; s.Model == "" {
		s.Model = filepath.Base(strings.TrimRight(s.ModelTokenizer, "/"))
		if s.ModelTokenizer == "" || s.Model == "tokenizer.json" || s.Model == "." {
			s.Model = s.APIModelName
		}
	}
}
