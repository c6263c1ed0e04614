package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/core/dataset"
	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/live"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Tokenizer is what an experiment needs of one.
type Tokenizer interface {
	prompt.Tokenizer
	VocabSize() int
}

// Workload is what requests are made of.
type Workload struct {
	Corpus    *prompt.Corpus
	Tokenizer Tokenizer // nil for tasks that count no tokens
	// Gallery is the pictures of tasks that show some; nil is synthetic ones.
	Gallery *prompt.Gallery
	// Conversations are recorded ones, to be held again; nil is none.
	Conversations dataset.Conversations
	// Template is the model's chat template where sizes count the rendered chat;
	// else nil.
	Template prompt.Template
}

// Parts are what an experiment is run with; the caller opens and closes them.
type Parts struct {
	Workload
	Folder   *experiment.Folder
	Pool     *Pool
	Display  *live.Display
	Logger   hclog.Logger
	Metadata experiment.Metadata
	// Renew, which may be nil, is called before the metadata is written anew
	// after a run: bad rows of a dataset are found as long as it is read.
	Renew func(*experiment.Metadata)
	// Interrupt is closed when the user wants an end: the run is drained, what
	// there is is saved and reported. The context of Run ends things at once.
	Interrupt <-chan struct{}
	// AfterScenario, which may be nil, is called between two runs when all levels
	// of a scenario have been measured.
	AfterScenario func(scenario string)
}

// Pool is the workers of an experiment, with a place for their outcomes to go:
// the pool outlives the runs.
type Pool struct {
	*workers.Pool
	deliver atomic.Pointer[func(int, *backend.Outcome)]
}

// OpenPool starts the workers. Outcomes that come outside a run are dropped.
func OpenPool(ctx context.Context, o workers.Options) (*Pool, backend.Opened, error) {
	p := &Pool{}
	o.Outcome = func(worker int, outcome *backend.Outcome) {
		if deliver := p.deliver.Load(); deliver != nil {
			(*deliver)(worker, outcome)
		}
	}
	pool, opened, err := workers.Open(ctx, o)
	if pool == nil {
		return nil, opened, err
	}
	p.Pool = pool
	return p, opened, err
}

// Result is what an experiment came to.
type Result struct {
	Runs        int // that were measured
	Completed   int // requests
	Failed      int
	Interrupted bool
	Metadata    experiment.Metadata // as it was written last
	// Untrusted are the warnings for which figures are not to be trusted, each
	// with its run.
	Untrusted []string
}

// AllFailed tells whether requests were sent and none succeeded.
func (r Result) AllFailed() bool { return r.Completed == 0 && r.Failed > 0 }

// pluginFailure is the end of an experiment by its plugin.
type pluginFailure struct{ error }

func (p pluginFailure) Unwrap() error { return p.error }

// IsPluginFailure tells whether an experiment ended because its plugin did.
func IsPluginFailure(err error) bool {
	var p pluginFailure
	return errors.As(err, &p)
}

// experimenter is a running experiment.
type experimenter struct {
	plan          *Plan
	folder        *experiment.Folder
	pool          *Pool
	corpus        *prompt.Corpus
	conversations dataset.Conversations // recorded ones; nil for none
	gallery       *prompt.Gallery       // nil: each run has its own, of synthetic pictures
	tokenizer     Tokenizer
	template      prompt.Template
	display       *live.Display
	logger        hclog.Logger
	journal       *experiment.Journal
	interrupt     <-chan struct{}
	metadata      experiment.Metadata
	renew         func(*experiment.Metadata)

	id      string // begins every request id
	seq     atomic.Uint64
	current atomic.Pointer[oneRun]
}

// Run runs the whole matrix, scenarios outside, levels inside. What was
// measured is in the folder, whatever the error.
func Run(ctx context.Context, plan *Plan, parts Parts) (result Result, err error) {
	journal, err := parts.Folder.OpenJournal()
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, journal.Close()) }()
	x := &experimenter{
		plan: plan, folder: parts.Folder, pool: parts.Pool, corpus: parts.Corpus, gallery: parts.Gallery, conversations: parts.Conversations, tokenizer: parts.Tokenizer, template: parts.Template,
		display: parts.Display, logger: parts.Logger, journal: journal, interrupt: parts.Interrupt, metadata: parts.Metadata, renew: parts.Renew, id: newID(),
	}
	deliver := func(worker int, o *backend.Outcome) {
		if r := x.current.Load(); r != nil {
			r.outcome(worker, o)
		}
	}
	x.pool.deliver.Store(&deliver)
	defer x.pool.deliver.Store(nil)
	if err := x.folder.WriteMetadata(x.metadata); err != nil {
		return Result{}, err
	}

	err = x.matrix(ctx, parts.AfterScenario, &result)
	result.Interrupted, result.Metadata = x.stopped(ctx), x.metadata
	return result, err
}

