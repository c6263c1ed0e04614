package host

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/genai-bench/genai-bench/sdk"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/internal/run"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// direct calls a backend without any connection.
type direct struct {
	backend backend.Backend
	once    sync.Once
	exited  chan struct{}
}

var _ Runner = (*direct)(nil)

// Direct returns a Runner that calls the backend's methods in this process. For
// tests, which see by it what the contract adds.
func Direct(b backend.Backend) Runner { return &direct{backend: b, exited: make(chan struct{})} }

func (d *direct) Describe(context.Context) (sdk.Description, error) {
	name := d.backend.Describe().Name
	return sdk.Plugin{Name: name, Version: sdk.Version, Backends: []backend.Backend{d.backend}}.Description(), nil
}

func (d *direct) Open(ctx context.Context, component string, config backend.Config) (backend.Opened, error) {
	if description := d.backend.Describe(); !description.Answers(component) {
		return backend.Opened{}, fmt.Errorf("no backend %q here (it is %s)", component, description.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Open)
	defer cancel()
	return d.backend.Open(ctx, config)
}

func (d *direct) Probe(ctx context.Context) (backend.Probe, error) {
	prober, ok := d.backend.(backend.Prober)
	if !ok {
		return backend.Probe{}, ErrUnsupported
	}
	ctx, cancel := context.WithTimeout(ctx, limits.Probe)
	defer cancel()
	return prober.Probe(ctx)
}

func (d *direct) Run(ctx context.Context, options RunOptions) (*Session, error) {
	s := newSession(options, hclog.NewNullLogger())
	loop := run.New(context.WithoutCancel(ctx), run.Options{Backend: d.backend, Outcome: s.deliver})
	s.begin(ctx, &call{loop: loop, progress: s.progress, done: s.done})
	go func() {
		<-loop.Drained()
		s.finish(nil)
	}()
	return s, nil
}

// call is the link that is none.
type call struct {
	loop     *run.Loop
	progress func(backend.Progress)
	done     <-chan struct{}
}

func (c *call) end() { c.loop.Abandon("the host ended the run") }

func (c *call) send(message any) error {
	switch m := message.(type) {
	case *backend.Request:
		if m.Kind() == "" {
			return &requestError{errors.New("the request has no form")}
		}
		return c.loop.Start(m, stamp.Now())
	case cancelMessage:
		c.loop.Cancel(m.seq)
	case drainMessage:
		c.loop.Drain(max(m.deadline.Sub(stamp.Now()), 0))
	case progressMessage:
		c.loop.CountEvents()
		go c.loop.Report(m.interval, c.done, c.progress)
	case blobMessage: // the requests hold the texts and images themselves
	}
	return nil
}

func (d *direct) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limits.Close)
	defer cancel()
	defer d.Kill()
	return d.backend.Close(ctx)
}

func (d *direct) Kill()                   { d.once.Do(func() { close(d.exited) }) }
func (d *direct) Exited() <-chan struct{} { return d.exited }
func (d *direct) Err() error              { return nil }
func (d *direct) Pid() int                { return 0 }
