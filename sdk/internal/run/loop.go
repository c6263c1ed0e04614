// Package run keeps the requests that are in a backend's hands: it starts each
// in a goroutine of its own, bounds and cancels it, survives its panics, and
// gives out exactly one outcome for it.
package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Options configure a Loop.
type Options struct {
	Backend backend.Backend
	// Outcome takes the end of each request. It is called once per Start, from
	// many goroutines at a time, and must not wait for anything slow.
	Outcome func(*backend.Outcome)
	// Panicked, which may be nil, is told of a Do that panicked.
	Panicked func(seq uint64, value any, stack []byte)
}

// Loop is one run. It is safe for concurrent use.
type Loop struct {
	options Options
	ctx     context.Context
	abandon context.CancelCauseFunc

	mu          sync.Mutex
	open        map[uint64]context.CancelCauseFunc
	outstanding int // requests whose outcome has not been handed over
	draining    bool
	deadline    *time.Timer
	drained     chan struct{} // closed when draining and nothing is outstanding

	started, firstOutputs, finished, failed atomic.Uint32
	outputEvents                            atomic.Uint64
	counting                                atomic.Bool
}

// cause is why a request's context ended; as errors it is one of context's.
type cause struct {
	text string
	is   error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.is }

func timedOut(after time.Duration) error {
	return &cause{fmt.Sprintf("no end within the request's timeout of %s", after), context.DeadlineExceeded}
}

func cancelled(text string) error { return &cause{text, context.Canceled} }

// New starts a run. The end of ctx cancels all of its requests.
func New(ctx context.Context, options Options) *Loop {
	ctx, abandon := context.WithCancelCause(ctx)
	return &Loop{
		options: options, ctx: ctx, abandon: abandon,
		open: make(map[uint64]context.CancelCauseFunc), drained: make(chan struct{}),
	}
}

// Errors of Start: the host is broken.
var (
	ErrDraining = errors.New("a request was started after the drain")
	ErrSeqInUse = errors.New("a request was started twice")
)

// Start begins a request that was received at a moment. It returns at once.
func (l *Loop) Start(request *backend.Request, received stamp.Nanos) error {
	ctx, cancel, err := l.admit(request, received)
	if err != nil {
		return err
	}
	go l.do(ctx, cancel, request, received)
	return nil
}

// Refuse answers a request that cannot be started.
func (l *Loop) Refuse(seq uint64, received stamp.Nanos, reason error) {
	l.started.Add(1)
	l.finished.Add(1)
	l.failed.Add(1)
	l.options.Outcome(&backend.Outcome{
		Seq: seq, Status: backend.StatusError, Received: received,
		Error:    fault.New(fault.InvalidRequest, "%v", reason),
		Exchange: stamp.Exchange{Retransmits: -1},
	})
}

func (l *Loop) admit(request *backend.Request, received stamp.Nanos) (context.Context, context.CancelCauseFunc, error) {
	ctx, stop := l.ctx, context.CancelFunc(func() {})
	if request.Timeout > 0 {
		ahead := max(request.StartAt.Sub(received), 0)
		ctx, stop = context.WithDeadlineCause(ctx, time.Now().Add(ahead+request.Timeout), timedOut(request.Timeout))
	}
	ctx, cancelCause := context.WithCancelCause(ctx)
	cancel := func(why error) { cancelCause(why); stop() }

	l.mu.Lock()
	defer l.mu.Unlock()
	_, used := l.open[request.Seq]
	switch {
	case l.draining:
		cancel(ErrDraining)
		return nil, nil, fmt.Errorf("seq %d: %w", request.Seq, ErrDraining)
	case used:
		cancel(ErrSeqInUse)
		return nil, nil, fmt.Errorf("seq %d: %w", request.Seq, ErrSeqInUse)
	}
	l.open[request.Seq] = cancel
	l.outstanding++
	l.started.Add(1)
	return ctx, cancel, nil
}

// do runs one request to its outcome, whatever the backend does.
func (l *Loop) do(ctx context.Context, cancel context.CancelCauseFunc, request *backend.Request, received stamp.Nanos) {
	recorder := backend.NewRecorder(request, received, l.counter(), cancel)
	var abort *time.Timer
	if request.Abort.After > 0 {
		ahead := max(request.StartAt.Sub(received), 0)
		abort = time.AfterFunc(ahead+request.Abort.After, func() { cancel(backend.ErrAborted) })
	}
	returned := false
	defer func() {
		// Not only for panics: Do may also have ended its goroutine
		// (runtime.Goexit, which t.FailNow calls), and then nothing recovers.
		value := recover()
		if abort != nil {
			abort.Stop()
		}
		outcome := l.outcome(ctx, recorder)
		if !returned {
			l.broke(outcome, value)
		}
		cancel(context.Canceled)
		l.end(outcome)
	}()
	l.options.Backend.Do(ctx, request, recorder)
	returned = true
}

