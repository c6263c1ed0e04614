package machine_test

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/core/machine"
)

func TestMain(m *testing.M) {
	if os.Getenv("MACHINE_TEST_BURN") != "" {
		burn(time.Minute, make(chan struct{}))
		return
	}
	goleak.VerifyTestMain(m)
}

// burn keeps a CPU busy until a time is over or stop is closed.
func burn(d time.Duration, stop chan struct{}) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-stop:
			return
		default:
		}
	}
}

// TestAWatchSeesWhoUsesTheCPU: this process and another one burn; the figures
// are held against each other, not against a clock, because others use the
// machine too.
func TestAWatchSeesWhoUsesTheCPU(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the figures are read from /proc")
	}
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "MACHINE_TEST_BURN=1")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	told := 0
	w := machine.Start(func() []int { return []int{child.Process.Pid, 0, -1} }, func(float64) { told++ })
	burn(1500*time.Millisecond, make(chan struct{}))
	u := w.Stop()
	if u.Elapsed < 1500*time.Millisecond || u.CPUs < 1 || told < 1 {
		t.Errorf("%+v, told %d times", u, told)
	}
	if !(u.Core > 0.05) || !(u.Plugins > 0.05) {
		t.Errorf("core used %v s and the other process %v s of CPU", u.Core, u.Plugins)
	}
	// What two processes used, all used, but for the clock's ticks.
	if u.Core+u.Plugins > u.Machine+0.2 {
		t.Errorf("two processes used %v + %v s, the whole machine %v s", u.Core, u.Plugins, u.Machine)
	}
	if share := u.MachineShare(); !(share > 0) || share > 1.05 || !(u.Busiest > 0) || math.IsNaN(u.BusyShare) {
		t.Errorf("shares %v, busiest %v, above the limit %v", share, u.Busiest, u.BusyShare)
	}
	if u.PeakRSSBytes < 1<<20 {
		t.Errorf("peak memory %v bytes", u.PeakRSSBytes)
	}
}

func TestAMomentSaysNothing(t *testing.T) {
	u := machine.Start(func() []int { return nil }, nil).Stop()
	if !math.IsNaN(u.MachineShare()) || strings.Contains(runtime.GOOS, "linux") && u.Plugins != 0 {
		t.Errorf("%+v, share %v", u, u.MachineShare())
	}
}
