// Package outbox sends messages of many goroutines over one stream, in order,
// from one goroutine: a gRPC stream must not be written to concurrently, and a
// writer that waits for the peer must not hold up those who write.
package outbox

import "sync"

// Outbox is a queue without a bound: what is in it is bounded by the number of
// requests in flight. It is safe for concurrent use.
type Outbox struct {
	send func(any) error

	mu     sync.Mutex
	queue  []any
	wake   *sync.Cond
	closed bool
	err    error
	done   chan struct{}
}

// New starts the goroutine that sends. After the first error of send nothing
// more is sent.
func New(send func(any) error) *Outbox {
	o := &Outbox{send: send, done: make(chan struct{})}
	o.wake = sync.NewCond(&o.mu)
	go o.run()
	return o
}

// Put adds a message. It never waits. After Close it does nothing.
func (o *Outbox) Put(message any) {
	o.mu.Lock()
	if !o.closed && o.err == nil {
		o.queue = append(o.queue, message)
		o.wake.Signal()
	}
	o.mu.Unlock()
}

func (o *Outbox) run() {
	defer close(o.done)
	var batch []any
	for {
		o.mu.Lock()
		for len(o.queue) == 0 && !o.closed {
			o.wake.Wait()
		}
		batch, o.queue = o.queue, batch[:0]
		o.mu.Unlock()
		if len(batch) == 0 {
			return // closed and empty
		}
		for i, message := range batch {
			batch[i] = nil
			if err := o.send(message); err != nil {
				o.mu.Lock()
				o.err, o.queue = err, nil
				o.mu.Unlock()
				return
			}
		}
	}
}

// Close sends what is queued and waits for that. It may be called twice.
func (o *Outbox) Close() {
	o.mu.Lock()
	o.closed = true
	o.wake.Signal()
	o.mu.Unlock()
	<-o.done
}

// Err is the error of send that ended the sending, or nil.
func (o *Outbox) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