// matrix runs every scenario at every level, until something ends it.
func (x *experimenter) matrix(ctx context.Context, afterScenario func(string), result *Result) error {
	for _, s := range x.plan.Scenarios {
		for i, l := range x.plan.Levels {
			if result.Runs > 0 {
				x.pause(ctx)
			}
			if x.stopped(ctx) {
				return nil
			}
			figures, err := x.run(ctx, s, l)
			result.add(fmt.Sprintf("%s, %s", s.Written, l), figures)
			if err != nil {
				return err
			}
			ends := ""
			if x.ruled(figures) {
				ends = x.plan.Settings.StopOnEnds
			}
			if ends == endExperiment {
				x.display.Note("the experiment ends here: --stop-on-ends experiment")
				return nil
			}
			if ends == endScenario {
				if i+1 < len(x.plan.Levels) {
					x.display.Note(fmt.Sprintf("the further levels of %s are left out: --stop-on-ends scenario", s.Written))
				}
				break
			}
		}
		if afterScenario != nil {
			afterScenario(s.Written)
		}
	}
	return nil
}

// add counts a run.
func (r *Result) add(run string, figures metrics.Aggregate) {
	r.Runs++
	r.Completed += figures.NumCompletedRequests
	r.Failed += figures.NumErrorRequests
	for _, w := range figures.Untrusted {
		r.Untrusted = append(r.Untrusted, run+": "+w)
	}
}

// What --stop-on-ends may say, besides "run".
const (
	endScenario   = "scenario"
	endExperiment = "experiment"
)

// ruled tells whether a rule of --stop-on ended a run.
func (x *experimenter) ruled(figures metrics.Aggregate) bool {
	for _, rule := range x.plan.StopRules {
		if figures.StopReason == string(stopRule(rule)) {
			return true
		}
	}
	return false
}

// pauseNoted is from when on a pause is announced.
const pauseNoted = 3 * time.Second

// pause lets the server rest between two runs. The user's wish for an end ends
// it.
func (x *experimenter) pause(ctx context.Context) {
	pause := x.plan.Settings.PauseBetweenRuns
	if pause <= 0 || x.stopped(ctx) {
		return
	}
	if pause >= pauseNoted {
		x.display.Note(fmt.Sprintf("pausing for %s", pause))
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.interrupt:
	case <-ctx.Done():
	}
}

func (x *experimenter) stopped(ctx context.Context) bool {
	select {
	case <-x.interrupt:
		return true
	default:
		return ctx.Err() != nil
	}
}

// onInterrupt calls f once when the user wants an end; the returned function
// takes the wish back and waits for an f under way.
func (x *experimenter) onInterrupt(f func()) (cancel func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-x.interrupt:
			f()
		case <-over:
		}
	}()
	return func() { close(over); <-ended }
}

func (x *experimenter) counter() counter {
	if x.tokenizer == nil {
		return nil
	}
	return x.tokenizer
}

// newID is the start of the experiment's request ids: unlike those of any
// other experiment that a server may log.
func newID() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return "gb-" + hex.EncodeToString(b[:])
}

// abandoned is the outcome of a request that outlasted even the wait for its
// cancellation.
func abandoned(seq uint64) *backend.Outcome {
	return &backend.Outcome{Seq: seq, Status: backend.StatusCancelled,
		Error: fault.New(fault.Cancelled, "the run ended before an answer came, and the cancellation was not confirmed")}
}

// runOf says what of a run is known before it: what the statistics leave out and
// what goodput asks for.
func (x *experimenter) runOf() metrics.Run {
	return metrics.Run{Task: x.plan.Task, Warmup: x.plan.Warmup, Cooldown: x.plan.Cooldown, Objectives: x.plan.Objectives}
}

