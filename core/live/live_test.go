package live_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWithoutATerminalThereIsALinePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := live.New(2, live.Options{First: "TTFT", Out: &out, Interval: 10 * time.Second})
		d.StartRun("D(100,100) concurrency 8", time.Minute, 100)
		for range 8 {
			d.Sent()
		}
		for range 5 {
			d.Observe(live.Finished{OK: true, TTFT: 100 * time.Millisecond, E2E: time.Second, OutputTokens: 100})
		}
		d.Observe(live.Finished{})
		time.Sleep(25 * time.Second)
		d.Note("a warning")
		time.Sleep(time.Second)
		d.EndRun()
		d.Close()

		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 5 {
			t.Fatalf("%d lines, want the start, two intervals, the note and the end:\n%s", len(lines), out.String())
		}
		if strings.Contains(out.String(), "\x1b") || strings.Contains(out.String(), "\r") {
			t.Errorf("terminal codes in plain output: %q", out.String())
		}
		for _, want := range []string{"[1/2] D(100,100) concurrency 8", "in flight 2", "ok 5", "failed 1", "out 50 tok/s", "TTFT p50 0.100 s"} {
			if !strings.Contains(lines[1], want) {
				t.Errorf("line lacks %q: %s", want, lines[1])
			}
		}
		if lines[3] != "a warning" || !strings.Contains(lines[4], "done in 26 s") {
			t.Errorf("end:\n%s", out.String())
		}
	})
}

func TestOnATerminalOneLineIsRedrawnAndNeverWraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := live.New(1, live.Options{First: "TTFT", Out: &out, Terminal: true, Width: func() int { return 40 }, Unit: "ms"})
		d.StartRun("N(480,240)/(300,150) concurrency 256", 0, 10)
		time.Sleep(time.Second)
		d.Close()
		text := out.String()
		if !strings.Contains(text, "\r\x1b[2K") {
			t.Errorf("nothing was redrawn: %q", text)
		}
		last := strings.LastIndex(text, "\r\x1b[2K")
		for drawn := range strings.SplitSeq(text[:last], "\r\x1b[2K") {
			if n := len([]rune(drawn)); n > 39 {
				t.Errorf("%d columns wide on a terminal of 40: %q", n, drawn)
			}
		}
	})
}

func TestObservingFromManyGoroutines(t *testing.T) {
	var out bytes.Buffer
	d := live.New(1, live.Options{First: "TTFT", Out: &out})
	d.StartRun("x", time.Second, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				d.Sent()
				d.Observe(live.Finished{OK: true, TTFT: time.Millisecond, E2E: 2 * time.Hour, OutputTokens: 1})
			}
		})
	}
	wg.Wait()
	d.Close()
	if !strings.Contains(out.String(), "ok 8000") {
		t.Errorf("counts were lost:\n%s", out.String())
	}
}

func BenchmarkObserve(b *testing.B) {
	d := live.New(1, live.Options{First: "TTFT", Out: &bytes.Buffer{}})
	defer d.Close()
	d.StartRun("x", time.Hour, 0)
	b.ReportAllocs()
	for b.Loop() {
		d.Observe(live.Finished{OK: true, TTFT: time.Millisecond, E2E: time.Second, OutputTokens: 1})
	}
}

// TestAClientThatIsShortOfCPUIsSaidSoOnce: after some seconds in a row, not for
// one that is busy.
func TestAClientThatIsShortOfCPUIsSaidSoOnce(t *testing.T) {
	for name, c := range map[string]struct {
		shares []float64
		want   int
	}{
		"busy for a moment": {[]float64{0.99, 0.2, 0.99, 0.99, 0.5}, 0},
		"busy for long":     {[]float64{0.95, 0.95, 0.95, 0.95, 0.5, 0.95, 0.95, 0.95}, 1},
		"at the limit":      {[]float64{0.9, 0.9, 0.9, 0.9}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			d := live.New(1, live.Options{Out: &out})
			d.StartRun("a run", time.Minute, 0)
			for _, share := range c.shares {
				d.CPU(share)
			}
			d.Close()
			if n := strings.Count(out.String(), "warning: CPU usage above 90%!"); n != c.want {
				t.Errorf("said %d times, want %d:\n%s", n, c.want, out.String())
			}
		})
	}
}

// TestAReaderThatLagsIsShown: the longest wait of each answer's arrivals, where
// it is worth the room.
func TestAReaderThatLagsIsShown(t *testing.T) {
	for name, c := range map[string]struct {
		lag  time.Duration
		want bool
	}{"within a millisecond": {200 * time.Microsecond, false}, "above": {30 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				d := live.New(1, live.Options{Out: &out, Interval: time.Second, Unit: "ms"})
				d.StartRun("a run", time.Minute, 0)
				d.Observe(live.Finished{OK: true, ReadLag: c.lag})
				time.Sleep(1500 * time.Millisecond)
				d.Close()
				if got := strings.Contains(out.String(), "read lag p99 30.0 ms"); got != c.want {
					t.Errorf("shown: %v\n%s", got, out.String())
				}
			})
		})
	}
}
