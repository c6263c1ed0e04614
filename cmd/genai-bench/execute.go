package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/genai-bench/genai-bench/core/bench"
	"github.com/genai-bench/genai-bench/core/catalog"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/settings"
	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
)

// execute runs a plan: workers, preflight, the matrix, the reports.
func (b *benchmarking) execute(ctx context.Context, fs *pflag.FlagSet, plan *bench.Plan, load bench.Workload) error {
	ctx, interrupt, release := b.interrupts(ctx)
	defer release()
	log := &lateLog{}
	defer log.Close()
	logger := hclog.New(&hclog.LoggerOptions{Name: "genai-bench", Level: b.logLevel(), Output: log})

	checksum, err := catalog.Checksum(b.entry.Path)
	if err != nil {
		return withCode(exitPlugin, "plugin %s: %w", b.entry.Path, fileReason(err))
	}
	for _, w := range slices.Concat(plan.Warnings, b.notes) {
		fmt.Fprintf(b.stderr, "warning: %s\n", w)
	}
	pool, opened, err := b.openPool(ctx, plan, checksum, logger)
	if err != nil {
		return err
	}
	defer pool.Close()
	server, err := b.preflight(ctx, pool)
	if err != nil {
		return err
	}

	started := time.Now()
	name := b.core.ExperimentFolderName
	if name == "" {
		name = experiment.Name(plan.Backend.Name, b.core.ServerEngine, b.core.ServerVersion, b.core.Task, b.core.Model, started)
	}
	folder, err := experiment.Create(b.core.ExperimentBaseDir, name)
	if err != nil {
		return err
	}
	logFolder := b.core.LogDir
	if logFolder == "" {
		logFolder = folder.Path()
	}
	if err := log.open(logFolder); err != nil {
		return err
	}
	metadata := plan.Metadata(experiment.Metadata{
		Cmd:              "genai-bench " + strings.Join(quoted(settings.RedactArgs(fs, b.args)), " "),
		BenchmarkVersion: version,
		Settings:         settings.Effective(fs),
		Endpoint:         opened.Endpoint,
		BackendConfig:    opened.EffectiveConfig,
		Plugin:           &experiment.PluginMetadata{Name: b.entry.Name, Version: b.entry.Description.Plugin.Version, SHA256: hex.EncodeToString(checksum), Workers: max(b.core.NumWorkers, 1)},
		Clock:            opened.Clock.String(),
		ClockNote:        opened.ClockNote,
		Server:           server,
		Host:             bench.HostFacts(),
		StartedAt:        started.Format(time.RFC3339),
	})
	metadata.Settings["seed"] = fmt.Sprint(b.core.Seed)
	if load.Tokenizer != nil {
		metadata.Tokenizer = &experiment.TokenizerMetadata{VocabSize: load.Tokenizer.VocabSize()}
	}
	b.used.describe(&metadata)
	if b.core.DatasetConfig != "" {
		metadata.DatasetPath = &metadata.Dataset.Name
	}
	b.announce(plan, opened, folder)

	display := live.New(len(plan.Scenarios)*len(plan.Levels), live.Options{
		Out: b.stderr, Terminal: b.stderrTerminal && b.wantsUI(), Width: b.width, Unit: b.core.MetricsTimeUnit, First: metrics.FirstOutput(plan.Task),
	})
	stopNotes := b.noteInterrupt(interrupt, display)
	result, runErr := bench.Run(ctx, plan, bench.Parts{
		Folder: folder, Pool: pool, Workload: load, Display: display, Logger: logger,
		Metadata: metadata, Renew: b.used.describe, Interrupt: interrupt,
		AfterScenario: func(scenario string) { drawInterim(folder.Path(), scenario, logger) },
	})
	stopNotes()
	display.Close()
	pool.Close()
	b.noteLaterBadRows()
	if b.core.Calibrate && runErr == nil && !result.Interrupted && result.Completed > 0 {
		b.attach(ctx, plan, folder, result.Metadata, interrupt, logger)
	}
	reportErr := b.report(folder.Path())
	return b.verdict(result, runErr, reportErr)
}

