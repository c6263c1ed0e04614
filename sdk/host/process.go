package host

import (
	"context"
	"errors"
	"time"

	"github.com/genai-bench/genai-bench/sdk/internal/limits"
)

// Close implements Runner: it lets the backend close, tells the process to
// stop, and kills it if it does not.
func (p *Process) Close(ctx context.Context) error {
	if p.ended() {
		p.Kill()
		return nil
	}
	err := p.closeBackend(ctx)
	p.shutDown(limits.StopGrace)
	return err
}

// Kill implements Runner.
func (p *Process) Kill() {
	p.noteStop()
	p.child.kill()
	p.shutDown(0)
}

// noteStop records that the process ends because we say so, if it has not ended
// already.
func (p *Process) noteStop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = p.stopped || !p.ended()
}

// shutDown makes go-plugin ask the plugin to stop, and has the process group
// killed after a grace, which also ends go-plugin's waits.
func (p *Process) shutDown(grace time.Duration) {
	p.stop.Do(func() {
		p.noteStop()
		defer time.AfterFunc(grace, p.child.kill).Stop()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			p.client.Kill()
		}()
		// Nothing that is known keeps client.Kill from returning once the
		// group is killed; the bound is for what is not known.
		bound := time.After(grace + limits.StopGrace)
		select {
		case <-gone:
		case <-bound:
			p.child.log.logger.Error("the plugin's connection could not be shut down in time", "path", p.child.path)
		}
		p.child.kill()
		if p.child.pid() != 0 {
			select {
			case <-p.child.exited:
			case <-bound:
			}
		}
		p.dir.remove()
	})
}

func (p *Process) ended() bool {
	select {
	case <-p.child.exited:
		return true
	default:
		return false
	}
}

// died is how the process ended by itself; "" where it lives.
func (p *Process) died() string {
	if !p.ended() {
		return ""
	}
	return p.child.ending()
}

// Exited implements Runner.
func (p *Process) Exited() <-chan struct{} { return p.child.exited }

// Err implements Runner.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || !p.ended() {
		return nil
	}
	return errors.New(p.child.ending())
}

// Pid implements Runner.
func (p *Process) Pid() int { return p.child.pid() }

// Run implements Runner.
func (p *Process) Run(ctx context.Context, options RunOptions) (*Session, error) {
	return p.run(ctx, options)
}
