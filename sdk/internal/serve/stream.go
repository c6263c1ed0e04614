package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/convert"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/internal/outbox"
	"github.com/genai-bench/genai-bench/sdk/internal/run"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Run implements the contract: requests in, outcomes out, until a drain has
// been answered or the host is gone.
func (s *Server) Run(stream pluginv1.BackendService_RunServer) error {
	opened, err := s.beginRun()
	if err != nil {
		return err
	}
	out := outbox.New(func(o any) error {
		switch message := o.(type) {
		case *backend.Outcome:
			return stream.Send(convert.OutcomeMessage(message))
		case backend.Progress:
			return stream.Send(&pluginv1.RunResponse{
				Message: &pluginv1.RunResponse_Progress{Progress: convert.ProgressToProto(message)},
			})
		}
		return nil
	})
	loop := run.New(context.WithoutCancel(stream.Context()), run.Options{
		Backend: opened,
		Outcome: func(o *backend.Outcome) { out.Put(o) },
		Panicked: func(seq uint64, value any, stack []byte) {
			s.logger.Error("the backend panicked", "in", "Do", "seq", seq, "panic", fmt.Sprint(value), "stack", string(stack))
		},
	})
	reader := &reader{stream: stream, loop: loop, out: out, blobs: make(map[uint64][]byte), done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- reader.read() }()

	defer close(reader.done)
	select {
	case <-loop.Drained():
	case err = <-ended:
		if err != nil {
			loop.Abandon("the host ended the run")
		} else {
			loop.Drain(-1)
		}
		<-loop.Drained()
	}
	s.endRun()
	out.Close() // sends what there is, unless sending has failed
	if err == nil {
		err = out.Err()
	}
	return err
}

func (s *Server) beginRun() (backend.Backend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.opened == nil:
		return nil, errNotOpen("Run")
	case s.running:
		return nil, status.Error(codes.FailedPrecondition, "a run is going on; the requests of the one before must have returned")
	}
	s.running = true
	return s.opened, nil
}

func (s *Server) endRun() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	s.idle.Broadcast()
}

// reader takes in what the host says. It never waits for a request.
type reader struct {
	stream pluginv1.BackendService_RunServer
	loop   *run.Loop
	out    *outbox.Outbox
	blobs  map[uint64][]byte
	done   chan struct{} // closed when the run is over
	ticks  bool          // progress is being reported
}

// read returns nil when the host has said all it has to say.
func (r *reader) read() error {
	for {
		message, err := r.stream.Recv()
		received := stamp.Now()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := r.take(message, received); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
}

func (r *reader) take(message *pluginv1.RunRequest, received stamp.Nanos) error {
	switch m := message.GetMessage().(type) {
	case *pluginv1.RunRequest_Start:
		request, err := convert.RequestFromProto(m.Start, r.blob)
		if err != nil {
			r.loop.Refuse(request.Seq, received, err)
			return nil
		}
		return r.loop.Start(request, received)
	case *pluginv1.RunRequest_Cancel:
		r.loop.Cancel(m.Cancel.GetSeq())
	case *pluginv1.RunRequest_Drain:
		within := time.Duration(-1)
		if at := m.Drain.GetDeadlineNs(); at != 0 {
			within = max(stamp.Nanos(at).Sub(received), 0)
		}
		r.loop.Drain(within)
	case *pluginv1.RunRequest_Blob:
		if data := m.Blob.GetData(); len(data) == 0 {
			delete(r.blobs, m.Blob.GetId())
		} else {
			r.blobs[m.Blob.GetId()] = data
		}
	case *pluginv1.RunRequest_Progress:
		if interval := time.Duration(m.Progress.GetIntervalNs()); interval > 0 && !r.ticks {
			r.ticks = true
			r.loop.CountEvents()
			go r.loop.Report(max(interval, limits.ProgressInterval), r.done, func(p backend.Progress) { r.out.Put(p) })
		}
	}
	return nil // what is not known here is an addition of a later minor version
}

func (r *reader) blob(id uint64) ([]byte, bool) {
	data, ok := r.blobs[id]
	return data, ok
}
