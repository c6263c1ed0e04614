package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

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
	tableErr := table.Write(a.stdout, loaded, table.Options{Width: a.width(), Dim: a.stdoutTerminal && a.getenv("NO_COLOR") == ""})
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

// drawInterim draws the chart that the Python tool leaves after each scenario.
// A chart that cannot be drawn is no reason to stop measuring.
func drawInterim(folder, scenario string, logger hclog.Logger) {
	loaded, err := experiment.Load(folder)
	if err == nil {
		_, err = plot.WriteInterim(folder, loaded, scenario)
	}
	if err != nil {
		logger.Warn("no interim chart", "scenario", scenario, "cause", err)
	}
}
