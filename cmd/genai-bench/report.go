package main

import (
	"errors"
	"fmt"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/report/plot"
	"github.com/genai-bench/genai-bench/core/report/table"
)

// report prints the table and draws the charts of what is in a folder.
func (a *app) report(folder string) error {
	loaded, err := experiment.Load(folder)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, p := range loaded.Problems {
		fmt.Fprintf(a.stderr, "warning: %s\n", p)
	}
	if len(loaded.Runs) == 0 {
		fmt.Fprintf(a.stdout, "No run has results.\nExperiment folder: %s\n", folder)
		return nil
	}
	fmt.Fprintln(a.stdout)
	tableErr := table.Write(a.stdout, loaded, table.Options{Width: a.width()})
	pictures, plotErr := plot.Write(folder, loaded)
	if len(pictures) > 0 {
		fmt.Fprintf(a.stdout, "Chart: %s\n", pictures[0])
	}
	fmt.Fprintf(a.stdout, "Experiment folder: %s\n", folder)
	if err := errors.Join(tableErr, plotErr); err != nil {
		return fmt.Errorf("report: %w (the results are saved)", err)
	}
	return nil
}
