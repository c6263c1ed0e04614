// Package workers keeps the plugin processes of an experiment and the requests
// in their hands.
//
// A pool is N processes of one plugin with one configuration, each told its
// index. A process that dies is replaced: what it had in hand becomes recorded
// errors of class plugin, and requests that come while its successor starts
// wait for that one, so that a crash costs its in-flight requests and nothing
// else. A pool gives up after RestartsMax replacements.
package workers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/host"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// RestartsMax is how many crashes of plugin processes an experiment survives.
// A plugin that dies more often is broken, and an experiment that goes on
// would measure its restarts.
const RestartsMax = 5

// closeGrace bounds how long a process may take to drain and close at the end
// of an experiment.
const closeGrace = 10 * time.Second

// Options configure a pool.
type Options struct {
	// Launch starts one process; host.Launch with its options is the real one.
	// packets is what the process inherits (host.Options.Packets), nil for none;
	// the pool closes it.
	Launch    func(ctx context.Context, packets *os.File) (host.Runner, error)
	Component string // the backend's name
	Config    backend.Config
	Count     int // processes; at least 1
	Logger    hclog.Logger
	// Outcome is told of every request's end, exactly once for each Start that
	// returned nil. It is called from one goroutine per worker, so it may be
	// called concurrently by several.
	Outcome func(worker int, outcome *backend.Outcome)
}

// Pool is the open processes. Its methods are safe for concurrent use.
type Pool struct {
	o       Options
	workers []*worker
	capture capture
	next    atomic.Uint64
	crashes atomic.Int32

	closing context.Context // done once Close has begun
	stop    context.CancelFunc
	tending sync.WaitGroup

	shareMu sync.Mutex
	shared  share

	mu     sync.Mutex
	sticky map[string]int // worker by ConnectionKey
	broken error
	dead   chan struct{} // closed when broken is set
}

type worker struct {
	index int
	pool  *Pool

	mu      sync.Mutex
	process host.Runner
	session *host.Session // nil while a successor is starting
	waiting []*backend.Request
	open    map[uint64]struct{} // in the hands of the session
}

// Open starts and opens the processes. The description of problems of the
// configuration is in the Opened of the first; where it failed there is no
// pool and no error, because the user's mistakes are the caller's to word.
func Open(ctx context.Context, o Options) (*Pool, backend.Opened, error) {
	o.Count = max(o.Count, 1)
	closing, stop := context.WithCancel(context.Background())
	p := &Pool{o: o, closing: closing, stop: stop, dead: make(chan struct{}), sticky: map[string]int{}}
	p.capture = newCapture(o.Config.Clock, o.Count)
	if p.capture.refused != nil && o.Config.Clock == backend.ClockPacket {
		p.Close()
		return nil, backend.Opened{Problems: []option.Problem{p.capture.problem()}}, nil
	}
	var first backend.Opened
	for i := range o.Count {
		w := &worker{index: i, pool: p, open: map[uint64]struct{}{}}
		opened, err := w.launch(ctx)
		if err != nil || opened.Failed() {
			p.Close()
			return nil, opened, err
		}
		if i == 0 {
			first = opened
			if p.capture.refused != nil && first.Clock == stamp.ClockSocket && first.ClockNote == "" {
				first.ClockNote = p.capture.note()
			}
		}
		p.workers = append(p.workers, w)
		p.tending.Go(w.tend)
	}
	return p, first, nil
}

