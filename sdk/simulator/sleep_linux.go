package simulator

import (
	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// kernelSleepUntil sleeps to about the moment; it may return early.
func kernelSleepUntil(moment stamp.Nanos) {
	at := unix.NsecToTimespec(int64(moment))
	// An error (a signal) only means that the caller asks again.
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
}
