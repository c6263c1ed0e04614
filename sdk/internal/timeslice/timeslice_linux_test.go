package timeslice

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestShorten(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Skipf("no sched_getattr here: %v", err)
	}
	if err := Shorten(); err != nil {
		t.Skipf("not allowed here: %v", err)
	}
	after, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var system unix.Utsname
	_ = unix.Uname(&system)
	t.Logf("kernel %s, uid %d: slice %d ns before, %d after", unix.ByteSliceToString(system.Release[:]), os.Getuid(), before.Runtime, after.Runtime)
	if after.Policy != before.Policy || after.Nice != before.Nice {
		t.Errorf("policy %d, nice %d became %d, %d", before.Policy, before.Nice, after.Policy, after.Nice)
	}
	if after.Runtime != sliceNanoseconds && after.Runtime != before.Runtime { // kernels before 6.12 keep theirs
		t.Errorf("slice %d", after.Runtime)
	}
}

// policies are those of all threads of this process.
func policies(t *testing.T) map[uint32]int {
	t.Helper()
	found := map[uint32]int{}
	err := eachThread(func(a *unix.SchedAttr) bool {
		found[a.Policy]++
		return false
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFrontAndBack: all threads, and those that they start, and back.
func TestFrontAndBack(t *testing.T) {
	if err := front(); err != nil {
		_ = back()
		if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			t.Fatal(err)
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("SCHED_FIFO is not tested: %v", err)
		}
		t.Skipf("SCHED_FIFO IS NOT TESTED: %v", err)
	}
	var threads sync.WaitGroup
	for range 4 { // new ones
		threads.Go(func() {
			runtime.LockOSThread()
			time.Sleep(20 * time.Millisecond)
		})
	}
	time.Sleep(10 * time.Millisecond)
	child := exec.Command("sleep", "10")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if a, err := unix.SchedGetAttr(child.Process.Pid, 0); err != nil || a.Policy != unix.SCHED_NORMAL {
		t.Errorf("a child has the policy %+v, %v", a, err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if err := front(); err != nil {
		t.Fatal(err)
	}
	if p := policies(t); p[unix.SCHED_FIFO] < 4 || len(p) != 1 {
		t.Errorf("in front: threads by policy %v", p)
	}
	if err := back(); err != nil {
		t.Fatal(err)
	}
	if p := policies(t); len(p) != 1 || p[unix.SCHED_NORMAL] < 4 {
		t.Errorf("back: threads by policy %v", p)
	}
	threads.Wait()
}

// TestKeep: a process goes in front when the CPUs are in use and back when they
// are not; where it uses much itself it goes back at once and stays there.
func TestKeep(t *testing.T) {
	type phase struct {
		lasts    time.Duration
		own, all float64
		front    bool // at its end
	}
	for name, phases := range map[string][]phase{
		"a quiet machine":              {{time.Minute, 0.1, 0.3, false}},
		"a busy one":                   {{time.Second, 0.1, 0.3, false}, {2 * lookEvery, 0.1, 1, true}, {time.Minute, 0.1, 1, true}},
		"a pause is no calm":           {{time.Second, 0.1, 1, true}, {time.Second, 0.1, 0.3, true}, {time.Second, 0.1, 1, true}},
		"calm again":                   {{time.Second, 0.1, 1, true}, {5 * time.Second, 0.1, 0.3, false}},
		"it uses much itself":          {{time.Second, 0.1, 1, true}, {2 * lookEvery, 0.9, 1, false}, {quietAgain - time.Second, 0.1, 1, false}, {2 * time.Second, 0.1, 1, true}},
		"it always uses much":          {{time.Minute, 0.5, 1, false}},
		"much, on a machine with room": {{time.Second, 0.4, 0.5, false}, {time.Second, 0.1, 1, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var now atomic.Pointer[phase]
				now.Store(&phase{})
				var inFront atomic.Bool
				set := func(to bool) func() error {
					return func() error { inFront.Store(to); return nil }
				}
				go keep(ctx, func() use { p := now.Load(); return use{p.own, p.all} }, set(true), set(false))
				for i := range phases {
					now.Store(&phases[i])
					time.Sleep(phases[i].lasts)
					synctest.Wait()
					if inFront.Load() != phases[i].front {
						t.Errorf("phase %d: in front %v", i, inFront.Load())
					}
				}
				cancel()
				synctest.Wait()
				if inFront.Load() {
					t.Error("in front at the end")
				}
			})
		})
	}
}

// TestMeter: a thread that does not sleep is seen.
func TestMeter(t *testing.T) {
	m := &meter{}
	m.look()
	for begun := time.Now(); time.Since(begun) < 300*time.Millisecond; {
	}
	u := m.look()
	if least := 0.1 / float64(runtime.NumCPU()); u.own < least || u.own > 1.1 || u.all < least || u.all > 1 {
		t.Errorf("used %+v", u)
	}
}

// BenchmarkLateness is how late timers are beside six programs that never sleep.
func BenchmarkLateness(b *testing.B) {
	for range 6 {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = hog.Process.Kill()
			_ = hog.Wait()
		})
	}
	usual := func() error {
		return eachThread(func(a *unix.SchedAttr) bool {
			a.Policy, a.Priority, a.Runtime = unix.SCHED_NORMAL, 0, 2_800_000
			return true
		})
	}
	for _, way := range []struct {
		name string
		set  func() error
	}{{"usual", usual}, {"short", Shorten}, {"front", front}} {
		b.Run(way.name, func(b *testing.B) {
			if err := way.set(); err != nil {
				b.Skip(err)
			}
			defer func() { _ = back() }()
			var waiter stamp.Waiter
			defer waiter.Close()
			var late []time.Duration
			next := stamp.Now()
			for b.Loop() {
				next = max(next.Add(5*time.Millisecond), stamp.Now())
				if err := waiter.Until(b.Context(), next); err != nil {
					b.Fatal(err)
				}
				late = append(late, stamp.Now().Sub(next))
			}
			slices.Sort(late)
			for name, q := range map[string]int{"p50-µs": 50, "p99-µs": 99} {
				b.ReportMetric(float64(late[len(late)*q/100])/1e3, name)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
