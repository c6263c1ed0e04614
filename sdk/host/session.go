package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/internal/outbox"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// RunOptions say where a session's results go. The functions are called one at
// a time, in the order in which things arrive; while one runs, what follows
// waits. They may call Start and Cancel, but not Drain.
type RunOptions struct {
	// Outcome takes the end of each request that was started.
	Outcome func(*backend.Outcome)
	// Progress, which may be nil, takes what happened since the call before,
	// every ProgressInterval (at least 100 ms) in which anything did.
	Progress         func(backend.Progress)
	ProgressInterval time.Duration

	// answerGrace shortens limits.AnswerGrace in tests.
	answerGrace time.Duration
}

// Errors of Start.
var (
	ErrSessionEnded = errors.New("the session has ended")
	ErrDraining     = errors.New("the session is draining")
	ErrSeqInUse     = errors.New("a request with this number is open")
)

// errGivenUp is the end of a session by its context.
var errGivenUp = errors.New("the host gave up the run")

// Session is one run of requests. Its methods are safe for concurrent use.
//
// For every Start that returned nil there is exactly one call of
// RunOptions.Outcome, whatever becomes of the plugin: where it dies, breaks the
// contract, or lets a request unanswered until 5 s past its timeout, the
// outcome is an error of class plugin.
type Session struct {
	options RunOptions
	logger  hclog.Logger
	link    link
	out     *outbox.Outbox
	shared  *shared

	mu       sync.Mutex
	open     map[uint64]time.Time // until when an answer is awaited; zero: for ever
	overdue  map[uint64]struct{}  // answered in the plugin's stead
	strays   int
	draining bool
	ended    bool
	err      error

	delivery sync.Mutex // held while an outcome is on its way to the caller
	done     chan struct{}
	watching chan struct{}
}

// link carries a session's messages to the backend. send is called from one
// goroutine; a *requestError concerns one request, any other error means that
// the link is broken, which its other side reports. end makes the link fall
// apart, and is called once.
type link interface {
	send(message any) error
	end()
}

// Messages that a link sends, besides *backend.Request.
type (
	cancelMessage   struct{ seq uint64 }
	drainMessage    struct{ deadline stamp.Nanos }
	progressMessage struct{ interval time.Duration }
	blobMessage     struct {
		id    uint64
		data  []byte // nil: the blob is dropped
		place memory
	}
)

// requestError is a request that cannot be sent.
type requestError struct{ reason error }

func (e *requestError) Error() string { return e.reason.Error() }

func newSession(options RunOptions, logger hclog.Logger) *Session {
	if options.answerGrace == 0 {
		options.answerGrace = limits.AnswerGrace
	}
	return &Session{
		options: options, logger: logger, shared: newShared(),
		open: make(map[uint64]time.Time), overdue: make(map[uint64]struct{}),
		done: make(chan struct{}), watching: make(chan struct{}),
	}
}

// begin starts the session's work over a link, until ctx ends.
func (s *Session) begin(ctx context.Context, l link) {
	s.link = l
	s.out = outbox.New(s.send)
	if s.options.Progress != nil {
		s.out.Put(progressMessage{max(s.options.ProgressInterval, limits.ProgressInterval)})
	}
	go s.watch(ctx)
}

func (s *Session) send(message any) error {
	err := s.link.send(message)
	var refused *requestError
	if request, ok := message.(*backend.Request); ok && errors.As(err, &refused) {
		s.deliver(&backend.Outcome{
			Seq: request.Seq, Status: backend.StatusError,
			Error:    fault.New(fault.InvalidRequest, "%v", refused.reason),
			Exchange: stamp.Exchange{Retransmits: -1},
		})
		return nil
	}
	return err
}

