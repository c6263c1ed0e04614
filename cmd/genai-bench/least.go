package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/calibrate/least"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/scenario"
)

// leastSizes is how many sizes of requests the least client goes through in turn.
const leastSizes = 256

// measureLeast sends a load by the least client, in this process, and adds what
// it says and costs to the result.
func (r *rehearser) measureLeast(ctx context.Context, p rehearsal) error {
	sizes, err := leastSizesOf(p.scenario, r.core.Seed)
	if err != nil {
		return err
	}
	server, err := r.serve(ctx, p)
	if err != nil {
		return err
	}
	defer server.stop()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-r.interrupt:
			cancel()
		case <-running.Done():
		}
	}()
	before := machine.Process(server.pid)
	report, err := least.Run(running, least.Config{URL: server.address, Model: "simulator", Streams: p.concurrency, Lasting: p.lasting, Sizes: sizes})
	if err != nil {
		return err
	}
	used := machine.Process(server.pid) - before
	records, err := truth(ctx, server.address, "")
	if err != nil {
		return fmt.Errorf("the simulator's records: %w", err)
	}
	joiner := calibrate.NewJoiner()
	for _, one := range report.Results {
		gaveUp := errors.Is(one.Err, context.Canceled)
		joiner.AddOther(calibrate.Other{
			Sent: one.Sent, First: one.FirstOutput, Last: one.Last, Failed: one.Err != nil && !gaveUp, Cancelled: gaveUp,
		}, records[one.ID])
	}
	level := joiner.Level()
	level.Scenario, level.Concurrency, level.Client = p.scenario, p.concurrency, "least client"
	level.StepMS = float64(p.step) / float64(time.Millisecond)
	level.Cost(&metrics.Client{CoreCPUSeconds: metrics.Value(report.CPU.Seconds()), MachineCPUShare: metrics.Value(math.NaN())}, used)
	r.result.Levels = append(r.result.Levels, level)
	return nil
}

func leastSizesOf(text string, seed uint64) ([]least.Size, error) {
	parsed, err := scenario.Parse(text)
	if err != nil {
		return nil, err
	}
	sampler, err := parsed.Sampler(seed, 1)
	if err != nil {
		return nil, err
	}
	sizes := make([]least.Size, leastSizes)
	for i := range sizes {
		s := sampler.At(uint64(i))
		sizes[i] = least.Size{PromptTokens: max(s.InputTokens, 1), MaxTokens: max(s.OutputTokens, 1)}
	}
	return sizes, nil
}
