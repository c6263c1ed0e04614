// Package live shows a run while it goes on: a status line that is redrawn by
// the clock on a terminal, a plain line per interval elsewhere.
//
// It only listens. Observing a request is a few counters and one histogram
// record under a mutex, never output; drawing happens on the display's own
// goroutine at a fixed rate, whatever the load.
package live

import (
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// redraw is how often the status line of a terminal changes.
	redraw = 250 * time.Millisecond
	// plainInterval is the time between two lines where there is no terminal.
	plainInterval = 10 * time.Second
	// latencyMax bounds the histograms; longer latencies count as this one.
	latencyMax = time.Hour
)

// Options configure a Display.
type Options struct {
	Out      io.Writer
	Terminal bool
	Width    func() int // columns of the terminal; nil or 0: 80
	Unit     string     // "s" or "ms"
	// First is what the time to the first output is called, as TTFT; "" where the
	// task has none and whole answers are timed.
	First string
	// Interval overrides the time between two plain lines.
	Interval time.Duration
}

// Display shows the progress of an experiment. Its methods are safe for
// concurrent use.
type Display struct {
	o    Options
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex
	runs     int
	run      int
	current  *run
	lastLine int // columns of the status line on the screen
}

type run struct {
	label       string
	started     time.Time
	maxTime     time.Duration
	maxRequests int
	draining    bool

	sent, ok, failed, cancelled, aborted int
	outputTokens                         int64
	ttft, e2e, late, lag                 *hdrhistogram.Histogram
	asked                                float64 // requests a second; 0: no rate is asked for
	cpu                                  float64 // share of the machine's CPUs in use, of late; 0: not known
	busy                                 int     // samples in a row in which nearly all were
	printed                              time.Time
}

// New starts a display for an experiment of so many runs. Close it.
func New(runs int, o Options) *Display {
	if o.Interval == 0 {
		o.Interval = plainInterval
	}
	d := &Display{o: o, runs: runs, stop: make(chan struct{})}
	d.done.Go(d.loop)
	return d
}

func (d *Display) loop() {
	interval := redraw
	if !d.o.Terminal {
		interval = min(d.o.Interval, time.Second)
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-tick.C:
			d.mu.Lock()
			d.draw(false)
			d.mu.Unlock()
		}
	}
}

// StartRun says that a run begins; label names its scenario and level. Limits
// of 0 are none.
func (d *Display) StartRun(label string, maxTime time.Duration, maxRequests int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.run++
	d.current = &run{
		label: label, started: now, printed: now, maxTime: maxTime, maxRequests: maxRequests,
		ttft: hdrhistogram.New(1, latencyMax.Microseconds(), 3),
		e2e:  hdrhistogram.New(1, latencyMax.Microseconds(), 3),
		late: hdrhistogram.New(1, latencyMax.Microseconds(), 3),
		lag:  hdrhistogram.New(1, latencyMax.Microseconds(), 3),
	}
	d.draw(!d.o.Terminal)
}

// Asked says at which rate the current run sends, in requests a second; 0: at
// none.
func (d *Display) Asked(rate float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil {
		d.current.asked = rate
	}
}

// CPU says which share of the machine's CPUs was in use of late. Where it stays
// high the user is told, once a run.
func (d *Display) CPU(share float64) {
	d.mu.Lock()
	r := d.current
	warn := false
	if r != nil {
		r.cpu = share
		if share > cpuShown {
			r.busy++
			warn = r.busy == busyWarned
		} else if r.busy < busyWarned {
			r.busy = 0
		}
	}
	d.mu.Unlock()
	if warn {
		d.Note("warning: " + BusyWarning)
	}
}

// BusyWarning is what the user is told where nearly all CPUs are in use: the
// sentence of locust, and with it of the Python tool.
const BusyWarning = "CPU usage above 90%! This may constrain your throughput and may even give inconsistent response time measurements!"

// busyWarned is after how many samples in a row, a second each.
const busyWarned = 3

// Sent counts a request that was handed to a worker.
func (d *Display) Sent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil {
		d.current.sent++
	}
}

// Draining says that no more requests are sent and answers are waited for.
func (d *Display) Draining() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current != nil {
		d.current.draining = true
	}
}

// Finished is what a request's end means to the display.
type Finished struct {
	OK, Cancelled bool
	Aborted       bool          // by the client on purpose
	TTFT, E2E     time.Duration // 0: not known
	Late          time.Duration // how long after it was due the request was sent
	ReadLag       time.Duration // the longest that an arrival waited to be read
	OutputTokens  int64
}

// Observe counts a finished request.
func (d *Display) Observe(f Finished) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.current
	if r == nil {
		return
	}
	switch {
	case f.OK:
		r.ok++
		r.outputTokens += f.OutputTokens
		record(r.ttft, f.TTFT)
		record(r.e2e, f.E2E)
		record(r.late, f.Late)
		record(r.lag, f.ReadLag)
	case f.Aborted:
		r.aborted++
	case f.Cancelled:
		r.cancelled++
	default:
		r.failed++
	}
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	if d <= 0 {
		return
	}
	// The value is within the histogram's range by this clamp, so that
	// RecordValue cannot fail.
	_ = h.RecordValue(min(max(d.Microseconds(), 1), latencyMax.Microseconds()))
}

// EndRun ends the run's line with its result.
func (d *Display) EndRun() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil {
		return
	}
	d.erase()
	fmt.Fprintln(d.o.Out, d.line(d.current, true))
	d.current = nil
}

