//go:build unix

package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// BenchmarkRun is what a request costs over the contract: CPU time of host and
// plugin per request, with a real process and a backend that does nothing.
func BenchmarkRun(b *testing.B) {
	for _, inFlight := range []int{1, 64, 1024} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			p, err := Launch(b.Context(), Options{Path: badPlugin})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Kill()
			if _, err := p.Open(b.Context(), "bad", backend.Config{Model: "m", WorkerCount: 1}); err != nil {
				b.Fatal(err)
			}
			slots := make(chan struct{}, inFlight)
			s, err := p.Run(b.Context(), RunOptions{Outcome: func(*backend.Outcome) { <-slots }})
			if err != nil {
				b.Fatal(err)
			}
			request := func(seq uint64) *backend.Request {
				r := chat(seq, "about forty bytes of prompt, not many ...")
				r.Timeout = time.Minute
				return r
			}
			b.ReportAllocs()
			b.ResetTimer()
			host, plugin := cpuTime(b, os.Getpid()), cpuTime(b, p.Pid())
			for i := range b.N {
				slots <- struct{}{}
				if err := s.Start(request(uint64(i))); err != nil {
					b.Fatal(err)
				}
			}
			if err := s.Drain(context.Background(), time.Minute); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			perRequest := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
			b.ReportMetric(perRequest(cpuTime(b, os.Getpid())-host), "host-µs/req")
			b.ReportMetric(perRequest(cpuTime(b, p.Pid())-plugin), "plugin-µs/req")
		})
	}
}

// BenchmarkPaced is the same at 1,000 requests a second, when each request has
// to wake both processes; and how late by that the plugin has the request.
func BenchmarkPaced(b *testing.B) {
	p, err := Launch(b.Context(), Options{Path: badPlugin})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Kill()
	if _, err := p.Open(b.Context(), "bad", backend.Config{Model: "m", WorkerCount: 1}); err != nil {
		b.Fatal(err)
	}
	handed := make([]stamp.Nanos, b.N) // written before Start, read after its outcome
	hops := make([]time.Duration, 0, b.N)
	s, err := p.Run(b.Context(), RunOptions{Outcome: func(o *backend.Outcome) {
		hops = append(hops, o.Received.Sub(handed[o.Seq]))
	}})
	if err != nil {
		b.Fatal(err)
	}
	host, plugin := cpuTime(b, os.Getpid()), cpuTime(b, p.Pid())
	begun := time.Now()
	for i := range b.N {
		time.Sleep(time.Until(begun.Add(time.Duration(i) * time.Millisecond)))
		handed[i] = stamp.Now()
		if err := s.Start(chat(uint64(i), "sleep 20ms")); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Drain(context.Background(), time.Minute); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b, os.Getpid())-host).Microseconds())/float64(b.N), "host-µs/req")
	b.ReportMetric(float64((cpuTime(b, p.Pid())-plugin).Microseconds())/float64(b.N), "plugin-µs/req")
	slices.Sort(hops)
	b.ReportMetric(float64(hops[len(hops)/2].Nanoseconds())/1e3, "hop-p50-µs")
	b.ReportMetric(float64(hops[len(hops)*99/100].Nanoseconds())/1e3, "hop-p99-µs")
}

// cpuTime is user and system time of a process: finely for our own, in ticks
// of 10 ms for another.
func cpuTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	if pid == os.Getpid() {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			tb.Fatal(err)
		}
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Skip("no /proc: ", err)
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	fields := bytes.Fields(rest)
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
