package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/calibrate"
	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/machine"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/tokenizer/demo"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// calibrationBackend is the one through which loads go: it fixes the length of
// answers and needs no key.
const calibrationBackend = "vllm"

// rehearsal is one load to be measured against the simulator.
type rehearsal struct {
	scenario    string
	concurrency int
	rate        float64       // of the open loop; 0: a closed one
	step        time.Duration // between two tokens of a stream
	lasting     time.Duration
	searched    bool
}

// rehearser measures loads as benchmark does, by the same plugin and the same
// run, against a simulator that knows what happened.
type rehearser struct {
	*app
	core        settings.Benchmark // what all loads share
	entry       catalog.Entry
	description backend.Description
	checksum    []byte
	workload    bench.Workload
	spread      bool
	root        string // of the runs' folders
	logger      hclog.Logger
	interrupt   <-chan struct{}

	count  int
	result calibrate.Calibration
}

// newRehearser makes everything ready; done removes what is not to be kept.
func (a *app) newRehearser(ctx context.Context, core settings.Benchmark, spread bool, interrupt <-chan struct{}, logger hclog.Logger) (r *rehearser, done func(), err error) {
	r = &rehearser{app: a, core: core, spread: spread, root: core.ExperimentBaseDir, interrupt: interrupt, logger: logger}
	if r.entry, r.description, err = a.plugins(ctx).Backend(calibrationBackend); err != nil {
		return nil, nil, fmt.Errorf("calibration goes through backend %s: %w", calibrationBackend, err)
	}
	if r.checksum, err = catalog.Checksum(r.entry.Path); err != nil {
		return nil, nil, withCode(exitPlugin, "plugin %s: %w", r.entry.Path, fileReason(err))
	}
	work, err := os.MkdirTemp("", "genai-bench-calibrate-*")
	if err != nil {
		return nil, nil, err
	}
	done = func() { _ = os.RemoveAll(work) } // what is left of it is in the way of nobody
	if r.root == "" {
		r.root = work
	}
	words, err := demo.Load()
	if err == nil {
		r.workload.Tokenizer = words
		r.workload.Corpus, err = prompt.NewCorpus(words, "demo", dataset.BuiltIn())
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("what prompts are made of: %w", err)
	}
	s := &r.core
	s.APIBackend, s.APIModelName, s.Model, s.Task = r.description.Name, "simulator", "simulator", string(backend.TextToText)
	s.Stream, s.MetricsTimeUnit, s.PauseBetweenRuns = true, "ms", 0
	r.result = calibrate.Calibration{
		At: time.Now().Format(time.RFC3339), Backend: r.description.Name, Workers: max(s.NumWorkers, 1), Spread: spread, Levels: []calibrate.Level{},
	}
	return r, done, nil
}

// measure measures one load and adds it to the result. An interrupt ends it
// early, and what was measured until then is added all the same.
func (r *rehearser) measure(ctx context.Context, p rehearsal) (*calibrate.Level, error) {
	r.count++
	server, err := r.serve(ctx, p)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	s := r.core
	s.APIBase, s.Scenarios, s.MaxTimePerRun = server.address, []string{p.scenario}, p.lasting
	if p.rate > 0 {
		s.ExecutionEngine, s.QPSLevels, s.NumConcurrency = "async", []float64{p.rate}, []int{1}
	} else {
		s.QPSLevels, s.NumConcurrency = nil, []int{p.concurrency}
	}
	plan, problems := bench.NewPlan(&s, r.description, option.Values{}, bench.Said{Given: func(string) bool { return false }})
	if len(problems) > 0 {
		return nil, problems.Err()
	}
	level := calibrate.Level{Concurrency: p.concurrency, Rate: p.rate}
	folder, err := experiment.Create(r.root, fmt.Sprintf("calibrate_%02d_%s", r.count, strings.ReplaceAll(level.String(), " ", "_")))
	if err != nil {
		return nil, err
	}
	used, err := r.drive(ctx, plan, folder, server.pid)
	if err != nil {
		return nil, err
	}
	if level, err = r.join(ctx, folder, server.address, used); err != nil {
		return nil, err
	}
	level.Scenario, level.Concurrency, level.Rate, level.Searched = p.scenario, p.concurrency, p.rate, p.searched
	level.StepMS = float64(p.step) / float64(time.Millisecond)
	r.result.Levels = append(r.result.Levels, level)
	return &r.result.Levels[len(r.result.Levels)-1], nil
}

