// Package timeslice asks the kernel for short turns on the CPU.
//
// A thread that waits for the network and then reads a clock wants to run soon
// and briefly. With a slice of 0.1 ms instead of the usual 3 ms, the scheduler
// (EEVDF with custom slices, Linux 6.12 and later) lets it run earlier when
// the machine is busy, so that network segments are read one by one instead of
// in bundles. It takes no privilege and no CPU from others.
package timeslice

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const sliceNanoseconds = 100_000

// Shorten asks for the short slice for all threads of this process, and so for
// those that they will start. Kernels that do not know it ignore it, and
// whatever fails changes nothing but punctuality on a busy machine: the error
// is for a debug log.
func Shorten() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	var first error
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if err := shortenThread(tid); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func shortenThread(tid int) error {
	attributes, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return err
	}
	if attributes.Policy != unix.SCHED_NORMAL {
		return nil // somebody chose another policy on purpose
	}
	attributes.Runtime = sliceNanoseconds
	return unix.SchedSetAttr(tid, attributes, 0)
}
