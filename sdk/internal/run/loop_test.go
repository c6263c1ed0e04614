package run

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// doer is a backend of one function.
type doer func(ctx context.Context, r *backend.Request, rec *backend.Recorder)

func (doer) Describe() backend.Description { return backend.Description{} }
func (doer) Open(context.Context, backend.Config) (backend.Opened, error) {
	return backend.Opened{}, nil
}
func (doer) Close(context.Context) error                                         { return nil }
func (d doer) Do(ctx context.Context, r *backend.Request, rec *backend.Recorder) { d(ctx, r, rec) }

type book struct {
	mu  sync.Mutex
	all map[uint64][]*backend.Outcome
}

func (b *book) take(o *backend.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = make(map[uint64][]*backend.Outcome)
	}
	b.all[o.Seq] = append(b.all[o.Seq], o)
}

// TestHowRequestsEnd: the outcome says truly why, whatever Do leaves unsaid.
func TestHowRequestsEnd(t *testing.T) {
	untilEnd := func(class fault.Class) doer {
		return func(ctx context.Context, _ *backend.Request, rec *backend.Recorder) {
			<-ctx.Done()
			if class != 0 {
				rec.Fail(fault.New(class, "%v", ctx.Err()))
			}
		}
	}
	answered := stamp.Exchange{LastByte: 5}
	for name, test := range map[string]struct {
		do      doer
		request backend.Request
		act     func(l *Loop)
		status  backend.Status
		class   fault.Class
		says    string
		after   time.Duration // at least
	}{
		"success": {do: func(_ context.Context, _ *backend.Request, rec *backend.Recorder) { rec.Exchange(answered) }, status: backend.StatusOK},
		"failure": {
			do: func(_ context.Context, _ *backend.Request, rec *backend.Recorder) {
				rec.Fail(fault.New(fault.Auth, "no"))
			},
			status: backend.StatusError, class: fault.Auth, says: "no",
		},
		"timeout, said to be a cancellation": {
			do: untilEnd(fault.Cancelled), request: backend.Request{Timeout: time.Second},
			status: backend.StatusError, class: fault.TimeoutTotal, after: time.Second,
		},
		"timeout, said to be one of headers": {
			do: untilEnd(fault.TimeoutHeaders), request: backend.Request{Timeout: time.Second},
			status: backend.StatusError, class: fault.TimeoutHeaders, after: time.Second,
		},
		"timeout in silence": {
			do: untilEnd(0), request: backend.Request{Timeout: time.Second},
			status: backend.StatusError, class: fault.TimeoutTotal, says: "timeout of 1s", after: time.Second,
		},
		"timeout counts from the start time": {
			do: untilEnd(0), request: backend.Request{Timeout: time.Second, StartAt: stamp.Nanos(10 * time.Second)},
			status: backend.StatusError, class: fault.TimeoutTotal, after: 11 * time.Second,
		},
		"answered in full as the time ran out": {
			do: func(ctx context.Context, _ *backend.Request, rec *backend.Recorder) {
				<-ctx.Done()
				rec.Exchange(answered)
			},
			request: backend.Request{Timeout: time.Second}, status: backend.StatusOK, after: time.Second,
		},
		"cancel": {
			do: untilEnd(fault.Connect), act: func(l *Loop) { l.Cancel(1) },
			status: backend.StatusCancelled, class: fault.Cancelled,
		},
		"cancel in silence": {
			do: untilEnd(0), act: func(l *Loop) { l.Cancel(1) },
			status: backend.StatusCancelled, class: fault.Cancelled, says: "by the host",
		},
		"drain deadline": {
			do: untilEnd(0), act: func(l *Loop) { l.Drain(time.Minute) },
			status: backend.StatusCancelled, class: fault.Cancelled, says: "end of the drain", after: time.Minute,
		},
		"host gone": {
			do: untilEnd(0), act: func(l *Loop) { l.Abandon("gone") },
			status: backend.StatusCancelled, class: fault.Cancelled, says: "gone",
		},
		"abort after a time": {
			do: untilEnd(fault.Connect), request: backend.Request{Abort: backend.Abort{After: time.Second}},
			status: backend.StatusAborted, class: fault.Cancelled, after: time.Second,
		},
		"abort after events": {
			do: func(ctx context.Context, _ *backend.Request, rec *backend.Recorder) {
				for ctx.Err() == nil {
					rec.Event(backend.Text, 0, stamp.Arrival{}, 0, backend.EventText{})
				}
			},
			request: backend.Request{Abort: backend.Abort{AfterEvents: 3}}, status: backend.StatusAborted, class: fault.Cancelled,
		},
		"panic": {
			do:     func(context.Context, *backend.Request, *backend.Recorder) { panic("oh no") },
			status: backend.StatusError, class: fault.Plugin, says: "panic: oh no",
		},
		"panic after a failure": {
			do: func(_ context.Context, _ *backend.Request, rec *backend.Recorder) {
				rec.Fail(fault.New(fault.Auth, "no"))
				panic(errors.New("oh no"))
			},
			status: backend.StatusError, class: fault.Plugin, says: "panic: oh no",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b book
				l := New(t.Context(), Options{Backend: test.do, Outcome: b.take})
				begun := time.Now()
				request := test.request
				request.Seq = 1
				if err := l.Start(&request, 0); err != nil {
					t.Fatal(err)
				}
				if test.act != nil {
					synctest.Wait()
					test.act(l)
				}
				l.Drain(time.Hour)
				<-l.Drained()
				if len(b.all[1]) != 1 {
					t.Fatalf("%d outcomes", len(b.all[1]))
				}
				o := b.all[1][0]
				if o.Status != test.status {
					t.Errorf("status %v, want %v", o.Status, test.status)
				}
				if test.class != 0 && (o.Error == nil || o.Error.Class != test.class || !strings.Contains(o.Error.Message, test.says)) {
					t.Errorf("error %v, want class %v, %q", o.Error, test.class, test.says)
				}
				if took := time.Since(begun); took < test.after || took > test.after+time.Millisecond {
					t.Errorf("took %s, want %s", took, test.after)
				}
			})
		})
	}
}