// Start hands a request over. It waits neither for the plugin to take it nor
// for its answer. The request must not be changed any more. Where it returns an
// error there is no outcome.
func (s *Session) Start(request *backend.Request) error {
	var until time.Time
	if request.Timeout > 0 {
		wait := request.Timeout + s.options.answerGrace
		if request.StartAt != 0 {
			wait += max(request.StartAt.Sub(stamp.Now()), 0)
		}
		until = time.Now().Add(wait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, inUse := s.open[request.Seq]
	switch {
	case s.ended:
		return ErrSessionEnded
	case s.draining:
		return ErrDraining
	case inUse:
		return fmt.Errorf("request %d: %w", request.Seq, ErrSeqInUse)
	}
	s.open[request.Seq] = until
	s.out.Put(request)
	return nil
}

// Cancel asks the plugin to end a request soon. Its outcome comes as ever. A
// number that is not open is ignored.
func (s *Session) Cancel(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[seq]; ok {
		s.out.Put(cancelMessage{seq})
	}
}

// ShareText sends a text to the plugin once. Message parts of later requests
// whose text is this very string (the same memory) are sent as a reference.
func (s *Session) ShareText(text string) { s.share(s.shared.addText(text)) }

// ShareImage is ShareText for an image's bytes.
func (s *Session) ShareImage(image []byte) { s.share(s.shared.addImage(image)) }

// Unshare drops everything shared, here and in the plugin. Requests that were
// started before keep what they refer to.
func (s *Session) Unshare() {
	for _, drop := range s.shared.clear() {
		s.out.Put(drop)
	}
}

func (s *Session) share(id uint64, data []byte) {
	if id != 0 {
		s.out.Put(blobMessage{id, data, memoryOf(data)})
	}
}

// Drain lets no more requests in, waits until all have been answered, and has
// what is still open after a time cancelled. It returns 5 s after that at the
// latest, or when ctx ends; what is open then gets its outcome before Drain
// returns. The error is Err's. It may be called more than once.
func (s *Session) Drain(ctx context.Context, within time.Duration) error {
	s.mu.Lock()
	if !s.draining && !s.ended {
		s.draining = true
		s.out.Put(drainMessage{stamp.Now().Add(within)})
	}
	s.mu.Unlock()
	timer := time.NewTimer(within + limits.DrainGrace)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.abort(errGivenUp)
	case <-timer.C:
		s.abort(fmt.Errorf("the plugin did not end the run within %s after the drain's deadline", limits.DrainGrace))
	}
	<-s.done
	return s.Err()
}

// Done is closed when the session has ended and every outcome was delivered.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session ended: nil while it goes on, and after a drain that
// the plugin has answered.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Strays counts the outcomes that no request was waiting for: a plugin that
// answers twice, or what was not asked. Answers that came too late are none.
func (s *Session) Strays() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strays
}

// deliver passes an outcome on, if its request is open.
func (s *Session) deliver(o *backend.Outcome) {
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.mu.Lock()
	_, open := s.open[o.Seq]
	if !open {
		s.stray(o.Seq)
		s.mu.Unlock()
		return
	}
	delete(s.open, o.Seq)
	s.mu.Unlock()
	s.options.Outcome(o)
}

// stray takes note of an outcome without a request. With s.mu held.
func (s *Session) stray(seq uint64) {
	if _, late := s.overdue[seq]; late {
		delete(s.overdue, seq)
		return
	}
	if s.ended {
		return
	}
	s.strays++
	const told = 5
	if s.strays <= told {
		s.logger.Warn("the plugin answered a request that is not open", "seq", seq)
	}
}

func (s *Session) progress(p backend.Progress) {
	if s.options.Progress == nil {
		return
	}
	s.delivery.Lock()
	defer s.delivery.Unlock()
	s.options.Progress(p)
}

// watch answers in the plugin's stead what it leaves unanswered.
func (s *Session) watch(ctx context.Context) {
	defer close(s.watching)
	ticker := time.NewTicker(min(s.options.answerGrace/4, 250*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			go s.abort(errGivenUp) // it waits for this goroutine
			<-s.done
			return
		case now := <-ticker.C:
			for _, seq := range s.expire(now) {
				s.deliver(pluginFailed(seq, "the plugin left the request unanswered until %s past its timeout", s.options.answerGrace))
			}
		}
	}
}

// expire returns what should have been answered, and has the plugin cancel it.
func (s *Session) expire(now time.Time) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var late []uint64
	for seq, until := range s.open {
		if !until.IsZero() && now.After(until) {
			late = append(late, seq)
			s.overdue[seq] = struct{}{}
			s.out.Put(cancelMessage{seq})
		}
	}
	slices.Sort(late)
	return late
}

// abort ends the session from this side.
func (s *Session) abort(why error) { s.finish(why) }

// finish ends the session: by the link's other side (nil: as agreed), or by
// ours. What is open gets its outcome. Only the first call counts; all return
// when the session has ended.
func (s *Session) finish(why error) {
	s.delivery.Lock()
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		s.delivery.Unlock()
		<-s.done
		return
	}
	s.ended = true
	open := slices.Sorted(maps.Keys(s.open))
	clear(s.open)
	if why == nil && (len(open) > 0 || !s.draining) {
		why = fmt.Errorf("the plugin ended the run with %d requests unanswered", len(open))
	}
	s.err = why
	s.mu.Unlock()
	for _, seq := range open {
		s.options.Outcome(leftOver(seq, why))
	}
	s.delivery.Unlock()
	s.link.end()
	s.out.Close()
	close(s.done)
	<-s.watching
}

// leftOver is the outcome of a request that was open at the end.
func leftOver(seq uint64, why error) *backend.Outcome {
	if !errors.Is(why, errGivenUp) {
		return pluginFailed(seq, "%v", why)
	}
	return &backend.Outcome{
		Seq: seq, Status: backend.StatusCancelled, Error: fault.New(fault.Cancelled, "%v", why),
		Exchange: stamp.Exchange{Retransmits: -1},
	}
}

func pluginFailed(seq uint64, format string, args ...any) *backend.Outcome {
	return &backend.Outcome{
		Seq: seq, Status: backend.StatusError, Error: fault.New(fault.Plugin, format, args...),
		Exchange: stamp.Exchange{Retransmits: -1},
	}
}