// outcome is the recorder's, with what a backend that was stopped left unsaid.
func (l *Loop) outcome(ctx context.Context, recorder *backend.Recorder) *backend.Outcome {
	o := recorder.Outcome(ctx)
	why := context.Cause(ctx)
	if why == nil || o.Status == backend.StatusAborted {
		return o
	}
	if o.Status == backend.StatusOK && o.LastByte == 0 {
		// Do returned because its context ended, without recording a failure.
		o.Status, o.Error = backend.StatusError, fault.New(fault.Cancelled, "%v", why)
		o.Error.Partial = len(o.Events) > 0
	}
	if o.Status != backend.StatusError {
		return o
	}
	switch class := &o.Error.Class; {
	case errors.Is(why, context.DeadlineExceeded):
		if *class == fault.Cancelled || *class == fault.Unspecified {
			*class = fault.TimeoutTotal
		}
	case errors.Is(why, context.Canceled):
		o.Status, *class = backend.StatusCancelled, fault.Cancelled
	}
	return o
}

func (l *Loop) broke(o *backend.Outcome, value any) {
	what := "Do ended its goroutine instead of returning"
	if value != nil {
		what = fmt.Sprintf("panic: %v", value)
	}
	o.Status = backend.StatusError
	o.Error = fault.New(fault.Plugin, "%s", what)
	o.Error.Hint = "this is a defect of the plugin; its log has the stack"
	o.Error.Partial = len(o.Events) > 0
	if l.options.Panicked != nil {
		l.options.Panicked(o.Seq, value, debug.Stack())
	}
}

func (l *Loop) end(o *backend.Outcome) {
	l.finished.Add(1)
	if o.Status != backend.StatusOK {
		l.failed.Add(1)
	}
	// Out of the book before the outcome is out: the host may use the number
	// again as soon as it has the outcome.
	l.mu.Lock()
	delete(l.open, o.Seq)
	l.mu.Unlock()

	l.options.Outcome(o)

	l.mu.Lock()
	l.outstanding--
	l.checkDrained()
	l.mu.Unlock()
}

func (l *Loop) checkDrained() {
	if l.draining && l.outstanding == 0 {
		if l.deadline != nil {
			l.deadline.Stop()
		}
		close(l.drained)
	}
}

// CountEvents makes Progress count first outputs and output events of the
// requests that start from now on. It costs something per event.
func (l *Loop) CountEvents() { l.counting.Store(true) }

// counter returns what a recorder tells of each event, or nil.
func (l *Loop) counter() func(backend.Kinds) {
	if !l.counting.Load() {
		return nil
	}
	first := true
	return func(kinds backend.Kinds) {
		if kinds&backend.Output == 0 {
			return
		}
		l.outputEvents.Add(1)
		if first {
			first = false
			l.firstOutputs.Add(1)
		}
	}
}

// Cancel ends a request. A number that is not open is none too many: its
// outcome is on the way.
func (l *Loop) Cancel(seq uint64) {
	l.mu.Lock()
	cancel := l.open[seq]
	l.mu.Unlock()
	if cancel != nil {
		cancel(cancelled("cancelled by the host"))
	}
}

// Drain lets no more requests in, and cancels what is still open after a time
// (negative: never). Drained is closed when all have been answered.
func (l *Loop) Drain(within time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining {
		return
	}
	l.draining = true
	if within >= 0 {
		l.deadline = time.AfterFunc(within, func() { l.abandon(cancelled("cancelled at the end of the drain")) })
	}
	l.checkDrained()
}

// Drained is closed when Drain was called and the last outcome has been handed
// over.
func (l *Loop) Drained() <-chan struct{} { return l.drained }

// Abandon cancels everything: the host is gone or has given up. It lets no more
// requests in; Drained tells when all have returned.
func (l *Loop) Abandon(why string) {
	l.abandon(cancelled(why))
	l.Drain(-1)
}

// Progress returns what happened since the call before.
func (l *Loop) Progress() backend.Progress {
	l.mu.Lock()
	inFlight := len(l.open)
	l.mu.Unlock()
	return backend.Progress{
		Started: l.started.Swap(0), FirstOutputs: l.firstOutputs.Swap(0),
		Finished: l.finished.Swap(0), Failed: l.failed.Swap(0),
		InFlight: uint32(inFlight), OutputEvents: l.outputEvents.Swap(0),
	}
}

// Report gives out progress at intervals in which there was any, until done is
// closed.
func (l *Loop) Report(interval time.Duration, done <-chan struct{}, put func(backend.Progress)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last backend.Progress
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		progress := l.Progress()
		if progress != last || progress.Started+progress.Finished != 0 || progress.OutputEvents != 0 {
			put(progress)
		}
		last = progress
	}
}