// verdict turns the end of an experiment into an exit code.
func (b *benchmarking) verdict(result bench.Result, runErr, reportErr error) error {
	switch {
	case runErr != nil && bench.IsPluginFailure(runErr):
		return coded{exitPlugin, runErr}
	case runErr != nil && !result.Interrupted:
		return runErr
	case result.Interrupted:
		return withCode(exitInterrupted, "interrupted: what was measured is saved")
	case result.AllFailed():
		return withCode(exitAllFailed, "all %d requests failed (the table and the log say how)", result.Failed)
	case reportErr == nil && b.core.Strict && len(result.Untrusted) > 0:
		return withCode(exitUntrusted, "results not to be trusted: %s%s", result.Untrusted[0], andMore(len(result.Untrusted)-1))
	}
	return reportErr
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more, in the table's warnings)", n)
}

// interrupts makes Ctrl-C an event: the first closes the channel, the second
// ends the context. SIGTERM counts the same.
func (b *benchmarking) interrupts(parent context.Context) (ctx context.Context, interrupt chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	interrupt = make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-over:
				return
			case <-signals:
				if n == 0 {
					close(interrupt)
				} else {
					cancel()
				}
			}
		}
	})
	return ctx, interrupt, func() {
		signal.Stop(signals)
		close(over)
		wg.Wait()
		cancel()
	}
}

// noteInterrupt tells the user what an interrupt does.
func (b *benchmarking) noteInterrupt(interrupt <-chan struct{}, display *live.Display) (stop func()) {
	over := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-over:
		case <-interrupt:
			display.Note(fmt.Sprintf("interrupted: waiting up to %s for answers under way; interrupt again to stop now", b.core.DrainTimeout))
		}
	})
	return func() { close(over); wg.Wait() }
}

func (b *benchmarking) openPool(ctx context.Context, plan *bench.Plan, checksum []byte, logger hclog.Logger) (*bench.Pool, backend.Opened, error) {
	launch := host.Options{
		Path: b.entry.Path, Checksum: checksum, Environ: b.environ,
		EnvPassthrough: b.entry.Description.Plugin.EnvPassthrough, Logger: logger,
	}
	pool, opened, err := bench.OpenPool(ctx, workers.Options{
		Launch: func(ctx context.Context, packets *os.File) (host.Runner, error) {
			own := launch
			own.Packets = packets
			return launchProcess(ctx, own)
		},
		Component: plan.Backend.Name,
		Config:    b.backendConfig(plan),
		Count:     b.core.NumWorkers,
		Logger:    logger,
	})
	if err != nil {
		return nil, opened, coded{exitPlugin, err}
	}
	var problems settings.Problems
	for _, p := range opened.Problems {
		if p.Severity == option.Warning {
			fmt.Fprintf(b.stderr, "warning: %s\n", settings.Problem{Flag: p.Option, Message: p.Message, Hint: p.Hint})
			continue
		}
		problems = append(problems, settings.Problem{Flag: p.Option, Message: p.Message, Hint: p.Hint})
	}
	return pool, opened, problems.Err()
}

// launchProcess keeps a failed launch a nil interface.
func launchProcess(ctx context.Context, o host.Options) (host.Runner, error) {
	p, err := host.Launch(ctx, o)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (b *benchmarking) backendConfig(plan *bench.Plan) backend.Config {
	s := b.core
	c := backend.Config{
		Task: plan.Task, Requests: plan.Kind, Model: s.APIModelName, APIBase: s.APIBase, APIKey: s.APIKey,
		Options: plan.Options, RequestParams: plan.Params,
		Limits: backend.Limits{Connect: s.ConnectTimeout, ResponseHeader: s.HeaderTimeout, Idle: s.IdleTimeout, Total: s.RequestTimeout},
		TLS:    backend.TLS{CAFile: s.CAFile, Insecure: s.Insecure, ClientCertFile: s.ClientCert, ClientKeyFile: s.ClientKey},
		HTTP:   backend.HTTP{Proxy: s.Proxy},
		Clock:  backend.ClockChoice(s.Clock), MaxInFlight: mostInFlight(plan),
	}
	for _, line := range s.Headers {
		name, value, _ := strings.Cut(line, ": ")
		c.HTTP.Header = append(c.HTTP.Header, backend.HeaderField{Name: name, Value: value})
	}
	return c
}

// mostInFlight is how many requests may be in flight at once; 0: nobody knows, as
// in an open loop without a cap, whose connections would otherwise be closed
// after each request.
func mostInFlight(plan *bench.Plan) int {
	most := 0
	for _, l := range plan.Levels {
		if l.Rate > 0 {
			return plan.Settings.MaxConcurrency
		}
		most = max(most, l.Concurrency)
	}
	return most
}

// preflight asks the server whether it would work, before anything is timed.
func (b *benchmarking) preflight(ctx context.Context, pool *bench.Pool) (*experiment.ServerMetadata, error) {
	if b.core.NoPreflight {
		return nil, nil
	}
	probe, err := pool.Probe(ctx)
	if errors.Is(err, host.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, withCode(exitInterrupted, "interrupted before anything was measured")
		}
		return nil, coded{exitPlugin, fmt.Errorf("preflight: %w", err)}
	}
	if probe.Failure != nil {
		return nil, withCode(exitFailure, "preflight: %s; nothing was measured (--no-preflight goes on all the same)", probe.Failure.Error())
	}
	return &experiment.ServerMetadata{
		Name: probe.ServerName, Version: probe.ServerVersion, Models: probe.Models, MaxModelLen: probe.MaxModelLen,
		ProbeLatencyMS: float64(probe.Latency) / float64(time.Millisecond),
	}, nil
}