// serve starts a simulator whose streams have a token a step, however many there
// are: what a load of N streams is must not depend on the server.
func (r *rehearser) serve(ctx context.Context, p rehearsal) (simulatorProcess, error) {
	c := simulator.DefaultConfig()
	c.StepTime, c.StepTimePerSequence, c.PrefillTime, c.PrefillTokensPerSecond, c.JitterRatio = p.step, 0, 0, 0, 0
	c.MaxBatch, c.MaxBatchedTokens, c.KVTokens, c.MaxModelLen = 0, 0, 0, 0
	c.SpreadTokens, c.JournalSize = r.spread, 1_000_000
	data, err := json.Marshal(c)
	if err != nil {
		return simulatorProcess{}, err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return simulatorProcess{}, err
	}
	delete(fields, "api_key") // none
	if data, err = json.Marshal(fields); err != nil {
		return simulatorProcess{}, err
	}
	file := filepath.Join(r.root, "simulator.json")
	if err := os.MkdirAll(r.root, 0o755); err != nil {
		return simulatorProcess{}, fmt.Errorf("--experiment-base-dir %s: %w", r.root, fileReason(err))
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return simulatorProcess{}, fmt.Errorf("%s: %w", file, fileReason(err))
	}
	return r.startSimulator(ctx, "--config", file)
}

// drive runs the plan and returns the CPU time that the simulator used for it,
// in seconds.
func (r *rehearser) drive(ctx context.Context, plan *bench.Plan, folder *experiment.Folder, pid int) (float64, error) {
	b := &benchmarking{app: r.app, core: plan.Settings, entry: r.entry, description: r.description}
	pool, opened, err := b.openPool(ctx, plan, r.checksum, r.logger)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	r.result.Clock, r.result.ClockNote = opened.Clock.String(), opened.ClockNote
	display := live.New(1, live.Options{Out: r.stderr, Terminal: r.stderrTerminal && r.wantsUI(), Width: r.width, Unit: "ms", First: metrics.FirstOutput(plan.Task)})
	defer display.Close()
	before := machine.Process(pid)
	_, err = bench.Run(ctx, plan, bench.Parts{
		Folder: folder, Pool: pool, Workload: r.workload, Display: display, Logger: r.logger,
		Metadata: plan.Metadata(experiment.Metadata{BenchmarkVersion: version, Host: bench.HostFacts(), Clock: r.result.Clock}), Interrupt: r.interrupt,
	})
	if err != nil && bench.IsPluginFailure(err) {
		return 0, coded{exitPlugin, err}
	}
	return machine.Process(pid) - before, err
}

// join holds the folder of a run against the simulator's records.
func (r *rehearser) join(ctx context.Context, folder *experiment.Folder, address string, simulatorSeconds float64) (calibrate.Level, error) {
	joiner := calibrate.NewJoiner()
	kept := ""
	if r.core.ExperimentBaseDir != "" {
		kept = folder.File(truthFile)
	}
	records, err := truth(ctx, address, kept)
	if err != nil {
		return joiner.Level(), fmt.Errorf("the simulator's records: %w", err)
	}
	if _, err := experiment.ReadJournal(folder.File(experiment.JournalFile), func(e experiment.Entry) error {
		if q := e.Request; q != nil {
			joiner.Add(&q.Metrics, q.Events.Unpack(q.Metrics.SendStartNanos), records[q.Metrics.RequestID])
		}
		return nil
	}); err != nil {
		return joiner.Level(), err
	}
	level := joiner.Level()
	loaded, err := experiment.Load(folder.Path())
	if err != nil {
		return level, err
	}
	for i := range loaded.Runs {
		level.ClientLimits = loaded.Runs[i].Figures.ClientLimits
		level.Cost(loaded.Runs[i].Figures.Client, simulatorSeconds)
	}
	return level, nil
}

// truthFile is where the simulator's records are kept beside the run, a JSON
// object a line.
const truthFile = "truth.jsonl"

// truth fetches the simulator's records of a run, by request id, and copies them
// into the file kept, if that is not "". It waits until the simulator has noted
// the end of the last answer: a client may know of it earlier.
func truth(ctx context.Context, address, kept string) (map[string][]*simulator.Record, error) {
	const settled = 1 // the question itself is a request
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var stats simulator.Stats
		body, err := get(ctx, address+"/simulator/stats")
		if err != nil {
			return nil, err
		}
		err = errors.Join(json.NewDecoder(body).Decode(&stats), body.Close())
		if err != nil {
			return nil, err
		}
		if stats.InFlight <= settled || time.Now().After(end) {
			break
		}
	}
	body, err := get(ctx, address+"/simulator/requests")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var lines io.Reader = body
	if kept != "" {
		file, err := os.Create(kept)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		lines = io.TeeReader(body, file)
	}
	records := map[string][]*simulator.Record{}
	for decoder := json.NewDecoder(lines); ; {
		record := new(simulator.Record)
		if err := decoder.Decode(record); errors.Is(err, io.EOF) {
			return records, nil
		} else if err != nil {
			return nil, err
		}
		records[record.ID] = append(records[record.ID], record)
	}
}

// get asks the simulator about itself.
func get(ctx context.Context, address string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	// A transport of its own: no proxy stands between this and a child of this.
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%s: HTTP %d", address, answer.StatusCode), answer.Body.Close())
	}
	return answer.Body, nil
}
