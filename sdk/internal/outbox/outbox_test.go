package outbox

import (
	"errors"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOrderAndCompleteness(t *testing.T) {
	var got []int
	o := New(func(m any) error { got = append(got, m.(int)); return nil })
	var writers sync.WaitGroup
	const each = 1000
	for w := range 4 {
		writers.Go(func() {
			for i := range each {
				o.Put(w*each + i)
			}
		})
	}
	writers.Wait()
	o.Close()
	o.Close()
	o.Put(-1) // nothing after Close
	last := map[int]int{}
	for _, m := range got {
		if before, ok := last[m/each]; ok && m <= before || m < 0 {
			t.Fatalf("%d after %d", m, before)
		}
		last[m/each] = m
	}
	if len(got) != 4*each || o.Err() != nil {
		t.Errorf("%d messages, %v", len(got), o.Err())
	}
}

func TestNothingIsSentAfterAnError(t *testing.T) {
	broken := errors.New("broken")
	sent := 0
	o := New(func(any) error {
		sent++
		if sent == 2 {
			return broken
		}
		return nil
	})
	for range 10 {
		o.Put(0)
	}
	o.Close()
	if sent != 2 || !errors.Is(o.Err(), broken) {
		t.Errorf("%d sent, %v", sent, o.Err())
	}
}

// TestPutNeverWaits: a peer that does not read holds up nobody.
func TestPutNeverWaits(t *testing.T) {
	read := make(chan struct{})
	o := New(func(any) error { <-read; return nil })
	for i := range 10_000 {
		o.Put(i)
	}
	close(read)
	o.Close()
}
