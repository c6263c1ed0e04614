package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/core/experiment"
	"github.com/genai-bench/genai-bench/core/load"
	"github.com/genai-bench/genai-bench/core/metrics"
	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/core/stoprule"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// stopFailures is the reason of a run that was stopped because nothing but
// failures came back.
const stopFailures load.StopReason = "failures"

// failuresInARow is after how many failures without a success in between a run
// is given up: a closed loop on a server that refuses at once would otherwise
// fill the disk with refusals until its time is over.
const failuresInARow = 1000

// oneRun is one cell of the matrix while it runs. It is the load's Sender.
type oneRun struct {
	x        *experimenter
	scenario Scenario
	level    Level
	drive    *load.Run
	ahead    *prompt.Ahead
	collect  *collector
	fix      bool
	capped   bool // an open loop with --max-concurrency
	aborts   load.Aborts
	watch    *stoprule.Watch
	held     *held  // of a trace; else nil
	talks    *talks // of conversations; else nil

	mu   sync.Mutex
	open map[uint64]*metrics.Record // by sequence number

	failures  atomic.Int64 // since the last success
	ruled     atomic.Pointer[stoprule.Verdict]
	cancel    sync.Once
	stopAfter func() bool // undoes the wish to cancel
	prepared  error       // of the request that could not be made
}

// Send implements load.Sender.
func (r *oneRun) Send(ctx context.Context, ticket load.Ticket) error {
	r.cancel.Do(func() { r.stopAfter = context.AfterFunc(ctx, r.x.pool.CancelAll) })
	item, err := r.ask(ctx, ticket)
	if err != nil {
		if ctx.Err() == nil {
			r.prepared = err
		}
		return err
	}
	s := r.x.plan.Settings
	request := item.Request
	request.Seq = r.x.seq.Add(1)
	request.ID = fmt.Sprintf("%s-%d", r.x.id, request.Seq)
	request.Task = r.x.plan.Task
	request.StartAt = ticket.StartAt
	request.Timeout = s.RequestTimeout
	request.FixOutputLength = r.fix && item.Size.OutputTokens > 0
	request.Want = backend.Want{Events: true, Text: r.x.tokenizer != nil || s.SaveTexts || r.talks != nil}
	request.ConnectionKey = item.connection
	if r.aborts.Chooses(ticket.N) {
		request.Abort = r.x.plan.abort()
	}

	record := &metrics.Record{
		Index: ticket.N, RequestID: request.ID, User: ticket.User, Session: item.session, Turn: item.turn, Streamed: r.x.plan.Stream,
		Intended: ticket.Intended, Dispatched: stamp.Now(), CapWait: ticket.Waited, Capped: r.capped,
		InputTokensAsked: item.Size.InputTokens, OutputTokensAsked: item.Size.OutputTokens, InputTokens: item.InputTokens,
	}
	describe(record, &item.Item)
	for _, image := range item.Again {
		r.x.pool.ShareImage(image)
	}
	r.mu.Lock()
	r.open[request.Seq] = record
	r.mu.Unlock()
	if err := r.x.pool.Start(request); err != nil {
		r.mu.Lock()
		delete(r.open, request.Seq)
		r.mu.Unlock()
		return err
	}
	r.x.display.Sent()
	r.rule(r.watch.Sent(max(ticket.Intended, record.Dispatched), record.Dispatched))
	if ticket.N+1 == r.x.plan.requestsMax() {
		r.x.display.Draining()
	}
	return nil
}

// ask is the request that a ticket is for.
func (r *oneRun) ask(ctx context.Context, ticket load.Ticket) (asked, error) {
	next := func() (prompt.Item, error) { return r.ahead.Next(ctx) }
	switch {
	case r.talks != nil:
		return r.talks.take(ticket.User, next)
	case r.held != nil:
		item, err := r.held.take(ticket.Arrival, next)
		a := asked{Item: item}
		a.session, a.turn = r.x.plan.recordedTurn(ticket.Arrival)
		return a, err
	}
	item, err := next()
	return asked{Item: item}, err
}

// outcome takes the end of one of the run's requests.
func (r *oneRun) outcome(worker int, o *backend.Outcome) {
	r.mu.Lock()
	record := r.open[o.Seq]
	delete(r.open, o.Seq)
	r.mu.Unlock()
	if record == nil {
		return // of a run before; its record was closed when that run ended
	}
	record.Worker, record.Outcome, record.Ended = worker, o, stamp.Now()
	switch o.Status {
	case backend.StatusError:
		if n := r.failures.Add(1); n >= int64(max(failuresInARow, 10*r.level.Concurrency)) {
			r.drive.Stop(stopFailures)
		}
	case backend.StatusOK:
		r.failures.Store(0)
	}
	var pause time.Duration
	goesOn := false
	if r.talks != nil {
		pause, goesOn = r.talks.hear(record.User, o)
	}
	r.collect.in <- record
	if goesOn {
		r.drive.DoneAfter(record.Index, pause)
		return
	}
	r.drive.Done(record.Index)
}

// finished lets the rules of --stop-on judge the end of a request.
func (r *oneRun) finished(q *metrics.Request) {
	if r.watch == nil {
		return
	}
	r.rule(r.watch.Ended(stoprule.End{
		At: stamp.Now(), OK: q.OK(), Error: !q.OK() && !q.Cancelled(),
		TTFT: float64(q.TTFT), TPOT: float64(q.TPOT), E2E: float64(q.E2ELatency),
	}))
}

// stopRule is the reason of a run that a rule of --stop-on ended.
func stopRule(rule stoprule.Rule) load.StopReason {
	return load.StopReason("stop-on " + rule.String())
}

