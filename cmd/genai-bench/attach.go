package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/settings"
)

// What the loads of an experiment are calibrated with: its own pace, as far as a
// few seconds allow.
const (
	attachRun     = 4 * time.Second
	attachAnswer  = 2 * time.Second // that an answer may take
	attachTokens  = 200             // the most of an answer
	attachStepMin = 2 * time.Millisecond
	attachStepMax = 200 * time.Millisecond
	attachStep    = 20 * time.Millisecond // where no run tells
)

// attach calibrates this machine at the levels of an experiment that has been
// measured, and writes the result into its metadata. It comes after the last
// run: nothing of it can disturb what is measured, and only then is the pace
// known at which tokens came. Whatever goes wrong is a warning; the experiment
// is complete without.
func (b *benchmarking) attach(ctx context.Context, plan *bench.Plan, folder *experiment.Folder, metadata experiment.Metadata, interrupt <-chan struct{}, logger hclog.Logger) {
	loads, err := b.rehearsals(plan, folder.Path())
	if err == nil {
		var result *calibrate.Calibration
		if result, err = b.rehearse(ctx, loads, interrupt, logger); result != nil && len(result.Levels) > 0 {
			metadata.Calibration = result
			if write := folder.WriteMetadata(metadata); write != nil && err == nil {
				err = write
			}
		}
	}
	if err != nil {
		fmt.Fprintf(b.stderr, "warning: not calibrated: %v\n", err)
	}
}

// rehearse measures loads until one fails or the user wants an end.
func (b *benchmarking) rehearse(ctx context.Context, loads []rehearsal, interrupt <-chan struct{}, logger hclog.Logger) (*calibrate.Calibration, error) {
	// Of the experiment only what is this machine's: the rest is the server's or
	// the workload's.
	core := *settings.CalibrateFlags(pflag.NewFlagSet("calibrate", pflag.ContinueOnError))
	of := b.core
	core.Clock, core.NumWorkers, core.Seed, core.PluginDirs = of.Clock, of.NumWorkers, of.Seed, of.PluginDirs
	core.ExecutionEngine, core.Distribution, core.Burstiness = of.ExecutionEngine, of.Distribution, of.Burstiness
	r, done, err := b.newRehearser(ctx, core, false, interrupt, logger)
	if err != nil {
		return nil, err
	}
	defer done()
	fmt.Fprintf(b.stderr, "calibrating: %d load(s) against a simulator on this machine, %s each; interrupt to leave it out\n", len(loads), attachRun+attachAnswer)
	for _, p := range loads {
		select {
		case <-interrupt:
			r.result.Interrupted = true
			return &r.result, nil
		default:
		}
		if _, err := r.measure(ctx, p); err != nil {
			return &r.result, fmt.Errorf("at %s: %w", calibrate.LoadName(max(p.rate, float64(p.concurrency)), p.rate > 0), err)
		}
	}
	return &r.result, nil
}

// rehearsals are the levels of a plan at the pace of its runs: the fastest of
// the scenarios'.
func (b *benchmarking) rehearsals(plan *bench.Plan, folder string) ([]rehearsal, error) {
	loaded, err := experiment.Load(folder)
	if err != nil {
		return nil, err
	}
	loaded = loaded.In(metrics.InSeconds)
	var loads []rehearsal
	for _, l := range plan.Levels {
		p := rehearsal{concurrency: l.Concurrency, rate: l.Rate, step: attachStep, lasting: attachRun}
		if l.Rate > 0 {
			p.concurrency = 0
		}
		tokens, known := 50, false
		for i := range loaded.Runs {
			a := &loaded.Runs[i].Figures
			gap := a.AddedStats.ITL.P50
			if loaded.Runs[i].Level != l.Number(plan.Iteration) || !gap.Exists() || gap <= 0 {
				continue
			}
			step := min(max(time.Duration(float64(gap)*float64(time.Second)), attachStepMin), attachStepMax)
			if !known || step < p.step {
				p.step, known = step, true
				if n := a.Stats.OutputTokens.Mean; n.Exists() {
					tokens = int(math.Round(float64(n)))
				}
			}
		}
		tokens = max(2, min(tokens, attachTokens, int(attachAnswer/p.step)))
		p.scenario = fmt.Sprintf("D(100,%d)", tokens)
		loads = append(loads, p)
	}
	return loads, nil
}
