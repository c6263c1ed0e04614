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
// perhaps the server that is measured, and costs the process itself twice the
// CPU: it is woken for each segment where it would have taken several in one
// turn. So Punctual does it only while the CPUs are in use and the process uses
// little of them: what it takes are moments, and only where they are scarce.
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
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sliceNanoseconds = 100_000
	// priority is the least that is before all ordinary threads. Those of the
	// kernel that are more urgent than these have more.
	priority = 1

	// The machine and the process are looked at this often. The process goes in
	// front where more than busyMin of the CPUs are in use, and back when they
	// have not been for calmLooks. It loses its place, for as long as quietAgain,
	// where it has used more than shareMax of them itself.
	lookEvery  = 200 * time.Millisecond
	busyMin    = 0.85
	calmLooks  = 10
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

// Punctual keeps this process in front of others while the CPUs are in use and
// it uses little of them, until ctx ends. It returns at once, with an error,
// where that is not allowed.
func Punctual(ctx context.Context) error {
	if err := errors.Join(front(), back()); err != nil {
		return err
	}
	go keep(ctx, (&meter{}).look, front, back)
	return nil
}

// use is what was used since the look before, as shares of all CPUs.
type use struct{ own, all float64 }

// keep decides at every look.
func keep(ctx context.Context, look func() use, front, back func() error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	inFront, calm := false, 0
	var resting time.Time // until then
	_ = look()
	for {
		select {
		case <-ctx.Done():
			if inFront {
				_ = back() // refused to nobody
			}
			return
		case <-ticker.C:
		}
		u := look()
		calm++
		if u.all > busyMin {
			calm = 0
		}
		if u.own > shareMax {
			resting = time.Now().Add(quietAgain)
		}
		switch wanted := calm < calmLooks && time.Now().After(resting); {
		case wanted && (inFront || calm == 0):
			inFront = front() == nil // also threads that are new
		case inFront && !wanted:
			inFront = false
			_ = back()
		}
	}
}

// meter reads what was used.
type meter struct {
	at        time.Time
	own       time.Duration
	busy, all uint64 // ticks of all CPUs
}

func (m *meter) look() use {
	now, own := time.Now(), usedCPU()
	busy, all := usedByAll()
	u := use{own: float64(own-m.own) / float64(now.Sub(m.at)) / float64(runtime.NumCPU())}
	if all > m.all {
		u.all = float64(busy-m.busy) / float64(all-m.all)
	}
	*m = meter{now, own, busy, all}
	return u
}

// usedCPU is what this process has used.
func usedCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// usedByAll is what all programs have used of all CPUs, in ticks (proc(5),
// /proc/stat); zeros where it is not told.
func usedByAll() (busy, all uint64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[0] != "cpu" {
		return 0, 0
	}
	const idle, waiting, guest = 3, 4, 8 // guests are in the first fields too
	for i, field := range fields[1:min(len(fields), 1+guest)] {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return 0, 0
		}
		all += n
		if i != idle && i != waiting {
			busy += n
		}
	}
	return busy, all
}
