package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/sdk/host"
)

// app is one invocation of the program.
type app struct {
	system
	scanned settings.Scanned
	// problems are mistakes on the command line that Sift found; the command
	// reports them together with its own.
	problems settings.Problems
	catalog  *catalog.Catalog // found on first use
}

// run executes the command line and returns the exit code. Errors are printed
// here and nowhere else.
func run(s system) int {
	a := &app{system: s, scanned: settings.Scan(s.args)}
	root := a.rootCommand()

	// cobra stops at the first wrong flag. A first tree of commands is used to
	// find all of them; what is right goes to a second one.
	args := s.args
	if cmd, rest, err := root.Find(s.args); err == nil && cmd.Annotations["sift"] != "" {
		words := len(s.args) - len(rest)
		cmd.InitDefaultHelpFlag()
		good, problems := settings.Sift(cmd.Flags(), rest, func(name string) settings.Problem {
			return a.unknownFlag(cmd.Flags(), name)
		})
		a.problems = problems
		args = append(slices.Clone(s.args[:words]), good...)
		root = a.rootCommand()
	}
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if err != nil {
		fmt.Fprintf(s.stderr, "genai-bench: %v\n", err)
		if code := exitCode(err); code != exitFailure || !isCobraUsage(err) {
			return code
		}
		return exitUsage
	}
	return exitOK
}

// isCobraUsage tells cobra's own usage errors, which have no type.
func isCobraUsage(err error) bool {
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "accepts ", "requires at least", "invalid argument", "flag needs an argument"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "genai-bench",
		Short: "measure endpoints that serve large language models",
		Long: `genai-bench measures endpoints that serve large language models.

It times the arrival of bytes at this host, as the kernel saw them, and states
its own error beside its numbers.`,
		Example: `  genai-bench benchmark --api-backend openai --api-base http://127.0.0.1:8000 \
    --api-model-name m --model-tokenizer ./tokenizer --task text-to-text \
    --traffic-scenario "D(100,100)" --num-concurrency 8 --max-time-per-run 90s`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			printHelp(cmd, a.stderr, a.width())
			return withCode(exitUsage, "no command given (see above)")
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	root.SetVersionTemplate("genai-bench version {{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(cmd, a.stdout, a.width()) })
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	root.AddCommand(a.benchmarkCommand(), a.recoverCommand(), a.pluginsCommand(), a.tokenizeCommand(), a.simulatorCommand(), a.calibrateCommand(), a.demoCommand())
	return root
}

// unknownFlag words the refusal of a flag, naming the backend that has it.
func (a *app) unknownFlag(flags *pflag.FlagSet, name string) settings.Problem {
	var owners []string
	if len(a.scanned.Words) > 0 && a.scanned.Words[0] == "benchmark" {
		owners = a.plugins(context.Background()).OptionOwners(name)
	}
	return settings.UnknownFlag(flags, name, owners, a.scanned.APIBackend)
}

// plugins searches for plugins, once.
func (a *app) plugins(ctx context.Context) *catalog.Catalog {
	if a.catalog != nil {
		return a.catalog
	}
	var cache *catalog.Cache
	if a.cacheDir != "" {
		cache = catalog.OpenCache(a.cacheDir, version)
	}
	a.catalog = catalog.Search(ctx, a.pluginFolders(), host.Describe, cache)
	// A cache that cannot be written costs time, never a result.
	_ = cache.Save()
	return a.catalog
}

func (a *app) pluginFolders() []catalog.Folder {
	return catalog.Folders(catalog.Places{
		PluginDirs: a.scanned.PluginDirs,
		Getenv:     a.getenv,
		Executable: a.executable,
		Home:       a.home,
	})
}

// fileReason shortens "open PATH: reason" to its reason.
func fileReason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
