package prompt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Maker makes request i; *Source is one. It is called concurrently.
type Maker interface {
	Request(i uint64) (Item, error)
}

// AheadOptions bound what is made ahead. The zero value is for almost all.
type AheadOptions struct {
	Items   int    // requests held at most; 0 is 512
	Bytes   int    // of their texts at most, one request more at a time for each worker; 0 is 64 MiB
	Workers int    // goroutines that make them; 0 is 2
	Count   uint64 // requests in all; 0 is no end
}

// AheadStats tell whether making requests kept up with taking them.
type AheadStats struct {
	Taken     uint64
	Waited    uint64        // of them were not ready when asked for
	WaitedFor time.Duration // in all
	PeakBytes int           // most bytes held at once
}

// Ahead makes requests before they are needed and hands them out in the order
// of their indices. Next must be called from one goroutine at a time; the
// other methods from any.
type Ahead struct {
	maker   Maker
	options AheadOptions

	mu       sync.Mutex
	work     sync.Cond // there may be room for a worker
	ready    sync.Cond // a request has been made
	slots    []slot    // request i is in slot i modulo their number
	next     uint64    // the next to be made
	taken    uint64    // the next to be handed out
	making   int       // requests that a worker is at
	bytes    int
	stats    AheadStats
	workload *Workload
	closed   bool

	workers sync.WaitGroup
}

type slot struct {
	item  Item
	err   error
	ready bool
}

// ErrClosed is what Next says after Close.
var ErrClosed = errors.New("no more requests are made: closed")

// NewAhead starts to make requests from index 0. Close ends it.
func NewAhead(maker Maker, options AheadOptions) *Ahead {
	if options.Items == 0 {
		options.Items = 512
	}
	if options.Bytes == 0 {
		options.Bytes = 64 << 20
	}
	if options.Workers == 0 {
		options.Workers = 2
	}
	a := &Ahead{maker: maker, options: options, slots: make([]slot, options.Items), workload: NewWorkload()}
	a.work.L, a.ready.L = &a.mu, &a.mu
	for range options.Workers {
		a.workers.Go(a.run)
	}
	return a
}

func (a *Ahead) ended(i uint64) bool { return a.options.Count != 0 && i >= a.options.Count }

func (a *Ahead) run() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		for !a.closed && !a.ended(a.next) && !a.room() {
			a.work.Wait()
		}
		if a.closed || a.ended(a.next) {
			return
		}
		i := a.next
		a.next++
		a.making++
		a.mu.Unlock()
		item, err := a.maker.Request(i)
		a.mu.Lock()
		a.making--
		a.slots[i%uint64(len(a.slots))] = slot{item, err, true}
		a.bytes += item.Bytes
		a.stats.PeakBytes = max(a.stats.PeakBytes, a.bytes)
		a.ready.Broadcast()
	}
}

// Next returns the next request, waiting for it where it must, until ctx ends.
// After the last it returns io.EOF. The error of a request that could not be
// made is returned in its turn.
func (a *Ahead) Next(ctx context.Context) (Item, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended(a.taken) {
		return Item{}, io.EOF
	}
	s := &a.slots[a.taken%uint64(len(a.slots))]
	if !s.ready {
		if err := a.await(ctx, s); err != nil {
			return Item{}, err
		}
	}
	item, err := s.item, s.err
	*s = slot{}
	a.taken++
	a.stats.Taken++
	a.bytes -= item.Bytes
	a.work.Broadcast()
	if err != nil {
		return Item{}, err
	}
	a.workload.Add(item)
	return item, nil
}

func (a *Ahead) await(ctx context.Context, s *slot) error {
	begun := time.Now()
	err := a.waitFor(ctx, func() bool { return s.ready })
	// The first request is always waited for.
	if a.taken > 0 {
		a.stats.Waited++
		a.stats.WaitedFor += time.Since(begun)
	}
	return err
}

// waitFor waits, with the lock held, for what a worker's progress brings.
func (a *Ahead) waitFor(ctx context.Context, there func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ready.Broadcast()
	})
	defer stop()
	for !there() {
		if a.closed {
			return ErrClosed
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for request %d to be made: %w", a.taken, context.Cause(ctx))
		}
		a.ready.Wait()
	}
	return nil
}

// Ready waits until as much is made as is held at most, so that a run starts
// with a full store.
func (a *Ahead) Ready(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waitFor(ctx, func() bool { return !a.room() && a.making == 0 })
}

// room tells whether another request may be made now. The request that is
// wanted next always may, however large it and the others are.
func (a *Ahead) room() bool {
	switch ahead := a.next - a.taken; {
	case a.options.Count != 0 && a.next >= a.options.Count:
		return false
	case ahead == 0:
		return true
	default:
		return ahead < uint64(len(a.slots)) && a.bytes < a.options.Bytes
	}
}

// Stats returns the figures so far.
func (a *Ahead) Stats() AheadStats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stats
}

// Workload returns the hash of the requests handed out so far, and how many
// they are.
func (a *Ahead) Workload() (hash string, requests uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.workload.Hash(), a.workload.Requests()
}

// Close ends the making and waits for the goroutines. It may be called twice.
func (a *Ahead) Close() {
	a.mu.Lock()
	a.closed = true
	a.work.Broadcast()
	a.ready.Broadcast()
	a.mu.Unlock()
	a.workers.Wait()
}
