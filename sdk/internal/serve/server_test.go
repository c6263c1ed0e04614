package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/genai-bench/genai-bench/sdk/backend"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/option"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a backend whose Do waits until it is let go or cancelled.
type fake struct {
	open  func() (backend.Opened, error)
	texts chan string
	hold  chan struct{}
}

func (*fake) Describe() backend.Description { return backend.Description{Name: "fake"} }
func (f *fake) Open(context.Context, backend.Config) (backend.Opened, error) {
	if f.open != nil {
		return f.open()
	}
	return backend.Opened{}, nil
}
func (*fake) Close(context.Context) error { return nil }
func (f *fake) Do(ctx context.Context, r *backend.Request, _ *backend.Recorder) {
	if r.Chat != nil && len(r.Chat.Messages) > 0 {
		f.texts <- r.Chat.Messages[0].TextOf()
	}
	select {
	case <-f.hold:
	case <-ctx.Done():
	}
}

type client struct {
	pluginv1.PluginServiceClient
	pluginv1.BackendServiceClient
}

func serveFake(t *testing.T) (client, *fake) {
	t.Helper()
	f := &fake{texts: make(chan string, 10), hold: make(chan struct{})}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(ServerOptions(hclog.NewNullLogger())...)
	New(&pluginv1.PluginInfo{Name: "fake"}, []backend.Backend{f}, hclog.NewNullLogger()).Register(server)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); server.Stop(); <-served })
	return client{pluginv1.NewPluginServiceClient(conn), pluginv1.NewBackendServiceClient(conn)}, f
}

func (c client) mustOpen(t *testing.T) {
	t.Helper()
	if _, err := c.Open(t.Context(), &pluginv1.OpenRequest{Component: "FAKE", ComponentKind: "backend"}); err != nil {
		t.Fatal(err)
	}
}

func (c client) mustRun(t *testing.T) pluginv1.BackendService_RunClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	stream, err := c.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t *testing.T, stream pluginv1.BackendService_RunClient, m *pluginv1.RunRequest) {
	t.Helper()
	if err := stream.Send(m); err != nil {
		t.Fatal(err)
	}
}

func startOf(seq uint64, parts ...*pluginv1.Part) *pluginv1.RunRequest {
	return &pluginv1.RunRequest{Message: &pluginv1.RunRequest_Start{Start: &pluginv1.Start{
		Seq: seq, Form: &pluginv1.Start_Chat{Chat: &pluginv1.Chat{Messages: []*pluginv1.Message{{Role: "user", Parts: parts}}}},
	}}}
}

func text(s string) *pluginv1.Part { return &pluginv1.Part{Part: &pluginv1.Part_Text{Text: s}} }
func ref(id uint64) *pluginv1.Part {
	return &pluginv1.Part{Part: &pluginv1.Part_TextBlob{TextBlob: id}}
}

func blob(id uint64, data string) *pluginv1.RunRequest {
	return &pluginv1.RunRequest{Message: &pluginv1.RunRequest_Blob{Blob: &pluginv1.Blob{Id: id, Data: []byte(data)}}}
}

var drain = &pluginv1.RunRequest{Message: &pluginv1.RunRequest_Drain{Drain: &pluginv1.Drain{}}}

func wantCode(t *testing.T, err error, code codes.Code, says string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %v and %q", err, code, says)
	}
}

func TestCallsOutOfOrder(t *testing.T) {
	c, f := serveFake(t)
	if _, err := c.Close(t.Context(), nil); err != nil {
		t.Errorf("Close before Open: %v", err)
	}
	_, err := c.mustRun(t).Recv()
	wantCode(t, err, codes.FailedPrecondition, "Run came before a successful Open")
	_, err = c.Probe(t.Context(), nil)
	wantCode(t, err, codes.FailedPrecondition, "Probe came before")
	_, err = c.Open(t.Context(), &pluginv1.OpenRequest{Component: "other"})
	wantCode(t, err, codes.NotFound, "it has: fake")
	_, err = c.Open(t.Context(), &pluginv1.OpenRequest{Component: "fake", ComponentKind: "sink"})
	wantCode(t, err, codes.Unimplemented, "sink")

	f.open = func() (backend.Opened, error) {
		return backend.Opened{Problems: []option.Problem{{Message: "no"}}}, nil
	}
	c.mustOpen(t) // which tells of a problem: it may be tried again
	f.open = func() (backend.Opened, error) { return backend.Opened{}, errors.New("disk on fire") }
	_, err = c.Open(t.Context(), &pluginv1.OpenRequest{Component: "fake"})
	wantCode(t, err, codes.Unknown, "disk on fire")
	f.open = nil
	c.mustOpen(t)
	_, err = c.Open(t.Context(), &pluginv1.OpenRequest{Component: "fake"})
	wantCode(t, err, codes.FailedPrecondition, "open already")
	_, err = c.Probe(t.Context(), nil)
	wantCode(t, err, codes.Unimplemented, "cannot be probed")

	stream := c.mustRun(t)
	send(t, stream, startOf(1, text("x")))
	<-f.texts
	_, err = c.mustRun(t).Recv()
	wantCode(t, err, codes.FailedPrecondition, "a run is going on")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err = c.Close(ctx, nil); err == nil {
		t.Error("closed with a request in hand")
	}
	close(f.hold)
	send(t, stream, drain)
	if _, err := stream.Recv(); err != nil {
		t.Error(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	for range 2 {
		if _, err := c.Close(t.Context(), nil); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestBrokenStreams(t *testing.T) {
	for name, messages := range map[string][]*pluginv1.RunRequest{
		"a number twice":     {startOf(1), startOf(1)},
		"after the drain":    {startOf(1), drain, startOf(2)},
		"unknown, then same": {{}, startOf(1), startOf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serveFake(t)
			c.mustOpen(t)
			stream := c.mustRun(t)
			for _, m := range messages {
				send(t, stream, m)
			}
			var err error
			for err == nil {
				_, err = stream.Recv()
			}
			wantCode(t, err, codes.InvalidArgument, "request was started")
			// The requests were cancelled, so that another run can begin.
			next := c.mustRun(t)
			_ = next.CloseSend()
			if _, err := next.Recv(); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	}
}

func TestBlobs(t *testing.T) {
	c, f := serveFake(t)
	close(f.hold)
	c.mustOpen(t)
	stream := c.mustRun(t)
	send(t, stream, blob(7, "shared "))
	send(t, stream, startOf(1, ref(7), text("own")))
	send(t, stream, blob(7, ""))
	send(t, stream, startOf(2, ref(7), text("own")))
	send(t, stream, &pluginv1.RunRequest{Message: &pluginv1.RunRequest_Start{Start: &pluginv1.Start{Seq: 3}}})
	_ = stream.CloseSend() // as good as a drain
	got := map[uint64]*pluginv1.Outcome{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[m.GetOutcome().GetSeq()] = m.GetOutcome()
	}
	if sent := <-f.texts; sent != "shared own" {
		t.Errorf("the backend got %q", sent)
	}
	for seq, says := range map[uint64]string{2: "blob 7", 3: "no form"} {
		e := got[seq].GetError()
		if e.GetClass() != pluginv1.ErrorClass_ERROR_CLASS_INVALID_REQUEST || !strings.Contains(e.GetMessage(), says) {
			t.Errorf("%d: %v, want %q", seq, e, says)
		}
	}
	if len(got) != 3 || got[1].GetStatus() != pluginv1.Status_STATUS_OK {
		t.Errorf("%v", got)
	}
}