// launch starts a process, opens it and begins its session.
func (w *worker) launch(ctx context.Context) (backend.Opened, error) {
	o := w.pool.o
	config := o.Config
	config.WorkerIndex, config.WorkerCount = w.index, o.Count
	packets, firstPort, lastPort, err := w.pool.capture.open(w.index)
	if err != nil && config.Clock == backend.ClockPacket {
		return backend.Opened{}, fmt.Errorf("no packet socket for worker %d: %w", w.index, err)
	}
	if err != nil { // its records say which clock they have
		o.Logger.Warn("a worker has no packet clock", "worker", w.index, "error", err)
		packets = nil
	}
	if packets != nil {
		defer packets.Close() // the process has its own
		config.LocalPortFirst, config.LocalPortLast = firstPort, lastPort
	}
	process, err := o.Launch(ctx, packets)
	if err != nil {
		return backend.Opened{}, err
	}
	opened, err := process.Open(ctx, o.Component, config)
	if err != nil || opened.Failed() {
		process.Kill()
		return opened, err
	}
	session, err := process.Run(ctx, host.RunOptions{Outcome: w.outcome})
	if err != nil {
		process.Kill()
		return opened, err
	}
	w.pool.shareWith(session)
	w.mu.Lock()
	w.process = process
	waiting := w.waiting
	w.waiting, w.session = nil, session
	for _, r := range waiting {
		w.open[r.Seq] = struct{}{}
	}
	w.mu.Unlock()
	for _, r := range waiting {
		if err := session.Start(r); err != nil {
			w.outcome(unsent(r, err))
		}
	}
	return opened, nil
}

// outcome passes an outcome on, once.
func (w *worker) outcome(o *backend.Outcome) {
	w.mu.Lock()
	_, ours := w.open[o.Seq]
	delete(w.open, o.Seq)
	w.mu.Unlock()
	if ours {
		w.pool.o.Outcome(w.index, o)
	}
}

// unsent is the outcome of a request that never reached a plugin.
func unsent(r *backend.Request, why error) *backend.Outcome {
	return &backend.Outcome{
		Seq: r.Seq, Status: backend.StatusError,
		Error: &fault.Error{Class: fault.Plugin, Message: fault.Clip(why.Error()), Hint: "see the experiment's log for the plugin's last words"},
	}
}

// tend watches a worker's process and replaces it when it dies.
func (w *worker) tend() {
	for {
		w.mu.Lock()
		session, process := w.session, w.process
		w.mu.Unlock()
		select {
		case <-w.pool.closing.Done():
			return
		case <-session.Done():
		}
		if w.pool.closing.Err() != nil {
			return
		}
		w.mu.Lock()
		w.session = nil
		w.mu.Unlock()
		process.Kill()
		if !w.replace(session.Err()) {
			return
		}
	}
}

// replace starts a successor for a process that died of cause; one that dies
// while it is being opened counts like any other. It returns false where the
// pool has given up or is closing.
func (w *worker) replace(cause error) bool {
	for {
		w.pool.o.Logger.Error("plugin process died", "worker", w.index, "cause", cause)
		if n := int(w.pool.crashes.Add(1)); n > RestartsMax {
			w.giveUp(fmt.Errorf("plugin process died %d times: %w (its last words are in the experiment's log)", n, cause))
			return false
		}
		opened, err := w.launch(w.pool.closing)
		switch {
		case w.pool.closing.Err() != nil:
			return false
		case err == nil && !opened.Failed():
			return true
		case err == nil:
			err = errors.New("the configuration that was good before is refused now")
		}
		cause = fmt.Errorf("no successor: %w", err)
	}
}

// giveUp marks the pool as broken; what waits becomes errors.
func (w *worker) giveUp(err error) {
	w.pool.mu.Lock()
	if w.pool.broken == nil {
		w.pool.broken = err
		close(w.pool.dead)
	}
	w.pool.mu.Unlock()
	w.mu.Lock()
	waiting := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, r := range waiting {
		w.pool.o.Outcome(w.index, unsent(r, err))
	}
}

