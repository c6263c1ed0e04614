package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a real benchmark against the built-in simulator, under a minute",
		Long: `Start the simulator in a process of its own, and run a benchmark against it over
a real socket through the real plugin process: two scenarios at three levels.`,
		Example:     "  genai-bench demo",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{"sift": "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.problems.Err(); err != nil {
				return err
			}
			return a.demo(cmd.Context(), base)
		},
	}
	cmd.Flags().StringVar(&base, "experiment-base-dir", "experiments", "where the experiment's folder is made")
	cmd.Flags().StringArray("plugin-dir", nil, "folder searched for plugins before all others, repeatable")
	return cmd
}

func (a *app) demo(ctx context.Context, base string) error {
	work, err := os.MkdirTemp("", "genai-bench-demo-*")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(work)
	tokenizer := filepath.Join(work, "demo-tokenizer")
	if err := demo.WriteTo(tokenizer); err != nil {
		return fmt.Errorf("demo: writing the tokenizer: %w", err)
	}
	simulator, err := a.startSimulator(ctx, "--spread-tokens")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer simulator.stop()
	address := simulator.address
	args := []string{
		"benchmark", "--api-backend", "vllm", "--api-base", address, "--api-key", "demo",
		"--api-model-name", "simulator", "--model-tokenizer", tokenizer, "--task", "text-to-text",
		"--traffic-scenario", "D(100,100)", "--traffic-scenario", "N(480,240)/(60,20)",
		"--num-concurrency", "1", "--num-concurrency", "8", "--num-concurrency", "64",
		"--max-time-per-run", "6s", "--server-engine", "simulator", "--model", "simulator", "--metrics-time-unit", "ms",
		"--experiment-base-dir", base, "--seed", "42",
	}
	for _, dir := range a.scanned.PluginDirs {
		args = append(args, "--plugin-dir", dir)
	}
	fmt.Fprintf(a.stderr, "simulator at %s; this runs:\n  genai-bench %s\n\n", address, strings.Join(quoted(args), " "))
	s := a.system
	s.args = args
	if code := run(s); code != exitOK {
		return withCode(code, "demo: the benchmark did not end well (see above)")
	}
	return nil
}
