package workers_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// A connection that is a conversation's own is in one process: so must be all
// requests of the conversation.
func TestRequestsOfAConnectionGoToOneWorker(t *testing.T) {
	var mu sync.Mutex
	of, had := map[uint64]int{}, map[int]int{}
	c := collect(t)
	p := open(t, &launcher{}, 3, func(worker int, o *backend.Outcome) {
		mu.Lock()
		of[o.Seq] = worker
		had[worker]++
		mu.Unlock()
		c.outcome(worker, o)
	})
	const connections, turns = 30, 5
	for seq := range uint64(connections * turns) {
		r := chat(seq+1, "ok")
		r.ConnectionKey = fmt.Sprint(seq % connections)
		if err := p.Start(r); err != nil {
			t.Fatal(err)
		}
	}
	c.wait(connections * turns)
	for seq := range uint64(connections * turns) {
		if a, b := of[seq+1], of[seq%connections+1]; a != b {
			t.Errorf("connection %d has requests at workers %d and %d", seq%connections, a, b)
		}
	}
	for worker := range 3 {
		if had[worker] != connections*turns/3 {
			t.Errorf("worker %d had %d of %d requests", worker, had[worker], connections*turns)
		}
	}
}