// save computes a run's figures and writes its file.
func (x *experimenter) save(r *oneRun, result load.Result) (metrics.Aggregate, error) {
	s := x.plan.Settings
	run := x.runOf()
	run.Start, run.End, run.SendEnd, run.Sent = result.Start, max(result.End, result.StopAt), result.StopAt, result.Sent
	if result.StopReason == load.StopTime {
		run.Limit = result.StopAt
	}
	a, err := r.collect.table.Aggregate(run)
	if err != nil {
		return a, err
	}
	a.Scenario, a.IterationType = r.scenario.Written, string(x.plan.Iteration)
	a.NumConcurrency, a.BatchSize = r.level.Concurrency, max(r.level.BatchSize, 1)
	if r.level.Rate > 0 {
		a.NumConcurrency, a.RequestRate, a.Distribution = r.level.Number(x.plan.Iteration), r.level.Rate, s.Distribution
	}
	if x.plan.Trace != nil {
		a.Distribution = ""
	}
	a.Engine, a.StopReason = string(x.plan.loop()), string(result.StopReason)
	a.Window.RampEnd, a.Window.CapWaited, a.Window.CapUnsent = result.RampEnd, result.Waited, result.Unsent
	a.Window.MissedSends, a.Window.AskedRate, a.Window.AchievedRate = result.Missed, result.Asked, result.Achieved
	a.Window.SessionWaited, a.Window.SessionUnsent, a.TimeScale = result.SessionWaited, result.SessionUnsent, r.level.TimeScale
	var requests uint64
	a.WorkloadSHA256, requests = r.ahead.Workload()
	a.Sessions = r.talks.ended()
	a.Client = clientOf(r.collect.usage)
	stats := r.ahead.Stats()
	a.MadeAhead = &metrics.MadeAhead{Waited: stats.Waited, WaitedFor: stats.WaitedFor.Seconds(), PeakBytes: stats.PeakBytes}
	x.judge(r, result, &a)
	for _, w := range a.WarningsOfRun {
		x.logger.Warn(w, "scenario", a.Scenario, "level", r.level.String())
	}
	if a.NumRequests+a.NumCancelledRequests+a.NumAbortedRequests == 0 {
		return a, nil // nothing was sent: there is nothing to keep
	}
	name := experiment.RunFileName(r.scenario.FileName(), string(x.plan.Task), a.IterationType, r.level.Number(x.plan.Iteration), run.End.Sub(run.Start))
	if err := x.folder.WriteRun(name, a, r.collect.table.Requests(), metrics.Unit(s.MetricsTimeUnit)); err != nil {
		return a, err
	}
	x.metadata.Workloads = append(x.metadata.Workloads, experiment.WorkloadMetadata{
		Scenario: a.Scenario, Level: r.level.Number(x.plan.Iteration), Requests: requests, SHA256: a.WorkloadSHA256,
	})
	if x.renew != nil {
		x.renew(&x.metadata)
	}
	return a, errors.Join(x.folder.WriteMetadata(x.metadata), x.journal.Write(experiment.Entry{End: &experiment.RunEnd{At: stamp.Now(), File: name}}))
}

// HostFacts describe the machine that measures.
func HostFacts() *experiment.HostMetadata {
	return &experiment.HostMetadata{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), GoVersion: runtime.Version()}
}

// authConfig says which credentials were used, never their values: by the word
// that the backend has for them ("auth_type" of its effective configuration),
// else by whether there was a key.
func (p *Plan) authConfig(effective json.RawMessage) json.RawMessage {
	said := struct {
		AuthType  string `json:"auth_type"`
		HasAPIKey bool   `json:"has_api_key"`
	}{}
	keyed := !p.Settings.APIKey.IsZero() && p.Backend.APIKey != backend.Unused
	if json.Unmarshal(effective, &said) != nil || said.AuthType == "" {
		if said.AuthType = "none"; keyed {
			said.AuthType = "api_key"
		}
	}
	said.HasAPIKey = keyed
	text, err := json.Marshal(said)
	if err != nil {
		return nil // a string and a bool always marshal
	}
	return text
}

// levelsOf lists the levels for the metadata.
func (p *Plan) levelsOf() (concurrency, batch []int) {
	for _, l := range p.Levels {
		n := l.Concurrency
		if l.Rate > 0 {
			n = l.Number(p.Iteration)
		}
		concurrency, batch = append(concurrency, n), append(batch, max(l.BatchSize, 1))
	}
	return unique(concurrency), unique(batch)
}

// Metadata fills in what the plan decides; the caller adds what only it knows.
func (p *Plan) Metadata(m experiment.Metadata) experiment.Metadata {
	s := p.Settings
	text := func(v string) *string {
		if v == "" {
			return nil
		}
		return &v
	}
	m.APIBackend, m.APIModelName, m.Task = p.Backend.Name, s.APIModelName, s.Task
	m.AuthConfig = p.authConfig(m.BackendConfig)
	m.ServerModelTokenizer, m.Model = text(s.ModelTokenizer), s.Model
	m.NumConcurrency, m.BatchSize = p.levelsOf()
	m.IterationType = string(p.Iteration)
	for _, x := range p.Scenarios {
		m.TrafficScenario = append(m.TrafficScenario, x.Written)
	}
	m.AdditionalRequestParams = json.RawMessage(`{}`)
	if len(s.RequestParams) > 0 {
		m.AdditionalRequestParams = s.RequestParams
	}
	m.ServerEngine, m.ServerVersion = text(s.ServerEngine), text(s.ServerVersion)
	m.ServerGPUType, m.ServerGPUCount = text(s.ServerGPUType), text(s.ServerGPUCount)
	m.MaxTimePerRunSeconds, m.MaxRequestsPerRun = int(math.Ceil(s.MaxTimePerRun.Seconds())), s.MaxRequestsPerRun
	m.MetricsTimeUnit = metrics.Unit(s.MetricsTimeUnit)
	m.DatasetPath = text(s.DatasetPath)
	m.Trace = p.traceMetadata()
	m.ExecutionEngine, m.QPSLevels, m.Seed = s.ExecutionEngine, s.QPSLevels, s.Seed
	return m
}
