package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/convert"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// wire is the link over gRPC.
type wire struct {
	stream pluginv1.BackendService_RunClient
	shared *shared
	cancel context.CancelFunc
}

// run begins a session over the connection.
func (r *remote) run(ctx context.Context, options RunOptions) (*Session, error) {
	streamContext, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// Opening a stream waits for the connection, not for the plugin; both
	// should be there.
	late := time.AfterFunc(limits.Start, cancel)
	stream, err := pluginv1.NewBackendServiceClient(r.conn).Run(streamContext)
	if !late.Stop() || err != nil {
		cancel()
		if err == nil {
			err = context.DeadlineExceeded
		}
		return nil, r.failed("Run", err)
	}
	s := newSession(options, r.log.logger)
	s.begin(ctx, &wire{stream: stream, shared: s.shared, cancel: cancel})
	go r.receive(streamContext, s, stream)
	return s, nil
}

func (w *wire) end() { w.cancel() }

func (w *wire) send(message any) error {
	switch m := message.(type) {
	case *backend.Request:
		start, err := convert.StartMessage(m, w.shared)
		if err != nil {
			return &requestError{err}
		}
		return w.stream.Send(start)
	case cancelMessage:
		return w.stream.Send(&pluginv1.RunRequest{
			Message: &pluginv1.RunRequest_Cancel{Cancel: &pluginv1.Cancel{Seq: m.seq}}})
	case drainMessage:
		return w.stream.Send(&pluginv1.RunRequest{
			Message: &pluginv1.RunRequest_Drain{Drain: &pluginv1.Drain{DeadlineNs: int64(m.deadline)}}})
	case progressMessage:
		return w.stream.Send(&pluginv1.RunRequest{
			Message: &pluginv1.RunRequest_Progress{Progress: &pluginv1.ProgressOptions{IntervalNs: int64(m.interval)}}})
	case blobMessage:
		w.shared.passed(m)
		return w.stream.Send(&pluginv1.RunRequest{
			Message: &pluginv1.RunRequest_Blob{Blob: &pluginv1.Blob{Id: m.id, Data: m.data}}})
	}
	return fmt.Errorf("no such message: %T", message)
}

// receive passes on what the plugin says until the stream ends.
func (r *remote) receive(ctx context.Context, s *Session, stream pluginv1.BackendService_RunClient) {
	for {
		answer, err := stream.Recv()
		if err != nil {
			s.finish(r.ended(ctx, err))
			return
		}
		switch m := answer.GetMessage().(type) {
		case *pluginv1.RunResponse_Outcome:
			o, err := convert.OutcomeFromProto(m.Outcome)
			if err != nil {
				s.logger.Warn("the plugin sent an outcome that cannot be read", "seq", o.Seq, "error", err)
			}
			r.log.redactError(o.Error)
			s.deliver(o)
		case *pluginv1.RunResponse_Progress:
			s.progress(convert.ProgressFromProto(m.Progress))
		}
	}
}

// ended says what the end of a stream means; nil: what was agreed. ctx is ours;
// the stream's own ends with the stream in any case.
func (r *remote) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case ctx.Err() != nil:
		return errGivenUp // by the session itself, which knows why
	}
	return r.failed("Run", err)
}
