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

// TestKeep: a process that uses much goes back within a moment, and comes in
// front again no sooner than it may.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var share atomic.Int64 // per mille of all CPUs
		var used time.Duration
		var at time.Time
		usage := func() time.Duration {
			now := time.Now()
			if !at.IsZero() {
				used += now.Sub(at) * time.Duration(share.Load()) * time.Duration(runtime.NumCPU()) / 1000
			}
			at = now
			return used
		}
		type change struct {
			after time.Duration
			front bool
		}
		var changes []change
		note := func(front bool) func() error {
			return func() error {
				if n := len(changes); n == 0 && front || n > 0 && changes[n-1].front == front {
					return nil
				}
				changes = append(changes, change{time.Since(start), front})
				return nil
			}
		}
		share.Store(200)
		go keep(ctx, usage, note(true), note(false))
		time.Sleep(time.Second - time.Millisecond)
		share.Store(900)
		time.Sleep(time.Second)
		share.Store(100)
		time.Sleep(30 * time.Second)
		cancel()
		synctest.Wait()
		if len(changes) != 3 || changes[0].front || !changes[1].front || changes[2].front {
			t.Fatalf("changes %+v", changes)
		}
		if changes[0].after > time.Second+2*lookEvery {
			t.Errorf("went back after %v", changes[0].after)
		}
		if pause := changes[1].after - changes[0].after; pause < quietAgain || pause > quietAgain+2*lookEvery {
			t.Errorf("in front again after %v", pause)
		}
	})
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
