package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/genai-bench/genai-bench/core/experiment"
)

func (a *app) recoverCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recover FOLDER",
		Short: "finish the folder of a benchmark that was killed, from its journal",
		Long: `Make the run files that a killed benchmark could not write any more, out of the
journal in its folder, then the table and the charts. Runs that have their files
are left alone. Not to be used while the benchmark runs.`,
		Example: "  genai-bench recover experiments/vllm_text-to-text_m_20260102_030405",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.recoverFolder(args[0])
		},
	}
}

func (a *app) recoverFolder(folder string) error {
	recovered, err := experiment.Recover(folder)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if len(recovered.Files) == 0 {
		fmt.Fprintln(a.stdout, "Nothing was lost: every run in the journal has its file.")
	}
	for _, name := range recovered.Files {
		fmt.Fprintf(a.stdout, "Recovered: %s\n", filepath.Join(folder, name))
	}
	return a.report(folder)
}