// rule ends the run where a rule says so.
func (r *oneRun) rule(v *stoprule.Verdict) {
	if v != nil {
		r.ruled.Store(v)
		r.drive.Stop(stopRule(v.Rule))
		r.x.display.Draining()
	}
}

// run measures one scenario at one level. The error is for what ends the whole
// experiment; interrupted tells that the user wants an end.
func (x *experimenter) run(ctx context.Context, s Scenario, l Level) (figures metrics.Aggregate, err error) {
	name := fmt.Sprintf("%s at %s", s.Written, l)
	maker, shared, err := x.maker(prompt.Config{
		Task: x.plan.Task, Scenario: s.Scenario, Kind: x.plan.Kind, Seed: x.plan.Settings.Seed,
		Run:       name,
		BatchSize: l.BatchSize, Stream: x.plan.Stream, Before: x.plan.Before, Voice: x.plan.Voice,
		Prefix: prompt.Prefix{Tokens: x.plan.Settings.PrefixLen, Ratio: x.plan.Settings.PrefixRatio}, Template: x.template,
		Gallery: x.gallery, Turns: x.plan.Settings.SessionTurns,
	})
	if err != nil {
		return figures, err
	}
	for _, text := range shared {
		x.pool.ShareText(text)
	}
	defer x.pool.Unshare()
	if x.gallery != nil {
		defer x.gallery.Forget()
	}
	settings := x.plan.Settings
	ahead := prompt.NewAhead(maker, prompt.AheadOptions{Count: x.plan.requestsMax()})
	defer ahead.Close()
	if err := x.awaitStore(ctx, name, ahead); err != nil || x.stopped(ctx) {
		return figures, err
	}
	drive, err := load.New(x.plan.engine(l), load.Limits{
		MaxTime: settings.MaxTimePerRun, MaxRequests: uint64(settings.MaxRequestsPerRun), DrainTimeout: settings.DrainTimeout,
	}, load.Options{Begin: load.DefaultLead})
	if err != nil {
		return figures, err
	}
	collect, err := x.newCollector(x.runOf())
	if err != nil {
		return figures, err
	}
	defer collect.close()
	r := &oneRun{
		x: x, scenario: s, level: l, drive: drive, ahead: ahead, open: map[uint64]*metrics.Record{},
		fix:     x.plan.Backend.Can(backend.CanFixOutputLength),
		collect: collect, capped: settings.MaxConcurrency > 0 && (x.plan.loop() == openLoop || x.plan.loop() == replayLoop),
		aborts: x.plan.aborts(name), watch: stoprule.NewWatch(x.plan.StopRules),
	}
	r.talks = x.newTalks(name)
	if x.plan.Trace != nil {
		r.held = &held{maker: maker, items: map[uint64]prompt.Item{}}
	}
	collect.finished = r.finished
	begin := experiment.RunBegin{
		Scenario: s.Written, Level: l.Number(x.plan.Iteration), Rate: l.Rate, At: stamp.Now().Add(load.DefaultLead),
		Warmup: x.runOf().Warmup, Cooldown: x.runOf().Cooldown, Objectives: x.plan.Objectives,
	}
	if err := x.journal.Write(experiment.Entry{Begin: &begin}); err != nil {
		return figures, errors.Join(err, collect.finish())
	}
	x.display.StartRun(s.Written+" "+l.String(), settings.MaxTimePerRun, int(x.plan.requestsMax()))
	if r.talks == nil { // else the rate is that of conversations, not of requests
		x.display.Asked(l.Rate)
	}
	x.current.Store(r)
	unstop := x.onInterrupt(func() { drive.Stop(load.StopInterrupted); x.display.Draining() })
	var timeUp *time.Timer
	if settings.MaxTimePerRun > 0 {
		timeUp = time.AfterFunc(settings.MaxTimePerRun, x.display.Draining)
	}
	result, driveErr := drive.Drive(ctx, r)
	unstop()
	if timeUp != nil {
		timeUp.Stop()
	}
	r.abandon()
	x.current.Store(nil)
	if r.stopAfter != nil {
		r.stopAfter()
	}
	journalErr := r.collect.finish()
	x.display.EndRun()
	figures, err = x.save(r, result)
	switch {
	case err != nil:
		return figures, err
	case journalErr != nil:
		return figures, journalErr
	case r.prepared != nil:
		return figures, fmt.Errorf("a request could not be made: %w", r.prepared)
	case x.pool.Err() != nil:
		return figures, pluginFailure{x.pool.Err()}
	case driveErr != nil && ctx.Err() == nil:
		return figures, driveErr
	}
	return figures, nil
}

// awaitStore waits until so many requests are made that the run starts with a
// full store, and says so where that takes a while.
func (x *experimenter) awaitStore(ctx context.Context, run string, ahead *prompt.Ahead) error {
	stop := x.onInterrupt(ahead.Close)
	defer stop()
	note := time.AfterFunc(time.Second, func() {
		x.display.Note(run + ": making the first requests, so that sending need not wait for them")
	})
	defer note.Stop()
	if err := ahead.Ready(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, prompt.ErrClosed) {
		return err
	}
	return nil
}

// abandon records what never got an outcome, so that as many requests are in
// the results as were sent.
func (r *oneRun) abandon() {
	r.mu.Lock()
	left := r.open
	r.open = map[uint64]*metrics.Record{}
	r.mu.Unlock()
	for seq, record := range left {
		record.Outcome = abandoned(seq)
		r.collect.in <- record
	}
}
