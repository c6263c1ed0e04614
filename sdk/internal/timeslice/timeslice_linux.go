// Package timeslice asks the kernel for short and early turns on the CPU.
//
// A thread that waits for the network and then reads a clock wants to run soon
// and briefly. With a slice of 0.1 ms instead of the usual 3 ms, the scheduler
// (EEVDF with custom slices, Linux 6.12 and later) lets it run earlier when
// the machine is busy, so that network segments are read one by one instead of
// in bundles. It takes no privilege and no CPU from others.
//
// Where it is allowed (root, CAP_SYS_NICE, RLIMIT_RTPRIO) a process can be in
// front of all others by SCHED_FIFO. That does take CPU from others, among them
// perhaps the server that is measured, so Punctual does it only while the
// process uses little: what it takes are moments.
//
// What both are worth beside six programs that never sleep, as the lateness of
// timers every 5 ms: go test -run '^$' -bench Lateness ./internal/timeslice
package timeslice

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sliceNanoseconds = 100_000
	// priority is the least that is before all ordinary threads. Those of the
	// kernel that are more urgent than these have more.
	priority = 1

	// The process is looked at this often, and loses its place in front, for as
	// long as quietAgain, where it has used more than this share of the machine's
	// CPUs meanwhile.
	lookEvery  = 200 * time.Millisecond
	shareMax   = 0.25
	quietAgain = 10 * time.Second
)

// Shorten asks for the short slice for all threads of this process, and so for
// those that they will start. Kernels that do not know it ignore it, and
// whatever fails changes nothing but punctuality on a busy machine: the error
// is for a debug log.
func Shorten() error {
	return eachThread(func(a *unix.SchedAttr) bool {
		if a.Policy != unix.SCHED_NORMAL {
			return false // somebody chose another policy on purpose
		}
		a.Runtime = sliceNanoseconds
		return true
	})
}

// eachThread changes all threads of this process, as often as there are new
// ones: a thread that starts meanwhile has what its parent had.
func eachThread(change func(a *unix.SchedAttr) bool) error {
	done := map[int]bool{}
	var first error
	for fresh := true; fresh; {
		fresh = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], fresh = true, true
			if err := changeThread(tid, change); err != nil && !errors.Is(err, unix.ESRCH) && first == nil {
				first = err
			}
		}
	}
	return first
}

func changeThread(tid int, change func(a *unix.SchedAttr) bool) error {
	attributes, err := unix.SchedGetAttr(tid, 0)
	if err != nil || !change(attributes) {
		return err
	}
	return unix.SchedSetAttr(tid, attributes, 0)
}

// front puts all threads before those of other programs. What they start has
// no such place: it may be another program, and threads are found next time.
func front() error {
	return eachThread(func(a *unix.SchedAttr) bool {
		if a.Policy != unix.SCHED_NORMAL {
			return false
		}
		a.Policy, a.Priority, a.Nice, a.Runtime = unix.SCHED_FIFO, priority, 0, 0
		a.Flags |= unix.SCHED_FLAG_RESET_ON_FORK
		return true
	})
}

// back undoes front.
func back() error {
	return eachThread(func(a *unix.SchedAttr) bool {
		if a.Policy != unix.SCHED_FIFO || a.Priority != priority {
			return false
		}
		a.Policy, a.Priority, a.Runtime = unix.SCHED_NORMAL, 0, sliceNanoseconds
		return true
	})
}

// Punctual keeps this process in front of others while it uses little CPU, until
// ctx ends. It returns at once, with an error, where that is not allowed.
func Punctual(ctx context.Context) error {
	if err := front(); err != nil {
		return err
	}
	go keep(ctx, usedCPU, front, back)
	return nil
}

// keep gives the place in front back as soon as the process uses much, and takes
// it again later.
func keep(ctx context.Context, used func() time.Duration, front, back func() error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	inFront, since, before := true, time.Now(), used()
	for {
		select {
		case <-ctx.Done():
			_ = back() // refused to nobody
			return
		case <-ticker.C:
		}
		now, cpu := time.Now(), used()
		share := float64(cpu-before) / float64(now.Sub(since)) / float64(runtime.NumCPU())
		begun := since
		since, before = now, cpu
		switch {
		case inFront && share > shareMax:
			inFront = false
			_ = back()
			ticker.Reset(quietAgain)
		case inFront:
			inFront = front() == nil // threads that are new
		default:
			ticker.Reset(lookEvery)
			if share <= shareMax && now.Sub(begun) >= lookEvery {
				inFront = front() == nil
			}
		}
	}
}

// usedCPU is what this process has used.
func usedCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
