package machine

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"
)

// ticks are in a second: USER_HZ, which is 100 on every architecture that Go
// runs on.
const ticks = 100

func read(pids []int) counters {
	c := counters{at: time.Now(), core: own(), throttled: throttled(), plugins: map[int]float64{}}
	c.busy, c.idle = all()
	for _, pid := range pids {
		if pid <= 0 {
			continue
		}
		if seconds, ok := process(pid); ok {
			c.plugins[pid] = seconds
		}
	}
	return c
}

// all reads the CPU time of the machine: man 5 proc, /proc/stat. The time of
// guests is in that of users already.
func all() (busy, idle float64) {
	data, err := os.ReadFile("/proc/stat")
	line, _, _ := bytes.Cut(data, []byte{'\n'})
	fields := bytes.Fields(line)
	if err != nil || len(fields) < 9 {
		return math.NaN(), math.NaN()
	}
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseFloat(string(field), 64)
		if err != nil {
			return math.NaN(), math.NaN()
		}
		if i == 3 || i == 4 {
			idle += n / ticks
		} else {
			busy += n / ticks
		}
	}
	return busy, idle
}

// process reads the CPU time of a process: /proc/PID/stat, utime and stime. The
// name before them is in brackets and may hold anything.
func process(pid int) (float64, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseFloat(string(fields[11]), 64)
	if err != nil {
		return 0, false
	}
	system, err := strconv.ParseFloat(string(fields[12]), 64)
	return (user + system) / ticks, err == nil
}

// throttled reads for how long a control group's limit of CPU time held this
// process up. In a container that is where CPUs go missing: /proc/stat counts
// all CPUs of the host.
func throttled() float64 {
	data, err := os.ReadFile("/sys/fs/cgroup/cpu.stat")
	if err != nil {
		return math.NaN()
	}
	if us, ok := field(data, "throttled_usec"); ok {
		return us / 1e6
	}
	return math.NaN()
}

// peakRSS reads the high-water mark of this process's memory.
func peakRSS() float64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return math.NaN()
	}
	if kB, ok := field(data, "VmHWM:"); ok {
		return kB * 1024
	}
	return math.NaN()
}

// field finds the number behind a word that begins a line.
func field(data []byte, word string) (float64, bool) {
	for line := range bytes.Lines(data) {
		fields := bytes.Fields(line)
		if len(fields) >= 2 && string(fields[0]) == word {
			n, err := strconv.ParseFloat(string(fields[1]), 64)
			return n, err == nil
		}
	}
	return 0, false
}