// announce says what is about to happen.
func (b *benchmarking) announce(plan *bench.Plan, opened backend.Opened, folder *experiment.Folder) {
	var scenarios, levels []string
	for _, s := range plan.Scenarios {
		scenarios = append(scenarios, s.Written)
	}
	for _, l := range plan.Levels {
		levels = append(levels, l.String())
	}
	var ends []string
	if d := b.core.MaxTimePerRun; d > 0 {
		ends = append(ends, d.String())
	}
	if n := b.core.MaxRequestsPerRun; n > 0 {
		ends = append(ends, fmt.Sprintf("%d requests", n))
	}
	fmt.Fprintf(b.stderr, "%s with %s at %s\n", b.core.Task, b.core.APIModelName, opened.Endpoint)
	if plan.Trace != nil {
		fmt.Fprintln(b.stderr, plan.Trace)
		ends = append(ends, "the trace's end")
	}
	fmt.Fprintf(b.stderr, "%s; %s; each run at most %s; seed %d\n",
		strings.Join(scenarios, ", "), strings.Join(levels, ", "), strings.Join(ends, " or "), b.core.Seed)
	if opened.ClockNote != "" {
		fmt.Fprintf(b.stderr, "arrivals are timed by the %s clock (%s)\n", opened.Clock, opened.ClockNote)
	} else {
		fmt.Fprintf(b.stderr, "arrivals are timed by the %s clock\n", opened.Clock)
	}
	for _, line := range b.used.lines() {
		fmt.Fprintln(b.stderr, line)
	}
	fmt.Fprintf(b.stderr, "results go to %s\n", folder.Path())
}

// wantsUI reads ENABLE_UI, as the Python tool does: anything but a yes is a no.
func (a *app) wantsUI() bool {
	value, set := a.lookupEnv("ENABLE_UI")
	if !set {
		return true
	}
	switch strings.ToLower(value) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// logLevel reads GENAI_BENCH_LOGGING_LEVEL, in the Python tool's words.
func (a *app) logLevel() hclog.Level {
	switch strings.ToUpper(a.getenv("GENAI_BENCH_LOGGING_LEVEL")) {
	case "DEBUG":
		return hclog.Debug
	case "WARNING", "WARN":
		return hclog.Warn
	case "ERROR", "CRITICAL":
		return hclog.Error
	}
	return hclog.Info
}

// quoted puts quotes around arguments that a shell would take apart.
func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'`$&|;<>()*?[]{}~#!\\") {
			out[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return out
}

// logFileName is the Python tool's.
const logFileName = "genai_bench.log"

// lateLog keeps log lines until there is a folder for the log file.
type lateLog struct {
	mu   sync.Mutex
	kept bytes.Buffer
	file *os.File
}

// keptMax bounds what is kept before there is a file.
const keptMax = 1 << 20

// Write implements io.Writer.
func (l *lateLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		return l.file.Write(p)
	}
	if l.kept.Len()+len(p) <= keptMax {
		l.kept.Write(p)
	}
	return len(p), nil
}

// open creates the log file in a folder and moves what was kept into it.
func (l *lateLog) open(folder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("--log-dir %s: %w", folder, fileReason(err))
	}
	file, err := os.OpenFile(filepath.Join(folder, logFileName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("--log-dir %s: %w", folder, fileReason(err))
	}
	l.file = file
	_, err = io.Copy(file, &l.kept)
	return err
}

// Close closes the file, where there is one.
func (l *lateLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
	}
}