func TestBrokenHosts(t *testing.T) {
	var b book
	release := make(chan struct{})
	l := New(t.Context(), Options{Outcome: b.take, Backend: doer(func(context.Context, *backend.Request, *backend.Recorder) { <-release })})
	if err := l.Start(&backend.Request{Seq: 1}, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(&backend.Request{Seq: 1}, 0); !errors.Is(err, ErrSeqInUse) {
		t.Errorf("twice: %v", err)
	}
	l.Drain(-1)
	l.Drain(0) // the first counts
	if err := l.Start(&backend.Request{Seq: 2}, 0); !errors.Is(err, ErrDraining) {
		t.Errorf("after the drain: %v", err)
	}
	select {
	case <-l.Drained():
		t.Error("drained with a request open")
	default:
	}
	close(release)
	<-l.Drained()
	if len(b.all) != 1 || b.all[1][0].Status != backend.StatusOK {
		t.Errorf("%+v", b.all)
	}
}

func TestProgress(t *testing.T) {
	var b book
	step := make(chan struct{})
	l := New(t.Context(), Options{Outcome: b.take, Backend: doer(func(_ context.Context, _ *backend.Request, rec *backend.Recorder) {
		for _, kinds := range []backend.Kinds{backend.Role, backend.Text, backend.Reasoning | backend.UsageReport} {
			rec.Event(kinds, 0, stamp.Arrival{}, 0, backend.EventText{})
		}
		step <- struct{}{}
		<-step
	})})
	l.CountEvents()
	if err := l.Start(&backend.Request{Seq: 1}, 0); err != nil {
		t.Fatal(err)
	}
	l.Refuse(2, 0, errors.New("odd"))
	<-step
	if got, want := l.Progress(), (backend.Progress{Started: 2, FirstOutputs: 1, Finished: 1, Failed: 1, InFlight: 1, OutputEvents: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	step <- struct{}{}
	l.Drain(-1)
	<-l.Drained()
	if got, want := l.Progress(), (backend.Progress{Finished: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