// workerOf is the worker of a request: of those with a connection of their own
// always the same, else the next in turn.
func (p *Pool) workerOf(r *backend.Request) *worker {
	next := func() int { return int((p.next.Add(1) - 1) % uint64(len(p.workers))) }
	if r.ConnectionKey == "" || len(p.workers) == 1 {
		return p.workers[next()]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w, known := p.sticky[r.ConnectionKey]
	if !known {
		w = next()
		p.sticky[r.ConnectionKey] = w
	}
	return p.workers[w]
}

// Start hands a request to a worker, in turn; those of one ConnectionKey all go
// to one. It does not wait for anything:
// where the worker's process is being replaced, the request waits for the
// successor. Where the pool has given up, the error says why and there is no
// outcome.
func (p *Pool) Start(r *backend.Request) error {
	w := p.workerOf(r)
	if err := p.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	session := w.session
	if session == nil {
		w.waiting = append(w.waiting, r)
		w.mu.Unlock()
		if err := p.Err(); err != nil { // gave up in between
			w.giveUp(err)
		}
		return nil
	}
	w.open[r.Seq] = struct{}{}
	w.mu.Unlock()
	if err := session.Start(r); err != nil {
		w.refused(session, r, err)
	}
	return nil
}

// refused deals with a request that a session would not take. Where that is
// because its process has just died, the request waits for the successor.
func (w *worker) refused(session *host.Session, r *backend.Request, why error) {
	if !errors.Is(why, host.ErrSessionEnded) {
		w.outcome(unsent(r, why))
		return
	}
	w.mu.Lock()
	delete(w.open, r.Seq)
	successor := w.session
	if successor == session || successor == nil {
		w.waiting = append(w.waiting, r)
		w.mu.Unlock()
		if err := w.pool.Err(); err != nil {
			w.giveUp(err)
		}
		return
	}
	w.open[r.Seq] = struct{}{}
	w.mu.Unlock()
	if err := successor.Start(r); err != nil {
		w.outcome(unsent(r, err))
	}
}

// CancelAll cancels every request that has no outcome yet; their outcomes come
// as those of any other.
func (p *Pool) CancelAll() {
	for _, w := range p.workers {
		w.mu.Lock()
		session, waiting := w.session, w.waiting
		w.waiting = nil
		seqs := make([]uint64, 0, len(w.open))
		for seq := range w.open {
			seqs = append(seqs, seq)
		}
		w.mu.Unlock()
		for _, r := range waiting {
			o := unsent(r, errors.New("cancelled before a plugin process was there to take it"))
			o.Status, o.Error.Class = backend.StatusCancelled, fault.Cancelled
			p.o.Outcome(w.index, o)
		}
		if session == nil {
			continue
		}
		for _, seq := range seqs {
			session.Cancel(seq)
		}
	}
}

// Probe asks the first worker's backend whether it would work. It reports
// whether the backend can be asked at all.
func (p *Pool) Probe(ctx context.Context) (backend.Probe, error) {
	w := p.workers[0]
	w.mu.Lock()
	process := w.process
	w.mu.Unlock()
	return process.Probe(ctx)
}

// PIDs are the process ids of the workers, in order of their index.
func (p *Pool) PIDs() []int {
	var pids []int
	for _, w := range p.workers {
		w.mu.Lock()
		pids = append(pids, w.process.Pid())
		w.mu.Unlock()
	}
	return pids
}

// Crashes is how many processes died so far.
func (p *Pool) Crashes() int { return int(p.crashes.Load()) }

// Dead is closed when the pool has given up; Err then says why.
func (p *Pool) Dead() <-chan struct{} { return p.dead }

// Err is why the pool gave up, nil where it did not.
func (p *Pool) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// Close drains and ends all processes, within a bounded time. It is safe to
// call twice.
func (p *Pool) Close() {
	p.stop()
	p.tending.Wait()
	var wg sync.WaitGroup
	for _, w := range p.workers {
		wg.Go(func() {
			w.mu.Lock()
			session, process := w.session, w.process
			w.mu.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
			defer cancel()
			if session != nil {
				if err := session.Drain(ctx, closeGrace/2); err != nil {
					p.o.Logger.Debug("plugin did not drain", "worker", w.index, "cause", err)
				}
			}
			if process != nil {
				if err := process.Close(ctx); err != nil {
					p.o.Logger.Debug("plugin did not close", "worker", w.index, "cause", err)
				}
			}
		})
	}
	wg.Wait()
}
