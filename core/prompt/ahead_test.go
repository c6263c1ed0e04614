package prompt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genai-bench/genai-bench/core/prompt"
	"github.com/genai-bench/genai-bench/sdk/backend"
)

// maker makes requests by a function.
type maker func(i uint64) (prompt.Item, error)

func (m maker) Request(i uint64) (prompt.Item, error) { return m(i) }

func sized(bytes int) maker {
	return func(i uint64) (prompt.Item, error) {
		return prompt.Item{Index: i, Bytes: bytes, Digest: [32]byte{byte(i)}, Request: &backend.Request{}}, nil
	}
}

func TestAheadKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The even ones take long, so that the odd ones overtake them.
		a := prompt.NewAhead(maker(func(i uint64) (prompt.Item, error) {
			time.Sleep(time.Duration(1+9*(1-i%2)) * time.Millisecond)
			return sized(1)(i)
		}), prompt.AheadOptions{Items: 8, Workers: 4, Count: 100})
		defer a.Close()
		for i := range uint64(100) {
			item, err := a.Next(t.Context())
			if err != nil || item.Index != i {
				t.Fatalf("request %d, %v, want %d", item.Index, err, i)
			}
		}
		for range 2 {
			if _, err := a.Next(t.Context()); !errors.Is(err, io.EOF) {
				t.Fatalf("after the last: %v, want io.EOF", err)
			}
		}
		if s := a.Stats(); s.Taken != 100 || s.Waited == 0 || s.WaitedFor <= 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAheadIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		options   prompt.AheadOptions
		itemBytes int
		held      int64 // the most that may be made and not taken
	}{
		"by number":                      {prompt.AheadOptions{Items: 10, Workers: 3}, 1, 10},
		"by bytes":                       {prompt.AheadOptions{Items: 1000, Bytes: 500, Workers: 3}, 100, 5 + 2},
		"one larger than all the memory": {prompt.AheadOptions{Items: 1000, Bytes: 500, Workers: 3}, 10_000, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var made atomic.Int64
				a := prompt.NewAhead(maker(func(i uint64) (prompt.Item, error) {
					made.Add(1)
					time.Sleep(time.Microsecond)
					return sized(c.itemBytes)(i)
				}), c.options)
				defer a.Close()
				for taken := range int64(50) {
					if err := a.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
					if held := made.Load() - taken; held > c.held || held < 1 {
						t.Fatalf("%d requests held, at most %d allowed", held, c.held)
					}
					if _, err := a.Next(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if s := a.Stats(); s.Waited != 0 || s.PeakBytes > int(c.held)*c.itemBytes {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestAheadPassesErrorsOnInTurn(t *testing.T) {
	broken := errors.New("broken")
	a := prompt.NewAhead(maker(func(i uint64) (prompt.Item, error) {
		if i == 2 {
			return prompt.Item{}, broken
		}
		return sized(1)(i)
	}), prompt.AheadOptions{})
	defer a.Close()
	for i, want := range []error{nil, nil, broken, nil} {
		if _, err := a.Next(t.Context()); !errors.Is(err, want) {
			t.Errorf("request %d: %v, want %v", i, err, want)
		}
	}
	if _, n := a.Workload(); n != 3 {
		t.Errorf("%d requests in the workload, want 3", n)
	}
}

func TestAheadEndsWithContextAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		a := prompt.NewAhead(maker(func(uint64) (prompt.Item, error) { <-never; return prompt.Item{}, nil }), prompt.AheadOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Next(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for request 0 to be made") {
			t.Errorf("%v, want the context's error", err)
		}
		if err := a.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
		done := make(chan error)
		go func() { _, err := a.Next(t.Context()); done <- err }()
		synctest.Wait()
		go a.Close()
		if err := <-done; !errors.Is(err, prompt.ErrClosed) {
			t.Errorf("%v, want %v", err, prompt.ErrClosed)
		}
		close(never)
		a.Close()
	})
}

func TestWorkloadHash(t *testing.T) {
	corpus := mustGPTCorpus(t)
	hash := func(workers int, config prompt.Config) string {
		a := prompt.NewAhead(mustSource(t, corpus, config), prompt.AheadOptions{Workers: workers, Count: 40})
		defer a.Close()
		for range 40 {
			if _, err := a.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		h, n := a.Workload()
		if n != 40 {
			t.Fatalf("%d requests", n)
		}
		return h
	}
	config := prompt.Config{Scenario: mustScenario(t, "D(50,5)"), Seed: 1, Run: "1"}
	want := hash(1, config)
	if got := hash(4, config); got != want {
		t.Errorf("four workers: %s, one: %s", got, want)
	}
	for name, change := range map[string]func(*prompt.Config){
		"seed":            func(c *prompt.Config) { c.Seed++ },
		"run":             func(c *prompt.Config) { c.Run = "2" },
		"output":          func(c *prompt.Config) { c.Scenario = mustScenario(t, "D(50,6)") },
		"streaming":       func(c *prompt.Config) { c.Stream = true },
		"kind":            func(c *prompt.Config) { c.Kind = backend.KindCompletion },
		"messages before": func(c *prompt.Config) { c.Before = []backend.Message{backend.UserText("Hi")} },
	} {
		changed := config
		change(&changed)
		if hash(1, changed) == want {
			t.Errorf("another %s has the same hash", name)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	corpus := mustGPTCorpus(b)
	for _, n := range []int{100, 2000, 7800} {
		b.Run(fmt.Sprintf("D(%d)", n), func(b *testing.B) {
			source := mustSource(b, corpus, prompt.Config{Scenario: mustScenario(b, fmt.Sprintf("D(%d,100)", n)), Seed: 1})
			b.ReportAllocs()
			var i uint64
			for b.Loop() {
				mustRequest(b, source, i)
				i++
			}
		})
	}
}
