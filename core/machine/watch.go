package machine

import (
	"math"
	"runtime"
	"sync"
	"time"
)

const (
	// interval is the time between two samples.
	interval = time.Second
	// shortest is what a sample must cover to say anything: the kernel counts CPU
	// time in hundredths of a second.
	shortest = 200 * time.Millisecond
	// Busy is the share of a machine's CPUs above which timing suffers: locust,
	// and with it the Python tool, warns above the same.
	Busy = 0.9
)

// Usage is what a run cost. NaN is not known.
type Usage struct {
	Elapsed time.Duration
	CPUs    int
	// CPU time in seconds: of this process, of the plugins together, and of all
	// CPUs together, whoever used them.
	Core, Plugins, Machine float64
	Busiest                float64 // share of all CPUs in the busiest sample
	BusyShare              float64 // of the samples in which more than Busy of the CPUs were in use
	Throttled              float64 // seconds for which a limit of CPU time held this process up
	PeakRSSBytes           float64 // of this process, since it began
}

// MachineShare is how much of all CPUs was in use on average.
func (u Usage) MachineShare() float64 {
	if u.Elapsed < shortest {
		return math.NaN()
	}
	return u.Machine / (u.Elapsed.Seconds() * float64(u.CPUs))
}

// counters are what the system has counted at a moment, in seconds of CPU time.
type counters struct {
	at         time.Time
	core       float64
	busy, idle float64 // of all CPUs
	throttled  float64
	plugins    map[int]float64
}

// Watch is a run being watched.
type Watch struct {
	pids func() []int
	tell func(share float64)
	stop chan struct{}
	done sync.WaitGroup

	first, last counters
	plugins     float64 // of those that were seen, by all samples
	samples     int
	busySamples int
	busiest     float64
}

// Start begins to watch. pids are the plugins' processes, which may change. tell,
// which may be nil, is told the share of all CPUs in use at each sample.
func Start(pids func() []int, tell func(share float64)) *Watch {
	w := &Watch{pids: pids, tell: tell, stop: make(chan struct{}), busiest: math.NaN()}
	w.first = read(pids())
	w.last = w.first
	w.done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				w.sample()
			}
		}
	})
	return w
}

// sample reads the counters and adds up what has changed.
func (w *Watch) sample() {
	now := read(w.pids())
	for pid, seconds := range now.plugins {
		// A plugin that was started meanwhile has used all it has since.
		w.plugins += max(seconds-w.last.plugins[pid], 0)
	}
	busy, idle := now.busy-w.last.busy, now.idle-w.last.idle
	if share := busy / (busy + idle); now.at.Sub(w.last.at) >= shortest && !math.IsNaN(share) {
		w.samples++
		if share > Busy {
			w.busySamples++
		}
		if !(w.busiest > share) {
			w.busiest = share
		}
		if w.tell != nil {
			w.tell(share)
		}
	}
	w.last = now
}

// Stop ends the watching and returns what was seen.
func (w *Watch) Stop() Usage {
	close(w.stop)
	w.done.Wait()
	w.sample()
	u := Usage{
		Elapsed: w.last.at.Sub(w.first.at), CPUs: runtime.NumCPU(),
		Core: w.last.core - w.first.core, Plugins: w.plugins, Machine: w.last.busy - w.first.busy,
		Busiest: w.busiest, BusyShare: math.NaN(),
		Throttled: w.last.throttled - w.first.throttled, PeakRSSBytes: peakRSS(),
	}
	if w.last.plugins == nil {
		u.Plugins = math.NaN()
	}
	if w.samples > 0 {
		u.BusyShare = float64(w.busySamples) / float64(w.samples)
	}
	return u
}

// Process is the CPU time that a process has used, in seconds; NaN where it is
// not known.
func Process(pid int) float64 {
	if seconds, ok := process(pid); ok {
		return seconds
	}
	return math.NaN()
}
