//go:build !linux

package simulator

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// kernelSleepUntil sleeps to about the moment.
func kernelSleepUntil(moment stamp.Nanos) { time.Sleep(moment.Sub(stamp.Now())) }