// Note prints a line above the status line.
func (d *Display) Note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
	fmt.Fprintln(d.o.Out, line)
	if d.o.Terminal {
		d.draw(true)
	}
}

// Close removes the status line and ends the display's goroutine. A run that
// was not ended is ended.
func (d *Display) Close() {
	close(d.stop)
	d.done.Wait()
	d.EndRun()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.erase()
}

// draw shows the state; d.mu is held.
func (d *Display) draw(now bool) {
	r := d.current
	if r == nil {
		return
	}
	if d.o.Terminal {
		width := 80
		if d.o.Width != nil && d.o.Width() > 0 {
			width = d.o.Width()
		}
		line := cut(d.line(r, false), width-1)
		d.erase()
		fmt.Fprint(d.o.Out, line)
		d.lastLine = len([]rune(line))
		return
	}
	if now || time.Since(r.printed) >= d.o.Interval {
		r.printed = time.Now()
		fmt.Fprintln(d.o.Out, d.line(r, false))
	}
}

// erase removes the status line of a terminal; d.mu is held.
func (d *Display) erase() {
	if d.o.Terminal && d.lastLine > 0 {
		fmt.Fprint(d.o.Out, "\r\x1b[2K")
		d.lastLine = 0
	}
}

// line describes a run on one line.
func (d *Display) line(r *run, ended bool) string {
	elapsed := time.Since(r.started)
	var b strings.Builder
	fmt.Fprintf(&b, "[%d/%d] %s", d.run, d.runs, r.label)
	switch {
	case ended:
		fmt.Fprintf(&b, "  done in %s", seconds(elapsed))
	case r.draining:
		b.WriteString("  draining")
	default:
		fmt.Fprintf(&b, "  %3.0f%%", 100*r.share(elapsed))
	}
	finished := r.ok + r.failed + r.cancelled + r.aborted
	if !ended {
		fmt.Fprintf(&b, "  %s", seconds(elapsed))
		fmt.Fprintf(&b, "  in flight %d", max(r.sent-finished, 0))
	}
	fmt.Fprintf(&b, "  ok %d", r.ok)
	if r.failed > 0 || ended {
		fmt.Fprintf(&b, "  failed %d", r.failed)
	}
	if r.aborted > 0 {
		fmt.Fprintf(&b, "  aborted %d", r.aborted)
	}
	if r.cancelled > 0 {
		fmt.Fprintf(&b, "  cancelled %d", r.cancelled)
	}
	if s := elapsed.Seconds(); s > 0 && r.asked > 0 && !r.draining && !ended {
		fmt.Fprintf(&b, "  sent %.4g of %.4g req/s", float64(r.sent)/s, r.asked)
	}
	if s := elapsed.Seconds(); s > 0 && r.outputTokens > 0 {
		fmt.Fprintf(&b, "  out %.0f tok/s", float64(r.outputTokens)/s)
	}
	switch {
	case d.o.First == "" && r.e2e.TotalCount() > 0:
		fmt.Fprintf(&b, "  E2E p50 %s p99 %s", d.latency(r.e2e, 50), d.latency(r.e2e, 99))
	case d.o.First != "" && r.ttft.TotalCount() > 0:
		fmt.Fprintf(&b, "  %s p50 %s p99 %s", d.o.First, d.latency(r.ttft, 50), d.latency(r.ttft, 99))
	}
	if d.o.First != "" && r.e2e.TotalCount() > 0 && !ended { // the table has it; the line should fit a terminal
		fmt.Fprintf(&b, "  E2E p50 %s", d.latency(r.e2e, 50))
	}
	if late := r.late.ValueAtQuantile(99); !ended && r.late.TotalCount() > 0 && (r.asked > 0 || late > lateShown.Microseconds()) {
		fmt.Fprintf(&b, "  late p99 %s", d.latency(r.late, 99))
	}
	if lag := r.lag.ValueAtQuantile(99); !ended && lag > lateShown.Microseconds() {
		fmt.Fprintf(&b, "  read lag p99 %s", d.latency(r.lag, 99))
	}
	if !ended && r.cpu > cpuShown {
		fmt.Fprintf(&b, "  CPU %.0f%%", 100*r.cpu)
	}
	return b.String()
}

// What the client may be like before the line says so: it has little room, and
// a client that keeps up is no news.
const (
	lateShown = time.Millisecond
	cpuShown  = 0.9
)

// share is how much of the run is over, by the limit that is nearer.
func (r *run) share(elapsed time.Duration) float64 {
	share := 0.0
	if r.maxTime > 0 {
		share = elapsed.Seconds() / r.maxTime.Seconds()
	}
	if r.maxRequests > 0 {
		share = math.Max(share, float64(r.ok+r.failed+r.cancelled+r.aborted)/float64(r.maxRequests))
	}
	return math.Min(share, 1)
}

func (d *Display) latency(h *hdrhistogram.Histogram, q float64) string {
	v := time.Duration(h.ValueAtQuantile(q)) * time.Microsecond
	if d.o.Unit == "ms" {
		return fmt.Sprintf("%.1f ms", float64(v)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3f s", v.Seconds())
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// cut shortens a line to a number of columns, so that it never wraps: a
// wrapped status line cannot be erased.
func cut(line string, columns int) string {
	r := []rune(line)
	if columns < 1 || len(r) <= columns {
		return line
	}
	return string(r[:columns-1]) + "…"
}
